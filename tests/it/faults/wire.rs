//! A wire between the gateway and its database that can be slow, or fall silent: nothing passes, and nobody is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) struct Wire {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    delay: AtomicU64,
    /// How often it fell silent. Connections of before stay so for ever, as those to a machine that is gone.
    silences: watch::Sender<u64>,
    silent: watch::Sender<bool>,
    /// It falls silent by itself in the middle of a release.
    trap: AtomicBool,
}

/// What a client sends that only asks whether anybody is there: PostgreSQL's and MySQL's.
const ASKS: [&[u8]; 2] = [b"S\0\0\0\x04", b"\x01\0\0\0\x0e"];

/// The gateway's own look at a connection that is released, on MySQL.
const LOOKS: &[u8] = b"ROLLBACK";

impl State {
    fn silence(&self) {
        self.silent.send_replace(true);
        self.silences.send_modify(|silences| *silences += 1);
    }
}

impl Wire {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            delay: AtomicU64::new(0),
            silences: watch::Sender::new(0),
            silent: watch::Sender::new(false),
            trap: AtomicBool::new(false),
        });
        let shared = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(pass(stream, port, shared.clone()));
            }
        });
        Self { address, state, task }
    }

    /// Each piece is so long under way, each way.
    pub(super) fn slow(&self, delay: Duration) {
        self.state.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Nothing passes from now on, on no connection.
    pub(super) fn silence(&self) {
        self.state.silence();
    }

    /// The same at the worst moment: between the gateway's own look at a connection that is released, which it bounds, and
    /// sqlx's.
    pub(super) async fn silence_in_a_release(&self) {
        let mut silences = self.state.silences.subscribe();
        self.state.trap.store(true, Ordering::SeqCst);
        let sprung = tokio::time::timeout(super::SOON, silences.changed()).await;
        sprung.expect("a connection that is released").unwrap();
    }

    /// New connections pass; those of before the silence never will.
    pub(super) fn heal(&self) {
        self.state.silent.send_replace(false);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, port: u16, state: Arc<State>) {
    // Who connects into the silence is never answered either.
    if *state.silent.subscribe().borrow() {
        return std::future::pending().await;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let mut silences = state.silences.subscribe();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let delay = || Duration::from_millis(state.delay.load(Ordering::SeqCst));
    let pump = async |from: &mut tokio::net::tcp::OwnedReadHalf, to: &mut tokio::net::tcp::OwnedWriteHalf| {
        let (mut piece, mut asked) = (vec![0; 64 * 1024], 0);
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let sent = &piece[..length];
            // On PostgreSQL the gateway's look is an ask as well, and right behind a statement.
            asked = match ASKS.contains(&sent) {
                true => asked + 1,
                false => u32::from(sent.ends_with(LOOKS)),
            };
            if asked == 2 && state.trap.swap(false, Ordering::SeqCst) {
                state.silence();
                return std::future::pending().await;
            }
            tokio::time::sleep(delay()).await;
            if to.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = pump(&mut from_client, &mut to_server) => {}
        () = pump(&mut from_server, &mut to_client) => {}
        _ = silences.changed() => std::future::pending().await,
    }
}
