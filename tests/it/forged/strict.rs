//! The forgeries that other libraries may let through, and the second forms of a good token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use super::bytes::{negated, sibling, signature};
use super::list::{Material, Named};
use crate::world::ISSUER;
use crate::world::forge::base64url;

/// What the RFCs leave to a verifier, or what libraries differ on: the gateway and wxgate-verify refuse them too. The second
/// forms of a good token are among them: for us a token has one text.
pub(super) fn strict(m: &Material) -> Vec<Named> {
    let now = m.claims()["iat"].as_i64().unwrap();
    let parts: Vec<&str> = m.good.split('.').collect();
    let [header, claims, signed] = parts[..] else { panic!("{parts:?}") };
    let good = signature(&m.good);
    let head = |more: Value| m.ec.token(&m.header_with(more), &m.claims());
    let twice = |text: String, first: &str| text.replacen('{', &format!("{{{first},"), 1);
    let header_text = m.header().to_string();
    let claims_text = m.claims().to_string();
    let signed_text =
        |header: &str, claims: &str| m.ec.signed(&format!("{}.{}", base64url(header), base64url(claims)));
    // A signature of the same message in which the two alphabets differ.
    let mut signatures = std::iter::repeat_with(|| base64url(m.ec.signature(&format!("{header}.{claims}"))));
    let other = signatures.find(|text| text.contains(['-', '_'])).unwrap();
    vec![
        ("s as n − s", m.resigned(&negated(&good))),
        ("trailing bits set", format!("{header}.{claims}.{}", sibling(signed))),
        ("header padded", format!("{header}=.{claims}.{signed}")),
        ("signature padded", format!("{header}.{claims}.{}", URL_SAFE.encode(&good))),
        ("a line break inside", format!("{header}.{claims}.{}\n{}", &signed[..10], &signed[10..])),
        ("percent signs", format!("{header}%2E{claims}%2E{signed}")),
        ("a nul at the end", format!("{}\0", m.good)),
        ("no kid, our key", head(json!({ "kid": null }))),
        ("crit of nothing", head(json!({ "crit": [] }))),
        ("crit of what is known", head(json!({ "crit": ["alg"] }))),
        ("b64 true", head(json!({ "b64": true }))),
        ("b64 false and crit", head(json!({ "b64": false, "crit": ["b64"] }))),
        ("no typ", head(json!({ "typ": null }))),
        ("typ of a logout token", head(json!({ "typ": "logout+jwt" }))),
        ("typ of DPoP", head(json!({ "typ": "dpop+jwt" }))),
        ("alg twice", signed_text(&twice(header_text.clone(), "\"alg\":\"none\""), &claims_text)),
        ("sub twice", signed_text(&header_text, &twice(claims_text.clone(), "\"sub\":\"root\""))),
        ("claims and more", signed_text(&header_text, &format!("{claims_text}{{}}"))),
        ("header with a byte order mark", signed_text(&format!("\u{feff}{header_text}"), &claims_text)),
        ("iss a list with ours", m.says(json!({ "iss": [ISSUER] }))),
        ("aud an object", m.says(json!({ "aud": { "api": true } }))),
        ("exp a text", m.says(json!({ "exp": (now + 3600).to_string() }))),
        ("exp with a fraction", m.says(json!({ "exp": now as f64 + 3600.5 }))),
        (
            "exp beyond all time",
            signed_text(&header_text, &claims_text.replacen(&m.claims()["exp"].to_string(), "1e400", 1)),
        ),
        ("iat in an hour", m.says(json!({ "iat": now + 3600 }))),
        ("iat missing", m.says(json!({ "iat": null }))),
        ("nbf a text", m.says(json!({ "nbf": "0" }))),
        ("sub empty", m.says(json!({ "sub": "" }))),
        ("sub a number", m.says(json!({ "sub": 1 }))),
        ("client_id missing", m.says(json!({ "client_id": null }))),
        ("longer than 8 KiB", m.says(json!({ "nickname": "x".repeat(9000) }))),
        ("the other base64", format!("{header}.{claims}.{}", other.replace('-', "+").replace('_', "/"))),
    ]
}
