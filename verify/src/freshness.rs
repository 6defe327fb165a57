//! When a fetched document is asked for again. Pure: what is known of it, and an instant, to what to do.
//!
//! Instants are milliseconds since the Unix epoch by the caller's clock. A clock that was set back never leaves a document
//! unasked for: what lies in the future counts as long ago.

use std::time::Duration;

/// Between two fetches while there is nothing to serve: nobody gets in then, so it is tried soon.
const FIRST_COOLDOWN: Duration = Duration::from_secs(3);

/// How long a document is served without asking, and without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Younger than this, it is served.
    pub(crate) soft: Duration,
    /// Younger than this, it is served, and asked for beside that. Older, one waits for the answer: a service that nobody
    /// asked for an hour must not go by a key that was revoked meanwhile.
    pub(crate) hard: Duration,
}

/// What is known of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freshness {
    /// Between two fetches, whatever the reasons for them.
    pub(crate) cooldown: Duration,
    /// When it was last got, or found unchanged, and for how long it is good.
    pub(crate) got: Option<(i64, Lifetime)>,
    /// When the last fetch began, however it ended.
    pub(crate) begun: Option<i64>,
}

/// What to do for somebody who wants the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Serve what there is.
    Serve,
    /// Serve what there is, and fetch beside that.
    ServeAndFetch,
    /// Fetch, and serve what there is then: the old one if that failed.
    Fetch,
    /// There is nothing, and it has just been tried.
    Nothing,
}

impl Freshness {
    /// What to do at `now`.
    pub(crate) fn step(&self, now: i64) -> Step {
        let Some((at, lifetime)) = self.got else {
            return if self.rested(now, FIRST_COOLDOWN.min(self.cooldown)) {
                Step::Fetch
            } else {
                Step::Nothing
            };
        };
        match (passed(at, now), self.may_fetch(now)) {
            (age, _) if age < lifetime.soft => Step::Serve,
            (_, false) => Step::Serve,
            (age, true) if age < lifetime.hard => Step::ServeAndFetch,
            (_, true) => Step::Fetch,
        }
    }

    /// Whether so little time has passed that waiting for a fetch under way is not worth it.
    pub(crate) fn is_good(&self, now: i64) -> bool {
        self.got.is_some_and(|(at, lifetime)| passed(at, now) < lifetime.hard)
    }

    /// Whether a fetch may begin at `now`.
    pub(crate) fn may_fetch(&self, now: i64) -> bool {
        self.rested(now, self.cooldown)
    }

    fn rested(&self, now: i64, span: Duration) -> bool {
        self.begun.is_none_or(|begun| passed(begun, now) >= span)
    }
}

/// Since `then`; for ever if that is yet to come.
pub(crate) fn passed(then: i64, now: i64) -> Duration {
    u64::try_from(now.saturating_sub(then)).map_or(Duration::MAX, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(30);
    const LIFETIME: Lifetime = Lifetime { soft: Duration::from_secs(240), hard: Duration::from_secs(300) };

    #[test]
    fn a_document_is_served_then_asked_for_beside_that_then_waited_for() {
        let got = Freshness { cooldown: COOLDOWN, got: Some((0, LIFETIME)), begun: Some(0) };
        for (second, wanted) in [
            (0, Step::Serve),
            (239, Step::Serve),
            (240, Step::ServeAndFetch),
            (299, Step::ServeAndFetch),
            (300, Step::Fetch),
            (86_400, Step::Fetch),
            // The clock was set back.
            (-1, Step::Fetch),
        ] {
            assert_eq!(got.step(second * 1000), wanted, "{second}");
        }
    }

    #[test]
    fn a_fetch_that_failed_is_tried_again_after_the_cooldown_and_the_old_document_served_meanwhile() {
        let failed = Freshness { cooldown: COOLDOWN, got: Some((0, LIFETIME)), begun: Some(400_000) };
        assert_eq!(failed.step(400_001), Step::Serve);
        assert_eq!(failed.step(429_999), Step::Serve);
        assert_eq!(failed.step(430_000), Step::Fetch);
    }

    #[test]
    fn the_first_is_tried_again_sooner() {
        let none = Freshness { cooldown: COOLDOWN, got: None, begun: None };
        assert_eq!(none.step(0), Step::Fetch);
        let failed = Freshness { begun: Some(0), ..none };
        assert_eq!((failed.step(2999), failed.step(3000)), (Step::Nothing, Step::Fetch));
    }
}
