const app = getApp()
const { shopUrl } = require('../../config')

Page({
  data: { session: null, shopUrl, busy: false, asking: false, answer: '' },

  onLoad() {
    this.setData({ session: app.auth.session })
    this.stop = app.auth.onChange((session) => this.setData({ session }))
  },

  onUnload() {
    this.stop()
  },

  async login() {
    this.setData({ busy: true })
    try {
      await app.auth.login()
    } catch (error) {
      app.say(error)
    }
    this.setData({ busy: false })
  },

  async orders() {
    this.setData({ asking: true, answer: '' })
    try {
      const { statusCode, data } = await app.auth.request({ url: shopUrl + '/orders' })
      this.setData({ answer: `${statusCode} ${JSON.stringify(data)}` })
    } catch (error) {
      app.say(error)
    }
    this.setData({ asking: false })
  },

  async logout() {
    this.setData({ answer: '' })
    try {
      await app.auth.logout()
    } catch (error) {
      app.say(error)
    }
  },

  openProfile() {
    wx.navigateTo({ url: '/pages/profile/profile' })
  },

  openAccount() {
    wx.navigateTo({ url: '/pages/account/account' })
  },
})
