//! One connection: what it may take, and how long.
//!
//! HTTP/1.1 and HTTP/2, with or without TLS. Whoever connects and says nothing, or says it byte by byte, is let go.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tower_service::Service as _;

use super::Front;
use crate::tls::Tls;
use crate::{config, telemetry};

/// Lines of a request's head. Browsers and proxies send thirty.
const HEADERS: usize = 100;

/// Of a request's head, in bytes: a token of some kilobytes, and what proxies add.
const HEAD: usize = 32 * 1024;

/// Requests at once on one HTTP/2 connection: a proxy's has those of many phones.
const STREAMS: u32 = 256;

/// A peer that doesn't take what was sent to it, or is gone, is given up after this.
const UNHEARD: Duration = Duration::from_secs(30);

/// What all connections of one side share.
pub(super) struct Side {
    pub(super) front: Front,
    pub(super) tls: Option<Arc<Tls>>,
    builder: auto::Builder<TokioExecutor>,
    header_timeout: Duration,
}

impl Side {
    pub(super) fn new(front: Front, tls: Option<Arc<Tls>>, http: &config::Http) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(http.idle_timeout)
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
        Self { front, tls, builder, header_timeout: http.header_timeout }
    }

    /// Answers what comes in by this connection, until it ends or `stopped` says that it is enough.
    pub(super) async fn attend(&self, stream: TcpStream, peer: SocketAddr, stopped: watch::Receiver<()>) {
        // An answer is one write: nothing is gained by holding it back for more.
        drop(stream.set_nodelay(true));
        let unheard = u32::try_from(UNHEARD.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unheard);
        match &self.tls {
            None => self.speak(stream, peer, stopped).await,
            Some(tls) => {
                // Who can't do it is no event: half of the internet tries.
                if let Ok(Ok(stream)) = timeout(self.header_timeout, tls.acceptor().accept(stream)).await {
                    self.speak(stream, peer, stopped).await;
                }
            }
        }
    }

    async fn speak<I>(&self, io: I, peer: SocketAddr, mut stopped: watch::Receiver<()>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = Arc::new(Notify::new());
        let door = Door { front: self.front.clone(), peer, begun: begun.clone() };
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(io), door));
        // hyper's own timeout begins when it knows which HTTP it is: until then nothing would end it.
        let mut first = pin!(timeout(self.header_timeout, begun.notified()));
        let (mut waiting, mut ending) = (true, false);
        loop {
            tokio::select! {
                // However it ended: what went wrong was the peer's, and has been answered where it could be.
                _ = connection.as_mut() => return,
                begun = &mut first, if waiting => {
                    waiting = false;
                    if begun.is_err() {
                        return;
                    }
                }
                _ = stopped.changed(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The doors, as hyper asks them.
struct Door {
    front: Front,
    peer: SocketAddr,
    begun: Arc<Notify>,
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = <Front as tower_service::Service<Request<Body>>>::Future;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.begun.notify_one();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.front.clone().call(request)
    }
}

/// Counted while it is open.
pub(super) struct Counted;

impl Counted {
    pub(super) fn new() -> Self {
        telemetry::connections(true);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        telemetry::connections(false);
    }
}
