//! Limits: who may how often (here), and who is let in when more come than can be served (`admission`).
//!
//! governor does the counting; ours is that it goes by the gateway's clock, which a test turns.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::secret::OpenId;

mod adaptive;
mod admission;
mod seldom;

pub use admission::{Admission, Admitted, Class};
pub use seldom::Seldom;

/// The gateway's clock as governor wants it.
#[derive(Clone)]
struct Turned(Arc<dyn Clock>);

impl governor::clock::Clock for Turned {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let millis = u64::try_from(self.0.now().as_millisecond()).unwrap_or(0);
        Duration::from_millis(millis).into()
    }
}

type Limiter = RateLimiter<String, DefaultKeyedStateStore<String>, Turned, NoOpMiddleware<Nanos>>;

/// So many a minute for each key, a minute's worth at once. A person's key is app and openid: closing an account and
/// logging in again makes a new user, but not a new person.
pub struct Limit {
    limiter: ArcSwap<Limiter>,
    quota: Quota,
    clock: Turned,
    /// The latest that the clock has said.
    latest: AtomicU64,
    /// How often it was asked.
    asked: AtomicU64,
}

/// At every so many questions the keys at rest are forgotten. Not by how many keys there are: counting them looks at them all.
const MANY: u64 = 100_000;

/// A clock that goes back by more was set: what is remembered of the day that it came from would hold people up until then.
const SET_BACK: Duration = Duration::from_secs(60);

impl Limit {
    /// `per_minute` requests a minute.
    pub fn new(per_minute: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let (quota, clock) = (Quota::per_minute(per_minute), Turned(clock));
        let limiter = ArcSwap::from_pointee(limiter(quota, &clock));
        Self { limiter, quota, clock, latest: AtomicU64::new(0), asked: AtomicU64::new(0) }
    }

    /// One more by this person, or when to come again.
    pub fn admit_person(&self, app: &str, openid: &OpenId) -> Result<()> {
        self.admit(format!("{app}/{}", openid.expose()))
    }

    /// One more under this key, or when to come again.
    pub fn admit(&self, key: String) -> Result<()> {
        let now = self.clock.now().as_u64();
        let latest = self.latest.fetch_max(now, Ordering::Relaxed);
        if Duration::from_nanos(latest.saturating_sub(now)) > SET_BACK {
            self.latest.store(now, Ordering::Relaxed);
            self.limiter.store(Arc::new(limiter(self.quota, &self.clock)));
        }
        let limiter = self.limiter.load();
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(MANY) {
            limiter.retain_recent();
        }
        limiter.check_key(&key).map_err(|refused| Error {
            retry_after: Some(refused.wait_time_from(self.clock.now()) + Duration::from_secs(1)),
            ..Code::TooManyRequests.into()
        })
    }
}

fn limiter(quota: Quota, clock: &Turned) -> Limiter {
    RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone())
}
