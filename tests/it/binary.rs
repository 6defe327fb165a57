//! The real binary, as a newcomer and as an operator meet it.

use std::process::Command;

use serde_json::Value;

use crate::world::process::{Process, run};

const PORTS: &[(&str, &str)] =
    &[("WXGATE_HTTP__LISTEN", "127.0.0.1:0"), ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0")];
const DEV: &[&str] = &["dev", "--simulator-listen", "127.0.0.1:0"];

fn paste(line: &str) -> Value {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}\n{text}"))
}

#[test]
fn dev_works_in_an_empty_folder_and_its_two_lines_log_in_and_say_who_i_am() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Process::start(folder.path(), DEV, PORTS);
    dev.wait_for("Ctrl-C");
    let lines: Vec<String> = dev.printed().iter().filter(|line| line.starts_with("curl ")).cloned().collect();
    let (login, me) = (&lines[0], &lines[1]);
    let session = paste(login);
    assert_eq!((&session["isNewUser"], &session["tokenType"]), (&Value::Bool(true), &Value::from("Bearer")));
    assert_eq!(paste(me)["userId"], session["userInfo"]["userId"]);
    // A line may be pasted twice.
    assert_eq!(paste(login)["isNewUser"], false);
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (mode("keys"), mode("data"), mode("keys/dev-signing.pem"), mode("keys/dev-column.key")),
        (0o700, 0o700, 0o600, 0o600)
    );
    let (status, printed) = dev.end();
    assert!(status.success(), "{printed}");

    // The next day everything is still there.
    let mut again = Process::start(folder.path(), DEV, PORTS);
    again.wait_for("Ctrl-C");
    let login = again.printed().iter().find(|line| line.starts_with("curl ")).unwrap().clone();
    let later = paste(&login);
    assert_eq!(
        (&later["isNewUser"], &later["userInfo"]["userId"]),
        (&Value::Bool(false), &session["userInfo"]["userId"])
    );
}

#[test]
fn serve_without_a_configuration_refuses_and_names_the_command_that_makes_one() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &["serve"], &[]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    for said in [
        "tokens.keys",
        "secrets.column_keys",
        "secrets.index_key",
        "tokens.issuer",
        "wechat.apps",
        "wxgate init",
    ] {
        assert!(refused.stderr.contains(said), "{said}: {}", refused.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn init_writes_a_configuration_that_serves_once_the_app_secret_is_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["init", "--issuer", "https://auth.example.com", "--appid", "wx0123456789abcdef"];
    let init = run(folder.path(), &arguments, &[]);
    assert_eq!(init.code, 0, "{init:?}");
    let secret = "keys/wx0123456789abcdef.secret";
    assert!(init.stdout.contains(secret), "{init:?}");
    let check = run(folder.path(), &["config", "check"], &[]);
    assert_eq!(check.code, 2);
    assert!(
        check.stderr.contains("wechat.apps[0].secret_file") && check.stderr.contains("is empty"),
        "{check:?}"
    );

    std::fs::write(folder.path().join(secret), "real-app-secret").unwrap();
    let check = run(folder.path(), &["config", "check"], &[]);
    assert_eq!(check.code, 0, "{check:?}");
    let show = run(folder.path(), &["config", "show"], &[]);
    assert!(
        show.code == 0 && !show.stdout.contains("real-app-secret") && show.stdout.contains("[tokens]"),
        "{show:?}"
    );

    let again = run(folder.path(), &arguments, &[]);
    assert!(again.code == 1 && again.stderr.contains("never overwritten"), "{again:?}");

    let mut serve = Process::start(folder.path(), &["serve"], PORTS);
    serve.wait_for("wxgate is ready");
    let internal = serve.printed().iter().find(|line| line.contains("internal side")).unwrap().clone();
    // The production configuration logs JSON.
    let internal: Value = serde_json::from_str(&internal).unwrap();
    let address = internal["listen"].as_str().unwrap();
    let ready = paste(&format!("curl -s http://{address}/readyz"));
    assert_eq!(ready, serde_json::json!({ "status": "ready", "database": "ok", "signingKey": "ok" }));
    let (status, printed) = serve.end();
    assert!(status.success() && printed.contains("asked to end"), "{printed}");
}

#[test]
fn an_address_in_use_and_a_database_that_is_not_there_are_said_with_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init", "--issuer", "https://auth.example.com", "--appid", "wx1"], &[]);
    std::fs::write(folder.path().join("keys/wx1.secret"), "s").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = run(folder.path(), &["serve"], &[("WXGATE_HTTP__LISTEN", &address)]);
    assert!(
        refused.code == 1 && refused.stderr.contains("http.listen") && refused.stderr.contains(&address),
        "{refused:?}"
    );

    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let url = format!("postgres://somebody:pass-word-1@{closed}/wxgate");
    let refused =
        run(folder.path(), &["serve"], &[PORTS, &[("WXGATE_DATABASE__URL", url.as_str())]].concat());
    assert!(refused.code == 1 && refused.stderr.contains("database.url"), "{refused:?}");
    assert!(!refused.stderr.contains("pass-word-1"), "{refused:?}");
}

#[test]
fn a_bad_key_is_told_along_with_every_other_problem_and_show_still_shows() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["init", "--appid", "wx1"], &[]);
    std::fs::write(folder.path().join("keys/index.key"), "short").unwrap();
    let check = run(folder.path(), &["config", "check"], &[("WXGATE_LOG__LEVEL", "loud")]);
    for said in
        ["tokens.issuer", "wechat.apps[0].secret_file", "secrets.index_key", "log.level", "4 problems"]
    {
        assert!(check.code == 2 && check.stderr.contains(said), "{said}: {check:?}");
    }
    let show = run(folder.path(), &["config", "show"], &[]);
    assert!(
        show.code == 2 && show.stdout.contains("[tokens]") && show.stderr.contains("tokens.issuer"),
        "{show:?}"
    );
    let bad =
        run(folder.path(), &["init", "--dir", "elsewhere", "--issuer", "https://auth.example.com/"], &[]);
    assert!(
        bad.code == 1
            && bad.stderr.contains("no trailing slash")
            && !folder.path().join("elsewhere").exists(),
        "{bad:?}"
    );
    let ignored = run(folder.path(), &["dev", "--config", "wxgate.toml"], &[]);
    assert!(ignored.code == 2 && ignored.stderr.contains("--config"), "{ignored:?}");
}

#[test]
fn simulate_runs_alone_and_gives_codes() {
    let folder = tempfile::tempdir().unwrap();
    let mut simulator =
        Process::start(folder.path(), &["simulate", "--listen", "127.0.0.1:0", "--app", "wx1:s3"], &[]);
    let line = simulator.wait_for("a fresh code:");
    let command = line.split_once(':').unwrap().1.trim().to_owned();
    let code = Command::new("sh").args(["-c", &command]).output().unwrap().stdout;
    let url = command.split('\'').nth(1).unwrap().split("/_sim").next().unwrap();
    let query = format!(
        "appid=wx1&secret=s3&js_code={}&grant_type=authorization_code",
        String::from_utf8(code).unwrap()
    );
    let answer = paste(&format!("curl -s '{url}/sns/jscode2session?{query}'"));
    assert_eq!(answer["openid"], "alice");
    assert_eq!(answer.get("errcode"), None);
}
