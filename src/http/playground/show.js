// The pictures of the walk.
import { el } from "./el.js";

/** JSON with its keys, texts and numbers told apart; a long text is cut in the middle. */
export function json(value) {
  const pre = el("pre");
  const text = JSON.stringify(value, null, 2);
  for (const [token, key, string, number] of text.matchAll(/("(?:[^"\\]|\\.)*"(?=\s*:))|("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|[^"\d-]+|-/g)) {
    if (key) pre.append(el("span", { class: "k" }, key));
    else if (string) pre.append(el("span", { class: "s", title: string.length > 140 ? string : undefined }, string.length > 140 ? `${string.slice(0, 80)}…${string.slice(-24)}` : string));
    else if (number) pre.append(el("span", { class: "n" }, number));
    else pre.append(token);
  }
  return pre;
}

/** One exchange: what was asked and what came back. */
export function wire({ method, path, body, status, answer }, labels) {
  const good = status < 400;
  return el("div", { class: "wire" },
    el("div", { class: "ask" }, el("b", {}, method), el("span", {}, path), el("span", { class: good ? "status" : "status bad" }, String(status))),
    body ? el("div", { class: "who" }, labels.request) : null, body ? json(body) : null,
    answer ? el("div", { class: "who" }, labels.answer) : null, answer ? json(answer) : null);
}

/** A sealed value, its parts coloured. */
export function envelope({ hex, keyId }) {
  const id = 4 + keyId.length * 2;
  const cuts = [[0, 2, "c1"], [2, id, "c2"], [id, id + 24, "c3"], [id + 24, hex.length, "c4"]];
  return el("span", {}, ...cuts.map(([from, to, colour]) => el("span", { class: colour }, hex.slice(from, to))));
}

export const table = (rows) => el("div", { class: "part" },
  el("table", {}, el("tbody", {}, ...rows.map(([name, value, note]) =>
    el("tr", {}, el("td", {}, name), el("td", {}, value ?? ""), el("td", {}, note ?? ""))))));

/** When each key is published, signs and is superseded. */
export function timeline({ now, keys }, labels) {
  const time = (text) => Date.parse(text);
  const events = keys.flatMap(({ signs, superseded, gone }) => [signs, superseded, gone]).filter(Boolean).map(time);
  const begin = Math.min(time(now), ...events) - 60_000;
  const end = Math.max(time(now) + 600_000, ...events) + 60_000;
  const at = (moment) => `${((moment - begin) / (end - begin)) * 100}%`;
  const piece = (kind, from, to) => {
    const bar = el("i", { class: kind, title: labels[kind] });
    bar.style.left = at(Math.max(from, begin));
    bar.style.right = `calc(100% - ${at(Math.min(to, end))})`;
    return to > from ? bar : null;
  };
  const rows = keys.map(({ file, kid, signs, superseded, gone }) => {
    const from = signs ? time(signs) : begin, over = superseded ? time(superseded) : end, last = gone ? time(gone) : end;
    return el("div", {}, el("div", { class: "key" }, `${kid.slice(0, 10)}…  ${file}`),
      el("div", { class: "bar2" }, piece("published", time(now), from), piece("signs", from, over), superseded ? piece("superseded", over, last) : null));
  });
  const mark = el("div", { class: "now" }, el("b", {}, labels.now));
  mark.style.left = at(time(now));
  const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return el("div", { class: "part time" }, el("div", { class: "plot" }, ...rows, mark),
    el("div", { class: "ends" }, el("span", {}, clock(begin)), el("span", {}, clock(end))),
    el("div", { class: "legend" }, ...["published", "signs", "superseded"].map((kind) => el("span", {}, el("i", { class: kind }), labels[kind]))));
}
