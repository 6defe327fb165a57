//! What outlives a gateway's process: its folder, its database, a simulated WeChat; and the process, `wxgate serve`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use wxgate::clock::SystemClock;
use wxgate::wechat::simulator::Simulator;

use crate::world::process::{self, Process};
use crate::world::{Answer, Database, preset, start_wechat};

pub(super) struct Home {
    pub(super) database: Database,
    pub(super) wechat: Simulator,
    /// Where SQLite's file is.
    pub(super) data: PathBuf,
    folder: tempfile::TempDir,
    settings: Vec<(String, String)>,
}

/// A gateway that runs.
pub(super) struct Replica {
    pub(super) process: Process,
    /// `http://…`
    pub(super) public: String,
    pub(super) internal: String,
    http: reqwest::Client,
}

pub(super) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Home {
    /// On this database, with short deadlines and a log that says all it ever says.
    pub(super) async fn on(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wechat = start_wechat(Arc::new(SystemClock)).await;
        std::fs::write(folder.path().join("wxgate.toml"), preset(&folder, &database, &wechat)).unwrap();
        let data = folder.path().to_owned();
        let home = Self { database, wechat, data, folder, settings: Vec::new() };
        home.set("http.request_timeout", "5s")
            .set("database.acquire_timeout", "1s")
            .set("wechat.timeout", "2s")
            .set("wechat.connect_timeout", "1s")
            .set("log.level", "trace")
            .set("log.format", "json")
    }

    /// With SQLite's file in this folder.
    pub(super) fn in_folder(mut self, data: &Path) -> Self {
        self.data = data.to_owned();
        let url = self.database.url(data);
        self.set("database.url", &url)
    }

    /// With this setting.
    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        let name = format!("WXGATE_{}", key.replace('.', "__").to_uppercase());
        self.settings.push((name, value.to_owned()));
        self
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the gateway and waits until it is ready.
    pub(super) fn start(&self) -> Replica {
        self.start_by(&[], &[])
    }

    /// The same by another program, or with more settings (`http.listen` among them).
    pub(super) fn start_by(&self, program: &[&str], more: &[(&str, &str)]) -> Replica {
        let mut process = self.spawn(program, more);
        let mut listens = |side: &str| {
            let line: Value = serde_json::from_str(&process.wait_for(side)).unwrap();
            format!("http://{}", line["listen"].as_str().unwrap())
        };
        let (public, internal) = (listens("public side"), listens("internal side"));
        process.wait_for("wxgate is ready");
        Replica { process, public, internal, http: client() }
    }

    /// Starts it and waits for nothing.
    pub(super) fn spawn(&self, program: &[&str], more: &[(&str, &str)]) -> Process {
        let mut settings = self.settings();
        settings.extend(more);
        Process::start_by(program, self.folder(), &["serve"], &settings)
    }

    /// The same for who wants its pipes for themselves.
    pub(super) fn command(&self) -> Command {
        process::command(self.folder(), &["serve"], &self.settings())
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The rows of a query of the test's own.
    pub(super) async fn rows(&self, sql: &str) -> Vec<Value> {
        self.database.rows(&self.data, sql).await
    }
}

impl Replica {
    async fn get(&self, url: String) -> Option<Answer> {
        let asked = tokio::time::timeout(super::BOUND, Answer::tried(self.http.get(url)));
        asked.await.expect("an answer within the bound").ok()
    }

    /// What `/livez` and `/readyz` say.
    pub(super) async fn health(&self) -> (u16, u16) {
        let code = async |path: &str| {
            let answer = self.get(format!("{}{path}", self.internal)).await;
            answer.map_or(0, |answer| answer.code())
        };
        (code("/livez").await, code("/readyz").await)
    }

    /// Waits until it says that it is ready.
    pub(super) async fn until_ready(&self) {
        if !super::comes(async || self.health().await == (200, 200)).await {
            let said = self.process.said();
            let loud = said.lines().filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""));
            let mut last: Vec<&str> = loud.rev().take(40).collect();
            last.reverse();
            panic!("not ready within a minute; its last words:\n{}", last.join("\n"));
        }
    }

    /// What this token comes to at `/v1/me`.
    pub(super) async fn me(&self, token: &str) -> Answer {
        self.ask("/v1/me", token).await
    }

    /// What this token comes to at this door.
    pub(super) async fn ask(&self, path: &str, token: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.public)).bearer_auth(token);
        tokio::time::timeout(super::BOUND, Answer::of(request)).await.expect("an answer within the bound")
    }

    /// A number of `/proc/…/status`, in KiB.
    pub(super) fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    }

    /// Asks it to end: it does, with 0. What it printed.
    pub(super) fn end(self) -> String {
        let (status, printed) = self.process.end();
        assert!(status.success(), "{status}: {}", tail(&printed));
        printed
    }

    /// Ends it at once. What it had printed.
    pub(super) fn kill(self) -> String {
        self.process.kill()
    }
}

/// The last lines.
pub(super) fn tail(printed: &str) -> String {
    let lines: Vec<&str> = printed.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
