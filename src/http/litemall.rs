//! `/wx/auth/*`: the doors that the litemall family of mini-programs knows. The same flows, another rendering:
//! HTTP 200 throughout, `{errno, errmsg, data}`, Chinese only.

use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::AppState;
use super::bearer::LoggedIn;
use super::body::Body;
use super::login::{LoginRequest, UserInfo as SaidInfo, by_code};
use super::phone::{PhoneRequest, set_for};
use super::problem::Rendered;
use super::visitor::Visitor;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::flows::session::{UserInfo, user_info};
use crate::flows::{login, profile};

/// Under `/wx/auth`.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/login_by_weixin", post(login_by_weixin))
        .route("/info", get(info))
        .route("/profile", post(profile))
        .route("/bindPhone", post(bind_phone))
}

/// `{errno: 0, errmsg: "成功", data}`
#[derive(Serialize)]
struct Envelope<T> {
    errno: u16,
    errmsg: &'static str,
    data: T,
}

impl<T> Envelope<T> {
    fn of(data: T) -> Json<Self> {
        Json(Self { errno: 0, errmsg: "成功", data })
    }
}

/// What their login answers with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    token: String,
    token_expire: Timestamp,
    user_info: UserInfo,
}

/// `POST /wx/auth/login_by_weixin {code, userInfo}`
async fn login_by_weixin(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<LoginRequest>,
) -> Result<Json<Envelope<Session>>> {
    let session = login::by_code(&app.rooms, &by_code(request, &visitor, &headers)?).await?;
    Ok(Envelope::of(Session {
        token: session.token.expose().to_owned(),
        token_expire: session.token_expire,
        user_info: session.user_info,
    }))
}

/// `GET /wx/auth/info`
async fn info(State(app): State<AppState>, LoggedIn(caller): LoggedIn) -> Json<Envelope<UserInfo>> {
    Envelope::of(user_info(&app.rooms, &caller.user))
}

/// The family's two ways to send a profile: WeChat's userInfo, or fields of its own beside each other.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileRequest {
    user_info: Option<SaidInfo>,
    #[serde(flatten)]
    fields: SaidInfo,
    nickname: Option<String>,
    avatar: Option<String>,
}

/// `POST /wx/auth/profile {userInfo}`, `{nickName, avatarUrl, …}` or `{nickname, avatar, gender}`
async fn profile(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    Body(request): Body<ProfileRequest>,
) -> Result<Json<Envelope<UserInfo>>> {
    let info = request.user_info.unwrap_or(request.fields);
    let mut said = info.said();
    said.nickname = said.nickname.or(request.nickname.as_deref());
    said.avatar_url = said.avatar_url.or(request.avatar.as_deref());
    profile::change(&app.rooms, &caller.user, &said).await.map(Envelope::of)
}

/// `POST /wx/auth/bindPhone {encryptedData, iv}` or `{code}`
async fn bind_phone(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    Body(request): Body<PhoneRequest>,
) -> Result<Json<Envelope<UserInfo>>> {
    set_for(&app, &caller, &request).await.map(Envelope::of)
}

#[derive(Serialize)]
struct Refusal {
    errno: u16,
    errmsg: String,
}

/// Gives an error the form of this door; the log still reads it.
pub(super) async fn render(response: Response) -> Response {
    let Some(error) = response.extensions().get::<Error>().cloned() else { return response };
    let errmsg = format!("{}。{}", error.code.title().zh, error.advice().zh);
    let mut rendered = (StatusCode::OK, Json(Refusal { errno: error.code.errno(), errmsg })).into_response();
    if let Some(seconds) = error.retry_after_seconds() {
        rendered.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    rendered.extensions_mut().insert(error);
    rendered.extensions_mut().insert(Rendered);
    rendered
}
