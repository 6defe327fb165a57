//! Decides whether a token counts.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use crate::claims::Claims;
use crate::jws;
use crate::keys::KeySet;
use crate::low_s::is_low;

/// What a token must be for.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The gateway's public origin; equal to the byte.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audience: Vec<String>,
    /// How far two clocks may be apart.
    pub leeway: Duration,
}

/// Why a token doesn't count. The text is for the service's own log; the caller of the service learns no more than
/// "invalid" or "expired".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a JWS as we write it; the text says which rule it breaks.
    Malformed(&'static str),
    /// No published key has this `kid`.
    UnknownKey,
    /// `alg` isn't the key's own.
    WrongAlgorithm,
    /// The signature doesn't hold.
    BadSignature,
    /// From another gateway.
    WrongIssuer,
    /// For another service.
    WrongAudience,
    /// Past `exp`.
    Expired,
    /// `iat` or `auth_time` lies in the future.
    NotYet,
    /// Its user's tokens were ended after it was issued.
    Revoked,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(rule) => write!(f, "malformed: {rule}"),
            Self::UnknownKey => f.write_str("kid is not among the published keys"),
            Self::WrongAlgorithm => f.write_str("alg is not the key's"),
            Self::BadSignature => f.write_str("signature does not hold"),
            Self::WrongIssuer => f.write_str("iss is another gateway"),
            Self::WrongAudience => f.write_str("aud is another service"),
            Self::Expired => f.write_str("expired"),
            Self::NotYet => f.write_str("issued in the future"),
            Self::Revoked => f.write_str("revoked"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Verifies `token` at `now` (seconds since the Unix epoch) and returns what it says.
///
/// The signature is checked before any claim is looked at. The times are checked here rather than by jsonwebtoken
/// because that asks the system's clock, and the caller owns the clock.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected, now: i64) -> Result<Claims, Refusal> {
    let parts = jws::split(token)?;
    let header = &parts.header;
    if header.crit.is_some() || header.b64.is_some() {
        return Err(Refusal::Malformed("crit or b64"));
    }
    if !header.typ.as_deref().is_some_and(is_access_token) {
        return Err(Refusal::Malformed("typ is neither JWT nor at+jwt"));
    }
    if !ALGORITHMS.iter().any(|known| header.alg == name(*known)) {
        return Err(Refusal::WrongAlgorithm);
    }
    let kid = header.kid.as_deref().ok_or(Refusal::Malformed("no kid"))?;
    let (algorithm, key) = keys.find(kid).ok_or(Refusal::UnknownKey)?;
    if header.alg != name(algorithm) {
        return Err(Refusal::WrongAlgorithm);
    }
    match jsonwebtoken::crypto::verify(parts.signature, parts.signed.as_bytes(), key, algorithm) {
        Ok(true) => {}
        Ok(false) | Err(_) => return Err(Refusal::BadSignature),
    }
    if algorithm == Algorithm::ES256 && !jws::decode(parts.signature).is_ok_and(|bytes| is_low(&bytes)) {
        return Err(Refusal::Malformed("an ES256 signature with the larger s (wxgate_verify::low_s)"));
    }
    // We issue none, but a token that has one means it (RFC 7519 §4.1.5).
    if !parts.claims.allows(now.saturating_add(seconds(expected.leeway))) {
        return Err(Refusal::NotYet);
    }
    let claims: Claims =
        parts.claims.into_typed().map_err(|_| Refusal::Malformed("a claim is missing or of another type"))?;
    check(&claims, expected, now)?;
    Ok(claims)
}

/// Whether a token of an unknown key says what one of ours would: only then is it worth asking for newer keys.
#[cfg(feature = "verifier")]
pub(crate) fn could_be_ours(token: &str, expected: &Expected, now: i64) -> bool {
    let claims = jws::split(token).ok().and_then(|parts| parts.claims.into_typed::<Claims>().ok());
    claims.is_some_and(|claims| check(&claims, expected, now).is_ok())
}

/// What of a verified token time can change, and what it must be for (RFC 9068 §4): issuer, audience and times. For who keeps
/// verified claims at hand and looks again; the signature is [`verify`]'s.
pub fn check(claims: &Claims, expected: &Expected, now: i64) -> Result<(), Refusal> {
    let leeway = seconds(expected.leeway);
    if claims.iss != expected.issuer {
        return Err(Refusal::WrongIssuer);
    }
    if !expected.audience.iter().any(|name| claims.aud.contains(name)) {
        return Err(Refusal::WrongAudience);
    }
    if claims.sub.is_empty() {
        return Err(Refusal::Malformed("sub is empty"));
    }
    if claims.exp.saturating_add(leeway) <= now {
        return Err(Refusal::Expired);
    }
    if claims.iat.saturating_sub(leeway) > now || claims.auth_time.saturating_sub(leeway) > now {
        return Err(Refusal::NotYet);
    }
    Ok(())
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

fn is_access_token(typ: &str) -> bool {
    // RFC 9068 §4 takes both forms of its type, RFC 7519 §5.1 recommends the other in capitals.
    ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
}

/// What [`KeySet`] takes in.
pub(crate) const ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];

/// The algorithm's name in a header (RFC 7518 §3.1, RFC 8037 §3.1).
fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        Algorithm::RS256 => "RS256",
        // KeySet takes in none of the others.
        _ => "",
    }
}
