//! A gateway to measure: a process with its own configuration, database and simulated WeChat.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use wxgate::clock::SystemClock;
use wxgate::wechat::simulator::{Options, SimApp, Simulator};

pub(crate) const APP: &str = "wx0000000000000001";
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct Gateway {
    child: Child,
    pub(crate) url: String,
    pub(crate) wechat: Simulator,
    pub(crate) http: reqwest::Client,
    pub(crate) database: &'static str,
    _folder: tempfile::TempDir,
}

impl Gateway {
    /// With the defaults, on PostgreSQL if scripts/bench-passwords brings one, else on SQLite; and with so many accounts.
    pub(crate) async fn start(accounts: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
            command.current_dir(folder.path()).args(arguments).env_remove("WXGATE_TEST_POSTGRES");
            command.env_remove("WXGATE_TEST_MYSQL").env_remove("WXGATE_TEST_INTEROP");
            command
        };
        let app = SimApp { id: APP.into(), secret: "secret".into(), bound: true };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wechat = Simulator::start(
            listener,
            Options {
                apps: vec![app],
                clock: Arc::new(SystemClock),
                seed: [7; 32],
                min_rotation: Duration::from_secs(60),
            },
        )
        .unwrap();
        assert!(
            run(&["init", "--issuer", "https://auth.example.com", "--appid", APP])
                .output()
                .unwrap()
                .status
                .success()
        );
        std::fs::write(folder.path().join(format!("keys/{APP}.secret")), "secret").unwrap();
        let (database, address) = match std::env::var("WXGATE_TEST_POSTGRES") {
            Ok(server) => {
                let name = format!("bench_{:016x}", u64::from_be_bytes(wxgate::vault::random::bytes()));
                let admin = sea_orm::Database::connect(&server).await.unwrap();
                let sql = format!("CREATE DATABASE {name}");
                sea_orm::ConnectionTrait::execute_unprepared(&admin, &sql).await.unwrap();
                ("PostgreSQL", format!("{}/{name}", server.rsplit_once('/').unwrap().0))
            }
            Err(_) => ("SQLite", "sqlite://data/wxgate.sqlite?mode=rwc".to_owned()),
        };
        let settings = [
            ("WXGATE_DATABASE__URL", address.as_str()),
            ("WXGATE_WECHAT__BASE_URL", &wechat.base_url()),
            ("WXGATE_HTTP__LISTEN", "127.0.0.1:0"),
            ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0"),
            ("WXGATE_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]"),
        ];
        import(&folder, run(&["account", "import", "accounts.csv"]).envs(settings), accounts);
        let mut child = run(&["serve"]).envs(settings).stderr(Stdio::piped()).spawn().unwrap();
        let mut url = None;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if said["message"] == "public side" {
                url = said["listen"].as_str().map(|address| format!("http://{address}"));
            }
            if said["message"] == "wxgate is ready" {
                break;
            }
        }
        // The log goes on being read, so that the gateway never waits for it.
        std::thread::spawn(move || lines.for_each(drop));
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1024).build().unwrap();
        Self { child, url: url.unwrap(), wechat, http, database, _folder: folder }
    }

    /// A login by password at an address of one's own; the status, and whether it said when to come again.
    pub(crate) async fn type_password(&self, address: &str, username: &str, password: &str) -> (u16, bool) {
        let body = serde_json::json!({ "username": username, "password": password }).to_string();
        let request = self.http.post(format!("{}/v1/login/password", self.url)).body(body);
        let request = request.header("content-type", "application/json").header("x-forwarded-for", address);
        let answer = request.send().await.unwrap();
        let (status, retry) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        answer.bytes().await.unwrap();
        (status, retry)
    }

    /// A fresh code of somebody's wx.login.
    pub(crate) async fn code(&self, openid: &str) -> String {
        let url = format!("{}/_sim/code?openid={openid}", self.wechat.base_url());
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// A login by code.
    pub(crate) async fn log_in(&self, code: &str) -> u16 {
        let body = serde_json::json!({ "code": code }).to_string();
        let request = self.http.post(format!("{}/v1/login", self.url)).body(body);
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        let status = answer.status().as_u16();
        answer.bytes().await.unwrap();
        status
    }

    /// One line of the gateway's /proc status, in MiB.
    pub(crate) fn memory(&self, line: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = status
            .lines()
            .find_map(|found| found.strip_prefix(line)?.split_whitespace().nth(1)?.parse::<f64>().ok());
        kib.unwrap() / 1024.0
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `user0`, `user1`, … all with [`PASSWORD`], hashed as the gateway does by default.
fn import(folder: &tempfile::TempDir, command: &mut Command, accounts: usize) {
    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$EaCdYV4F271x68HxYzpoCA$yTDhSJnhpXZgVhC3PSrz7YK4tZ2VKbHJPyqHEQie1O4";
    let mut csv = String::from("username,password_hash\n");
    for at in 0..accounts {
        csv.push_str(&format!("user{at},\"{HASH}\"\n"));
    }
    std::fs::write(folder.path().join("accounts.csv"), csv).unwrap();
    let imported = command.output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
}
