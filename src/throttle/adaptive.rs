//! How many may be worked on at once, so that nobody waits long for us: it follows how long our own work takes.
//!
//! Additive increase and multiplicative decrease, as TCP's. A fixed number would be wrong on every other machine: too many
//! where the disk is slow, too few where WeChat is. What is measured is our own time, without WeChat's, against the
//! least that it took lately; what is more than a few times that is a queue.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// More than this is a queue, however quick we are otherwise.
const SLOW: Duration = Duration::from_millis(60);

/// And so many times the least: on a slow disk everything takes long, and that is no queue.
const TIMES: u32 = 3;

/// How long the least of the last such span counts as what it takes at the least.
const SPAN: Duration = Duration::from_secs(10);

/// So many at the start. Who starts in the middle of a storm would otherwise never learn what it takes without one.
const FIRST: f64 = 512.0;

/// Fewer are never let in: enough to find out that it goes better again, and what a small machine does in a tenth of a second.
const LEAST: f64 = 256.0;

/// One step in this time: what is under way was let in before the last.
const STEP: Duration = Duration::from_millis(100);

/// A step down where more than one in so many was in a queue: a few wait for a locked row, or for somebody's password.
const FEW: u32 = 20;

/// How many at once.
#[derive(Debug)]
pub(super) struct Adaptive {
    most: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    /// What it takes at the least, and the least of this span so far.
    least: Duration,
    span_least: Duration,
    span_began: Duration,
    /// Whether, in this span, somebody may have waited for another: then its least says nothing of what it takes alone.
    pressed: bool,
    stepped: Duration,
    /// Since the last step: how many took their time, how many a queue's, and how many were under way at the most.
    quick: u32,
    queued: u32,
    under_way: usize,
}

impl Adaptive {
    /// Up to `most` at once, and not at once so many.
    pub(super) fn new(most: u32) -> Self {
        Self::begun(most, FIRST)
    }

    /// `most` at once, where something else says how long it takes.
    pub(super) fn fixed(most: u32) -> Self {
        Self::begun(most, f64::MAX)
    }

    fn begun(most: u32, first: f64) -> Self {
        let most = f64::from(most).max(LEAST);
        let state = State {
            limit: most.min(first),
            least: Duration::MAX,
            span_least: Duration::MAX,
            span_began: Duration::ZERO,
            pressed: false,
            stepped: Duration::ZERO,
            quick: 0,
            queued: 0,
            under_way: 0,
        };
        Self { most, state: Mutex::new(state) }
    }

    /// How many may be worked on at once now.
    pub(super) fn limit(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 256 and a u32")]
        let limit = self.state.lock().unwrap_or_else(PoisonError::into_inner).limit as usize;
        limit
    }

    /// One took so long of our own, where `under_way` are worked on. `now`: since some beginning.
    pub(super) fn took(&self, own: Duration, under_way: usize, now: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(state.span_began) >= SPAN {
            // In a long storm the least of all is a queue's as well, and must not become the measure.
            let least = if state.pressed { state.least.min(state.span_least) } else { state.span_least };
            *state = State { least, span_least: Duration::MAX, span_began: now, pressed: false, ..*state };
        }
        // So few don't queue up, however long it takes.
        state.pressed |= state.limit > LEAST && as_f64(under_way) > state.limit / 2.0;
        state.span_least = state.span_least.min(own);
        let least = state.least.min(state.span_least);
        let queued = own > SLOW.max(least.saturating_mul(TIMES));
        if queued {
            state.queued += 1
        } else {
            state.quick += 1
        }
        state.under_way = state.under_way.max(under_way);
        if now.saturating_sub(state.stepped) < STEP {
            return;
        }
        if state.queued.saturating_mul(FEW) > state.quick.saturating_add(state.queued) {
            state.limit = (state.limit * 0.8).max(LEAST);
        } else if as_f64(state.under_way) > state.limit / 2.0 {
            // A tenth more for as many as there are places. Where few come, nothing is learned of many.
            state.limit = (state.limit + 0.1 * f64::from(state.quick)).min(self.most);
        }
        *state = State { stepped: now, quick: 0, queued: 0, under_way: 0, ..*state };
    }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A machine that does so many a second, and as many as fit in a second's `base` at once: what is more waits.
    struct Machine {
        per_second: f64,
        base: f64,
    }

    impl Machine {
        /// Lets everybody in who may, for so many rounds, and says how many they are then and how long each takes.
        fn settle(
            &self,
            adaptive: &Adaptive,
            offered: usize,
            now: &mut Duration,
            rounds: usize,
        ) -> (usize, Duration) {
            let mut own = Duration::ZERO;
            let mut under_way = 0;
            for _ in 0..rounds {
                under_way = adaptive.limit().min(offered);
                own = Duration::from_secs_f64((under_way as f64 / self.per_second).max(self.base));
                for _ in 0..under_way {
                    *now += own / u32::try_from(under_way).unwrap();
                    adaptive.took(own, under_way, *now);
                }
            }
            (under_way, own)
        }
    }

    #[test]
    fn who_is_let_in_waits_for_a_few_others_and_not_for_all_who_came() {
        let (adaptive, mut now) = (Adaptive::new(10_000), Duration::ZERO);
        let machine = Machine { per_second: 3_000.0, base: 0.005 };
        machine.settle(&adaptive, 8, &mut now, 100);
        let (_, own) = machine.settle(&adaptive, 10_000, &mut now, 400);
        assert!(own < SLOW * 5, "{own:?}");
        // Nor an hour later.
        let (_, own) = machine.settle(&adaptive, 10_000, &mut now, 60_000);
        assert!(own < SLOW * 5 && now > Duration::from_secs(3_000), "{own:?} {now:?}");
    }

    #[test]
    fn a_slow_disk_is_no_queue() {
        let (adaptive, mut now) = (Adaptive::new(1_000), Duration::ZERO);
        let machine = |base| Machine { per_second: 1e9, base };
        assert_eq!(machine(0.2).settle(&adaptive, 1_000, &mut now, 100).0, 1_000);
        // And one that has become slow is held for a queue no longer than it takes to see that it isn't.
        assert!(machine(2.0).settle(&adaptive, 1_000, &mut now, 3).0 < 1_000);
        assert_eq!(machine(2.0).settle(&adaptive, 1_000, &mut now, 1_000).0, 1_000);
    }

    #[test]
    fn after_a_stall_it_is_as_before_within_seconds() {
        let (adaptive, mut now) = (Adaptive::new(1_000), Duration::ZERO);
        let machine = Machine { per_second: 3_000.0, base: 0.005 };
        machine.settle(&adaptive, 8, &mut now, 100);
        let (before, _) = machine.settle(&adaptive, 1_000, &mut now, 400);
        for _ in 0..100 {
            adaptive.took(Duration::from_secs(5), adaptive.limit(), now);
            now += STEP;
        }
        assert_eq!(adaptive.limit(), 256);
        let stalled = now;
        while adaptive.limit() < before * 8 / 10 && now - stalled < Duration::from_secs(60) {
            machine.settle(&adaptive, 1_000, &mut now, 1);
        }
        assert!(now - stalled < Duration::from_secs(5), "{:?} {before}", now - stalled);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds_whatever_it_is_told(
            most in 0_u32..5_000, told in proptest::collection::vec((any::<u32>(), any::<u16>(), any::<u32>()), 0..300)
        ) {
            let adaptive = Adaptive::new(most);
            for (own, under_way, now) in told {
                adaptive.took(Duration::from_micros(own.into()), under_way.into(), Duration::from_millis(now.into()));
                prop_assert!((256..=most.max(256) as usize).contains(&adaptive.limit()));
            }
        }
    }
}
