//! The example services of other languages as somebody would start them, each beside a real gateway.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use wxgate::clock::{Clock as _, SystemClock, Timestamp};

use crate::forged::list::{Material, forgeries};
use crate::world::database::server;
use crate::world::process::Process;
use crate::world::{ISSUER, Kind, World, keys};

/// Starts a service that takes tokens verified by these keys; where it listens.
fn start(mut command: Command, jwks: &str) -> (Process, String) {
    command.envs([
        ("ISSUER", ISSUER),
        ("AUDIENCE", "api"),
        ("JWKS", jwks),
        ("PORT", "0"),
        ("ADDRESS", "127.0.0.1:0"),
        ("NO_PROXY", "127.0.0.1"),
    ]);
    let mut process = Process::spawn(command);
    let line = process.wait_for("http://127.0.0.1:");
    let at = line.find("http://").unwrap();
    let address = line[at..].split_whitespace().next().unwrap().to_owned();
    (process, address)
}

async fn ask(service: &str, headers: &[(&str, &str)]) -> (u16, String, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("{service}/orders"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate").map_or("", |value| value.to_str().unwrap());
    let challenge = challenge.to_owned();
    (answer.status().as_u16(), challenge, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

/// What each of them must do; `accepts` are forgeries of our own key that its library lets through.
async fn guards(command: Command, accepts: &[&str]) {
    let (world, pems) = two_keys_ten_minutes_ago().await;
    let session = world.login("alice").await;
    let first = format!("Bearer {}", session["token"].as_str().unwrap());
    let (_process, service) = start(command, &world.url("/.well-known/jwks.json"));

    let (status, _, body) = ask(&service, &[("authorization", &first)]).await;
    assert_eq!((status, &body["user"]), (200, &session["userInfo"]["userId"]));
    let lower = first.replacen("Bearer", "bearer", 1);
    assert_eq!(ask(&service, &[("authorization", &lower)]).await.0, 200, "a scheme in small letters");

    let material = Material::of(&world, [&pems[0], &pems[1]], "http://127.0.0.1:9").await;

    // The other key signs now: it was published before, so nobody notices.
    world.clock.turn(Duration::from_secs(600));
    let session = world.login("alice").await;
    let second = format!("Bearer {}", session["token"].as_str().unwrap());
    for token in [&first, &second] {
        assert_eq!(ask(&service, &[("authorization", token)]).await.0, 200);
    }

    for headers in [&[][..], &[("authorization", "Basic eA==")], &[("authorization", "Bearer")]] {
        let (status, challenge, body) = ask(&service, headers).await;
        assert_eq!((status, challenge.as_str()), (401, "Bearer"), "{headers:?}: {body}");
    }
    let mut passed = Vec::new();
    for (name, token) in forgeries(&material) {
        let (status, challenge, body) = ask(&service, &[("authorization", &format!("Bearer {token}"))]).await;
        match status {
            200 => passed.push(name),
            _ => assert!(status == 401 && challenge.starts_with("Bearer"), "{name}: {status} {body}"),
        }
        if name.starts_with("exp an hour") {
            assert!(body.to_string().contains("token_expired"), "{name}: {body}");
        }
    }
    assert_eq!(passed, accepts);
}

/// Where the keys can't be had, that isn't the token's fault.
async fn says_later(command: fn() -> Command) {
    let world = World::with_system_clock(Kind::Sqlite, "").await;
    let token = format!("Bearer {}", world.login("alice").await["token"].as_str().unwrap());
    // A port that nobody listens on.
    for jwks in ["http://127.0.0.1:9/jwks.json".to_owned(), no_keys("<html>a proxy's page</html>").await] {
        let (_process, service) = start(command(), &jwks);
        let (status, challenge, body) = ask(&service, &[("authorization", &token)]).await;
        assert_eq!((status, challenge.as_str()), (503, ""), "{body}");
        assert!(body.to_string().contains("keys_unavailable"), "{body}");
    }
}

/// Where keys should be, and this is instead.
async fn no_keys(answer: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async move || answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn two_keys_ten_minutes_ago() -> (World, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let pems = [keys::p256(), keys::rsa()];
    let now = SystemClock.now().as_second();
    let second = Timestamp::from_second(now - 60).unwrap();
    for (name, pem) in ["a.pem", "b.pem"].iter().zip(&pems) {
        std::fs::write(folder.path().join(name), pem).unwrap();
    }
    let [a, b] = ["a.pem", "b.pem"].map(|name| folder.path().join(name));
    let list = format!(
        "tokens.keys = [{{ file = \"{}\" }}, {{ file = \"{}\", sign_from = {second} }}]",
        a.display(),
        b.display()
    );
    (World::at((now - 600) * 1000, Kind::Sqlite, &list).await, pems)
}

fn installed(path: &str) -> PathBuf {
    PathBuf::from(server("WXGATE_TEST_INTEROP")).join(path)
}

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

/// Node looks for packages in the folders above the file, so the example is copied below those that are installed.
fn node() -> Command {
    let folder = tempfile::Builder::new().prefix("orders-").tempdir_in(installed("")).unwrap().keep();
    for file in ["server.mjs", "bearer.mjs"] {
        std::fs::copy(example("node-express").join(file), folder.join(file)).unwrap();
    }
    let mut command = Command::new("node");
    command.arg("server.mjs").current_dir(folder);
    command
}

fn python() -> Command {
    let mut command = Command::new(installed("venv/bin/python"));
    command.args(["-m", "uvicorn", "main:app", "--port", "0"]).current_dir(example("python-fastapi"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// scripts/test has built it.
fn go() -> Command {
    Command::new(installed("go-orders"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_express_service_lets_in_whoever_logged_in_and_nobody_else() {
    guards(node(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_express_service_says_later_while_it_has_no_keys() {
    says_later(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fastapi_service_lets_in_whoever_logged_in_and_nobody_else() {
    guards(python(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fastapi_service_says_later_while_it_has_no_keys() {
    says_later(python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_go_service_lets_in_whoever_logged_in_and_nobody_else() {
    guards(go(), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_go_service_says_later_while_it_has_no_keys() {
    says_later(go).await;
}
