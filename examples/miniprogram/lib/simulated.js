// 代替 wx.login 和手机号按钮，向 wxgate 的模拟微信要 code，这样不用真的 AppID 就能走完全部流程。接真网关时用不到。

/** 和 wx 一样，只是 login 的 code 来自模拟微信 */
function simulated(simulator) {
  return {
    ...wx,
    login({ success, fail }) {
      ask(simulator, '/_sim/login').then(({ code }) => success({ code, errMsg: 'login:ok' }), fail)
    },
    checkSession({ success }) {
      success({ errMsg: 'checkSession:ok' })
    },
  }
}

/** 按一次手机号按钮：返回按钮的 e.detail */
function pressPhone(simulator, phone) {
  return ask(simulator, '/_sim/phone', { phone }).then((detail) => ({ ...detail, errMsg: 'getPhoneNumber:ok' }))
}

function ask(simulator, path, more) {
  // 每台设备是一个固定的人
  const openid = wx.getStorageSync('simulated-openid') || 'devtool-' + Math.random().toString(36).slice(2, 10)
  wx.setStorageSync('simulated-openid', openid)
  return new Promise((resolve, reject) =>
    wx.request({
      url: simulator + path,
      method: 'POST',
      data: { openid, ...more },
      success: ({ statusCode, data }) => (statusCode === 200 ? resolve(data) : reject({ errMsg: 'login:fail ' + data })),
      fail: reject,
    }),
  )
}

module.exports = { simulated, pressPhone }
