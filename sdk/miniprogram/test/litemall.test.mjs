// A program of the litemall family, written as they are, unchanged against the real gateway.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import vm from "node:vm";
import { gateway } from "./gateway.mjs";
import { phone } from "./wx.mjs";

let server;
before(async () => { server = await gateway(); });
after(() => server.stop());

let people = 0;
function program() {
  const wx = phone({ simulator: server.simulator, openid: `shopper-${++people}` });
  const pages = [];
  wx.navigateTo = ({ url }) => void pages.push(url);
  const getApp = () => ({ apiRoot: `${server.url}/wx` });
  const load = (name) => {
    const module = { exports: {} };
    const text = readFileSync(new URL(`./litemall/${name}.js`, import.meta.url), "utf8");
    vm.runInThisContext(`(function (require, module, wx, getApp) {${text}\n})`)((path) => load(path.slice(2)), module, wx, getApp);
    return module.exports;
  };
  return { wx, pages, user: load("user"), util: load("util") };
}

test("logs in with the anonymous userInfo of today, is remembered, and asks who it is", async () => {
  const { wx, user, util } = program();
  await assert.rejects(user.checkLogin(), (value) => value === false);
  const { data } = await user.loginByWeixin({ nickName: "微信用户", avatarUrl: "https://thirdwx.qlogo.cn/mmopen/vi_32/grey/132", gender: 0 });
  assert.equal(await user.checkLogin(), true);
  assert.deepEqual(Object.keys(data).sort(), ["token", "tokenExpire", "userInfo"]);
  assert.equal(wx.getStorageSync("userInfo").userId, data.userInfo.userId);
  const info = await util.request("info");
  assert.deepEqual([info.errno, info.errmsg, info.data.nickName, info.data.avatar, info.data.mobile], [0, "成功", "", "", ""]);
});

test("whose token no longer counts is sent to its login page, and logs in again", async () => {
  const { wx, pages, user, util } = program();
  const { data } = await user.loginByWeixin({});
  await server.revoke(data.userInfo.userId);
  util.request("info");
  while (!pages.length) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([pages, wx.getStorageSync("token"), wx.getStorageSync("userInfo")], [["/pages/auth/login/login"], "", ""]);
  await user.loginByWeixin({});
  assert.equal((await util.request("info")).errno, 0);
});

test("gets errno 501 for every token that doesn't count", async () => {
  const { wx, pages, util } = program();
  const jwt = (header) => `${Buffer.from(JSON.stringify(header)).toString("base64url")}.e30.`;
  const dead = ["", "x", "x.y.z", jwt({ alg: "none" }), jwt({ alg: "HS256" }), "Bearer", "null", "undefined", "a".repeat(9000)];
  for (const token of dead) {
    wx.setStorageSync("token", token);
    util.request("info");
    while (!pages.length) await new Promise((resolve) => setImmediate(resolve));
    pages.length = 0;
  }
});

test("reads why from errno and errmsg, always with HTTP 200", async () => {
  const { user, util } = program();
  const errno = async (path, data, method = "POST") => {
    const { errno, errmsg } = await util.request(path, data, method);
    assert.match(errmsg, /[\u4e00-\u9fff]/, path);
    return errno;
  };
  assert.equal(await errno("login_by_weixin", { userInfo: {} }), 401);
  assert.equal(await errno("login_by_weixin", { code: "neverissued", userInfo: {} }), 402);
  assert.equal(await errno("login", { username: "nobody", password: "nothing" }), 700);
  for (const path of ["reset", "resetPhone", "captcha", "regCaptcha"]) assert.equal(await errno(path, { mobile: "1" }), 503);
  assert.equal(await errno("info", {}, "PUT"), 402);
  assert.equal(await errno("nothing", {}), 402);
  await user.loginByWeixin({});
  assert.equal(await errno("bindPhone", { encryptedData: "x", iv: "y" }), 402);
  assert.equal(await errno("bind", { username: "nobody", password: "nothing" }), 700);
});

test("registers, logs in by password, binds its phone, changes its profile and logs out", async () => {
  const { wx, user, util } = program();
  const account = { username: "shopper", password: "correct horse battery" };
  const registered = await util.request("register", { ...account, mobile: "13800000000", code: "1234" }, "POST");
  assert.equal(registered.errno, 0);
  const { data } = await util.request("login", account, "POST");
  assert.equal(data.userInfo.userId, registered.data.userInfo.userId);
  await user.loginByWeixin({});
  const detail = await server.pressPhone(wx.openid, "13900009999");
  const bound = await util.request("bindPhone", { encryptedData: detail.encryptedData, iv: detail.iv }, "POST");
  assert.equal(bound.errno, 0);
  await util.request("profile", { nickname: "小店主", avatar: "https://img.example.com/1.png", gender: 1 }, "POST");
  const info = await util.request("info");
  assert.deepEqual([info.data.mobile, info.data.nickName, info.data.avatar], ["13900009999", "小店主", "https://img.example.com/1.png"]);
  assert.deepEqual(await util.request("logout", {}, "POST"), { errno: 0, errmsg: "成功", data: null });
});
