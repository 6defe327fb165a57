use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::config::{TokenKey, TokenType};
use crate::secret::ConfigSecret;

const TTL: u64 = 100;
const LEEWAY: u64 = 10;
const CACHE: u64 = 600;
/// Of the schedules, in seconds.
const STEP: i64 = 60;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Keys that are made once: what a test varies is when they are listed.
fn pems() -> &'static [String] {
    static PEMS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        (0..5).map(|_| crate::tokens::generate_key().unwrap().to_string()).collect()
    });
    &PEMS
}

/// How a key is listed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum As {
    Usual,
    Emergency,
    Revoked,
}

fn settings(list: &[(usize, Option<i64>, As)]) -> config::Tokens {
    let key = |(key, from, listed): &(usize, Option<i64>, As)| TokenKey {
        file: PathBuf::from(format!("{key}.pem")),
        sign_from: from.map(at),
        revoked: *listed == As::Revoked,
        emergency: *listed == As::Emergency,
        passphrase: None,
        passphrase_file: None,
        phrase: ConfigSecret::new(""),
        pem: ConfigSecret::new(pems()[*key].clone()),
    };
    config::Tokens {
        issuer: "https://auth.example.com".into(),
        audience: vec!["api".into()],
        ttl: Duration::from_secs(TTL),
        leeway: Duration::from_secs(LEEWAY),
        typ: TokenType::Jwt,
        verifier_cache: Duration::from_secs(CACHE),
        claims: Vec::new(),
        accept_headers: vec!["Authorization".into()],
        keys: list.iter().map(key).collect(),
    }
}

fn published(ring: &Ring, now: i64) -> BTreeSet<String> {
    ring.keys.published(at(now)).map(|key| key.kid().to_owned()).collect()
}

fn kids() -> &'static [String] {
    static KIDS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        let kid = |key| published(&Ring::read(&settings(&[(key, None, As::Usual)]), at(0)).unwrap(), 0);
        (0..pems().len()).flat_map(kid).collect()
    });
    &KIDS
}

/// What an operator does in a minute: writes a list, and perhaps the gateway starts anew with the one in force. What stood
/// published before it, a process that starts can't know; so nobody edits for a while then, as the docs ask.
type Turn = (bool, BTreeMap<usize, (Option<i64>, As)>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let listed = prop_oneof![5 => Just(As::Usual), 2 => Just(As::Emergency), 2 => Just(As::Revoked)];
    let list = proptest::collection::btree_map(0usize..5, (proptest::option::of(-5i64..40), listed), 1..5);
    proptest::collection::vec((proptest::bool::weighted(0.1), list), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    /// An operator who writes whatever list comes to mind, a minute after another; and siblings who verify by keys that
    /// they fetched at any time within the last `verifier_cache`. A key for an emergency may be missing in what was fetched
    /// before it was listed, and tokens of a revoked one are none that count; nothing else is forgiven.
    #[test]
    fn whatever_lists_an_operator_writes_no_sibling_refuses_a_token_that_counts(turns in turns()) {
        let first = settings(&[(0, None, As::Usual)]);
        let mut in_force = first.clone();
        let mut ring = Ring::read(&first, at(0)).unwrap();
        // What a sibling who fetched then has, by second of the fetch; before the start as at it.
        let mut fetched: Vec<(i64, BTreeSet<String>)> = vec![(-(CACHE as i64), published(&ring, 0)), (0, published(&ring, 0))];
        let mut tokens: Vec<(i64, String)> = Vec::new();
        // Since when a key is published, and those that may sign however short that is.
        let mut since: BTreeMap<String, i64> = BTreeMap::new();
        let mut urgent: BTreeSet<&str> = BTreeSet::new();
        let mut quiet_until = 0;
        for (turn, (restart, list)) in turns.iter().enumerate() {
            let now = (turn as i64 + 1) * STEP;
            // Just before the change, and just after it: logins, and siblings' fetches.
            for second in [now - 1, now] {
                if second == now && *restart {
                    ring = Ring::read(&in_force, at(now)).unwrap();
                    quiet_until = now + (CACHE + SLACK.as_secs() + TTL + LEEWAY) as i64;
                }
                if second == now && now >= quiet_until {
                    let list: Vec<_> = list.iter()
                        .map(|(key, (from, listed))| (*key, from.map(|from| now + from * STEP), *listed)).collect();
                    let config = settings(&list);
                    if let Ok(mut next) = Ring::read(&config, at(now))
                        && succeed(&ring, &mut next, &config, at(now)).is_empty()
                    {
                        let before = published(&ring, now);
                        for (key, _, listed) in &list {
                            let kid = kids()[*key].as_str();
                            match listed {
                                As::Emergency => drop(urgent.insert(kid)),
                                As::Revoked => tokens.retain(|(_, signed_by)| signed_by != kid),
                                _ => {}
                            }
                        }
                        (ring, in_force) = (next, config);
                        for kid in published(&ring, now).into_iter().filter(|kid| !before.contains(kid)) {
                            since.insert(kid, now);
                        }
                        for key in in_force.keys.iter().filter(|key| key.revoked) {
                            let at_hand = published(&ring, now);
                            let kid = kids().iter().enumerate().find(|(n, _)| *key.file == *format!("{n}.pem"));
                            prop_assert!(kid.is_none_or(|(_, kid)| !at_hand.contains(kid)), "a revoked key is published");
                        }
                    }
                }
                let signer = ring.keys.signer(at(second)).map(|key| key.kid().to_owned());
                prop_assert!(signer.is_some(), "nobody signs");
                let signer = signer.unwrap_or_default();
                prop_assert!(published(&ring, second).contains(&signer), "what signs isn't published");
                tokens.push((second, signer));
                fetched.push((second, published(&ring, second)));
                let alive = second - (TTL + LEEWAY) as i64;
                let fresh = second - CACHE as i64;
                for (issued, kid) in tokens.iter().filter(|(issued, _)| *issued > alive) {
                    // The oldest copy that may still be in use is the last one made before `fresh`.
                    let oldest = fetched.iter().rposition(|(when, _)| *when <= fresh).unwrap_or(0);
                    for (when, keys) in &fetched[oldest..] {
                        let too_early = urgent.contains(kid.as_str()) && since.get(kid).is_some_and(|since| when < since);
                        prop_assert!(
                            keys.contains(kid) || too_early,
                            "{kid} of {issued} unknown at {second} to who fetched at {when}"
                        );
                    }
                }
            }
        }
    }
}
