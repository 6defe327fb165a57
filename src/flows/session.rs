//! What a login is answered with, and whose a token is.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Rooms, phone};
use crate::clock::{Timestamp, after};
use crate::error::{Code, Error, Result};
use crate::secret::AccessToken;
use crate::store::{Status, User};
use crate::tokens::{Claims, Refusal, Subject};
use crate::wechat::App;

/// A session: the token, how long it counts, and who it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// A JWT (JWS); send it as `Authorization: Bearer`.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "eyJhbGciOiJFUzI1NiIsImtpZCI6…")]
    pub token: AccessToken,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// When the token stops counting (RFC 3339, UTC).
    #[schema(value_type = String, format = DateTime, example = "2026-11-21T10:00:00Z")]
    pub token_expire: Timestamp,
    /// Seconds until then.
    #[schema(example = 7200)]
    pub expires_in: i64,
    /// Whether this login made the user: true in exactly one answer.
    pub is_new_user: bool,
    /// Whether an account with a password is bound.
    pub bound: bool,
    /// The user.
    pub user_info: UserInfo,
}

/// A user, as shown to themselves.
#[derive(Serialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase")]
pub struct UserInfo {
    /// The token's `sub`.
    #[schema(example = "01a1fce9-f066-7826-9be7-0cf2bb5d62bb")]
    pub user_id: Uuid,
    /// Empty until the user says it.
    #[schema(example = "小明 🎉")]
    pub nick_name: String,
    /// An https URL, or empty.
    #[schema(example = "https://thirdwx.qlogo.cn/mmopen/vi_32/a/132")]
    pub avatar_url: String,
    /// 0 unknown, 1 male, 2 female.
    pub gender: i16,
    /// Empty until the user says it.
    pub country: String,
    /// Empty until the user says it.
    pub province: String,
    /// Empty until the user says it.
    pub city: String,
    /// Empty until the user says it.
    #[schema(example = "zh_CN")]
    pub language: String,
    /// Only to its owner: China's numbers as people there write them, others in E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "13580006666")]
    pub phone: Option<String>,
    /// Only where an account is bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The day of the first login.
    #[schema(format = Date, example = "2026-11-21")]
    pub register_date: String,
    /// 0 active, 1 disabled, 2 closed.
    pub status: i16,
    /// 0 and up.
    pub user_level: i16,
    /// Its name.
    #[schema(example = "普通用户")]
    pub user_level_desc: String,
    /// The last login in this app (RFC 3339, UTC).
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-11-21T08:00:00Z")]
    pub last_login_time: Option<Timestamp>,
}

fn text<S: serde::Serializer>(token: &AccessToken, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose())
}

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By WeChat: through which of their identities (our id of it), where that is known.
    Wechat(Option<Uuid>),
    /// By username and password.
    Password,
}

/// From when on a token of this user counts that is issued at `now`: all of before may have ended in this very
/// millisecond. `user` is the row that was proven: if its tokens are ended after that, this one has ended with them.
pub(super) fn counts_from(user: &User, now: Timestamp) -> Timestamp {
    user.tokens_not_before.map_or(now, |end| now.max(just_after(end)))
}

/// The next millisecond.
pub(super) fn just_after(end: Timestamp) -> Timestamp {
    after(end, Duration::from_millis(1))
}

/// Issues a token to `user`, who came in this way, and says who they are. `at` is when they were proven to be it.
pub(super) fn open(
    rooms: &Rooms,
    app: &App,
    user: &User,
    way: Way,
    is_new: bool,
    at: Timestamp,
) -> Result<Session> {
    let identity = match way {
        // An account may have several in one app; without one, user and app say which it is.
        Way::Wechat(identity) => identity.filter(|_| user.username.is_some()),
        Way::Password => None,
    };
    let subject = Subject {
        user: user.id,
        app: &app.id,
        identity,
        by_password: way == Way::Password,
        nickname: &user.profile.nickname,
        picture: &user.profile.avatar_url,
        username: user.username.as_deref(),
        level: user.level.into(),
    };
    // Where a clock far ahead has ended all tokens of a user, only the id stands behind that end: from the future nobody takes
    // a token.
    let now = rooms.now();
    let said = if at > after(now, rooms.tokens.leeway()) { now } else { at };
    let issued = rooms.tokens.issue(&subject, rooms.new_id(at), said);
    let issued =
        issued.map_err(|_| Error::from(Code::Internal).because("no key signs: see `tokens.keys`"))?;
    Ok(Session {
        token: issued.token,
        token_type: "Bearer",
        token_expire: issued.expires,
        expires_in: issued.expires_in,
        is_new_user: is_new,
        bound: user.username.is_some(),
        user_info: user_info(rooms, user),
    })
}

/// A logged-in user, and the app that they came through.
pub struct Caller {
    /// Who.
    pub user: User,
    /// The token's `client_id`.
    pub app: String,
    /// How they came in.
    pub way: Way,
    /// When the token was issued, to the millisecond.
    pub issued: Timestamp,
}

/// Whose this token is, if it counts and the user may be here.
pub async fn caller(rooms: &Rooms, token: &AccessToken) -> Result<Caller> {
    let (id, claims) = read(rooms, token, rooms.now())?;
    let user = rooms.store.find_user(id, &claims.client_id).await?.ok_or_else(unknown)?;
    counts(&claims, user.status, user.tokens_not_before)?;
    let issued = Timestamp::from_millisecond(claims.issued_millis()).unwrap_or(Timestamp::MAX);
    let way = match claims.amr {
        Some(_) => Way::Password,
        None => Way::Wechat(claims.sid.as_deref().and_then(|id| id.parse().ok())),
    };
    Ok(Caller { user, app: claims.client_id.clone(), way, issued })
}

/// What a token says, and of which user: if it counts by itself. Whether they still may be here, [`counts`] says.
pub(super) fn read(rooms: &Rooms, token: &AccessToken, now: Timestamp) -> Result<(Uuid, Arc<Claims>)> {
    let claims = rooms.tokens.verify(token.expose(), now).map_err(refused)?;
    let id = claims.sub.parse().map_err(|_| Error::from(Code::TokenInvalid).because("sub is no user id"))?;
    Ok((id, claims))
}

/// Whether a good token counts for a user who stands so.
pub(super) fn counts(claims: &Claims, status: Status, tokens_not_before: Option<Timestamp>) -> Result<()> {
    if tokens_not_before.is_some_and(|end| claims.issued_millis() <= end.as_millisecond()) {
        return Err(Error::from(Code::TokenInvalid).because("revoked"));
    }
    match status {
        Status::Active => Ok(()),
        Status::Disabled => Err(Code::UserDisabled.into()),
        Status::Closed => Err(Error::from(Code::TokenInvalid).because("its user is closed")),
    }
}

/// A good token of nobody.
pub(super) fn unknown() -> Error {
    Error::from(Code::TokenInvalid).because("its user does not exist")
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Expired => Code::TokenExpired.into(),
        other => Error::from(Code::TokenInvalid).because(other.to_string()),
    }
}

/// The user, as shown to themselves.
pub fn user_info(rooms: &Rooms, user: &User) -> UserInfo {
    let profile = user.profile.clone();
    let level = usize::try_from(user.level).ok().and_then(|level| rooms.levels.get(level));
    let registered = user.created_at.to_zoned(TimeZone::fixed(rooms.utc_offset)).date();
    UserInfo {
        user_id: user.id,
        nick_name: profile.nickname,
        avatar_url: profile.avatar_url,
        gender: profile.gender,
        country: profile.country,
        province: profile.province,
        city: profile.city,
        language: profile.language,
        phone: phone::shown(rooms, user),
        username: user.username.clone(),
        register_date: registered.to_string(),
        status: user.status.number(),
        user_level: user.level,
        user_level_desc: level.cloned().unwrap_or_default(),
        // Whole seconds: JavaScript engines agree on no other number of decimals than none and three.
        last_login_time: user.last_login_at.and_then(|at| Timestamp::from_second(at.as_second()).ok()),
    }
}
