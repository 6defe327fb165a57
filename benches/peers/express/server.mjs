// The login as it is usually written: Express, axios, knex, jsonwebtoken. Fair: keep-alive upstream, a pool, ES256, the same
// table and durability, one process as it is usually started.
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { Agent } from "node:http";
import axios from "axios";
import express from "express";
import jwt from "jsonwebtoken";
import knex from "knex";

const { PORT, WECHAT, DATABASE, KEY } = process.env;
const db = knex({ client: "pg", connection: DATABASE, pool: { min: 16, max: 16 } });
const wechat = axios.create({ baseURL: WECHAT, httpAgent: new Agent({ keepAlive: true }) });
const key = readFileSync(KEY);
const app = express();
app.use(express.json());

app.post("/v1/login", async (request, response) => {
  const { data } = await wechat.get("/sns/jscode2session", {
    params: { appid: "wx0123456789abcdef", secret: "s", js_code: request.body.code, grant_type: "authorization_code" },
    responseType: "json",
  });
  const session = typeof data === "string" ? JSON.parse(data) : data;
  const now = Date.now();
  const where = { appid: "wx0123456789abcdef", openid: session.openid };
  const identity = await db("identities").where(where).first();
  await db("identities").where({ id: identity.id }).update({
    session_key: Buffer.from(session.session_key), last_login_at: now, login_count: Number(identity.login_count) + 1,
  });
  const user = await db("users").where({ id: identity.user_id }).first();
  const token = jwt.sign({ client_id: where.appid, auth_time: Math.floor(now / 1000) }, key, {
    algorithm: "ES256", expiresIn: 7200, issuer: "http://127.0.0.1", audience: "api", subject: user.id, jwtid: randomUUID(), keyid: "peer",
  });
  response.json({ token, expiresIn: 7200, userInfo: { userId: user.id, nickName: user.nickname } });
});
app.listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
