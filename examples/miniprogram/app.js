const { createAuth } = require('wxgate-miniprogram')
const { simulated } = require('./lib/simulated')
const { baseUrl, simulator } = require('./config')

App({
  auth: createAuth({ baseUrl, platform: simulator ? simulated(simulator) : wx }),

  /** 出错时给用户看的一句话；开发者看控制台 */
  say(error) {
    console.warn(error.code, error.detail || error.errMsg || '', error.requestId || '')
    wx.showToast({ title: error.message, icon: 'none', duration: 3000 })
  },
})
