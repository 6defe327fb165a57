//! Counting what is sealed with which key while the gateway serves: one count at a time, and it may be looked at.
//!
//! A count reads every row of both tables. So it is never made on its own, and never twice at once, however many ask.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Rooms;
use super::reseal::{self, Tally};
use crate::clock::{Timestamp, is_younger};
use crate::error::Result;

/// Where the counting stands.
#[derive(Default)]
pub struct Counting(Mutex<Count>);

#[derive(Default)]
struct Count {
    under_way: bool,
    seen: u64,
    rows: u64,
    last: Option<(Timestamp, Result<Arc<Tally>>)>,
}

/// What can be seen of it.
pub struct Progress {
    /// Whether it goes on.
    pub under_way: bool,
    /// Rows seen of those there are, about.
    pub seen: (u64, u64),
    /// When the last count was done, and what it found.
    pub last: Option<(Timestamp, Result<Arc<Tally>>)>,
}

impl Counting {
    /// Where it stands.
    pub fn progress(&self) -> Progress {
        let count = self.lock();
        Progress { under_way: count.under_way, seen: (count.seen, count.rows), last: count.last.clone() }
    }

    /// Whether the caller is to count: nobody does, and what was found isn't of the last few seconds.
    pub fn begin(&self, now: Timestamp) -> bool {
        let mut count = self.lock();
        let fresh = count.last.as_ref().is_some_and(|(at, _)| is_younger(*at, FRESH, now));
        let begin = !count.under_way && !fresh;
        if begin {
            // Why the last one failed is no news while another is under way.
            count.last.take_if(|(_, found)| found.is_err());
            (count.under_way, count.seen, count.rows) = (true, 0, 0);
        }
        begin
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So long a count is as good as a new one.
const FRESH: Duration = Duration::from_secs(10);

/// Counts, once [`Counting::begin`] has said so; every row of both tables is looked at.
pub async fn count(rooms: &Rooms) {
    let counting = &rooms.counting;
    let found = async {
        counting.lock().rows = rooms.store.count_rows().await?;
        reseal::tally(rooms, |rows| counting.lock().seen += rows).await
    };
    let found = found.await;
    let mut count = counting.lock();
    (count.under_way, count.last) = (false, Some((rooms.now(), found.map(Arc::new))));
}
