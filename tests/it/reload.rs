//! Keys change under a running gateway: what may follow what, and what happens to a set that won't do.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use wxgate::config::{self, Layers};

use crate::world::process::{Process, run, run_fed};
use crate::world::{Kind, World, keys};

/// The world's configuration with another list of signing keys, as an operator would have edited the file.
fn reload(world: &World, list: &str) -> Result<bool, String> {
    let file = world.folder().join("wxgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| {
        if line.trim_start().starts_with("tokens.keys") {
            format!("tokens.keys = [{list}]")
        } else {
            line.into()
        }
    });
    std::fs::write(&file, lines.collect::<Vec<String>>().join("\n")).unwrap();
    let told = |problems: Vec<config::Problem>| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let config = config::load(&Layers { file: Some(file), ..Layers::default() }).map_err(told)?;
    world.app.reload(&config).map(|done| !done.waiting.is_empty()).map_err(told)
}

async fn with_second_key() -> World {
    let world = World::on(Kind::Sqlite).await;
    std::fs::write(world.folder().join("second.pem"), keys::p256()).unwrap();
    world
}

async fn published(world: &World) -> usize {
    world.get("/.well-known/jwks.json", &[]).await.json()["keys"].as_array().unwrap().len()
}

async fn me(world: &World, session: &Value) -> u16 {
    world.ask("GET", "/v1/me", session, Value::Null).await.code()
}

const FIRST: &str = "{ file = \"first.pem\" }";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_signs_once_every_cache_has_seen_it_and_never_sooner() {
    // The world begins at 2026-11-01T02:26:40Z; siblings may keep keys for an hour.
    let world = with_second_key().await;
    for soon in ["2026-11-01T03:31:00Z", "2026-11-01T02:00:00Z"] {
        let refused = reload(&world, &format!("{FIRST}, {{ file = \"second.pem\", sign_from = {soon} }}"));
        let refused = refused.unwrap_err();
        assert!(refused.contains("tokens.keys[1].sign_from") && refused.contains("emergency"), "{refused}");
        // The advice, taken, works.
        assert!(refused.contains("sign_from = 2026-11-01T03:32:40Z or later"), "{refused}");
        assert_eq!(published(&world).await, 1);
    }
    let both = format!("{FIRST}, {{ file = \"second.pem\", sign_from = 2026-11-01T03:32:40Z }}");
    assert_eq!(reload(&world, &both), Ok(false));
    assert_eq!(published(&world).await, 2);
    let signer = || world.app.rooms.tokens.signer(world.app.rooms.now()).unwrap();
    let first = signer();
    let session = world.login("alice").await;
    world.clock.turn(Duration::from_secs(65 * 60 + 59));
    assert_eq!(signer(), first);
    // Moved forward, now that it has been published long enough.
    let now = format!("{FIRST}, {{ file = \"second.pem\", sign_from = 2026-11-01T03:32:00Z }}");
    assert_eq!(reload(&world, &now), Ok(false));
    assert_ne!(signer(), first);
    assert_eq!(me(&world, &session).await, 200, "and the old token counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_tokens_still_count_can_not_be_dropped_but_can_be_revoked() {
    let world = with_second_key().await;
    let both = format!("{FIRST}, {{ file = \"second.pem\", sign_from = 2026-11-01T04:00:00Z }}");
    assert_eq!(reload(&world, &both), Ok(false));
    world.clock.turn(Duration::from_secs(2 * 3600));
    let session = world.login("alice").await;
    // The second has signed since 04:00; the first's last token ended at 06:00:30.
    let refused = reload(&world, "{ file = \"second.pem\" }").unwrap_err();
    assert!(refused.contains("first.pem") && refused.contains("2026-11-01T06:00:30Z"), "{refused}");
    // The same file with another key in it is a drop as well.
    std::fs::rename(world.folder().join("first.pem"), world.folder().join("kept.pem")).unwrap();
    std::fs::write(world.folder().join("first.pem"), keys::p256()).unwrap();
    assert!(reload(&world, &both).unwrap_err().contains("first.pem"));
    std::fs::rename(world.folder().join("kept.pem"), world.folder().join("first.pem")).unwrap();
    assert_eq!(me(&world, &session).await, 200);
    assert_eq!(published(&world).await, 2);

    world.clock.turn(Duration::from_secs(95 * 60));
    assert_eq!(
        reload(&world, "{ file = \"second.pem\" }"),
        Ok(false),
        "two hours and the leeway later it may go"
    );
    assert_eq!(published(&world).await, 1);

    // Stolen: the third signs at once, the second's tokens end at once.
    let session = world.login("alice").await;
    std::fs::write(world.folder().join("third.pem"), keys::p256()).unwrap();
    std::fs::remove_file(world.folder().join("second.pem")).unwrap();
    let emergency = "{ file = \"second.pem\", revoked = true }, { file = \"third.pem\" }";
    assert!(reload(&world, emergency).unwrap_err().contains("emergency = true"));
    let emergency = "{ file = \"second.pem\", revoked = true }, { file = \"third.pem\", emergency = true }";
    assert_eq!(reload(&world, emergency), Ok(false));
    assert_eq!(me(&world, &session).await, 401);
    assert_eq!(me(&world, &world.login("alice").await).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_and_listed_all_the_same_is_refused_whichever_way_it_came_about() {
    let world = with_second_key().await;
    let new = "{ file = \"second.pem\", sign_from = 2026-11-01T02:26:40Z, emergency = true }";
    // Appended, instead of put to its lines.
    let twice = reload(&world, &format!("{FIRST}, {new}, {{ file = \"first.pem\", revoked = true }}"));
    assert!(twice.unwrap_err().contains("listed a second time with revoked = true"));
    // A copy of it.
    std::fs::copy(world.folder().join("first.pem"), world.folder().join("copy.pem")).unwrap();
    let copied = format!("{{ file = \"first.pem\", revoked = true }}, {{ file = \"copy.pem\" }}, {new}");
    let copied = reload(&world, &copied).unwrap_err();
    assert!(copied.contains("copy.pem holds the same key as") && copied.contains("revoked"), "{copied}");
    let session = world.login("alice").await;
    assert_eq!(reload(&world, &format!("{{ file = \"first.pem\", revoked = true }}, {new}")), Ok(false));
    assert_eq!(me(&world, &session).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_key_opens_first_and_seals_later_and_an_id_means_one_key() {
    let world = World::on(Kind::Sqlite).await;
    for name in ["k2.key", "other.key"] {
        std::fs::write(world.folder().join(name), keys::random_base64()).unwrap();
    }
    let file = world.folder().join("wxgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let take = |list: &str| {
        let lines = text.lines().map(|line| {
            if line.contains("secrets.column_keys") {
                format!("secrets.column_keys = [{list}]")
            } else {
                line.into()
            }
        });
        std::fs::write(&file, lines.collect::<Vec<String>>().join("\n")).unwrap();
        let config = config::load(&Layers { file: Some(file.clone()), ..Layers::default() }).unwrap();
        world.app.reload(&config).map_err(|problems| format!("{problems:?}"))
    };
    let (k1, k2) = ("{ id = \"k1\", file = \"column.key\" }", "{ id = \"k2\", file = \"k2.key\" }");
    assert!(take(&format!("{k2}, {k1}")).unwrap_err().contains("list it behind the first"));
    assert!(take("{ id = \"k1\", file = \"other.key\" }").unwrap_err().contains("a new key takes a new id"));
    take(&format!("{k1}, {k2}")).unwrap();
    take(&format!("{k2}, {k1}")).unwrap();
    world.login("alice").await;
    let cell = wxgate::vault::Cell { table: "t", column: "c", row: &["r"] };
    let sealed = world.app.rooms.vault.seal(&cell, b"x").unwrap();
    assert_eq!(&sealed.as_bytes()[2..4], b"k2");
}

#[test]
fn keys_new_writes_a_key_whose_lines_pasted_pass_and_plan_draws_what_will_happen() {
    let folder = tempfile::tempdir().unwrap();
    let init = ["init", "--issuer", "https://auth.example.com", "--appid", "wx0123456789abcdef"];
    assert_eq!(run(folder.path(), &init, &[]).code, 0);
    std::fs::write(folder.path().join("keys/wx0123456789abcdef.secret"), "real-app-secret").unwrap();
    let made = run(folder.path(), &["keys", "new"], &[]);
    assert_eq!(made.code, 0, "{made:?}");
    let lines: Vec<&str> = made.stdout.lines().skip_while(|line| !line.starts_with("[[")).take(3).collect();
    let config = folder.path().join("wxgate.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n{}\n", lines.join("\n"))).unwrap();
    let file = lines[1].strip_prefix("file = \"").unwrap().trim_end_matches('"');
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join(file);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let plan = run(folder.path(), &["keys", "plan"], &[]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let from = lines[2].strip_prefix("sign_from = ").unwrap();
    for said in [
        "signs since the beginning",
        &format!("published; signs from {from}"),
        "safe to delete from",
        "░",
        "█",
        "▒",
    ] {
        assert!(plan.stdout.contains(said), "{said}: {}", plan.stdout);
    }
    let check = run(folder.path(), &["keys", "check"], &[]);
    assert!(check.code == 0 && !check.stdout.contains("warning"), "{check:?}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let check = run(folder.path(), &["keys", "check"], &[]);
    assert!(check.stdout.contains("chmod 600") && check.stdout.contains(file), "{check:?}");
    // A second one of this month gets a name of its own, and nothing was overwritten.
    let again = run(folder.path(), &["keys", "new"], &[]);
    assert!(again.code == 0 && again.stdout.lines().next() != made.stdout.lines().next(), "{again:?}");

    // One for a stolen key signs from now on, once its lines stand there.
    let made = run(folder.path(), &["keys", "new", "--emergency"], &[]);
    let lines: Vec<&str> = made.stdout.lines().skip_while(|line| !line.starts_with("[[")).take(4).collect();
    assert!(lines[3] == "emergency = true" && made.stdout.contains("revoked = true"), "{made:?}");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n{}\n", lines.join("\n"))).unwrap();
    let plan = run(folder.path(), &["keys", "plan"], &[]);
    let from = lines[2].strip_prefix("sign_from = ").unwrap();
    assert!(plan.code == 0 && plan.stdout.contains(&format!("signs since {from}")), "{plan:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_inspect_shows_what_a_token_says_and_why_it_does_not_count() {
    let world = World::with_system_clock(Kind::Sqlite, "").await;
    let session = world.login("alice").await;
    let token = session["token"].as_str().unwrap();
    let inspect = |token: &str| run_fed(&world.folder(), &["token", "inspect"], token);
    let good = inspect(token);
    assert!(good.code == 0 && good.stdout.contains("It counts, until"), "{good:?}");
    assert!(good.stdout.contains(session["userInfo"]["userId"].as_str().unwrap()), "{good:?}");
    let swapped = if token.ends_with('A') { "Q" } else { "A" };
    for (bad, why) in [
        (format!("{}{swapped}", &token[..token.len() - 1]), "signature does not hold"),
        (format!("{token}="), "not canonical base64url"),
        ("nonsense".to_owned(), "not three parts"),
        (String::new(), "no token came"),
    ] {
        let refused = inspect(&bad);
        assert!(refused.code == 1 && refused.stderr.contains(why), "{why}: {refused:?}");
    }
    std::fs::write(world.folder().join("first.pem"), keys::p256()).unwrap();
    let refused = inspect(token);
    assert!(refused.code == 1 && refused.stderr.contains("keys plan"), "{refused:?}");
}

/// An edit that no reload can take: what is done to the folder, what the log must then say, and what undoes it.
type Fault = (&'static str, fn(&Path), &'static str, fn(&Path));

fn edit(folder: &Path, from: &str, to: &str) {
    let file = folder.join("wxgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&file, text.replace(from, to)).unwrap();
}

fn key_file(folder: &Path) -> std::path::PathBuf {
    let mut found = std::fs::read_dir(folder.join("keys")).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.extension().is_some_and(|extension| extension == "pem")).unwrap()
}

fn keep(folder: &Path) -> String {
    let pem = std::fs::read_to_string(key_file(folder)).unwrap();
    std::fs::write(folder.join("kept"), &pem).unwrap();
    pem
}

fn restore(folder: &Path) {
    let mut name = std::fs::read_to_string(folder.join("name")).unwrap();
    name.truncate(name.trim_end().len());
    std::fs::copy(folder.join("kept"), folder.join("keys").join(name)).unwrap();
}

const FAULTS: [Fault; 7] = [
    (
        "a garbage PEM",
        |folder| {
            keep(folder);
            std::fs::write(
                key_file(folder),
                "-----BEGIN PRIVATE KEY-----\nZ2FyYmFnZQ==\n-----END PRIVATE KEY-----\n",
            )
            .unwrap();
        },
        "tokens.keys[0].file",
        restore,
    ),
    (
        "a file caught half written",
        |folder| {
            let pem = keep(folder);
            std::fs::write(key_file(folder), &pem[..pem.len() / 2]).unwrap();
        },
        "is no PEM that can be read",
        restore,
    ),
    (
        "a missing file",
        |folder| {
            keep(folder);
            std::fs::remove_file(key_file(folder)).unwrap();
        },
        "can't be read",
        restore,
    ),
    (
        "a pipe that nobody writes to",
        |folder| {
            keep(folder);
            let file = key_file(folder);
            std::fs::remove_file(&file).unwrap();
            assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
        },
        "it is no regular file",
        |folder| {
            std::fs::remove_file(key_file(folder)).unwrap();
            restore(folder);
        },
    ),
    (
        "a file of a terabyte",
        |folder| {
            keep(folder);
            std::fs::File::create(key_file(folder)).unwrap().set_len(1 << 40).unwrap();
        },
        "it is larger than 1 MiB",
        restore,
    ),
    (
        "an unknown field",
        |folder| edit(folder, "[[tokens.keys]]\n", "[[tokens.keys]]\nsign_form = 2030-01-01T00:00:00Z\n"),
        "sign_form",
        |folder| edit(folder, "sign_form = 2030-01-01T00:00:00Z\n", ""),
    ),
    (
        "a setting that stands twice",
        |folder| edit(folder, "audience = [\"api\"]\n", "audience = [\"api\"]\naudience = [\"api\"]\n"),
        "can't be read as TOML",
        |folder| edit(folder, "audience = [\"api\"]\naudience = [\"api\"]\n", "audience = [\"api\"]\n"),
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_keys_that_wont_do_changes_nothing_says_why_and_the_next_good_one_heals() {
    let folder = tempfile::tempdir().unwrap();
    let init = run(
        folder.path(),
        &["init", "--issuer", "https://auth.example.com", "--appid", "wx0123456789abcdef"],
        &[],
    );
    assert_eq!(init.code, 0, "{init:?}");
    std::fs::write(folder.path().join("keys/wx0123456789abcdef.secret"), "real-app-secret").unwrap();
    let name = key_file(folder.path()).file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::write(folder.path().join("name"), name).unwrap();
    let ports = [("WXGATE_HTTP__LISTEN", "127.0.0.1:0"), ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0")];
    let mut serve = Process::start(folder.path(), &["serve"], &ports);
    let address = |line: String| {
        let line: Value = serde_json::from_str(&line).unwrap();
        line["listen"].as_str().unwrap().to_owned()
    };
    let public = address(serve.wait_for("public side"));
    let internal = address(serve.wait_for("internal side"));
    serve.wait_for("wxgate is ready");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |host: &str, path: &str| {
        client.get(format!("http://{host}{path}")).send().await.unwrap().text().await.unwrap()
    };
    let jwks = get(&public, "/.well-known/jwks.json").await;
    assert!(jwks.contains("\"kid\""), "{jwks}");
    let mut refused = 0;
    for (fault, breaks, says, heals) in FAULTS {
        breaks(folder.path());
        serve.hang_up();
        serve.wait_for(says);
        serve.wait_for("the keys of before serve on");
        assert_eq!(get(&public, "/.well-known/jwks.json").await, jwks, "{fault}");
        let numbers = get(&internal, "/metrics").await;
        assert!(numbers.contains("wxgate_reload_failing 1"), "{fault}: {numbers}");
        heals(folder.path());
        serve.hang_up();
        serve.wait_for("keys reloaded");
        let numbers = get(&internal, "/metrics").await;
        assert!(numbers.contains("wxgate_reload_failing 0"), "{fault}: {numbers}");
        let counted = |outcome: &str| {
            let name = format!("wxgate_reloads_total{{outcome=\"{outcome}\"}} ");
            let line = numbers.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("0");
            line.parse::<u64>().unwrap()
        };
        assert!(counted("refused") > refused, "{fault}: {numbers}");
        refused = counted("refused");
        assert!(counted("done") > 0, "{numbers}");
    }
    // Without a signal: the files are looked at.
    edit(folder.path(), "audience = [\"api\"]", "audience = [\"api\", \"pay\"]");
    let waits = serve.wait_for("take effect at the next start");
    assert!(waits.contains("\"tokens.audience\""), "{waits}");
    // A secret that was replaced is no key that was reloaded, and one that others can read is said to be.
    std::fs::write(folder.path().join("keys/wx0123456789abcdef.secret"), "other-app-secret").unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(key_file(folder.path()), std::fs::Permissions::from_mode(0o644)).unwrap();
    serve.hang_up();
    let waits = serve.wait_for("take effect at the next start");
    assert!(waits.contains("\"tokens.audience, wechat.apps\""), "{waits}");
    serve.wait_for("chmod 600");
    let (status, printed) = serve.end();
    assert!(status.success(), "{printed}");
    assert!(!printed.contains("PRIVATE KEY") && !printed.contains("app-secret"), "{printed}");
}
