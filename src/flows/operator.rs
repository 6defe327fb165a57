//! What an operator does to users: accounts made, passwords given, people kept out and let in again.

use uuid::Uuid;

use super::audit::{self, Origin, Who};
use super::username::Username;
use super::{Rooms, attempts, password};
use crate::error::{Code, Result};
use crate::secret::Password;
use crate::store::User;

/// Makes an account without a WeChat identity; a login binds one to it.
pub async fn add(rooms: &Rooms, username: &Username, password: &Password) -> Result<User> {
    password::acceptable(rooms, "password", password, username.as_str())?;
    let hash = password::hash(rooms, password).await?;
    let now = rooms.now();
    let added = rooms.store.create_account(rooms.new_id(now), username.as_str(), &hash, now).await;
    audit::write(
        "account_add",
        added.as_ref().map_or(Who::Nobody, |user| Who::User(user.id)),
        Origin::default(),
        &added,
    );
    added
}

/// Gives an account another password; its tokens of before end, and nothing stands against its name any more.
pub async fn set_password(rooms: &Rooms, user: &User, password: &Password) -> Result<()> {
    let username = user.username.as_deref().and_then(Username::of).ok_or(Code::NotBound)?;
    password::acceptable(rooms, "password", password, username.as_str())?;
    let hash = password::hash(rooms, password).await?;
    let written = rooms.store.set_password(user.id, None, &hash, rooms.now()).await;
    let changed = written.and_then(|written| if written { Ok(()) } else { Err(Code::NotBound.into()) });
    audit::write("password_change", Who::User(user.id), Origin::default(), &changed);
    changed?;
    attempts::forgive(rooms, &username).await
}

/// Keeps a user out, whichever way they come, and ends their tokens. False: they have closed their account.
pub async fn disable(rooms: &Rooms, user: Uuid) -> Result<bool> {
    let done = rooms.store.set_disabled(user, true, rooms.now()).await;
    audit::write("disable", Who::User(user), Origin::default(), &done);
    done
}

/// Lets a user in again; nothing stands against their name any more. False: they have closed their account.
pub async fn enable(rooms: &Rooms, user: &User) -> Result<bool> {
    let done = rooms.store.set_disabled(user.id, false, rooms.now()).await;
    audit::write("enable", Who::User(user.id), Origin::default(), &done);
    if let Some(username) = user.username.as_deref().and_then(Username::of) {
        attempts::forgive(rooms, &username).await?;
    }
    done
}
