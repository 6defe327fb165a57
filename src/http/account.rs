//! `/v1/me/account` and `/v1/accounts`: bind an account to the WeChat user, unbind it, make one.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::bearer::LoggedIn;
use super::body::Body;
use super::login::{LoginRequest, by_code, given};
use super::problem::Problem;
use super::visitor::Visitor;
use crate::error::{Error, Result};
use crate::flows::account;
use crate::flows::password::{self, Credentials};
use crate::flows::session::Session;
use crate::flows::username::Username;
use crate::secret::Password;

/// A username and its password.
#[derive(Deserialize, ToSchema, Default)]
#[serde(default)]
pub(super) struct AccountFields {
    /// 1 to 64 letters of any script, digits and `. _ - @ +`; upper and lower case are one.
    #[schema(value_type = String, example = "xiaoming")]
    pub(super) username: Option<String>,
    /// Up to 256 bytes; taken as it is.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub(super) password: Option<String>,
}

impl AccountFields {
    /// What can be looked up; `within` is the object around it, with its dot.
    pub(super) fn read(self, within: &str) -> Result<Credentials> {
        let field = |name: &str| format!("{within}{name}");
        let username = given(self.username).ok_or_else(|| Error::missing(&field("username")))?;
        let password = given(self.password).ok_or_else(|| Error::missing(&field("password")))?;
        Ok(Credentials {
            username: Username::read(&username, &field("username"))?,
            password: readable(password, &field("password"))?,
        })
    }
}

/// A password that may be looked at; the error names `field`.
pub(super) fn readable(text: String, field: &str) -> Result<Password> {
    password::readable(field, &text)?;
    Ok(Password::new(text))
}

/// Bind my account
///
/// The WeChat user proves an account once; from then on wx.login lands on the account's user. The answer is a session of
/// that user: drop the old token. What the WeChat user has that the account hasn't (phone, profile, level) comes along;
/// what it had besides is closed. Bound to the same account already: the same answer again.
#[utoipa::path(
    put, path = "/v1/me/account", tag = "me", security(("bearer" = [])), request_body = AccountFields,
    responses(
        (status = 200, body = Session, description = "Bound; the token is the account's"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "bad_credentials, missing_field, invalid_field, malformed_body"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "already_bound, account_taken, bind_conflict"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_attempts; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "busy, store_unavailable; see Retry-After"),
    )
)]
pub(super) async fn bind(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    visitor: Visitor,
    Body(fields): Body<AccountFields>,
) -> Result<Json<Session>> {
    account::bind(&app.rooms, &caller, &fields.read("")?, visitor.ip).await.map(Json)
}

/// Unbind my account
///
/// The WeChat user becomes a user of its own again, with a new userId; everything else stays with the account, whose
/// tokens of before end. Logged in by WeChat, the answer is a session of that new user. Logged in by password, every WeChat
/// user of this app is turned out of the account, and the answer is a fresh session of the account.
#[utoipa::path(
    delete, path = "/v1/me/account", tag = "me", security(("bearer" = [])),
    responses(
        (status = 200, body = Session, description = "Unbound; a fresh token"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "not_bound"),
    )
)]
pub(super) async fn unbind(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    visitor: Visitor,
) -> Result<Json<Session>> {
    account::unbind(&app.rooms, &caller, visitor.ip).await.map(Json)
}

/// An account to make, and the WeChat user to make it for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterRequest {
    /// 1 to 64 letters of any script, digits and `. _ - @ +`; upper and lower case are one.
    #[schema(value_type = String, example = "xiaoming")]
    username: Option<String>,
    /// At least `accounts.shortest_password` (8) characters, at most 256 bytes, not the username.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: Option<String>,
    /// From wx.login: the WeChat user to make the account for.
    code: Option<String>,
    /// As in a login by code.
    app_id: Option<String>,
}

/// Make an account
///
/// Only where `accounts.registration` is on. With the code of wx.login the account is made on that WeChat user, who keeps
/// their userId; without, on a user of its own.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "login", security(()), request_body = RegisterRequest,
    responses(
        (status = 201, body = Session, description = "Made, and logged in"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "missing_field, invalid_field, wechat_code_invalid, wechat_code_used, unknown_app, malformed_body"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "registration_closed, user_disabled, wechat_user_blocked"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "username_taken, already_bound"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_requests; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "busy, wechat_unavailable, store_unavailable; see Retry-After"),
    )
)]
pub(super) async fn register(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<RegisterRequest>,
) -> Result<(StatusCode, Json<Session>)> {
    let RegisterRequest { username, password, code, app_id } = request;
    let credentials = AccountFields { username, password }.read("")?;
    let login = LoginRequest::of_code(code, app_id);
    let session = account::register(&app.rooms, &credentials, &by_code(login, &visitor, &headers)?).await?;
    Ok((StatusCode::CREATED, Json(session)))
}
