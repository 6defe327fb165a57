// The playground's whole walk in a real browser, in both languages, light and dark, wide and narrow.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { gateway } from "../../sdk/miniprogram/test/gateway.mjs";
import { launch, wider } from "../browser.mjs";

const pictures = new URL("../../target/playground/", import.meta.url).pathname;

let server, browser;
before(async () => {
  mkdirSync(pictures, { recursive: true });
  server = await gateway();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(options) {
  const scene = await browser.open(server.url, "/dev/", options);
  await scene.page.waitForSelector("#code_b");
  return { ...scene, out: (step, text) => scene.page.locator(`#${step} .out`, { hasText: text }).waitFor({ timeout: 10_000 }) };
}

/** From the code to the end, each step seen to have worked. */
async function walk({ page, press, out }, picture) {
  await press("code_b");
  await out("code", '"code"');
  await press("login_b");
  await out("login", '"tokenExpire"');
  await press("row_b");
  await out("row", "session_key_tag");
  await press("jwt_b");
  await out("jwt", "client_id");
  await press("verify_b");
  await page.waitForFunction(() => document.querySelectorAll("#verify .checks .yes").length === 6);
  if (picture) await page.screenshot({ path: `${pictures}${picture}-first.png`, animations: "disabled" });
  await press("tamper_b");
  await out("verify", "token_invalid");
  assert.equal(await page.locator("#verify .checks .no").count(), 1, "the signature alone fails");
  await page.fill("#profile input", "小明 🎉");
  await press("profile_b");
  await out("profile", "小明 🎉");
  await press("mobile_b");
  await out("mobile", '"phone"');
  await press("bind_b");
  await out("bind", '"bound": true');
  await press("rotate_b");
  await page.waitForSelector("#rotate .bar2 .published");
  await press("rotate_now");
  await page.waitForFunction(() => document.querySelectorAll("#rotate .bar2").length >= 3);
  if (picture) await page.locator("#rotate").screenshot({ path: `${pictures}${picture}-keys.png`, animations: "disabled" });
  await press("rotate_login");
  await out("rotate", "200");
  if (picture) await page.screenshot({ path: `${pictures}${picture}.png`, fullPage: true });
  await press("revoke_b");
  await out("revoke", '"notBefore"');
  await page.locator("#revoke .say:not(.bad)").waitFor();
}

test("the walk passes from wx.login to the revoked token", async () => {
  const scene = await open();
  await walk(scene, "wide");
  assert.deepEqual(scene.trouble, []);
  assert.equal(await scene.page.locator(".step.done").count(), 10);
  await scene.press("again_b");
  assert.equal(await scene.page.locator(".step.done").count(), 0);
});

test("it passes on a phone's width, in the dark and in English, and nothing is wider than the screen", async () => {
  const scene = await open({ width: 375, height: 780, dark: true, locale: "en-GB" });
  assert.match(await scene.page.textContent("#code_b"), /Press wx.login/);
  await walk(scene, "narrow-dark");
  assert.deepEqual(scene.trouble, []);
  assert.deepEqual(await wider(scene.page, 375, "pre, .bar2, .key"), []);
  assert.equal(await scene.page.evaluate(() => document.documentElement.scrollWidth), 375);
});

test("the language changes at a press, and every text has both", async () => {
  const { page, press, trouble } = await open({ dark: true });
  const chinese = await page.textContent("main");
  assert.match(chinese, /调用 wx.login/);
  await press("language");
  assert.doesNotMatch(await page.textContent("main"), /undefined|[\u4e00-\u9fff]{4,}/);
  await page.screenshot({ path: `${pictures}wide-dark-english.png` });
  await page.reload();
  assert.match(await page.textContent("#code_b"), /Press/, "and is remembered");
  assert.deepEqual(trouble, []);
});

test("what doesn't succeed says why", async () => {
  const { page, press, out } = await open();
  await press("code_b");
  await out("code", '"code"');
  await press("login_b");
  await out("login", '"tokenExpire"');
  await press("login_again");
  await out("login", "wechat_code_used");
  await press("unbind_b");
  await out("bind", "not_bound");
  assert.equal(await page.locator("#bind .say.bad").count(), 1);
});
