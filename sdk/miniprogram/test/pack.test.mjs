// What is published: its files, its size, its types in a strict project, and its two forms.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { transformSync } from "esbuild";

const here = new URL("..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "wxgate-pack-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const run = (command, ...list) => execFileSync(command, list, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

const [packed] = JSON.parse(run("npm", "pack", here, "--json", "--ignore-scripts"));
mkdirSync(join(folder, "node_modules"));
run("tar", "xzf", packed.filename);
run("mv", "package", "node_modules/wxgate-miniprogram");

test("holds the two forms, the types, README and licence, and nothing else", () => {
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), [
    "LICENSE", "README.md", "dist/auth.d.ts", "dist/errors.d.ts", "dist/index.d.ts", "dist/index.js", "dist/index.mjs",
    "dist/platform.d.ts", "dist/queue.d.ts", "dist/session.d.ts", "package.json",
  ]);
  const { dependencies } = JSON.parse(readFileSync(join(folder, "node_modules/wxgate-miniprogram/package.json"), "utf8"));
  assert.equal(dependencies, undefined, "no dependency at run time");
});

test("is below 6 KB when minified", () => {
  const { code } = transformSync(readFileSync(join(here, "dist/index.js"), "utf8"), { minify: true, charset: "utf8" });
  assert.ok(Buffer.byteLength(code) < 6000, `${Buffer.byteLength(code)} bytes`);
});

test("says the same as a CommonJS module and as an ES module", async () => {
  const require = createRequire(join(folder, "index.js"));
  const [common, module] = [require("wxgate-miniprogram"), await import(join(folder, "node_modules/wxgate-miniprogram/dist/index.mjs"))];
  assert.deepEqual(Object.keys(common).sort(), ["AuthError", "createAuth"]);
  assert.deepEqual(Object.keys(module).sort(), Object.keys(common).sort());
});

test("type-checks in a strict project beside WeChat's own types", () => {
  run("cp", join(here, "test/types/native.ts"), "native.ts");
  run("cp", "-r", join(here, "node_modules/miniprogram-api-typings"), "node_modules/");
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({
    compilerOptions: { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true,
      target: "es2020", lib: ["es2020"], module: "esnext", moduleResolution: "bundler", types: ["miniprogram-api-typings"] },
    include: ["native.ts"],
  }));
  run(process.execPath, join(here, "node_modules/typescript/bin/tsc"), "-p", folder);
});
