//! Time comes in here, and nowhere else (clippy.toml forbids the system's clock elsewhere): a test brings its own.

use std::time::Duration;

pub use jiff::Timestamp;
use uuid::Uuid;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The instant, in UTC.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// `instant` and `span` later, held at the end of time rather than past it.
pub fn after(instant: Timestamp, span: Duration) -> Timestamp {
    instant.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// `instant` and `span` earlier, held at the beginning of time rather than before it.
pub fn before(instant: Timestamp, span: Duration) -> Timestamp {
    instant.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// Whether what was read at `then` is younger than `span`. What lies in the future isn't: the clock was set back since.
pub fn is_younger(then: Timestamp, span: Duration, now: Timestamp) -> bool {
    then <= now && now < after(then, span)
}

/// `instant` without its fraction of a second, as one writes it into a file.
pub fn whole_seconds(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

/// A UUIDv7 (RFC 9562 §5.7) for this instant and these random bytes.
pub fn uuid_v7(now: Timestamp, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_young_for_a_span_and_never_once_the_clock_was_set_back_behind_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let young = |now| is_younger(at(100), Duration::from_secs(5), at(now));
        assert_eq!([99, 100, 104, 105, -1_000].map(young), [false, true, true, false, false]);
    }
}
