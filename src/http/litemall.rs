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
use super::account::AccountFields;
use super::bearer::LoggedIn;
use super::body::Body;
use super::login::{LoginRequest, UserInfo as SaidInfo, by_code};
use super::password::{PasswordLogin, log_in};
use super::phone::{PhoneRequest, set_for};
use super::problem::Rendered;
use super::visitor::Visitor;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::flows::profile::Said;
use crate::flows::session::{self, UserInfo, user_info};
use crate::flows::{account, login, profile, revoke};

/// Under `/wx/auth`.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/login_by_weixin", post(login_by_weixin))
        .route("/login", post(login_by_password))
        .route("/bind", post(bind))
        .route("/register", post(register))
        .route("/reset", post(by_sms))
        .route("/resetPhone", post(by_sms))
        .route("/captcha", post(by_sms))
        .route("/regCaptcha", post(by_sms))
        .route("/logout", post(logout))
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

impl Envelope<Session> {
    fn session(session: session::Session) -> Json<Self> {
        Self::of(Session {
            token: session.token.expose().to_owned(),
            token_expire: session.token_expire,
            user_info: session.user_info,
        })
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
    login::by_code(&app.rooms, &by_code(request, &visitor, &headers)?).await.map(Envelope::session)
}

/// `POST /wx/auth/login {username, password}`
async fn login_by_password(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<PasswordLogin>,
) -> Result<Json<Envelope<Session>>> {
    log_in(&app, request, &visitor, &headers).await.map(Envelope::session)
}

/// `POST /wx/auth/bind {username, password}`
async fn bind(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    visitor: Visitor,
    Body(fields): Body<AccountFields>,
) -> Result<Json<Envelope<Session>>> {
    account::bind(&app.rooms, &caller, &fields.read("")?, visitor.ip).await.map(Envelope::session)
}

/// What their registration sends. Its `mobile` and `code` (of an SMS) prove nothing without an SMS provider, and are passed
/// over: nobody's phone number is believed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisterRequest {
    username: Option<String>,
    password: Option<String>,
    wx_code: Option<String>,
}

/// `POST /wx/auth/register {username, password, wxCode?}`
async fn register(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<RegisterRequest>,
) -> Result<Json<Envelope<Session>>> {
    let RegisterRequest { username, password, wx_code } = request;
    let credentials = AccountFields { username, password }.read("")?;
    let login = LoginRequest::of_code(wx_code, None);
    account::register(&app.rooms, &credentials, &by_code(login, &visitor, &headers)?)
        .await
        .map(Envelope::session)
}

/// `POST /wx/auth/reset`, `resetPhone`, `captcha` and `regCaptcha` want an SMS provider.
async fn by_sms() -> Error {
    Code::NotOffered.into()
}

/// `POST /wx/auth/logout`
async fn logout(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    visitor: Visitor,
) -> Result<Json<Envelope<()>>> {
    revoke::logout(&app.rooms, &caller, visitor.ip).await.map(Envelope::of)
}

/// The userInfo, with the two names that it has at this door only.
#[derive(Serialize)]
struct Info {
    avatar: String,
    mobile: String,
    #[serde(flatten)]
    user: UserInfo,
}

/// `GET /wx/auth/info`
async fn info(State(app): State<AppState>, LoggedIn(caller): LoggedIn) -> Json<Envelope<Info>> {
    let user = user_info(&app.rooms, &caller.user);
    let (avatar, mobile) = (user.avatar_url.clone(), user.phone.clone().unwrap_or_default());
    Envelope::of(Info { avatar, mobile, user })
}

/// The family's ways to send a profile: WeChat's userInfo, or fields beside each other under either of their names.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileRequest {
    user_info: Option<SaidInfo>,
    nick_name: Option<String>,
    nickname: Option<String>,
    avatar_url: Option<String>,
    avatar: Option<String>,
    gender: Option<i64>,
    country: Option<String>,
    province: Option<String>,
    city: Option<String>,
    language: Option<String>,
}

impl ProfileRequest {
    fn said(&self) -> Said<'_> {
        match &self.user_info {
            Some(info) => info.said(),
            None => Said {
                nickname: self.nick_name.as_deref().or(self.nickname.as_deref()),
                avatar_url: self.avatar_url.as_deref().or(self.avatar.as_deref()),
                gender: self.gender,
                country: self.country.as_deref(),
                province: self.province.as_deref(),
                city: self.city.as_deref(),
                language: self.language.as_deref(),
            },
        }
    }
}

/// `POST /wx/auth/profile {userInfo}`, `{nickName, avatarUrl, …}` or `{nickname, avatar, gender}`
async fn profile(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    Body(request): Body<ProfileRequest>,
) -> Result<Json<Envelope<UserInfo>>> {
    let said = request.said().without_silence();
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

/// Where these doors are.
pub(super) const PREFIX: &str = "/wx/auth";

/// Gives an error the form of this door; the log still reads it.
pub(super) fn render(response: Response) -> Response {
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
