//! `wxgate account merge`

use std::sync::Arc;

use clap::Subcommand;
use uuid::Uuid;

use super::{Failure, Outcome, clock};
use crate::app::App;
use crate::config::Config;
use crate::flows::{account, phone};
use crate::secret::Phone;
use crate::store::Merged;
use crate::telemetry;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make two users one: what INTO hasn't got comes from FROM, FROM's identities move, and FROM is closed. Where both
    /// have a phone, INTO's stays and FROM's is erased. There is no way back
    Merge {
        /// Who stays: a user id, or a phone number as +8613800138000
        into: String,
        /// Who goes: likewise
        from: String,
    },
}

pub(super) async fn run(command: &Command, config: Config) -> Outcome {
    telemetry::init(&config.log);
    let app = Arc::new(App::build(config, clock()).await?);
    let outcome = match command {
        Command::Merge { into, from } => merge(&app, into, from).await,
    };
    app.rooms.store.close().await;
    outcome
}

async fn merge(app: &App, into: &str, from: &str) -> Outcome {
    let (into, from) = (user(app, into).await?, user(app, from).await?);
    if into == from {
        return Err(Failure::Other(format!("INTO and FROM are the same user, {into}")));
    }
    let merged = account::merge(&app.rooms, into, from).await;
    let refused = match merged.map_err(|error| Failure::Other(error.to_string()))? {
        Merged::Done => {
            println!("{from} is now part of {into}; who was logged in as {from} logs in again");
            return Ok(());
        }
        Merged::Changed => "the user changed meanwhile: try again".to_owned(),
        Merged::Missing(id) => format!("there is no active user {id}"),
        Merged::BothBound => "both users have an account with a password: unbind one first".to_owned(),
        Merged::TwoPhones => "both have a phone number".to_owned(),
        Merged::SameApp => "both users have an identity in the same app: they may be two people".to_owned(),
    };
    Err(Failure::Other(format!("nothing was changed: {refused}")))
}

/// By id, or by phone through the blind index.
async fn user(app: &App, named: &str) -> Result<Uuid, Failure> {
    if named.starts_with('+') {
        let found = phone::find(&app.rooms, &Phone::new(named)).await;
        let found = found.map_err(|error| Failure::Other(error.to_string()))?;
        return found.ok_or_else(|| Failure::Other("no user has this phone number".into()));
    }
    named.parse().map_err(|_| Failure::Other(format!("{named:?} is neither a user id nor a phone number")))
}
