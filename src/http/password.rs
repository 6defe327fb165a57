//! `POST /v1/login/password` and `PUT /v1/me/password`

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::account::{AccountFields, readable};
use super::bearer::LoggedIn;
use super::body::Body;
use super::login::{given, referer_app};
use super::problem::Problem;
use super::visitor::Visitor;
use crate::app::App;
use crate::error::{Error, Result};
use crate::flows::password;
use crate::flows::session::Session;

/// A username and its password, and the app that the token is for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordLogin {
    /// In any of its ways of writing: upper and lower case are one.
    #[schema(value_type = String, example = "xiaoming")]
    username: Option<String>,
    /// Up to 256 bytes; taken as it is.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    password: Option<String>,
    /// As in a login by code.
    #[schema(example = "wx0123456789abcdef")]
    app_id: Option<String>,
}

/// Log in with a password
///
/// For accounts that an operator, an import or a registration has made. Unknown names and wrong passwords are told apart
/// by nothing. After a few wrong ones the next try has to wait; logging in by WeChat never does.
#[utoipa::path(
    post, path = "/v1/login/password", tag = "login", security(()), request_body = PasswordLogin,
    responses(
        (status = 200, body = Session, description = "Logged in"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "bad_credentials, missing_field, invalid_field, unknown_app, malformed_body"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled (the password was right)"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_attempts; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "busy, store_unavailable; see Retry-After"),
    )
)]
pub(super) async fn login(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<PasswordLogin>,
) -> Result<Json<Session>> {
    log_in(&app, request, &visitor, &headers).await.map(Json)
}

/// For both doors that log in by password.
pub(super) async fn log_in(
    app: &App,
    request: PasswordLogin,
    visitor: &Visitor,
    headers: &HeaderMap,
) -> Result<Session> {
    let PasswordLogin { username, password, app_id } = request;
    let credentials = AccountFields { username, password }.read("")?;
    let (app_id, hint) = (given(app_id), referer_app(headers));
    password::login(&app.rooms, &credentials, (app_id.as_deref(), hint.as_deref()), visitor.ip).await
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordChange {
    /// As it is now.
    #[schema(value_type = String, format = Password)]
    old_password: Option<String>,
    /// At least `accounts.shortest_password` (8) characters, at most 256 bytes, not the username.
    #[schema(value_type = String, format = Password)]
    new_password: Option<String>,
}

/// Change my password
///
/// Every token of before ends; the answer is a fresh session. Bound WeChat users are not affected.
#[utoipa::path(
    put, path = "/v1/me/password", tag = "me", security(("bearer" = [])), request_body = PasswordChange,
    responses(
        (status = 200, body = Session, description = "Changed; the token is a fresh one"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "bad_credentials, missing_field, invalid_field, malformed_body"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "not_bound"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_attempts; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "busy, store_unavailable; see Retry-After"),
    )
)]
pub(super) async fn change(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    visitor: Visitor,
    Body(request): Body<PasswordChange>,
) -> Result<Json<Session>> {
    let field = |text: Option<String>, name: &str| {
        given(text).ok_or_else(|| Error::missing(name)).and_then(|text| readable(text, name))
    };
    let old = field(request.old_password, "oldPassword")?;
    let new = field(request.new_password, "newPassword")?;
    password::change(&app.rooms, &caller, &old, &new, visitor.ip).await.map(Json)
}
