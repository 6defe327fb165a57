//! Spans, as a collector gets them. With the feature `otlp`: `cargo test --features otlp --test traces`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's unwrap is its assertion")]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};

#[expect(dead_code, reason = "the other tests' process, of which these need a part")]
#[path = "../it/world/process.rs"]
mod process;
mod spans;

use process::{Process, run};
use spans::Span;

const DEV: &[&str] = &["dev", "--simulator-listen", "127.0.0.1:0"];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// What a collector was sent: where, as what, and the bytes.
type Received = Arc<Mutex<Vec<(String, String, Bytes)>>>;

/// A collector that takes everything, or answers with `status`.
async fn collector(status: StatusCode) -> (String, Received) {
    let received = Received::default();
    let taken = received.clone();
    let take = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let kind = headers["content-type"].to_str().unwrap().to_owned();
        taken.lock().unwrap().push((uri.path().to_owned(), kind, body));
        status
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await.unwrap() });
    (url, received)
}

/// Who logs in: nobody else is called so.
const OPENID: &str = "somebody-in-particular";

/// `wxgate dev` with these variables besides.
struct Dev {
    process: Process,
    /// Where logins go.
    login: String,
    wechat: String,
}

impl Dev {
    fn start(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let ports = [("WXGATE_HTTP__LISTEN", "127.0.0.1:0"), ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0")];
        let mut process = Process::start(folder, DEV, &[ports.as_slice(), variables].concat());
        process.wait_for("Ctrl-C");
        let line = process.printed().iter().find(|line| line.starts_with("curl ")).unwrap().clone();
        let url =
            |part: &str| line.split([' ', ')', '"']).find(|word| word.contains(part)).unwrap().to_owned();
        let (login, wechat) = (url("/v1/login"), url("/_sim/code").replace("/_sim/code", ""));
        Self { process, login, wechat }
    }

    /// A login in a trace of somebody's: what was answered, and the code, which nobody may see.
    fn log_in(&self) -> (String, String) {
        let code = curl(&[&format!("{}/_sim/code?openid={OPENID}", self.wechat)]);
        let body = format!(r#"{{"code":"{code}"}}"#);
        let answer = self.ask("/v1/login", &["Content-Type: application/json"], &["-d", &body]);
        (answer, code)
    }

    /// The same trace's request to another door.
    fn ask(&self, path: &str, headers: &[&str], more: &[&str]) -> String {
        let (url, parent) =
            (self.login.replace("/v1/login", path), format!("traceparent: 00-{TRACE}-{PARENT}-01"));
        let headers = headers.iter().flat_map(|header| ["-H", header]);
        curl(&[&[&url, "-H", &parent], &headers.collect::<Vec<_>>()[..], more].concat())
    }

    fn end(self) -> String {
        let (status, printed) = self.process.end();
        assert!(status.success(), "{printed}");
        printed
    }
}

fn curl(arguments: &[&str]) -> String {
    let answer = Command::new("curl").arg("-s").args(arguments).output().unwrap();
    assert!(answer.status.success(), "{answer:?}");
    String::from_utf8(answer.stdout).unwrap().trim().to_owned()
}

/// `wxgate dev`, one login and its end. What it printed.
fn a_login(folder: &Path, variables: &[(&str, &str)]) -> String {
    let dev = Dev::start(folder, variables);
    let (answer, _) = dev.log_in();
    assert!(answer.contains("\"token\""), "{answer}");
    dev.end()
}

/// All spans that came, as OTLP over HTTP brings them.
fn all(received: &Received) -> Vec<Span> {
    let received = received.lock().unwrap();
    for (path, kind, _) in received.iter() {
        assert_eq!((path.as_str(), kind.as_str()), ("/v1/traces", "application/x-protobuf"));
    }
    received.iter().flat_map(|(_, _, body)| spans::read(body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_a_span_of_its_callers_trace_with_wechat_and_the_database_below_it_and_nothing_secret() {
    let (url, received) = collector(StatusCode::OK).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())];
    let dev = Dev::start(folder.path(), &variables);
    let (answer, code) = tokio::task::block_in_place(|| dev.log_in());
    let token = answer.split('"').find(|word| word.starts_with("eyJ")).unwrap().to_owned();
    // Once by the door, and once from memory.
    let bearer = format!("Authorization: Bearer {token}");
    for _ in 0..2 {
        tokio::task::block_in_place(|| dev.ask("/authz", &[&bearer], &["-f"]));
    }
    let printed = tokio::task::block_in_place(|| dev.end());

    let spans = all(&received);
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let one = |name: &str| match named(name)[..] {
        [one] => one,
        _ => panic!("{name}: {spans:#?}"),
    };
    let login = one("POST /v1/login");
    assert_eq!((login.parent.as_str(), login.status), (PARENT, 0));
    assert_eq!(login.attributes["http.route"], "/v1/login");
    assert_eq!(login.attributes["http.response.status_code"], "200");
    for (name, key, value) in
        [("GET /sns/jscode2session", "wechat.answer", "0"), ("write login", "db.system.name", "sqlite")]
    {
        let below = one(name);
        assert_eq!((below.parent.as_str(), below.status), (login.id.as_str(), 0), "{below:?}");
        assert_eq!(below.attributes[key], value);
    }
    let checks = named("GET /authz");
    assert_eq!(checks.len(), 2, "{spans:#?}");
    assert!(checks.iter().all(|check| check.parent == PARENT), "{checks:?}");
    for span in &spans {
        assert_eq!((span.trace.as_str(), span.resource["service.name"].as_str()), (TRACE, "wxgate"));
    }
    let bytes: Vec<u8> = received.lock().unwrap().iter().flat_map(|(_, _, body)| body.to_vec()).collect();
    let bytes = String::from_utf8_lossy(&bytes);
    for secret in [code.as_str(), OPENID, &token, "simulated-secret", "openid", "session_key", "eyJ"] {
        assert!(!bytes.contains(secret), "{secret}");
    }
    assert!(!printed.contains("wxgate::trace") && !printed.contains("jscode2session"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wechat_that_never_answers_is_an_error_in_its_span_and_in_the_requests() {
    let (url, received) = collector(StatusCode::OK).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("WXGATE_WECHAT__TIMEOUT", "1s")];
    let dev = Dev::start(folder.path(), &variables);
    tokio::task::block_in_place(|| {
        let faults = format!("{}/_sim/faults", dev.wechat);
        let json = "Content-Type: application/json";
        curl(&["-f", "-X", "PUT", &faults, "-H", json, "-d", r#"[{"hang":true}]"#]);
        let (answer, _) = dev.log_in();
        assert!(answer.contains("wechat_unavailable"), "{answer}");
        dev.end();
    });
    let spans = all(&received);
    let of = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (login, call) = (of("POST /v1/login"), of("GET /sns/jscode2session"));
    assert_eq!((login.status, login.attributes["error.type"].as_str()), (2, "wechat_unavailable"));
    assert_eq!((call.status, call.attributes["wechat.answer"].as_str()), (2, "given up"));
    assert_eq!(call.parent, login.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_or_is_gone_is_said_in_the_log_and_holds_up_nobody() {
    let (refusing, _) = collector(StatusCode::FORBIDDEN).await;
    for url in [refusing.as_str(), "http://127.0.0.1:9"] {
        let folder = tempfile::tempdir().unwrap();
        let printed =
            tokio::task::block_in_place(|| a_login(folder.path(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", url)]));
        assert!(printed.contains("BatchSpanProcessor.ExportError"), "{printed}");
    }
}

#[test]
fn a_protocol_that_it_does_not_speak_is_refused_by_name_and_no_endpoint_means_no_traces() {
    let folder = tempfile::tempdir().unwrap();
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let refused = run(folder.path(), DEV, &variables);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("OTEL_EXPORTER_OTLP_PROTOCOL is grpc"), "{}", refused.stderr);
    let printed = a_login(folder.path(), &[]);
    assert!(!printed.contains("OTEL"), "{printed}");
}
