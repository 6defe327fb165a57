// Node tuned by somebody who knows how: Fastify with schemas, an undici pool, one named prepared statement, jose with an
// imported key; a process for each core.
import cluster from "node:cluster";
import { createPrivateKey, randomUUID, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";

globalThis.crypto ??= webcrypto;
const { PORT, WECHAT, DATABASE, KEY, WORKERS = "2" } = process.env;

if (cluster.isPrimary) {
  for (let each = 0; each < Number(WORKERS); each++) cluster.fork();
} else {
  const [{ default: fastify }, { SignJWT, importPKCS8 }, { default: pg }, { Pool }] = await Promise.all([
    import("fastify"), import("jose"), import("pg"), import("undici"),
  ]);
  const key = await importPKCS8(createPrivateKey(readFileSync(KEY)).export({ type: "pkcs8", format: "pem" }), "ES256");
  const db = new pg.Pool({ connectionString: DATABASE, max: 8 });
  const wechat = new Pool(WECHAT, { connections: 64 });
  const app = fastify();
  const schema = {
    body: { type: "object", required: ["code"], properties: { code: { type: "string" } } },
    response: { 200: { type: "object", properties: { token: { type: "string" }, expiresIn: { type: "integer" },
      userInfo: { type: "object", properties: { userId: { type: "string" }, nickName: { type: "string" } } } } } },
  };
  const upsert = {
    name: "login",
    text: `WITH touched AS (UPDATE identities SET session_key = $1, last_login_at = $2, login_count = login_count + 1
           WHERE appid = 'wx0123456789abcdef' AND openid = $3 RETURNING user_id)
           SELECT u.id, u.nickname FROM touched JOIN users u ON u.id = touched.user_id`,
  };
  app.post("/v1/login", { schema }, async (request) => {
    const path = `/sns/jscode2session?appid=wx0123456789abcdef&secret=s&grant_type=authorization_code&js_code=${encodeURIComponent(request.body.code)}`;
    const { body } = await wechat.request({ path, method: "GET" });
    const session = await body.json();
    const now = Date.now();
    const { rows: [user] } = await db.query({ ...upsert, values: [Buffer.from(session.session_key), now, session.openid] });
    const token = await new SignJWT({ client_id: "wx0123456789abcdef", auth_time: Math.floor(now / 1000) })
      .setProtectedHeader({ alg: "ES256", kid: "peer", typ: "JWT" }).setIssuer("http://127.0.0.1").setAudience("api")
      .setSubject(user.id).setJti(randomUUID()).setIssuedAt().setExpirationTime("2h").sign(key);
    return { token, expiresIn: 7200, userInfo: { userId: user.id, nickName: user.nickname } };
  });
  await app.listen({ port: Number(PORT), host: "127.0.0.1" });
  console.log("ready");
}
