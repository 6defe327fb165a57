//! Verifying what a user's phone signed or encrypted under their session_key.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Rooms;
use crate::clock::{Timestamp, after};
use crate::error::{Code, Error, Result};
use crate::secret::SessionKey;
use crate::store::{Identity, User};
use crate::vault::{Cell, Sealed};
use crate::wechat::App;
use crate::wechat::encrypted::{self, Claim, Owner, Verified};

/// Two devices race each other's session_key: the one before the current one counts for a while, too.
#[derive(Clone, Copy)]
pub struct Window {
    /// How long the previous session_key still opens data.
    pub previous_session_key: Duration,
    /// How old encryptedData may be.
    pub watermark_max_age: Duration,
}

/// `POST /v1/me/decrypt`: the data, without openId and unionId.
pub async fn decrypt(rooms: &Rooms, user: &User, app: &str, claim: &Claim<'_>) -> Result<Map<String, Value>> {
    rooms.decrypts.admit(user.id)?;
    let app = rooms.wechat.app(Some(app), None)?;
    let identity = identity(rooms, user, app).await?.ok_or(Code::EncryptedDataInvalid)?;
    let verified = verified(rooms, app, &identity, claim, rooms.now())?;
    Ok(if claim.encrypted_data.is_some() { verified.data } else { verified.raw.unwrap_or_default() })
}

/// The user's identity in this app; none if it has gone to another user since the token was issued.
pub(super) async fn identity(rooms: &Rooms, user: &User, app: &App) -> Result<Option<Identity>> {
    rooms.store.find_identity(user.id, &app.id).await
}

/// All that `claim` holds, under the current or the previous session_key. One error, whatever was wrong.
pub(super) fn verified(
    rooms: &Rooms,
    app: &App,
    identity: &Identity,
    claim: &Claim<'_>,
    now: Timestamp,
) -> Result<Verified> {
    let current = session_key(rooms, app, identity, &identity.session_key)?;
    let counts = after(identity.session_key_at, rooms.window.previous_session_key) > now;
    let previous = match identity.previous_session_key.as_ref().filter(|_| counts) {
        Some(sealed) => Some(session_key(rooms, app, identity, sealed)?),
        None => None,
    };
    let keys = [&current, previous.as_ref().unwrap_or(&current)];
    let owner = Owner { app: &app.id, openid: &identity.openid, keys };
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
    let cell = Cell { table: "identities", column: "session_key", row: &row };
    let plain = rooms.vault.open(&cell, sealed).map_err(|error| {
        Error::from(Code::Internal).because(format!("a session_key can't be opened: {error}"))
    })?;
    let text = std::str::from_utf8(&plain)
        .map_err(|_| Error::from(Code::Internal).because("a session_key is no text"))?;
    Ok(SessionKey::new(text))
}
