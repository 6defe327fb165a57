// A service of orders that trusts wxgate's tokens.
//
//   ISSUER=http://127.0.0.1:8080 AUDIENCE=api PORT=3000 node server.mjs
import express from "express";
import { bearer } from "./bearer.mjs";

const { ISSUER: issuer, AUDIENCE: audience, JWKS: jwks, PORT: port = "3000" } = process.env;
const app = express();
app.get("/orders", bearer({ issuer, audience, jwks }), (request, response) => {
  response.json({ user: request.user.sub, orders: [] });
});
const server = app.listen(Number(port), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
