//! The Verifier: keeps the gateway's keys at hand, and says what a token holds.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::claims::Claims;
use crate::feed::{Feed, Kind, Newer};
use crate::freshness::Lifetime;
use crate::keys::KeySet;
use crate::revocations::Revocations;
use crate::token::{Expected, Refusal, could_be_ours, verify};
use crate::transport::Transport;

/// Between two fetches of the keys, so that unknown kids, however many, cost the gateway next to nothing.
const COOLDOWN: Duration = Duration::from_secs(30);
/// A JWKS that says nothing of how long it is good.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);
/// However short or long a JWKS says.
const MAX_AGES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(24 * 3600));
/// Far longer than any set of keys.
const LONGEST_JWKS: usize = 256 * 1024;
/// Half a million users whose tokens were ended within the life of one.
const LONGEST_REVOCATIONS: usize = 64 * 1024 * 1024;

/// Verifies tokens; cheap to clone, and every clone shares the keys.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    expected: Expected,
    clock: Clock,
    keys: Arc<Feed<KeySet>>,
    revocations: Option<Arc<Feed<Revocations>>>,
}

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Why a token wasn't accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It doesn't count: 401. The reason is for the log.
    Refused(Refusal),
    /// There are no keys to verify with yet, or the token's key is unknown and newer ones can't be had: 503, and later it
    /// may count. The text says which address didn't answer.
    KeysUnavailable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "the token is refused: {refusal}"),
            Self::KeysUnavailable(why) => write!(f, "no keys to verify with: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How fresh is what a [`Verifier`] goes by; for health checks and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The age of the keys; none: they never came.
    pub keys_age: Option<Duration>,
    /// Why the last fetch of the keys brought nothing, if it didn't.
    pub keys_failure: Option<String>,
    /// The age of the list of revocations; none: it never came, or isn't polled.
    pub revocations_age: Option<Duration>,
    /// Why the last fetch of the list brought nothing, if it didn't.
    pub revocations_failure: Option<String>,
}

impl Verifier {
    /// For tokens of this gateway (`tokens.issuer`, its bare origin) that are for this service (one of `tokens.audience`).
    /// The keys come from the issuer's `/.well-known/jwks.json` when the first token does.
    ///
    /// # Errors
    /// Where the system's root certificates can't be read.
    #[cfg(feature = "http")]
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, crate::TransportError> {
        Self::builder(issuer, audience).build()
    }

    /// The same, with more to say.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> Builder {
        Builder {
            issuer: issuer.into(),
            audience: vec![audience.into()],
            leeway: Duration::from_secs(60),
            jwks_url: None,
            revocations: None,
            clock: Arc::new(system_time),
        }
    }

    /// What this token says, if it counts.
    ///
    /// # Errors
    /// [`Error::Refused`] if it doesn't; [`Error::KeysUnavailable`] as long as the keys have never come, or don't come anew
    /// for a token that names one of which nothing is known.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O, where there is something to fetch.
    pub async fn verify(&self, token: &str) -> Result<Claims, Error> {
        let now = self.now();
        let Inner { expected, keys, revocations, .. } = &*self.0;
        let known = keys.get(now).await;
        let known = known.ok_or_else(|| Error::KeysUnavailable(keys.status(now).1.unwrap_or_default()))?;
        let seconds = now.div_euclid(1000);
        let mut verified = verify(token, &known, expected, seconds);
        if verified == Err(Refusal::UnknownKey) && could_be_ours(token, expected, seconds) {
            match keys.newer(&known, self.now()).await {
                Newer::Document(newer) => verified = verify(token, &newer, expected, seconds),
                Newer::None => {}
                Newer::Unavailable(why) => return Err(Error::KeysUnavailable(why)),
            }
        }
        let claims = verified?;
        if let Some(revocations) = revocations
            && let Some(list) = revocations.get(self.now()).await
            && list.ended(&claims)
        {
            return Err(Refusal::Revoked.into());
        }
        Ok(claims)
    }

    /// How fresh is what it goes by.
    pub fn status(&self) -> Status {
        let now = self.now();
        let (keys_age, keys_failure) = self.0.keys.status(now);
        let (revocations_age, revocations_failure) =
            self.0.revocations.as_ref().map_or((None, None), |feed| feed.status(now));
        Status { keys_age, keys_failure, revocations_age, revocations_failure }
    }

    fn now(&self) -> i64 {
        let since = (self.0.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("expected", &self.0.expected).finish_non_exhaustive()
    }
}

/// What a [`Verifier`] is made of.
pub struct Builder {
    issuer: String,
    audience: Vec<String>,
    leeway: Duration,
    jwks_url: Option<String>,
    revocations: Option<Duration>,
    clock: Clock,
}

impl Builder {
    /// Takes tokens for this service too.
    #[must_use]
    pub fn or_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// How far the gateway's clock and this one may be apart; 60 seconds, unless said.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Where the keys are, if not at the issuer's `/.well-known/jwks.json`: inside a cluster the gateway may have another
    /// address than outside. The list of revocations is then looked for at the same address.
    #[must_use]
    pub fn jwks_url(mut self, url: impl Into<String>) -> Self {
        self.jwks_url = Some(url.into());
        self
    }

    /// Asks so often whose tokens were ended before their time, and refuses those. While the gateway can't be asked, the
    /// last list goes on counting, and before the first has come nobody is held to be revoked: [`Verifier::status`] says
    /// how old it is.
    #[must_use]
    pub fn revocations(mut self, every: Duration) -> Self {
        self.revocations = Some(every);
        self
    }

    /// Another clock; for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The Verifier, over HTTPS.
    ///
    /// # Errors
    /// Where the system's root certificates can't be read.
    #[cfg(feature = "http")]
    pub fn build(self) -> Result<Verifier, crate::TransportError> {
        Ok(self.build_over(crate::http_transport::HttpTransport::new()?))
    }

    /// The Verifier, over this transport.
    pub fn build_over(self, transport: impl Transport) -> Verifier {
        let transport: Arc<dyn Transport> = Arc::new(transport);
        const JWKS: &str = "/.well-known/jwks.json";
        let jwks_url = self.jwks_url.unwrap_or_else(|| format!("{}{JWKS}", self.issuer));
        let origin = jwks_url.strip_suffix(JWKS).unwrap_or(&self.issuer).to_owned();
        let keys = Kind {
            url: jwks_url,
            limit: LONGEST_JWKS,
            lifetime: Box::new(|said| {
                let hard = said.unwrap_or(DEFAULT_MAX_AGE).clamp(MAX_AGES.0, MAX_AGES.1);
                Lifetime { soft: hard.mul_f64(0.8), hard }
            }),
            cooldown: COOLDOWN,
            needed: true,
            read: |json| {
                let keys = KeySet::from_json(json).map_err(|error| error.to_string())?;
                if keys.is_empty() { Err("holds no key that verifies".to_owned()) } else { Ok(keys) }
            },
        };
        let revocations = self.revocations.map(|every| {
            let kind = Kind {
                url: format!("{origin}/v1/revocations"),
                limit: LONGEST_REVOCATIONS,
                // As often as was asked for, whatever the answer says; who has slept through two rounds waits for the next.
                lifetime: Box::new(move |_| Lifetime { soft: every, hard: every.saturating_mul(2) }),
                cooldown: every,
                needed: false,
                read: Revocations::from_json,
            };
            Feed::new(kind, transport.clone())
        });
        Verifier(Arc::new(Inner {
            expected: Expected { issuer: self.issuer, audience: self.audience, leeway: self.leeway },
            clock: self.clock,
            keys: Feed::new(keys, transport),
            revocations,
        }))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that may: a builder takes any other clock")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests;
