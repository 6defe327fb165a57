//! When a password may be tried: a pure policy over what has been counted, and the marks under which it is counted.
//!
//! Wrong passwords are counted for a name from an address, for the name, and for the address. The pair waits first, soon
//! and longer each time; the name as a whole only far later, and then not for an address from which its password has been
//! right. So nobody locks somebody else out: a stranger's guesses hold up the stranger. Logging in by WeChat never asks
//! here at all.

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
    /// For one name from one address.
    pub pair: u32,
    /// For one name from everywhere.
    pub account: u32,
    /// From one address for whatever names.
    pub address: u32,
    /// The first wait is a second, each next one twice as long, up to this.
    pub longest_wait: Duration,
}

/// A wrong password of longer ago no longer counts.
const FORGET: Duration = Duration::from_secs(24 * 3600);
/// For so long an address is known to an account whose password was right there.
const KNOWN: Duration = Duration::from_secs(30 * 24 * 3600);

/// What stands against one try.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    pair: Count,
    account: Count,
    address: Count,
}

impl Policy {
    /// Whether one more may be tried at `now`; else from when on.
    fn decide(&self, counts: &Counts, now: Timestamp) -> Option<Timestamp> {
        let known = counts.pair.succeeded_at.is_some_and(|at| after(at, KNOWN) > now);
        let account = if known { None } else { self.wait(&counts.account, self.account) };
        [self.wait(&counts.pair, self.pair), account, self.wait(&counts.address, self.address)]
            .into_iter()
            .flatten()
            .filter(|until| *until > now)
            .max()
    }

    fn wait(&self, count: &Count, free: u32) -> Option<Timestamp> {
        let over = count.failures.checked_sub(free)?;
        let wait = Duration::from_secs(1_u64.checked_shl(over.min(32)).unwrap_or(u64::MAX));
        Some(after(count.failed_at?, wait.min(self.longest_wait)))
    }
}

/// One try at a password, counted: it stands as wrong until it is [`acquitted`](Self::acquit), so that tries at once
/// can't all be the first.
pub(super) struct Try {
    cleared: Vec<Mark>,
    taken_back: Vec<Mark>,
}

impl Try {
    /// At this name's password, from this address.
    pub(super) async fn at(rooms: &Rooms, username: &Username, ip: IpAddr, now: Timestamp) -> Result<Self> {
        let network = network(ip);
        let pair = mark(rooms, &["pair", username.as_str(), &network]);
        let (account, address) = (name_mark(rooms, username), mark(rooms, &["address", &network]));
        let marks = [pair.clone(), account.clone(), address.clone()];
        Self::charge(rooms, &marks, now).await?;
        Ok(Self { cleared: vec![pair, account], taken_back: vec![address] })
    }

    /// At the old password of somebody who is logged in: counted apart, so that strangers' tries don't stand in the way.
    pub(super) async fn at_own(rooms: &Rooms, user: Uuid, now: Timestamp) -> Result<Self> {
        let own = mark(rooms, &["own", &user.to_string()]);
        Self::charge(rooms, std::slice::from_ref(&own), now).await?;
        Ok(Self { cleared: vec![own], taken_back: Vec::new() })
    }

    async fn charge(rooms: &Rooms, marks: &[Mark], now: Timestamp) -> Result<()> {
        let policy = rooms.attempts;
        let allows = |counts: &[Count]| {
            let at = |index: usize| counts.get(index).copied().unwrap_or_default();
            policy.decide(&Counts { pair: at(0), account: at(1), address: at(2) }, now)
        };
        rooms.store.tidy_attempts(now).await?;
        match rooms.store.charge(marks, FORGET, now, allows).await? {
            None => Ok(()),
            Some(until) => Err(Error {
                retry_after: Some(until.duration_since(now).unsigned_abs() + Duration::from_secs(1)),
                ..Code::TooManyAttempts.into()
            }),
        }
    }

    /// It was right.
    pub(super) async fn acquit(self, rooms: &Rooms, now: Timestamp) -> Result<()> {
        rooms.store.acquit(&self.cleared, &self.taken_back, KNOWN, now).await
    }
}

/// What stands against a name as a whole.
pub async fn against(rooms: &Rooms, username: &Username) -> Result<Count> {
    rooms.store.count(&name_mark(rooms, username)).await
}

/// Forgets what stands against a name as a whole: an operator has looked at it.
pub async fn forgive(rooms: &Rooms, username: &Username) -> Result<()> {
    rooms.store.acquit(&[name_mark(rooms, username)], &[], FORGET, rooms.now()).await
}

fn name_mark(rooms: &Rooms, username: &Username) -> Mark {
    mark(rooms, &["name", username.as_str()])
}

/// Keyed: the table tells nobody which names were tried, and who could read it can't look one up.
fn mark(rooms: &Rooms, what: &[&str]) -> Mark {
    rooms.vault.mark(&Cell { table: "attempts", column: "mark", row: what }, &[])
}

/// One host has a whole /64 of IPv6 to try from.
pub(super) fn network(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy =
        Policy { pair: 5, account: 100, address: 300, longest_wait: Duration::from_secs(900) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_793_500_000 + seconds).unwrap()
    }

    fn failed(failures: u32) -> Count {
        Count { failures, failed_at: Some(at(0)), succeeded_at: None }
    }

    #[test]
    fn the_pair_waits_first_and_twice_as_long_each_time() {
        let wait = |failures| POLICY.decide(&Counts { pair: failed(failures), ..Counts::default() }, at(0));
        assert_eq!(wait(4), None);
        for (failures, seconds) in [(5, 1), (6, 2), (9, 16), (14, 512), (15, 900), (40, 900), (u32::MAX, 900)]
        {
            assert_eq!(wait(failures), Some(at(seconds)), "{failures}");
        }
    }

    #[test]
    fn a_strangers_guesses_do_not_hold_up_an_address_that_the_account_knows() {
        let under_attack = Counts { account: failed(5000), ..Counts::default() };
        assert_eq!(POLICY.decide(&under_attack, at(1)), Some(at(900)));
        let known = Count { succeeded_at: Some(at(-86_400)), ..Count::default() };
        assert_eq!(POLICY.decide(&Counts { pair: known, ..under_attack }, at(1)), None);
        let long_ago = Count { succeeded_at: Some(at(-40 * 86_400)), ..Count::default() };
        assert_eq!(POLICY.decide(&Counts { pair: long_ago, ..under_attack }, at(1)), Some(at(900)));
    }

    #[test]
    fn an_address_that_tries_many_names_waits_as_a_whole() {
        assert_eq!(POLICY.decide(&Counts { address: failed(299), ..Counts::default() }, at(0)), None);
        assert_eq!(POLICY.decide(&Counts { address: failed(300), ..Counts::default() }, at(0)), Some(at(1)));
    }

    #[test]
    fn a_host_cannot_change_its_address_within_its_own_network() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("203.0.113.1"), network("203.0.113.2"));
    }

    proptest! {
        #[test]
        fn more_failures_never_shorten_a_wait_and_every_wait_ends(
            pair in 0_u32..100, account in 0_u32..1000, address in 0_u32..1000, later in 0_i64..2000,
        ) {
            let counts = Counts { pair: failed(pair), account: failed(account), address: failed(address) };
            let more = Counts { pair: failed(pair + 1), ..counts };
            prop_assert!(POLICY.decide(&counts, at(0)) <= POLICY.decide(&more, at(0)));
            prop_assert_eq!(POLICY.decide(&counts, at(901)), None);
            if let Some(until) = POLICY.decide(&counts, at(later)) {
                prop_assert!(until > at(later) && until <= at(900));
            }
        }
    }
}
