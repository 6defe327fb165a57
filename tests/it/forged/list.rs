//! The forgeries by name. What is signed by our own key is wrong in what it says, everything else in its signature too.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bytes::{ORDER, der, signature, spki};
use crate::world::forge::{Ec, Rsa, base64url, message, part};
use crate::world::{ISSUER, World, keys};

/// What a forger has, and more.
pub(crate) struct Material {
    /// A token that counts.
    pub(crate) good: String,
    /// Another one.
    pub(super) other: String,
    /// The key that signs.
    pub(super) ec: Ec,
    /// A published key that doesn't sign yet.
    pub(super) rsa: Rsa,
    /// A key of nobody's.
    pub(super) stranger: Ec,
    /// The published keys.
    pub(super) jwks: Value,
    /// Where the forger publishes keys of their own.
    pub(super) evil: String,
}

pub(crate) type Named = (&'static str, String);

impl Material {
    /// Of a world whose first key is P-256 and whose second, published already, is RSA.
    pub(crate) async fn of(world: &World, [ec, rsa]: [&str; 2], evil: &str) -> Self {
        let token = async || world.login("alice").await["token"].as_str().unwrap().to_owned();
        let jwks = world.get("/.well-known/jwks.json", &[]).await.json();
        Self {
            good: token().await,
            other: token().await,
            ec: Ec::new(ec),
            rsa: Rsa::new(rsa),
            stranger: Ec::new(&keys::p256()),
            jwks,
            evil: evil.to_owned(),
        }
    }

    pub(super) fn header(&self) -> Value {
        part(&self.good, 0)
    }

    pub(super) fn claims(&self) -> Value {
        part(&self.good, 1)
    }

    pub(super) fn header_with(&self, more: Value) -> Value {
        with(self.header(), more)
    }

    /// The good claims under another header, signed by the stranger.
    fn by_stranger(&self, more: Value) -> String {
        self.stranger.token(&self.header_with(more), &self.claims())
    }

    /// Other claims, signed by our key.
    pub(super) fn says(&self, more: Value) -> String {
        self.ec.token(&self.header(), &with(self.claims(), more))
    }

    fn hmac(&self, alg: &str, kid: &Value, secret: &[u8]) -> String {
        let message = message(&self.header_with(json!({ "alg": alg, "kid": kid })), &self.claims());
        let algorithm = match alg {
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
        format!("{message}.{}", base64url(tag))
    }

    /// The good token with other bytes for its signature.
    pub(super) fn resigned(&self, signature: &[u8]) -> String {
        let (message, _) = self.good.rsplit_once('.').unwrap();
        format!("{message}.{}", base64url(signature))
    }

    fn jwk(&self, at: &str) -> Value {
        self.jwks["keys"].as_array().unwrap().iter().find(|key| key["alg"] == at).unwrap().clone()
    }

    fn stranger_jwk(&self, kid: &Value) -> Value {
        let point = self.stranger.public();
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
                "x": base64url(&point[1..33]), "y": base64url(&point[33..]) })
    }
}

/// Members replaced, or taken away by null.
fn with(mut object: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

/// Every one that a verifier must refuse by the RFCs, or by the rules that we ask of it (iss, aud, exp and sub).
pub(crate) fn forgeries(m: &Material) -> Vec<Named> {
    [by_algorithm(m), by_key(m), by_signature(m), by_claims(m), by_shape(m)].concat()
}

fn by_algorithm(m: &Material) -> Vec<Named> {
    let (_, signature) = m.good.rsplit_once('.').unwrap();
    let none = |alg: &str| message(&m.header_with(json!({ "alg": alg })), &m.claims());
    let ec_kid = m.header()["kid"].clone();
    let rsa_kid = m.jwk("RS256")["kid"].clone();
    let ec_spki = spki(m.ec.public());
    let pem = |der: &[u8]| pem::encode(&pem::Pem::new("PUBLIC KEY", der));
    let claimed = |alg: &str, kid: &Value| m.header_with(json!({ "alg": alg, "kid": kid }));
    vec![
        ("alg none", format!("{}.", none("none"))),
        ("alg None", format!("{}.", none("None"))),
        ("alg NONE", format!("{}.", none("NONE"))),
        ("alg nOnE", format!("{}.", none("nOnE"))),
        ("alg none with the good signature", format!("{}.{signature}", none("none"))),
        ("alg empty", format!("{}.{signature}", none(""))),
        ("alg missing", m.ec.token(&m.header_with(json!({ "alg": null })), &m.claims())),
        ("alg a list", m.ec.token(&m.header_with(json!({ "alg": ["ES256"] })), &m.claims())),
        ("alg in small letters", m.ec.token(&m.header_with(json!({ "alg": "es256" })), &m.claims())),
        ("HS256 by the public key's PEM", m.hmac("HS256", &ec_kid, pem(&ec_spki).as_bytes())),
        ("HS384 by the public key's PEM", m.hmac("HS384", &ec_kid, pem(&ec_spki).as_bytes())),
        ("HS512 by the public key's PEM", m.hmac("HS512", &ec_kid, pem(&ec_spki).as_bytes())),
        ("HS256 by the public key's DER", m.hmac("HS256", &ec_kid, &ec_spki)),
        ("HS256 by the public point", m.hmac("HS256", &ec_kid, m.ec.public())),
        ("HS256 by the JWK's text", m.hmac("HS256", &ec_kid, m.jwk("ES256").to_string().as_bytes())),
        ("HS256 by the JWK's x", m.hmac("HS256", &ec_kid, m.jwk("ES256")["x"].as_str().unwrap().as_bytes())),
        (
            "HS256 by the RSA key's n",
            m.hmac("HS256", &rsa_kid, m.jwk("RS256")["n"].as_str().unwrap().as_bytes()),
        ),
        ("HS256 by nothing", m.hmac("HS256", &ec_kid, b"")),
        ("HS256 by a file of zeros", m.hmac("HS256", &json!("../../../../dev/null"), b"")),
        ("ES256 said of the RSA key", m.ec.token(&claimed("ES256", &rsa_kid), &m.claims())),
        ("RS256 said of the EC key", m.rsa.signed(&message(&claimed("RS256", &ec_kid), &m.claims()))),
        ("PS256 by the RSA key", m.rsa.signed_pss(&message(&claimed("PS256", &rsa_kid), &m.claims()))),
        (
            "RS256 said of a PSS signature",
            m.rsa.signed_pss(&message(&claimed("RS256", &rsa_kid), &m.claims())),
        ),
        (
            "RS512 said of an RS256 signature",
            m.rsa.signed(&message(&claimed("RS512", &rsa_kid), &m.claims())),
        ),
        ("ES384 said of the EC key", m.ec.token(&claimed("ES384", &ec_kid), &m.claims())),
        ("ES256K said of the EC key", m.ec.token(&claimed("ES256K", &ec_kid), &m.claims())),
        ("EdDSA said of the EC key", m.ec.token(&claimed("EdDSA", &ec_kid), &m.claims())),
    ]
}

fn by_key(m: &Material) -> Vec<Named> {
    let kid = m.header()["kid"].clone();
    let jwk = m.stranger_jwk(&kid);
    let url = |path: &str| format!("{}{path}", m.evil);
    vec![
        ("a stranger's key", m.by_stranger(json!({}))),
        ("a stranger's key, no kid", m.by_stranger(json!({ "kid": null }))),
        ("an unknown kid", m.by_stranger(json!({ "kid": "unknown" }))),
        (
            "an unknown kid, signed by our key",
            m.ec.token(&m.header_with(json!({ "kid": "unknown" })), &m.claims()),
        ),
        ("kid climbs to a file", m.by_stranger(json!({ "kid": "../../../../etc/hostname" }))),
        ("kid speaks SQL", m.by_stranger(json!({ "kid": "x' UNION SELECT 'secret" }))),
        ("kid runs a command", m.by_stranger(json!({ "kid": "key|/bin/true" }))),
        ("kid is an address", m.by_stranger(json!({ "kid": url("/jwks.json") }))),
        ("kid is a property of every object", m.by_stranger(json!({ "kid": "__proto__" }))),
        ("kid is a number", m.by_stranger(json!({ "kid": 0 }))),
        ("jwk under our kid", m.by_stranger(json!({ "jwk": jwk }))),
        (
            "jwk under its own kid",
            m.by_stranger(json!({ "kid": "evil", "jwk": m.stranger_jwk(&json!("evil")) })),
        ),
        ("jku", m.by_stranger(json!({ "jku": url("/jwks.json") }))),
        ("jku under its own kid", m.by_stranger(json!({ "kid": "evil", "jku": url("/jwks.json") }))),
        ("x5u", m.by_stranger(json!({ "x5u": url("/cert.pem") }))),
        ("x5c", m.by_stranger(json!({ "x5c": [STANDARD.encode(spki(m.stranger.public()))] }))),
        (
            "iss points to a stranger",
            m.stranger.token(&m.header(), &with(m.claims(), json!({ "iss": m.evil }))),
        ),
    ]
}

fn by_signature(m: &Material) -> Vec<Named> {
    let good = signature(&m.good);
    let (r, s) = good.split_at(32);
    let order = ORDER.to_vec();
    let one = [vec![0; 31], vec![1]].concat();
    let zero = vec![0; 32];
    let (_, others) = m.other.rsplit_once('.').unwrap();
    let (head, _) = m.good.rsplit_once('.').unwrap();
    let mut flipped = good.clone();
    flipped[40] ^= 1;
    let changed =
        base64url(with(m.claims(), json!({ "sub": "00000000-0000-7000-8000-000000000000" })).to_string());
    let (header, _) = head.split_once('.').unwrap();
    vec![
        ("r = s = 0", m.resigned(&[0; 64])),
        ("r = 0", m.resigned(&[&zero, s].concat())),
        ("s = 0", m.resigned(&[r, &zero].concat())),
        ("r = s = 1", m.resigned(&[one.clone(), one].concat())),
        ("r = s = n", m.resigned(&[order.clone(), order.clone()].concat())),
        ("r = n, s = good", m.resigned(&[&order, s].concat())),
        ("r and s swapped", m.resigned(&[s, r].concat())),
        ("r and s in DER", m.resigned(&der(r, s))),
        ("r = s = 0 in DER", m.resigned(&[0x30, 6, 2, 1, 0, 2, 1, 0])),
        ("no signature", format!("{head}.")),
        ("half a signature", m.resigned(r)),
        ("a signature cut by a byte", m.resigned(&good[..63])),
        ("a signature and a byte", m.resigned(&[good.as_slice(), &[0]].concat())),
        ("a bit turned", m.resigned(&flipped)),
        ("the signature of another token", format!("{head}.{others}")),
        ("another sub under the good signature", format!("{header}.{changed}.{}", base64url(&good))),
    ]
}

fn by_claims(m: &Material) -> Vec<Named> {
    let now = m.claims()["iat"].as_i64().unwrap();
    let crit = |more: Value| m.ec.token(&m.header_with(more), &m.claims());
    vec![
        ("crit of something unknown", crit(json!({ "crit": ["tenant"], "tenant": "1" }))),
        ("aud is another service", m.says(json!({ "aud": "another" }))),
        ("aud is others", m.says(json!({ "aud": ["another", "apis", "ap"] }))),
        ("aud in capitals", m.says(json!({ "aud": "API" }))),
        ("aud has ours inside", m.says(json!({ "aud": "an api of ours" }))),
        ("aud empty", m.says(json!({ "aud": [] }))),
        ("aud missing", m.says(json!({ "aud": null }))),
        ("iss is another gateway", m.says(json!({ "iss": "https://auth.example.org" }))),
        ("iss with a slash", m.says(json!({ "iss": format!("{ISSUER}/") }))),
        ("iss begins like ours", m.says(json!({ "iss": format!("{ISSUER}.evil.example") }))),
        ("iss in capitals", m.says(json!({ "iss": ISSUER.to_uppercase() }))),
        ("iss missing", m.says(json!({ "iss": null }))),
        ("exp an hour ago", m.says(json!({ "exp": now - 3600 }))),
        ("exp 0", m.says(json!({ "exp": 0 }))),
        ("exp before time", m.says(json!({ "exp": -1 }))),
        ("exp missing", m.says(json!({ "exp": null }))),
        ("exp a word", m.says(json!({ "exp": "never" }))),
        ("nbf in an hour", m.says(json!({ "nbf": now + 3600 }))),
        ("sub missing", m.says(json!({ "sub": null }))),
        ("claims of a list", m.ec.signed(&message(&m.header(), &json!([m.claims()])))),
        ("claims of a text", m.ec.signed(&message(&m.header(), &json!("sub")))),
        (
            "claims of no JSON",
            m.ec.signed(&format!("{}.{}", base64url(m.header().to_string()), base64url("sub=1"))),
        ),
    ]
}

fn by_shape(m: &Material) -> Vec<Named> {
    let parts: Vec<&str> = m.good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{parts:?}") };
    let json_form =
        json!({ "payload": claims, "signatures": [{ "protected": header, "signature": signature }] });
    vec![
        ("nothing", String::new()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{header}.{claims}.{signature}.{signature}")),
        ("five parts, as a JWE", format!("{header}..{claims}.{signature}.{signature}")),
        ("the JSON form of a JWS", json_form.to_string()),
        ("a header of no JSON", m.ec.signed(&format!("{}.{claims}", base64url("alg=ES256")))),
        ("header and claims changed about", m.ec.signed(&format!("{claims}.{header}"))),
        ("a good token in a good token", m.ec.signed(&format!("{header}.{}", base64url(&m.good)))),
    ]
}
