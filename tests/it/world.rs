//! A world to test in: a gateway on a database of its own, a simulated WeChat, a clock, and words to ask with.

pub(crate) mod answer;
pub(crate) mod certificate;
pub(crate) mod database;
pub(crate) mod forge;
pub(crate) mod keys;
pub(crate) mod process;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::ServiceExt as _;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wxgate::app::App;
use wxgate::clock::{Clock, SystemClock, Timestamp};
use wxgate::config::{self, Config, Layers};
use wxgate::flows::operator;
use wxgate::flows::username::Username;
use wxgate::secret::Password;
use wxgate::wechat::simulator::{self, SimApp, Simulator};

pub(crate) use answer::Answer;
pub(crate) use certificate::certify;
pub(crate) use database::{Database, Kind};

/// The default app of every world; the second one is bound to the same Open Platform account.
pub(crate) const APP: &str = "wx0000000000000001";
pub(crate) const OTHER_APP: &str = "wx0000000000000002";
pub(crate) const APP_SECRET: &str = "app-secret-0123456789abcdef";
pub(crate) const ISSUER: &str = "https://auth.example.com";

/// What [`HASHES`] are hashes of.
pub(crate) const HASHED: &str = "p@ss word 密码";
/// One of each kind, made elsewhere.
pub(crate) const HASHES: [&str; 9] = include!("../vectors/password_hashes.in");

/// A clock that only a test turns.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn turn(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// As an operator or a time server does to a clock that was ahead.
    pub(crate) fn turn_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) wechat: Simulator,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) database: Database,
    http: reqwest::Client,
    address: SocketAddr,
    internal: SocketAddr,
    servers: tokio::task::JoinSet<()>,
    folder: tempfile::TempDir,
}

impl World {
    /// A gateway on a fresh database of this kind, migrated, with its defaults.
    pub(crate) async fn on(kind: Kind) -> Self {
        Self::with(kind, "").await
    }

    /// The same, with these lines of configuration on top.
    pub(crate) async fn with(kind: Kind, toml: &str) -> Self {
        Self::at(1_793_500_000_250, kind, toml).await
    }

    /// The same, begun now: for verifiers that have a clock of their own.
    pub(crate) async fn with_system_clock(kind: Kind, toml: &str) -> Self {
        Self::at(SystemClock.now().as_millisecond(), kind, toml).await
    }

    pub(crate) async fn at(millis: i64, kind: Kind, toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(millis)));
        let wechat = start_wechat(clock.clone()).await;
        let database = Database::fresh(kind).await;
        let preset = preset(&folder, &database, &wechat);
        std::fs::write(folder.path().join("wxgate.toml"), &preset).unwrap();
        let layers = Layers {
            preset: Some(preset),
            environment: overrides(toml),
            directory: folder.path().to_owned(),
            ..Layers::default()
        };
        let config = config::load(&layers).unwrap_or_else(|problems| panic!("{problems:#?}"));
        wxgate::cli::migrate::up(&config.database).await.unwrap();
        let app = Arc::new(App::build(config, clock.clone()).await.unwrap());
        let mut servers = tokio::task::JoinSet::new();
        let address = serve(&mut servers, wxgate::http::public(app.clone())).await;
        let internal = serve(&mut servers, wxgate::http::internal(app.clone())).await;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { app, wechat, clock, database, http, address, internal, servers, folder }
    }

    /// Asks at the internal listener, with this credential and a JSON body unless it is null.
    pub(crate) async fn internally(&self, method: &str, path: &str, credential: &str, body: Value) -> Answer {
        let url = format!("http://{}{path}", self.internal);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if !credential.is_empty() {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        Answer::of(request).await
    }

    /// A second gateway on the same database and keys, as another replica would be.
    pub(crate) async fn replica(&self) -> Arc<App> {
        Arc::new(App::build(self.app.config.clone(), self.clock.clone()).await.unwrap())
    }

    /// Such a replica, listening too; where.
    pub(crate) async fn listening_replica(&mut self) -> (Arc<App>, String) {
        let replica = self.replica().await;
        let address = serve(&mut self.servers, wxgate::http::public(replica.clone())).await;
        (replica, format!("http://{address}"))
    }

    /// An account as an operator makes one, and its user's id.
    pub(crate) async fn add_account(&self, username: &str, password: &str) -> String {
        let username = Username::of(username).unwrap();
        let added = operator::add(&self.app.rooms, &username, &Password::new(password)).await;
        added.unwrap().id.to_string()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The folder with this world's keys, and a wxgate.toml for commands.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Presses wx.login on somebody's phone.
    pub(crate) async fn code(&self, openid: &str) -> String {
        self.code_of(json!({ "openid": openid })).await
    }

    pub(crate) async fn code_of(&self, who: Value) -> String {
        let answer = self.control(reqwest::Method::POST, "/_sim/login", &who).await;
        answer.json()["code"].as_str().unwrap().to_owned()
    }

    /// Somebody's first login in that app, with their unionid.
    pub(crate) async fn user_of_app(&self, app: &str, openid: &str, unionid: &str) -> Value {
        let code = self.code_of(json!({ "appid": app, "openid": openid, "unionid": unionid })).await;
        self.post("/v1/login", &json!({ "code": code, "appId": app })).await.status(200).json()
    }

    /// Somebody presses the phone button: {code, encryptedData, iv}.
    pub(crate) async fn press_phone(&self, press: Value) -> Value {
        self.control(reqwest::Method::POST, "/_sim/phone", &press).await.status(200).json()
    }

    /// Somebody's getUserInfo: {userInfo, rawData, signature, encryptedData, iv}.
    pub(crate) async fn user_info(&self, info: Value) -> Value {
        self.control(reqwest::Method::POST, "/_sim/userinfo", &info).await.status(200).json()
    }

    /// Asks as a logged-in user, with a JSON body unless it is null.
    pub(crate) async fn ask(&self, method: &str, path: &str, session: &Value, body: Value) -> Answer {
        let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method.parse().unwrap(), path, &body, &headers).await
    }

    /// Sets WeChat's faults.
    pub(crate) async fn faults(&self, faults: Value) {
        self.control(reqwest::Method::PUT, "/_sim/faults", &faults).await.status(204);
    }

    async fn control(&self, method: reqwest::Method, path: &str, body: &Value) -> Answer {
        let url = format!("{}{path}", self.wechat.base_url());
        Answer::of(
            self.http.request(method, url).header("content-type", "application/json").body(body.to_string()),
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers
            .iter()
            .fold(self.http.get(self.url(path)), |request, (name, value)| request.header(*name, *value));
        Answer::of(request).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(path, body, &[]).await
    }

    pub(crate) async fn post_as(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send(
            reqwest::Method::POST,
            path,
            &body.to_string(),
            &[&[("content-type", "application/json")], headers].concat(),
        )
        .await
    }

    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let request = self.http.request(method, self.url(path)).body(body.to_owned());
        Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Logs somebody in and gives their session.
    pub(crate) async fn login(&self, openid: &str) -> Value {
        let code = self.code(openid).await;
        self.post("/v1/login", &json!({ "code": code })).await.status(200).json()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.servers.abort_all();
    }
}

async fn serve<S>(servers: &mut tokio::task::JoinSet<()>, doors: S) -> SocketAddr
where
    S: tower_service::Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let doors = doors.into_make_service_with_connect_info::<SocketAddr>();
    servers.spawn(async move { axum::serve(listener, doors).await.unwrap() });
    address
}

pub(crate) async fn start_wechat(clock: Arc<dyn Clock>) -> Simulator {
    let app = |id: &str| SimApp { id: id.into(), secret: APP_SECRET.into(), bound: true };
    let options = simulator::Options {
        apps: vec![app(APP), app(OTHER_APP), SimApp { bound: false, ..app("wx0000000000000003") }],
        clock,
        seed: [7; 32],
        min_rotation: Duration::from_secs(60),
    };
    Simulator::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), options).unwrap()
}

/// A configuration with keys of its own in `folder`.
pub(crate) fn preset(folder: &tempfile::TempDir, database: &Database, wechat: &Simulator) -> String {
    keys::write(folder.path());
    format!(
        r#"
        http.listen = "127.0.0.1:0"
        http.internal_listen = "127.0.0.1:0"
        database.url = "{}"
        wechat.base_url = "{}"
        wechat.apps = [
            {{ id = "{APP}", secret = "{APP_SECRET}" }},
            {{ id = "{OTHER_APP}", secret = "{APP_SECRET}" }},
            {{ id = "wx0000000000000003", secret = "{APP_SECRET}" }},
        ]
        tokens.issuer = "{ISSUER}"
        tokens.keys = [{{ file = "first.pem" }}]
        secrets.index_key_file = "index.key"
        secrets.column_keys = [{{ id = "k1", file = "column.key" }}]
        accounts.argon2_memory = 64
        accounts.argon2_passes = 1
        "#,
        database.url(folder.path()),
        wechat.base_url(),
    )
}

/// `section.key = value` lines as the environment would bring them.
fn overrides(toml: &str) -> std::collections::HashMap<String, String> {
    let lines = toml.lines().map(str::trim).filter(|line| !line.is_empty());
    let pairs = lines.map(|line| {
        let (key, value) = line.split_once('=').unwrap();
        (
            format!("WXGATE_{}", key.trim().replace('.', "__").to_uppercase()),
            value.trim().trim_matches('"').to_owned(),
        )
    });
    pairs.collect()
}

/// Also used where only the configuration counts.
#[derive(Debug)]
pub(crate) struct Loaded;

impl Loaded {
    pub(crate) fn from(preset: &str) -> Result<Config, Vec<String>> {
        let layers = Layers { preset: Some(preset.to_owned()), ..Layers::default() };
        config::load(&layers).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }
}

/// The same test on each database.
#[macro_export]
macro_rules! on_each_database {
    (async fn $name:ident($kind:ident: Kind) $body:block) => {
        mod $name {
            use super::*;

            async fn test($kind: $crate::world::Kind) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                test($crate::world::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                test($crate::world::Kind::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_mariadb() {
                test($crate::world::Kind::MariaDb).await;
            }
        }
    };
}
