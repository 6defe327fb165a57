// The walk: ten steps, each a real request to this gateway.
import { el } from "./el.js";
import { decode, verify } from "./jwt.js";
import { envelope, table, timeline, wire } from "./show.js";
import { words } from "./words.js";

const state = { language: localStorage.language ?? (navigator.language.startsWith("zh") ? 0 : 1), openid: null, code: null, session: null, over: false, done: new Set() };
const t = (key) => key.split(".").reduce((node, name) => node[name], words)[state.language];
const labels = () => Object.fromEntries(["request", "answer", "now", "published", "signs", "superseded"].map((name) => [name, t(name)]));
const random = () => `wx-${Math.random().toString(36).slice(2, 8)}`;

/** Asks, and gives what an exchange was. */
async function ask(method, path, body, token = state.session?.token) {
  const headers = { "accept-language": state.language ? "en" : "zh" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  return { method, path, body, status: answer.status, answer: text ? JSON.parse(text) : null };
}

/** An exchange of which nothing more than success is wanted. */
async function must(...request) {
  const exchange = await ask(...request);
  if (exchange.status >= 400) throw exchange;
  return exchange;
}

const become = (exchange) => {
  state.session = { ...exchange.answer, since: Date.now() };
  state.over = false;
  return exchange;
};

async function logIn(show) {
  const code = await must("POST", "/dev/wechat/_sim/login", { openid: state.openid });
  const login = await must("POST", "/v1/login", { code: code.answer.code }, null);
  show(login);
  become(login);
}

const steps = [
  ["code", null, {
    async code_b({ show }) {
      state.openid ??= random();
      const exchange = await must("POST", "/dev/wechat/_sim/login", { openid: state.openid }, null);
      state.code = exchange.answer.code;
      show({ ...exchange, method: "wx.login", path: "()", body: undefined });
    },
    async code_other({ show, reset }) {
      reset();
      state.openid = random();
      await steps[0][2].code_b({ show });
    },
  }],
  ["login", () => state.code, {
    async login_b({ show }) { show(become(await must("POST", "/v1/login", { code: state.code }, null))); },
    async login_again({ show }) { show(await ask("POST", "/v1/login", { code: state.code }, null)); },
  }],
  ["row", () => state.session, {
    async row_b({ add }) {
      const { answer: row } = await must("GET", "/dev/api/row");
      const sealed = (value) => (value ? envelope(value) : "NULL");
      add(table([
        ["openid", row.openid], ["user_id", row.userId], ["session_key", sealed(row.sessionKey)],
        ["session_key_tag", row.sessionKeyTag], ["previous_session_key", sealed(row.previousSessionKey)], ["phone", sealed(row.phone)],
      ]));
      const legend = el("div", { class: "legend" });
      words.row_legend[state.language].forEach((text, index) => legend.append(el("span", { class: `c${index + 1}` }, text)));
      add(legend);
    },
  }],
  ["jwt", () => state.session, {
    async jwt_b({ add }) {
      const { header, claims } = decode(state.session.token);
      const parts = state.session.token.split(".");
      add(el("div", { class: "part flat" }, el("span", { class: "c2" }, parts[0]), ".", el("span", { class: "c3" }, parts[1]), ".", el("span", { class: "c4" }, parts[2])));
      const rows = (object, colour) => Object.entries(object).map(([name, value]) => [name,
        el("span", { class: colour }, typeof value === "string" ? value : JSON.stringify(value)), words.claims[name] ? t(`claims.${name}`) : ""]);
      add(table([...rows(header, "c2"), ...rows(claims, "c3")]));
    },
  }],
  ["verify", () => state.session, {
    async verify_b(step) { await check(step, state.session.token); },
    async tamper_b(step) {
      const [header, , signature] = state.session.token.split(".");
      const { claims } = decode(state.session.token);
      const forged = btoa(JSON.stringify({ ...claims, sub: claims.sub.replace(/.$/, (c) => (c === "0" ? "1" : "0")) }));
      const token = `${header}.${forged.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}.${signature}`;
      await check(step, token);
      step.show(await ask("GET", "/v1/me", undefined, token));
    },
  }],
  ["profile", () => state.session, {
    profile_v: "input",
    async profile_b({ show, input }) {
      const exchange = await must("PATCH", "/v1/me", { nickName: input.value });
      state.session.userInfo = exchange.answer;
      show(exchange);
    },
  }],
  ["mobile", () => state.session, {
    async mobile_b({ show }) {
      const phone = `138${String(Math.floor(Math.random() * 1e8)).padStart(8, "0")}`;
      const pressed = await must("POST", "/dev/wechat/_sim/phone", { openid: state.openid, phone });
      const { answer: detail } = pressed;
      show({ method: "getPhoneNumber", path: "e.detail", status: 200, answer: { code: detail.code } });
      const exchange = await must("POST", "/v1/me/phone", { code: detail.code });
      state.session.userInfo = exchange.answer;
      show(exchange);
    },
  }],
  ["bind", () => state.session, {
    async bind_b({ show }) {
      const { answer: account } = await must("POST", "/dev/api/account");
      show(become(await must("PUT", "/v1/me/account", account)));
    },
    async unbind_b({ show }) { show(become(await must("DELETE", "/v1/me/account"))); },
  }],
  ["rotate", () => state.session, {
    async rotate_b({ add }) { add(timeline((await must("POST", "/dev/api/keys", { at_once: false })).answer, labels())); },
    async rotate_now({ add }) { add(timeline((await must("POST", "/dev/api/keys", { at_once: true })).answer, labels())); },
    async rotate_login({ show, say }) {
      const old = state.session.token;
      await logIn(show);
      say(t("new_kid") + decode(state.session.token).header.kid);
      const { status } = await ask("GET", "/v1/me", undefined, old);
      say(t("still") + status, status !== 200);
    },
  }],
  ["revoke", () => state.session, {
    async revoke_b(step) {
      step.show(await must("POST", "/v1/logout"));
      state.over = true;
      step.show(await ask("GET", "/v1/me"));
      step.show(await must("GET", "/v1/revocations"));
      await check(step, state.session.token);
      step.say(t("revoked_ok"));
    },
    async again_b({ reset }) { reset(); scrollTo({ top: 0 }); return "begun again"; },
  }],
];

async function check({ add }, token) {
  const { answer: jwks } = await must("GET", "/.well-known/jwks.json");
  const { answer: metadata } = await must("GET", "/.well-known/openid-configuration");
  const list = el("ul", { class: "checks" });
  for (const [name, holds, found] of await verify(token, jwks, metadata.issuer, "api")) {
    list.append(el("li", { class: holds ? "yes" : "no" }, el("span", {}, t(`check.${name}`)), el("code", {}, found)));
  }
  add(el("div", { class: "part" }, list));
}

function reset() {
  Object.assign(state, { openid: null, code: null, session: null, over: false, done: new Set() });
  draw();
}

function card([name, ready, acts], index) {
  const out = el("div", { class: "out", "aria-live": "polite" });
  const act = el("div", { class: "act" });
  const section = el("section", { class: "step", id: name }, el("h2", {}, el("i", {}, String(index + 1)), t(name)), el("p", {}, t(`${name}_p`)), act, out);
  let first = true;
  const step = {
    add: (node) => out.append(node),
    show: (exchange) => out.append(wire(exchange, labels())),
    say: (text, bad) => out.append(el("div", { class: bad ? "say bad" : "say" }, text)),
    reset,
  };
  for (const [label, run] of Object.entries(acts)) {
    if (run === "input") {
      step.input = el("input", { value: t(label), maxlength: 32, "aria-label": t(name) });
      act.append(step.input);
      continue;
    }
    const press = async () => {
      out.replaceChildren();
      button.disabled = true;
      try {
        if (!(await run(step))) state.done.add(name);
      } catch (failure) {
        if (failure?.status) step.show(failure);
        step.say(t("failed") + (failure?.answer?.detail ?? failure?.message ?? failure), true);
      }
      refresh();
    };
    const button = el("button", { type: "button", class: first ? "" : "second", id: label, onclick: press }, t(label));
    first = false;
    act.append(button);
  }
  return { section, refresh() {
    const open = !ready || !!ready();
    section.classList.toggle("later", !open);
    section.classList.toggle("done", state.done.has(name));
    for (const button of act.querySelectorAll("button, input")) button.disabled = !open;
  } };
}

let cards = [];
function draw() {
  document.documentElement.lang = state.language ? "en" : "zh-CN";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  document.getElementById("language").textContent = t("language");
  cards = steps.map(card);
  document.getElementById("steps").replaceChildren(...cards.map(({ section }) => section));
  refresh();
}

function refresh() {
  for (const each of cards) each.refresh();
  document.getElementById("way").replaceChildren(...steps.map(([name]) =>
    el("li", { class: state.done.has(name) ? "done" : "" }, el("a", { href: `#${name}` }, t(name)))));
  screen();
}

/** The mini-program as its user sees it. */
function screen() {
  const { session, over } = state;
  const place = document.getElementById("screen");
  if (!session) {
    return place.replaceChildren(el("div", { class: "face none" }, "?"), el("h3", {}, t("nobody")), el("div", { class: "cut" }, t("nobody_hint")));
  }
  const { userInfo } = session;
  const seconds = Math.max(0, Math.round(session.expiresIn - (Date.now() - session.since) / 1000));
  const left = over || !seconds ? t("over") : `${Math.floor(seconds / 3600)}:${String(Math.floor(seconds / 60) % 60).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  const row = (label, value) => el("div", {}, el("dt", {}, label), el("dd", { title: value }, value));
  const name = userInfo.nickName || t("person");
  place.replaceChildren(el("div", { class: over ? "face none" : "face" }, [...name][0]), el("h3", {}, name),
    el("dl", {}, row(t("id"), `…${userInfo.userId.slice(-12)}`), row(t("phone"), userInfo.phone ?? t("none")), row(t("account"), userInfo.username ?? t("none")), row(t("left"), left)));
}

document.getElementById("language").addEventListener("click", () => {
  state.language = localStorage.language = state.language ? 0 : 1;
  draw();
});
setInterval(screen, 1000);
state.language = Number(state.language);
draw();
