//! How WeChat has answered lately: its last answers, how many failed, how long they took. Of this process, and bounded.
//!
//! An errcode about somebody's code is an answer like any other; WeChat is unwell where nothing usable comes, or where it
//! refuses us rather than a code.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client::{LATE, Reply};
use crate::clock::{Clock, Timestamp, before};
use crate::error::Result;
use crate::telemetry::{self, history::Minutes};

/// Answers that are remembered one by one.
const ANSWERS: usize = 200;

/// What "lately" means, in minutes.
pub const LATELY: usize = 15;

/// One call and what came of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When it ended.
    pub at: Timestamp,
    /// The path at WeChat's server API.
    pub path: &'static str,
    /// What came.
    pub how: How,
    /// How long it took.
    pub took: Duration,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// What was asked for.
    Answered,
    /// An errcode that is about the request: a code that was used, say.
    Refused(i64),
    /// Nothing usable, or an errcode that is about us or about WeChat; in words.
    Failed(Cow<'static, str>),
}

/// Calls of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// All of them.
    pub all: u32,
    /// Those that failed.
    pub failed: u32,
    /// How long they took together, in milliseconds.
    pub millis: u64,
}

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked it lately.
    Quiet,
    /// It answers.
    Healthy,
    /// Some of its answers fail.
    Unsteady,
    /// It doesn't answer.
    Failing,
}

/// How it has been.
#[derive(Debug)]
pub struct Report {
    /// In a word.
    pub state: State,
    /// The last [`LATELY`] minutes.
    pub lately: Calls,
    /// Half of the answers that are remembered of them came within this.
    pub median: Option<Duration>,
    /// All but a twentieth did within this.
    pub slow: Option<Duration>,
    /// The last answers, the newest first.
    pub answers: Vec<Answer>,
    /// Minute by minute.
    pub minutes: Vec<Calls>,
}

/// The memory.
pub(super) struct Health {
    clock: Arc<dyn Clock>,
    minutes: Minutes<Calls>,
    answers: Mutex<VecDeque<Answer>>,
}

impl Health {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, minutes: Minutes::default(), answers: Mutex::default() }
    }

    /// A call sets out. Dropped before its end, it was given up.
    pub(super) fn call(&self, path: &'static str) -> UnderWay<'_> {
        #[expect(clippy::disallowed_methods, reason = "how long WeChat took")]
        let started = Instant::now();
        UnderWay { health: self, path, started, how: None }
    }

    fn note(&self, path: &'static str, how: How, took: Duration) {
        let at = self.clock.now();
        let failed = matches!(how, How::Failed(_));
        self.minutes.add(at, |calls| {
            calls.all = calls.all.saturating_add(1);
            calls.failed = calls.failed.saturating_add(failed.into());
            calls.millis = calls.millis.saturating_add(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        });
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() == ANSWERS {
            answers.pop_front();
        }
        answers.push_back(Answer { at, path, how, took });
    }

    /// How it has been: so many minutes, and so many of the last answers.
    pub(super) fn report(&self, minutes: usize, answers: usize) -> Report {
        let now = self.clock.now();
        let lately = self.minutes.last(LATELY, now).iter().fold(Calls::default(), |sum, calls| Calls {
            all: sum.all.saturating_add(calls.all),
            failed: sum.failed.saturating_add(calls.failed),
            millis: sum.millis.saturating_add(calls.millis),
        });
        let last: Vec<Answer> = {
            let all = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().rev().cloned().collect()
        };
        let since = before(now, Duration::from_secs(60 * LATELY as u64));
        let mut took: Vec<Duration> =
            last.iter().filter(|answer| answer.at > since).map(|answer| answer.took).collect();
        took.sort_unstable();
        Report {
            state: state(lately, &last),
            lately,
            median: part(&took, 50),
            slow: part(&took, 95),
            minutes: self.minutes.last(minutes, now),
            answers: last.into_iter().take(answers).collect(),
        }
    }
}

/// Failing where most of it failed, or the last three in a row: it may have gone away just now. `last`: the newest first.
fn state(lately: Calls, last: &[Answer]) -> State {
    let Calls { all, failed, .. } = lately;
    let in_a_row = last.iter().take_while(|answer| matches!(answer.how, How::Failed(_))).count();
    if all == 0 {
        State::Quiet
    } else if in_a_row >= 3 || failed.saturating_mul(2) > all {
        State::Failing
    } else if failed.saturating_mul(50) > all {
        State::Unsteady
    } else {
        State::Healthy
    }
}

/// The smallest that so many in a hundred don't exceed.
fn part(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let place = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(place).copied()
}

/// A call that is under way.
pub(super) struct UnderWay<'h> {
    health: &'h Health,
    path: &'static str,
    started: Instant,
    how: Option<How>,
}

impl UnderWay<'_> {
    pub(super) fn end<T>(mut self, reply: &Result<Reply<T>>) {
        self.how = Some(match reply {
            Ok(Ok(_)) => How::Answered,
            Ok(Err(errcode)) => errcode.how(),
            Err(error) => How::Failed(error.cause.clone().unwrap_or_else(|| error.code.as_str().into())),
        });
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let given_up = How::Failed(LATE.into());
        let took = self.started.elapsed();
        telemetry::wechat_took(self.path, took);
        self.health.note(self.path, self.how.take().unwrap_or(given_up), took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn health(outcomes: &[bool]) -> Report {
        let health = Health::new(Arc::new(SystemClock));
        for (millis, good) in outcomes.iter().enumerate() {
            let how = if *good { How::Answered } else { How::Failed("no".into()) };
            health.note("/x", how, Duration::from_millis(millis as u64 + 1));
        }
        health.report(60, 5)
    }

    #[test]
    fn three_failures_in_a_row_or_most_of_them_are_an_outage_and_one_in_fifty_is_none() {
        let state = |outcomes: &[bool]| health(outcomes).state;
        assert_eq!(state(&[]), State::Quiet);
        assert_eq!(state(&[true; 9]), State::Healthy);
        assert_eq!(state(&[vec![false], vec![true; 49]].concat()), State::Healthy);
        assert_eq!(state(&[vec![false], vec![true; 48]].concat()), State::Unsteady);
        assert_eq!(state(&[vec![true; 100], vec![false; 3]].concat()), State::Failing);
        assert_eq!(state(&[vec![false; 6], vec![true; 5]].concat()), State::Failing);
        assert_eq!(state(&[vec![false; 6], vec![true; 6]].concat()), State::Unsteady);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_slow_twentieth_is_told_from_the_middle() {
        let report = health(&[true; 1000]);
        assert_eq!((report.lately.all, report.answers.len(), report.minutes.len()), (1000, 5, 60));
        assert_eq!(report.answers[0].took, Duration::from_millis(1000));
        // Of the last 200: 801 to 1000 ms.
        assert_eq!(
            (report.median, report.slow),
            (Some(Duration::from_millis(900)), Some(Duration::from_millis(990)))
        );
        assert_eq!((health(&[]).median, health(&[true]).slow), (None, Some(Duration::from_millis(1))));
    }

    #[test]
    fn a_call_that_is_dropped_was_given_up() {
        let health = Health::new(Arc::new(SystemClock));
        drop(health.call("/x"));
        assert!(matches!(&health.report(1, 1).answers[0].how, How::Failed(why) if why.contains("timeout")));
    }
}
