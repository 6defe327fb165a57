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
    /// Whether nothing can be said without it; else nobody waits for one that failed to come.
    pub(crate) needed: bool,
    /// Reads it, or says why it can't be read.
    pub(crate) read: fn(&[u8]) -> Result<T, String>,
}

/// The document.
pub(crate) struct Feed<T> {
    kind: Kind<T>,
    transport: Arc<dyn Transport>,
    state: Mutex<State<T>>,
}

/// What came of asking for a newer document.
pub(crate) enum Newer<T> {
    /// This is newer.
    Document(Arc<T>),
    /// What is known is the newest, or came too lately to be fetched again.
    None,
    /// It can't be had now; the text says why.
    Unavailable(String),
}

struct State<T> {
    freshness: Freshness,
    document: Option<Arc<T>>,
    etag: Option<String>,
    /// The fetch that is under way: it closes the channel when it is over.
    flight: Option<watch::Receiver<()>>,
    /// It takes longer than [`PATIENCE`], or the last one failed: whoever has an old document goes by that until it lands.
    beside: bool,
    /// Why the last fetch brought nothing.
    failure: Option<String>,
}

impl<T> State<T> {
    /// The fetch that is under way. One that has outlived its bound doesn't count: its runtime may be one that nobody drives.
    fn under_way(&self, now: i64) -> Option<watch::Receiver<()>> {
        let young = |begun| passed(begun, now) <= LONGEST_FETCH + PATIENCE;
        self.flight.clone().filter(|_| self.freshness.begun.is_none_or(young))
    }
}

impl<T: Send + Sync + 'static> Feed<T> {
    pub(crate) fn new(kind: Kind<T>, transport: Arc<dyn Transport>) -> Arc<Self> {
        let state = State {
            freshness: Freshness { cooldown: kind.cooldown, got: None, begun: None },
            document: None,
            etag: None,
            flight: None,
            beside: false,
            failure: None,
        };
        Arc::new(Self { kind, transport, state: Mutex::new(state) })
    }

    /// The document as it should be known at `now`; none if it never came.
    pub(crate) async fn get(self: &Arc<Self>, now: i64) -> Option<Arc<T>> {
        let (launch, flight) = {
            let mut state = self.state();
            match (state.freshness.step(now), state.under_way(now)) {
                // Somebody fetches already. Who has nothing good waits for that.
                (_, Some(flight)) if !state.beside && !state.freshness.is_good(now) => (None, Some(flight)),
                (_, Some(_)) | (Step::Serve | Step::Nothing, None) => (None, None),
                (Step::ServeAndFetch, None) => (Some(self.begin(&mut state, now).0), None),
                (Step::Fetch, None) => {
                    let (launch, flight) = self.begin(&mut state, now);
                    (Some(launch), Some(flight).filter(|_| !state.beside))
                }
            }
        };
        if let Some(launch) = launch {
            launch.go();
        }
        match flight {
            Some(flight) if self.kind.needed && self.state().document.is_none() => {
                drop(tokio::time::timeout(LONGEST_FETCH, landed(flight)).await);
            }
            Some(flight) => self.landed_soon(flight).await,
            None => {}
        }
        self.state().document.clone()
    }

    /// A newer document than this one, which lacks something: fetched anew, if that may be.
    pub(crate) async fn newer(self: &Arc<Self>, known: &Arc<T>, now: i64) -> Newer<T> {
        let (launch, flight) = {
            let mut state = self.state();
            match (state.under_way(now), state.freshness.may_fetch(now)) {
                (Some(flight), _) => (None, Some(flight)),
                (None, true) => {
                    let (launch, flight) = self.begin(&mut state, now);
                    (Some(launch), Some(flight))
                }
                (None, false) => (None, None),
            }
        };
        if let Some(launch) = launch {
            launch.go();
        }
        if let Some(flight) = flight {
            self.landed_soon(flight).await;
        }
        let state = self.state();
        match (&state.document, &state.failure) {
            (Some(document), _) if !Arc::ptr_eq(document, known) => Newer::Document(document.clone()),
            _ if state.flight.is_some() => Newer::Unavailable(format!("{} is slow to answer", self.kind.url)),
            (_, Some(failure)) => Newer::Unavailable(failure.clone()),
            (_, None) => Newer::None,
        }
    }

    /// How old it is, and why the last fetch brought nothing.
    pub(crate) fn status(&self, now: i64) -> (Option<Duration>, Option<String>) {
        let state = self.state();
        (state.freshness.got.map(|(at, _)| passed(at, now)), state.failure.clone())
    }

    /// Waits for a fetch as long as [`PATIENCE`] has it; then nobody waits for that one any more.
    async fn landed_soon(&self, flight: watch::Receiver<()>) {
        if tokio::time::timeout(PATIENCE, landed(flight)).await.is_err() {
            self.state().beside = true;
        }
    }

    /// Notes that a fetch begins. `now` counts as when its answer was got: it is no older than that.
    fn begin(self: &Arc<Self>, state: &mut State<T>, now: i64) -> (Launch<T>, watch::Receiver<()>) {
        let (over, flight) = watch::channel(());
        let failed = !self.kind.needed && state.document.is_none() && state.failure.is_some();
        state.beside = failed || state.freshness.is_failing(now);
        state.freshness.begun = Some(now);
        state.flight = Some(flight.clone());
        (Launch { now, landing: Landing { feed: self.clone(), over: Some(over), taken: false } }, flight)
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

/// Waits until a fetch is over, whichever way.
async fn landed(mut flight: watch::Receiver<()>) {
    // Nothing is ever sent: the sender is dropped at the end.
    while flight.changed().await.is_ok() {}
}

/// A fetch that is noted and yet to be made. To be let go where the state isn't locked: a runtime that has ended drops the
/// task at once, which ends the flight.
struct Launch<T: Send + Sync + 'static> {
    now: i64,
    landing: Landing<T>,
}

impl<T: Send + Sync + 'static> Launch<T> {
    fn go(self) {
        let Self { now, mut landing } = self;
        tokio::spawn(async move {
            let feed = &landing.feed;
            let etag = feed.state().etag.clone();
            let request = Request { url: &feed.kind.url, etag: etag.as_deref(), limit: feed.kind.limit };
            let fetched = tokio::time::timeout(LONGEST_FETCH, feed.transport.get(request)).await;
            let fetched = fetched.map_err(|_| "took too long".to_owned());
            feed.take(now, fetched.and_then(|fetched| fetched.map_err(|error| error.to_string())));
            landing.note();
        });
    }
}

/// Ends a flight, also if its task panics, is dropped with its runtime, or was never run.
struct Landing<T: Send + Sync + 'static> {
    feed: Arc<Feed<T>>,
    over: Option<watch::Sender<()>>,
    /// What came of it is noted.
    taken: bool,
}

impl<T: Send + Sync + 'static> Landing<T> {
    fn note(&mut self) {
        self.taken = true;
    }
}

impl<T: Send + Sync + 'static> Drop for Landing<T> {
    fn drop(&mut self) {
        let mut state = self.feed.state();
        let ours = |flight: &watch::Receiver<()>| {
            self.over.as_ref().is_some_and(|over| over.subscribe().same_channel(flight))
        };
        // Another one may have begun, where this took too long.
        if state.flight.as_ref().is_some_and(ours) {
            state.flight = None;
            if !self.taken {
                state.failure = Some(format!("{}: the fetch broke off", self.feed.kind.url));
            }
        }
        drop(state);
        self.over.take();
    }
}
