// The package against the real gateway, on a `wx` with the real one's habits.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { AuthError, createAuth } from "../dist/index.mjs";
import { gateway } from "./gateway.mjs";
import { phone } from "./wx.mjs";

let server;
before(async () => { server = await gateway(); });
after(() => server.stop());
afterEach(() => server.faults([]));

let people = 0;
/** A phone of somebody new, and the package on it. */
function somebody(options = {}) {
  const wx = phone({ simulator: server.simulator, openid: `person-${++people}` });
  return { wx, auth: createAuth({ baseUrl: server.url, platform: wx, ...options }) };
}
const me = { url: "/v1/me" };
const logins = (wx) => wx.calls.request.filter(({ url }) => url.endsWith("/v1/login")).length;
const refusal = (code) => (error) => {
  assert.ok(error instanceof AuthError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, /[\u4e00-\u9fff]/, "a message that the user can read");
  return true;
};

describe("logging in", () => {
  test("gives a token, the userInfo and how long it counts", async () => {
    const { auth } = somebody();
    const session = await auth.login();
    assert.equal(session.isNewUser, true);
    assert.equal(session.life, 7_200_000);
    assert.equal(await server.me(session.token), 200);
    assert.equal(auth.session, session);
  });

  test("happens once for however many ask at the same time", async () => {
    const { wx, auth } = somebody();
    const before = await server.exchanges();
    const sessions = await Promise.all(Array.from({ length: 20 }, () => auth.login()));
    assert.equal(new Set(sessions).size, 1);
    assert.deepEqual([wx.calls.login, await server.exchanges() - before], [1, 1]);
  });

  test("is remembered for the next start of the program", async () => {
    const { wx, auth } = somebody();
    const { token } = await auth.login();
    const next = createAuth({ baseUrl: server.url, platform: wx });
    assert.equal((await next.login()).token, token);
    assert.equal(wx.calls.login, 1);
  });

  test("is done anew when WeChat's session is over, or when it is forced", async () => {
    const { wx, auth } = somebody();
    const { token } = await auth.login();
    wx.faults.checkSession.push(({ fail }) => fail({ errMsg: "checkSession:fail session_key expired" }));
    assert.equal(await auth.checkLogin(), false);
    assert.equal(await auth.checkLogin(), true);
    assert.notEqual((await auth.login({ force: true })).token, token);
    assert.equal(wx.calls.login, 2);
  });

  test("takes a fresh code after a timeout that may have spent the first", async () => {
    const { wx, auth } = somebody();
    // It arrives and is answered, but the answer doesn't come back.
    wx.faults.request.push(({ options, go }) => go(Object.assign(options, {
      success: () => options.fail({ errno: 5, errMsg: "request:fail timeout" }),
    })) ?? options);
    const sent = wx.calls.request;
    await auth.login().catch(() => auth.login());
    const codes = sent.filter(({ url }) => url.endsWith("/v1/login")).map(({ data }) => data.code);
    assert.equal(codes.length, 2);
    assert.equal(new Set(codes).size, 2, "no code was sent twice");
  });

  test("takes a fresh code when the first had been used or had expired", async () => {
    const { wx, auth } = somebody();
    wx.faults.login.push(({ success }) => success({ code: "neverissued", errMsg: "login:ok" }));
    await auth.login();
    assert.deepEqual([wx.calls.login, logins(wx)], [2, 2]);
  });

  test("gives up after a second try, in words", async () => {
    const { wx, auth } = somebody();
    const cut = ({ options }) => setImmediate(() => options.fail({ errno: 600003, errMsg: "request:fail net::ERR_FAILED" }));
    wx.faults.request.push(cut, cut);
    await assert.rejects(auth.login(), refusal("network"));
    assert.equal(wx.calls.login, 2);
    await auth.login();
  });

  test("asks no more until the time that the gateway named", async () => {
    const { wx, auth } = somebody();
    await server.faults([{ path: "/sns/jscode2session", errcode: 45011, times: 10 }]);
    await assert.rejects(auth.login(), (error) => refusal("wechat_throttled")(error) && error.retryAfter >= 1);
    const { login } = wx.calls;
    await Promise.all(Array.from({ length: 5 }, () => assert.rejects(auth.request(me), refusal("wechat_throttled"))));
    assert.equal(wx.calls.login, login);
  });

  test("of a disabled user is refused in words, and isn't tried by each request", async () => {
    const { wx, auth } = somebody();
    const { userInfo } = await auth.login();
    await server.disable(userInfo.userId);
    await assert.rejects(auth.request(me), refusal("user_disabled"));
    await assert.rejects(auth.request(me), refusal("user_disabled"));
    assert.equal(wx.calls.login, 2);
    await server.enable(userInfo.userId);
  });

  test("that the user's privacy choice forbids says so (errno 104)", async () => {
    const { wx, auth } = somebody();
    wx.faults.login.push(({ fail }) => fail({ errno: 104, errMsg: "login:fail privacy permission is not authorized" }));
    await assert.rejects(auth.login(), (error) => refusal("privacy_refused")(error) && error.errno === 104);
  });

  test("storms of a hundred phones leave every earlier token valid", async () => {
    const { wx } = somebody();
    const tokens = [];
    for (let round = 0; round < 10; round++) {
      const devices = Array.from({ length: 10 }, () =>
        createAuth({ baseUrl: server.url, platform: Object.assign(phone({ simulator: server.simulator }), { openid: wx.openid }) }));
      tokens.push(...(await Promise.all(devices.map((device) => device.login()))).map(({ token }) => token));
    }
    assert.equal(new Set(tokens).size, 100);
    assert.deepEqual(new Set(await Promise.all(tokens.map(server.me))), new Set([200]));
  });
});

describe("a request", () => {
  test("logs in by itself, and carries the token", async () => {
    const { wx, auth } = somebody();
    const { statusCode, data } = await auth.request(me);
    assert.deepEqual([statusCode, data.userId], [200, auth.session.userInfo.userId]);
    assert.equal(wx.calls.request.at(-1).header.Authorization, `Bearer ${auth.session.token}`);
  });

  test("on a dead token logs in once for all eight that meet it, and is sent again", async () => {
    const { wx, auth } = somebody();
    const { userInfo, token } = await auth.login();
    await server.revoke(userInfo.userId);
    const answers = await Promise.all(Array.from({ length: 8 }, () => auth.request(me)));
    assert.deepEqual(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]));
    assert.equal(wx.calls.login, 2, "one for the first login, one for the eight");
    assert.notEqual(auth.session.token, token);
  });

  test("that comes back with a 401 after others have logged in goes by their token", async () => {
    const { wx, auth } = somebody();
    const { userInfo } = await auth.login();
    await server.revoke(userInfo.userId);
    let release;
    wx.faults.request.push(({ options, go }) => {
      const { success } = options;
      release = new Promise((resolve) => { options.success = (answer) => resolve(() => success(answer)); });
      go();
    });
    const late = auth.request(me);
    await auth.request(me);
    (await release)();
    assert.equal((await late).statusCode, 200);
    assert.equal(wx.calls.login, 2);
  });

  test("is sent again once, not for ever", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    const no = ({ options }) => setImmediate(() => options.success({ statusCode: 401, data: "no", header: {} }));
    wx.faults.request.push(no, ({ go }) => go(), no);
    await assert.rejects(auth.request({ url: `${server.url}/v1/me` }), (error) => error.status === 401);
    assert.equal(wx.calls.login, 2);
  });

  test("to a service that takes none of our tokens doesn't log in at each try", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    const no = ({ options }) => setImmediate(() => options.success({ statusCode: 401, data: "no" }));
    wx.faults.request.push(no, ({ go }) => go(), no, no, no, no);
    for (let i = 0; i < 4; i++) await assert.rejects(auth.request(me), (error) => error.status === 401);
    assert.equal(wx.calls.login, 2);
    assert.equal((await auth.request(me)).statusCode, 200);
  });

  test("answers with any other status as wx.request does", async () => {
    const { auth } = somebody();
    assert.equal((await auth.request({ url: "/nowhere" })).statusCode, 404);
  });

  test("past its life logs in first; a phone whose clock is wrong or is set back makes no difference", async (context) => {
    const { wx, auth } = somebody();
    const { now } = Date;
    context.after(() => { Date.now = now; });
    const years = 365 * 86_400_000;
    const start = now() - 10 * years;
    const phoneShows = (time) => { Date.now = () => time; };
    phoneShows(start);
    await auth.login();
    await auth.request(me);
    phoneShows(start - 10 * years);
    await auth.request(me);
    assert.equal(wx.calls.login, 1);
    phoneShows(start + 7_200_000);
    await auth.request(me);
    assert.equal(wx.calls.login, 2);
  });

  test("passes GET data, JSON and forms on as wx.request has them", async () => {
    const { wx, auth } = somebody();
    await auth.request({ url: "/v1/me", data: { a: 1, b: "你" } });
    assert.deepEqual(wx.calls.request.at(-1).data, { a: 1, b: "你" });
    const form = await auth.request({ url: "/v1/me/decrypt", method: "POST", data: { iv: "a+b" },
      header: { "content-type": "application/x-www-form-urlencoded" } });
    assert.equal(form.data.code, "unsupported_media_type");
    const json = await auth.request({ url: "/v1/me", method: "PATCH", data: { nickName: "小明 🎉" } });
    assert.equal(json.data.nickName, "小明 🎉");
  });

  test("waits for its turn below WeChat's ten connections", async () => {
    const { wx, auth } = somebody();
    const answers = await Promise.all(Array.from({ length: 60 }, () => auth.request(me)));
    assert.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 60);
    assert.ok(wx.calls.most <= 9, `${wx.calls.most} at once`);
  });

  test("that fills every place still lets the login through", async () => {
    const { wx, auth } = somebody({ maxConcurrent: 1 });
    const { userInfo } = await auth.login();
    await server.revoke(userInfo.userId);
    const answers = await Promise.all(Array.from({ length: 5 }, () => auth.request(me)));
    assert.ok(answers.every(({ statusCode }) => statusCode === 200));
  });

  test("cut off in the background is sent again when the program is back, if it only read", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    const cut = ({ options }) => setImmediate(() => options.fail({ errno: 600003, errMsg: "request:fail interrupted" }));
    wx.hide();
    wx.faults.request.push(cut);
    const answer = auth.request(me);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.equal(wx.calls.request.length, 2, "not while it is hidden");
    wx.show();
    assert.equal((await answer).statusCode, 200);

    wx.faults.request.push(cut);
    const order = auth.request({ url: "/v1/me", method: "PATCH", data: { gender: 1 } });
    await assert.rejects(order, refusal("interrupted"));
  });

  test("that times out isn't sent again: nobody knows whether it arrived", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    const sent = wx.calls.request.length;
    wx.faults.request.push(({ options }) => setImmediate(() => options.fail({ errno: 5, errMsg: "request:fail timeout" })));
    await assert.rejects(auth.request({ url: "/v1/me", method: "PATCH", data: {} }), refusal("timeout"));
    assert.equal(wx.calls.request.length, sent + 1);
  });

  test("to a domain that isn't on the list tells the developer", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    wx.faults.request.push(({ options }) => setImmediate(() => options.fail({ errMsg: "request:fail url not in domain list" })));
    await assert.rejects(auth.request(me), refusal("domain_not_listed"));
  });

  test("gives its task, so that it can be aborted", async () => {
    const { auth } = somebody();
    await auth.login();
    await assert.rejects(auth.request({ ...me, onTask: (task) => task.abort() }), refusal("network"));
  });
});

describe("what is kept", () => {
  test("may be evicted, edited or full: the program logs in and goes on", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    for (const left of ["", "not json", "{\"v\":1,\"session\":{}}", "{\"v\":1,\"session\":{\"token\":1,\"userInfo\":{},\"life\":\"x\"}}", "null", "7"]) {
      for (const key of wx.storage.keys()) wx.storage.set(key, left);
      const next = createAuth({ baseUrl: server.url, platform: wx });
      assert.equal((await next.request(me)).statusCode, 200, left);
    }
    wx.full = true;
    const full = createAuth({ baseUrl: server.url, platform: wx });
    await full.login({ force: true });
    assert.equal((await full.request(me)).statusCode, 200);
  });

  test("is apart for each gateway and each app", async () => {
    const { wx } = somebody();
    const [one, two] = ["", "wx0123456789abcdef"].map((appId) => createAuth({ baseUrl: server.url, platform: wx, appId: appId || undefined }));
    await one.login();
    await two.login();
    assert.equal(wx.storage.size, 2);
    assert.ok([...wx.storage.values()].every((text) => !text.includes("session_key")));
  });
});

describe("the account", () => {
  const register = async (username) => {
    const answer = await fetch(`${server.url}/v1/accounts`, { method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ username, password: "correct horse battery" }) });
    assert.equal(answer.status, 201, await answer.text());
  };

  test("is bound and unbound, and the session changes with it", async () => {
    const { auth } = somebody();
    await register("zhang-san");
    const before = await auth.login();
    const heard = [];
    const off = auth.onChange((session) => heard.push(session?.bound));
    const bound = await auth.bind({ username: "zhang-san", password: "correct horse battery" });
    assert.equal(bound.bound, true);
    assert.notEqual(bound.userInfo.userId, before.userInfo.userId);
    assert.equal((await auth.unbind()).bound, false);
    off();
    await auth.login({ force: true });
    assert.deepEqual(heard, [true, false]);
  });

  test("with a wrong password says so, and logs nobody in again", async () => {
    const { wx, auth } = somebody();
    await register("li-si");
    await auth.login();
    await assert.rejects(auth.bind({ username: "li-si", password: "wrong" }), refusal("bad_credentials"));
    assert.equal(wx.calls.login, 1);
  });
});

describe("the phone", () => {
  test("is set by the button's code, and known afterwards", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    const detail = await server.pressPhone(wx.openid, "13900001111");
    const { phone: number } = await auth.phone({ code: detail.code, errMsg: "getPhoneNumber:ok" });
    assert.equal(number, "13900001111");
    assert.equal(auth.session.userInfo.phone, "13900001111");
  });

  test("is set by the encryptedData of an older WeChat", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    const { encryptedData, iv } = await server.pressPhone(wx.openid, "13900002222");
    assert.equal((await auth.phone({ encryptedData, iv, errMsg: "getPhoneNumber:ok" })).phone, "13900002222");
  });

  test("that meets a dead token is asked for again: another login makes the data worthless", async () => {
    const { wx, auth } = somebody();
    const { userInfo } = await auth.login();
    const { encryptedData, iv } = await server.pressPhone(wx.openid, "13900003333");
    await server.revoke(userInfo.userId);
    await assert.rejects(auth.phone({ encryptedData, iv }), refusal("press_again"));
    const again = await server.pressPhone(wx.openid, "13900003333");
    assert.equal((await auth.phone({ encryptedData: again.encryptedData, iv: again.iv })).phone, "13900003333");
  });

  test("that the user refuses, by the button or by privacy, or that has no quota, says which", async () => {
    const { wx, auth } = somebody();
    for (const [detail, code] of [
      [{ errMsg: "getPhoneNumber:fail user deny" }, "user_denied"],
      [{ errno: 104, errMsg: "getPhoneNumber:fail privacy permission is not authorized in desktop" }, "privacy_refused"],
      [{ errno: 1400001, errMsg: "getPhoneNumber:fail no quota" }, "phone_unavailable"],
      [{ errMsg: "getPhoneNumber:fail jsapi has no permission" }, "phone_unavailable"],
    ]) await assert.rejects(auth.phone(detail), refusal(code));
    assert.equal(wx.calls.request.length, 0);
  });
});

describe("the profile", () => {
  test("is changed, kept, and told to who listens", async () => {
    const { auth } = somebody();
    await auth.login();
    const heard = [];
    auth.onChange(({ userInfo }) => heard.push(userInfo.nickName));
    await auth.updateProfile({ nickName: "小红", avatarUrl: "https://img.example.com/a.png" });
    assert.equal(auth.session.userInfo.avatarUrl, "https://img.example.com/a.png");
    assert.deepEqual(heard, ["小红"]);
  });

  test("with chooseAvatar's path tells to upload it first", async () => {
    const { wx, auth } = somebody();
    for (const avatarUrl of ["wxfile://tmp_1.jpg", "http://tmp/abc.jpeg", "blob:x"]) {
      await assert.rejects(auth.updateProfile({ avatarUrl }), refusal("avatar_not_uploaded"));
    }
    assert.equal(wx.calls.request.length, 0);
  });

  test("with a bad field says which, in the gateway's words", async () => {
    const { auth } = somebody();
    await auth.login();
    await assert.rejects(auth.updateProfile({ gender: 9 }),
      (error) => refusal("invalid_field")(error) && /gender/.test(error.detail) && error.requestId.length > 8);
  });
});

describe("logging out", () => {
  test("ends the tokens of every device, and nothing logs in again until login is called", async () => {
    const { wx, auth } = somebody();
    const { token } = await auth.login();
    const other = createAuth({ baseUrl: server.url, platform: Object.assign(phone({ simulator: server.simulator }), { openid: wx.openid }) });
    const there = await other.login();
    await auth.logout();
    assert.deepEqual([auth.session, await server.me(token), await server.me(there.token)], [null, 401, 401]);
    await assert.rejects(auth.request(me), refusal("not_logged_in"));
    const next = createAuth({ baseUrl: server.url, platform: wx });
    await assert.rejects(next.request(me), refusal("not_logged_in"));
    assert.equal(wx.calls.login, 1);
    await next.login();
    assert.equal((await next.request(me)).statusCode, 200);
  });

  test("waits for a login that is under way", async () => {
    const { auth } = somebody();
    const login = auth.login();
    await auth.logout();
    await login;
    assert.equal(auth.session, null);
  });

  test("without a network is still out here", async () => {
    const { wx, auth } = somebody();
    await auth.login();
    wx.faults.request.push(({ options }) => setImmediate(() => options.fail({ errMsg: "request:fail net::ERR_INTERNET_DISCONNECTED" })));
    await assert.rejects(auth.logout(), refusal("network"));
    assert.equal(auth.session, null);
    await assert.rejects(auth.request(me), refusal("not_logged_in"));
  });
});

test("Taro, whose functions answer with promises as well, and a platform with the least there can be, do", async () => {
  const { wx } = somebody();
  const unhandled = [];
  const listener = (error) => unhandled.push(error);
  process.on("unhandledRejection", listener);
  const both = (run) => (options) => {
    const { success, fail } = options;
    return new Promise((resolve, reject) => run({ ...options,
      success: (value) => (success(value), resolve(value)), fail: (error) => (fail(error), reject(error)) }));
  };
  const { getStorageSync, setStorageSync, removeStorageSync } = wx;
  const taro = { login: both(wx.login), request: both(wx.request), getStorageSync, setStorageSync, removeStorageSync };
  const auth = createAuth({ baseUrl: server.url, platform: taro });
  assert.equal((await auth.request(me)).statusCode, 200);
  assert.equal(await auth.checkLogin(), true);
  wx.faults.request.push(({ options }) => setImmediate(() => options.fail({ errMsg: "request:fail timeout" })));
  await assert.rejects(auth.request(me), refusal("timeout"));
  wx.faults.login.push(({ fail }) => fail({ errMsg: "login:fail system error" }));
  await assert.rejects(auth.login({ force: true }), refusal("wx_login_failed"));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", listener);
  assert.deepEqual(unhandled, []);
});

test("the token goes along with wx.uploadFile and the like", async () => {
  const { auth } = somebody();
  assert.equal(await server.me(await auth.token()), 200);
});

test("without wx it says what to pass", () => {
  assert.throws(() => createAuth({ baseUrl: server.url }), /platform/);
});
