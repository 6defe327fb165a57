//! One document of the gateway's, kept at hand: fetched once for however many want it, and served while it is good.
//!
//! `freshness` decides; this carries it out. Each fetch is a task of its own, so that a request that is broken off doesn't
//! take along what others wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::freshness::{Freshness, Lifetime, Step, passed};
use crate::transport::{Fetched, Request, Transport};

/// No fetch takes longer; a transport should give up sooner.
const LONGEST_FETCH: Duration = Duration::from_secs(10);

/// So long one waits for a newer document than the old one at hand. A gateway that hangs must not hang the services.
const PATIENCE: Duration = Duration::from_secs(1);

/// What makes one document of another.
pub(crate) struct Kind<T> {
    pub(crate) url: String,
    /// The most bytes of it.
    pub(crate) limit: usize,
    /// How long it is good, if the answer says this.
    pub(crate) lifetime: Box<dyn Fn(Option<Duration>) -> Lifetime + Send + Sync>,
    /// Between two fetches, whatever the reasons for them.
    pub(crate) cooldown: Duration,
    /// Reads it, or says why it can't be read.
    pub(crate) read: fn(&[u8]) -> Result<T, String>,
}

/// The document.
pub(crate) struct Feed<T> {
    kind: Kind<T>,
    transport: Arc<dyn Transport>,
    state: Mutex<State<T>>,
}

struct State<T> {
    freshness: Freshness,
    document: Option<Arc<T>>,
    etag: Option<String>,
    /// The fetch that is under way: it closes the channel when it is over.
    flight: Option<watch::Receiver<()>>,
    /// It takes longer than [`PATIENCE`]: whoever has an old document goes by that until it lands.
    stalled: bool,
    /// Why the last fetch brought nothing.
    failure: Option<String>,
}

impl<T: Send + Sync + 'static> Feed<T> {
    pub(crate) fn new(kind: Kind<T>, transport: Arc<dyn Transport>) -> Arc<Self> {
        let state = State {
            freshness: Freshness { cooldown: kind.cooldown, got: None, begun: None },
            document: None,
            etag: None,
            flight: None,
            stalled: false,
            failure: None,
        };
        Arc::new(Self { kind, transport, state: Mutex::new(state) })
    }

    /// The document as it should be known at `now`; none if it never came.
    pub(crate) async fn get(self: &Arc<Self>, now: i64) -> Option<Arc<T>> {
        let flight = {
            let mut state = self.state();
            match (state.freshness.step(now), state.flight.clone()) {
                // Somebody fetches already. Who has nothing good waits for that.
                (_, Some(flight)) if !state.stalled && !state.freshness.is_good(now) => flight,
                (_, Some(_)) | (Step::Serve | Step::Nothing, None) => return state.document.clone(),
                (Step::ServeAndFetch, None) => {
                    self.begin(&mut state, now);
                    return state.document.clone();
                }
                (Step::Fetch, None) => self.begin(&mut state, now),
            }
        };
        if self.state().document.is_none() {
            return self.landed(flight).await;
        }
        match tokio::time::timeout(PATIENCE, self.landed(flight)).await {
            Ok(document) => document,
            Err(_) => {
                let mut state = self.state();
                state.stalled = state.flight.is_some();
                state.document.clone()
            }
        }
    }

    /// The document, fetched anew because what is known lacks something. None if it was fetched too lately to do it again.
    pub(crate) async fn newer(self: &Arc<Self>, now: i64) -> Option<Arc<T>> {
        let flight = {
            let mut state = self.state();
            match state.flight.clone() {
                Some(flight) => flight,
                None if state.freshness.may_fetch(now) => self.begin(&mut state, now),
                None => return None,
            }
        };
        self.landed(flight).await
    }

    /// How old it is, and why the last fetch brought nothing.
    pub(crate) fn status(&self, now: i64) -> (Option<Duration>, Option<String>) {
        let state = self.state();
        (state.freshness.got.map(|(at, _)| passed(at, now)), state.failure.clone())
    }

    async fn landed(&self, mut flight: watch::Receiver<()>) -> Option<Arc<T>> {
        // Nothing is ever sent: the sender is dropped when the fetch is over, whichever way.
        while flight.changed().await.is_ok() {}
        self.state().document.clone()
    }

    /// Begins a fetch. `now` counts as when its answer was got: it is no older than that.
    fn begin(self: &Arc<Self>, state: &mut State<T>, now: i64) -> watch::Receiver<()> {
        let (over, flight) = watch::channel(());
        state.freshness.begun = Some(now);
        state.flight = Some(flight.clone());
        state.stalled = false;
        let feed = self.clone();
        tokio::spawn(async move {
            let landing = Landing { feed: &feed, over: Some(over) };
            let etag = feed.state().etag.clone();
            let request = Request { url: &feed.kind.url, etag: etag.as_deref(), limit: feed.kind.limit };
            let fetched = tokio::time::timeout(LONGEST_FETCH, feed.transport.get(request)).await;
            let fetched = fetched.map_err(|_| "took too long".to_owned());
            feed.take(now, fetched.and_then(|fetched| fetched.map_err(|error| error.to_string())));
            drop(landing);
        });
        flight
    }

    /// Keeps what came. What can't be read never takes the place of what could.
    fn take(&self, now: i64, fetched: Result<Fetched, String>) {
        let outcome = fetched.and_then(|fetched| match fetched {
            Fetched::Document { body, etag, max_age } if body.len() <= self.kind.limit => {
                (self.kind.read)(&body).map(|document| (Some((Arc::new(document), etag)), max_age))
            }
            Fetched::Document { .. } => Err(format!("is longer than {} bytes", self.kind.limit)),
            Fetched::Unchanged { max_age } => Ok((None, max_age)),
        });
        let mut state = self.state();
        match outcome {
            Ok((None, _)) if state.document.is_none() => {
                state.failure = Some(format!("{}: unchanged, but never seen", self.kind.url));
            }
            Ok((document, max_age)) => {
                if let Some((document, etag)) = document {
                    state.document = Some(document);
                    state.etag = etag;
                }
                state.freshness.got = Some((now, (self.kind.lifetime)(max_age)));
                state.failure = None;
            }
            Err(why) => state.failure = Some(format!("{}: {why}", self.kind.url)),
        }
    }

    /// A panic while it was held has left nothing half written: every field is set whole.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight, also if its task panics or is dropped with its runtime.
struct Landing<'f, T: Send + Sync + 'static> {
    feed: &'f Feed<T>,
    over: Option<watch::Sender<()>>,
}

impl<T: Send + Sync + 'static> Drop for Landing<'_, T> {
    fn drop(&mut self) {
        self.feed.state().flight = None;
        self.over.take();
    }
}
