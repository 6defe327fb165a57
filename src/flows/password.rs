//! Passwords: logging in by one, proving one on the way to a binding, changing one's own.

use std::net::IpAddr;

use uuid::Uuid;

use super::Rooms;
use super::attempts::{self, Try};
use super::audit::{self, Origin, Who};
use super::session::{self, Caller, Session, Way};
use super::username::Username;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::{Password, PasswordHash};
use crate::store::{Account, Status, User};
use crate::vault::{Place, Verdict};
use crate::wechat::App;

/// A username and its password, as a client sent them.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Normalized.
    pub username: Username,
    /// As typed.
    pub password: Password,
}

/// The longest password, in bytes. Refused before hashing: nobody types more, and hashing must not pay for it.
pub const LONGEST: usize = 256;

/// `POST /v1/login/password`: `app_id` and `app_hint` choose the app that the token is for, as at a login by code.
pub async fn login(
    rooms: &Rooms,
    credentials: &Credentials,
    (app_id, app_hint): (Option<&str>, Option<&str>),
    ip: IpAddr,
) -> Result<Session> {
    let app = rooms.wechat.app(app_id, app_hint);
    let ended = match &app {
        Ok(app) => login_of(rooms, app, credentials, ip).await,
        Err(unknown) => Err(unknown.clone()),
    };
    rooms.login_ended(app.ok().map(|app| app.id.as_str()), "password", &ended);
    ended
}

async fn login_of(rooms: &Rooms, app: &App, credentials: &Credentials, ip: IpAddr) -> Result<Session> {
    let origin = Origin { app: Some(&app.id), ip: Some(ip), ..Origin::default() };
    let proven = prove(rooms, credentials, origin, "password_login").await;
    proven.and_then(|Proven { user, at, .. }| {
        audit::write("password_login", Who::User(user.id), origin, &Ok(()));
        session::open(rooms, app, &user, Way::Password, false, at)
    })
}

/// An account whose password was right.
pub(super) struct Proven {
    /// Whose it is, as the row was.
    pub(super) user: User,
    /// What the password was checked against, renewed or not: whoever finds another there comes after a change.
    pub(super) hash: PasswordHash,
    /// From before the row was read: whatever ends the account's tokens later ends those of this instant too.
    pub(super) at: Timestamp,
}

/// The user whose username and password these are. Unknown name and wrong password are one error for one and the same
/// work: the same look-up, the same counting, the same hashing. A refusal is audited as `event`.
pub(super) async fn prove(
    rooms: &Rooms,
    credentials: &Credentials,
    origin: Origin<'_>,
    event: &'static str,
) -> Result<Proven> {
    let mut whose = None;
    let proven = try_prove(rooms, credentials, origin, &mut whose).await;
    if let Err(error) = &proven {
        let event = if error.code == Code::TooManyAttempts { "lock" } else { event };
        audit::write(event, whose.map_or(Who::Nobody, Who::Account), origin, &proven);
    }
    proven
}

async fn try_prove(
    rooms: &Rooms,
    credentials: &Credentials,
    origin: Origin<'_>,
    whose: &mut Option<Uuid>,
) -> Result<Proven> {
    let ip = origin.ip.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    rooms.typed.admit(attempts::network(ip))?;
    let place = place(rooms)?;
    let now = rooms.now();
    let name = credentials.username.as_str();
    let account = rooms.store.find_account(name, origin.app.unwrap_or_default()).await?;
    *whose = account.as_ref().map(|account| account.user.id);
    let counted = Try::at(rooms, &credentials.username, ip, now).await?;
    let right = check(rooms, place, &credentials.password, account.as_ref()).await?;
    let (Some(Account { user, hash }), Some(renewed)) = (account, right) else {
        return Err(Code::BadCredentials.into());
    };
    counted.acquit(rooms, now).await?;
    let hash = match renewed {
        Some(renewed) => {
            rooms.store.rehash(user.id, &hash, &renewed).await?;
            renewed
        }
        None => hash,
    };
    match user.status {
        Status::Active => Ok(Proven { at: session::counts_from(&user, now), user, hash }),
        Status::Disabled => Err(Code::UserDisabled.into()),
        Status::Closed => Err(Code::BadCredentials.into()),
    }
}

/// `PUT /v1/me/password`: the old one is proven, the new one written, every token of before ends, and the caller has a
/// fresh one.
pub async fn change(
    rooms: &Rooms,
    caller: &Caller,
    old: &Password,
    new: &Password,
    ip: IpAddr,
) -> Result<Session> {
    let origin = Origin { app: Some(&caller.app), ip: Some(ip), ..Origin::default() };
    let changed = try_change(rooms, caller, old, new).await;
    rooms.standings.forget(caller.user.id);
    audit::write("password_change", Who::User(caller.user.id), origin, &changed);
    changed
}

async fn try_change(rooms: &Rooms, caller: &Caller, old: &Password, new: &Password) -> Result<Session> {
    let user = &caller.user;
    let app = rooms.wechat.app(Some(&caller.app), None)?;
    let username = user.username.as_deref().ok_or(Code::NotBound)?;
    acceptable(rooms, "newPassword", new, username)?;
    let place = place(rooms)?;
    let now = rooms.now();
    let counted = Try::at_own(rooms, user.id, now).await?;
    let account = rooms.store.find_account(username, &app.id).await?;
    let account = account.filter(|account| account.user.id == user.id).ok_or(Code::NotBound)?;
    if check(rooms, place, old, Some(&account)).await?.is_none() {
        return Err(Code::BadCredentials.into());
    }
    counted.acquit(rooms, now).await?;
    let hash = hash(rooms, new).await?;
    // The caller's own token ends too, and the new one counts, where a replica's clock was ahead of this one.
    let now = session::counts_from(&account.user, rooms.now().max(caller.issued));
    if !rooms.store.set_password(user.id, Some(&account.hash), &hash, now).await? {
        return Err(Error::from(Code::Busy).because("the password was changed meanwhile"));
    }
    session::open(rooms, app, &account.user, caller.way, false, session::just_after(now))
}

/// What a new password must be; the error names `field`.
pub fn acceptable(rooms: &Rooms, field: &str, password: &Password, username: &str) -> Result<()> {
    let text = password.expose();
    readable(field, text)?;
    let shortest = rooms.shortest_password;
    if text.chars().count() < shortest {
        return Err(Error::invalid(
            field,
            &format!("新密码至少 {shortest} 个字符"),
            &format!("a new password has at least {shortest} characters"),
        ));
    }
    if Username::of(text).is_some_and(|name| name.as_str() == username) {
        return Err(Error::invalid(field, "密码不能与用户名相同", "must not be the username"));
    }
    Ok(())
}

/// What any password must be to be looked at.
pub fn readable(field: &str, text: &str) -> Result<()> {
    if text.len() > LONGEST {
        return Err(Error::invalid(field, "密码最长 256 字节", "a password has at most 256 bytes"));
    }
    Ok(())
}

/// Hashes a new password.
pub async fn hash(rooms: &Rooms, password: &Password) -> Result<PasswordHash> {
    let hashed = rooms.passwords.hash(place(rooms)?, password.clone()).await;
    hashed.map_err(|_| Error::from(Code::Internal).because("a password could not be hashed"))
}

/// None: wrong. Else right, with a new hash if the stored one is of another kind or cost than today's.
async fn check(
    rooms: &Rooms,
    place: Place,
    password: &Password,
    account: Option<&Account>,
) -> Result<Option<Option<PasswordHash>>> {
    let stored = account.map(|account| account.hash.clone());
    let verdict = rooms.passwords.verify(place, password.clone(), stored).await;
    let verdict =
        verdict.map_err(|_| Error::from(Code::Internal).because("a password could not be checked"))?;
    Ok(match verdict {
        Verdict::Wrong => None,
        Verdict::Unusable(why) => {
            let user = account.map(|account| tracing::field::display(account.user.id));
            tracing::error!(user, "the stored hash {why}: run `wxgate account passwd`");
            None
        }
        Verdict::Right => Some(None),
        Verdict::Outdated(hash) => Some(Some(hash)),
    })
}

/// A place where passwords are hashed: more than wait already are told to come again, before anything is asked.
fn place(rooms: &Rooms) -> Result<Place> {
    rooms
        .passwords
        .admit()
        .ok_or_else(|| Error::from(Code::Busy).because("passwords: accounts.hash_queue is full"))
}
