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

use process::{Process, run};

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

/// `wxgate dev` with these variables besides, one login in a trace of somebody's, and its end. What it printed, and the
/// code that nobody may see.
fn a_login(folder: &Path, variables: &[(&str, &str)]) -> (String, String) {
    let ports = [("WXGATE_HTTP__LISTEN", "127.0.0.1:0"), ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0")];
    let mut dev = Process::start(folder, DEV, &[ports.as_slice(), variables].concat());
    dev.wait_for("Ctrl-C");
    let line = dev.printed().iter().find(|line| line.starts_with("curl ")).unwrap().clone();
    let code = line.rsplit("$(").next().unwrap().split(')').next().unwrap();
    let code = Command::new("sh").args(["-c", code]).output().unwrap();
    let code = String::from_utf8(code.stdout).unwrap().trim().to_owned();
    let url = line.split(' ').find(|word| word.starts_with("http")).unwrap();
    let answer = Command::new("curl")
        .args(["-sf", url, "-H", "Content-Type: application/json"])
        .args([
            "-H",
            &format!("traceparent: 00-{TRACE}-{PARENT}-01"),
            "-d",
            &format!(r#"{{"code":"{code}"}}"#),
        ])
        .output()
        .unwrap();
    assert!(answer.status.success(), "{answer:?}");
    let (status, printed) = dev.end();
    assert!(status.success(), "{printed}");
    (printed, code)
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_a_span_of_its_callers_trace_with_wechat_and_the_database_below_it_and_nothing_secret() {
    let (url, received) = collector(StatusCode::OK).await;
    let folder = tempfile::tempdir().unwrap();
    let (printed, code) =
        tokio::task::block_in_place(|| a_login(folder.path(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]));
    let received = received.lock().unwrap();
    assert!(!received.is_empty(), "{printed}");
    let mut all = Vec::new();
    for (path, kind, body) in received.iter() {
        assert_eq!((path.as_str(), kind.as_str()), ("/v1/traces", "application/x-protobuf"));
        all.extend_from_slice(body);
    }
    for said in [
        "wxgate",
        "POST /v1/login",
        "/v1/login",
        "GET /sns/jscode2session",
        "write login",
        "sqlite",
        "http.route",
        "http.response.status_code",
        "wechat.answer",
    ] {
        assert!(holds(&all, said.as_bytes()), "{said}");
    }
    // As protobuf has them: raw bytes.
    assert!(holds(&all, &bytes(TRACE)) && holds(&all, &bytes(PARENT)));
    for secret in [code.as_str(), "simulated-secret", "openid", "session_key", "eyJ"] {
        assert!(!holds(&all, secret.as_bytes()), "{secret}");
    }
    assert!(!printed.contains("wxgate::trace") && !printed.contains("jscode2session"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_or_is_gone_is_said_in_the_log_and_holds_up_nobody() {
    let (refusing, _) = collector(StatusCode::FORBIDDEN).await;
    for url in [refusing.as_str(), "http://127.0.0.1:9"] {
        let folder = tempfile::tempdir().unwrap();
        let (printed, _) =
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
    let (printed, _) = a_login(folder.path(), &[]);
    assert!(!printed.contains("OTEL"), "{printed}");
}
