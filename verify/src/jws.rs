//! Takes a compact JWS (RFC 7515 §7.1) apart, strictly.
//!
//! By hand, because jsonwebtoken accepts what this must not: it keeps the last of two duplicate members, and two
//! texts that decode to the same bytes both pass, so that a list of seen tokens could be walked around.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::token::Refusal;

/// Longer than any token of ours, short enough that a hostile one costs nothing.
const LONGEST: usize = 8 * 1024;

/// A token's three parts, decoded but not yet believed.
pub(crate) struct Parts<'t> {
    /// The header's members.
    pub(crate) header: Header,
    /// The claims' members.
    pub(crate) claims: Members,
    /// What the signature is over: the first two parts as they came.
    pub(crate) signed: &'t str,
    /// The signature as it came (base64url).
    pub(crate) signature: &'t str,
}

/// What a header may say that we act upon.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) crit: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) b64: Option<Value>,
}

/// A member that is null is there all the same.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A JSON object in which every member stands once.
pub(crate) struct Members(BTreeMap<String, Value>);

impl Members {
    /// Whether `nbf`, where there is one, has passed at `now`; one that is no time never has.
    pub(crate) fn allows(&self, now: i64) -> bool {
        self.0.get("nbf").is_none_or(|nbf| nbf.as_i64().is_some_and(|nbf| nbf <= now))
    }

    pub(crate) fn into_typed<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        serde_json::from_value(Value::Object(self.0.into_iter().collect()))
    }
}

/// Splits and decodes; the signature is checked by [`crate::verify`].
pub(crate) fn split(token: &str) -> Result<Parts<'_>, Refusal> {
    if token.len() > LONGEST {
        return Err(Refusal::Malformed("longer than 8 KiB"));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed("not three parts"))?;
    let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed("not three parts"))?;
    if claims.contains('.') {
        return Err(Refusal::Malformed("not three parts"));
    }
    decode(signature)?;
    let header: Members = json(header)?;
    let header = header.into_typed().map_err(|_| Refusal::Malformed("header"))?;
    Ok(Parts { header, claims: json(claims)?, signed, signature })
}

/// base64url without padding, canonical: the engine refuses padding and non-zero trailing bits.
pub(crate) fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed("not canonical base64url"))
}

fn json(part: &str) -> Result<Members, Refusal> {
    serde_json::from_slice(&decode(part)?)
        .map_err(|_| Refusal::Malformed("not a JSON object of distinct members"))
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Distinct;
        impl<'de> Visitor<'de> for Distinct {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose members are distinct")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Distinct)
    }
}
