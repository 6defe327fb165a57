//! Which key signs and which are published, at an instant: pure, so that every replica decides alike.
//!
//! - **Signs**: the key with the latest `sign_from` that has passed.
//! - **Published** (and accepted): every key not yet superseded, and a superseded one for the retention after that.
//! - A **revoked** key never comes in here: it is as if it had never been listed (`ring` leaves it out).

use std::time::Duration;

use crate::clock::{Timestamp, after};

/// One listed key.
pub(super) struct Entry<K> {
    pub(super) key: K,
    /// None: from the beginning.
    pub(super) sign_from: Option<Timestamp>,
}

/// The keys in the order in which they sign.
pub(super) struct Keyring<K> {
    keys: Vec<(Timestamp, K)>,
    retention: Duration,
}

impl<K> Keyring<K> {
    /// Two keys that would begin to sign at one instant are refused: no order in a file should decide that.
    pub(super) fn new(entries: Vec<Entry<K>>, retention: Duration) -> Result<Self, String> {
        let begin = |entry: Entry<K>| (entry.sign_from.unwrap_or(Timestamp::MIN), entry.key);
        let mut keys: Vec<(Timestamp, K)> = entries.into_iter().map(begin).collect();
        keys.sort_by_key(|(sign_from, _)| *sign_from);
        for pair in keys.windows(2) {
            if pair[0].0 == pair[1].0 {
                let instant = pair[0].0;
                return Err(if instant == Timestamp::MIN {
                    "two keys have no sign_from: give the newer one the instant from which it signs"
                        .to_owned()
                } else {
                    format!("two keys have sign_from = {instant}: only one can begin to sign then")
                });
            }
        }
        Ok(Self { keys, retention })
    }

    /// The key that signs at `now`.
    pub(super) fn signer(&self, now: Timestamp) -> Option<&K> {
        self.keys.iter().rev().find(|(sign_from, _)| *sign_from <= now).map(|(_, key)| key)
    }

    /// The keys that verify at `now`, in the order in which they sign.
    pub(super) fn published(&self, now: Timestamp) -> impl Iterator<Item = &K> {
        self.keys
            .iter()
            .enumerate()
            .filter(move |(at, _)| self.gone_from(*at).is_none_or(|gone| now < gone))
            .map(|(_, (_, key))| key)
    }

    /// The first instant after `now` at which the published set changes; none: never.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        (0..self.keys.len()).filter_map(|at| self.gone_from(at)).filter(|gone| *gone > now).min()
    }

    /// Every key with the instant from which it signs and the one from which its successor does.
    pub(super) fn schedule(&self) -> impl Iterator<Item = (&K, Timestamp, Option<Timestamp>)> {
        let successor = |at: usize| self.keys.get(at + 1).map(|(sign_from, _)| *sign_from);
        self.keys.iter().enumerate().map(move |(at, (sign_from, key))| (key, *sign_from, successor(at)))
    }

    /// When a key whose successor began to sign at `superseded` stops being published.
    pub(super) fn gone_after(&self, superseded: Timestamp) -> Timestamp {
        after(superseded, self.retention)
    }

    /// When the key at this place stops being published: the retention after its successor begins to sign.
    fn gone_from(&self, at: usize) -> Option<Timestamp> {
        self.keys.get(at + 1).map(|(superseded, _)| self.gone_after(*superseded))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETENTION: Duration = Duration::from_secs(100);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ring(keys: &[(char, Option<i64>)]) -> Result<Keyring<char>, String> {
        let entries = keys.iter().map(|(key, from)| Entry { key: *key, sign_from: from.map(at) });
        Keyring::new(entries.collect(), RETENTION)
    }

    fn published(ring: &Keyring<char>, second: i64) -> String {
        ring.published(at(second)).collect()
    }

    #[test]
    fn a_new_key_is_published_from_the_start_signs_on_time_and_the_old_one_stays_for_the_retention() {
        let ring = ring(&[('b', Some(1000)), ('a', None)]).unwrap();
        assert_eq!((ring.signer(at(999)), published(&ring, 999).as_str()), (Some(&'a'), "ab"));
        assert_eq!((ring.signer(at(1000)), published(&ring, 1000).as_str()), (Some(&'b'), "ab"));
        assert_eq!(published(&ring, 1099), "ab");
        assert_eq!(published(&ring, 1100), "b");
        assert_eq!((ring.next_change(at(0)), ring.next_change(at(1100))), (Some(at(1100)), None));
    }

    #[test]
    fn two_keys_that_would_begin_at_one_instant_are_refused() {
        assert!(ring(&[('a', None), ('b', None)]).is_err());
        assert!(ring(&[('a', Some(5)), ('b', Some(5))]).is_err());
    }

    proptest! {
        #[test]
        fn there_is_always_a_signer_it_is_published_and_nothing_it_signed_is_dropped_early(
            starts in proptest::collection::btree_set(1i64..10_000, 0..8), now in 0i64..12_000,
        ) {
            let keys: Vec<Entry<i64>> = std::iter::once(Entry { key: 0, sign_from: None })
                .chain(starts.iter().map(|s| Entry { key: *s, sign_from: Some(at(*s)) }))
                .collect();
            let ring = Keyring::new(keys, RETENTION).unwrap();
            let signer = *ring.signer(at(now)).unwrap();
            // Whatever signs now verifies now, and until the retention has passed.
            for later in [0, 1, 50, 99] {
                prop_assert!(ring.published(at(now + later)).any(|key| *key == signer));
            }
            // The snapshot holds until the change it announces.
            if let Some(change) = ring.next_change(at(now)) {
                let before: Vec<_> = ring.published(at(now)).collect();
                let just_before: Vec<_> = ring.published(at(change.as_second() - 1)).collect();
                let then: Vec<_> = ring.published(change).collect();
                prop_assert_eq!(&before, &just_before);
                prop_assert_ne!(&before, &then);
            }
        }
    }
}
