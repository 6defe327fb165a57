// Verifies a token as any service would: by the published keys, the issuer and the audience.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

export function decode(token) {
  const [header, claims] = token.split(".").slice(0, 2).map((part) => JSON.parse(new TextDecoder().decode(bytes(part))));
  return { header, claims };
}

const ALGORITHMS = {
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
  RS256: [{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, { name: "RSASSA-PKCS1-v1_5" }],
  EdDSA: [{ name: "Ed25519" }, { name: "Ed25519" }],
};

/** Each check with what was found; the token counts if all hold. */
export async function verify(token, jwks, issuer, audience) {
  const { header, claims } = decode(token);
  const key = jwks.keys.find(({ kid }) => kid === header.kid);
  const checks = [["kid", !!key, header.kid], ["alg", key?.alg === header.alg, header.alg]];
  let holds = false;
  if (key && key.alg === header.alg) {
    const [how, verifyBy] = ALGORITHMS[key.alg];
    const at = token.lastIndexOf(".");
    const imported = await crypto.subtle.importKey("jwk", key, how, false, ["verify"]);
    holds = await crypto.subtle.verify(verifyBy, imported, bytes(token.slice(at + 1)), new TextEncoder().encode(token.slice(0, at)));
  }
  checks.push(["signature", holds, `${token.slice(token.lastIndexOf(".") + 1, token.lastIndexOf(".") + 33)}…`]);
  checks.push(["iss", claims.iss === issuer, claims.iss], ["aud", [claims.aud].flat().includes(audience), String(claims.aud)]);
  checks.push(["exp", claims.exp * 1000 > Date.now(), new Date(claims.exp * 1000).toLocaleString()]);
  return checks;
}
