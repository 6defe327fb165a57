//! `wxgate account add|passwd|disable|enable|revoke|show|merge|import`
//!
//! Owns how a user is named on the command line. What is done to them is in the flows.

use clap::Subcommand;
use uuid::Uuid;

use super::{Failure, Outcome, clock};
use crate::app::App;
use crate::config::Config;
use crate::error::Error;
use crate::flows::find::{Named, find};
use crate::flows::operator::{self, By};
use crate::flows::username::Username;
use crate::secret::Phone;
use crate::store::User;
use crate::telemetry;

mod import;
mod merge;
mod password;
mod show;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an account with a password and without a WeChat identity; prints its user's id
    Add {
        /// Letters of any script, digits and . _ - @ +
        username: String,
        #[command(flatten)]
        ask: password::Ask,
    },
    /// Give an account another password; tokens of before end
    Passwd {
        /// A user id, a username, or a phone number as +8613800138000
        user: String,
        #[command(flatten)]
        ask: password::Ask,
    },
    /// Keep a user out, whichever way they come, and end their tokens
    Disable {
        /// A user id, a username, or a phone number as +8613800138000
        user: String,
    },
    /// Let a user in again
    Enable {
        /// A user id, a username, or a phone number as +8613800138000
        user: String,
    },
    /// End every token of a user; they may log in again
    Revoke {
        /// A user id, a username, or a phone number as +8613800138000
        user: String,
    },
    /// Show what is known of a user, and what stands against their name
    Show {
        /// A user id, a username, or a phone number as +8613800138000
        user: String,
        /// For a program
        #[arg(long)]
        json: bool,
    },
    /// Make two users one: what INTO hasn't got comes from FROM, FROM's identities move, and FROM is closed. Where both
    /// have a phone, INTO's stays and FROM's is erased. There is no way back
    Merge {
        /// Who stays: a user id, a username, or a phone number as +8613800138000
        into: String,
        /// Who goes: likewise
        from: String,
    },
    /// Make accounts of a file of usernames and password hashes; broken off, the same command goes on
    Import(import::Options),
}

pub(super) async fn run(command: &Command, config: Config) -> Outcome {
    telemetry::init(&config.log).map_err(Failure::Other)?;
    let app = App::build(config, clock()).await?;
    let outcome = match command {
        Command::Add { username, ask } => password::add(&app, username, ask).await,
        Command::Passwd { user, ask } => password::change(&app, user, ask).await,
        Command::Disable { user } => disable(&app, user).await,
        Command::Enable { user } => enable(&app, user).await,
        Command::Revoke { user } => revoke(&app, user).await,
        Command::Show { user, json } => show::run(&app, user, *json).await,
        Command::Merge { into, from } => merge::run(&app, into, from).await,
        Command::Import(options) => import::run(&app, options).await,
    };
    app.rooms.store.close().await;
    outcome
}

async fn disable(app: &App, named: &str) -> Outcome {
    let id = id(app, named).await?;
    operator::disable(&app.rooms, id, By::Command).await.map_err(refused)?;
    println!("{id} is disabled; tokens of before have ended");
    Ok(())
}

async fn enable(app: &App, named: &str) -> Outcome {
    let id = id(app, named).await?;
    operator::enable(&app.rooms, id, By::Command).await.map_err(refused)?;
    println!("{id} is enabled, and nothing stands against the name as a whole");
    Ok(())
}

async fn revoke(app: &App, named: &str) -> Outcome {
    let id = id(app, named).await?;
    operator::revoke(&app.rooms, id, By::Command).await.map_err(refused)?;
    println!("every token of {id} has ended; a login gives a new one");
    Ok(())
}

/// By id, by phone through the blind index, or by username.
async fn user(app: &App, named: &str) -> Result<User, Failure> {
    let id = id(app, named).await?;
    let found = app.rooms.store.find_user(id, "").await.map_err(refused)?;
    found.ok_or_else(|| Failure::Other(format!("there is no user {id}")))
}

/// The id that is meant. What looks like a phone number is one, and never a name: somebody could take a number they
/// haven't got for their name, and be who an operator then means.
async fn id(app: &App, named: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    if named.strip_prefix('+').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) {
        let found = find(&app.rooms, &Named::Phone(Phone::new(named))).await.map_err(refused)?;
        return found.ok_or_else(|| Failure::Other("no user has this phone number".into()));
    }
    let name = Username::of(named).ok_or_else(|| {
        Failure::Other("this is neither a user id nor a username nor a phone number as +8613800138000".into())
    })?;
    let found = find(&app.rooms, &Named::Username(name)).await.map_err(refused)?;
    found.ok_or_else(|| Failure::Other("no user has this username".into()))
}

/// What an error means to who typed the command: what is wrong and what to do, or, if it is about the machine, its cause.
fn refused(error: Error) -> Failure {
    Failure::Other(match error.cause {
        Some(_) => error.to_string(),
        None if error.detail.is_some() => error.advice().en.into_owned(),
        None => format!("{}. {}", error.code.title().en, error.advice().en),
    })
}
