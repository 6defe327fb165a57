// A small stand-in for WeChat's tool: App, Page, getApp, require with miniprogram_npm, setData, and a renderer that makes HTML of
// WXML. What it can't read is an error, so a page that the tool would refuse fails here too.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import vm from "node:vm";

export function open({ root, wx, config = {} }) {
  let app;
  const pages = new Map();
  const cache = new Map();
  const toasts = [], stack = [];
  Object.assign(wx, {
    showToast: ({ title }) => void toasts.push(title),
    navigateTo: ({ url }) => void stack.push(url),
    navigateBack: () => void stack.pop(),
  });
  const globals = { wx, console: { ...console, warn() {} }, setTimeout, App: (one) => (app = one), getApp: () => app, Promise, JSON, Object };

  function load(file, page) {
    if (cache.has(file)) return cache.get(file).exports;
    const module = { exports: {} };
    cache.set(file, module);
    const require = (name) => {
      const target = name.startsWith(".") ? join(dirname(file), name) + ".js" : join(root, "miniprogram_npm", name, "index.js");
      if (!existsSync(target)) throw new Error(`${file}: ${name} is not in the package`);
      const loaded = load(target);
      return target === join(root, "config.js") ? Object.assign(loaded, config) : loaded;
    };
    const text = `(function (require, module, exports, ${Object.keys(globals)}, Page) {${readFileSync(file, "utf8")}\n})`;
    vm.runInThisContext(text, { filename: file })(require, module, module.exports, ...Object.values(globals), page);
    return module.exports;
  }

  load(join(root, "app.js"));
  const { pages: list } = JSON.parse(readFileSync(join(root, "app.json"), "utf8"));

  /** The page as WeChat shows it, after onLoad. */
  async function go(path) {
    if (!list.includes(path)) throw new Error(`${path} is not in app.json`);
    let definition;
    cache.delete(join(root, path + ".js"));
    load(join(root, path + ".js"), (one) => (definition = one));
    JSON.parse(readFileSync(join(root, path + ".json"), "utf8"));
    const page = { ...definition, data: structuredClone(definition.data),
      setData(more) { this.data = { ...this.data, ...structuredClone(more) }; } };
    pages.set(path, page);
    await page.onLoad?.({});
    const wxml = readFileSync(join(root, path + ".wxml"), "utf8");
    const html = () => render(wxml, page.data, definition);
    html();
    return {
      page,
      html,
      /** Taps, or otherwise uses, what carries this text (or handler), if it is there to be tapped. */
      use(handler, detail = {}, dataset = {}) {
        if (!html().includes(`data-use="${handler}"`)) throw new Error(`nothing here calls ${handler}: ${html()}`);
        return page[handler]({ detail, currentTarget: { dataset } });
      },
      close: () => page.onUnload?.(),
    };
  }

  return { get app() { return app; }, go, toasts, stack };
}

const VOID = new Set(["input", "image"]);
const TAGS = { view: "div", text: "span", image: "img" };

/** HTML of a template. Every handler it names must be the page's. */
export function render(wxml, data, page) {
  const evaluate = (text) => {
    const whole = /^\{\{([^]*)\}\}$/.exec(text);
    const value = (expression) => {
      // As WXML does, what isn't there is undefined rather than an error.
      const lenient = expression.replace(/(\w)\.(?=[A-Za-z_])/g, "$1?.");
      return vm.runInNewContext(`(${lenient})`, { ...data });
    };
    if (whole) return value(whole[1]);
    return text.replace(/\{\{([^]*?)\}\}/g, (_, expression) => value(expression) ?? "");
  };
  const escape = (value) => String(value ?? "").replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  let out = "", hidden = 0;
  const open = [];
  for (const [token, close, tag, attributes, self] of wxml.matchAll(/<(\/?)([a-z-]+)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*(\/?)>|[^<]+/g)) {
    if (!tag) {
      if (!hidden) out += escape(evaluate(token));
      continue;
    }
    const name = TAGS[tag] ?? tag;
    if (close) {
      const last = open.pop();
      if (last?.tag !== tag) throw new Error(`</${tag}> closes <${last?.tag}>`);
      if (last.hides) hidden--;
      else if (!hidden) out += `</${name}>`;
      continue;
    }
    let html = `<${name}`, hides = false;
    for (const [, attribute, text = ""] of attributes.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)) {
      if (attribute === "wx:if") hides = !evaluate(text);
      else if (attribute.startsWith("bind")) {
        if (typeof page[text] !== "function") throw new Error(`${attribute}="${text}": the page has no such function`);
        html += ` data-use="${text}"`;
      } else if (attribute.startsWith("wx:")) throw new Error(`${attribute} is not known here`);
      else if (!hidden && !hides) {
        const value = evaluate(text);
        if (value !== false && value !== undefined) html += ` ${attribute}="${escape(value === true ? "" : value)}"`;
      }
    }
    if (!hidden && !hides) out += html + ">";
    if (self || VOID.has(tag)) continue;
    if (hides) hidden++;
    open.push({ tag, hides });
  }
  if (open.length) throw new Error(`<${open.at(-1).tag}> isn't closed`);
  return out;
}
