//! The commands: what a person types, and what they read then.
//!
//! Each command is one file. This one parses, finds the configuration, and turns what went wrong into words and an
//! exit code: 0 done, 1 it failed, 2 the command or the configuration was wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to a person")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::app::{App, StartError};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Layers, Problem};
use crate::telemetry;

mod account;
mod config_command;
mod descriptors;
mod dev;
mod files;
mod health;
mod init;
mod keys;
mod manual;
pub mod migrate;
mod progress;
mod reload;
mod secrets;
mod serve;
mod simulate;
mod token;

/// The auth gateway for WeChat mini-programs.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration; without it the working directory's wxgate.toml, if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try it: gateway, SQLite, a simulated WeChat and fresh keys, in the working directory, nothing to configure
    Dev(dev::Options),
    /// Write a production configuration and its keys
    Init(init::Options),
    /// Run the gateway
    Serve,
    /// Ask a gateway that runs here how it is; exit code 1 if it isn't well
    Health(health::Options),
    /// Bring the database's tables up to date, or say how they stand
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Make signing keys, and see when which one signs
    #[command(subcommand)]
    Keys(keys::Command),
    /// Make column keys, and move what is sealed to the first one
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Look into a token
    #[command(subcommand)]
    Token(token::Command),
    /// Look after users
    #[command(subcommand)]
    Account(account::Command),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(config_command::Command),
    /// Run the simulated WeChat alone
    Simulate(simulate::Options),
    /// Print what a shell completes: `source <(wxgate completions bash)`
    Completions(manual::Completions),
    /// Print the manual page, or write it and one for each command into a folder
    Man(manual::Pages),
}

/// Why a command failed.
enum Failure {
    /// Every problem of the configuration.
    Config(Vec<Problem>),
    /// Anything else, in a sentence or two that say what to do.
    Other(String),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(problems) => Self::Config(problems),
            StartError::Database(text) => Self::Other(format!("database.url: {text}")),
        }
    }
}

type Outcome = Result<(), Failure>;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("wxgate: the runtime can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let file = arguments.config.as_deref();
    if file.is_some()
        && matches!(
            arguments.command,
            Command::Dev(_)
                | Command::Init(_)
                | Command::Simulate(_)
                | Command::Completions(_)
                | Command::Man(_)
        )
    {
        eprintln!(
            "wxgate: --config is for serve, health, migrate, keys, secrets, token, account and config; this command reads none"
        );
        return ExitCode::from(2);
    }
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Dev(options) => dev::run(options).await,
            Command::Init(options) => init::run(&options),
            Command::Serve => serve::run(load(file)?, found(file)).await,
            Command::Health(options) => health::run(&options, file).await,
            Command::Migrate(command) => migrate::run(&command, inspect(file)).await,
            Command::Keys(command) => keys::run(&command, file),
            Command::Secrets(command) => secrets::run(&command, file).await,
            Command::Token(command) => token::run(&command, &load(file)?),
            Command::Account(command) => account::run(&command, load(file)?).await,
            Command::Config(command) => config_command::run(&command, file),
            Command::Simulate(options) => simulate::run(options).await,
            Command::Completions(options) => manual::completions(&options),
            Command::Man(options) => manual::man(&options),
        }
    });
    // What waits to be logged comes before what is said last.
    telemetry::flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config(problems)) => {
            eprintln!("wxgate: the configuration has {}:\n", count(problems.len()));
            for problem in &problems {
                eprintln!("  {problem}");
            }
            let read = found(file)
                .map_or("no wxgate.toml was found here".into(), |file| format!("read: {}", file.display()));
            eprintln!(
                "\n({read}; `wxgate init` writes a new configuration with its keys, `wxgate dev` needs none)"
            );
            ExitCode::from(2)
        }
        Err(Failure::Other(text)) => {
            eprintln!("wxgate: {text}");
            ExitCode::FAILURE
        }
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "one problem".into() } else { format!("{problems} problems") }
}

/// The configuration of `--config`, the working directory and the environment, checked to the last key.
fn load(file: Option<&Path>) -> Result<Config, Failure> {
    match inspect(file) {
        (Some(config), problems) if problems.is_empty() => Ok(config),
        (_, problems) => Err(Failure::Config(problems)),
    }
}

/// The same, with what could be read in spite of its problems.
fn inspect(file: Option<&Path>) -> (Option<Config>, Vec<Problem>) {
    let layers = Layers { file: found(file), environment: environment(), ..Layers::default() };
    let (config, mut problems) = config::inspect(&layers);
    if let Some(Err(more)) = config.as_ref().map(|config| App::check(config, &clock())) {
        problems.extend(more);
    }
    (config, problems)
}

/// The named file, or the working directory's.
fn found(named: Option<&Path>) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| Some(PathBuf::from("wxgate.toml")).filter(|file| file.exists()))
}

/// What is no text is made text here and refused by name where a setting was meant.
fn environment() -> std::collections::HashMap<String, String> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Listens, or says which setting to change.
async fn listen(key: &str, address: std::net::SocketAddr) -> Result<tokio::net::TcpListener, Failure> {
    tokio::net::TcpListener::bind(address).await.map_err(|error| {
        Failure::Other(format!(
            "{key}: can't listen on {address}: {error}. Is another wxgate running? \
             Otherwise choose another address for {key}."
        ))
    })
}

/// Ends with Ctrl-C or SIGTERM, and says how long to go on serving then: who presses Ctrl-C sits before it.
async fn asked_to_end(drain: Duration) -> Duration {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    let drain = match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => Duration::ZERO,
                _ = terminated.recv() => {
                    tokio::spawn(async move {
                        terminated.recv().await;
                        end_now();
                    });
                    drain
                }
            }
        }
        Err(_) => {
            let _ = interrupted.await;
            Duration::ZERO
        }
    };
    tracing::info!(
        drain = ?drain,
        "asked to end: /readyz says no for that long, then what is under way is finished (asked again, at once)"
    );
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            end_now();
        }
    });
    drain
}

/// Somebody has asked twice.
fn end_now() -> ! {
    telemetry::flush();
    std::process::exit(130)
}
