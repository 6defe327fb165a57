// Finds a user, shows them, and does to them what an operator may, each time after a question.
import { ask } from "./ask.js";
import { el } from "./el.js";
import { language } from "./words.js";

const { t, time } = language;

export const problem = (failure) => el("div", { class: "say bad", role: "alert" },
  el("b", {}, `${failure.title ?? failure.message} `), failure.code ? el("code", {}, failure.code) : null,
  failure.detail ? el("div", {}, failure.detail) : null,
  failure.requestId ? el("div", { class: "quiet small" }, `${t("request")} ${failure.requestId}`) : null);

/** Who it is, as one calls them. */
const nameOf = (user) => user.username ?? (user.nickName || `…${user.userId.slice(-12)}`);

/** Whether it was confirmed: asked with the user's name and what it would do. */
function confirmed(act, user, values) {
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    const end = (yes) => () => dialog.close(yes ? "yes" : "");
    dialog.returnValue = "";
    dialog.replaceChildren(
      el("h3", { id: "confirm-title" }, t(`act_ask.${act}`, values)), el("div", { class: "mono quiet small" }, user.userId), el("p", {}, t(`act_means.${act}`)),
      el("div", { class: "row end" }, el("button", { type: "button", class: "second", id: "no", onclick: end(false) }, t("cancel")),
        el("button", { type: "button", class: act === "disable" || act === "revoke" ? "danger" : "", id: "yes", onclick: end(true) }, t(`act.${act}`))));
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}

const field = (name, value, mono) => el("div", {}, el("dt", {}, name), el("dd", { class: mono ? "mono" : "" }, value));

function identities(list) {
  if (!list.length) return el("p", { class: "quiet" }, t("identities_none"));
  const head = [t("identity_app"), "openid", t("identity_first"), t("identity_last")];
  return el("div", { class: "wide identities" }, el("table", {}, el("thead", {}, el("tr", {}, ...head.map((name) => el("th", {}, name)))),
    el("tbody", {}, ...list.map((each) => el("tr", {}, el("td", { class: "mono" }, each.appId), el("td", { class: "mono" }, each.openid),
      el("td", {}, time(each.firstLoginTime)), el("td", {}, time(each.lastLoginTime)))))));
}

/** The card; `choices` are the apps and the levels to choose from. It keeps what it shows when the page is drawn anew. */
export function userCard(choices) {
  const shown = el("div", { class: "shown" });
  const said = el("div", { class: "said", "aria-live": "polite" });
  const card = el("section", { class: "card", id: "find" });
  let way = "username", user = null;

  async function act(name, path, { method = "POST", body, ...values } = {}) {
    const named = { name: nameOf(user), ...values };
    if (!(await confirmed(name, user, named))) return;
    for (const button of shown.querySelectorAll("button, select")) button.disabled = true;
    let outcome;
    try {
      await ask(method, `/users/${user.userId}/${path}`, body);
      outcome = el("div", { class: "say" }, `${language.clock(Date.now(), true)}  ${t(`act_done.${name}`, named)}`);
    } catch (failure) {
      outcome = problem(failure);
    }
    // What is said of them and what is shown of them belong together.
    await look(new URLSearchParams({ userId: user.userId }));
    said.prepend(outcome);
  }

  async function look(by) {
    try {
      user = await ask("GET", `/users?${by}`);
    } catch (failure) {
      user = null;
      said.prepend(problem(failure));
    }
    show();
  }

  function show() {
    if (!user) return shown.replaceChildren();
    const closed = user.status === 2;
    const button = (name, options = {}, kind = "second") => el("button", { type: "button", class: kind, id: `act-${name}`, onclick: () => act(name, name, options) }, t(`act.${name}`));
    const levels = el("select", { id: "level", "aria-label": t("level") },
      ...choices.levels().map((name, at) => el("option", { value: at, selected: at === user.userLevel }, `${at} ${name}`)));
    const setLevel = () => act("level", "level", { method: "PUT", body: { level: Number(levels.value) }, level: choices.levels()[levels.value] });
    const wrong = user.wrongPasswords;
    shown.replaceChildren(
      el("div", { class: "who" }, el("h3", {}, nameOf(user)), el("span", { class: `pill s${user.status}`, id: "status" }, t(`status.${user.status}`))),
      el("dl", { class: "facts" },
        field(t("user_id"), user.userId, true), field(t("username"), user.username ?? t("none")), field(t("nick"), user.nickName || t("none")),
        field(t("level"), `${user.userLevel} ${user.userLevelDesc ?? ""}`), field(t("registered"), time(user.registerTime)), field(t("phone"), t(user.hasPhone ? "phone_set" : "none")),
        field(t("wrong"), wrong.count ? t("wrong_n", { n: wrong.count, at: time(wrong.lastTime, true) }) : t("none")),
        field(t("tokens_ended"), user.tokensEndedAt ? time(user.tokensEndedAt, true) : t("none"))),
      el("h4", {}, t("identities")), identities(user.identities),
      closed ? "" : el("div", { class: "row acts" },
        user.status === 1 ? button("enable", {}, "") : button("disable", {}, "danger"), button("revoke"), user.username ? button("unlock") : null,
        el("span", { class: "row" }, levels, el("button", { type: "button", class: "second", id: "act-level", onclick: setLevel }, t("act.level")))));
  }

  function draw() {
    const ways = el("select", { id: "way", "aria-label": t("find_way"), onchange: () => { way = ways.value; draw(); } },
      ...["username", "phone", "userId", "openId"].map((name) => el("option", { value: name, selected: name === way }, t(`find_by.${name}`))));
    const apps = way === "openId" ? el("select", { id: "app", "aria-label": t("find_app") }, ...choices.apps().map((app) => el("option", { value: app }, app))) : null;
    const input = el("input", { id: "what", placeholder: t(`find_hint.${way}`), "aria-label": t("find_what"), autocomplete: "off", spellcheck: "false", maxlength: 256 });
    const submit = async (event) => {
      event.preventDefault();
      said.replaceChildren();
      const by = new URLSearchParams({ [way]: input.value });
      if (apps) by.set("appId", apps.value);
      await look(by);
    };
    card.replaceChildren(el("h2", {}, t("find_h")), el("form", { class: "row", onsubmit: submit }, ways, apps, input, el("button", { id: "find_b" }, t("find_b"))), said, shown);
    show();
  }

  draw();
  return { card, draw: () => { said.replaceChildren(); draw(); } };
}
