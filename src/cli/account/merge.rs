//! `wxgate account merge`

use super::{App, Failure, Outcome, id, refused};
use crate::flows::account;
use crate::store::Merged;

pub(super) async fn run(app: &App, into: &str, from: &str) -> Outcome {
    let (into, from) = (id(app, into).await?, id(app, from).await?);
    if into == from {
        return Err(Failure::Other(format!("INTO and FROM are the same user, {into}")));
    }
    let why = match account::merge(&app.rooms, into, from).await.map_err(refused)? {
        Merged::Done => {
            println!("{from} is now part of {into}; who was logged in as {from} logs in again");
            return Ok(());
        }
        Merged::Changed | Merged::Unproven => "the user changed meanwhile: try again".to_owned(),
        Merged::Missing(id) => format!("there is no active user {id}"),
        Merged::BothBound => "both users have an account with a password: unbind one first".to_owned(),
        Merged::TwoPhones => "both have a phone number".to_owned(),
        Merged::SameApp => "both users have an identity in the same app: they may be two people".to_owned(),
    };
    Err(Failure::Other(format!("nothing was changed: {why}")))
}
