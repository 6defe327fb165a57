//! `wxgate keys new|plan|check`

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;

use super::files::{loose, private_directory, private_file, signing_key};
use super::{Failure, Outcome, clock, found, load};
use crate::clock::{Timestamp, after, before, whole_seconds};
use crate::config::{self, Config};
use crate::tokens::{Planned, SLACK, Stage, Tokens};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a signing key (ES256) beside the configuration and print the lines to paste; nothing else changes
    New {
        /// Where to write it [default: keys/YEAR-MONTH.pem beside the configuration]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// For a stolen key: the new one signs at once, before siblings' caches can have seen it
        #[arg(long)]
        emergency: bool,
    },
    /// Draw when which key is published, signs, is superseded, and may be deleted
    Plan,
    /// Read every key, have it sign and verify, and look at the files' modes
    Check,
}

/// Columns of the drawing.
const WIDTH: i64 = 56;

pub(super) fn run(command: &Command, file: Option<&Path>) -> Outcome {
    match command {
        Command::New { out, emergency } => new(out.as_deref(), *emergency, file),
        Command::Plan => plan(&load(file)?),
        Command::Check => check(&load(file)?),
    }
}

fn new(out: Option<&Path>, emergency: bool, file: Option<&Path>) -> Outcome {
    let now = clock().now();
    let beside = found(file).and_then(|file| file.parent().map(Path::to_owned)).unwrap_or_default();
    let path = match out {
        Some(path) => path.to_owned(),
        None => free(&beside.join("keys"), &now.strftime("%Y-%m").to_string())?,
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_directory(folder)?;
    }
    private_file(&path, &signing_key()?)?;
    // A key may well be made before its configuration does: then the default counts.
    let cache = load(file).map_or(Duration::from_secs(3600), |config| config.tokens.verifier_cache);
    // A quarter of an hour to paste the lines, up to the full hour.
    let lead = cache.saturating_add(SLACK).saturating_add(Duration::from_secs(900));
    let earliest = after(now, lead).as_second();
    let from =
        Timestamp::from_second(earliest + (3600 - earliest.rem_euclid(3600))).unwrap_or(Timestamp::MAX);
    let listed = path.strip_prefix(&beside).unwrap_or(&path);
    println!(
        "{} is written, readable by you alone. Add this to every replica's wxgate.toml:\n",
        path.display()
    );
    let file = listed.display().to_string();
    if emergency {
        println!("[[tokens.keys]]\nfile = {file:?}\nsign_from = {}\nemergency = true\n", whole_seconds(now));
        println!(
            "and this to the lines of the key that was stolen, all of whose tokens end by it:\n\nrevoked = true\n"
        );
    } else {
        println!("[[tokens.keys]]\nfile = {file:?}\nsign_from = {from}\n");
    }
    println!("A running gateway takes it within seconds. Then: wxgate keys plan");
    Ok(())
}

/// The first name of this month that is free: a key is never written over.
fn free(folder: &Path, month: &str) -> Result<PathBuf, Failure> {
    let names = std::iter::once(format!("{month}.pem")).chain((2..100).map(|n| format!("{month}-{n}.pem")));
    let free = names.map(|name| folder.join(name)).find(|path| !path.exists());
    free.ok_or_else(|| {
        Failure::Other(format!("{} is full of this month's keys: use --out", folder.display()))
    })
}

fn tokens(config: &Config, now: Timestamp) -> Result<Tokens, Failure> {
    Tokens::from_config(&config.tokens, now).map_err(Failure::Config)
}

fn check(config: &Config) -> Outcome {
    let now = clock().now();
    let tokens = tokens(config, now)?;
    for key in tokens.plan() {
        println!("ok  {}  {}  kid {}", key.file.display(), key.alg, key.kid);
    }
    for path in loose(&config.files) {
        println!("warning: {} can be read or changed by others: chmod 600", path.display());
    }
    for key in soon(&tokens.plan(), &config.tokens, now) {
        println!(
            "note: {} begins to sign sooner than tokens.verifier_cache and five minutes from now, which is right if it is \
             published already",
            key.file.display()
        );
    }
    println!("{} signs now", tokens.signer(now).unwrap_or_default());
    Ok(())
}

/// Keys whose turn comes so soon, or came so lately, that siblings may not have them yet, unless they were published before:
/// what a running gateway publishes can't be seen from here.
pub(super) fn soon<'p>(plan: &'p [Planned], config: &config::Tokens, now: Timestamp) -> Vec<&'p Planned> {
    let lead = config.verifier_cache.saturating_add(SLACK);
    let urgent = |key: &Planned| config.keys.iter().any(|each| each.emergency && each.file == key.file);
    let soon = |key: &&'p Planned| {
        let over = key.superseded.is_some_and(|superseded| superseded <= now);
        key.signs.is_some_and(|signs| signs > before(now, lead) && signs < after(now, lead))
            && !over
            && !urgent(key)
    };
    plan.iter().filter(soon).collect()
}

fn plan(config: &Config) -> Outcome {
    let now = clock().now();
    let keys = tokens(config, now)?.plan();
    println!("now {}\n", whole_seconds(now));
    for key in &keys {
        println!("{}  {}  kid {}", key.file.display(), key.alg, key.kid);
        println!("  {}", state(key, now));
    }
    for key in config.tokens.keys.iter().filter(|key| key.revoked) {
        println!("{}\n  revoked: out at once; the file may be deleted", key.file.display());
    }
    let events = keys.iter().flat_map(|key| [key.signs, key.superseded, key.gone]).flatten();
    if let Some(last) = events.filter(|event| *event > now).max() {
        draw(&keys, now, last);
    }
    Ok(())
}

fn state(key: &Planned, now: Timestamp) -> String {
    let begins = key.signs.map_or("the beginning".into(), |signs| signs.to_string());
    match (key.stage(now), key.superseded, key.gone) {
        (Stage::Ended, _, Some(gone)) => format!("gone since {gone}: its lines and its file may be deleted"),
        (Stage::Retiring, Some(superseded), Some(gone)) => {
            format!("superseded since {superseded}; published until {gone}, then safe to delete")
        }
        (stage, superseded, gone) => {
            let mut text = if stage == Stage::Published {
                format!("published; signs from {begins}")
            } else {
                format!("signs since {begins}")
            };
            if let (Some(superseded), Some(gone)) = (superseded, gone) {
                text.push_str(&format!("; superseded at {superseded}; safe to delete from {gone}"));
            }
            text
        }
    }
}

/// One bar a key, from now to a little past the last event.
fn draw(keys: &[Planned], now: Timestamp, last: Timestamp) {
    let span = (last.as_second() - now.as_second()).max(1);
    let at = |column: i64| now.as_second() + span * column / (WIDTH - 4);
    println!("\n  ░ published   █ signs   ▒ superseded\n");
    for key in keys {
        let before = |instant: Option<Timestamp>, second: i64| {
            instant.is_some_and(|instant| instant.as_second() <= second)
        };
        let bar: String = (0..WIDTH)
            .map(|column| match at(column) {
                second if before(key.gone, second) => ' ',
                second if before(key.superseded, second) => '▒',
                second if key.signs.is_none() || before(key.signs, second) => '█',
                _ => '░',
            })
            .collect();
        let name = key.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        println!("  |{bar}| {name}");
    }
    let end = Timestamp::from_second(at(WIDTH)).unwrap_or(last);
    let begin = whole_seconds(now);
    let width = usize::try_from(WIDTH + 2).unwrap_or(0) - begin.to_string().len();
    println!("  {begin}{:>width$}", end.to_string());
}
