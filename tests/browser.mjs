// Headless Chromium for the pages' walks: a page of its own each time, and whatever it complains of.
import { createRequire } from "node:module";

// Where scripts/test has put it.
const require = createRequire(`${process.env.WXGATE_TEST_INTEROP}/package.json`);
const { chromium } = require("playwright-core");

export async function launch() {
  const browser = await chromium.launch({
    executablePath: process.env.WXGATE_TEST_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  return {
    close: () => browser.close(),
    /** The page at this origin and path; `trouble` gathers its errors, and every request that leaves the origin. */
    async open(origin, path, { width = 1280, height = 860, dark = false, locale = "zh-CN" } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", locale, deviceScaleFactor: 1 });
      const page = await context.newPage();
      const trouble = [];
      page.on("pageerror", (error) => trouble.push(String(error)));
      page.on("console", (message) => message.type() === "error" && !/status of 4\d\d/.test(message.text()) && trouble.push(message.text()));
      // Nothing may come from elsewhere.
      page.on("request", (request) => request.url().startsWith(origin) || request.url().startsWith("data:") || trouble.push(request.url()));
      await page.goto(`${origin}${path}`);
      return { page, context, trouble, press: (id) => page.click(`#${id}`) };
    },
  };
}

/** What sticks out of a page of this width, if anything does, besides what may. */
export const wider = (page, width, besides) => page.evaluate(([width, besides]) => [...document.querySelectorAll("main *")]
  .filter((node) => node.getBoundingClientRect().right > width + 0.5 && !node.closest(besides)).map((node) => node.outerHTML.slice(0, 90)), [width, besides]);
