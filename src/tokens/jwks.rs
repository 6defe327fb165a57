//! What siblings see: the published keys as a document, and as keys to verify with.

use jsonwebtoken::jwk::JwkSet;
use verify::KeySet;

use super::key::SigningKey;
use super::keyring::Keyring;
use crate::clock::Timestamp;
use crate::document::Document;

/// One snapshot of the published keys, made when they change and served from memory.
pub struct Published {
    document: Document,
    algorithms: Vec<&'static str>,
    keys: KeySet,
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Published {
    pub(super) fn of(ring: &Keyring<SigningKey>, now: Timestamp) -> Self {
        let published: Vec<_> = ring.published(now).collect();
        let set = JwkSet { keys: published.iter().map(|key| key.jwk().clone()).collect() };
        #[expect(
            clippy::expect_used,
            reason = "keys that passed their self-test at start-up serialize and parse"
        )]
        let (json, keys) = (
            serde_json::to_vec(&set).expect("a JWKS serializes"),
            KeySet::from_jwks(&set.keys).expect("our own keys can be read"),
        );
        let mut algorithms: Vec<_> = published.iter().map(|key| key.alg()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        Self { document: Document::of(json), algorithms, keys, since: now, until: ring.next_change(now) }
    }

    /// Whether this snapshot is the one of `now`.
    pub(super) fn is_of(&self, now: Timestamp) -> bool {
        self.since <= now && self.until.is_none_or(|until| now < until)
    }

    /// The JWKS document.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The `alg` names of the published keys.
    pub fn algorithms(&self) -> &[&'static str] {
        &self.algorithms
    }

    /// The same keys, to verify with.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }
}
