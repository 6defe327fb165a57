//! The audit log, as the real binary writes it; and that no log, at any level, holds a password, a hash or an openid.

use serde_json::{Value, json};

use crate::world::Answer;
use crate::world::process::Process;

const PASSWORD: &str = "correct-horse-battery";
const NEW_PASSWORD: &str = "another-horse-battery";

/// What the gateway of `wxgate dev` is asked by.
pub(crate) struct Dev {
    process: Process,
    gateway: String,
    pub(crate) internal: String,
    wechat: String,
    pub(crate) http: reqwest::Client,
}

impl Dev {
    /// Logging all it can; `more`: settings besides.
    pub(crate) fn start(folder: &std::path::Path, more: &[(&str, &str)]) -> Self {
        let settings = [
            ("WXGATE_HTTP__LISTEN", "127.0.0.1:0"),
            ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0"),
            ("WXGATE_ACCOUNTS__REGISTRATION", "true"),
            ("WXGATE_ACCOUNTS__ARGON2_MEMORY", "64"),
            ("WXGATE_LOG__LEVEL", "trace"),
            ("WXGATE_LOG__FORMAT", "json"),
        ];
        let settings = [&settings[..], more].concat();
        let mut process = Process::start(folder, &["dev", "--simulator-listen", "127.0.0.1:0"], &settings);
        process.wait_for("Ctrl-C");
        let address = |name: &str| {
            let line = process.printed().iter().find(|line| line.contains(name)).unwrap();
            let at = line.find("http://").unwrap();
            line[at..].split_whitespace().next().unwrap().to_owned()
        };
        let (gateway, wechat) = (address("gateway"), address("WeChat"));
        let internal = address("internal").trim_end_matches("/readyz").to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { process, gateway, internal, wechat, http }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, token: Option<&Value>, body: Value) -> Answer {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.gateway));
        let request = request.header("content-type", "application/json").body(body.to_string());
        Answer::of(match token {
            Some(session) => request.bearer_auth(session["token"].as_str().unwrap()),
            None => request,
        })
        .await
    }

    /// Asks it to end, and gives all that it printed.
    pub(crate) fn end(self) -> String {
        self.process.end().1
    }

    pub(crate) async fn login(&self, openid: &str) -> Value {
        let code = self.http.get(format!("{}/_sim/code?openid={openid}", self.wechat)).send().await.unwrap();
        let code = code.text().await.unwrap();
        self.ask("POST", "/v1/login", None, json!({ "code": code })).await.status(200).json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_a_line_of_its_own_that_says_who_where_and_what_came_of_it_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path(), &[]);
    let account = json!({ "username": "xiaoming", "password": PASSWORD });
    let made = dev.ask("POST", "/v1/accounts", None, account.clone()).await.status(201).json();
    let alice = dev.login("openid-of-alice").await;
    let wrong = json!({ "username": "xiaoming", "password": "wrong-horse-battery" });
    for _ in 0..5 {
        dev.ask("POST", "/v1/login/password", None, wrong.clone()).await.refused(400, "bad_credentials");
    }
    dev.ask("POST", "/v1/login/password", None, wrong).await.refused(429, "too_many_attempts");
    let nobody = json!({ "username": "name-of-nobody", "password": PASSWORD });
    dev.ask("POST", "/v1/login/password", None, nobody).await.refused(400, "bad_credentials");
    // Own password, counted apart.
    let change = json!({ "oldPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    let made = dev.ask("PUT", "/v1/me/password", Some(&made), change).await.status(200).json();
    let code = dev.http.get(format!("{}/_sim/code?openid=openid-of-bob", dev.wechat)).send().await.unwrap();
    let second = json!({ "username": "second", "password": PASSWORD, "code": code.text().await.unwrap() });
    let bob = dev.ask("POST", "/v1/accounts", None, second).await.status(201).json();
    let second = json!({ "username": "second", "password": PASSWORD });
    dev.ask("PUT", "/v1/me/account", Some(&alice), second.clone()).await.refused(409, "account_taken");
    dev.ask("DELETE", "/v1/me/account", Some(&bob), Value::Null).await.status(200);
    dev.ask("PUT", "/v1/me/account", Some(&alice), second).await.status(200);
    dev.ask("DELETE", "/v1/me", Some(&made), Value::Null).await.status(204);

    let printed = dev.end();
    let lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let audit: Vec<Value> = lines.filter(|line| line["target"] == "wxgate::audit").collect();
    let told: Vec<(&str, &str, bool)> = audit
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default();
            assert_eq!((text("app"), text("ip")), ("wx0123456789abcdef", "127.0.0.1"), "{line}");
            (text("event"), text("outcome"), line["user"].is_string() || line["account"].is_string())
        })
        .collect();
    let wrong = ("password_login", "bad_credentials", true);
    assert_eq!(
        told,
        [
            ("register", "done", true),
            ("login", "done", true),
            wrong,
            wrong,
            wrong,
            wrong,
            wrong,
            ("lock", "too_many_attempts", true),
            ("password_login", "bad_credentials", false),
            ("password_change", "done", true),
            ("register", "done", true),
            ("bind", "account_taken", true),
            ("unbind", "done", true),
            ("bind", "done", true),
            ("close", "done", true),
        ],
        "{printed}"
    );
    assert!(printed.contains("\"answered\""), "the log is there");
    for secret in
        ["horse-battery", "$argon2", "openid-of", "xiaoming", "name-of-nobody", "eyJ", "simulated-secret"]
    {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
}
