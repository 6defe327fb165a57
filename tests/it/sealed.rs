//! The session_key never lies open: not in a database's files, not in its dump, not in a log at its loudest.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::json;
use wxgate::clock::SystemClock;

use crate::on_each_database;
use crate::world::process::Process;
use crate::world::{Answer, Database, Kind, World, preset, start_wechat};

const LOGINS: usize = 1000;

on_each_database! {
    async fn after_a_thousand_logins_no_session_key_is_in_the_database_or_in_a_log_at_trace(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::fresh(kind).await;
        let wechat = start_wechat(Arc::new(SystemClock)).await;
        std::fs::write(folder.path().join("wxgate.toml"), preset(&folder, &database, &wechat)).unwrap();
        let mut gateway = Process::start(folder.path(), &["serve"], &[("WXGATE_LOG__LEVEL", "trace")]);
        let line = gateway.wait_for("public side");
        gateway.wait_for("wxgate is ready");
        let address = line.split("listen=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();

        let http = reqwest::Client::new();
        let mut codes = Vec::new();
        let mut logins = tokio::task::JoinSet::new();
        for at in 0..LOGINS {
            let control = http.get(format!("{}/_sim/code?openid=user-{}", wechat.base_url(), at % 400));
            let code = Answer::of(control).await.status(200).text().to_owned();
            codes.push(code.clone());
            let request = http.post(format!("http://{address}/v1/login")).header("content-type", "application/json");
            let request = request.body(json!({ "code": code }).to_string());
            logins.spawn(async move { Answer::of(request).await.status(200).json()["token"].as_str().unwrap().to_owned() });
            if logins.len() == 16 {
                logins.join_next().await;
            }
        }
        let tokens = logins.join_all().await;
        // A phone number, too, goes in, and is nowhere.
        let press = http.post(format!("{}/_sim/phone", wechat.base_url())).header("content-type", "application/json");
        let press = press.body(json!({ "openid": "user-0", "phone": "13580006666" }).to_string());
        let button = Answer::of(press).await.status(200).json();
        let fresh = Answer::of(http.get(format!("{}/_sim/code?openid=user-0", wechat.base_url()))).await.status(200);
        let login = http.post(format!("http://{address}/v1/login")).header("content-type", "application/json");
        let session = Answer::of(login.body(json!({ "code": fresh.text() }).to_string())).await.status(200).json();
        let phone = http.post(format!("http://{address}/v1/me/phone")).header("content-type", "application/json");
        let phone = phone.bearer_auth(session["token"].as_str().unwrap());
        let phone = Answer::of(phone.body(json!({ "code": button["code"] }).to_string())).await.status(200);
        assert_eq!(phone.json()["phone"], "13580006666");
        let stored = contents(&database, folder.path());
        let (status, printed) = gateway.end();
        assert!(status.success(), "{status}");
        assert!(printed.lines().count() > LOGINS, "the log was not at its loudest");

        let keys = wechat.session_keys();
        assert!(keys.len() >= 400);
        for (haystack, place) in [(stored.as_slice(), "the database"), (printed.as_bytes(), "the log")] {
            for key in &keys {
                for form in forms(key) {
                    assert!(!holds(haystack, &form), "a session_key is in {place}");
                }
            }
        }
        for (haystack, place) in [(stored.as_slice(), "the database"), (printed.as_bytes(), "the log")] {
            assert!(!holds(haystack, b"13580006666"), "a phone is in {place}");
        }
        for secret in codes.iter().chain(&tokens).map(String::as_str).chain([crate::world::APP_SECRET, "user-17"]) {
            assert!(!holds(printed.as_bytes(), secret.as_bytes()), "the log holds a code, a token, the AppSecret or an openid");
        }
    }
}

/// Everything the database keeps: SQLite's files as they are while it runs, the others' dumps.
fn contents(database: &Database, folder: &Path) -> Vec<u8> {
    let dump = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let url = database.url(folder);
    let dumped = match database.kind {
        Kind::Sqlite => {
            let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
            [read("wxgate.sqlite"), read("wxgate.sqlite-wal")].concat()
        }
        Kind::Postgres => {
            let bin = std::fs::read_dir("/usr/lib/postgresql")
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .max()
                .unwrap();
            dump(Command::new(bin.join("bin/pg_dump")).arg(url))
        }
        Kind::MariaDb => {
            let port = url.rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned();
            let arguments = ["--no-defaults", "-h", "127.0.0.1", "-u", "root", "-P", &port, &database.name];
            let mut plain = dump(Command::new("mariadb-dump").args(arguments));
            plain.extend(dump(Command::new("mariadb-dump").args(["--hex-blob"]).args(&arguments[1..])));
            plain
        }
    };
    assert!(holds(&dumped, b"user-17"), "the dump does not hold the rows");
    dumped
}

/// As WeChat wrote it, raw, and each in hex.
fn forms(key: &str) -> Vec<Vec<u8>> {
    let raw = STANDARD.decode(key).unwrap();
    let hex = |bytes: &[u8], upper: bool| -> Vec<u8> {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if upper { text.to_uppercase().into_bytes() } else { text.into_bytes() }
    };
    let text = key.as_bytes();
    vec![text.to_vec(), raw.clone(), hex(&raw, false), hex(&raw, true), hex(text, false), hex(text, true)]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    // Candidates by their first byte: the haystacks are megabytes and the needles thousands.
    let first = needle[0];
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

on_each_database! {
    async fn a_ciphertext_moved_to_another_row_does_not_open_and_the_right_one_does(kind: Kind) {
        let world = World::on(kind).await;
        world.login("alice").await;
        world.login("bob").await;
        let connection = world.database.connect(&world.folder()).await;
        let backend = connection.get_database_backend();
        let sealed = async |openid: &str| {
            let sql = format!("SELECT session_key FROM identities WHERE openid = '{openid}'");
            let row = connection.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
            wxgate::vault::Sealed::from_stored(row.try_get::<Vec<u8>>("", "session_key").unwrap())
        };
        let open = |openid: &str, sealed: &wxgate::vault::Sealed| {
            let row = [crate::world::APP, openid];
            let cell = wxgate::vault::Cell { table: "identities", column: "session_key", row: &row };
            world.app.rooms.vault.open(&cell, sealed).map(|plain| String::from_utf8(plain.to_vec()).unwrap())
        };
        let (alice, bob) = (sealed("alice").await, sealed("bob").await);
        let keys = world.wechat.session_keys();
        assert!(keys.contains(&open("alice", &alice).unwrap()) && keys.contains(&open("bob", &bob).unwrap()));
        assert_ne!(open("alice", &alice), open("bob", &bob));
        assert_eq!(open("bob", &alice), Err(wxgate::vault::OpenError::Unauthentic));
        assert_eq!(open("alice", &bob), Err(wxgate::vault::OpenError::Unauthentic));
    }
}

on_each_database! {
    async fn the_previous_session_key_is_kept_when_wechat_rotates_it_and_only_then(kind: Kind) {
        let world = World::on(kind).await;
        let ages = async || {
            let row = world.database.rows(&world.folder(), "SELECT session_key_at FROM identities").await.remove(0);
            let previous = world.database.count(&world.folder(), "identities WHERE previous_session_key IS NOT NULL").await;
            (row["session_key_at"].as_i64().unwrap() - 1_793_500_000_250, previous == 1)
        };
        world.login("alice").await;
        assert_eq!(ages().await, (0, false));
        world.clock.turn(std::time::Duration::from_secs(10));
        world.login("alice").await;
        assert_eq!(ages().await, (0, false), "WeChat gave the same key again");
        world.clock.turn(std::time::Duration::from_secs(60));
        world.login("alice").await;
        assert_eq!(ages().await, (70_000, true), "WeChat gave a new key");
        world.login("alice").await;
        assert_eq!(ages().await, (70_000, true));
    }
}

#[test]
fn nothing_that_holds_a_secret_shows_it_in_debug() {
    use wxgate::secret::{AccessToken, AppSecret, ConfigSecret, LoginCode, OpenId, SessionKey, UnionId};
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        AccessToken::new("s3cret"),
        AppSecret::new("s3cret"),
        ConfigSecret::new("s3cret"),
        LoginCode::new("s3cret"),
        OpenId::new("s3cret"),
        SessionKey::new("s3cret"),
        UnionId::new("s3cret"),
        wxgate::vault::Sealed::from_stored(b"s3cret".to_vec()),
    );
    assert!(!shown.contains("s3cret"), "{shown}");
}
