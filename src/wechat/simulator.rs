//! WeChat's side, simulated: a real HTTP server with WeChat's quirks (for tests, `wxgate dev`, `wxgate simulate`).
//!
//! Owns its people, their codes and session_keys (`people`), WeChat's endpoints (`endpoints`, `server_api`), its
//! access_tokens (`tokens`), what phones encrypt (`sealed`), its controls under `/_sim` (`controls`) and faults on
//! demand (`faults`). Keeps all in memory and invents nothing by chance: everything
//! random follows from the seed, every time from the clock it is given.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::clock::Clock;

mod controls;
mod endpoints;
mod faults;
mod people;
mod sealed;
mod server_api;
mod tokens;

pub use faults::Fault;

/// A mini-program that the simulator knows.
#[derive(Debug, Clone)]
pub struct SimApp {
    /// The appid.
    pub id: String,
    /// The AppSecret that it accepts.
    pub secret: String,
    /// Whether it is bound to an Open Platform account: only then are unionids given out.
    pub bound: bool,
}

/// What a simulator starts with.
pub struct Options {
    /// The mini-programs; the controls' default is the first.
    pub apps: Vec<SimApp>,
    /// Where its time comes from.
    pub clock: Arc<dyn Clock>,
    /// What everything random in it follows from.
    pub seed: [u8; 32],
    /// A login within this time of the last rotation keeps the user's session_key.
    pub min_rotation: Duration,
}

/// A running simulator; stops when dropped.
pub struct Simulator {
    address: SocketAddr,
    state: Arc<State>,
    server: tokio::task::JoinHandle<()>,
}

pub(crate) struct State {
    apps: Vec<SimApp>,
    clock: Arc<dyn Clock>,
    people: Mutex<people::People>,
    tokens: Mutex<tokens::ServerTokens>,
    faults: Mutex<Vec<Fault>>,
    calls: Mutex<BTreeMap<String, u64>>,
}

impl Simulator {
    /// Starts on this listener.
    pub fn start(listener: TcpListener, options: Options) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let people = people::People::new(options.seed, options.min_rotation);
        let state = Arc::new(State {
            apps: options.apps,
            clock: options.clock,
            people: Mutex::new(people),
            tokens: Mutex::default(),
            faults: Mutex::default(),
            calls: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, router(state.clone())));
        Ok(Self { address, state, server })
    }

    /// `http://…`, as `wechat.base_url` wants it.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its controls (`/_sim/…`), for a page that may not ask another origin.
    pub fn controls(&self) -> Router {
        controls(self.state.clone())
    }

    /// How often this path was called.
    pub fn calls(&self, path: &str) -> u64 {
        lock(&self.state.calls).get(path).copied().unwrap_or(0)
    }

    /// Every session_key given out so far: what a test looks for where none may be.
    pub fn session_keys(&self) -> Vec<String> {
        lock(&self.state.people).given_out().to_vec()
    }

    /// Voids every access_token, as a reset of the AppSecret would.
    pub fn void_tokens(&self) {
        lock(&self.state.tokens).void_all();
    }

    /// Runs until the process ends.
    pub async fn run(mut self) {
        // The server ends only when it is aborted; nothing is lost by not asking how.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn router(state: Arc<State>) -> Router {
    let wechat = Router::new()
        .route("/sns/jscode2session", get(endpoints::jscode2session))
        .route("/cgi-bin/stable_token", post(server_api::stable_token))
        .route("/wxa/business/getuserphonenumber", post(server_api::phone_number))
        .route("/wxa/checksession", get(server_api::check_session))
        .route("/wxa/resetusersessionkey", get(server_api::reset_session))
        .layer(axum::middleware::from_fn_with_state(state.clone(), faults::inject));
    wechat.with_state(state.clone()).merge(controls(state))
}

fn controls(state: Arc<State>) -> Router {
    Router::new()
        .route("/_sim/login", post(controls::login))
        .route("/_sim/code", get(controls::code))
        .route("/_sim/phone", post(controls::phone))
        .route("/_sim/userinfo", post(controls::userinfo))
        .route("/_sim/faults", put(controls::faults))
        .route("/_sim/calls", get(controls::calls))
        .with_state(state)
}

/// By hand rather than axum::serve, because a fault must be able to close the connection without an answer.
async fn serve(listener: TcpListener, router: Router) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut router = router.clone();
            async move {
                let Ok(response) = tower_service::Service::call(&mut router, request).await;
                match response.extensions().get::<faults::Closed>() {
                    Some(_) => Err(std::io::Error::other("closed by a fault")),
                    None => Ok(response),
                }
            }
        });
        connections.spawn(async move {
            // A connection's end, good or bad, is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A panic while the lock was held can't leave these maps half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
