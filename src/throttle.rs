//! Limits: who may how often (here), and who is let in when more come than can be served (`admission`).
//!
//! governor does the counting; ours is that it goes by the gateway's clock, which a test turns.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

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

pub use admission::{Admission, Admitted, Class};

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

/// So many a minute for each key, a minute's worth at once. A person's key is app and openid: closing an account and
/// logging in again makes a new user, but not a new person.
pub struct Limit {
    limiter: RateLimiter<String, DefaultKeyedStateStore<String>, Turned, NoOpMiddleware<Nanos>>,
    clock: Turned,
}

/// At every so many, the keys at rest are forgotten.
const MANY: usize = 100_000;

impl Limit {
    /// `per_minute` requests a minute.
    pub fn new(per_minute: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let clock = Turned(clock);
        let limiter =
            RateLimiter::new(Quota::per_minute(per_minute), DefaultKeyedStateStore::default(), clock.clone());
        Self { limiter, clock }
    }

    /// One more by this person, or when to come again.
    pub fn admit_person(&self, app: &str, openid: &OpenId) -> Result<()> {
        self.admit(format!("{app}/{}", openid.expose()))
    }

    /// One more under this key, or when to come again.
    pub fn admit(&self, key: String) -> Result<()> {
        if self.limiter.len().is_multiple_of(MANY) {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&key).map_err(|refused| Error {
            retry_after: Some(refused.wait_time_from(self.clock.now()) + Duration::from_secs(1)),
            ..Code::TooManyRequests.into()
        })
    }
}
