//! Keys change while `wxgate serve` runs: on SIGHUP, and when a file that the configuration was read from changes.
//!
//! Files are read and compared rather than watched: secret mounts swap links and bind over, which inotify doesn't see. A
//! configuration that won't do changes nothing and is tried again every minute, so that a file caught half written heals by
//! itself, and so does a key that came too early for what is published.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::files::{warn_of_end, warn_of_loose};
use super::{Failure, inspect};
use crate::app::{App, Reloaded};
use crate::config::{Config, Problem, bounded};
use crate::telemetry;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// What was refused is tried again at every twelfth look: opening keys that are encrypted costs something.
const AGAIN: u32 = 12;

/// So long they may take to be read before somebody is told: a network's mount that is gone holds up whoever reads.
const PATIENCE: Duration = Duration::from_secs(30);

/// The files of a configuration, and what was in them when they were last read.
pub(super) struct Watched {
    file: Option<PathBuf>,
    keys: Vec<PathBuf>,
    content: [u8; 32],
    /// The settings that stood against the last reload, as the log told; none: it was done.
    refused: Vec<String>,
}

impl Watched {
    /// `config` as it was just read from `file`.
    pub(super) fn of(file: Option<PathBuf>, config: &Config) -> Self {
        let mut watched = Self { file, keys: config.files.clone(), content: [0; 32], refused: Vec::new() };
        watched.content = watched.read();
        watched
    }

    /// A fingerprint of every file, one that can't be read included.
    fn read(&self) -> [u8; 32] {
        let mut all = Context::new(&SHA256);
        for path in self.file.iter().chain(&self.keys) {
            match bounded::read(path) {
                Ok(bytes) => {
                    all.update(&(bytes.len() as u64).to_be_bytes());
                    all.update(&bytes);
                }
                Err(error) => all.update(error.kind().to_string().as_bytes()),
            }
        }
        let mut content = [0; 32];
        content.copy_from_slice(all.finish().as_ref());
        content
    }

    /// Whether anything differs since the last look.
    fn changed(&mut self) -> bool {
        let content = self.read();
        std::mem::replace(&mut self.content, content) != content
    }
}

/// SIGHUP from now on asks for a reload, and no longer ends the process.
pub(super) fn hangups() -> Result<Signal, Failure> {
    signal(SignalKind::hangup()).map_err(|error| Failure::Other(format!("SIGHUP can't be heard: {error}")))
}

/// Reloads whenever there is a reason to.
pub(super) async fn watch(app: Arc<App>, mut watched: Watched, mut hangups: Signal) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut looks = 0_u32;
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! { _ = hangups.recv() => true, _ = ticks.tick() => false };
        looks = looks.wrapping_add(1);
        let (app, again) = (app.clone(), looks.is_multiple_of(AGAIN));
        let mut turn = tokio::task::spawn_blocking(move || {
            let news = watched.changed() || asked;
            if news || (again && !watched.refused.is_empty()) {
                reload(&app, &mut watched, news);
            }
            watched
        });
        let outcome = match tokio::time::timeout(PATIENCE, &mut turn).await {
            Ok(outcome) => outcome,
            Err(_) => {
                telemetry::reload_failing(true);
                tracing::error!(
                    "reading the configuration and its keys takes longer than half a minute: does their disk or mount answer? \
                     The keys of before serve on until it does"
                );
                turn.await
            }
        };
        match outcome {
            Ok(next) => {
                // Also after a look that took long and found nothing new.
                telemetry::reload_failing(!next.refused.is_empty());
                watched = next;
            }
            Err(_) => {
                tracing::error!(
                    "keys no longer reload after the panic above: restart this gateway, and report that line"
                );
                return;
            }
        }
    }
}

/// Takes what the files say. Without `news` it is the try after a refusal, of which the log tells only what is new.
fn reload(app: &App, watched: &mut Watched, news: bool) {
    let (mut config, mut problems) = inspect(watched.file.as_deref());
    // Also of one that won't do: what is missing in it may come.
    if let Some(files) = config.as_ref().map(|config| &config.files).filter(|files| **files != watched.keys) {
        watched.keys.clone_from(files);
        // Looked at before it is read, so that no change falls in between.
        watched.content = watched.read();
        (config, problems) = inspect(watched.file.as_deref());
    }
    let taken = match config {
        Some(config) if problems.is_empty() => app.reload(&config).map(|done| (config, done)),
        _ => Err(problems),
    };
    match taken {
        Ok((config, done)) => {
            watched.refused.clear();
            telemetry::reloaded(true);
            told(app, &config, &done);
        }
        Err(problems) => {
            let settings: Vec<String> = problems.iter().map(|problem| problem.key.clone()).collect();
            if news || settings != watched.refused {
                telemetry::reloaded(false);
                refused(&problems);
            }
            watched.refused = settings;
        }
    }
}

fn told(app: &App, config: &Config, done: &Reloaded) {
    let rooms = &app.rooms;
    let now = rooms.now();
    let published = rooms.tokens.published(now).keys().len();
    tracing::info!(published, signs = rooms.tokens.signer(now), "keys reloaded");
    if !done.waiting.is_empty() {
        let settings = done.waiting.join(", ");
        tracing::warn!(settings, "these settings differ as well: they take effect at the next start");
    }
    warn_of_loose(&config.files);
    warn_of_end(app.tls.as_deref(), now);
}

fn refused(problems: &[Problem]) {
    for Problem { key, text } in problems {
        tracing::error!(setting = key, "not reloaded: {text}");
    }
    tracing::error!(
        "the keys of before serve on until the above is mended; it is tried again every minute, and when the files change"
    );
}
