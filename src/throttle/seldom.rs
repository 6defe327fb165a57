//! Saying a thing once in a while, where it happens a thousand times a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// So many seconds between one such line and the next.
const SAID: u64 = 60;

/// Once a minute.
#[derive(Debug)]
pub struct Seldom {
    began: Instant,
    /// When it was last said, in seconds since a minute before it began; 0: never.
    said: AtomicU64,
}

impl Default for Seldom {
    #[expect(
        clippy::disallowed_methods,
        reason = "how often a line is logged, which no test's clock may say"
    )]
    fn default() -> Self {
        Self { began: Instant::now(), said: AtomicU64::new(0) }
    }
}

impl Seldom {
    /// Whether it is time to say it again; of many who ask at once, one is told yes.
    pub fn is_due(&self) -> bool {
        let second = self.began.elapsed().as_secs().saturating_add(SAID);
        let said = self.said.load(Ordering::Relaxed);
        second.saturating_sub(said) >= SAID
            && self.said.compare_exchange(said, second, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
