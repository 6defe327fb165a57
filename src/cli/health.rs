//! `wxgate health`: for a container's HEALTHCHECK, whose image has nothing else that could ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Failure, Outcome, environment, found};
use crate::config::{self, Layers};

/// Whoever probes waits no longer for us.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Args)]
pub(super) struct Options {
    /// Ask whether a login could succeed (/readyz) instead of whether the process answers (/livez)
    #[arg(long)]
    ready: bool,
}

pub(super) async fn run(options: &Options, file: Option<&Path>) -> Outcome {
    let layers = Layers { file: found(file), environment: environment(), ..Layers::default() };
    // The gateway that is asked has checked the rest.
    let (config, problems) = config::inspect(&layers);
    // Exit code 2, as other commands have it here, is nothing that a container's probe may answer.
    let unreadable = || {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::Other(said.join("\n"))
    };
    let address = config.ok_or_else(unreadable)?.http.internal_listen;
    let path = if options.ready { "/readyz" } else { "/livez" };
    let unwell =
        |what: &str| Failure::Other(format!("http://{address}{path} (http.internal_listen): {what}"));
    let answered = tokio::time::timeout(PATIENCE, ask(within(address), path)).await;
    let answer = answered.map_err(|_| unwell("no answer within four seconds"))?;
    let answer = answer.map_err(|error| unwell(&format!("no answer: {error}; is the gateway running?")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        return Err(unwell(if body.is_empty() { "not well" } else { body }));
    }
    println!("{}", body.trim_end());
    Ok(())
}

/// One GET by hand: a client with pools and TLS would be more than all of this, and the answer is ours.
async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(16 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Where an address that stands for all of the machine's can be asked from within.
pub(super) fn within(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let local: IpAddr =
            if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(local);
    }
    address
}
