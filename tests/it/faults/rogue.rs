//! A WeChat that misbehaves below HTTP, where the simulator's faults don't reach.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What it does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trick {
    /// Answers every code with the openid that is in it.
    Good,
    /// The same, each answer twice.
    Twice,
    /// Accepts, and reads nothing.
    Deaf,
    /// Reads, and never says anything.
    Mute,
    /// Says this much and then nothing more.
    Halts(&'static str),
    /// Says this much and closes.
    Says(&'static str),
    /// Says this much and resets the connection.
    Resets(&'static str),
    /// Says the first, then the second for ever, a piece each 20 ms.
    Drips(&'static str, &'static str),
    /// The same as fast as it can.
    Floods(&'static str, &'static str),
}

pub(super) struct Rogue {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    trick: Mutex<Trick>,
    /// Bytes that the gateway's side has taken.
    sent: AtomicU64,
    /// The paths it was asked for.
    paths: Mutex<Vec<String>>,
}

impl Rogue {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            State { trick: Mutex::new(Trick::Good), sent: AtomicU64::new(0), paths: Mutex::default() };
        let state = Arc::new(state);
        let shared = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = shared.clone();
                // A connection's end, good or bad, is its own business.
                connections.spawn(async move { drop(serve(stream, &state).await) });
            }
        });
        Self { address, state, task }
    }

    pub(super) fn plays(&self, trick: Trick) {
        *self.state.trick.lock().unwrap() = trick;
    }

    pub(super) fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.state.paths.lock().unwrap().clone()
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection to its end. What is to be done is looked up at each request: the connection may have been kept.
async fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let trick = || *state.trick.lock().unwrap();
    if trick() == Trick::Deaf {
        return std::future::pending().await;
    }
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        state.paths.lock().unwrap().push(path.split('?').next().unwrap_or_default().to_owned());
        let code = path.split("js_code=").nth(1).unwrap_or_default().split('&').next().unwrap_or_default();
        match trick() {
            Trick::Good => stream.write_all(answer(code).as_bytes()).await?,
            Trick::Twice => stream.write_all(answer(code).repeat(2).as_bytes()).await?,
            Trick::Deaf | Trick::Mute => return std::future::pending().await,
            Trick::Halts(said) => {
                stream.write_all(said.as_bytes()).await?;
                return std::future::pending().await;
            }
            Trick::Says(said) => return stream.write_all(said.as_bytes()).await,
            Trick::Resets(said) => {
                stream.write_all(said.as_bytes()).await?;
                return stream.set_zero_linger();
            }
            Trick::Drips(said, more) => {
                stream.write_all(said.as_bytes()).await?;
                loop {
                    stream.write_all(more.as_bytes()).await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Trick::Floods(said, more) => {
                stream.write_all(said.as_bytes()).await?;
                let more = more.repeat(64 * 1024 / more.len());
                loop {
                    stream.write_all(more.as_bytes()).await?;
                    state.sent.fetch_add(more.len() as u64, Ordering::SeqCst);
                }
            }
        }
    }
}

/// What WeChat would have said. No session_key of anybody's.
fn answer(code: &str) -> String {
    let openid = code.replace("code", "openid");
    let body = format!(r#"{{"session_key":"{SESSION_KEY}","openid":"{openid}"}}"#);
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(super) const SESSION_KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
