// As the litemall family's programs write it: every answer is HTTP 200, errno says how it went, 501 sends to the login page.
const AuthBase = () => getApp().apiRoot + '/auth/'

function request(path, data = {}, method = 'GET') {
  return new Promise(function (resolve, reject) {
    wx.request({
      url: AuthBase() + path,
      data,
      method,
      header: { 'Content-Type': 'application/json', 'X-Litemall-Token': wx.getStorageSync('token') },
      success(res) {
        if (res.statusCode !== 200) return reject(res.errMsg)
        if (res.data.errno === 501) {
          wx.removeStorageSync('userInfo')
          wx.removeStorageSync('token')
          wx.navigateTo({ url: '/pages/auth/login/login' })
          return
        }
        resolve(res.data)
      },
      fail: reject,
    })
  })
}

module.exports = { request }
