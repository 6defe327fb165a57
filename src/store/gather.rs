//! Gathers what comes while a write is under way, and writes it together: one commit for all that waited for it.
//!
//! No timer for gathering: who comes when nothing is under way is written at once, alone. Bounded: so many in a batch, so many
//! in the queue, so long.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

use crate::telemetry;

/// So many wait at the most.
const QUEUE: usize = 4_096;

/// So long one waits, and so long a batch holds up its lane.
const LONGEST: Duration = Duration::from_secs(5);

/// So long a batch goes on after that, for its database to end it by its own bounds: work that is dropped in the middle of its
/// BEGIN would go back to the pool open. Whoever hasn't answered then is gone.
const GONE: Duration = Duration::from_secs(12);

/// A queue and those who empty it. They end when it is dropped.
pub(super) struct Gather<I, O> {
    queue: mpsc::Sender<(I, Waiting<O>)>,
}

type Waiting<O> = oneshot::Sender<Result<O, Unwritten>>;

/// Why nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwritten {
    /// The queue is full.
    Full,
    /// It took longer than [`LONGEST`]; it may have been written all the same.
    Late,
    /// Whoever wrote it ended without a word: a panic.
    Lost,
}

impl<I: Send + 'static, O: Send + 'static> Gather<I, O> {
    /// `lanes` batches at once, each of `most` items at the most. `write` answers them in their order. The numbers call it
    /// `kind`.
    pub(super) fn start<F>(
        kind: &'static str,
        lanes: usize,
        most: usize,
        write: impl Fn(Vec<I>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<O>> + Send + 'static,
    {
        let (queue, items) = mpsc::channel::<(I, Waiting<O>)>(QUEUE);
        let items = Arc::new(Mutex::new(items));
        for _ in 0..lanes {
            let (items, write) = (items.clone(), write.clone());
            tokio::spawn(async move {
                loop {
                    let mut batch = Vec::new();
                    if items.lock().await.recv_many(&mut batch, most).await == 0 {
                        return;
                    }
                    // Who has left doesn't want it: a queue that grew too long holds up nobody who comes now.
                    batch.retain(|(_, waiting)| !waiting.is_closed());
                    if batch.is_empty() {
                        continue;
                    }
                    let (items, waiting): (Vec<I>, Vec<Waiting<O>>) = batch.into_iter().unzip();
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "how long a commit takes, which no test's clock may say"
                    )]
                    let begun = Instant::now();
                    // Here, in the lane's own task: a hop to another costs a lone login more than all else in here. A panic takes
                    // this batch along and not the lane.
                    let mut writing = AssertUnwindSafe(write(items)).catch_unwind().boxed();
                    let Ok(outcomes) = timeout(LONGEST, &mut writing).await else {
                        waiting.into_iter().for_each(|waiting| drop(waiting.send(Err(Unwritten::Late))));
                        tokio::spawn(async move { drop(timeout(GONE, writing).await) });
                        continue;
                    };
                    telemetry::batch(kind, waiting.len(), begun.elapsed());
                    for (waiting, outcome) in waiting.into_iter().zip(outcomes.unwrap_or_default()) {
                        drop(waiting.send(Ok(outcome)));
                    }
                }
            });
        }
        Self { queue }
    }

    /// How many wait for a batch.
    pub(super) fn waiting(&self) -> usize {
        QUEUE - self.queue.capacity()
    }

    /// Has it written with whatever else waits, and gives what came of it.
    pub(super) async fn written(&self, item: I) -> Result<O, Unwritten> {
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send((item, answer)).map_err(|_| Unwritten::Full)?;
        match timeout(LONGEST, outcome).await {
            Ok(answered) => answered.unwrap_or(Err(Unwritten::Lost)),
            Err(_) => Err(Unwritten::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_comes_while_one_is_written_is_written_together_and_each_gets_its_own_answer() {
        let (open, sizes) = (Arc::new(Semaphore::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
        let (gate, seen) = (open.clone(), sizes.clone());
        let gather = Arc::new(Gather::start("test", 1, 100, move |items: Vec<u32>| {
            let (gate, seen) = (gate.clone(), seen.clone());
            async move {
                gate.acquire().await.unwrap().forget();
                seen.lock().unwrap().push(items.len());
                items.into_iter().map(|item| item * 2).collect()
            }
        }));
        let mut tasks = Vec::new();
        for item in 0..250 {
            let gather = gather.clone();
            tasks.push(tokio::spawn(async move { gather.written(item).await }));
            tokio::task::yield_now().await;
        }
        open.add_permits(10);
        for (item, task) in (0..).zip(tasks) {
            assert_eq!(task.await.unwrap(), Ok(item * 2));
        }
        let sizes = sizes.lock().unwrap();
        assert!(sizes[0] < 100 && sizes[1..].iter().all(|size| *size <= 100), "{sizes:?}");
        assert_eq!((sizes.iter().sum::<usize>(), sizes.len()), (250, 4));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_batch_and_no_other() {
        let gather = Gather::start("test", 1, 1, |items: Vec<u32>| async move {
            assert!(items != [13], "thirteen");
            items
        });
        assert_eq!(gather.written(1).await, Ok(1));
        assert_eq!(gather.written(13).await, Err(Unwritten::Lost));
        assert_eq!(gather.written(2).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_hangs_ends_and_who_has_waited_too_long_is_not_written_any_more() {
        let written = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = written.clone();
        let gather = Arc::new(Gather::start("test", 1, 1, move |items: Vec<u32>| {
            let seen = seen.clone();
            async move {
                seen.lock().unwrap().extend(items.iter().copied());
                if items[0] % 9 == 1 {
                    std::future::pending::<()>().await;
                }
                items
            }
        }));
        let ask = |item| {
            tokio::spawn({
                let gather = gather.clone();
                async move { gather.written(item).await }
            })
        };
        let second = async || tokio::time::advance(Duration::from_secs(1)).await;
        let hangs = ask(1);
        second().await;
        let hangs_too = ask(10);
        second().await;
        let waits = ask(2);
        for _ in 2..8 {
            second().await;
        }
        // The second batch is under way since the fifth second, and until the tenth.
        let comes_later = ask(3);
        for late in [hangs, hangs_too, waits] {
            assert_eq!(late.await.unwrap(), Err(Unwritten::Late));
        }
        assert_eq!(comes_later.await.unwrap(), Ok(3));
        assert_eq!(*written.lock().unwrap(), [1, 10, 3], "who was told later is not written");
    }
}
