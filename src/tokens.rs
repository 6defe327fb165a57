//! Access tokens: who signs, what is published, what counts.
//!
//! Owns the key ring (a pure function of configuration and instant), the issuer and the JWKS. Refuses to know users:
//! a [`Subject`] goes in, a token comes out. Verifying is `wxgate-verify`'s, with the keys published here, so that the
//! gateway never accepts what a sibling would refuse.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Timestamp;
use crate::config::{self, Problem};
use crate::telemetry;

mod encrypted;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod issuer;
mod jwks;
mod key;
mod keyring;
mod plan;
mod ring;
mod succession;
mod verified;

pub use issuer::{Issued, Subject};
pub use jwks::Published;
pub(crate) use key::generate as generate_key;
pub use plan::{LIFE, Planned, Stage, Step, next_step};
pub use succession::SLACK;
pub use verify::{Claims, Refusal};

use issuer::Issuer;
use ring::Ring;
use verified::Verified;

/// Everything about tokens.
pub struct Tokens {
    ring: ArcSwap<Ring>,
    issuer: Issuer,
    expected: verify::Expected,
    verified: Verified,
}

/// A set of keys that may follow the one in force.
pub struct NextRing(Ring);

impl Tokens {
    /// From `[tokens]`; every key that doesn't do is a problem.
    pub fn from_config(config: &config::Tokens, now: Timestamp) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            ring: ArcSwap::from_pointee(Ring::read(config, now)?),
            issuer: Issuer::new(config),
            expected: verify::Expected {
                issuer: config.issuer.clone(),
                audience: config.audience.clone(),
                leeway: config.leeway,
            },
            verified: Verified::new(config.ttl.saturating_add(config.leeway)),
        })
    }

    /// Another set of keys, if it may follow the one in force. Only `config.keys` is new; the rest is what the gateway was
    /// started with.
    pub fn next(&self, config: &config::Tokens, now: Timestamp) -> Result<NextRing, Vec<Problem>> {
        let mut next = Ring::read(config, now)?;
        let problems = succession::succeed(&self.ring.load(), &mut next, config, now);
        if problems.is_empty() { Ok(NextRing(next)) } else { Err(problems) }
    }

    /// Signs and verifies with these from now on.
    pub fn adopt(&self, next: NextRing) {
        self.ring.store(Arc::new(next.0));
    }

    /// Signs a token for `subject` at `now`; `jti` is its id.
    pub fn issue(
        &self,
        subject: &Subject<'_>,
        jti: uuid::Uuid,
        now: Timestamp,
    ) -> Result<Issued, issuer::CannotSign> {
        let ring = self.ring.load();
        let key = ring.keys.signer(now).ok_or(issuer::CannotSign)?;
        let issued = self.issuer.issue(key, subject, jti, now)?;
        telemetry::token_issued(key.kid());
        Ok(issued)
    }

    /// What a token says, if it counts at `now` by signature, times, issuer and audience.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, Refusal> {
        self.verified.verify(token, self.published(now), &self.expected, now)
    }

    /// The keys that siblings see at `now`: one snapshot, kept until the ring's next change.
    pub fn published(&self, now: Timestamp) -> Arc<Published> {
        self.ring.load().published(now)
    }

    /// The keys in the order in which they sign, with what happens to each and when.
    pub fn plan(&self) -> Vec<Planned> {
        let ring = self.ring.load();
        let planned = ring.keys.schedule().map(|(key, signs, superseded)| {
            let listed = ring.listed.get(key.kid());
            Planned {
                file: listed.map(|listed| listed.file.clone()).unwrap_or_default(),
                kid: key.kid().to_owned(),
                alg: key.alg(),
                since: listed.map(|listed| listed.since).filter(|since| *since > Timestamp::MIN),
                signs: Some(signs).filter(|signs| *signs > Timestamp::MIN),
                superseded,
                gone: superseded.map(|superseded| ring.keys.gone_after(superseded)),
            }
        });
        planned.collect()
    }

    /// The `iss` of every token, a bare origin.
    pub fn issuer(&self) -> &str {
        &self.expected.issuer
    }

    /// How far clocks may be apart.
    pub fn leeway(&self) -> std::time::Duration {
        self.expected.leeway
    }

    /// How long a token counts.
    pub fn ttl(&self) -> std::time::Duration {
        self.issuer.ttl()
    }

    /// The kid of the key that signs at `now`.
    pub fn signer(&self, now: Timestamp) -> Option<String> {
        self.ring.load().keys.signer(now).map(|key| key.kid().to_owned())
    }

    /// Whether a key signs at `now`.
    pub fn can_sign(&self, now: Timestamp) -> bool {
        self.signer(now).is_some()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("issuer", &self.expected.issuer).finish_non_exhaustive()
    }
}
