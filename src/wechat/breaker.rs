//! While WeChat is down, nobody waits for it: after enough failures in a row calls fail at once, but for one now and then
//! that finds out whether it is back.
//!
//! What counts as a failure is no answer: none in time, none at all, or something that isn't WeChat's. An errcode is an answer.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Timestamp, after};
use crate::error::{Code, Error, Result};
use crate::telemetry;

/// So many in a row. A share would open it while half of the logins succeed.
const FAILURES: u32 = 20;

/// So long it stays open before one tries; twice as long after each try in vain.
const FIRST: Duration = Duration::from_secs(1);

/// And no longer than this: recovery is found out within it.
const LONGEST: Duration = Duration::from_secs(4);

/// The state of the way to WeChat.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// When the next may try.
    next: Timestamp,
    /// How long it waits for that.
    wait: Duration,
    /// Whether one tries. Those that were under way when it opened say nothing new.
    trying: bool,
}

impl Breaker {
    /// Whether a call may go to WeChat at `now`.
    ///
    /// # Errors
    /// `wechat_unavailable`: it is down, and another finds out whether it is back.
    pub(super) fn pass(&self, now: Timestamp) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &mut state.open else { return Ok(()) };
        // A clock that was set back must not keep it open.
        let far = after(now, open.wait) < open.next;
        if now < open.next && !far {
            telemetry::shed("wechat");
            return Err(Error::from(Code::WechatUnavailable)
                .because("WeChat has not answered for a while; calls fail at once until one gets through"));
        }
        // This one tries. Until it is known what came of it, the others don't wait for it.
        (open.next, open.trying) = (after(now, open.wait), true);
        Ok(())
    }

    /// What came of a call that was let pass: whether WeChat answered.
    pub(super) fn settle(&self, answered: bool, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            state.failures = 0;
            if state.open.take().is_some() {
                telemetry::breaker(false);
                tracing::warn!("WeChat answers again");
            }
            return;
        }
        state.failures = state.failures.saturating_add(1);
        let enough = state.failures >= FAILURES;
        match &mut state.open {
            Some(open) if open.trying => {
                let wait = open.wait.saturating_mul(2).min(LONGEST);
                *open = Open { next: after(now, wait), wait, trying: false };
            }
            Some(_) => {}
            None if enough => {
                state.open = Some(Open { next: after(now, FIRST), wait: FIRST, trying: false });
                telemetry::breaker(true);
                tracing::error!(
                    "WeChat has not answered the last {FAILURES} calls: logins are refused at once, and one in a while finds out \
                     whether it is back. Look at the causes above, then at wechat.base_url, DNS and the firewall"
                );
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn it_opens_after_failures_in_a_row_lets_one_try_and_closes_when_that_gets_through() {
        let breaker = Breaker::default();
        for _ in 1..FAILURES {
            breaker.settle(false, at(0));
        }
        breaker.settle(true, at(0));
        for _ in 1..FAILURES {
            breaker.settle(false, at(0));
        }
        breaker.pass(at(0)).unwrap();
        breaker.settle(false, at(0));
        breaker.pass(at(0)).unwrap_err();
        breaker.pass(at(1)).unwrap();
        breaker.pass(at(1)).unwrap_err();
        // Each try in vain doubles the wait, up to a bound.
        breaker.settle(false, at(2));
        breaker.pass(at(3)).unwrap_err();
        breaker.pass(at(4)).unwrap();
        breaker.settle(true, at(4));
        breaker.pass(at(4)).unwrap();
    }

    #[test]
    fn a_try_whose_end_nobody_hears_of_and_a_clock_set_back_keep_it_open_for_no_longer() {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.settle(false, at(0));
        }
        breaker.pass(at(1)).unwrap();
        breaker.pass(at(2)).unwrap();
        breaker.pass(at(-10_000)).unwrap();
    }
}
