// The page: a credential first, then how this replica fares, drawn anew every ten seconds.
import { ask, credential, forget, keep } from "./ask.js";
import { el } from "./el.js";
import { bars, timeline } from "./pictures.js";
import { problem, userCard } from "./users.js";
import { language } from "./words.js";

const { t, number, share } = language;
const main = document.getElementById("main");
const STEPS = { 60: 1, 180: 3, 1440: 15 };
const EVERY = 10_000;
let seen = null, minutes = 180, users = null, counted = null, timer = null, stale = null;

function enter(failure) {
  clearTimeout(timer);
  [seen, users, counted] = [null, null, null];
  const none = document.documentElement.dataset.credentials === "none";
  const input = el("input", { id: "credential", type: "password", autocomplete: "off", "aria-label": t("credential"), placeholder: t("credential"), maxlength: 512 });
  const submit = async (event) => {
    event.preventDefault();
    if (!input.value.trim()) return;
    keep(input.value.trim());
    await begin();
  };
  const code = (text) => el("pre", {}, text);
  main.replaceChildren(el("section", { class: "card door" }, el("h2", {}, t("enter")), el("p", {}, t("enter_p")), failure ? problem(failure) : null,
    el("form", { class: "row", onsubmit: submit }, input, el("button", { id: "enter" }, t("enter_b"))),
    el("details", { open: none }, el("summary", {}, t("none_h")), none ? el("div", { class: "say warn" }, t("none_now")) : null,
      el("ol", {}, el("li", {}, t("none_1"), code("(umask 077; openssl rand -hex 32 > keys/console.token)")),
        el("li", {}, t("none_2"), code('[internal]\ncredentials = [{ name = "console", token_file = "keys/console.token" }]')),
        el("li", {}, t("none_3"))))));
  shell();
  input.focus();
}

/** What stands around the page, whatever it shows. */
function shell() {
  document.documentElement.lang = language.tag();
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  document.getElementById("language").textContent = t("language");
  document.getElementById("leave").hidden = !seen;
  document.getElementById("replica").textContent = seen ? t("replica", { ...seen.replica, up: up(seen.replica.uptimeSeconds) }) : "";
}

const up = (seconds) => (seconds >= 172_800 ? t("up.days", { n: Math.floor(seconds / 86_400) }) : seconds >= 7200 ? t("up.hours", { n: Math.floor(seconds / 3600) }) : t("up.minutes", { n: Math.floor(seconds / 60) }));

async function begin() {
  try {
    seen = await ask("GET", `/overview?minutes=${minutes}`);
  } catch (failure) {
    if (failure.status === 401) forget();
    return enter(failure);
  }
  stale = null;
  users = userCard({ apps: () => seen.apps, levels: () => seen.levels });
  draw();
  again();
}

/** Looks again in a while; not where nobody looks. */
function again() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (seen && !document.hidden) await renew();
    if (seen) again();
  }, EVERY);
}

async function renew() {
  try {
    seen = await ask("GET", `/overview?minutes=${minutes}`);
    stale = null;
  } catch (failure) {
    if (failure.status === 401) return (forget(), enter(failure));
    stale = failure;
  }
  draw();
}

const add = (rows) => rows.reduce((sum, { counts }) => counts.map((n, at) => n + (sum[at] ?? 0)), seen.wechat.calls.map(() => 0));
const step = () => STEPS[seen.wechat.calls.length];
const total = (rows) => rows.reduce((sum, { counts }) => counts.reduce((some, n) => some + n, sum), 0);
const pill = (kind, text) => el("span", { class: `pill ${kind}` }, text);
const tile = (id, name, value, ...rest) => el("a", { class: "tile", href: `#${id}` }, el("span", { class: "quiet" }, name), el("b", { title: typeof value === "string" ? value : undefined }, value), ...rest.filter(Boolean).map((text) => el("span", { class: "small" }, text)));

function tiles() {
  const { logins, wechat, keys, columnKeys } = seen;
  const of = (kind) => total(logins.filter((row) => row.kind === kind));
  const [all, failed] = [total(logins), of("failed")];
  const signer = keys.list.find(({ state }) => state === "signs");
  const { lately } = wechat;
  return el("div", { class: "tiles" },
    tile("logins", t("tile_logins", { minutes: t(`range.${minutes}`) }), number(all), all ? t("tile_share", { share: share(of("done"), all) }) : t("tile_nothing"), failed ? t("tile_failed", { n: number(failed) }) : null),
    tile("wechat", t("tile_wechat"), el("span", { class: `dot ${wechat.state}` }, t(`wechat_state.${wechat.state}`)),
      t("wechat_lately", { minutes: lately.minutes, calls: number(lately.calls), share: share(lately.failed, lately.calls) })),
    tile("keys", t("tile_signer"), signer ? signer.file.split("/").pop() : t("none"), keys.next.text),
    tile("columns", t("tile_column"), columnKeys[0]?.id ?? t("none"), t("tile_column_p", { n: columnKeys.length })));
}

/** A card whose picture is drawn once its width is known. */
const drawings = [];
function picture(draw) {
  const place = el("div", { class: "picture" });
  drawings.push(() => place.clientWidth && place.replaceChildren(draw(place.clientWidth)));
  return place;
}

function logins() {
  const ranges = el("span", { class: "ranges", role: "group" }, ...Object.keys(STEPS).map(Number).map((n) =>
    el("button", { type: "button", "aria-pressed": String(n === minutes), id: `range-${n}`, onclick: () => { minutes = n; renew(); } }, t(`range.${n}`))));
  const kinds = ["done", "refused", "failed"];
  const stacks = kinds.map((kind) => [kind, t(kind), add(seen.logins.filter((row) => row.kind === kind))]);
  const all = total(seen.logins);
  const rows = [...seen.logins].map((row) => [row, total([row])]).sort((a, b) => b[1] - a[1]);
  return el("section", { class: "card", id: "logins" }, el("h2", {}, t("logins_h"), ranges), el("p", { class: "quiet small" }, t("logins_p")),
    picture((width) => bars({ width, height: 200, from: Date.parse(seen.from), step: step(), stacks, label: t("chart_logins"), none: t("chart_none"), clock: language.clock })),
    el("div", { class: "legend" }, ...kinds.map((kind) => el("span", { class: kind }, t(kind)))),
    rows.length ? el("table", { class: "outcomes" }, el("tbody", {}, ...rows.map(([row, count]) => el("tr", {},
      el("td", {}, el("i", { class: row.kind }), row.title, " ", row.kind === "done" ? null : el("code", {}, row.outcome)), el("td", { class: "quiet" }, t(`way.${row.way}`)),
      el("td", { class: "number" }, number(count)), el("td", { class: "number quiet" }, share(count, all)))))) : null);
}

function wechat() {
  const { state, lately, calls, failed, answers } = seen.wechat;
  const fine = calls.map((n, at) => n - failed[at]);
  const stacks = [["done", t("answered"), fine], ["failed", t("failed_o"), failed]];
  const words = { answered: t("answered"), refused: t("refused_o"), failed: t("failed_o") };
  return el("section", { class: "card", id: "wechat" }, el("h2", {}, t("wechat_h"), pill(state, t(`wechat_state.${state}`))),
    el("p", { class: "quiet small" }, t("wechat_lately", { minutes: lately.minutes, calls: number(lately.calls), share: share(lately.failed, lately.calls) }),
      lately.medianMs === null ? "" : ` · ${t("wechat_ms", { median: lately.medianMs, p95: lately.p95Ms })}`),
    picture((width) => bars({ width, height: 120, from: Date.parse(seen.from), step: step(), stacks, label: t("chart_wechat"), none: t("chart_none"), clock: language.clock })),
    el("h4", {}, t("wechat_last")),
    answers.length ? el("div", { class: "wide last" }, el("table", {}, el("tbody", {}, ...answers.map((each) => el("tr", {},
      el("td", { class: "quiet" }, language.clock(each.at, true)), el("td", {}, el("div", { class: "mono" }, each.call), el("i", { class: { answered: "done", refused: "refused", failed: "failed" }[each.outcome] }), `${words[each.outcome]}${each.detail ? `: ${each.detail}` : ""}`),
      el("td", { class: "number quiet" }, `${each.ms} ms`)))))) : el("p", { class: "quiet" }, t("wechat_none")));
}

function keys() {
  const names = { now: t("now"), due: t("due") };
  for (const state of ["published", "signs", "retiring", "ended"]) names[state] = t(`key_state.${state}`);
  return el("section", { class: "card", id: "keys" }, el("h2", {}, t("keys_h")),
    el("div", { class: `say next${["overdue", "remove"].includes(seen.keys.next.step) ? " warn" : ""}`, id: "next" }, seen.keys.next.text),
    picture((width) => timeline({ width, keys: seen.keys, now: Date.parse(seen.now), since: Date.parse(seen.replica.since), label: t("chart_keys"), names })),
    el("div", { class: "legend" }, ...["published", "signs", "retiring"].map((state) => el("span", { class: state }, names[state]))), el("p", { class: "quiet small" }, t("keys_p")));
}

async function count() {
  try {
    do {
      counted = await ask("GET", "/column-keys");
      draw();
      if (counted.counting) await new Promise((later) => setTimeout(later, 1000));
    } while (seen && counted?.counting);
  } catch (failure) {
    counted = { failure };
    if (seen) draw();
  }
}

function columns() {
  const list = counted?.keys?.length ? counted.keys : seen.columnKeys.map((key) => ({ ...key, configured: true }));
  const all = list.reduce((sum, key) => sum + (key.values ?? 0), 0);
  const meter = (value, max) => el("progress", { value, max: Math.max(max, 1) });
  return el("section", { class: "card", id: "columns" }, el("h2", {}, t("columns_h"), el("button", { type: "button", class: "second", id: "count", disabled: !!counted?.counting, onclick: count }, t("columns_b"))),
    el("p", { class: "quiet small" }, t("columns_p")), counted?.failure ? problem(counted.failure) : null,
    counted?.counting ? el("div", {}, meter(counted.seen, counted.rows), el("div", { class: "small quiet" }, t("columns_seen", { seen: number(counted.seen), rows: number(counted.rows) }))) : null,
    ...list.map((key) => el("div", { class: "column" }, el("div", { class: "row" }, el("b", { class: "mono" }, key.id), pill(key.seals ? "healthy" : key.configured ? "quiet" : "failing", t(key.seals ? "seals" : key.configured ? "opens" : "unknown")),
      key.values === undefined ? null : el("span", { class: "number" }, t("columns_values", { n: number(key.values) }))),
      key.values === undefined ? null : meter(key.values, all),
      key.values === undefined ? null : el("div", { class: "small quiet" }, t("columns_detail", { current: number(key.sessionKeys), previous: number(key.previousSessionKeys), phones: number(key.phones) })))),
    counted?.malformed ? el("div", { class: "say bad" }, t("columns_malformed", { n: number(counted.malformed) })) : null,
    counted?.next ? el("div", { class: "say next" }, counted.next) : null, counted?.countedAt ? el("p", { class: "quiet small" }, t("columns_at", { at: language.time(counted.countedAt, true) })) : null);
}

function paint() {
  for (const draw of drawings) draw();
}

function draw() {
  if (!seen) return;
  drawings.length = 0;
  // Whoever reads goes on reading: where the page and its list stand, and where the keyboard is.
  const [top, list, focused] = [scrollY, main.querySelector(".last")?.scrollTop ?? 0, document.activeElement?.id];
  const late = stale ? el("div", {}, problem(stale), el("div", { class: "small quiet" }, t("stale", { at: language.time(seen.now, true) }))) : null;
  const parts = [late, tiles(), users.card, logins(), keys(), el("div", { class: "pair" }, wechat(), columns())].filter(Boolean);
  // What somebody types into stays where it is: a node that is moved loses the cursor.
  const kept = [...main.children].includes(users.card);
  if (kept) {
    for (const node of [...main.children]) if (node !== users.card) node.remove();
    const at = parts.indexOf(users.card);
    users.card.before(...parts.slice(0, at));
    users.card.after(...parts.slice(at + 1));
  } else {
    main.replaceChildren(...parts);
  }
  shell();
  paint();
  if (!kept) return;
  scrollTo({ top, behavior: "instant" });
  main.querySelector(".last")?.scrollTo({ top: list });
  const again = focused && document.getElementById(focused);
  if (again && again !== document.activeElement) again.focus({ preventScroll: true });
}

document.getElementById("language").addEventListener("click", () => {
  language.turn();
  if (!seen) return enter();
  users.draw();
  counted = null;
  draw();
  renew();
});
document.getElementById("leave").addEventListener("click", () => {
  forget();
  seen = null;
  enter();
});
let resized = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(paint);
});
if (credential()) begin();
else enter();
