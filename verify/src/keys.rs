//! The published keys: a JWKS (RFC 7517), parsed once.

use std::collections::BTreeMap;
use std::fmt;

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::token::ALGORITHMS;

/// Keys by `kid`, each with the one algorithm it may be used with.
pub struct KeySet {
    keys: BTreeMap<String, (Algorithm, DecodingKey)>,
}

/// Why a JWKS can't be used.
#[derive(Debug)]
pub struct KeySetError(String);

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeySetError {}

impl KeySet {
    /// From the bytes of a JWKS document. Keys that aren't for signatures, have no `kid`, or whose algorithm this
    /// crate doesn't verify or can't read, are passed over: a set may hold keys for others.
    pub fn from_json(jwks: &[u8]) -> Result<Self, KeySetError> {
        let set: JwkSet =
            serde_json::from_slice(jwks).map_err(|error| KeySetError(format!("not a JWKS: {error}")))?;
        Self::from_jwks(&set.keys)
    }

    /// From parsed JWKs.
    pub fn from_jwks<'k>(jwks: impl IntoIterator<Item = &'k Jwk>) -> Result<Self, KeySetError> {
        let mut keys = BTreeMap::new();
        for jwk in jwks {
            let Some((kid, algorithm)) = usable(jwk) else { continue };
            // One that can't be read verifies nothing; the others still do.
            let Ok(key) = DecodingKey::from_jwk(jwk) else { continue };
            if keys.insert(kid.clone(), (algorithm, key)).is_some() {
                return Err(KeySetError(format!("two keys share the kid {kid}")));
            }
        }
        Ok(Self { keys })
    }

    /// The key of that `kid`, and the algorithm it is pinned to.
    pub(crate) fn find(&self, kid: &str) -> Option<(Algorithm, &DecodingKey)> {
        self.keys.get(kid).map(|(algorithm, key)| (*algorithm, key))
    }

    /// How many keys can verify.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none can.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

/// The kid and algorithm of a key that may verify our tokens. The algorithm comes from the key, never from a token.
fn usable(jwk: &Jwk) -> Option<(&String, Algorithm)> {
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let algorithm = Algorithm::try_from(common.key_algorithm?).ok()?;
    ALGORITHMS.contains(&algorithm).then_some(())?;
    Some((common.key_id.as_ref()?, algorithm))
}
