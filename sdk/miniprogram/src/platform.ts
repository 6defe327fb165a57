/** What is used of `wx`. `uni` and `Taro` have the same functions. */
export interface Platform {
  login(options: {
    success(result: { code?: string }): void;
    fail(error: Failure): void;
  }): unknown;
  checkSession?(options: { success(): void; fail(): void }): unknown;
  request(options: any): unknown;
  getStorageSync(key: string): any;
  setStorageSync(key: string, value: any): void;
  removeStorageSync(key: string): void;
  onAppShow?(listener: (...details: any[]) => void): void;
  onAppHide?(listener: (...details: any[]) => void): void;
}

/** What `fail` is called with. */
export interface Failure {
  errMsg?: string;
  errno?: number;
}

/** As `wx.request`'s, without its callbacks. */
export interface RequestOptions {
  /** 以 / 开头的是网关自己的地址，其他服务写完整的 https 地址 */
  url: string;
  method?: "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS";
  data?: any;
  header?: Record<string, string>;
  timeout?: number;
  dataType?: string;
  responseType?: "text" | "arraybuffer";
  /** 拿到 RequestTask，用于 abort */
  onTask?(task: any): void;
  [more: string]: unknown;
}

/** As `wx.request` gives it to `success`: for every HTTP status. */
export interface Response<T = any> {
  statusCode: number;
  data: T;
  header?: Record<string, string>;
  [more: string]: unknown;
}

declare const wx: Platform | undefined;

/** The global `wx`, where there is one. */
export function globalPlatform(): Platform {
  if (typeof wx === "undefined") {
    throw new TypeError("没有 wx：请传 createAuth({ platform: uni })，或 Taro");
  }
  return wx;
}
