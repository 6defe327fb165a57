const app = getApp()
const { simulator } = require('../../config')
const { pressPhone } = require('../../lib/simulated')

Page({
  data: { session: null, simulated: !!simulator, username: '', password: '', busy: false },

  // 进页面时就登录好：在手机号按钮的回调里登录，会让刚拿到的加密数据作废
  onLoad() {
    this.stop = app.auth.onChange((session) => this.setData({ session }))
    return app.auth.login().then((session) => this.setData({ session }), app.say)
  },

  onUnload() {
    this.stop()
  },

  typed(e) {
    this.setData({ [e.currentTarget.dataset.name]: e.detail.value })
  },

  async phone(e) {
    try {
      await app.auth.phone(e.detail)
    } catch (error) {
      if (error.code !== 'user_denied') app.say(error)
    }
  },

  async simulatedPhone() {
    await this.phone({ detail: await pressPhone(simulator, '13800138000') })
  },

  async bind() {
    this.setData({ busy: true })
    const { username, password } = this.data
    try {
      await app.auth.bind({ username, password })
      this.setData({ username: '', password: '' })
    } catch (error) {
      app.say(error)
    }
    this.setData({ busy: false })
  },

  async unbind() {
    try {
      await app.auth.unbind()
    } catch (error) {
      app.say(error)
    }
  },
})
