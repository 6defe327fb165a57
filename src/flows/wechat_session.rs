//! The server's twins of wx.checkSession: is the session_key still good, and make it another.

use super::decrypt::{identity, session_key};
use super::session::Caller;
use super::{Rooms, cells};
use crate::error::{Code, Error, Result};

/// Whether WeChat still knows the session_key that we hold.
pub async fn check(rooms: &Rooms, caller: &Caller) -> Result<bool> {
    let app = rooms.wechat.app(Some(&caller.app), None)?;
    let Some(identity) = identity(rooms, caller).await? else { return Ok(false) };
    rooms.server_calls.admit_person(&app.id, &identity.openid)?;
    let key = session_key(rooms, app, &identity, &identity.session_key)?;
    rooms.wechat.check_session(app, &identity.openid, &key).await
}

/// Has WeChat rotate the session_key, and keeps the new one; false if WeChat no longer knows ours.
pub async fn reset(rooms: &Rooms, caller: &Caller) -> Result<bool> {
    let app = rooms.wechat.app(Some(&caller.app), None)?;
    let Some(identity) = identity(rooms, caller).await? else { return Ok(false) };
    rooms.server_calls.admit_person(&app.id, &identity.openid)?;
    let key = session_key(rooms, app, &identity, &identity.session_key)?;
    let Some(fresh) = rooms.wechat.reset_session(app, &identity.openid, &key).await? else {
        return Ok(false);
    };
    let row = [app.id.as_str(), identity.openid.expose()];
    let cell = cells::session_key(&row);
    let text = fresh.expose().as_bytes();
    let sealed = rooms.vault.seal(&cell, text);
    let sealed = sealed.map_err(|_| Error::from(Code::Internal).because("the vault can't seal"))?;
    let tag = rooms.vault.mark(&cell, text);
    rooms.store.replace_session_key(&identity, &sealed, &tag, rooms.now()).await?;
    Ok(true)
}
