//! Access tokens: who signs, what is published, what counts.
//!
//! Owns the key ring (a pure function of configuration and instant), the issuer and the JWKS. Refuses to know users:
//! a [`Subject`] goes in, a token comes out. Verifying is `wxgate-verify`'s, with the keys published here, so that the
//! gateway never accepts what a sibling would refuse.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::clock::Timestamp;
use crate::config::{self, Problem};

mod issuer;
mod jwks;
mod key;
mod keyring;

pub use issuer::{Issued, Subject};
pub use jwks::Published;
pub(crate) use key::generate as generate_key;
pub use verify::{Claims, Refusal};

use issuer::Issuer;
use key::SigningKey;
use keyring::{Entry, Keyring};

/// Everything about tokens.
pub struct Tokens {
    ring: Keyring<SigningKey>,
    issuer: Issuer,
    expected: verify::Expected,
    /// What is published now, until it changes.
    published: ArcSwapOption<Published>,
}

impl Tokens {
    /// From `[tokens]`; every key that doesn't do is a problem.
    pub fn from_config(config: &config::Tokens, now: Timestamp) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut entries: Vec<Entry<SigningKey>> = Vec::new();
        // A file that couldn't be read has been reported where it was; a revoked key is as if it weren't listed.
        let given =
            config.keys.iter().enumerate().filter(|(_, key)| !key.pem.expose().is_empty() && !key.revoked);
        for (at, listed) in given {
            let name = format!("tokens.keys[{at}].file");
            match SigningKey::from_pem(listed.pem.expose()) {
                Ok(key) if entries.iter().any(|entry| entry.key.kid() == key.kid()) => {
                    problems.push(Problem::new(name, "is the same key as another in the list"));
                }
                Ok(key) => entries.push(Entry { key, sign_from: listed.sign_from, revoked: false }),
                Err(text) => problems.push(Problem::new(name, format!("{}: {text}", listed.file.display()))),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let retention = retention(config);
        let ring =
            Keyring::new(entries, retention).map_err(|text| vec![Problem::new("tokens.keys", text)])?;
        if ring.signer(now).is_none() {
            if config.keys.iter().all(|key| key.pem.expose().is_empty() && !key.revoked) {
                return Err(problems);
            }
            let text = "none signs now: every key is revoked, or its sign_from lies ahead; \
                        a key without sign_from signs from the beginning";
            return Err(vec![Problem::new("tokens.keys", text)]);
        }
        Ok(Self {
            ring,
            issuer: Issuer::new(config),
            expected: verify::Expected {
                issuer: config.issuer.clone(),
                audience: config.audience.clone(),
                leeway: config.leeway,
            },
            published: ArcSwapOption::empty(),
        })
    }

    /// Signs a token for `subject` at `now`; `jti` is its id.
    pub fn issue(
        &self,
        subject: &Subject<'_>,
        jti: uuid::Uuid,
        now: Timestamp,
    ) -> Result<Issued, issuer::CannotSign> {
        self.issuer.issue(self.ring.signer(now).ok_or(issuer::CannotSign)?, subject, jti, now)
    }

    /// What a token says, if it counts at `now` by signature, times, issuer and audience.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        verify::verify(token, self.published(now).keys(), &self.expected, now.as_second())
    }

    /// The keys that siblings see at `now`: one snapshot, kept until the ring's next change.
    pub fn published(&self, now: Timestamp) -> Arc<Published> {
        if let Some(published) = self.published.load_full()
            && published.is_of(now)
        {
            return published;
        }
        let published = Arc::new(Published::of(&self.ring, now));
        self.published.store(Some(published.clone()));
        published
    }

    /// The `iss` of every token, a bare origin.
    pub fn issuer(&self) -> &str {
        &self.expected.issuer
    }

    /// Whether a key signs at `now`.
    pub fn can_sign(&self, now: Timestamp) -> bool {
        self.ring.signer(now).is_some()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("issuer", &self.expected.issuer).finish_non_exhaustive()
    }
}

/// How long a superseded key stays published: the last token it signed may live a ttl, clocks may be a leeway apart,
/// and a sibling may have fetched the keys a cache's life ago.
fn retention(config: &config::Tokens) -> Duration {
    config.ttl.saturating_add(config.leeway).saturating_add(config.verifier_cache)
}
