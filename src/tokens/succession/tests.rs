use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::config::{TokenKey, TokenType};
use crate::secret::ConfigSecret;

const TTL: u64 = 100;
const LEEWAY: u64 = 10;
const CACHE: u64 = 50;
/// Of the schedules, in seconds: long against every span of [`settings`] and [`SLACK`].
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

fn settings(list: &[(usize, Option<i64>)]) -> config::Tokens {
    let key = |(key, from): &(usize, Option<i64>)| TokenKey {
        file: PathBuf::from(format!("{key}.pem")),
        sign_from: from.map(at),
        revoked: false,
        emergency: false,
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// An operator who writes whatever list comes to mind, a minute after another; and siblings who verify by keys that
    /// they fetched at any time within the last `verifier_cache`.
    #[test]
    fn whatever_lists_an_operator_writes_no_sibling_refuses_a_token_that_counts(
        lists in proptest::collection::vec(
            proptest::collection::btree_map(0usize..5, proptest::option::of(-5i64..40), 1..5), 1..40,
        ),
    ) {
        let mut ring = Ring::read(&settings(&[(0, None)]), at(0)).unwrap();
        // What a sibling who fetched then has, by second of the fetch; before the start as at it.
        let mut fetched: Vec<(i64, BTreeSet<String>)> = vec![(-(CACHE as i64), published(&ring, 0)), (0, published(&ring, 0))];
        let mut tokens: Vec<(i64, String)> = Vec::new();
        for (turn, list) in lists.iter().enumerate() {
            let now = (turn as i64 + 1) * STEP;
            // Just before the change, and just after it: logins, and siblings' fetches.
            for second in [now - 1, now] {
                if second == now {
                    let list: Vec<_> = list.iter()
                        .map(|(key, from)| (*key, from.map(|from| now + from * STEP))).collect();
                    let config = settings(&list);
                    if let Ok(mut next) = Ring::read(&config, at(now))
                        && succeed(&ring, &mut next, &config, at(now)).is_empty()
                    {
                        ring = next;
                    }
                }
                let signer = ring.keys.signer(at(second)).map(|key| key.kid().to_owned());
                prop_assert!(signer.is_some(), "nobody signs");
                tokens.push((second, signer.unwrap_or_default()));
                fetched.push((second, published(&ring, second)));
                let alive = second - (TTL + LEEWAY) as i64;
                let fresh = second - CACHE as i64;
                for (issued, kid) in tokens.iter().filter(|(issued, _)| *issued > alive) {
                    // The oldest copy that may still be in use is the last one made before `fresh`.
                    let oldest = fetched.iter().rposition(|(when, _)| *when <= fresh).unwrap_or(0);
                    for (when, keys) in &fetched[oldest..] {
                        prop_assert!(keys.contains(kid), "{kid} of {issued} unknown at {second} to who fetched at {when}");
                    }
                }
            }
        }
    }
}
