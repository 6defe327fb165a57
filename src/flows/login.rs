//! Logging in with the code of wx.login.

use std::net::IpAddr;

use super::Rooms;
use super::profile;
use super::session::{self, Session};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::LoginCode;
use crate::store::{LoggedIn, Login, Profile, Status};
use crate::vault::Cell;
use crate::wechat::{App, WechatSession};

/// What a mini-program sends to log in.
pub struct ByCode {
    /// From wx.login.
    pub code: LoginCode,
    /// The app, if it says so.
    pub app_id: Option<String>,
    /// The app that its Referer hints at.
    pub app_hint: Option<String>,
    /// What the user says of themselves.
    pub profile: Profile,
    /// From where.
    pub ip: IpAddr,
}

/// code → WeChat → sealed session_key → user → token.
pub async fn by_code(rooms: &Rooms, request: &ByCode) -> Result<Session> {
    let app = rooms.wechat.app(request.app_id.as_deref(), request.app_hint.as_deref())?;
    let who = rooms.wechat.code2session(app, &request.code).await?;
    let now = rooms.now();
    let LoggedIn { mut user, is_new } = write(rooms, app, &who, request, now).await?;
    if user.status != Status::Active {
        return Err(Code::UserDisabled.into());
    }
    if !is_new && let Some(changed) = profile::merge(&user.profile, &request.profile) {
        rooms.store.update_profile(user.id, &changed, now).await?;
        user.profile = changed;
    }
    session::open(rooms, app, &user, is_new, now)
}

/// Seals the session_key for this identity's row and writes the login.
async fn write(
    rooms: &Rooms,
    app: &App,
    who: &WechatSession,
    request: &ByCode,
    now: Timestamp,
) -> Result<LoggedIn> {
    let row = [app.id.as_str(), who.openid.expose()];
    let cell = Cell { table: "identities", column: "session_key", row: &row };
    let session_key = who.session_key.expose().as_bytes();
    let sealed = rooms.vault.seal(&cell, session_key);
    let login = Login {
        app: &app.id,
        openid: &who.openid,
        unionid: who.unionid.as_ref(),
        session_key: sealed.map_err(|_| Error::from(Code::Internal).because("the vault can't seal"))?,
        session_key_tag: rooms.vault.mark(&cell, session_key),
        at: now,
        ip: request.ip,
        new_ids: (rooms.new_id(now), rooms.new_id(now)),
        profile: &profile::merge(&Profile::default(), &request.profile).unwrap_or_default(),
    };
    rooms.store.upsert_login(&login).await
}
