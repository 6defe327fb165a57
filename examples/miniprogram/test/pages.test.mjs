// The example's pages, walked through as a person would, against the real gateway and the Express example's service.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { gateway } from "../../../sdk/miniprogram/test/gateway.mjs";
import { phone } from "../../../sdk/miniprogram/test/wx.mjs";
import { open } from "./tool.mjs";

const root = new URL("..", import.meta.url).pathname;
let server, shop, shopUrl;
before(async () => {
  server = await gateway();
  // It asks the gateway who it is; examples/node-express verifies by the keys and is tested on its own.
  shop = createServer(async (request, response) => {
    const status = await server.me(request.headers.authorization?.split(" ")[1]);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ orders: [] }));
  });
  await new Promise((resolve) => shop.listen(0, "127.0.0.1", resolve));
  shopUrl = `http://127.0.0.1:${shop.address().port}`;
});
after(() => { shop.close(); return server.stop(); });

const settings = () => ({ baseUrl: server.url, simulator: server.simulator, shopUrl });
const start = (wx = phone({ simulator: server.simulator })) => ({ wx, tool: open({ root, wx, config: settings() }) });

test("a person logs in, asks a service, and logs out", async () => {
  const { tool } = start();
  const index = await tool.go("pages/index/index");
  assert.match(index.html(), /微信登录/);
  await index.use("login");
  assert.match(index.html(), /第一次来/);
  assert.match(index.html(), new RegExp(tool.app.auth.session.userInfo.userId));
  await index.use("orders");
  assert.match(index.html(), /200 \{&#34;orders&#34;:\[\]\}/);
  await server.revoke(tool.app.auth.session.userInfo.userId);
  await index.use("orders");
  assert.match(index.html(), /200 /, "a dead token goes unnoticed");
  await index.use("logout");
  assert.match(index.html(), /微信登录/);
  index.close();
});

test("a person names themselves, and the first page shows it", async () => {
  const { tool } = start();
  const index = await tool.go("pages/index/index");
  await index.use("login");
  await index.use("openProfile");
  assert.deepEqual(tool.stack, ["/pages/profile/profile"]);
  const profile = await tool.go("pages/profile/profile");
  await profile.use("avatar", { avatarUrl: "wxfile://tmp_1.jpg" });
  await profile.use("typed", { value: "小明 🎉" });
  await profile.use("save");
  assert.deepEqual([tool.stack, tool.toasts], [[], []]);
  assert.match(index.html(), /小明 🎉/);
});

test("a person sets the phone, binds an account and unbinds it", async () => {
  const answer = await fetch(`${server.url}/v1/accounts`, { method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "wang-wu", password: "correct horse battery" }) });
  assert.equal(answer.status, 201);
  const { tool } = start();
  const account = await tool.go("pages/account/account");
  await account.use("simulatedPhone");
  assert.match(account.html(), /13800138000/);
  assert.match(account.html(), /disabled/);
  for (const [name, value] of [["username", "wang-wu"], ["password", "wrong"]]) await account.use("typed", { value }, { name });
  await account.use("bind");
  assert.deepEqual(tool.toasts, ["用户名或密码不正确"]);
  await account.use("typed", { value: "correct horse battery" }, { name: "password" });
  await account.use("bind");
  assert.match(account.html(), /wang-wu/);
  await account.use("unbind");
  assert.match(account.html(), /绑定已有账号/);
});

test("a person who refuses the phone isn't nagged; one who can't be served is told", async () => {
  const { tool } = start();
  const account = await tool.go("pages/account/account");
  account.page.setData({ simulated: false });
  await account.use("phone", { errMsg: "getPhoneNumber:fail user deny" });
  assert.deepEqual(tool.toasts, []);
  await account.use("phone", { errno: 104, errMsg: "getPhoneNumber:fail privacy permission is not authorized" });
  assert.deepEqual(tool.toasts, ["您未同意隐私协议，无法使用该功能"]);
});

test("a gateway that is away is told in words", async () => {
  const { tool, wx } = start();
  const cut = ({ options }) => setImmediate(() => options.fail({ errMsg: "request:fail net::ERR_CONNECTION_REFUSED" }));
  const index = await tool.go("pages/index/index");
  // The first request of a login asks the simulated WeChat.
  wx.faults.request.push(({ go }) => go(), cut, ({ go }) => go(), cut);
  await index.use("login");
  assert.deepEqual(tool.toasts, ["网络不可用，请检查网络后重试"]);
});

test("the package in miniprogram_npm is the one that is built", () => {
  const built = readFileSync(new URL("../../../sdk/miniprogram/dist/index.js", import.meta.url), "utf8");
  const there = readFileSync(new URL("../miniprogram_npm/wxgate-miniprogram/index.js", import.meta.url), "utf8");
  assert.ok(there === built, "copy sdk/miniprogram/dist/index.js to examples/miniprogram/miniprogram_npm/wxgate-miniprogram/");
});
