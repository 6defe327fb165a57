// A strict TypeScript project of a native mini-program, with WeChat's own types.
import { type Auth, AuthError, createAuth, type Platform, type Session, type UserInfo } from "wxgate-miniprogram";

const auth: Auth = createAuth({ baseUrl: "https://auth.example.com" });
// WeChat's own `wx` is what the package takes.
const platform: Platform = wx;
createAuth({ baseUrl: "https://auth.example.com", platform: wx, appId: "wx0123456789abcdef" });

Page({
  data: { user: null as UserInfo | null },
  async onLoad() {
    const session: Session = await auth.login();
    this.setData({ user: session.userInfo });
    const { data, statusCode } = await auth.request<{ orders: string[] }>({ url: "https://shop.example.com/orders", method: "GET" });
    if (statusCode === 200) console.log(data.orders.length);
  },
  async onPhone(event: WechatMiniprogram.ButtonGetPhoneNumber) {
    try {
      await auth.phone(event.detail);
    } catch (error) {
      if (error instanceof AuthError && error.code === "user_denied") return;
      wx.showToast({ title: (error as AuthError).message, icon: "none" });
    }
  },
  async onNickname(event: WechatMiniprogram.Input) {
    await auth.updateProfile({ nickName: event.detail.value });
  },
  onUnload: auth.onChange((session) => console.log(session?.bound)),
});

// @ts-expect-error: no such field
auth.updateProfile({ nickname: "x" });
// @ts-expect-error: baseUrl is missing
createAuth({});
export { platform };
