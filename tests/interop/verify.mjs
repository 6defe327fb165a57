// Verifies a token with `jose`, from the JWKS alone: node verify.mjs JWKS_URL ISSUER AUDIENCE < token
import { createRemoteJWKSet, jwtVerify } from "jose";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
const [jwks, issuer, audience] = process.argv.slice(2);
let token = "";
for await (const chunk of process.stdin) token += chunk;
const { payload, protectedHeader } = await jwtVerify(token.trim(), createRemoteJWKSet(new URL(jwks)), { issuer, audience });
console.log(JSON.stringify({ payload, protectedHeader }));
