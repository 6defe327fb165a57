//! One connection: what it may take, and how long.
//!
//! HTTP/1.1 and HTTP/2, with or without TLS. Whoever connects and says nothing, or says it byte by byte, is let go.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::front::{Answer, Front, Told};
use crate::config;
use crate::tls::Tls;

/// Lines of a request's head. Browsers and proxies send thirty.
const HEADERS: usize = 100;

/// Of a request's head, in bytes: a token of some kilobytes, and what proxies add.
const HEAD: usize = 32 * 1024;

/// Requests at once on one HTTP/2 connection: a proxy's has those of many phones.
const STREAMS: u32 = 256;

/// A peer that doesn't take what was sent to it, or is gone, is given up after this.
const UNHEARD: Duration = Duration::from_secs(30);

/// In `http.idle_timeout` it is looked so often whether a connection was asked for anything: it goes a look or two later.
const LOOKS: u32 = 4;

/// What all connections of one side share.
pub(super) struct Side {
    pub(super) front: Front,
    pub(super) tls: Option<Arc<Tls>>,
    builder: auto::Builder<TokioExecutor>,
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl Side {
    pub(super) fn new(front: Front, tls: Option<Arc<Tls>>, http: &config::Http) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            // Its own timer for heads would be made and dropped again with every request: `Doings` sees to it.
            .header_read_timeout(None)
            // Answers are small: one copy costs less than a second buffer does in the kernel.
            .writev(false)
            .max_headers(HEADERS)
            .max_buf_size(2 * HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(HEAD).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(20)
            .keep_alive_interval(UNHEARD)
            .keep_alive_timeout(UNHEARD);
        Self { front, tls, builder, header_timeout: http.header_timeout, idle_timeout: http.idle_timeout }
    }

    /// Answers what comes in by this connection, until it ends or `stopped` says that it is enough.
    pub(super) async fn attend(&self, stream: TcpStream, peer: SocketAddr, stopped: watch::Receiver<()>) {
        // An answer is one write: nothing is gained by holding it back for more.
        drop(stream.set_nodelay(true));
        let unheard = u32::try_from(UNHEARD.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unheard);
        // For the handshake and the first head together.
        let mut first = pin!(sleep(self.header_timeout));
        match &self.tls {
            None => self.speak(stream, peer, first, stopped).await,
            Some(tls) => {
                // Who can't do it is no event: half of the internet tries.
                let accepted = tokio::select! {
                    accepted = tls.acceptor().accept(stream) => accepted.ok(),
                    () = first.as_mut() => None,
                };
                if let Some(stream) = accepted {
                    self.speak(stream, peer, first, stopped).await;
                }
            }
        }
    }

    async fn speak<I>(
        &self,
        io: I,
        peer: SocketAddr,
        mut next: Pin<&mut Sleep>,
        mut stopped: watch::Receiver<()>,
    ) where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let doings = Arc::new(Doings::default());
        let door = Door { front: self.front.clone(), peer, doings: doings.clone() };
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(io), door));
        let look = self.idle_timeout / LOOKS;
        let (mut seen, mut quiet) = (0, 0);
        let mut ending = false;
        loop {
            tokio::select! {
                // Whatever else is to be done comes after what is asked.
                biased;
                // However it ended: what went wrong was the peer's, and has been answered where it could be.
                _ = connection.as_mut() => return,
                () = next.as_mut() => {
                    let begun = doings.begun.load(Relaxed);
                    let busy = begun != seen || doings.under_way.load(Relaxed) > 0;
                    quiet = if busy { 0 } else { quiet + 1 };
                    // Who has asked for nothing yet has had its time; whoever was told to go as well.
                    if begun == 0 || quiet > LOOKS + 1 {
                        return;
                    }
                    if quiet > LOOKS {
                        connection.as_mut().graceful_shutdown();
                    }
                    seen = begun;
                    next.set(sleep(look));
                }
                _ = stopped.changed(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// What a connection was asked for: whoever asks for nothing doesn't keep its place.
#[derive(Default)]
struct Doings {
    begun: AtomicU64,
    under_way: AtomicU32,
    told: Told,
}

/// The doors, as hyper asks them.
struct Door {
    front: Front,
    peer: SocketAddr,
    doings: Arc<Doings>,
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        self.doings.begun.fetch_add(1, Relaxed);
        let answer = self.front.answer(request, Some(self.peer.ip()), &self.doings.told);
        // What is answered at once is never under way.
        let doings = matches!(answer, Answer::Right(_)).then(|| self.doings.clone());
        if let Some(doings) = &doings {
            doings.under_way.fetch_add(1, Relaxed);
        }
        Answering { answer, doings }
    }
}

/// A request that is under way until it is answered, or its peer gone.
struct Answering {
    answer: Answer,
    doings: Option<Arc<Doings>>,
}

impl Future for Answering {
    type Output = <Answer as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(doings) = &self.doings {
            doings.under_way.fetch_sub(1, Relaxed);
        }
    }
}
