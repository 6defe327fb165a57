//! One question at a time: whoever asks the same while it is being answered shares the answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{Code, Error, Result};

/// No question takes longer: a connection that fell silent must not keep everybody waiting who asks the same. What is asked
/// only reads, and may be dropped.
const LONGEST: Duration = Duration::from_secs(5);

/// What is being asked. By hand, because moka's flights want an async cache, and end by keeping the answer: here whoever
/// asked decides whether it is kept.
pub(super) struct SingleFlight<K: Eq + Hash + Clone, V>(Mutex<HashMap<K, Answer<V>>>);

/// None until it is answered; closed without an answer if whoever asked has left.
type Answer<V> = watch::Receiver<Option<Result<V>>>;

impl<K: Eq + Hash + Clone, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, V: Clone> SingleFlight<K, V> {
    /// The answer, also if it is an error: to the same question of somebody else, or to this one.
    pub(super) async fn ask(&self, key: K, question: impl AsyncFnOnce() -> Result<V>) -> Result<V> {
        let landing = loop {
            let mut flight = match self.begin(&key) {
                Ok(landing) => break landing,
                Err(flight) => flight,
            };
            if let Ok(answer) = flight.wait_for(Option::is_some).await
                && let Some(answer) = answer.as_ref()
            {
                return answer.clone();
            }
        };
        let late = || Error::from(Code::StoreUnavailable).because("a look-up took seconds");
        let answer = timeout(LONGEST, question()).await.unwrap_or_else(|_| Err(late()));
        landing.answer.send_replace(Some(answer.clone()));
        answer
    }

    /// From now on the question is asked anew; whoever waits for the answer gets it still.
    pub(super) fn forget(&self, key: &K) {
        self.flights().remove(key);
    }

    fn begin(&self, key: &K) -> std::result::Result<Landing<'_, K, V>, Answer<V>> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(key) {
            return Err(flight.clone());
        }
        let (answer, flight) = watch::channel(None);
        flights.insert(key.clone(), flight.clone());
        Ok(Landing { flights: self, key: key.clone(), flight, answer })
    }
}

impl<K: Eq + Hash + Clone, V> SingleFlight<K, V> {
    /// A panic while it was held has left nothing half done.
    fn flights(&self) -> MutexGuard<'_, HashMap<K, Answer<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the question off, answered or not, before its channel closes.
struct Landing<'f, K: Eq + Hash + Clone, V> {
    flights: &'f SingleFlight<K, V>,
    key: K,
    flight: Answer<V>,
    answer: watch::Sender<Option<Result<V>>>,
}

impl<K: Eq + Hash + Clone, V> Drop for Landing<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.flights();
        // It may have been forgotten, and asked anew.
        if flights.get(&self.key).is_some_and(|flight| flight.same_channel(&self.flight)) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn who_asks_meanwhile_shares_the_answer_also_a_failure_and_who_asks_later_does_not() {
        let (flights, asked, go) = (SingleFlight::<u8, usize>::default(), AtomicUsize::new(0), Notify::new());
        let ask = || {
            flights.ask(1, async || {
                go.notified().await;
                match asked.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(Code::Busy.into()),
                    n => Ok(n),
                }
            })
        };
        let together = async || tokio::join!(ask(), ask(), ask(), async { go.notify_one() });
        let (first, second, third, ()) = together().await;
        assert!([first, second, third].iter().all(Result::is_err));
        let (first, second, third, ()) = together().await;
        assert_eq!([first, second, third].map(Result::unwrap), [1; 3]);
        assert!(flights.flights().is_empty());
    }

    #[tokio::test]
    async fn who_leaves_hands_the_question_on_and_what_is_forgotten_is_asked_anew() {
        let flights = SingleFlight::<u8, &str>::default();
        let never = async || std::future::pending().await;
        {
            let (mut left, mut waits) =
                (Box::pin(flights.ask(1, never)), pin!(flights.ask(1, async || Ok("new"))));
            poll_fn(|context| {
                assert!(left.as_mut().poll(context).is_pending());
                assert!(waits.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(left);
            assert_eq!(waits.await.unwrap(), "new");
        }
        let mut old = Box::pin(flights.ask(1, never));
        poll_fn(|context| {
            assert!(old.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        flights.forget(&1);
        assert_eq!(flights.ask(1, async || Ok("new")).await.unwrap(), "new");
    }
}
