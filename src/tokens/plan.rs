//! Where each key of the ring stands at an instant, and what is to be done next. Pure, so that every replica says the same.

use std::path::PathBuf;
use std::time::Duration;

use super::SLACK;
use crate::clock::{Timestamp, after, before};

/// One listed key on the ring's timeline: published from when it is listed, then signs, then is superseded, then gone.
pub struct Planned {
    /// Its file.
    pub file: PathBuf,
    /// Its kid.
    pub kid: String,
    /// Its algorithm.
    pub alg: &'static str,
    /// Since when this process publishes it; none: since it started, or longer.
    pub since: Option<Timestamp>,
    /// From when on it signs; none: from the beginning.
    pub signs: Option<Timestamp>,
    /// When its successor begins to sign.
    pub superseded: Option<Timestamp>,
    /// From when on it is no longer published, and its lines and its file may go.
    pub gone: Option<Timestamp>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Known to everybody, and yet to sign.
    Published,
    /// It signs.
    Signs,
    /// Its successor signs; its last tokens still count.
    Retiring,
    /// Nothing of it counts any more.
    Ended,
}

impl Planned {
    /// Where it stands at `now`.
    pub fn stage(&self, now: Timestamp) -> Stage {
        let passed = |instant: Option<Timestamp>| instant.is_some_and(|instant| instant <= now);
        if passed(self.gone) {
            Stage::Ended
        } else if passed(self.superseded) {
            Stage::Retiring
        } else if self.signs.is_none() || passed(self.signs) {
            Stage::Signs
        } else {
            Stage::Published
        }
    }
}

/// So long a key signs before another one should: what a leak of yesterday's backup is worth ends with it, and the people
/// who rotate still know how.
pub const LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// What an operator does next. The files are places in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// List a new key by then, so that it signs when the current one has signed for [`LIFE`]; without a time where the
    /// current one's age isn't known, because it signs from the beginning.
    Publish(Option<Timestamp>),
    /// The same, and it has been due since then.
    Overdue(Timestamp),
    /// Take this key's lines off the list, and delete its file: nothing of it counts.
    Remove(usize),
    /// Nothing, until then this key begins to sign by itself.
    Begins(usize, Timestamp),
    /// Nothing, until then this key has ended and can be removed.
    Ends(usize, Timestamp),
}

/// The next step at `now`. `verifier_cache`: how long siblings may keep the published keys.
pub fn next_step(plan: &[Planned], verifier_cache: Duration, now: Timestamp) -> Step {
    let at = |stage: Stage| plan.iter().position(|key| key.stage(now) == stage);
    let signer = at(Stage::Signs).and_then(|at| plan.get(at));
    let lead = verifier_cache.saturating_add(SLACK);
    let due = signer.and_then(|key| key.signs).map(|signs| before(after(signs, LIFE), lead));
    let (next, ended, retiring) = (at(Stage::Published), at(Stage::Ended), at(Stage::Retiring));
    let time = |at: Option<usize>, of: fn(&Planned) -> Option<Timestamp>| {
        at.and_then(|at| Some((at, of(plan.get(at)?)?)))
    };
    match (next, due) {
        (None, Some(due)) if due <= now => Step::Overdue(due),
        _ => match (ended, time(next, |key| key.signs), time(retiring, |key| key.gone)) {
            (Some(ended), ..) => Step::Remove(ended),
            (None, _, Some((key, gone))) => Step::Ends(key, gone),
            (None, Some((key, signs)), None) => Step::Begins(key, signs),
            (None, None, None) => Step::Publish(due),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    const CACHE: Duration = Duration::from_secs(3600);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Keys that begin to sign then; a superseded one stays for three hours.
    fn plan(begins: &[Option<i64>]) -> Vec<Planned> {
        let planned = begins.iter().enumerate().map(|(place, signs)| {
            let superseded = begins.get(place + 1).copied().flatten();
            Planned {
                file: format!("{place}.pem").into(),
                kid: place.to_string(),
                alg: "ES256",
                since: None,
                signs: signs.map(at),
                superseded: superseded.map(at),
                gone: superseded.map(|second| at(second + 3 * HOUR)),
            }
        });
        planned.collect()
    }

    #[test]
    fn a_key_is_published_signs_retires_and_ends() {
        let plan = plan(&[None, Some(DAY)]);
        let stages = |second| [plan[0].stage(at(second)), plan[1].stage(at(second))];
        assert_eq!(stages(DAY - 1), [Stage::Signs, Stage::Published]);
        assert_eq!(stages(DAY), [Stage::Retiring, Stage::Signs]);
        assert_eq!(stages(DAY + 3 * HOUR - 1), [Stage::Retiring, Stage::Signs]);
        assert_eq!(stages(DAY + 3 * HOUR), [Stage::Ended, Stage::Signs]);
    }

    #[test]
    fn through_a_rotation_each_step_is_told_in_its_turn() {
        let rotation = plan(&[Some(0), Some(DAY)]);
        let step = |second| next_step(&rotation, CACHE, at(second));
        assert_eq!(step(HOUR), Step::Begins(1, at(DAY)));
        assert_eq!(step(DAY), Step::Ends(0, at(DAY + 3 * HOUR)));
        assert_eq!(step(DAY + 3 * HOUR), Step::Remove(0));
        // What is late goes before what is untidy.
        assert_eq!(step(DAY + 90 * DAY - HOUR - 300), Step::Overdue(at(91 * DAY - HOUR - 300)));

        let alone = plan(&[Some(0)]);
        let due = 90 * DAY - HOUR - 300;
        assert_eq!(next_step(&alone, CACHE, at(HOUR)), Step::Publish(Some(at(due))));
        assert_eq!(next_step(&alone, CACHE, at(due)), Step::Overdue(at(due)));
        assert_eq!(next_step(&plan(&[None]), CACHE, at(999 * DAY)), Step::Publish(None));
    }
}
