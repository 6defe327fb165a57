// Checks the types, and writes dist/: CommonJS for WeChat's tool, ES module for bundlers, and the types.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { build } from "esbuild";

process.chdir(import.meta.dirname ?? new URL(".", import.meta.url).pathname);
rmSync("dist", { recursive: true, force: true });
execFileSync(process.execPath, [createRequire(import.meta.url).resolve("typescript/bin/tsc")], { stdio: "inherit" });
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
await build({
  entryPoints: ["src/index.ts"],
  bundle: true,
  // Object spread is as new as it gets: iOS 11.3 and every Android of WeChat's have it, so nothing needs translating.
  target: "es2018",
  charset: "utf8",
  banner: { js: `/*! wxgate-miniprogram ${version}, Apache-2.0 */` },
  format: "esm",
  outfile: "dist/index.mjs",
});
// For WeChat's tool, the same with the one line of a CommonJS module; esbuild's own form brings half a kilobyte of helpers.
const esm = readFileSync("dist/index.mjs", "utf8");
const cjs = esm.replace(/export \{([^}]*)\};\s*$/, "module.exports = {$1};\n");
if (cjs === esm) throw new Error("the bundle no longer ends in its exports");
writeFileSync("dist/index.js", cjs);
copyFileSync("../../LICENSE", "LICENSE");
