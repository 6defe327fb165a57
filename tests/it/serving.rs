//! How the process serves: TLS of its own, how it leaves, what it counts.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::process::{Process, run};
use crate::world::{APP, APP_SECRET, Kind, World, certify};

const PORTS: [(&str, &str); 4] = [
    ("WXGATE_HTTP__LISTEN", "127.0.0.1:0"),
    ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0"),
    ("WXGATE_LOG__FORMAT", "json"),
    ("WXGATE_LOG__LEVEL", "info"),
];

/// A folder as `wxgate init` makes it, whose WeChat is the world's.
fn initialized() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init", "--issuer", "https://auth.example.com", "--appid", APP], &[]);
    std::fs::write(folder.path().join(format!("keys/{APP}.secret")), APP_SECRET).unwrap();
    folder
}

/// Starts it, and says where its two sides are.
fn serve(folder: &Path, more: &[(&str, &str)]) -> (Process, String, String) {
    let mut serve = Process::start(folder, &["serve"], &[PORTS.as_slice(), more].concat());
    serve.wait_for("wxgate is ready");
    let address = |side: &str| {
        let line = serve.printed().iter().find(|line| line.contains(side)).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        line["listen"].as_str().unwrap().to_owned()
    };
    let (public, internal) = (address("public side"), address("internal side"));
    (serve, public, internal)
}

/// Whose certificate is shown at this address.
fn shown(address: &str) -> String {
    let script = format!(
        "openssl s_client -connect {address} -showcerts </dev/null 2>/dev/null | openssl x509 -noout -subject"
    );
    String::from_utf8(Command::new("sh").args(["-c", &script]).output().unwrap().stdout).unwrap()
}

#[test]
fn tls_is_spoken_by_the_gateway_itself_over_both_http_versions_and_a_new_certificate_is_taken_without_a_restart()
 {
    let folder = initialized();
    certify(folder.path(), "first");
    let tls = [
        ("WXGATE_HTTP__TLS_CERTIFICATE_FILE", "tls/fullchain.pem"),
        ("WXGATE_HTTP__TLS_KEY_FILE", "tls/privkey.pem"),
    ];
    let (mut process, public, internal) = serve(folder.path(), &tls);
    let jwks = |version: &str| {
        let output = Command::new("curl")
            .args(["-s", version, "--cacert", "tls/fullchain.pem", "-w", "\n%{http_version}"])
            .arg(format!("https://{public}/.well-known/jwks.json"))
            .current_dir(folder.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for (version, told) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let answer = jwks(version);
        assert!(answer.contains("\"keys\"") && answer.ends_with(told), "{answer}");
    }
    assert!(shown(&public).contains("first"));

    // A key that isn't the certificate's is refused with its setting, and the old pair serves on.
    let old_key = std::fs::read(folder.path().join("tls/privkey.pem")).unwrap();
    certify(folder.path(), "second");
    let new_key = std::fs::read(folder.path().join("tls/privkey.pem")).unwrap();
    std::fs::write(folder.path().join("tls/privkey.pem"), old_key).unwrap();
    process.hang_up();
    let refused = process.wait_for("not reloaded");
    assert!(
        refused.contains("http.tls_certificate_file") && refused.contains("don't go together"),
        "{refused}"
    );
    assert!(shown(&public).contains("first"));

    std::fs::write(folder.path().join("tls/privkey.pem"), new_key).unwrap();
    process.hang_up();
    process.wait_for("keys reloaded");
    assert!(shown(&public).contains("second"));
    // It ends in two days: that is said with each that is taken, and counted down for whoever watches.
    process.wait_for("the TLS certificate ends soon");
    let said = process.printed().iter().filter(|line| line.contains("the TLS certificate ends soon"));
    assert_eq!(said.count(), 2, "{:?}", process.printed());
    let metrics = get(&format!("http://{internal}/metrics"));
    let ends = metrics.lines().find_map(|line| {
        line.strip_prefix("wxgate_tls_certificate_expires_timestamp_seconds ")?.parse::<u64>().ok()
    });
    let script = "date -d \"$(openssl x509 -in tls/fullchain.pem -noout -enddate | cut -d= -f2)\" +%s";
    let wanted = Command::new("sh").args(["-c", script]).current_dir(folder.path()).output().unwrap();
    assert_eq!(ends.unwrap().to_string(), String::from_utf8(wanted.stdout).unwrap().trim());
    // The internal side is for this machine's own and speaks plainly.
    assert_eq!(get(&format!("http://{internal}/livez")), "ok\n");
    let (status, printed) = process.end();
    assert!(status.success(), "{printed}");
}

fn get(url: &str) -> String {
    String::from_utf8(Command::new("curl").args(["-s", url]).output().unwrap().stdout).unwrap()
}

#[test]
fn a_probe_that_can_only_run_the_binary_is_told_whether_the_gateway_is_well() {
    let folder = initialized();
    let (process, _, internal) = serve(folder.path(), &[]);
    let at = [("WXGATE_HTTP__INTERNAL_LISTEN", internal.as_str())];
    let alive = run(folder.path(), &["health"], &at);
    assert_eq!((alive.code, alive.stdout.as_str()), (0, "ok\n"), "{alive:?}");
    let ready = run(folder.path(), &["health", "--ready"], &at);
    assert!(ready.code == 0 && ready.stdout.contains("\"ready\""), "{ready:?}");
    let (status, printed) = process.end();
    assert!(status.success(), "{printed}");
    let gone = run(folder.path(), &["health"], &at);
    assert!(gone.code == 1 && gone.stderr.contains("http.internal_listen"), "{gone:?}");
    // Something else answers there.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = other.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"status\":\"leaving\"}").unwrap();
    });
    let leaving = run(folder.path(), &["health", "--ready"], &[("WXGATE_HTTP__INTERNAL_LISTEN", &address)]);
    assert!(leaving.code == 1 && leaving.stderr.contains("leaving"), "{leaving:?}");
}

#[test]
fn one_of_the_two_tls_files_alone_is_a_problem_with_its_setting() {
    let folder = initialized();
    let check = run(folder.path(), &["config", "check"], &[("WXGATE_HTTP__TLS_KEY_FILE", "tls/privkey.pem")]);
    assert!(check.code == 2 && check.stderr.contains("http.tls_certificate_file"), "{check:?}");
    certify(folder.path(), "first");
    std::fs::write(folder.path().join("tls/fullchain.pem"), "no certificate").unwrap();
    let tls = [
        ("WXGATE_HTTP__TLS_CERTIFICATE_FILE", "tls/fullchain.pem"),
        ("WXGATE_HTTP__TLS_KEY_FILE", "tls/privkey.pem"),
    ];
    let check = run(folder.path(), &["config", "check"], &tls);
    assert!(check.code == 2 && check.stderr.contains("holds no certificate"), "{check:?}");
}

#[test]
fn asked_to_end_it_says_so_to_who_asks_serves_on_for_the_drain_and_ends_well() {
    let folder = initialized();
    let (process, public, internal) = serve(folder.path(), &[("WXGATE_HTTP__DRAIN", "3s")]);
    let head = |url: String| {
        let output = Command::new("curl").args(["-s", "-D", "-", "-o", "/dev/null", &url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().to_ascii_lowercase()
    };
    let jwks = format!("http://{public}/.well-known/jwks.json");
    assert!(head(format!("http://{internal}/readyz")).starts_with("http/1.1 200"));
    assert!(!head(jwks.clone()).contains("connection: close"));
    let ending = std::thread::spawn(|| process.end());
    // Within the drain: not ready, alive, and answers are the last ones of their connections.
    while !head(format!("http://{internal}/readyz")).starts_with("http/1.1 503") {
        std::thread::yield_now();
    }
    assert!(get(&format!("http://{internal}/readyz")).contains("leaving"));
    assert_eq!(get(&format!("http://{internal}/livez")), "ok\n");
    let last = head(jwks);
    assert!(last.starts_with("http/1.1 200") && last.contains("connection: close"), "{last}");
    let (status, printed) = ending.join().unwrap();
    assert!(status.success() && printed.contains("asked to end"), "{printed}");
    assert_eq!(head(format!("http://{public}/.well-known/jwks.json")), "", "and nobody is there any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_and_the_audit_log_can_stand_apart() {
    let world = World::on(Kind::Sqlite).await;
    let folder = initialized();
    let wechat = world.wechat.base_url();
    let more = [
        ("WXGATE_WECHAT__BASE_URL", wechat.as_str()),
        ("WXGATE_LOG__AUDIT_FILE", "audit.log"),
        ("WXGATE_LOG__ACCESS", "false"),
    ];
    let (process, public, internal) = serve(folder.path(), &more);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let login = async |code: String| {
        let body = serde_json::json!({ "code": code }).to_string();
        let request =
            http.post(format!("http://{public}/v1/login")).header("content-type", "application/json");
        request.body(body).send().await.unwrap().text().await.unwrap()
    };
    let session: Value = serde_json::from_str(&login(world.code("alice").await).await).unwrap();
    login("never-given-out".into()).await;
    let token = session["token"].as_str().unwrap();
    for path in ["/v1/me", "/authz", "/nowhere"] {
        http.get(format!("http://{public}{path}")).bearer_auth(token).send().await.unwrap();
    }
    http.get(format!("http://{internal}/readyz")).send().await.unwrap();
    let numbers = http.get(format!("http://{internal}/metrics")).send().await.unwrap().text().await.unwrap();
    for line in [
        format!("wxgate_logins_total{{app=\"{APP}\",way=\"wechat\",outcome=\"done\"}} 1"),
        format!("wxgate_logins_total{{app=\"{APP}\",way=\"wechat\",outcome=\"wechat_code_invalid\"}} 1"),
        "wxgate_wechat_answers_total{path=\"/sns/jscode2session\",answer=\"0\"} 1".into(),
        "wxgate_wechat_answers_total{path=\"/sns/jscode2session\",answer=\"40029\"} 1".into(),
        "wxgate_http_requests_total{route=\"/v1/login\",status=\"200\"} 1".into(),
        "wxgate_http_requests_total{route=\"/authz\",status=\"200\"} 1".into(),
        "wxgate_http_requests_total{route=\"-\",status=\"404\"} 1".into(),
        "wxgate_http_request_duration_seconds_count{route=\"/v1/login\"} 2".into(),
        "wxgate_batch_size_count{kind=\"first\"} 1".into(),
        "wxgate_keys{state=\"signs\"} 1".into(),
        "wxgate_in_flight{class=\"login\"} 0".into(),
        "wxgate_batch_waiting{kind=\"first\"} 0".into(),
        "wxgate_batch_waiting{kind=\"returning\"} 0".into(),
        "wxgate_wechat_breaker_open 0".into(),
        "wxgate_ready 1".into(),
        "wxgate_draining 0".into(),
        "wxgate_log_lines_dropped_total 0".into(),
        "wxgate_reload_failing 0".into(),
    ] {
        assert!(numbers.lines().any(|each| each == line), "{line}\n{numbers}");
    }
    for name in [
        "wxgate_tokens_issued_total{kid=",
        "wxgate_tokens_verified_total{kid=",
        "process_resident_memory_bytes ",
        "process_open_fds ",
    ] {
        assert!(numbers.contains(name), "{name}\n{numbers}");
    }
    // Nobody is in there by their openid, their code or their token.
    for secret in ["alice", "never-given-out", token] {
        assert!(!numbers.contains(secret), "{secret}");
    }
    let (_, printed) = process.end();
    assert!(!printed.contains("wxgate::audit") && !printed.contains("\"answered\""), "{printed}");
    let audit = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<&str> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "wechat_code_invalid"]);
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(folder.path().join("audit.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
