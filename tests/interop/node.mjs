// Verifies tokens from the JWKS alone: node node.mjs LIBRARY JWKS_URL ISSUER AUDIENCE ALG,ALG
// One JSON string a line on standard input; one line out for each, {"sub": …} or {"refused": …}.
import { createInterface } from "node:readline";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // Node 18
const [library, jwks, issuer, audience, list] = process.argv.slice(2);
const algorithms = list.split(",");

const verifiers = {
  async jose() {
    const { createRemoteJWKSet, jwtVerify } = await import("jose");
    const keys = createRemoteJWKSet(new URL(jwks));
    const options = { issuer, audience, algorithms, requiredClaims: ["exp", "sub"] };
    return async (token) => (await jwtVerify(token, keys, options)).payload;
  },
  async jsonwebtoken() {
    const { default: jwt } = await import("jsonwebtoken");
    const { default: jwksClient } = await import("jwks-rsa");
    const client = jwksClient({ jwksUri: jwks, cache: true, rateLimit: true });
    const key = (header, done) =>
      client.getSigningKey(header.kid).then((found) => done(null, found.getPublicKey()), done);
    const options = { issuer, audience, algorithms };
    return async (token) => {
      const claims = await new Promise((resolve, reject) =>
        jwt.verify(token, key, options, (error, claims) => (error ? reject(error) : resolve(claims))));
      // It takes a token without exp, and doesn't ask for sub.
      if (!claims.exp || !claims.sub) throw new Error("exp and sub are required");
      return claims;
    };
  },
  async "aws-jwt-verify"() {
    const { JwtVerifier } = await import("aws-jwt-verify");
    // It insists on https for an address; the keys can be given to it too.
    const verifier = JwtVerifier.create({ issuer, audience, jwksUri: jwks.replace(/^http:/, "https:") });
    verifier.cacheJwks(await (await fetch(jwks)).json());
    return async (token) => {
      const claims = await verifier.verify(token);
      if (!claims.exp || !claims.sub) throw new Error("exp and sub are required");
      return claims;
    };
  },
};

const verify = await verifiers[library]();
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { sub } = await verify(JSON.parse(line));
    console.log(JSON.stringify({ sub }));
  } catch (error) {
    console.log(JSON.stringify({ refused: `${error.name}: ${error.message}` }));
  }
}
