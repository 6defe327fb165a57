//! `wxgate simulate`

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{Failure, Outcome, clock, listen};
use crate::vault::random;
use crate::wechat::simulator::{self, SimApp, Simulator};

#[derive(Args)]
pub(super) struct Options {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:9099")]
    listen: SocketAddr,
    /// A mini-program it knows, as APPID:SECRET; may be given several times
    #[arg(long = "app", value_name = "APPID:SECRET", default_value = "wx0123456789abcdef:simulated-secret")]
    apps: Vec<String>,
}

pub(super) async fn run(options: Options) -> Outcome {
    let mut apps = Vec::new();
    for app in &options.apps {
        let parts = app.split_once(':').filter(|(id, secret)| !id.is_empty() && !secret.is_empty());
        let (id, secret) = parts.ok_or_else(|| Failure::Other("--app wants APPID:SECRET".into()))?;
        apps.push(SimApp { id: id.into(), secret: secret.into(), bound: true });
    }
    let listener = listen("--listen", options.listen).await?;
    let simulator = start(listener, apps)?;
    let url = simulator.base_url();
    println!("simulated WeChat on {url}  (wechat.base_url = \"{url}\")");
    println!("a fresh code:  curl -s '{url}/_sim/code?openid=alice'");
    println!(
        "a fault:       curl -s -X PUT {url}/_sim/faults -H 'Content-Type: application/json' -d '{{\"errcode\":-1,\"times\":1}}'"
    );
    tokio::select! { () = simulator.run() => {}, _ = super::asked_to_end(Duration::ZERO) => {} }
    Ok(())
}

/// With WeChat's rhythm: a session_key stands a while before a login may rotate it.
pub(super) fn start(listener: tokio::net::TcpListener, apps: Vec<SimApp>) -> Result<Simulator, Failure> {
    let options = simulator::Options {
        apps,
        clock: clock(),
        seed: random::bytes(),
        min_rotation: Duration::from_secs(60),
    };
    Simulator::start(listener, options)
        .map_err(|error| Failure::Other(format!("the simulator can't start: {error}")))
}
