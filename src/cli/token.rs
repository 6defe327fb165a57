//! `wxgate token inspect`: what a token says, and why it counts or doesn't, with this configuration, now.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;

use super::{Failure, Outcome, clock};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::tokens::{Refusal, Tokens};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Decode a token from stdin and verify it as the gateway would, without asking the database: whether its user was
    /// disabled or logged out is not seen
    Inspect,
}

/// More than any token; a whole file given by mistake isn't read to its end.
const MOST: u64 = 64 * 1024;

pub(super) fn run(command: &Command, config: &Config) -> Outcome {
    let Command::Inspect = command;
    let mut token = String::new();
    let read = std::io::stdin().take(MOST).read_to_string(&mut token);
    read.map_err(|error| Failure::Other(format!("stdin can't be read: {error}")))?;
    let token = token.trim().trim_start_matches("Bearer ").trim_start();
    if token.is_empty() {
        return Err(Failure::Other(
            "no token came: give it on stdin, as in `wxgate token inspect < FILE`".into(),
        ));
    }
    let now = clock().now();
    let tokens = Tokens::from_config(&config.tokens, now).map_err(Failure::Config)?;
    let mut parts = token.split('.');
    for name in ["header", "claims"] {
        println!(
            "{name}\n{}\n",
            parts.next().and_then(decoded).unwrap_or_else(|| "  can't be decoded".into())
        );
    }
    match tokens.verify(token, now) {
        Ok(claims) => {
            let end = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX);
            println!("It counts, until {end} and the leeway.");
            Ok(())
        }
        Err(refusal) => {
            Err(Failure::Other(format!("it doesn't count: {refusal}{}", advice(&refusal, config))))
        }
    }
}

/// What to look at next.
fn advice(refusal: &Refusal, config: &Config) -> String {
    match refusal {
        Refusal::UnknownKey => {
            " (`wxgate keys plan` shows the keys; another gateway, or a key dropped or revoked?)".into()
        }
        Refusal::WrongIssuer => format!("; tokens.issuer here is {:?}", config.tokens.issuer),
        Refusal::WrongAudience => format!("; tokens.audience here is {:?}", config.tokens.audience),
        Refusal::NotYet => "; is a clock wrong?".into(),
        _ => String::new(),
    }
}

/// A part as indented JSON, not yet believed. Escaped by serde_json, so that a hostile one can't write to the terminal.
fn decoded(part: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    serde_json::to_string_pretty(&value).ok()
}
