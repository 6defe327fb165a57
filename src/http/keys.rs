//! What siblings read: the published keys and where to find them.

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::conditional::conditional;
use crate::app::App;

/// Siblings may keep the keys five minutes without asking; a rotation waits for them far longer.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// Where the keys are.
pub(super) const JWKS: &str = "/.well-known/jwks.json";
const ANYBODY: HeaderValue = HeaderValue::from_static("*");

/// The published keys (RFC 7517)
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "keys", security(()),
    responses(
        (status = 200, body = Object, description = "A JWK Set; cache it for max-age, and fetch it again on an unknown kid"),
        (status = 304, description = "Unchanged since the ETag in If-None-Match"),
    )
)]
pub(super) async fn jwks(State(app): State<AppState>, headers: HeaderMap) -> Response {
    published(&app, &headers)
}

/// The same, for [`super::front`] too.
pub(super) fn published(app: &App, headers: &HeaderMap) -> Response {
    let published = app.rooms.tokens.published(app.rooms.now());
    let mut answer = conditional(headers, published.document(), CACHE);
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY);
    answer
}

/// Who issues and where the keys are; enough for Spring's issuer-uri, Envoy, Istio, APISIX, Kong.
#[derive(Serialize, ToSchema)]
pub(super) struct Metadata {
    #[schema(example = "https://auth.example.com")]
    issuer: String,
    #[schema(example = "https://auth.example.com/.well-known/jwks.json")]
    jwks_uri: String,
    /// Required by RFC 8414; there is no authorization endpoint, so there are none.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 0],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<&'static str>,
    service_documentation: String,
}

/// OpenID Provider metadata
#[utoipa::path(get, path = "/.well-known/openid-configuration", tag = "keys", security(()),
    responses((status = 200, body = Metadata)))]
pub(super) async fn openid_configuration(State(app): State<AppState>) -> Response {
    metadata(&app)
}

/// OAuth 2.0 authorization server metadata (RFC 8414)
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "keys", security(()),
    responses((status = 200, body = Metadata)))]
pub(super) async fn oauth_authorization_server(State(app): State<AppState>) -> Response {
    metadata(&app)
}

fn metadata(app: &App) -> Response {
    let issuer = app.rooms.tokens.issuer();
    let body = Metadata {
        issuer: issuer.to_owned(),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        response_types_supported: [],
        grant_types_supported: [],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: app
            .rooms
            .tokens
            .published(app.rooms.now())
            .algorithms()
            .to_vec(),
        service_documentation: format!("{issuer}/docs"),
    };
    ([(CACHE_CONTROL, CACHE), (ACCESS_CONTROL_ALLOW_ORIGIN, ANYBODY)], Json(body)).into_response()
}
