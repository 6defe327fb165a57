//! `/authz`: forward-auth for nginx (`auth_request`), Traefik, Caddy (`forward_auth`) and Envoy (`ext_authz`).
//!
//! Owns the three headers that a proxy hands on. Whatever `X-Auth-*` came in is not looked at and never answered.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, StatusCode};

use super::AppState;
use super::bearer;
use super::routes::apart;
use crate::error::{Code, Error, Result};
use crate::flows::authz;

const USER: HeaderName = HeaderName::from_static("x-auth-user-id");
const APP: HeaderName = HeaderName::from_static("x-auth-app-id");
const EXPIRES: HeaderName = HeaderName::from_static("x-auth-expires");

/// Any method, and any path below: proxies ask with the original request's.
pub(super) async fn authz(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Result<(StatusCode, [(HeaderName, String); 4])> {
    let token = bearer::token(&headers, &app.config.tokens.accept_headers)?;
    let passed = match authz::known(&app.rooms, &token).map_err(unauthorized)? {
        Some(passed) => passed,
        None => {
            let rooms = app.clone();
            let asked = apart(&app, async move { authz::pass(&rooms.rooms, &token).await }).await?;
            asked.map_err(unauthorized)?
        }
    };
    Ok((
        StatusCode::OK,
        [
            (USER, passed.user.to_string()),
            (APP, passed.app),
            (EXPIRES, passed.expires.to_string()),
            (CACHE_CONTROL, "no-store".into()),
        ],
    ))
}

/// A proxy asks one question and knows two answers: to a disabled user's token it is 401 as well.
fn unauthorized(error: Error) -> Error {
    match error.code {
        Code::UserDisabled => Error::from(Code::TokenInvalid).because("its user is disabled"),
        _ => error,
    }
}
