//! Accounts: binding a WeChat user to one, unbinding, making one, closing, and merging two users that are one person.

use std::net::IpAddr;

use uuid::Uuid;

use super::audit::{self, Origin, Who};
use super::login::{self, ByCode, Entered};
use super::password::{self, Credentials, Proven};
use super::session::{self, Caller, Session, Way};
use super::{Rooms, attempts, decrypt, phone};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::store::{Given, Merge, MergeBy, Merged, Unbind, User};

/// `PUT /v1/me/account`: the caller's WeChat identity moves to the account's user, who is answered with a fresh token.
pub async fn bind(rooms: &Rooms, caller: &Caller, credentials: &Credentials, ip: IpAddr) -> Result<Session> {
    let origin = Origin { app: Some(&caller.app), ip: Some(ip), ..Origin::default() };
    let app = rooms.wechat.app(Some(&caller.app), None)?;
    let account = password::prove(rooms, credentials, origin, "bind").await?;
    // From here on the identity may be one of several, and the token says which.
    let way = match caller.way {
        Way::Wechat(_) => Way::Wechat(decrypt::identity(rooms, caller).await?.map(|identity| identity.id)),
        Way::Password => Way::Password,
    };
    let bound = join(rooms, &caller.user, &account, origin).await?;
    session::open(rooms, app, &bound, way, false, account.at)
}

/// `user`, who has come by WeChat, becomes part of `account`, whose password was right. Bound to it already: nothing to do.
pub(super) async fn join(rooms: &Rooms, user: &User, account: &Proven, origin: Origin<'_>) -> Result<User> {
    let joined = try_join(rooms, user, account, origin.app.unwrap_or_default()).await;
    rooms.standings.forget(user.id);
    audit::write("bind", Who::Into(user.id, account.user.id), origin, &joined);
    joined
}

async fn try_join(
    rooms: &Rooms,
    user: &User,
    Proven { user: account, hash, .. }: &Proven,
    app: &str,
) -> Result<User> {
    if user.id == account.id {
        return Ok(user.clone());
    }
    let by = MergeBy::Binding { identities_per_app: rooms.identities_per_app, proven: hash.clone() };
    match become_one(rooms, account.id, user.id, by).await? {
        Merged::Done => {
            let joined = rooms.store.find_user(account.id, app).await?;
            joined.ok_or_else(|| Error::from(Code::Busy).because("the account was closed meanwhile"))
        }
        Merged::BothBound => Err(Code::AlreadyBound.into()),
        Merged::SameApp => Err(Code::AccountTaken.into()),
        Merged::TwoPhones => Err(Code::BindConflict.into()),
        // The WeChat user went meanwhile: to another account, say.
        Merged::Missing(id) if id == user.id => Err(Code::AlreadyBound.into()),
        Merged::Missing(_) | Merged::Changed | Merged::Unproven => {
            Err(Error::from(Code::Busy).because("the account was changed or closed meanwhile"))
        }
    }
}

/// `DELETE /v1/me/account`: the WeChat identity leaves the account and is a user of its own again. Everything else is the
/// account's and stays there; its tokens of before end, so that nobody who left holds one.
///
/// Who came by WeChat leaves, and is answered as the user they are then. Who came by password turns out every identity of
/// the app (a phone that was lost, a stranger who once knew the password), and is answered as the account still: a
/// password opens no WeChat user.
pub async fn unbind(rooms: &Rooms, caller: &Caller, ip: IpAddr) -> Result<Session> {
    let origin = Origin { app: Some(&caller.app), ip: Some(ip), ..Origin::default() };
    let app = rooms.wechat.app(Some(&caller.app), None)?;
    let unbound = try_unbind(rooms, caller).await;
    rooms.standings.forget(caller.user.id);
    audit::write("unbind", Who::User(caller.user.id), origin, &unbound);
    let (user, way, at) = unbound?;
    session::open(rooms, app, &user, way, matches!(way, Way::Wechat(_)), at)
}

async fn try_unbind(rooms: &Rooms, caller: &Caller) -> Result<(User, Way, Timestamp)> {
    if caller.user.username.is_none() {
        return Err(Code::NotBound.into());
    }
    let mut ended = None;
    while let Some(identity) = decrypt::identity(rooms, caller).await? {
        // As with logging out, the caller's own token may be issued a millisecond ahead.
        let now = rooms.now().max(caller.issued);
        let unbind = Unbind { user: caller.user.id, identity: identity.id, new_user: rooms.new_id(now), now };
        let user = rooms.store.unbind(&unbind).await?.ok_or(Code::NotBound)?;
        if matches!(caller.way, Way::Wechat(_)) {
            return Ok((user, Way::Wechat(Some(identity.id)), now));
        }
        ended = Some(now);
    }
    let ended = ended.ok_or(Code::NotBound)?;
    let account = rooms.store.find_user(caller.user.id, &caller.app).await?.ok_or(Code::NotBound)?;
    Ok((account, Way::Password, session::just_after(ended)))
}

/// `POST /v1/accounts`: a new account, on the WeChat user of `by_code` if a code came along, else on a user of its own.
pub async fn register(rooms: &Rooms, credentials: &Credentials, by_code: &ByCode) -> Result<Session> {
    let registered = try_register(rooms, credentials, by_code).await;
    let user = registered.as_ref().ok().map(|session| session.user_info.user_id);
    let app = rooms.wechat.app(by_code.app_id.as_deref(), by_code.app_hint.as_deref()).ok();
    let origin = Origin { app: app.map(|app| app.id.as_str()), ip: Some(by_code.ip), ..Origin::default() };
    audit::write("register", user.map_or(Who::Nobody, Who::User), origin, &registered);
    registered
}

async fn try_register(rooms: &Rooms, credentials: &Credentials, by_code: &ByCode) -> Result<Session> {
    if !rooms.registration {
        return Err(Code::RegistrationClosed.into());
    }
    rooms.registrations.admit(attempts::network(by_code.ip))?;
    let username = credentials.username.as_str();
    password::acceptable(rooms, "password", &credentials.password, username)?;
    let app = rooms.wechat.app(by_code.app_id.as_deref(), by_code.app_hint.as_deref())?;
    let hash = password::hash(rooms, &credentials.password).await?;
    if by_code.code.is_none() {
        let now = rooms.now();
        let user = rooms.store.create_account(rooms.new_id(now), username, &hash, now).await?;
        return session::open(rooms, app, &user, Way::Password, true, now);
    }
    let Entered { user, identity, is_new, at } = login::enter(rooms, app, by_code).await?;
    match rooms.store.give_account(user.id, username, &hash, rooms.now()).await? {
        Given::Done => {
            let user = User { username: Some(username.to_owned()), ..user };
            session::open(rooms, app, &user, Way::Wechat(Some(identity)), is_new, at)
        }
        Given::Refused => Err(Code::AlreadyBound.into()),
    }
}

/// Erases the person, frees their identities, and ends their tokens. The next login is a new user.
pub async fn close(rooms: &Rooms, caller: &Caller, ip: IpAddr) -> Result<()> {
    let closed = rooms.store.close_user(caller.user.id, rooms.now().max(caller.issued)).await;
    rooms.standings.forget(caller.user.id);
    let origin = Origin { app: Some(&caller.app), ip: Some(ip), ..Origin::default() };
    audit::write("close", Who::User(caller.user.id), origin, &closed);
    closed
}

/// Moves everything of `from` to `into` and closes `from`. What `into` has already stays as it is.
pub async fn merge(rooms: &Rooms, into: Uuid, from: Uuid) -> Result<Merged> {
    let merged = become_one(rooms, into, from, MergeBy::Operator).await?;
    if merged == Merged::Done {
        rooms.standings.forget(from);
        audit::write("merge", Who::Into(from, into), Origin::default(), &Ok(()));
    }
    Ok(merged)
}

async fn become_one(rooms: &Rooms, into: Uuid, from: Uuid, by: MergeBy) -> Result<Merged> {
    loop {
        // The phone is sealed for its user's row: it moves by being opened here and sealed there.
        let phone_was = rooms.store.find_user(from, "").await?.and_then(|user| user.phone);
        let phone = match &phone_was {
            Some(sealed) => Some(phone::seal(rooms, into, &phone::open(rooms, from, sealed)?)?),
            None => None,
        };
        let merge = Merge { into, from, by: by.clone(), phone_was, phone, now: rooms.now() };
        match rooms.store.merge_users(&merge).await? {
            Merged::Changed => {}
            merged => return Ok(merged),
        }
    }
}
