//! Verifying what a user's phone signed or encrypted under their session_key.

use std::time::Duration;

use serde_json::{Map, Value};

use super::session::{Caller, Way};
use super::{Rooms, cells};
use crate::clock::{Timestamp, after};
use crate::error::{Code, Error, Result};
use crate::secret::{OpenId, SessionKey};
use crate::store::Identity;
use crate::vault::Sealed;
use crate::wechat::encrypted::{self, Claim, Owner, Verified};
use crate::wechat::{App, WechatSession};

/// Two devices race each other's session_key: the one before the current one counts for a while, too.
#[derive(Clone, Copy)]
pub struct Window {
    /// How long the previous session_key still opens data.
    pub previous_session_key: Duration,
    /// How old encryptedData may be.
    pub watermark_max_age: Duration,
}

/// `POST /v1/me/decrypt`: the data, without openId and unionId.
pub async fn decrypt(rooms: &Rooms, caller: &Caller, claim: &Claim<'_>) -> Result<Map<String, Value>> {
    let app = rooms.wechat.app(Some(&caller.app), None)?;
    let identity = identity(rooms, caller).await?.ok_or(Code::EncryptedDataInvalid)?;
    rooms.decrypts.admit_person(&app.id, &identity.openid)?;
    let verified = verified(rooms, app, &identity, claim, rooms.now())?;
    Ok(if claim.encrypted_data.is_some() { verified.data } else { verified.raw.unwrap_or_default() })
}

/// The caller's identity in their app; none if it has gone to another user since the token was issued.
pub(super) async fn identity(rooms: &Rooms, caller: &Caller) -> Result<Option<Identity>> {
    let named = match caller.way {
        Way::Wechat(Some(identity)) => Some(identity),
        // From before the user had an account. Since then another may have been bound to it: whose token is it?
        Way::Wechat(None) if caller.user.username.is_some() => {
            let apps = rooms.store.identities_of(caller.user.id).await?;
            if apps.iter().filter(|came| came.app == caller.app).count() > 1 {
                return Err(Error::from(Code::TokenInvalid).because("it doesn't say which identity it is of"));
            }
            None
        }
        Way::Wechat(None) | Way::Password => None,
    };
    rooms.store.find_identity(caller.user.id, &caller.app, named).await
}

/// The proof that came with a login, before anything is written: under the login's own session_key, or under the one
/// that another device's login brought just before.
pub(super) async fn at_login(
    rooms: &Rooms,
    app: &App,
    who: &WechatSession,
    claim: &Claim<'_>,
    now: Timestamp,
) -> Result<Verified> {
    rooms.decrypts.admit_person(&app.id, &who.openid)?;
    let mut before = None;
    if let Some(identity) = rooms.store.find_openid(&app.id, &who.openid).await? {
        let stored = session_key(rooms, app, &identity, &identity.session_key)?;
        before = match identity.previous_session_key.as_ref() {
            _ if stored.expose() != who.session_key.expose() => Some(stored),
            Some(previous) if in_window(rooms, &identity, now) => {
                Some(session_key(rooms, app, &identity, previous)?)
            }
            _ => None,
        };
    }
    open(rooms, app, &who.openid, &who.session_key, before.as_ref(), claim, now)
}

fn in_window(rooms: &Rooms, identity: &Identity, now: Timestamp) -> bool {
    after(identity.session_key_at, rooms.window.previous_session_key) > now
}

/// All that `claim` holds, under the current or the previous session_key.
pub(super) fn verified(
    rooms: &Rooms,
    app: &App,
    identity: &Identity,
    claim: &Claim<'_>,
    now: Timestamp,
) -> Result<Verified> {
    let current = session_key(rooms, app, identity, &identity.session_key)?;
    let previous = identity.previous_session_key.as_ref().filter(|_| in_window(rooms, identity, now));
    let previous = match previous {
        Some(sealed) => Some(session_key(rooms, app, identity, sealed)?),
        None => None,
    };
    open(rooms, app, &identity.openid, &current, previous.as_ref(), claim, now)
}

/// One error, whatever was wrong.
fn open(
    rooms: &Rooms,
    app: &App,
    openid: &OpenId,
    current: &SessionKey,
    previous: Option<&SessionKey>,
    claim: &Claim<'_>,
    now: Timestamp,
) -> Result<Verified> {
    let owner = Owner { app: &app.id, openid, keys: [current, previous.unwrap_or(current)] };
    encrypted::open(claim, &owner, now, rooms.window.watermark_max_age)
        .ok_or_else(|| Code::EncryptedDataInvalid.into())
}

/// Opens a session_key of this identity; the previous one was sealed as the current one.
pub(super) fn session_key(
    rooms: &Rooms,
    app: &App,
    identity: &Identity,
    sealed: &Sealed,
) -> Result<SessionKey> {
    let row = [app.id.as_str(), identity.openid.expose()];
    let cell = cells::session_key(&row);
    let plain = rooms.vault.open(&cell, sealed).map_err(|error| {
        Error::from(Code::Internal).because(format!("a session_key can't be opened: {error}"))
    })?;
    let text = std::str::from_utf8(&plain)
        .map_err(|_| Error::from(Code::Internal).because("a session_key is no text"))?;
    Ok(SessionKey::new(text))
}
