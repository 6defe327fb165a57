//! Faults, each by the real thing: a database that is killed, a disk that fills, a WeChat that talks nonsense, a kill in a
//! storm. Whoever asks meanwhile gets an answer within a bound, what was answered holds, and it heals without a hand.
//!
//! docs/faults.md says what clients see of each; `WXGATE_TEST_KILLS` and `WXGATE_TEST_UPGRADES` make the long runs.

mod clocks;
mod database;
mod disk;
mod full;
mod home;
mod kills;
mod limits;
mod people;
mod rogue;
mod server;
mod storm;
mod upgrade;
mod wechat;
mod wire;

use std::time::Duration;

/// No answer takes longer: [`home::Home`] has requests end in five seconds, and the machine may be busy.
const BOUND: Duration = Duration::from_secs(15);

/// What comes by itself comes within this.
const SOON: Duration = Duration::from_secs(60);

/// Any number below.
fn random(below: u64) -> u64 {
    u64::from_be_bytes(wxgate::vault::random::bytes()) % below
}

/// How often, by the environment; else so often.
fn times(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable).ok().map_or(otherwise, |text| text.parse().unwrap())
}

/// A port that no outgoing connection takes meanwhile: below those that the system gives by itself.
fn quiet_port() -> u16 {
    loop {
        let port = 20_000 + u16::try_from(random(12_000)).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Looks again and again until it is so.
async fn soon(what: &str, is_so: impl AsyncFnMut() -> bool) {
    assert!(comes(is_so).await, "not within a minute: {what}");
}

/// The same for who has more to say where it doesn't come.
async fn comes(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    let looks = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, looks).await.is_ok()
}

/// For who runs one of them by hand.
#[expect(clippy::print_stderr, reason = "the numbers of a run")]
fn say(what: &str) {
    eprintln!("{what}");
}
