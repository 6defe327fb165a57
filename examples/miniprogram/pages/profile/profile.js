const app = getApp()

Page({
  data: { picture: '', nickName: '', busy: false },

  onLoad() {
    const { userInfo } = app.auth.session || { userInfo: {} }
    this.setData({ picture: userInfo.avatarUrl, nickName: userInfo.nickName })
  },

  typed(e) {
    this.setData({ nickName: e.detail.value })
  },

  // 只在这里显示：临时路径对服务器没有意义
  avatar(e) {
    this.setData({ picture: e.detail.avatarUrl })
  },

  async save() {
    this.setData({ busy: true })
    try {
      await app.auth.updateProfile({ nickName: this.data.nickName })
      wx.navigateBack()
    } catch (error) {
      app.say(error)
    }
    this.setData({ busy: false })
  },
})
