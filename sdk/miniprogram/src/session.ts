import type { Platform } from "./platform";

/** 用户资料 */
export interface UserInfo {
  userId: string;
  nickName: string;
  avatarUrl: string;
  /** 0 未知，1 男，2 女 */
  gender: number;
  country: string;
  province: string;
  city: string;
  language: string;
  registerDate: string;
  /** 0 正常，1 禁用，2 注销 */
  status: number;
  userLevel: number;
  userLevelDesc: string;
  lastLoginTime: string;
  phone?: string;
  username?: string;
}

/** 一次登录 */
export interface Session {
  readonly token: string;
  readonly userInfo: UserInfo;
  /** 是否已绑定账号 */
  readonly bound: boolean;
  readonly isNewUser: boolean;
  /** By this phone's clock, ms. */
  readonly savedAt: number;
  /** So long it counts from then on, ms. */
  readonly life: number;
}

/** Where the session is kept: in memory, and in a storage that may be full, evicted or edited. */
export function keeper(platform: Platform, key: string) {
  let session: Session | null = null;
  // Logged out by the user, who wouldn't expect to be logged in again by the next request.
  let out = false;
  try {
    const { session: kept, out: left } = JSON.parse(platform.getStorageSync(key) || "{}");
    out = !!left;
    if (kept && kept.token && kept.userInfo) session = kept;
  } catch {
    // Unreadable is as good as nothing.
  }
  return {
    get session() {
      return session;
    },
    get out() {
      return out;
    },
    keep(next: Session | null, loggedOut: boolean) {
      session = next;
      out = loggedOut;
      try {
        if (next || out) platform.setStorageSync(key, JSON.stringify({ session, out }));
        else platform.removeStorageSync(key);
      } catch {
        // Full: it lives in memory until the program ends, and the next start logs in.
      }
    },
  };
}

/**
 * Whether a session still counts. Only spans are compared, never this phone's clock with the server's: phones are set wrong by
 * hours. A clock that was set back since says nothing, and the server decides.
 */
export function counts({ savedAt, life }: Session): boolean {
  const age = Date.now() - savedAt;
  return age < life - Math.min(60_000, life / 10);
}
