//! The keys as one configuration lists them: read, tested, and put in the order in which they sign.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::jwks::Published;
use super::key::SigningKey;
use super::keyring::{Entry, Keyring};
use crate::clock::Timestamp;
use crate::config::{self, Problem};

/// A checked set of keys, swapped as a whole.
pub(super) struct Ring {
    pub(super) keys: Keyring<SigningKey>,
    /// By kid.
    pub(super) listed: BTreeMap<String, Listed>,
    /// What is published now, until it changes.
    published: ArcSwapOption<Published>,
}

/// What the configuration says of a key beyond its instant.
pub(super) struct Listed {
    /// Its place in `tokens.keys`.
    pub(super) at: usize,
    /// Its file.
    pub(super) file: PathBuf,
    /// Whether it may sign before every sibling has seen it.
    pub(super) emergency: bool,
    /// Since when this process publishes it.
    pub(super) since: Timestamp,
    /// Until when tokens count that it signed under the lists of before, whatever this one says of it.
    pub(super) needed_until: Timestamp,
}

impl Ring {
    /// From `tokens.keys`; every key that doesn't do is a problem. What a process starts with counts as published for
    /// ever: it can't know what stood here before.
    pub(super) fn read(config: &config::Tokens, now: Timestamp) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut entries: Vec<Entry<SigningKey>> = Vec::new();
        let mut listed = BTreeMap::new();
        // A file that couldn't be read has been reported where it was; a revoked key is as if it weren't listed.
        let given =
            config.keys.iter().enumerate().filter(|(_, key)| !key.pem.expose().is_empty() && !key.revoked);
        for (at, each) in given {
            let name = format!("tokens.keys[{at}].file");
            if config.keys.iter().any(|other| other.revoked && other.file == each.file) {
                // Which of the two is meant decides whether a stolen key signs.
                let text = format!(
                    "{} is listed a second time with revoked = true: to revoke it, take these lines off",
                    each.file.display()
                );
                problems.push(Problem::new(name, text));
                continue;
            }
            match SigningKey::from_pem(&each.pem, &each.phrase) {
                Ok(key) if listed.contains_key(key.kid()) => {
                    problems.push(Problem::new(name, "is the same key as another in the list"));
                }
                Ok(key) => {
                    let (file, emergency) = (each.file.clone(), each.emergency);
                    let (since, needed_until) = (Timestamp::MIN, Timestamp::MIN);
                    let kid = key.kid().to_owned();
                    listed.insert(kid, Listed { at, file, emergency, since, needed_until });
                    entries.push(Entry { key, sign_from: each.sign_from });
                }
                Err(text) => problems.push(Problem::new(name, format!("{}: {text}", each.file.display()))),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let keys = Keyring::new(entries, retention(config))
            .map_err(|text| vec![Problem::new("tokens.keys", text)])?;
        if keys.signer(now).is_none() {
            if config.keys.iter().all(|key| key.pem.expose().is_empty() && !key.revoked) {
                return Err(problems);
            }
            let text = "none signs now: every key is revoked, or its sign_from lies ahead; \
                        a key without sign_from signs from the beginning";
            return Err(vec![Problem::new("tokens.keys", text)]);
        }
        Ok(Self { keys, listed, published: ArcSwapOption::empty() })
    }

    /// The published keys at `now`: one snapshot, kept until the next change.
    pub(super) fn published(&self, now: Timestamp) -> Arc<Published> {
        if let Some(published) = self.published.load_full()
            && published.is_of(now)
        {
            return published;
        }
        let published = Arc::new(Published::of(&self.keys, now));
        self.published.store(Some(published.clone()));
        published
    }
}

/// How long a superseded key stays published: the last token it signed may live a ttl, clocks may be a leeway apart,
/// and a sibling may have fetched the keys a cache's life ago.
fn retention(config: &config::Tokens) -> Duration {
    config.ttl.saturating_add(config.leeway).saturating_add(config.verifier_cache)
}
