//! When a password may be tried: a pure policy over what has been counted, and the marks under which it is counted.
//!
//! Wrong passwords are counted for a name from an address, for the name, and for the address. The pair waits first, soon
//! and longer each time; the name as a whole and the address as a whole only far later, and then not where the name's
//! password has been right from that address. So a stranger's guesses hold up strangers, and not an account's owner where
//! they are at home. Logging in by WeChat never asks here at all.

use std::net::IpAddr;
use std::time::Duration;

use uuid::Uuid;

use super::Rooms;
use super::username::Username;
use crate::clock::{Timestamp, after};
use crate::error::{Code, Error, Result};
use crate::store::{Count, Mark};
use crate::vault::Cell;

/// How many wrong passwords are free, and what comes then.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// For one name from one address, a day.
    pub pair: u32,
    /// For one name from everywhere, a day.
    pub account: u32,
    /// From one address for whatever names, an hour.
    pub address: u32,
    /// The first wait is a second, each next one twice as long, up to this.
    pub longest_wait: Duration,
}

const HOUR: Duration = Duration::from_secs(3600);
/// So long after the first wrong password, the counts of names begin anew.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// For so long an address is known to an account whose password was right there.
const KNOWN: Duration = Duration::from_secs(30 * 24 * 3600);

/// What stands against one try: at the pair, and, if they are counted, at the name and the address.
type Against<'c> = (&'c Count, Option<&'c Count>, Option<&'c Count>);

impl Policy {
    /// Whether one more may be tried at `now`; else from when on.
    fn decide(&self, (pair, account, address): Against<'_>, now: Timestamp) -> Option<Timestamp> {
        let known = pair.succeeded_at.is_some_and(|at| after(at, KNOWN) > now);
        let strangers = |count: Option<&Count>, free, window| {
            count.filter(|_| !known).and_then(|count| self.wait(count, free, window, now))
        };
        let waits = [
            self.wait(pair, self.pair, DAY, now),
            strangers(account, self.account, DAY),
            strangers(address, self.address, HOUR),
        ];
        waits.into_iter().flatten().filter(|until| *until > now).max()
    }

    fn wait(&self, count: &Count, free: u32, window: Duration, now: Timestamp) -> Option<Timestamp> {
        let over = standing(count, window, now).checked_sub(free)?;
        let wait = Duration::from_secs(1_u64.checked_shl(over.min(32)).unwrap_or(u64::MAX));
        // Counted by a clock that was far ahead: nobody waits for that day to come.
        let failed_at = count.failed_at.filter(|at| *at <= after(now, self.longest_wait))?;
        Some(after(failed_at, wait.min(self.longest_wait)))
    }
}

/// The failures that still count.
fn standing(count: &Count, window: Duration, now: Timestamp) -> u32 {
    let over = count.since.is_none_or(|since| after(since, window) <= now);
    if over { 0 } else { count.failures }
}

/// What still stands where an operator forgave the name at `forgiven`.
fn remaining(count: &Count, forgiven: Option<Timestamp>) -> Count {
    if count.failed_at.is_some_and(|failed_at| Some(failed_at) <= forgiven) {
        Count { failures: 0, since: None, failed_at: None, ..*count }
    } else {
        *count
    }
}

/// With one more failure.
fn charged(count: &Count, window: Duration, now: Timestamp) -> Count {
    let standing = standing(count, window, now);
    Count {
        failures: standing.saturating_add(1),
        since: count.since.filter(|_| standing > 0).or(Some(now)),
        failed_at: Some(now),
        expires_at: count.expires_at.max(after(now, window)),
        ..*count
    }
}

/// Where the password was right: nothing stands against it.
fn cleared(now: Timestamp) -> Count {
    let expires_at = after(now, KNOWN);
    Count { failures: 0, since: None, failed_at: None, succeeded_at: Some(now), expires_at }
}

/// Where it only was one of many: as if this try had not been. `before` is what stood there, `now` when it was charged.
fn taken_back(count: &Count, before: &Count, now: Timestamp) -> Count {
    let failures = count.failures.saturating_sub(1);
    let others = count.failed_at != Some(now);
    Count { failures, failed_at: if others { count.failed_at } else { before.failed_at }, ..*count }
}

/// One try at a password, counted: it stands as wrong until it is [`acquitted`](Self::acquit), so that tries at once
/// can't all be the first.
pub(super) struct Try {
    /// The pair's or one's own, the name's, the address's.
    marks: Vec<Mark>,
    /// What stood at the address.
    address: Count,
    at: Timestamp,
}

impl Try {
    /// At this name's password, from this address.
    pub(super) async fn at(rooms: &Rooms, username: &Username, ip: IpAddr, now: Timestamp) -> Result<Self> {
        let network = network(ip);
        let pair = mark(rooms, &["pair", username.as_str(), &network]);
        let marks = vec![pair, name_mark(rooms, username), mark(rooms, &["address", &network])];
        Self::charge(rooms, marks, Some(forgiven_mark(rooms, username)), now).await
    }

    /// At the old password of somebody who is logged in: counted apart, so that strangers' tries don't stand in the way.
    pub(super) async fn at_own(rooms: &Rooms, user: Uuid, now: Timestamp) -> Result<Self> {
        Self::charge(rooms, vec![own_mark(rooms, user)], None, now).await
    }

    /// `forgiven`: where it stands when an operator forgave the name.
    async fn charge(rooms: &Rooms, marks: Vec<Mark>, forgiven: Option<Mark>, now: Timestamp) -> Result<Self> {
        if let Err(error) = rooms.store.tidy_attempts(now).await {
            tracing::warn!(cause = error.cause.as_deref(), "counts of wrong passwords could not be tidied");
        }
        let policy = rooms.attempts;
        let allows = |counts: &[Count]| match counts {
            [pair, rest @ ..] => policy.decide((pair, rest.first(), rest.get(1)), now).map_or(Ok(()), Err),
            [] => Ok(()),
        };
        // Who must wait is told so by a look, and holds up nobody's transaction.
        let asked: Vec<Mark> = marks.iter().chain(&forgiven).cloned().collect();
        let mut seen = rooms.store.counts(&asked).await?;
        let forgiven = seen.drain(marks.len()..).next().and_then(|count| count.succeeded_at);
        // The pair's only: the name's was cleared, and the address's is the address's.
        let left = |counts: &[Count]| {
            let forgive = |(at, count)| if at == 0 { remaining(count, forgiven) } else { *count };
            counts.iter().enumerate().map(forgive).collect::<Vec<Count>>()
        };
        allows(&left(&seen)).map_err(|until| too_many(until, now))?;
        let counted = rooms.store.recount(&marks, |counts| {
            let counts = left(counts);
            allows(&counts)?;
            let windows = [DAY, DAY, HOUR].into_iter();
            Ok(counts.iter().zip(windows).map(|(count, window)| charged(count, window, now)).collect())
        });
        let before = counted.await?.map_err(|until| too_many(until, now))?;
        Ok(Self { marks, address: before.get(2).copied().unwrap_or_default(), at: now })
    }

    /// It was right.
    pub(super) async fn acquit(self, rooms: &Rooms, now: Timestamp) -> Result<()> {
        let change = |counts: &[Count]| {
            let change = |(index, count)| match index {
                2 => taken_back(count, &self.address, self.at),
                _ => cleared(now),
            };
            Ok::<_, std::convert::Infallible>(counts.iter().enumerate().map(change).collect())
        };
        rooms.store.recount(&self.marks, change).await.map(|_| ())
    }
}

fn too_many(until: Timestamp, now: Timestamp) -> Error {
    let wait = until.duration_since(now).unsigned_abs() + Duration::from_secs(1);
    Error { retry_after: Some(wait), ..Code::TooManyAttempts.into() }
}

/// How many wrong passwords stand against a name as a whole, and when the last one was.
pub async fn against(rooms: &Rooms, username: &Username) -> Result<(u32, Option<Timestamp>)> {
    let counts = rooms.store.counts(&[name_mark(rooms, username)]).await?;
    let count = counts.first().copied().unwrap_or_default();
    Ok(match standing(&count, DAY, rooms.now()) {
        0 => (0, None),
        failures => (failures, count.failed_at),
    })
}

/// Forgets what stands against a name: an operator has looked at it. The counts of the name from each address can't be found
/// from here, their marks being made of both; so what is written down is from when on they count.
pub async fn forgive(rooms: &Rooms, username: &Username) -> Result<()> {
    let now = rooms.now();
    let marks = [name_mark(rooms, username), forgiven_mark(rooms, username)];
    let forgiven = Count { succeeded_at: Some(now), expires_at: after(now, DAY), ..Count::default() };
    let written = |_: &[Count]| Ok::<_, std::convert::Infallible>(vec![Count::default(), forgiven]);
    rooms.store.recount(&marks, written).await.map(|_| ())
}

/// The same, and what stands against this user's tries at their own password.
pub(super) async fn forgive_user(rooms: &Rooms, username: &Username, user: Uuid) -> Result<()> {
    forgive(rooms, username).await?;
    let none = |_: &[Count]| Ok::<_, std::convert::Infallible>(vec![Count::default()]);
    rooms.store.recount(&[own_mark(rooms, user)], none).await.map(|_| ())
}

fn name_mark(rooms: &Rooms, username: &Username) -> Mark {
    mark(rooms, &["name", username.as_str()])
}

fn own_mark(rooms: &Rooms, user: Uuid) -> Mark {
    mark(rooms, &["own", &user.to_string()])
}

fn forgiven_mark(rooms: &Rooms, username: &Username) -> Mark {
    mark(rooms, &["forgiven", username.as_str()])
}

/// Keyed: the table tells nobody which names were tried, and who could read it can't look one up.
fn mark(rooms: &Rooms, what: &[&str]) -> Mark {
    rooms.vault.mark(&Cell { table: "attempts", column: "mark", row: what }, &[])
}

/// One host has a whole /64 of IPv6 to try from.
pub fn network(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests;
