// Express middleware that lets in whoever brings a token of the gateway.
import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto; // Node 18

export function bearer({ issuer, audience, jwks = `${issuer}/.well-known/jwks.json` }) {
  // Once, not for each request: it keeps the keys, and asks for new ones on an unknown kid, at most once in 30 seconds.
  const keys = createRemoteJWKSet(new URL(jwks), { cacheMaxAge: 300_000 });
  const rules = {
    issuer,
    audience,
    // Whatever wxgate can be set to. Never an HS: a public key is no secret.
    algorithms: ["ES256", "EdDSA", "RS256"],
    requiredClaims: ["sub", "exp"],
    clockTolerance: 60,
  };
  return async (request, response, next) => {
    const [scheme, token] = (request.get("authorization") ?? "").split(" ");
    if (scheme.toLowerCase() !== "bearer" || !token) {
      return response.status(401).set("WWW-Authenticate", "Bearer").json({ code: "token_missing" });
    }
    try {
      request.user = (await jwtVerify(token, keys, rules)).payload;
    } catch (error) {
      // The keys couldn't be had: the token may well be good. A 401 would have every client log in again.
      if (!isAboutTheToken(error)) {
        return response.status(503).set("Retry-After", "5").json({ code: "keys_unavailable" });
      }
      const code = error instanceof errors.JWTExpired ? "token_expired" : "token_invalid";
      return response.status(401).set("WWW-Authenticate", 'Bearer error="invalid_token"').json({ code });
    }
    next();
  };
}

// jose reports an address that doesn't answer as a plain TypeError, as a timeout or as its general error.
function isAboutTheToken(error) {
  return error instanceof errors.JOSEError && !["ERR_JWKS_TIMEOUT", "ERR_JOSE_GENERIC"].includes(error.code);
}
