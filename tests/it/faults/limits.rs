//! The process runs out of what the system gives it: file descriptors, somebody who reads its log.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::home::{Home, client};
use super::people::People;
use super::soon;
use super::storm::Storm;
use crate::world::{Database, Kind};

/// Hundredths of a second that a process has computed.
fn computed(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let numbers: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    numbers[11].parse::<u64>().unwrap() + numbers[12].parse::<u64>().unwrap()
}

fn descriptors(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_out_of_file_descriptors_answers_whom_it_can_waits_without_turning_and_serves_again() {
    let home = Home::on(Database::fresh(Kind::Sqlite).await).await;
    let replica = home.start_by(&["prlimit", "--nofile=80:80"], &[]);
    let people = Arc::new(People::default());
    let storm = Storm::at(&replica.public, &home, &people, 2);
    storm.until(6, |counts| counts.logins).await;
    storm.end().await;
    let before = descriptors(replica.process.id());
    assert!(before < 70, "{before} descriptors when nothing is the matter");
    let session = people.any_session().unwrap();
    let address = replica.public.trim_start_matches("http://").to_owned();
    let mut known = TcpStream::connect(&address).await.unwrap();
    assert_eq!(me(&mut known, &session.token).await, 200);

    // More of them than it may have; nobody sends a word.
    let mut idle = Vec::new();
    for _ in 0..120 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    soon("the last descriptor is taken, or the connections are turned away", async || {
        descriptors(replica.process.id()) >= 79 || {
            idle.retain(is_open);
            idle.len() < 100
        }
    })
    .await;
    // Who had a connection before is answered on it; SQLite may want a descriptor for it.
    for _ in 0..10 {
        let status = me(&mut known, &session.token).await;
        assert!([200, 503].contains(&status), "{status}");
    }
    let (computed_before, span) = (computed(replica.process.id()), Duration::from_secs(2));
    tokio::time::sleep(span).await;
    let busy = computed(replica.process.id()) - computed_before;
    assert!(busy < 100, "{busy} hundredths of a second were computed in {span:?} of nothing to do");

    drop(idle);
    replica.until_ready().await;
    let storm = Storm::at(&replica.public, &home, &people, 8);
    storm.until(40, |counts| counts.logins).await;
    storm.end().await;
    people.all_exist(&home, &replica, 0).await;
    let printed = replica.end();
    people.nothing_is_said(&home, &printed);
    let complaints = printed.lines().filter(|line| line.contains("accept")).count();
    assert!(complaints < 500, "{complaints} lines about one thing");
}

/// What `/v1/me` answers on this connection and on no other: a client with a pool makes a new one where the one that it has isn't
/// back yet, and a new one is what the gateway can't take.
async fn me(stream: &mut TcpStream, token: &str) -> u16 {
    let ask = format!("GET /v1/me HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\n\r\n");
    let answer = async {
        stream.write_all(ask.as_bytes()).await.unwrap();
        let (mut answer, mut some) = (Vec::new(), [0; 4096]);
        loop {
            let length = stream.read(&mut some).await.unwrap();
            assert!(length > 0, "it was ended after {:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..length]);
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return head[9..12].parse().unwrap();
            }
        }
    };
    tokio::time::timeout(super::BOUND, answer).await.expect("an answer within the bound")
}

/// Whether the other side has not closed it.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// The gateway with its log on a pipe that the test reads when it likes, or never.
struct Piped {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    public: String,
    internal: String,
}

impl Piped {
    fn start(home: &Home) -> Self {
        let mut command = home.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut gateway = Self { child, log: Some(log), public: String::new(), internal: String::new() };
        let mut listens = |side: &str| {
            let line: Value = serde_json::from_str(&gateway.read_to(side)).unwrap();
            format!("http://{}", line["listen"].as_str().unwrap())
        };
        (gateway.public, gateway.internal) = (listens("public side"), listens("internal side"));
        gateway.read_to("wxgate is ready");
        gateway
    }

    /// Reads on until a line holds this.
    fn read_to(&mut self, text: &str) -> String {
        let lines = self.log.as_mut().unwrap().lines();
        lines
            .map_while(Result::ok)
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("{text} is not said"))
    }

    fn is_asked_to_end(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many logins while nobody reads: each is answered.
async fn unread(home: &Home, gateway: &Piped, logins: u64) {
    let people = Arc::new(People::default());
    let storm = Storm::at(&gateway.public, home, &people, 12);
    storm.until(logins, |counts| counts.logins).await;
    let counts = storm.end().await;
    assert_eq!((counts.later, counts.broken), (0, 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_up_no_answer_and_goes_on_when_somebody_does() {
    let home = Home::on(Database::fresh(Kind::Sqlite).await).await;
    let mut gateway = Piped::start(&home);
    // A pipe holds 64 KiB, some two hundred lines.
    unread(&home, &gateway, 800).await;
    gateway.is_asked_to_end();
    // Somebody reads again: what is said from now on is there.
    gateway.read_to("asked to end");
    let mut rest = gateway.log.take().unwrap().lines().map_while(Result::ok);
    assert!(rest.all(|line| !line.contains("panic")));
    assert!(gateway.child.wait().unwrap().success());
}

/// A number of `/metrics`.
async fn counted(gateway: &Piped, name: &str) -> u64 {
    let metrics = client().get(format!("{}/metrics", gateway.internal));
    let text = metrics.send().await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_beyond_what_waits_are_dropped_and_counted_and_later_ones_are_there() {
    let home = Home::on(Database::fresh(Kind::Sqlite).await).await;
    let mut gateway = Piped::start(&home);
    // One line each, a hundred at a time on one connection, until no more can wait.
    let many = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: gateway\r\n\r\n".repeat(100);
    let mut stream = TcpStream::connect(gateway.public.trim_start_matches("http://")).await.unwrap();
    let mut asked = 0_u64;
    while counted(&gateway, "wxgate_log_lines_dropped_total").await < 1_000 {
        let (mut reading, mut writing) = stream.split();
        let answers = async {
            let (mut seen, mut some) = (0, vec![0; 64 * 1024]);
            let mut rest = Vec::new();
            while seen < 100 {
                let length = reading.read(&mut some).await.unwrap();
                assert!(length > 0, "it was ended after {asked}");
                rest.extend_from_slice(&some[..length]);
                seen = rest.windows(13).filter(|part| part == b"HTTP/1.1 200 ").count();
            }
        };
        let both = async { tokio::join!(writing.write_all(many.as_bytes()), answers) };
        let (written, ()) = tokio::time::timeout(super::SOON, both).await.expect("a hundred answers");
        written.unwrap();
        asked += 100;
        assert!(asked < 200_000, "nothing is dropped");
    }
    assert!(asked > 16_384, "lines were dropped that could have waited: {asked} answers");

    // Somebody reads again. What waited is there, and what is said from now on.
    let log = gateway.log.take().unwrap();
    let reader = std::thread::spawn(move || log.lines().map_while(Result::ok).collect::<Vec<_>>());
    let mut before = 0;
    soon("lines are taken again", async || {
        unread(&home, &gateway, 10).await;
        let dropped = counted(&gateway, "wxgate_log_lines_dropped_total").await;
        std::mem::replace(&mut before, dropped) == dropped
    })
    .await;
    gateway.is_asked_to_end();
    assert!(gateway.child.wait().unwrap().success());
    let lines = reader.join().unwrap();
    assert!(
        lines.len() > 16_384 && lines.iter().any(|line| line.contains("asked to end")),
        "{}",
        lines.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_has_gone_holds_up_no_answer() {
    let home = Home::on(Database::fresh(Kind::Sqlite).await).await;
    let mut gateway = Piped::start(&home);
    gateway.log = None;
    unread(&home, &gateway, 200).await;
    gateway.is_asked_to_end();
    assert!(gateway.child.wait().unwrap().success());
}
