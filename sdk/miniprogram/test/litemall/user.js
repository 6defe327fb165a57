// As the litemall family's programs write it.
const util = require('./util')

function checkSession() {
  return new Promise(function (resolve, reject) {
    wx.checkSession({ success: () => resolve(true), fail: () => reject(false) })
  })
}

function login() {
  return new Promise(function (resolve, reject) {
    wx.login({ success: (res) => (res.code ? resolve(res) : reject(res)), fail: reject })
  })
}

function loginByWeixin(userInfo) {
  return new Promise(function (resolve, reject) {
    return login()
      .then((res) => {
        util.request('login_by_weixin', { code: res.code, userInfo }, 'POST').then((res) => {
          if (res.errno === 0) {
            wx.setStorageSync('userInfo', res.data.userInfo)
            wx.setStorageSync('token', res.data.token)
            resolve(res)
          } else {
            reject(res)
          }
        }, reject)
      })
      .catch(reject)
  })
}

function checkLogin() {
  return new Promise(function (resolve, reject) {
    if (wx.getStorageSync('userInfo') && wx.getStorageSync('token')) {
      checkSession().then(() => resolve(true), () => reject(false))
    } else {
      reject(false)
    }
  })
}

module.exports = { loginByWeixin, checkLogin }
