//! What an operator does to users: accounts made, passwords given, people kept out and let in again, tokens ended.

use std::net::IpAddr;

use uuid::Uuid;

use super::audit::{self, Origin, Who};
use super::username::Username;
use super::{Rooms, attempts, password, session};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::Password;
use crate::store::{Came, Status, User};

/// Who asks for it.
#[derive(Clone, Copy)]
pub enum By<'b> {
    /// A command on the gateway's machine.
    Command,
    /// A service at the internal listener.
    Service {
        /// Its credential's name.
        name: &'b str,
        /// Where it is.
        ip: IpAddr,
    },
}

impl<'b> By<'b> {
    fn origin(self) -> Origin<'b> {
        match self {
            Self::Command => Origin::default(),
            Self::Service { name, ip } => Origin { service: Some(name), ip: Some(ip), ..Origin::default() },
        }
    }
}

/// A user with the WeChat identities by which they came. Who read them is noted: an openid is somebody's.
pub async fn show(rooms: &Rooms, id: Uuid, by: By<'_>) -> Result<(User, Vec<Came>)> {
    let show = async || {
        let user = rooms.store.find_user(id, "").await?.ok_or(Code::UserNotFound)?;
        Ok((user, rooms.store.identities_of(id).await?))
    };
    let shown = show().await;
    audit::write("show", Who::User(id), by.origin(), &shown);
    shown
}

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
    let written = rooms.store.set_password(user.id, None, &hash, end(user, rooms)).await;
    rooms.standings.forget(user.id);
    let changed = written.and_then(|written| if written { Ok(()) } else { Err(Code::NotBound.into()) });
    audit::write("password_change", Who::User(user.id), Origin::default(), &changed);
    changed?;
    attempts::forgive(rooms, &username).await
}

/// Keeps a user out, whichever way they come, and ends their tokens.
pub async fn disable(rooms: &Rooms, id: Uuid, by: By<'_>) -> Result<()> {
    let disable = async || {
        let end = end(&open(rooms, id).await?, rooms);
        written(rooms.store.set_disabled(id, true, end).await?)
    };
    finish(rooms, "disable", id, by, disable().await)
}

/// Lets a user in again; nothing stands against their name any more.
pub async fn enable(rooms: &Rooms, id: Uuid, by: By<'_>) -> Result<()> {
    let enable = async || {
        let user = open(rooms, id).await?;
        written(rooms.store.set_disabled(id, false, rooms.now()).await?)?;
        match user.username.as_deref().and_then(Username::of) {
            Some(username) => attempts::forgive(rooms, &username).await,
            None => Ok(()),
        }
    };
    finish(rooms, "enable", id, by, enable().await)
}

/// Forgets the wrong passwords that stand against the user, so that none has to wait; everything else stays as it is.
pub async fn unlock(rooms: &Rooms, id: Uuid, by: By<'_>) -> Result<()> {
    let unlock = async || {
        let user = open(rooms, id).await?;
        let username = user.username.as_deref().and_then(Username::of).ok_or_else(|| {
            Error::from(Code::NotBound).with_detail(
                "该用户没有用户名和密码，没有可解除的锁定。",
                "This user has no username and no password, so that nothing is locked.",
            )
        })?;
        attempts::forgive_user(rooms, &username, id).await
    };
    finish(rooms, "unlock", id, by, unlock().await)
}

/// Ends every token of the user that was issued until now; they may log in again.
pub async fn revoke(rooms: &Rooms, id: Uuid, by: By<'_>) -> Result<()> {
    let revoke = async || {
        let end = end(&open(rooms, id).await?, rooms);
        rooms.store.end_tokens(id, end).await
    };
    finish(rooms, "revoke", id, by, revoke().await)
}

/// Gives the user this level: tokens issued from now on say it, where the claim is configured.
pub async fn set_level(rooms: &Rooms, id: Uuid, level: i64, by: By<'_>) -> Result<()> {
    let highest = rooms.levels.len().saturating_sub(1);
    let known = i16::try_from(level).ok().filter(|level| usize::try_from(*level).is_ok_and(|l| l <= highest));
    let set = async || {
        let level = known.ok_or_else(|| {
            let (zh, en) =
                (format!("应为 0 到 {highest}"), format!("must be 0 to {highest} (accounts.levels)"));
            Error::invalid("level", &zh, &en)
        })?;
        written(rooms.store.set_level(open(rooms, id).await?.id, level, rooms.now()).await?)
    };
    finish(rooms, "level", id, by, set().await)
}

/// The user, if something can still be done to them.
async fn open(rooms: &Rooms, id: Uuid) -> Result<User> {
    let user = rooms.store.find_user(id, "").await?.ok_or(Code::UserNotFound)?;
    if user.status == Status::Closed { Err(Code::UserClosed.into()) } else { Ok(user) }
}

/// Until when tokens end: right after they were ended before, one may have been issued a millisecond ahead.
fn end(user: &User, rooms: &Rooms) -> Timestamp {
    session::counts_from(user, rooms.now())
}

/// Nothing is written only where the user has closed the account meanwhile.
fn written(written: bool) -> Result<()> {
    if written { Ok(()) } else { Err(Code::UserClosed.into()) }
}

fn finish(rooms: &Rooms, event: &'static str, id: Uuid, by: By<'_>, outcome: Result<()>) -> Result<()> {
    rooms.standings.forget(id);
    audit::write(event, Who::User(id), by.origin(), &outcome);
    outcome
}
