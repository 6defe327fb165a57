//! When a fetched document is asked for again. Pure: what is known of it, and an instant, to what to do.
//!
//! Instants are milliseconds since the Unix epoch by the caller's clock. They may come a little out of order, from requests
//! that read the clock at once; a clock that was set back by more never leaves a document unasked for.

use std::time::Duration;

/// Between two fetches while there is nothing to serve: nobody gets in then, so it is tried soon.
const FIRST_COOLDOWN: Duration = Duration::from_secs(3);

/// What lies further ahead than this was noted before the clock was set back, and counts as long ago.
const OUT_OF_ORDER: Duration = Duration::from_secs(30);

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
            (age, true) if age < lifetime.hard || self.is_failing(now) => Step::ServeAndFetch,
            (_, true) => Step::Fetch,
        }
    }

    /// Whether the last fetch brought nothing, and lately: whoever has an old document doesn't wait for the next one too.
    pub(crate) fn is_failing(&self, now: i64) -> bool {
        let last = self.got.zip(self.begun);
        last.is_some_and(|((at, lifetime), begun)| at != begun && passed(begun, now) < lifetime.hard)
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

/// Since `then`: nothing if it is a little ahead, for ever if it is further ahead than readings of one clock can be.
pub(crate) fn passed(then: i64, now: i64) -> Duration {
    match (u64::try_from(now.saturating_sub(then)), then.abs_diff(now)) {
        (Ok(since), _) => Duration::from_millis(since),
        (Err(_), ahead) if Duration::from_millis(ahead) <= OUT_OF_ORDER => Duration::ZERO,
        (Err(_), _) => Duration::MAX,
    }
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
            // Read by somebody else at the same moment.
            (-1, Step::Serve),
            (-30, Step::Serve),
            // The clock was set back.
            (-31, Step::Fetch),
        ] {
            assert_eq!(got.step(second * 1000), wanted, "{second}");
        }
    }

    #[test]
    fn a_fetch_that_failed_is_tried_again_after_the_cooldown_and_the_old_document_served_meanwhile() {
        let failed = Freshness { cooldown: COOLDOWN, got: Some((0, LIFETIME)), begun: Some(400_000) };
        assert_eq!(failed.step(400_001), Step::Serve);
        assert_eq!(failed.step(429_999), Step::Serve);
        assert_eq!(failed.step(430_000), Step::ServeAndFetch);
        // So long ago that a key may have been revoked since.
        assert_eq!(failed.step(700_000), Step::Fetch);
    }

    #[test]
    fn readings_of_the_clock_out_of_order_make_one_fetch_in_a_cooldown() {
        let begun = Freshness { cooldown: COOLDOWN, got: Some((0, LIFETIME)), begun: Some(400_000) };
        for (now, may) in
            [(399_999, false), (370_000, false), (369_999, true), (429_999, false), (430_000, true)]
        {
            assert_eq!(begun.may_fetch(now), may, "{now}");
        }
    }

    #[test]
    fn the_first_is_tried_again_sooner() {
        let none = Freshness { cooldown: COOLDOWN, got: None, begun: None };
        assert_eq!(none.step(0), Step::Fetch);
        let failed = Freshness { begun: Some(0), ..none };
        assert_eq!((failed.step(2999), failed.step(3000)), (Step::Nothing, Step::Fetch));
    }
}
