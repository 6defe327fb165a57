// The real gateway (`wxgate dev`) with its simulated WeChat, in a folder of its own, on free ports.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const BINARY = process.env.WXGATE_BIN ?? new URL("../../../target/debug/wxgate", import.meta.url).pathname;
const JSON_TYPE = { "content-type": "application/json" };
const CREDENTIAL = "a-service-credential-of-32-letters";

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Started; `settings` are environment variables. */
export async function gateway(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "wxgate-sdk-"));
  const [port, internalPort, simulatorPort] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(BINARY, ["dev", "--simulator-listen", `127.0.0.1:${simulatorPort}`], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      WXGATE_HTTP__LISTEN: `127.0.0.1:${port}`,
      WXGATE_HTTP__INTERNAL_LISTEN: `127.0.0.1:${internalPort}`,
      WXGATE_INTERNAL__CREDENTIALS: `[{ name = "test", token = "${CREDENTIAL}" }]`,
      WXGATE_ACCOUNTS__REGISTRATION: "true",
      ...settings,
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`wxgate dev ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => line.includes("Ctrl-C") && resolve());
  });
  const url = `http://127.0.0.1:${port}`;
  const simulator = `http://127.0.0.1:${simulatorPort}`;
  const internal = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${internalPort}/internal/v1${path}`, {
      method, body: body && JSON.stringify(body),
      headers: { authorization: `Bearer ${CREDENTIAL}`, ...JSON_TYPE },
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  };
  return {
    url,
    simulator,
    /** Its internal side, and a credential for it. */
    internal: `http://127.0.0.1:${internalPort}`,
    credential: CREDENTIAL,
    /** Ends every token of this user, as an operator would. */
    revoke: (user) => internal("POST", `/users/${user}/revoke`),
    disable: (user) => internal("POST", `/users/${user}/disable`),
    enable: (user) => internal("POST", `/users/${user}/enable`),
    /** How often the gateway asked WeChat about a code. */
    exchanges: async () => (await (await fetch(`${simulator}/_sim/calls`)).json())["/sns/jscode2session"] ?? 0,
    /** What the simulated WeChat does next. */
    faults: async (list) => {
      const answer = await fetch(`${simulator}/_sim/faults`, { method: "PUT", headers: JSON_TYPE, body: JSON.stringify(list) });
      if (!answer.ok) throw new Error(await answer.text());
    },
    pressPhone: async (openid, number) => {
      const answer = await fetch(`${simulator}/_sim/phone`, { method: "POST", headers: JSON_TYPE,
        body: JSON.stringify({ openid, phone: number }) });
      return answer.json();
    },
    me: async (token) => (await fetch(`${url}/v1/me`, { headers: { authorization: `Bearer ${token}` } })).status,
    stop: () => new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.once("exit", () => resolve(rmSync(folder, { recursive: true, force: true })));
      child.kill("SIGKILL");
    }),
  };
}
