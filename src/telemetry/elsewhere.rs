//! How much of a piece of work was waiting for somebody else: WeChat, or a thread that hashes. What it adds isn't ours to remove, and no sign of a
//! queue here.

use std::cell::Cell;
use std::time::{Duration, Instant};

tokio::task_local! {
    static THEIRS: Cell<Duration>;
}

/// Does the work, and says how much of it was somebody else's.
pub async fn counted<T>(work: impl Future<Output = T>) -> (T, Duration) {
    THEIRS
        .scope(Cell::new(Duration::ZERO), async {
            let done = work.await;
            (done, THEIRS.with(Cell::get))
        })
        .await
}

/// Waits for somebody else.
pub async fn waited<T>(work: impl Future<Output = T>) -> T {
    #[expect(clippy::disallowed_methods, reason = "how long an answer takes, which no test's clock may say")]
    let begun = Instant::now();
    let done = work.await;
    // Outside of counted work nobody asks.
    let _ = THEIRS.try_with(|theirs| theirs.set(theirs.get() + begun.elapsed()));
    done
}
