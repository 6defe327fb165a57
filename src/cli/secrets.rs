//! `wxgate secrets new|status|reseal`: the column keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::files::{private_directory, private_file, random_key};
use super::progress::Progress;
use super::{Failure, Outcome, clock, found, load};
use crate::app::App;
use crate::error::Error;
use crate::flows::reseal::{self, Held, Unreadable};
use crate::telemetry;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a column key beside the configuration and print the lines to paste; nothing else changes
    New {
        /// Where to write it [default: keys/column-ID.key beside the configuration]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Count what is sealed with which key, and say which key may go
    Status {
        /// For a program
        #[arg(long)]
        json: bool,
    },
    /// Seal everything with the first key, while logins go on; broken off, the same command goes on
    Reseal {
        /// For a program
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: &Command, file: Option<&Path>) -> Outcome {
    let json = match command {
        Command::New { out } => return new(out.as_deref(), file),
        Command::Status { json } | Command::Reseal { json } => *json,
    };
    let config = load(file)?;
    telemetry::init(&config.log).map_err(Failure::Other)?;
    let app = App::build(config, clock()).await?;
    let outcome = match command {
        Command::Reseal { .. } => reseal(&app, json).await,
        _ => status(&app, json).await,
    };
    app.rooms.store.close().await;
    outcome
}

fn new(out: Option<&Path>, file: Option<&Path>) -> Outcome {
    let beside = found(file).and_then(|file| file.parent().map(Path::to_owned)).unwrap_or_default();
    // A key may well be made before its configuration does.
    let used: Vec<String> = match load(file) {
        Ok(config) => config.secrets.column_keys.into_iter().map(|key| key.id).collect(),
        Err(_) => Vec::new(),
    };
    let at = |id: &str| beside.join("keys").join(format!("column-{id}.key"));
    let free =
        (1..).map(|n| format!("k{n}")).find(|id| !used.contains(id) && (out.is_some() || !at(id).exists()));
    let id = free.unwrap_or_default();
    let path = out.map_or_else(|| at(&id), Path::to_owned);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_directory(folder)?;
    }
    private_file(&path, &random_key())?;
    let listed = path.strip_prefix(&beside).unwrap_or(&path).display().to_string();
    println!(
        "{} is written, readable by you alone. Keep a copy where your backups can't be read with it.\n",
        path.display()
    );
    println!("1. List it last, in every replica's wxgate.toml; each takes it within seconds:\n");
    println!("[[secrets.column_keys]]\nid = {id:?}\nfile = {listed:?}\n");
    println!(
        "2. When every replica has it, move it to the first place: what is written from then on is sealed with it."
    );
    println!("3. When every replica has that: wxgate secrets reseal");
    println!("4. When wxgate secrets status says so, the old key's lines may go.");
    Ok(())
}

/// One key, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    /// Whether it seals now.
    seals: bool,
    /// Whether the configuration lists it.
    listed: bool,
    /// Whether its lines may go.
    may_go: bool,
    #[serde(flatten)]
    held: Held,
}

async fn status(app: &App, json: bool) -> Outcome {
    let rooms = &app.rooms;
    let mut progress = Progress::start(rooms.store.count_rows().await.map_err(failed)?, "rows");
    let tally = reseal::tally(rooms, |rows| progress.more(rows)).await.map_err(failed)?;
    progress.end();
    let keys = keys(&rooms.vault.key_ids(), tally.keys);
    if json {
        println!("{}", serde_json::json!({ "keys": keys, "malformed": tally.malformed }));
    } else {
        println!("{:<34}{:>14}{:>14}{:>14}", "column key", "session keys", "ones before", "phones");
        for key in &keys {
            let Held { session_keys, previous_session_keys, phones } = key.held;
            let name = if key.seals { format!("{} (seals)", key.id) } else { key.id.clone() };
            println!("{name:<34}{session_keys:>14}{previous_session_keys:>14}{phones:>14}");
        }
        println!();
    }
    advise(&keys, tally.malformed, json)
}

/// Listed keys in their order, then those that are listed nowhere.
fn keys(listed: &[String], mut held: BTreeMap<String, Held>) -> Vec<Key> {
    let listed: Vec<Key> = listed
        .iter()
        .enumerate()
        .map(|(at, id)| {
            let held = held.remove(id).unwrap_or_default();
            Key { id: id.clone(), seals: at == 0, listed: true, may_go: at > 0 && held.sum() == 0, held }
        })
        .collect();
    let lost =
        held.into_iter().map(|(id, held)| Key { id, seals: false, listed: false, may_go: false, held });
    listed.into_iter().chain(lost).collect()
}

/// What to do about each key; what can't be opened at all is a failure, for scripts.
fn advise(keys: &[Key], malformed: u64, json: bool) -> Outcome {
    let say = |text: String| {
        if !json {
            println!("{text}");
        }
    };
    for key in keys.iter().filter(|key| key.listed && !key.seals) {
        if key.may_go {
            say(format!(
                "{}: nothing is sealed with it. Once every replica seals with the first key, its lines may go; keep the \
                 key itself as long as a backup that needs it",
                key.id
            ));
        } else {
            say(format!(
                "{}: still opens {} values. `wxgate secrets reseal` moves them to the first key",
                key.id,
                key.held.sum()
            ));
        }
    }
    let lost: Vec<String> = keys
        .iter()
        .filter(|key| !key.listed)
        .map(|key| format!("{} ({} values)", key.id, key.held.sum()))
        .collect();
    match (lost.as_slice(), malformed) {
        ([], 0) => Ok(()),
        ([], malformed) => Err(Failure::Other(format!(
            "{malformed} values are no envelopes: somebody wrote to these columns"
        ))),
        (lost, _) => Err(Failure::Other(format!(
            "sealed with keys that secrets.column_keys doesn't list: {}. List them again; without them these people log in anew, and their phone numbers are lost",
            lost.join(", ")
        ))),
    }
}

async fn reseal(app: &App, json: bool) -> Outcome {
    let rooms = &app.rooms;
    let first = rooms.vault.key_ids().into_iter().next().unwrap_or_default();
    let mut progress = Progress::start(rooms.store.count_rows().await.map_err(failed)?, "rows");
    let outcome = reseal::reseal(rooms, |rows| progress.more(rows)).await;
    progress.end();
    let outcome = outcome.map_err(failed)?;
    let (resealed, left, unreadable) = (outcome.resealed, outcome.left, outcome.unreadable);
    if json {
        let said =
            serde_json::json!({ "key": first, "resealed": resealed, "left": left, "unreadable": unreadable });
        println!("{said}");
    } else {
        println!("{resealed} values were sealed with {first}");
    }
    for Unreadable { column, row, why } in &outcome.examples {
        eprintln!("{column} of {row}: {why}");
    }
    if left > 0 {
        return Err(Failure::Other(format!(
            "something goes on sealing with another key than {first}: let every replica have this configuration, then give \
             the command again"
        )));
    }
    if unreadable > 0 {
        return Err(Failure::Other(format!(
            "{unreadable} values don't open and were left as they are (the first of them above). Everything else is sealed \
             with {first}"
        )));
    }
    Ok(())
}

/// A failure in the middle: what is done stays done.
fn failed(error: Error) -> Failure {
    Failure::Other(format!("{error}. What is done stays done: give the command again"))
}
