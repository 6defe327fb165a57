// Draws: bars over time, and the life of keys. Colours are the stylesheet's; texts only ever become text nodes.
function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const frame = (width, height, label, ...children) =>
  svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label }, ...children);

/** The next round number up: an axis ends there. */
function round(most) {
  if (most <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= most);
}

const short = (n) => (n >= 1e6 ? `${n / 1e6}M` : n >= 1e4 ? `${n / 1e3}k` : String(n));

/** Stacked bars; `stacks` are [kind, name, numbers by minute], `step` minutes make a bar. */
export function bars({ width, height, from, step, stacks, label, none, clock }) {
  const left = 40, bottom = 20, top = 10;
  const [wide, high] = [width - left - 4, height - top - bottom];
  const minutes = Math.max(...stacks.map(([, , counts]) => counts.length));
  const count = Math.ceil(minutes / step);
  const sums = stacks.map(([kind, name, counts]) => [kind, name,
    Array.from({ length: count }, (_, at) => counts.slice(at * step, (at + 1) * step).reduce((sum, n) => sum + n, 0))]);
  const totals = Array.from({ length: count }, (_, at) => sums.reduce((sum, [, , counts]) => sum + counts[at], 0));
  const most = round(Math.max(...totals));
  const y = (n) => top + high - (n / most) * high;
  const lines = [0, most / 2, most].flatMap((n) => [
    svg("line", { class: "grid", x1: left, x2: width - 4, y1: y(n), y2: y(n) }),
    svg("text", { class: "tick", x: left - 7, y: y(n) + 4, "text-anchor": "end" }, short(n)),
  ]);
  const slot = wide / count;
  const at = (place) => clock(from + place * step * 60_000);
  const columns = totals.map((total, place) => {
    if (!total) return null;
    let below = 0;
    const pieces = sums.filter(([, , counts]) => counts[place]).map(([kind, , counts]) => {
      const [base, head] = [y(below), y(below += counts[place])];
      return svg("rect", { class: kind, x: left + place * slot + slot * 0.12, width: Math.max(slot * 0.76, 1), y: Math.min(head, base - 1.5), height: Math.max(base - head, 1.5) });
    });
    const said = sums.filter(([, , counts]) => counts[place]).map(([, name, counts]) => `${name} ${counts[place]}`);
    return svg("g", {}, svg("title", {}, `${at(place)}: ${said.join(", ")}`), ...pieces);
  });
  const marks = Math.max(2, Math.min(6, Math.floor(wide / 90)));
  const ticks = Array.from({ length: marks }, (_, n) => {
    const place = Math.round((n / (marks - 1)) * count);
    const anchor = n === 0 ? "start" : n === marks - 1 ? "end" : "middle";
    return svg("text", { class: "tick", x: left + place * slot, y: height - 4, "text-anchor": anchor }, at(place));
  });
  const nothing = totals.some(Boolean) ? null : svg("text", { class: "nothing", x: left + wide / 2, y: top + high * 0.75 + 4, "text-anchor": "middle" }, none);
  return frame(width, height, label, ...lines, ...columns, ...ticks, nothing);
}

const ROW = 54, HEAD = 22, FOOT = 22;
const utc = (at, long) => {
  const text = new Date(at).toISOString();
  return long ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC` : `${text.slice(5, 10)} ${text.slice(11, 16)}`;
};

/** Its ends, where it is too long. */
const cut = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 9)}…${text.slice(-8)}`);

/** Each key a bar: published, signs, retiring, ended; a line for now and, where one is due, for the next step. */
export function timeline({ width, keys, now, since, label, names }) {
  const time = (text) => (text ? Date.parse(text) : null);
  const lives = keys.list.map((key) => ({ ...key, since: time(key.since) ?? since, signs: time(key.signs), superseded: time(key.superseded), gone: time(key.gone) }));
  const due = keys.next.step === "publish" ? time(keys.next.at) : null;
  const moments = [now, due, ...lives.flatMap(({ signs, superseded, gone }) => [signs, superseded, gone])].filter((at) => at !== null);
  const [first, last] = [Math.min(...moments), Math.max(...moments)];
  const pad = Math.max((last - first) * 0.1, 3_600_000);
  const [begin, end] = [first - pad, last + pad];
  const height = HEAD + ROW * lives.length + FOOT;
  const x = (at) => ((Math.min(Math.max(at, begin), end) - begin) / (end - begin)) * width;
  const rows = lives.map((key, index) => {
    const y = HEAD + ROW * index;
    const [signs, over, gone] = [key.signs ?? begin, key.superseded ?? end, key.gone ?? end];
    const piece = (kind, from, to) => (to > from && to > begin ? svg("rect", { class: kind, x: x(from), width: Math.max(x(to) - x(from), kind === "retiring" ? 8 : 3), y: y + 22, height: 18, rx: 3 },
      svg("title", {}, `${names[kind]}: ${from <= begin ? "…" : utc(from, true)} – ${to >= end ? "…" : utc(to, true)}`)) : null);
    // Beside its state's name; a mono letter is about 8 wide.
    const file = cut(key.file.split("/").pop(), Math.floor((width - 110) / 8));
    return svg("g", { class: `life ${key.state}` },
      svg("text", { class: "key", x: 0, y: y + 14 }, file, svg("tspan", { class: "quiet", dx: 8 }, width > 520 ? `${key.alg}  kid ${key.kid.slice(0, 12)}…` : "")),
      svg("text", { class: `stage ${key.state}`, x: width, y: y + 14, "text-anchor": "end" }, names[key.state]),
      svg("rect", { class: "track", x: 0, width, y: y + 22, height: 18, rx: 3 }),
      piece("published", key.since, signs), piece("signs", signs, over), key.superseded ? piece("retiring", over, gone) : null);
  });
  const line = (at, kind, name, said) => {
    const place = x(at);
    const right = place > width * 0.75;
    // Through the bars, and not through what is written between them.
    const pieces = lives.map((_, index) => svg("line", { x1: place, x2: place, y1: HEAD + ROW * index + 19, y2: HEAD + ROW * index + 43 }));
    return svg("g", { class: kind }, ...pieces, svg("line", { x1: place, x2: place, y1: 4, y2: HEAD - 6 }),
      said ? svg("text", { x: place + (right ? -5 : 5), y: 13, "text-anchor": right ? "end" : "start" }, name) : null, svg("title", {}, `${name}: ${utc(at, true)}`));
  };
  const marks = Math.max(2, Math.min(6, Math.floor(width / 130)));
  const ticks = Array.from({ length: marks }, (_, n) => svg("text", { class: "tick", x: (n / (marks - 1)) * width, y: height - 5, "text-anchor": n === 0 ? "start" : n === marks - 1 ? "end" : "middle" },
    utc(begin + (n / (marks - 1)) * (end - begin))));
  const hatch = svg("defs", {}, svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("rect", { class: "hatch", width: 2.2, height: 6 })));
  return frame(width, height, label, hatch, ...rows, due ? line(due, "due", names.due, Math.abs(x(due) - x(now)) > 90) : null, line(now, "now", names.now, true), ...ticks);
}
