//! WeChat hangs, floods, lies and breaks off, below HTTP and above it; and its TLS is bad. (Errcodes, bodies and statuses:
//! `wechat_faults`.)

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::home::{Home, Replica, client, tail};
use super::rogue::{Rogue, SESSION_KEY, Trick};
use super::{BOUND, quiet_port, say, soon};
use crate::world::process::Process;
use crate::world::{APP_SECRET, Answer, Database, Kind};

fn tricks() -> Vec<(&'static str, Trick)> {
    use Trick::{Deaf, Drips, Floods, Halts, Mute, Resets, Says, Twice};
    vec![
        ("it takes the connection and no request", Deaf),
        ("it hangs before the answer", Mute),
        ("it hangs in the status line", Halts("HTTP/1.1 2")),
        ("it hangs in the headers", Halts("HTTP/1.1 200 OK\r\nContent-Ty")),
        ("it hangs in the body", Halts("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"openid\":")),
        ("it hangs in a chunk", Halts("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"open")),
        ("it closes without a word", Says("")),
        ("it breaks off in the body", Says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"openid\":")),
        ("it resets the connection before the answer", Resets("")),
        ("it resets it in the body", Resets("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"openid\":")),
        ("its headers drip for ever", Drips("HTTP/1.1 200 OK\r\n", "X-More: of it\r\n")),
        ("its body drips for ever", Drips("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", " ")),
        ("it continues for ever", Drips("", "HTTP/1.1 100 Continue\r\n\r\n")),
        ("its headers never end", Floods("HTTP/1.1 200 OK\r\n", "X-More: of it\r\n")),
        ("its one header never ends", Floods("HTTP/1.1 200 OK\r\nX-More: ", "aaaaaaaaaaaaaaaa")),
        ("its status line never ends", Floods("HTTP/1.1 200 ", "aaaaaaaaaaaaaaaa")),
        ("a body of a gigabyte", Floods("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", " ")),
        (
            "a body of endless chunks",
            Floods("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\n        \r\n"),
        ),
        ("a body without an end", Floods("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", " ")),
        ("no HTTP at all", Says("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")),
        ("HTTP/0.9", Says("{\"openid\":\"openid-of-nobody\"}")),
        ("a later HTTP", Says("HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")),
        ("another length", Says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ")),
        ("no length", Says("HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}")),
        ("a chunk of no size", Says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")),
        (
            "something compressed",
            Says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x0b"),
        ),
        ("another protocol from here on", Says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")),
        ("a redirect", Says("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")),
        (
            "a redirect that keeps all",
            Says("HTTP/1.1 307 Again\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
        ),
        ("HTTP 500", Says("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")),
        // Whose answer is the second one?
        ("two answers to one question", Twice),
    ]
}

/// Codes are told apart by a number; the rogue makes openids of them.
fn code() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("code-of-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn login(http: &reqwest::Client, replica: &Replica, code: &str) -> Answer {
    let request = http.post(format!("{}/v1/login", replica.public));
    let request =
        request.header("content-type", "application/json").body(json!({ "code": code }).to_string());
    let answer = tokio::time::timeout(BOUND, Answer::of(request)).await;
    answer.unwrap_or_else(|_| panic!("no answer within {BOUND:?}: {}", tail(&replica.process.said())))
}

/// Nothing that anybody sent or was answered, and no address of WeChat's.
fn nothing_is_said(printed: &str, rogue: &Rogue) {
    let port = format!(":{}", rogue.address.port());
    // The gateway says once where it finds WeChat.
    let rest = printed
        .lines()
        .filter(|line| !line.contains("\"message\":\"WeChat\""))
        .collect::<Vec<_>>()
        .join("\n");
    for secret in
        ["code-of", "openid-of", "js_code", "eyJ", APP_SECRET, SESSION_KEY, "a panic;", port.as_str()]
    {
        let line = rest.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_wechat_sends_is_later_within_a_bound_and_holds_up_nobody_who_is_logged_in() {
    let rogue = Rogue::start().await;
    let home = Home::on(Database::fresh(Kind::Sqlite).await).await;
    let home = home.set("wechat.base_url", &format!("http://{}", rogue.address)).set("wechat.timeout", "1s");
    let replica = home.start();
    let http = client();
    let alice = login(&http, &replica, &code()).await.status(200).json();
    let token = alice["token"].as_str().unwrap();
    for (name, trick) in tricks() {
        let (codes, sent) = ([(); 6].map(|()| code()), rogue.sent());
        rogue.plays(trick);
        let answers = codes.each_ref().map(|code| login(&http, &replica, code));
        let (answers, me) = tokio::join!(futures_util::future::join_all(answers), replica.me(token));
        assert!(me.is(200), "{name}: a bearer: {me:?}");
        for answer in &answers {
            // The first of two answers is as good as any; the second must be nobody's.
            assert!(answer.is_later() || trick == Trick::Twice && answer.is(200), "{name}: {answer:?}");
        }
        rogue.plays(Trick::Good);
        // Of a body nobody reads more than makes it too long; the rest is what the kernels hold.
        assert!(
            !name.contains("body") || rogue.sent() - sent < 128 << 20,
            "{name}: {} bytes",
            rogue.sent() - sent
        );
        let mut users = std::collections::HashSet::from([alice["userInfo"]["userId"].clone()]);
        for (code, answer) in codes.iter().zip(answers) {
            // Nobody knows what came of it: the code is good still.
            let mut session = answer.json();
            if !answer.is(200) {
                soon(name, async || {
                    let answer = login(&http, &replica, code).await;
                    session = answer.json();
                    answer.is(200) || !answer.is_later()
                })
                .await;
            }
            assert!(users.insert(session["userInfo"]["userId"].clone()), "{name}: {session}");
        }
    }
    assert!(rogue.paths().iter().all(|path| path == "/sns/jscode2session"), "no redirect is followed");
    let most = replica.status("VmHWM:");
    assert!(most < 256 << 10, "{most} KiB at the most");
    say(&format!("{} tricks; {most} KiB at the most", tricks().len()));
    nothing_is_said(&replica.end(), &rogue);
}

/// A certificate that nobody vouches for, shown by openssl.
fn self_signed(folder: &std::path::Path) -> (Process, u16) {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let mut made = Command::new("openssl");
    made.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    made.args([
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-days",
        "2",
    ]);
    made.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stderr(Stdio::null());
    assert!(made.status().unwrap().success());
    let port = quiet_port();
    let mut server = Command::new("openssl");
    server.args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}")]);
    server.arg("-key").arg(key).arg("-cert").arg(certificate);
    let mut process = Process::spawn(server);
    process.wait_for("ACCEPT");
    (process, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wechat_whose_tls_is_bad_is_later_and_the_log_says_that_it_is_the_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (_tls, port) = self_signed(folder.path());
    let rogue = Rogue::start().await;
    let silent = rogue.address.port();
    for (base_url, trick, said) in [
        (format!("https://127.0.0.1:{port}"), Trick::Good, "TLS with WeChat failed"),
        // No handshake comes.
        (format!("https://127.0.0.1:{silent}"), Trick::Deaf, "within wechat.connect_timeout"),
        ("https://wechat.invalid".to_owned(), Trick::Good, "WeChat"),
    ] {
        rogue.plays(trick);
        let home = Home::on(Database::fresh(Kind::Sqlite).await).await.set("wechat.base_url", &base_url);
        let mut replica = home.start();
        let answers = [code(), code()];
        let http = client();
        for code in &answers {
            let answer = login(&http, &replica, code).await;
            assert!(answer.is_later(), "{base_url}: {answer:?}");
            let text = answer.text();
            assert!(!text.contains("127.0.0.1") && !text.contains("certificate"), "{text}");
        }
        let line = replica.process.wait_for("could not answer");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert!(line["cause"].as_str().unwrap().contains(said), "{base_url}: {line}");
        let printed = replica.end();
        for secret in ["code-of", "js_code", APP_SECRET] {
            assert!(!printed.contains(secret), "{secret} is in the log");
        }
    }
}
