//! The real binary, and bare TCP to it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wxgate::clock::SystemClock;
use wxgate::error::Code;
use wxgate::wechat::simulator::Simulator;

use crate::world::process::Process;
use crate::world::{Database, Kind, preset, start_wechat};

/// Longer than anything here takes: a connection that is neither answered nor ended by then is a finding.
const PATIENCE: Duration = Duration::from_secs(60);

/// `wxgate serve` on SQLite, with a simulated WeChat.
pub(super) struct Gateway {
    pub(super) address: SocketAddr,
    process: Process,
    wechat: Simulator,
    _folder: tempfile::TempDir,
}

impl Gateway {
    /// With these lines of configuration on top of a test's own.
    pub(super) async fn start(toml: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), toml).await
    }

    /// The same where the folder has something in it already.
    pub(super) async fn start_in(folder: tempfile::TempDir, toml: &str) -> Self {
        let wechat = start_wechat(Arc::new(SystemClock)).await;
        let database = Database::fresh(Kind::Sqlite).await;
        let text = format!("{}\n{toml}\n", preset(&folder, &database, &wechat));
        std::fs::write(folder.path().join("wxgate.toml"), text).unwrap();
        let mut process = Process::start(folder.path(), &["serve"], &[]);
        let line = process.wait_for("public side");
        let address = line.split("listen=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        process.wait_for("wxgate is ready");
        Self { address, process, wechat, _folder: folder }
    }

    /// Sends this, and reads until the gateway ends the connection.
    pub(super) fn send(&self, bytes: impl AsRef<[u8]>) -> Vec<Reply> {
        Reply::all(&talk(self.address, bytes.as_ref()))
    }

    /// The one answer to this.
    #[track_caller]
    pub(super) fn ask(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut replies = self.send(bytes);
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.remove(0)
    }

    /// A session of somebody who presses wx.login now.
    pub(super) fn login(&self) -> Value {
        let simulator = self.wechat.base_url().strip_prefix("http://").unwrap().parse().unwrap();
        let code = Reply::all(&talk(simulator, get("/_sim/code?openid=alice", "").as_bytes())).remove(0);
        let reply = self.ask(post("/v1/login", "", &json!({ "code": code.text() }).to_string()));
        assert_eq!(reply.status, 200, "{reply:?}");
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// How much memory it holds, in KiB.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
    }

    /// It serves on; then it is asked to end, and gives all that it printed.
    pub(super) fn end(self) -> String {
        self.login();
        self.finish()
    }

    /// The same where the caller has seen that it serves on.
    pub(super) fn finish(self) -> String {
        let (status, printed) = self.process.end();
        assert!(status.success(), "{printed}");
        let slow = |line: &&str| line.contains("request_timeout");
        let bad = |line: &&str| line.contains("a panic") || line.contains("could not answer") && !slow(line);
        let bad: Vec<&str> = printed.lines().filter(bad).collect();
        assert!(bad.is_empty(), "{bad:#?}");
        printed
    }
}

/// Writes all of it, unless the other side ends the connection before, and gives what came back until it did.
#[track_caller]
pub(super) fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        let ended = reading.read_to_end(&mut all);
        (all, ended.err().map(|error| error.kind()))
    });
    // Whoever is refused in the middle can't write the rest.
    let _ = stream.write_all(bytes);
    let (all, error) = reader.join().unwrap();
    let waits = matches!(error, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut));
    let (sent, came) =
        (String::from_utf8_lossy(&bytes[..bytes.len().min(300)]), String::from_utf8_lossy(&all));
    assert!(!waits, "the connection goes on after {sent:?}; until now came {came:?}");
    all
}

/// A request that ends its connection. `headers` are whole lines.
pub(super) fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n{headers}\r\n")
}

pub(super) fn post(target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// One HTTP answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn all(mut bytes: &[u8]) -> Vec<Self> {
        let mut replies = Vec::new();
        while !bytes.is_empty() {
            let (reply, rest) = Self::read(bytes);
            // 100 Continue is no answer yet.
            if reply.status >= 200 {
                replies.push(reply);
            }
            bytes = rest;
        }
        replies
    }

    fn read(bytes: &[u8]) -> (Self, &[u8]) {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else { panic!("no HTTP: {:?}", String::from_utf8_lossy(bytes)) };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).unwrap().parse().unwrap();
        let mut reply = Self { status, head, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        let (body, rest) = bytes[end + 4..].split_at(length);
        reply.body = body.to_vec();
        (reply, rest)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Its code, where it is a problem of ours.
    pub(super) fn code(&self) -> Option<Code> {
        let problem: Value = serde_json::from_slice(&self.body).ok()?;
        Code::ALL.iter().copied().find(|code| problem["code"] == code.as_str())
    }

    /// It is a 4xx of the table; or, where what came was no request, the HTTP library's own, without a body, as the last that
    /// is said.
    #[track_caller]
    pub(super) fn is_refused(&self) {
        assert!((400..500).contains(&self.status), "{self:?}");
        match self.code() {
            Some(code) => assert_eq!(code.status(), self.status, "{self:?}"),
            None => assert!(self.body.is_empty() && matches!(self.status, 400 | 414 | 431), "{self:?}"),
        }
    }
}
