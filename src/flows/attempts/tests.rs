use proptest::prelude::*;

use super::*;

const POLICY: Policy = Policy { pair: 5, account: 100, address: 300, longest_wait: Duration::from_secs(900) };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_793_500_000 + seconds).unwrap()
}

fn failed(failures: u32) -> Count {
    Count { failures, since: Some(at(-60)), failed_at: Some(at(0)), ..Count::default() }
}

fn succeeded(seconds: i64) -> Count {
    Count { succeeded_at: Some(at(seconds)), ..Count::default() }
}

fn decide(pair: Count, account: Count, address: Count, now: Timestamp) -> Option<Timestamp> {
    POLICY.decide((&pair, Some(&account), Some(&address)), now)
}

fn none() -> Count {
    Count::default()
}

#[test]
fn the_pair_waits_first_and_twice_as_long_each_time() {
    let wait = |failures| decide(failed(failures), none(), none(), at(0));
    assert_eq!(wait(4), None);
    for (failures, seconds) in [(5, 1), (6, 2), (9, 16), (14, 512), (15, 900), (40, 900), (u32::MAX, 900)] {
        assert_eq!(wait(failures), Some(at(seconds)), "{failures}");
    }
}

#[test]
fn what_a_clock_counted_that_was_far_ahead_holds_up_nobody_for_longer_than_the_longest_wait_or_two() {
    for failures in [5, 9, 40] {
        let until = |now| decide(failed(failures), none(), none(), at(now));
        // A replica's clock may be a little ahead.
        assert!(until(-2).is_some());
        for now in -2_000..0 {
            assert!(until(now).is_none_or(|until| until <= at(now + 2 * 900)), "{failures} at {now}");
        }
        assert_eq!(until(-86_400), None);
    }
}

#[test]
fn strangers_guesses_do_not_hold_up_an_address_that_the_account_knows() {
    for (account, address) in [(failed(5000), none()), (none(), failed(5000))] {
        assert_eq!(decide(none(), account, address, at(1)), Some(at(900)));
        assert_eq!(decide(succeeded(-86_400), account, address, at(1)), None);
        assert_eq!(decide(succeeded(-40 * 86_400), account, address, at(1)), Some(at(900)));
    }
}

#[test]
fn an_address_that_tries_many_names_waits_as_a_whole() {
    assert_eq!(decide(none(), none(), failed(299), at(0)), None);
    assert_eq!(decide(none(), none(), failed(300), at(0)), Some(at(1)));
}

#[test]
fn typing_errors_of_a_shared_address_do_not_add_up_for_ever() {
    let mut address = none();
    for day in 0..365 {
        for minute in 0..3 {
            address = charged(&address, HOUR, at(day * 86_400 + minute * 60));
        }
    }
    assert_eq!((address.failures, decide(none(), none(), address, at(365 * 86_400))), (3, None));
}

#[test]
fn a_right_password_leaves_the_address_as_it_was_and_does_not_start_its_wait_anew() {
    let before = failed(301);
    let during = charged(&before, HOUR, at(10));
    assert_eq!(taken_back(&during, &before, at(10)), Count { expires_at: during.expires_at, ..before });
    // Somebody else failed there meanwhile: theirs stands.
    let both = charged(&during, HOUR, at(11));
    let after = taken_back(&both, &before, at(10));
    assert_eq!((after.failures, after.failed_at), (302, Some(at(11))));
}

#[test]
fn what_an_operator_forgave_does_not_count_and_what_came_since_does() {
    let pair = Count { succeeded_at: Some(at(-99)), ..failed(9) };
    let wait = |forgiven| decide(remaining(&pair, forgiven), none(), none(), at(0));
    assert_eq!([wait(None), wait(Some(at(-1))), wait(Some(at(0)))], [Some(at(16)), Some(at(16)), None]);
    let left = remaining(&pair, Some(at(0)));
    assert_eq!((left.failures, left.succeeded_at), (0, Some(at(-99))));
    let again = charged(&left, DAY, at(1));
    assert_eq!((again.failures, again.since, remaining(&again, Some(at(0)))), (1, Some(at(1)), again));
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
        let now = |pair: u32, seconds| decide(failed(pair), failed(account), failed(address), at(seconds));
        prop_assert!(now(pair, 0) <= now(pair + 1, 0));
        prop_assert_eq!(now(pair, 901), None);
        if let Some(until) = now(pair, later) {
            prop_assert!(until > at(later) && until <= at(900));
        }
    }

    #[test]
    fn in_any_window_no_more_than_the_free_ones_and_a_few_are_tried(tries in proptest::collection::vec(0_i64..600, 1..300)) {
        let (mut pair, mut now, mut tried) = (none(), 0, 0);
        for later in tries {
            now += later;
            if POLICY.decide((&pair, None, None), at(now)).is_none() && now < 86_400 {
                pair = charged(&pair, DAY, at(now));
                tried += 1;
            }
        }
        // Five, ten doublings, and then one each 15 minutes.
        prop_assert!(tried <= 5 + 10 + 86_400 / 900);
    }
}
