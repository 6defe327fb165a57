/*! wxgate-miniprogram 0.1.0, Apache-2.0 */

// src/errors.ts
var MESSAGES = {
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
  unexpected_answer: "服务器返回异常，请稍后重试"
};
var AuthError = class extends Error {
  constructor(code, message, more) {
    super(message);
    this.code = code;
    this.name = "AuthError";
    Object.assign(this, more);
  }
};
function failure(code, cause) {
  const { errno, errMsg } = cause || {};
  return new AuthError(code, MESSAGES[code], { errno, errMsg });
}
function transport(cause, otherwise) {
  const text = cause.errMsg || "";
  const code = cause.errno === 104 || /privacy/i.test(text) ? "privacy_refused" : /interrupted/.test(text) ? "interrupted" : /time.?out/i.test(text) ? "timeout" : /domain list/.test(text) ? "domain_not_listed" : otherwise;
  return failure(code, cause);
}
function refused(detail) {
  return /deny|cancel/.test(detail.errMsg || "") ? failure("user_denied", detail) : transport(detail, "phone_unavailable");
}
function answered({ statusCode, data, header = {} }) {
  const { code, title, detail, requestId } = Object(data);
  const retryAfter = +(header["Retry-After"] || header["retry-after"] || 0);
  const more = { status: statusCode, detail, requestId, retryAfter };
  return code && title ? new AuthError(code, title, more) : Object.assign(failure("unexpected_answer"), more);
}

// src/platform.ts
function globalPlatform() {
  if (typeof wx === "undefined") {
    throw new TypeError("没有 wx：请传 createAuth({ platform: uni })，或 Taro");
  }
  return wx;
}

// src/queue.ts
function queue(limit) {
  const waiting = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) {
      await new Promise((go) => waiting.push(go));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

// src/session.ts
function keeper(platform, key) {
  let session = null;
  let out = false;
  try {
    const { session: kept, out: left } = JSON.parse(platform.getStorageSync(key) || "{}");
    out = !!left;
    if (kept && kept.token && kept.userInfo) session = kept;
  } catch (e) {
  }
  return {
    get session() {
      return session;
    },
    get out() {
      return out;
    },
    keep(next, loggedOut) {
      session = next;
      out = loggedOut;
      try {
        if (next || out) platform.setStorageSync(key, JSON.stringify({ session, out }));
        else platform.removeStorageSync(key);
      } catch (e) {
      }
    }
  };
}
function counts({ savedAt, life }) {
  const age = Date.now() - savedAt;
  return age < life - Math.min(6e4, life / 10);
}

// src/auth.ts
function curable({ code, status }) {
  return status === 503 || /^(network|timeout|interrupted|wechat_code_)/.test(code);
}
var SAFE = /^(GET|HEAD)$/;
function quiet(task) {
  if (task && task.catch) task.catch(() => {
  });
  return task;
}
function createAuth(options) {
  var _a, _b;
  const { appId, timeout = 15e3, maxConcurrent = 8, platform = globalPlatform() } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, "");
  const store = keeper(platform, "wxgate:" + baseUrl + (appId || ""));
  const inTurn = queue(maxConcurrent);
  const listeners = /* @__PURE__ */ new Set();
  let loggingIn = null;
  let held = null;
  let hidden = null;
  let futile = 0;
  let show = () => {
  };
  (_a = platform.onAppHide) == null ? void 0 : _a.call(platform, () => hidden != null ? hidden : hidden = new Promise((resolve) => show = resolve));
  (_b = platform.onAppShow) == null ? void 0 : _b.call(platform, () => {
    hidden = null;
    show();
  });
  function become(session, out = false) {
    store.keep(session, out);
    held = null;
    listeners.forEach((listener) => listener(session));
  }
  function wire(request2, token) {
    const { onTask, header, ...rest } = request2;
    return new Promise((resolve, reject) => {
      const task = quiet(platform.request({
        timeout,
        ...rest,
        url: rest.url[0] === "/" ? baseUrl + rest.url : rest.url,
        header: token ? { ...header, Authorization: "Bearer " + token } : { ...header },
        success: resolve,
        fail: (error) => reject(transport(error, "network"))
      }));
      onTask == null ? void 0 : onTask(task);
    });
  }
  async function send(request2, token) {
    try {
      return await inTurn(() => wire(request2, token));
    } catch (error) {
      const safe = SAFE.test((request2.method || "GET").toUpperCase());
      if (!safe || error.code !== "interrupted") throw error;
      await hidden;
      return inTurn(() => wire(request2, token));
    }
  }
  function code() {
    return new Promise(
      (resolve, reject) => quiet(platform.login({
        success: ({ code: code2 }) => code2 ? resolve(code2) : reject(failure("wx_login_failed")),
        fail: (error) => reject(transport(error, "wx_login_failed"))
      }))
    );
  }
  async function attempt(userInfo) {
    const data = { code: await code(), appId, userInfo };
    const answer = await wire({ url: "/v1/login", method: "POST", data });
    return accept(answer);
  }
  async function logIn(userInfo) {
    if (held && Date.now() < held.until) throw held.error;
    try {
      return await attempt(userInfo);
    } catch (error) {
      if (!curable(error)) throw hold(error);
    }
    await hidden;
    return attempt(userInfo).catch((error) => {
      throw hold(error);
    });
  }
  function hold(error) {
    const { retryAfter, status } = error;
    if (retryAfter || status === 403) {
      held = { error, until: Date.now() + (retryAfter || 10) * 1e3 };
    }
    return error;
  }
  function accept(answer) {
    const { token, expiresIn, userInfo, bound, isNewUser } = answer.data || {};
    if (!token) throw answered(answer);
    const session = { token, userInfo, bound: !!bound, isNewUser: !!isNewUser, savedAt: Date.now(), life: expiresIn * 1e3 };
    become(session);
    return session;
  }
  function renew(userInfo) {
    if (loggingIn) return loggingIn;
    const done = () => {
      loggingIn = null;
    };
    loggingIn = logIn(userInfo);
    loggingIn.then(done, done);
    return loggingIn;
  }
  async function current() {
    if (loggingIn) return loggingIn;
    if (store.out) throw failure("not_logged_in");
    const { session } = store;
    return session && counts(session) ? session : renew();
  }
  function after(token) {
    var _a2;
    return store.out || loggingIn || ((_a2 = store.session) == null ? void 0 : _a2.token) !== token ? current() : renew();
  }
  async function request(options2, replay = true) {
    const { token } = await current();
    let answer = await send(options2, token);
    if (answer.statusCode !== 401) return answer;
    if (Date.now() < futile) throw answered(answer);
    const next = await after(token);
    if (!replay) throw failure("press_again");
    answer = await send(options2, next.token);
    if (answer.statusCode === 401) {
      futile = Date.now() + 3e4;
      throw answered(answer);
    }
    return answer;
  }
  async function ask(options2, replay) {
    const answer = await request(options2, replay);
    if (answer.statusCode >= 400) throw answered(answer);
    return answer;
  }
  function know(userInfo) {
    const { session } = store;
    if ((session == null ? void 0 : session.userInfo.userId) === userInfo.userId) become({ ...session, userInfo });
    return userInfo;
  }
  async function checkLogin() {
    if (!store.session || !counts(store.session)) return false;
    return !platform.checkSession || new Promise((resolve) => platform.checkSession({ success: () => resolve(true), fail: () => resolve(false) }));
  }
  return {
    get session() {
      return store.session;
    },
    checkLogin,
    async login({ force, userInfo } = {}) {
      if (loggingIn) {
        const session2 = await loggingIn;
        if (!userInfo) return session2;
      }
      const { session, out } = store;
      if (session && !force && !userInfo && await checkLogin()) return session;
      if (store.out && !out) throw failure("not_logged_in");
      return renew(userInfo);
    },
    request: (options2) => request(options2),
    token: async () => (await current()).token,
    bind: async (account) => accept(await ask({ url: "/v1/me/account", method: "PUT", data: account })),
    unbind: async () => accept(await ask({ url: "/v1/me/account", method: "DELETE" })),
    async phone({ code: code2, encryptedData, iv, ...detail }) {
      if (!code2 && !encryptedData) throw refused(detail);
      const data = code2 ? { code: code2 } : { encryptedData, iv };
      return know((await ask({ url: "/v1/me/phone", method: "POST", data }, !!code2)).data);
    },
    async updateProfile(data) {
      if (data.avatarUrl && !/^https:/.test(data.avatarUrl)) throw failure("avatar_not_uploaded");
      return know((await ask({ url: "/v1/me", method: "PATCH", data })).data);
    },
    async logout() {
      if (loggingIn) await loggingIn.catch(() => {
      });
      const { session } = store;
      become(null, true);
      if (!session || !counts(session)) return;
      const answer = await send({ url: "/v1/logout", method: "POST" }, session.token);
      if (answer.statusCode >= 400 && answer.statusCode !== 401) throw answered(answer);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    }
  };
}
module.exports = {
  AuthError,
  createAuth
};
