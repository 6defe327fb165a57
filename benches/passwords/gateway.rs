//! A gateway to measure: a process with its own configuration, database and simulated WeChat.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use wxgate::clock::SystemClock;
use wxgate::wechat::simulator::{Options, SimApp, Simulator};

const APP: &str = "wx0000000000000001";
/// Of "correct horse battery", as the gateway hashes by default.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$EaCdYV4F271x68HxYzpoCA$yTDhSJnhpXZgVhC3PSrz7YK4tZ2VKbHJPyqHEQie1O4";

/// A configured gateway that doesn't run yet.
pub(crate) struct Prepared {
    folder: tempfile::TempDir,
    settings: Vec<(String, String)>,
    database: &'static str,
    wechat: Simulator,
}

pub(crate) struct Gateway {
    child: Child,
    url: String,
    wechat: Simulator,
    http: reqwest::Client,
    pub(crate) database: &'static str,
    _folder: tempfile::TempDir,
}

impl Prepared {
    /// With the defaults and these settings, on PostgreSQL if scripts/bench-passwords brings one, else on SQLite.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = SimApp { id: APP.into(), secret: "secret".into(), bound: true };
        let clock = Arc::new(SystemClock);
        let options =
            Options { apps: vec![app], clock, seed: [7; 32], min_rotation: Duration::from_secs(60) };
        let wechat = Simulator::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), options).unwrap();
        let (database, address) = database().await;
        let base_url = wechat.base_url();
        let ours = [
            ("WXGATE_DATABASE__URL", address.as_str()),
            ("WXGATE_WECHAT__BASE_URL", &base_url),
            ("WXGATE_HTTP__LISTEN", "127.0.0.1:0"),
            ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0"),
            ("WXGATE_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]"),
        ];
        let settings = ours.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into()));
        let prepared = Self { settings: settings.collect(), folder, database, wechat };
        let init = ["init", "--issuer", "https://auth.example.com", "--appid", APP];
        assert!(prepared.command(&init).output().unwrap().status.success());
        std::fs::write(prepared.folder.path().join(format!("keys/{APP}.secret")), "secret").unwrap();
        assert!(prepared.command(&["migrate", "up"]).output().unwrap().status.success());
        prepared
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
        command.current_dir(self.folder.path()).args(arguments);
        for variable in ["WXGATE_TEST_POSTGRES", "WXGATE_TEST_MYSQL", "WXGATE_TEST_INTEROP"] {
            command.env_remove(variable);
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `user0`, `user1`, … with one password, hashed as the gateway does by default.
    pub(crate) fn with_accounts(self, accounts: usize) -> Self {
        let mut csv = String::from("username,password_hash\n");
        (0..accounts).for_each(|at| csv.push_str(&format!("user{at},\"{HASH}\"\n")));
        self.write(&csv);
        assert_eq!(self.import(None), Some(0));
        self
    }

    /// The file that [`Self::import`] imports.
    pub(crate) fn write(&self, csv: &str) {
        std::fs::write(self.folder.path().join("accounts.csv"), csv).unwrap();
    }

    /// Its report.
    pub(crate) fn refused(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("accounts.csv.refused")).unwrap()
    }

    /// Imports; with `until` only until a line of progress begins with that, then it is killed. Its exit code.
    pub(crate) fn import(&self, until: Option<&str>) -> Option<i32> {
        let mut command = self.command(&["account", "import", "accounts.csv"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
            if until.is_some_and(|until| line.starts_with(until)) {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap().code()
    }

    /// Runs it, and comes back when it is ready.
    pub(crate) fn serve(self) -> Gateway {
        let mut child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
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
        let Self { folder, database, wechat, .. } = self;
        Gateway { child, url: url.unwrap(), wechat, http, database, _folder: folder }
    }
}

/// Its name, and its address.
async fn database() -> (&'static str, String) {
    let Ok(server) = std::env::var("WXGATE_TEST_POSTGRES") else {
        return ("SQLite", "sqlite://data/wxgate.sqlite?mode=rwc".to_owned());
    };
    let name = format!("bench_{:016x}", u64::from_be_bytes(wxgate::vault::random::bytes()));
    let admin = sea_orm::Database::connect(&server).await.unwrap();
    let sql = format!("CREATE DATABASE {name}");
    sea_orm::ConnectionTrait::execute_unprepared(&admin, &sql).await.unwrap();
    ("PostgreSQL", format!("{}/{name}", server.rsplit_once('/').unwrap().0))
}

impl Gateway {
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
            .find_map(|found| found.strip_prefix(line)?.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap() / 1024.0
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
