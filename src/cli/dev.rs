//! `wxgate dev`: everything at once in the working directory, nothing to configure.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::files::{private_directory, private_file, random_key, signing_key};
use super::{Failure, Outcome, asked_to_end, clock, environment, listen, migrate, simulate};
use crate::app::App;
use crate::config::{self, Config, Layers};
use crate::wechat::simulator::SimApp;
use crate::{http, telemetry};

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
    make_keys(Path::new("keys"))?;
    let (environment, left_out) = apart(environment());
    let wanted = environment.get("WXGATE_HTTP__LISTEN").map_or("127.0.0.1:8080", String::as_str);
    let wanted = wanted
        .parse()
        .map_err(|_| Failure::Other(format!("WXGATE_HTTP__LISTEN: {wanted:?} is no address")))?;
    let public_side = listen("WXGATE_HTTP__LISTEN", wanted).await?;
    let simulator_side = listen("--simulator-listen", options.simulator_listen).await?;
    let address = reachable(public_side.local_addr().map_err(|error| Failure::Other(error.to_string()))?);
    let app = SimApp { id: APPID.into(), secret: SECRET.into(), bound: true };
    let simulator = simulate::start(simulator_side, vec![app])?;
    let config = configure(address, &simulator.base_url(), environment)?;
    telemetry::init(&config.log);
    let internal_side = listen("WXGATE_HTTP__INTERNAL_LISTEN", config.http.internal_listen).await?;
    let internal = internal_side.local_addr().map_err(|error| Failure::Other(error.to_string()))?;
    migrate::up(&config.database).await.map_err(Failure::Other)?;
    let app = Arc::new(App::build(config, clock()).await?);
    greet(address, internal, &simulator.base_url());
    for name in left_out {
        println!("  ({name} was not read: `dev` has a database, keys and a WeChat of its own)");
    }
    let served = http::serve(app, public_side, internal_side, asked_to_end()).await;
    drop(simulator);
    served.map_err(|error| Failure::Other(format!("serving ended: {error}")))
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

/// Where this machine reaches what listens on every address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

/// Made once; the next `wxgate dev` finds them, and yesterday's tokens still count.
fn make_keys(directory: &Path) -> Result<(), Failure> {
    private_directory(directory)?;
    let missing = |name: &str| Some(directory.join(name)).filter(|path| !path.exists());
    if let Some(path) = missing("dev-signing.pem") {
        private_file(&path, &signing_key()?)?;
    }
    for name in ["dev-column.key", "dev-index.key"] {
        if let Some(path) = missing(name) {
            private_file(&path, &random_key())?;
        }
    }
    Ok(())
}

/// The defaults, what `dev` presets, and the environment. A wxgate.toml is not read: it may be production's.
fn configure(
    address: SocketAddr,
    wechat: &str,
    mut environment: HashMap<String, String>,
) -> Result<Config, Failure> {
    environment.remove("WXGATE_HTTP__LISTEN");
    let preset = format!(
        r#"
        http.listen = "{address}"
        wechat.base_url = "{wechat}"
        wechat.apps = [{{ id = "{APPID}", secret = "{SECRET}" }}]
        tokens.issuer = "http://{address}"
        tokens.keys = [{{ file = "keys/dev-signing.pem" }}]
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
