import type { Failure, Response } from "./platform";

/** What can go wrong on this side; the gateway's own codes are in its docs/errors.md. */
const MESSAGES = {
  network: "网络不可用，请检查网络后重试",
  timeout: "网络超时，请稍后重试",
  interrupted: "小程序切到后台，请求被中断，请重试",
  domain_not_listed: "服务器域名未加入小程序后台的 request 合法域名",
  privacy_refused: "您未同意隐私协议，无法使用该功能",
  user_denied: "您取消了授权",
  phone_unavailable: "手机号验证暂不可用，请稍后重试",
  wx_login_failed: "微信登录失败，请重试",
  not_logged_in: "请先登录",
  press_again: "登录状态已更新，请再点一次按钮",
  avatar_not_uploaded: "请先用 wx.uploadFile 上传头像，再提交 https 地址",
  unexpected_answer: "服务器返回异常，请稍后重试",
};

export type ClientCode = keyof typeof MESSAGES;

/** Every rejection of this package. `message` is Chinese and fit for the user. */
export class AuthError extends Error {
  override readonly name = "AuthError";
  /** 给开发者看的：该怎么做 */
  detail?: string | undefined;
  /** HTTP 状态码；没有收到回应时没有 */
  status?: number;
  /** 反馈问题时请附上 */
  requestId?: string | undefined;
  /** 至少等待的秒数，0 为没有要求 */
  retryAfter?: number;
  /** 微信的 errno 和 errMsg */
  errno?: number | undefined;
  errMsg?: string | undefined;

  constructor(readonly code: ClientCode | (string & {}), message: string, more?: Partial<AuthError>) {
    super(message);
    Object.assign(this, more);
  }
}

export function failure(code: ClientCode, cause?: Failure): AuthError {
  const { errno, errMsg } = cause || {};
  return new AuthError(code, MESSAGES[code], { errno, errMsg });
}

/** What a failed wx.request or wx.login means. */
export function transport(cause: Failure, otherwise: ClientCode): AuthError {
  const text = cause.errMsg || "";
  const code: ClientCode =
    cause.errno === 104 || /privacy/i.test(text) ? "privacy_refused"
    : /interrupted/.test(text) ? "interrupted"
    : /time.?out/i.test(text) ? "timeout"
    : /domain list/.test(text) ? "domain_not_listed"
    : otherwise;
  return failure(code, cause);
}

/** What the phone button was told when it gave no phone: refused, or out of quota (errno 1400001), or without permission. */
export function refused(detail: Failure): AuthError {
  return /deny|cancel/.test(detail.errMsg || "") ? failure("user_denied", detail) : transport(detail, "phone_unavailable");
}

/** What the gateway answered, as an error. */
export function answered({ statusCode, data, header = {} }: Response): AuthError {
  // Whatever it is: an HTML page of some proxy has none of these.
  const { code, title, detail, requestId } = Object(data);
  // The names' case differs between devices.
  const retryAfter = +(header["Retry-After"] || header["retry-after"] || 0);
  const more = { status: statusCode, detail, requestId, retryAfter };
  return code && title ? new AuthError(code, title, more) : Object.assign(failure("unexpected_answer"), more);
}
