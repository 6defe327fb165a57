//! `/authz`: forward-auth for nginx (`auth_request`), Traefik, Caddy (`forward_auth`) and Envoy (`ext_authz`).
//!
//! Owns the three headers that a proxy hands on. Whatever `X-Auth-*` came in is not looked at and never answered.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use uuid::Uuid;

use super::AppState;
use super::bearer;
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::flows::authz;

const USER: HeaderName = HeaderName::from_static("x-auth-user-id");
const APP: HeaderName = HeaderName::from_static("x-auth-app-id");
const EXPIRES: HeaderName = HeaderName::from_static("x-auth-expires");

type Answer = Result<(StatusCode, [(HeaderName, HeaderValue); 4])>;

/// Any method, and any path below: proxies ask with the original request's.
pub(super) async fn authz(State(app): State<AppState>, headers: HeaderMap) -> Answer {
    let token = bearer::token(&headers, &app.config.tokens.accept_headers)?;
    passed(authz::pass(&app.rooms, &token).await.map_err(unauthorized)?)
}

/// The route, if the path is one of this door's.
pub(super) fn route(path: &str) -> Option<&'static str> {
    match path.strip_prefix("/authz")? {
        "" => Some("/authz"),
        "/" => Some("/authz/"),
        rest => rest.starts_with('/').then_some("/authz/{*any}"),
    }
}

/// The answer, where it can be given without asking the database; for [`super::front`] too.
pub(super) fn known(app: &App, headers: &HeaderMap) -> Option<Answer> {
    let known = bearer::token(headers, &app.config.tokens.accept_headers)
        .and_then(|token| authz::known(&app.rooms, &token))
        .map_err(unauthorized);
    known.transpose().map(|known| known.and_then(passed))
}

fn passed(passed: authz::Passed) -> Answer {
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| Error::from(Code::TokenInvalid).because("a claim is no header"))
    };
    let mut id = Uuid::encode_buffer();
    let headers = [
        (USER, value(passed.user.hyphenated().encode_lower(&mut id))?),
        (APP, value(&passed.app)?),
        (EXPIRES, value(&passed.expires.to_string())?),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::OK, headers))
}

/// A proxy asks one question and knows two answers: to a disabled user's token it is 401 as well.
fn unauthorized(error: Error) -> Error {
    match error.code {
        Code::UserDisabled => Error::from(Code::TokenInvalid).because("its user is disabled"),
        _ => error,
    }
}
