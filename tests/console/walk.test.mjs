// The admin page in a real browser: what it shows, what it does after a question, what it keeps and what it doesn't.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { gateway } from "../../sdk/miniprogram/test/gateway.mjs";
import { launch, wider } from "../browser.mjs";

const pictures = new URL("../../target/console/", import.meta.url).pathname;
const PASSWORD = "correct horse battery";
const JSON_TYPE = { "content-type": "application/json" };

let server, browser;
before(async () => {
  mkdirSync(pictures, { recursive: true });
  server = await gateway({ WXGATE_ACCOUNTS__REGISTRATIONS_PER_MINUTE: "1000" });
  browser = await launch();
  await busy();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const post = (url, body, headers = {}) => fetch(url, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) });
const log_in = async (openid) => {
  const code = await (await fetch(`${server.simulator}/_sim/code?openid=${openid}`)).text();
  return (await post(`${server.url}/v1/login`, { code })).json();
};
const type = (username, password) => post(`${server.url}/v1/login/password`, { username, password });

/** Logins of every kind, a WeChat that fails a while, a key that is to follow. */
async function busy() {
  for (let n = 0; n < 24; n += 1) await log_in(`visitor-${n}`);
  for (let n = 0; n < 5; n += 1) await post(`${server.url}/v1/login`, { code: `never-given-${n}` });
  await server.faults([{ path: "/sns/jscode2session", httpStatus: 502, times: 2 }]);
  for (let n = 0; n < 2; n += 1) await log_in("somebody");
  await server.faults([]);
  for (let n = 0; n < 6; n += 1) await log_in(`later-${n}`);
  await post(`${server.url}/dev/api/keys`, { at_once: true });
  await post(`${server.url}/dev/api/keys`, { at_once: false });
}

/** An account with a WeChat identity and a phone. */
async function person(username) {
  const code = await (await fetch(`${server.simulator}/_sim/code?openid=openid-of-${username}`)).text();
  const session = await (await post(`${server.url}/v1/accounts`, { username, password: PASSWORD, code })).json();
  return { username, session, id: session.userInfo.userId };
}

async function open(options = {}) {
  const scene = await browser.open(options.at ?? server.internal, "/console/", options);
  const { page, press } = scene;
  await page.waitForSelector("#credential");
  return {
    ...scene,
    async enter(credential = server.credential) {
      await page.fill("#credential", credential);
      await press("enter");
    },
    async find(way, what) {
      await page.selectOption("#way", way);
      await page.fill("#what", what);
      await press("find_b");
    },
    /** Presses, sees the question with the name in it, and says yes. */
    async act(name, called) {
      await press(`act-${name}`);
      assert.match(await page.textContent("#confirm h3"), new RegExp(called));
      await press("yes");
    },
    said: (text) => page.locator("#find .say", { hasText: text }).first().waitFor({ timeout: 10_000 }),
    /** From the top: the head stays above whatever is seen. */
    async picture(name, options) {
      if (options?.fullPage) await page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
      await page.screenshot({ path: `${pictures}${name}.png`, animations: "disabled", ...options });
    },
  };
}

test("without a credential one sees nothing, a wrong one is refused with what to do, and the right one is kept in the tab alone", async () => {
  const { page, context, trouble, enter, press, picture } = await open({ locale: "en-GB" });
  assert.equal(await page.locator(".tile").count(), 0);
  await enter("a-wrong-credential-of-32-letters-");
  await page.locator(".say.bad", { hasText: "service_unauthorized" }).waitFor();
  assert.match(await page.textContent(".say.bad"), /internal\.credentials/);
  await page.click("summary");
  assert.match(await page.textContent("details"), /openssl rand -hex 32/);
  await picture("door");
  await enter();
  await page.waitForSelector(".tile");
  const kept = await page.evaluate(() => [JSON.stringify(localStorage), document.cookie, Object.values(sessionStorage).join()]);
  assert.deepEqual([kept[0].includes(server.credential), kept[1], kept[2]], [false, "", server.credential]);
  await page.reload();
  await page.waitForSelector(".tile");
  const other = await context.newPage();
  await other.goto(`${server.internal}/console/`);
  await other.waitForSelector("#credential");
  await press("leave");
  await page.waitForSelector("#credential");
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  assert.deepEqual(trouble, []);
});

test("a gateway without credentials says how to make one", async () => {
  const bare = await gateway({ WXGATE_INTERNAL__CREDENTIALS: "[]" });
  try {
    const { page, trouble, picture, enter } = await open({ at: bare.internal, width: 900, height: 760 });
    assert.equal(await page.locator("details[open] li").count(), 3);
    assert.match(await page.textContent("details"), /internal/);
    await picture("door-unconfigured");
    await enter("whatever-it-is-nobody-has-this-one");
    await page.locator(".say.bad", { hasText: "internal.credentials" }).waitFor();
    assert.deepEqual(trouble, []);
  } finally {
    await bare.stop();
  }
});

test("it shows the logins by outcome, WeChat's health, the life of the keys and what to do next", async () => {
  const { page, trouble, enter, press, picture } = await open({ height: 1100, locale: "en-GB" });
  await enter();
  await page.waitForSelector("#logins svg g rect.done");
  for (const text of ["wechat_code_invalid", "wechat_unavailable", "Logged in"]) await page.locator("#logins .outcomes", { hasText: text }).waitFor();
  assert.ok(await page.locator("#logins svg rect.refused").count() >= 1 && await page.locator("#logins svg rect.failed").count() >= 1);
  assert.match(await page.textContent("#wechat"), /failed: WeChat answered HTTP 502/);
  assert.match(await page.textContent("#wechat"), /refused: errcode 40029/);
  assert.equal(await page.locator("#keys .life").count(), 3);
  assert.deepEqual(await page.locator("#keys .stage").allTextContents(), ["retiring", "signs", "published"]);
  assert.equal(await page.locator("#keys .now text").count(), 1);
  assert.match(await page.textContent("#next"), /Nothing to do until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  assert.match(await page.textContent("footer"), /of this replica, since it started/);
  await press("count");
  await page.locator("#columns .say.next", { hasText: "nothing to do" }).waitFor();
  await press("range-60");
  await page.waitForSelector("#range-60[aria-pressed=true]");
  await picture("wide", { fullPage: true });
  await press("range-1440");
  await page.waitForSelector("#range-1440[aria-pressed=true]");
  assert.deepEqual(trouble, []);
});

test("a user is found by name, phone, id and openid, and every act asks first and says what it did", async () => {
  const { page, trouble, enter, find, act, said, press, picture } = await open({ height: 1000, locale: "en-GB" });
  const wang = await person("wang");
  const pressed = await server.pressPhone("openid-of-wang", "13900139000");
  await post(`${server.url}/v1/me/phone`, { code: pressed.code }, { authorization: `Bearer ${wang.session.token}` });
  for (let n = 0; n < 5; n += 1) assert.equal((await type("wang", "a wrong password")).status, 400);

  await enter();
  await find("username", "Wang");
  await page.locator("#find h3", { hasText: "wang" }).waitFor();
  assert.match(await page.textContent("#find .facts"), /5, the last one/);
  await picture("user");

  await press("act-unlock");
  await page.waitForSelector("#confirm[open]");
  await picture("question");
  await press("no");
  await find("userId", wang.id);
  await page.locator("#find .facts", { hasText: "5, the last one" }).waitFor();
  assert.equal(await page.locator("#find .say").count(), 0, "said no, and nothing was done");
  await act("unlock", "Unlock wang\\?");
  await said("wang is unlocked");
  await page.locator("#find .facts", { hasText: "5, the last one" }).waitFor({ state: "detached" });
  assert.equal((await type("wang", PASSWORD)).status, 200);

  await act("level", "Set wang to");
  await said("has the level");
  assert.equal(await server.me(wang.session.token), 200);
  await act("revoke", "End all tokens of wang\\?");
  await said("Every token of wang has ended");
  assert.equal(await server.me(wang.session.token), 401);
  await act("disable", "Disable wang\\?");
  await said("wang is disabled");
  assert.equal(await page.textContent("#status"), "disabled");
  assert.equal((await type("wang", PASSWORD)).status, 403);
  await picture("disabled");
  await act("enable", "Enable wang\\?");
  await said("wang is enabled");
  assert.equal(await page.textContent("#status"), "active");

  for (const [way, what] of [["phone", "139 0013 9000"], ["phone", "+8613900139000"], ["userId", wang.id], ["openId", "openid-of-wang"]]) {
    await find("username", "nobody-at-all");
    await said("user_not_found");
    await find(way, what);
    await page.locator("#find h3", { hasText: "wang" }).waitFor();
  }
  await find("phone", "12");
  await said("invalid_field");
  assert.equal(await page.locator("#find h3").count(), 0, "nobody is left to act on");
  assert.deepEqual(trouble, []);
});

test("what a user calls themselves is text, and what is typed survives the page's next look", async () => {
  const { page, trouble, enter, find } = await open();
  const session = await log_in("openid-of-mallory");
  const name = "<img src=x onerror=alert(1)>";
  await fetch(`${server.url}/v1/me`, { method: "PATCH", headers: { ...JSON_TYPE, authorization: `Bearer ${session.token}` }, body: JSON.stringify({ nickName: name }) });
  await enter();
  await find("openId", "openid-of-mallory");
  await page.locator("#find h3", { hasText: name }).waitFor();
  assert.equal(await page.locator("main img").count(), 0);
  await page.fill("#what", "half a na");
  const looked = page.waitForResponse((answer) => answer.url().includes("/overview"), { timeout: 20_000 });
  await looked;
  await page.waitForFunction(() => document.activeElement?.id === "what");
  assert.equal(await page.inputValue("#what"), "half a na");
  assert.deepEqual(trouble, []);
});

test("on a phone's width, in the dark and in Chinese, nothing is wider than the screen; the language changes at a press and is remembered", async () => {
  const { page, trouble, enter, find, press, picture } = await open({ width: 375, height: 780, dark: true });
  assert.match(await page.textContent("#enter"), /进入/);
  await picture("narrow-door-dark");
  await person("xiaoming");
  await enter();
  await find("username", "xiaoming");
  await page.waitForSelector("#act-unlock");
  await press("count");
  await page.locator("#columns .say.next").waitFor();
  await picture("narrow-dark", { fullPage: true });
  assert.deepEqual(await wider(page, 375, ".wide"), []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375);
  await press("language");
  await page.locator("#keys h2", { hasText: "Signing keys" }).waitFor();
  await page.locator("#next", { hasText: "Nothing to do" }).waitFor();
  assert.doesNotMatch(await page.innerText("body"), /undefined|NaN/);
  await page.reload();
  await page.locator("#keys h2", { hasText: "Signing keys" }).waitFor();
  assert.deepEqual(trouble, []);
});

/** A whole day and a rotation under way, made up: nobody waits for one. */
function day(now) {
  const time = (hours) => new Date(now + hours * 3_600_000).toISOString();
  const wave = (most, shift) => Array.from({ length: 1440 }, (_, at) => Math.max(0, Math.round(most * (0.55 + 0.45 * Math.sin((at + shift) / 150)) * (0.9 + 0.2 * Math.abs(Math.sin(at * 12.9))))));
  const outage = (n) => Array.from({ length: 1440 }, (_, at) => (at > 1010 && at < 1046 ? n : 0));
  const [fine, down] = [wave(40, 300), outage(22)];
  const row = (way, outcome, kind, title, counts) => ({ way, outcome, kind, title, counts });
  const answers = Array.from({ length: 12 }, (_, n) => ({ at: time(-n / 900), call: n === 4 ? "/wxa/business/getuserphonenumber" : "/sns/jscode2session", outcome: n === 2 ? "refused" : "answered", detail: n === 2 ? "errcode 40163" : null, ms: 31 + ((n * 17) % 40) }));
  const key = (file, kid, state, signs, superseded, gone) => ({ file: `/etc/wxgate/keys/${file}`, kid, alg: "ES256", state, since: null, signs: signs && time(signs), superseded: superseded && time(superseded), gone: gone && time(gone) });
  return {
    now: time(0), replica: { name: "gateway-1/1", version: "0.1.0", since: time(-14 * 24), uptimeSeconds: 14 * 86_400 }, apps: ["wx0123456789abcdef"], levels: ["普通用户", "VIP用户", "高级VIP用户"], from: time(-24),
    logins: [
      row("wechat", "done", "done", "Logged in", fine), row("wechat", "wechat_code_used", "refused", "The login code was used already", wave(2, 90)), row("wechat", "wechat_unavailable", "failed", "WeChat can't be reached just now", down),
      row("password", "bad_credentials", "refused", "Wrong username or password", wave(1, 0)), row("password", "done", "done", "Logged in", wave(6, 300)),
    ],
    wechat: { state: "healthy", lately: { minutes: 15, calls: 512, failed: 1, errorShare: 1 / 512, medianMs: 41, p95Ms: 88 }, calls: fine.map((n, at) => n + down[at]), failed: down, meanMs: [], answers },
    keys: {
      list: [key("2026-08.pem", "Qe1vRZ8nJmcW", "retiring", -2160, -1.4, 1.6), key("2026-11.pem", "k7Yd0uLwTzXA", "signs", -1.4)],
      next: { step: "wait", at: time(1.6), text: `Nothing to do until ${time(1.6).slice(0, 16).replace("T", " ")} UTC: then 2026-08.pem has ended, and its lines and its file may go.` },
    },
    columnKeys: [{ id: "k2", seals: true }, { id: "k1", seals: false }],
  };
}

test("a busy day and keys months apart are drawn so that one can read them, and a date that is due has a line of its own", async () => {
  const shown = day(Date.parse("2026-11-21T08:00:00Z"));
  const counted = { counting: false, seen: 3, rows: 3, countedAt: shown.now, malformed: 0, next: "1318 values are still under an older key: run wxgate secrets reseal.", keys: [
    { id: "k2", seals: true, configured: true, values: 48_210, sessionKeys: 30_114, previousSessionKeys: 12_090, phones: 6006 }, { id: "k1", seals: false, configured: true, values: 1318, sessionKeys: 410, previousSessionKeys: 702, phones: 206 }] };
  const { page, trouble, enter, press, picture } = await open({ width: 1120, height: 1000, locale: "en-GB" });
  await page.route("**/internal/v1/overview*", (route) => route.fulfill({ json: shown }));
  await page.route("**/internal/v1/column-keys", (route) => route.fulfill({ json: counted }));
  await enter();
  await press("range-1440");
  await page.waitForFunction(() => document.querySelectorAll("#logins svg g").length > 90);
  await press("count");
  await page.locator("#columns .say.next", { hasText: "reseal" }).waitFor();
  await picture("day", { fullPage: true });
  // docs/console.png is this one.
  await picture("docs", { fullPage: true, clip: { x: 0, y: 0, width: 1120, height: 1300 } });
  // What is nearly over in a life of three months can still be seen.
  for (const width of await page.locator("#keys rect.retiring, #keys rect.signs").evaluateAll((bars) => bars.map((bar) => bar.getBBox().width))) assert.ok(width >= 3, String(width));

  shown.keys = { list: [{ ...shown.keys.list[1], signs: "2026-11-19T00:00:00Z" }], next: { step: "publish", at: "2027-02-16T22:55:00Z", text: "Publish the next key by 2027-02-16 22:55 UTC: wxgate keys new prints the lines to add on every replica." } };
  await press("range-60");
  await page.waitForSelector("#keys .due text");
  assert.match(await page.textContent("#keys svg"), /publish by/);
  await page.locator("#keys").screenshot({ path: `${pictures}due.png`, animations: "disabled" });
  assert.deepEqual(trouble, []);
});

test("a gateway that goes away is said to be away, with what was seen last still there", async () => {
  const brief = await gateway();
  const { page, enter, picture } = await open({ at: brief.internal, dark: true });
  await enter();
  await page.waitForSelector(".tile");
  await brief.stop();
  await page.locator(".say.bad", { hasText: "unreachable" }).waitFor({ timeout: 20_000 });
  assert.equal(await page.locator(".tile").count(), 4);
  await picture("away");
});
