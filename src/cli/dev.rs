//! `wxgate dev`: everything at once in the working directory, nothing to configure.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::health::within;
use super::{Failure, Outcome, asked_to_end, clock, environment, listen, migrate, simulate};
use crate::app::App;
use crate::config::{self, Config, Layers};
use crate::http::Playground;
use crate::wechat::simulator::{SimApp, Simulator};
use crate::{http, telemetry};

mod keys;

const APPID: &str = "wx0123456789abcdef";
/// Known to everybody and worth nothing: the simulator is its only reader.
const SECRET: &str = "simulated-secret";

#[derive(Args)]
pub(super) struct Options {
    /// Where the simulated WeChat listens
    #[arg(long, default_value = "127.0.0.1:9099")]
    simulator_listen: SocketAddr,
}

pub(super) async fn run(options: Options) -> Outcome {
    let folder = Path::new("keys");
    keys::make(folder)?;
    let (environment, left_out) = apart(environment());
    let wanted = environment.get("WXGATE_HTTP__LISTEN").map_or("127.0.0.1:8080", String::as_str);
    let wanted = wanted
        .parse()
        .map_err(|_| Failure::Other(format!("WXGATE_HTTP__LISTEN: {wanted:?} is no address")))?;
    let public_side = listen("WXGATE_HTTP__LISTEN", wanted).await?;
    let simulator_side = listen("--simulator-listen", options.simulator_listen).await?;
    let address = within(public_side.local_addr().map_err(|error| Failure::Other(error.to_string()))?);
    let app = SimApp { id: APPID.into(), secret: SECRET.into(), bound: true };
    let simulator = simulate::start(simulator_side, vec![app])?;
    let wechat = simulator.base_url();
    let config = configure(address, &wechat, environment.clone())?;
    telemetry::init(&config.log).map_err(Failure::Other)?;
    let internal_side = listen("WXGATE_HTTP__INTERNAL_LISTEN", config.http.internal_listen).await?;
    let internal = internal_side.local_addr().map_err(|error| Failure::Other(error.to_string()))?;
    migrate::up(&config.database).await.map_err(Failure::Other)?;
    let app = Arc::new(App::build(config, clock()).await?);
    greet(address, internal, &wechat);
    for name in left_out {
        println!("  ({name} was not read: `dev` has a database, keys and a WeChat of its own)");
    }
    let public = http::public_with(app.clone(), playground(&app, &simulator, (address, wechat, environment)));
    http::serve(app, public, public_side, internal_side, asked_to_end(Duration::ZERO)).await;
    drop(simulator);
    Ok(())
}

/// The page `/dev/`: the simulated WeChat to log in at, and a ring to which keys can be added.
fn playground(
    app: &Arc<App>,
    simulator: &Simulator,
    (address, wechat, environment): (SocketAddr, String, HashMap<String, String>),
) -> Playground {
    let app = app.clone();
    // As an operator would: the file, the line, the reload.
    let rotate = move |at_once| {
        let made = keys::add(Path::new("keys"), at_once, app.rooms.now(), app.config.tokens.verifier_cache);
        let config = made.and_then(|()| configure(address, &wechat, environment.clone()));
        let taken = config.and_then(|config| app.reload(&config).map_err(Failure::Config));
        taken.map(|_| ()).map_err(|failure| match failure {
            Failure::Config(problems) => {
                problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
            Failure::Other(text) => text,
        })
    };
    Playground { wechat: simulator.controls(), rotate: Arc::new(rotate) }
}

/// Settings that may be production's are left out: `dev` must never write there.
fn apart(environment: HashMap<String, String>) -> (HashMap<String, String>, Vec<String>) {
    let theirs = [
        "WXGATE_DATABASE__",
        "WXGATE_WECHAT__",
        "WXGATE_SECRETS__",
        "WXGATE_TOKENS__KEYS",
        "WXGATE_TOKENS__ISSUER",
    ];
    let (left_out, kept): (HashMap<_, _>, HashMap<_, _>) =
        environment.into_iter().partition(|(name, _)| theirs.iter().any(|prefix| name.starts_with(prefix)));
    (kept, left_out.into_keys().collect())
}

/// The defaults, what `dev` presets, and the environment. A wxgate.toml is not read: it may be production's.
fn configure(
    address: SocketAddr,
    wechat: &str,
    mut environment: HashMap<String, String>,
) -> Result<Config, Failure> {
    environment.remove("WXGATE_HTTP__LISTEN");
    let signing = keys::listed(Path::new("keys"))?;
    let preset = format!(
        r#"
        http.listen = "{address}"
        wechat.base_url = "{wechat}"
        wechat.apps = [{{ id = "{APPID}", secret = "{SECRET}" }}]
        tokens.issuer = "http://{address}"
        tokens.keys = [{signing}]
        tokens.verifier_cache = "5m"
        secrets.index_key_file = "keys/dev-index.key"
        secrets.column_keys = [{{ id = "dev", file = "keys/dev-column.key" }}]
        "#
    );
    let layers = Layers { preset: Some(preset), environment, ..Layers::default() };
    config::load(&layers).map_err(Failure::Config)
}

/// What runs where, and two lines to paste. They fetch their own code, so they work any number of times.
fn greet(address: SocketAddr, internal: SocketAddr, wechat: &str) {
    let login = format!(
        "curl -s http://{address}/v1/login -H 'Content-Type: application/json' \
         -d \"{{\\\"code\\\":\\\"$(curl -s {wechat}/_sim/code)\\\"}}\""
    );
    let url = format!("http://{address}");
    println!(
        "
  wxgate dev 已启动 is running

  演示 playground    {url}/dev/  (在浏览器里看每一步 see every step)
  网关 gateway       {url}
  接口文档 API docs  {url}/docs
  公钥 keys          {url}/.well-known/jwks.json
  内部 internal      http://{internal}/readyz
  模拟微信 WeChat    {wechat}  (simulated; appid {APPID})
  数据 data          ./data  ./keys

  登录 log in (paste into another terminal):

{login}

  我是谁 who am I (logs in again and shows /v1/me):

curl -s {url}/v1/me -H \"Authorization: Bearer $({login} | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')\"

  Ctrl-C 结束 ends it. 正式部署 for production: wxgate init
"
    );
    if Path::new("wxgate.toml").exists() {
        println!("  (wxgate.toml was not read: `dev` stands alone; `wxgate serve` reads it)\n");
    }
}
