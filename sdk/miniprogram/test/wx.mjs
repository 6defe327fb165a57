// `wx` with the habits of the real one: success for every HTTP status, at most ten requests at once, no cookies, '' for a key
// that isn't there, a session at WeChat that wx.login renews. Over real HTTP, to a real gateway and its simulated WeChat.
import http from "node:http";

export function phone({ simulator, openid = "alice" }) {
  const storage = new Map();
  const shown = [], hidden = [];
  let open = 0;
  const wx = {
    /** What was called, and how it went. */
    calls: { login: 0, checkSession: 0, request: [], most: 0 },
    /** What the next calls meet: functions that answer instead, one a call. */
    faults: { login: [], request: [], checkSession: [] },
    storage,
    openid,
    full: false,

    login({ success, fail, complete }) {
      wx.calls.login++;
      const fault = wx.faults.login.shift();
      if (fault) return void fault({ success, fail });
      fetch(`${simulator}/_sim/login`, { method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ openid: wx.openid }) })
        .then((answer) => answer.json())
        .then(({ code }) => success({ code, errMsg: "login:ok" }), () => fail({ errMsg: "login:fail timeout" }))
        .finally(() => complete?.());
    },
    checkSession({ success, fail }) {
      wx.calls.checkSession++;
      const fault = wx.faults.checkSession.shift();
      setImmediate(() => (fault ? fault({ success, fail }) : success({ errMsg: "checkSession:ok" })));
    },
    request(options) {
      const fault = wx.faults.request.shift();
      const record = { method: options.method ?? "GET", url: options.url, header: options.header, data: options.data };
      wx.calls.request.push(record);
      if (fault) {
        // Some faults hit before anything is sent, some after it has arrived.
        return fault({ options, go: () => exchange(options) });
      }
      return exchange(options);
    },
    getStorageSync: (key) => storage.get(key) ?? "",
    setStorageSync(key, value) {
      if (wx.full) throw new Error("setStorageSync:fail exceed storage max size");
      storage.set(key, value);
    },
    removeStorageSync: (key) => void storage.delete(key),
    onAppShow: (listener) => void shown.push(listener),
    onAppHide: (listener) => void hidden.push(listener),

    hide: () => hidden.forEach((listener) => listener()),
    show: () => shown.forEach((listener) => listener({})),
  };

  function exchange({ url, method = "GET", data, header = {}, timeout = 60_000, dataType = "json", success, fail, complete }) {
    const end = (callback, value) => {
      callback?.(value);
      complete?.(value);
    };
    if (open >= 10) return void setImmediate(() => end(fail, { errMsg: "request:fail exceed max task count 10" }));
    open++;
    wx.calls.most = Math.max(wx.calls.most, open);
    let target = url, body;
    const type = Object.entries(header).find(([name]) => /^content-type$/i.test(name))?.[1] ?? "application/json";
    if (data !== undefined && method === "GET") {
      const query = new URLSearchParams(Object.entries(data).filter(([, value]) => value !== undefined));
      target += (url.includes("?") ? "&" : "?") + query;
    } else if (typeof data === "string") body = data;
    else if (data !== undefined) {
      body = /form-urlencoded/.test(type) ? String(new URLSearchParams(data)) : JSON.stringify(data);
    }
    let closed = false;
    const close = (callback, value) => {
      if (closed) return;
      closed = true;
      open--;
      end(callback, value);
    };
    const request = http.request(target, { method, timeout, headers: { "content-type": type, ...header,
      referer: "https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html",
      ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }) } });
    request.on("response", async (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      try {
        for await (const piece of answer) text += piece;
      } catch (error) {
        return close(fail, { errMsg: `request:fail ${error.message}` });
      }
      let parsed = text;
      try {
        if (dataType === "json") parsed = JSON.parse(text);
      } catch {
        // As it came, then.
      }
      close(success, { statusCode: answer.statusCode, data: parsed, header: answer.headers, cookies: [], errMsg: "request:ok" });
    });
    request.on("timeout", () => {
      close(fail, { errno: 5, errMsg: "request:fail timeout" });
      request.destroy();
    });
    request.on("error", (error) => close(fail, { errno: 600001, errMsg: `request:fail ${error.message}` }));
    request.end(body);
    return { abort: () => (close(fail, { errMsg: "request:fail abort" }), request.destroy()) };
  }

  return wx;
}
