import { answered, AuthError, failure, refused, transport } from "./errors";
import { type Failure, globalPlatform, type Platform, type RequestOptions, type Response } from "./platform";
import { queue } from "./queue";
import { counts, keeper, type Session, type UserInfo } from "./session";

export interface Options {
  /** 网关地址，例如 https://auth.example.com */
  baseUrl: string;
  /** 网关服务多个小程序时填写 */
  appId?: string;
  /** uni-app 传 uni，Taro 传 Taro，原生小程序不用传 */
  platform?: Platform;
  /** 每个请求的超时，毫秒，默认 15000 */
  timeout?: number;
  /** 同时进行的请求数，默认 8：微信最多 10 个，留两个给不经过这里的请求 */
  maxConcurrent?: number;
}

export interface LoginOptions {
  /** 不管现有的登录是否有效，都重新登录 */
  force?: boolean;
  /** 登录时一并提交的资料 */
  userInfo?: Profile;
}

/** 可以修改的资料 */
export type Profile = Partial<
  Pick<UserInfo, "nickName" | "avatarUrl" | "gender" | "country" | "province" | "city" | "language">
>;

export interface Account {
  username: string;
  password: string;
}

/** 手机号按钮的 e.detail */
export interface PhoneDetail extends Failure {
  code?: string;
  encryptedData?: string;
  iv?: string;
}

export interface Auth {
  /** 当前的登录；没有登录时为 null */
  readonly session: Session | null;
  /** 登录。已经登录且有效时直接返回，同时调用多次也只登录一次 */
  login(options?: LoginOptions): Promise<Session>;
  /** 是否已登录，且微信侧的会话没有过期 */
  checkLogin(): Promise<boolean>;
  /** 带上 token 的 wx.request：没登录先登录，401 时重新登录并重发一次。和 wx.request 一样，任何 HTTP 状态码都算成功 */
  request<T = any>(options: RequestOptions): Promise<Response<T>>;
  /** 有效的 token，给 wx.uploadFile、wx.connectSocket 等用 */
  token(): Promise<string>;
  /** 绑定账号。之后的用户是账号的用户，userId 会变 */
  bind(account: Account): Promise<Session>;
  /** 解除绑定 */
  unbind(): Promise<Session>;
  /** 手机号：传手机号按钮的 e.detail */
  phone(detail: PhoneDetail): Promise<UserInfo>;
  /** 修改资料。昵称来自 <input type="nickname">，头像来自 chooseAvatar，须先上传 */
  updateProfile(profile: Profile): Promise<UserInfo>;
  /** 退出登录：该用户在所有设备上的 token 都失效。之后要调用 login 才会再登录 */
  logout(): Promise<void>;
  /** 登录、退出、资料变化时调用；返回值用来取消 */
  onChange(listener: (session: Session | null) => void): () => void;
}

/**
 * What another wx.login may cure. The code itself is never sent twice: whether it was spent can't be known from here.
 */
function curable({ code, status }: AuthError): boolean {
  return status === 503 || /^(network|timeout|interrupted|wechat_code_)/.test(code);
}

/** Without a side effect: may be sent again after it was interrupted. */
const SAFE = /^(GET|HEAD)$/;

/** Taro answers with a promise as well, whose refusal nobody waits for. */
function quiet(task: any) {
  if (task && task.catch) task.catch(() => {});
  return task;
}

export function createAuth(options: Options): Auth {
  const { appId, timeout = 15_000, maxConcurrent = 8, platform = globalPlatform() } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, "");
  const store = keeper(platform, "wxgate:" + baseUrl + (appId || ""));
  const inTurn = queue(maxConcurrent);
  const listeners = new Set<(session: Session | null) => void>();
  let loggingIn: Promise<Session> | null = null;
  /** The last login's refusal, and until when there is no use in asking again. */
  let held: { error: AuthError; until: number } | null = null;
  let hidden: Promise<void> | null = null;
  /** Until when a 401 isn't worth a login: a service refused a token that was just made. */
  let futile = 0;

  // In the background WeChat cuts requests off after five seconds; they are sent again once the program is back.
  let show = () => {};
  platform.onAppHide?.(() => (hidden ??= new Promise((resolve) => (show = resolve))));
  platform.onAppShow?.(() => {
    hidden = null;
    show();
  });

  function become(session: Session | null, out = false) {
    store.keep(session, out);
    held = null;
    listeners.forEach((listener) => listener(session));
  }

  function wire(request: RequestOptions, token?: string): Promise<Response> {
    const { onTask, header, ...rest } = request;
    return new Promise((resolve, reject) => {
      const task = quiet(platform.request({
        timeout,
        ...rest,
        url: rest.url[0] === "/" ? baseUrl + rest.url : rest.url,
        header: token ? { ...header, Authorization: "Bearer " + token } : { ...header },
        success: resolve,
        fail: (error: Failure) => reject(transport(error, "network")),
      }));
      onTask?.(task);
    });
  }

  async function send(request: RequestOptions, token: string): Promise<Response> {
    try {
      return await inTurn(() => wire(request, token));
    } catch (error) {
      const safe = SAFE.test((request.method || "GET").toUpperCase());
      if (!safe || (error as AuthError).code !== "interrupted") throw error;
      await hidden;
      return inTurn(() => wire(request, token));
    }
  }

  function code(): Promise<string> {
    return new Promise((resolve, reject) =>
      quiet(platform.login({
        success: ({ code }) => (code ? resolve(code) : reject(failure("wx_login_failed"))),
        fail: (error) => reject(transport(error, "wx_login_failed")),
      })),
    );
  }

  async function attempt(userInfo?: Profile): Promise<Session> {
    // Not in the queue: requests that wait for this login may hold every place of it.
    const data = { code: await code(), appId, userInfo };
    const answer = await wire({ url: "/v1/login", method: "POST", data });
    return accept(answer);
  }

  async function logIn(userInfo?: Profile): Promise<Session> {
    if (held && Date.now() < held.until) throw held.error;
    try {
      return await attempt(userInfo);
    } catch (error) {
      if (!curable(error as AuthError)) throw hold(error);
    }
    await hidden;
    return attempt(userInfo).catch((error) => {
      throw hold(error);
    });
  }

  /** Eight pages that all want to log in again ask once, and not before the gateway said so. */
  function hold(error: unknown) {
    const { retryAfter, status } = error as AuthError;
    if (retryAfter || status === 403) {
      held = { error: error as AuthError, until: Date.now() + (retryAfter || 10) * 1000 };
    }
    return error;
  }

  function accept(answer: Response): Session {
    const { token, expiresIn, userInfo, bound, isNewUser } = answer.data || {};
    if (!token) throw answered(answer);
    const session = { token, userInfo, bound: !!bound, isNewUser: !!isNewUser, savedAt: Date.now(), life: expiresIn * 1000 };
    become(session);
    return session;
  }

  /** One login for everybody who wants one now. */
  function renew(userInfo?: Profile): Promise<Session> {
    if (loggingIn) return loggingIn;
    const done = () => {
      loggingIn = null;
    };
    loggingIn = logIn(userInfo);
    loggingIn.then(done, done);
    return loggingIn;
  }

  async function current(): Promise<Session> {
    if (loggingIn) return loggingIn;
    if (store.out) throw failure("not_logged_in");
    const { session } = store;
    return session && counts(session) ? session : renew();
  }

  /** The session after a 401 with this token: somebody else may have renewed it already. */
  function after(token: string): Promise<Session> {
    return store.out || loggingIn || store.session?.token !== token ? current() : renew();
  }

  async function request(options: RequestOptions, replay = true): Promise<Response> {
    const { token } = await current();
    let answer = await send(options, token);
    if (answer.statusCode !== 401) return answer;
    if (Date.now() < futile) throw answered(answer);
    const next = await after(token);
    if (!replay) throw failure("press_again");
    answer = await send(options, next.token);
    if (answer.statusCode === 401) {
      futile = Date.now() + 30_000;
      throw answered(answer);
    }
    return answer;
  }

  async function ask(options: RequestOptions, replay?: boolean): Promise<Response> {
    const answer = await request(options, replay);
    if (answer.statusCode >= 400) throw answered(answer);
    return answer;
  }

  function know(userInfo: UserInfo): UserInfo {
    const { session } = store;
    // Not if somebody else has logged in, or has been bound, since it was asked.
    if (session?.userInfo.userId === userInfo.userId) become({ ...session, userInfo });
    return userInfo;
  }

  async function checkLogin(): Promise<boolean> {
    if (!store.session || !counts(store.session)) return false;
    // The session at WeChat is what encryptedData needs; the token counts without it.
    return !platform.checkSession ||
      new Promise((resolve) => platform.checkSession!({ success: () => resolve(true), fail: () => resolve(false) }));
  }

  return {
    get session() {
      return store.session;
    },
    checkLogin,
    async login({ force, userInfo } = {}) {
      if (loggingIn) {
        const session = await loggingIn;
        if (!userInfo) return session;
      }
      const { session, out } = store;
      if (session && !force && !userInfo && (await checkLogin())) return session;
      // Logged out while WeChat was asked.
      if (store.out && !out) throw failure("not_logged_in");
      return renew(userInfo);
    },
    request: (options: RequestOptions) => request(options),
    token: async () => (await current()).token,
    bind: async (account) =>
      accept(await ask({ url: "/v1/me/account", method: "PUT", data: account })),
    unbind: async () => accept(await ask({ url: "/v1/me/account", method: "DELETE" })),
    async phone({ code, encryptedData, iv, ...detail }) {
      if (!code && !encryptedData) throw refused(detail);
      // A login in between would make the encryptedData worthless, so that isn't sent again; a code stands for itself.
      const data = code ? { code } : { encryptedData, iv };
      return know((await ask({ url: "/v1/me/phone", method: "POST", data }, !!code)).data);
    },
    async updateProfile(data) {
      if (data.avatarUrl && !/^https:/.test(data.avatarUrl)) throw failure("avatar_not_uploaded");
      return know((await ask({ url: "/v1/me", method: "PATCH", data })).data);
    },
    async logout() {
      // One that is under way would log in again behind our back.
      if (loggingIn) await loggingIn.catch(() => {});
      const { session } = store;
      become(null, true);
      if (!session || !counts(session)) return;
      const answer = await send({ url: "/v1/logout", method: "POST" }, session.token);
      if (answer.statusCode >= 400 && answer.statusCode !== 401) throw answered(answer);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
