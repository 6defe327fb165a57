//! The fuzz target `jwt`: what wxgate-verify makes of any text.

#![expect(clippy::expect_used, reason = "a target that can't begin has nothing to find")]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use verify::{Expected, KeySet};

use super::key::{SigningKey, generate};
use crate::secret::ConfigSecret;

/// Tokens that count at [`NOW`], one a line, by the keys beside them, of which only the public halves were kept.
const ISSUED: &str = include_str!("../../fuzz/jwt/tokens.txt");
const JWKS: &[u8] = include_bytes!("../../fuzz/jwt/jwks.json");
const NOW: i64 = 1_793_500_000;
const ISSUER: &str = "https://auth.example.com";
const LEEWAY: i64 = 30;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::from_json(JWKS).expect("the committed keys"));
/// A key of this run's own, known as `k`.
static OURS: LazyLock<(SigningKey, KeySet)> = LazyLock::new(|| {
    let pem = ConfigSecret::new(generate().expect("a key").as_str());
    let key = SigningKey::from_pem(&pem, &ConfigSecret::new("")).expect("our own key");
    let mut jwk = key.jwk().clone();
    jwk.common.key_id = Some("k".to_owned());
    let keys = KeySet::from_jwks([&jwk]).expect("one key");
    (key, keys)
});
static EXPECTED: LazyLock<Expected> = LazyLock::new(|| Expected {
    issuer: ISSUER.to_owned(),
    audience: vec!["api".to_owned()],
    leeway: Duration::from_secs(LEEWAY.unsigned_abs()),
});

/// A token; or, from a `{` on, a header and on the next line claims, which are then signed, so that what is behind the
/// signature is reached.
pub fn jwt(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.split_once('\n') {
        Some((header, claims)) if header.starts_with('{') => signed(header, claims),
        _ => unsigned(text),
    }
}

fn unsigned(token: &str) {
    if verify::verify(token, &KEYS, &EXPECTED, NOW).is_ok() {
        assert!(ISSUED.lines().any(|issued| issued == token), "a token counts that nobody signed");
    }
}

fn signed(header: &str, claims: &str) {
    let (key, keys) = &*OURS;
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let Some(signature) = key.sign(message.as_bytes()) else { return };
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let Ok(counted) = verify::verify(&token, keys, &EXPECTED, NOW) else { return };
    // Read once more, by a reader that knows no rules.
    let header: Value = serde_json::from_str(header).expect("a header that counted is JSON");
    assert_eq!((header["alg"].as_str(), header["kid"].as_str()), (Some("ES256"), Some("k")));
    assert!(header.get("crit").is_none() && header.get("b64").is_none(), "an extension that nobody knows");
    let said: Value = serde_json::from_str(claims).expect("claims that counted are JSON");
    let second = |name: &str| said[name].as_i64().expect("a time in whole seconds");
    assert_eq!(said["iss"], ISSUER);
    assert!(
        said["aud"] == "api" || said["aud"].as_array().is_some_and(|names| names.contains(&"api".into()))
    );
    assert!(second("exp") > NOW - LEEWAY, "past its end");
    assert!(second("iat") <= NOW + LEEWAY && second("auth_time") <= NOW + LEEWAY, "of the future");
    assert!(said.get("nbf").is_none_or(|nbf| nbf.as_i64().is_some_and(|nbf| nbf <= NOW + LEEWAY)));
    assert!(said["sub"].as_str().is_some_and(|sub| sub == counted.sub && !sub.is_empty()));
    assert_eq!(said["client_id"].as_str(), Some(counted.client_id.as_str()));
    // What a list of revocations asks.
    let _ = counted.issued_millis();
}

#[cfg(test)]
#[test]
fn the_committed_tokens_count_by_the_committed_keys() {
    assert_eq!(ISSUED.lines().count(), 9);
    for token in ISSUED.lines() {
        verify::verify(token, &KEYS, &EXPECTED, NOW).unwrap();
    }
}
