//! Tokens whose signature has been verified lately: the same bearer comes with every request, and the signature is what costs.
//!
//! Only what can't change is remembered: that these bytes were signed by a key of this very set. Everything that time or a
//! reload can change is looked at each time.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moka::sync::Cache;
use verify::{Claims, Expected, Refusal};

use super::jwks::Published;
use crate::clock::Timestamp;
use crate::telemetry::Accepted;

/// So many bytes are remembered: about 20,000 tokens without a nickname in them.
const MOST: u64 = 16 * 1024 * 1024;

/// Of an entry besides what the token says.
const OVERHEAD: usize = 300;

/// By the token's SHA-256: the text itself isn't kept.
pub(super) struct Verified(Cache<[u8; 32], Arc<Entry>>);

struct Entry {
    claims: Arc<Claims>,
    /// The keys that it was verified by.
    published: Arc<Published>,
    /// When.
    at: Timestamp,
    /// About how many bytes it takes.
    weight: u32,
    /// What counts it.
    accepted: Accepted,
}

impl Verified {
    /// `life`: so long a token counts at the most; then nothing that it said is kept.
    pub(super) fn new(life: Duration) -> Self {
        let cache = Cache::builder().max_capacity(MOST).time_to_live(life);
        Self(cache.weigher(|_, entry: &Arc<Entry>| entry.weight).build())
    }

    /// As [`verify::verify`], which this asks unless it has already.
    pub(super) fn verify(
        &self,
        token: &str,
        published: Arc<Published>,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Arc<Claims>, Refusal> {
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(known) = self.0.get(&name)
            && Arc::ptr_eq(&known.published, &published)
            // Set back since: a token may lie in the future again.
            && known.at <= now
        {
            verify::check(&known.claims, expected, now.as_second())?;
            known.accepted.count();
            return Ok(known.claims.clone());
        }
        let claims = Arc::new(verify::verify(token, published.keys(), expected, now.as_second())?);
        let weight = u32::try_from(token.len() + OVERHEAD).unwrap_or(u32::MAX);
        let accepted = Accepted::by(&kid(token).unwrap_or_default());
        accepted.count();
        self.0.insert(name, Arc::new(Entry { claims: claims.clone(), published, at: now, weight, accepted }));
        Ok(claims)
    }
}

/// By which key a token says that it was signed; of a token that has been verified.
fn kid(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
    header["kid"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokens::{Subject, Tokens, generate_key};

    /// Two gateways' rings over the same keys, one of which is asked by way of what it remembers.
    fn tokens(keys: &[(&str, Option<i64>, bool)]) -> config::Tokens {
        let list = keys.iter().map(|(pem, from, revoked)| config::TokenKey {
            file: "key.pem".into(),
            sign_from: from.map(|second| Timestamp::from_second(second).unwrap()),
            revoked: *revoked,
            emergency: true,
            passphrase: None,
            passphrase_file: None,
            pem: crate::secret::ConfigSecret::new(*pem),
            phrase: crate::secret::ConfigSecret::new(""),
        });
        config::Tokens {
            issuer: "https://auth.example.com".into(),
            audience: vec!["api".into()],
            ttl: Duration::from_secs(600),
            leeway: Duration::from_secs(30),
            typ: config::TokenType::Jwt,
            verifier_cache: Duration::from_secs(60),
            claims: vec![],
            accept_headers: vec![],
            keys: list.collect(),
        }
    }

    use crate::config;

    #[derive(Debug, Clone, Copy)]
    enum Act {
        /// To this second.
        Turn(i64),
        Issue,
        /// With one of the tokens, perhaps with a letter changed.
        Verify(prop::sample::Index, bool),
        /// The second key is added, or the first one revoked.
        Reload(bool),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0_i64..2000).prop_map(Act::Turn),
            Just(Act::Issue),
            (any::<prop::sample::Index>(), prop::bool::weighted(0.1))
                .prop_map(|(at, bad)| Act::Verify(at, bad)),
            (any::<prop::sample::Index>(), prop::bool::weighted(0.1))
                .prop_map(|(at, bad)| Act::Verify(at, bad)),
            any::<bool>().prop_map(Act::Reload),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_is_remembered_never_differs_from_what_verifying_anew_says(acts in prop::collection::vec(act(), 1..60)) {
            const START: i64 = 1_793_500_000;
            let [a, b] = [generate_key().unwrap(), generate_key().unwrap()];
            let at = |second| Timestamp::from_second(START + second).unwrap();
            let first: &[(&str, Option<i64>, bool)] = &[(&a, None, false)];
            let tokens_of = Tokens::from_config(&tokens(first), at(0)).unwrap();
            let (mut now, mut issued) = (0, Vec::new());
            for (number, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Turn(second) => now = second,
                    Act::Issue => {
                        let subject = Subject { user: uuid::Uuid::nil(), app: "wx1", identity: None, by_password: false, nickname: "", picture: "", username: None, level: 0 };
                        let jti = uuid::Uuid::from_u128(number as u128);
                        if let Ok(token) = tokens_of.issue(&subject, jti, at(now)) {
                            issued.push(token.token.expose().to_owned());
                        }
                    }
                    Act::Verify(index, broken) if !issued.is_empty() => {
                        let mut token = index.get(&issued).clone();
                        if broken {
                            token = token.replacen('e', "f", 1);
                        }
                        let anew = verify::verify(&token, tokens_of.published(at(now)).keys(), &tokens_of.expected, at(now).as_second());
                        let known = tokens_of.verify(&token, at(now)).map(|claims| (*claims).clone());
                        prop_assert_eq!(known, anew);
                    }
                    Act::Verify(..) => {}
                    Act::Reload(revoke) => {
                        let list: &[(&str, Option<i64>, bool)] = &[(&a, None, revoke), (&b, Some(START + 500), false)];
                        if let Ok(next) = tokens_of.next(&tokens(list), at(now)) {
                            tokens_of.adopt(next);
                        }
                    }
                }
            }
        }
    }
}
