//! Who is let in when more come than can be served: the rest is told early to come again, before anything is done for it.
//!
//! By class, so that a storm of one kind leaves room for the others: services that check bearers go on while a million phones
//! log in. Refusing a login costs a tenth of serving one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::adaptive::Adaptive;
use super::seldom::Seldom;
use crate::config;
use crate::error::{Code, Error, Result};
use crate::telemetry::{self, elsewhere};

/// What kind of work a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Whose token is this: one look at the database at the most.
    Bearer,
    /// By the code of wx.login.
    Login,
    /// Whatever hashes a password.
    Password,
    /// Encrypted data, and what asks WeChat's server API.
    Decrypt,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Bearer, Self::Login, Self::Password, Self::Decrypt];

    /// As the numbers call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Login => "login",
            Self::Password => "password",
            Self::Decrypt => "decrypt",
        }
    }
}

/// The places of all classes.
#[derive(Debug)]
pub struct Admission {
    classes: [Arc<Places>; 4],
    began: Instant,
    /// That somebody found no place.
    said: Seldom,
}

#[derive(Debug)]
struct Places {
    class: Class,
    under_way: AtomicUsize,
    adaptive: Adaptive,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Admitted {
    places: Arc<Places>,
}

impl Admission {
    /// From `[overload]`.
    pub fn new(config: &config::Overload) -> Self {
        let most = |class| match class {
            Class::Bearer => config.bearers,
            Class::Login => config.logins,
            Class::Password => config.passwords,
            Class::Decrypt => config.decrypts,
        };
        let places = |class| {
            // Hashing waits for its own few threads, and is bounded there.
            let adaptive = match class {
                Class::Password => Adaptive::fixed(most(class)),
                _ => Adaptive::new(most(class)),
            };
            Arc::new(Places { class, under_way: AtomicUsize::new(0), adaptive })
        };
        Self { classes: Class::ALL.map(places), began: now(), said: Seldom::default() }
    }

    fn places(&self, class: Class) -> &Arc<Places> {
        let [bearer, login, password, decrypt] = &self.classes;
        match class {
            Class::Bearer => bearer,
            Class::Login => login,
            Class::Password => password,
            Class::Decrypt => decrypt,
        }
    }

    /// A place for one of this class.
    ///
    /// # Errors
    /// `busy`: there is none.
    pub fn admit(&self, class: Class) -> Result<Admitted> {
        let places = self.places(class);
        let admitted = Admitted { places: places.clone() };
        if places.under_way.fetch_add(1, Ordering::Relaxed) < places.adaptive.limit() {
            return Ok(admitted);
        }
        telemetry::shed(class.as_str());
        self.say(class);
        Err(Error::from(Code::Busy).because("overload: no place for one more of its kind"))
    }

    /// Once in a while, rather than for each.
    fn say(&self, class: Class) {
        if self.said.is_due() {
            let (under_way, most) = self.under_way(class);
            tracing::warn!(
                class = class.as_str(),
                under_way,
                most,
                "more come than can be served in time: those who find no place are told to come again (wxgate_shed_total)"
            );
        }
    }

    /// Does admitted work, and learns from how long it took, WeChat's part taken out.
    pub async fn learn<T>(&self, admitted: Admitted, work: impl Future<Output = T>) -> T {
        let begun = now();
        let (done, theirs) = elsewhere::counted(work).await;
        let (places, own) = (&admitted.places, begun.elapsed().saturating_sub(theirs));
        if places.class != Class::Password {
            places.adaptive.took(own, places.under_way.load(Ordering::Relaxed), self.began.elapsed());
        }
        done
    }

    /// How many of this class are worked on, and how many may be.
    pub fn under_way(&self, class: Class) -> (usize, usize) {
        let places = self.places(class);
        (places.under_way.load(Ordering::Relaxed), places.adaptive.limit())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.places.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "how long work takes, which no test's clock may say")]
fn now() -> Instant {
    Instant::now()
}
