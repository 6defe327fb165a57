//! What happened lately, minute by minute, in this process alone: for the admin page, which has to say something where nobody
//! gathers `/metrics`.
//!
//! Bounded: a day of minutes, and in each of them the few outcomes there are. One lock, held for an addition. Refuses to know
//! who it was.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;

/// Minutes that are kept: a day.
pub const MINUTES: usize = 24 * 60;

/// Something that adds up, by the minute.
#[derive(Debug, Default)]
pub struct Minutes<V>(Mutex<BTreeMap<i64, V>>);

impl<V: Default + Clone> Minutes<V> {
    /// Adds to the minute of `now`.
    pub fn add(&self, now: Timestamp, add: impl FnOnce(&mut V)) {
        let (minute, kept) = (minute(now), MINUTES as i64);
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What lies ahead was counted by a clock that has been set back since; two minutes are readings out of order.
        let ahead = minutes.last_key_value().is_some_and(|(last, _)| *last > minute + 2);
        if ahead || !minutes.contains_key(&minute) {
            minutes.retain(|at, _| (minute - kept + 1..=minute + 2).contains(at));
        }
        add(minutes.entry(minute).or_default());
    }

    /// The last `count` minutes in their order; `now`'s is the last.
    pub fn last(&self, count: usize, now: Timestamp) -> Vec<V> {
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (end, count) = (minute(now), count.min(MINUTES) as i64);
        (end - count + 1..=end).map(|at| minutes.get(&at).cloned().unwrap_or_default()).collect()
    }
}

/// When the first of the last `count` minutes began.
pub fn begin(count: usize, now: Timestamp) -> Timestamp {
    let first = minute(now) - count.min(MINUTES) as i64 + 1;
    Timestamp::from_second(first.saturating_mul(60)).unwrap_or(now)
}

fn minute(now: Timestamp) -> i64 {
    now.as_second().div_euclid(60)
}

/// How logins ended, and which process counts.
#[derive(Debug)]
pub struct History {
    /// The process: its machine's name and its number there.
    pub replica: String,
    /// Since when it counts.
    pub since: Timestamp,
    logins: Minutes<Vec<(Ended, u32)>>,
}

/// One way for a login to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    /// By what it was tried: `wechat` or `password`.
    pub way: &'static str,
    /// `done`, or the code it was refused with.
    pub outcome: &'static str,
}

impl History {
    /// From now on.
    pub fn start(now: Timestamp) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
        let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("localhost");
        Self { replica: format!("{host}/{}", std::process::id()), since: now, logins: Minutes::default() }
    }

    /// Counts the end of a login.
    pub fn login(&self, way: &'static str, outcome: &'static str, now: Timestamp) {
        let ended = Ended { way, outcome };
        self.logins.add(now, |counts| match counts.iter_mut().find(|(each, _)| *each == ended) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((ended, 1)),
        });
    }

    /// How many logins ended how in each of the last `count` minutes, by every way that was seen.
    pub fn logins(&self, count: usize, now: Timestamp) -> BTreeMap<Ended, Vec<u32>> {
        let minutes = self.logins.last(count, now);
        let mut series = BTreeMap::new();
        for (at, counts) in minutes.iter().enumerate() {
            for (ended, count) in counts {
                let row: &mut Vec<u32> = series.entry(*ended).or_insert_with(|| vec![0; minutes.len()]);
                if let Some(place) = row.get_mut(at) {
                    *place = *count;
                }
            }
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_793_500_020 + second).unwrap()
    }

    fn rows(history: &History, count: usize, now: Timestamp) -> Vec<(&'static str, &'static str, Vec<u32>)> {
        let rows = history.logins(count, now);
        rows.into_iter().map(|(ended, counts)| (ended.way, ended.outcome, counts)).collect()
    }

    #[test]
    fn what_ended_in_a_minute_stands_in_it_and_nowhere_else() {
        let history = History::start(at(0));
        for second in [0, 1, 59, 60, 185] {
            history.login("wechat", "done", at(second));
        }
        history.login("password", "bad_credentials", at(61));
        assert_eq!(
            rows(&history, 4, at(190)),
            [("password", "bad_credentials", vec![0, 1, 0, 0]), ("wechat", "done", vec![3, 1, 0, 1])]
        );
        assert_eq!(rows(&history, 1, at(190)), [("wechat", "done", vec![1])]);
        assert_eq!((begin(4, at(190)), begin(1, at(190))), (at(0), at(180)));
        assert!(rows(&history, 5, at(86_400)).is_empty());
    }

    #[test]
    fn a_day_is_kept_and_no_more_whatever_the_clock_does() {
        let history = History::start(at(0));
        let kept = || history.logins.0.lock().unwrap().len();
        for minute in 0..3 * 1440 {
            history.login("wechat", "done", at(minute * 60));
        }
        assert_eq!(kept(), MINUTES);
        assert_eq!(rows(&history, 9999, at(3 * 86_400 - 60))[0].2, vec![1; MINUTES]);
        // Set back by an hour: what was counted ahead goes, what is behind stays.
        history.login("wechat", "done", at(3 * 86_400 - 3660));
        assert_eq!(kept(), MINUTES - 58);
        history.login("wechat", "done", at(900 * 86_400));
        assert_eq!(kept(), 1);
    }

    #[test]
    fn many_threads_lose_no_login() {
        let history = History::start(at(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope
                    .spawn(|| (0..1000).for_each(|second| history.login("wechat", "done", at(second % 120))));
            }
        });
        let rows = rows(&history, 2, at(119));
        assert_eq!(rows[0].2.iter().sum::<u32>(), 8000);
    }
}
