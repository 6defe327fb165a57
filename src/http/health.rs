//! `/livez`, `/readyz` and `/metrics` of the internal listener.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use serde::Serialize;

use super::AppState;
use crate::telemetry;

#[derive(Serialize)]
pub(super) struct Readiness {
    status: &'static str,
    database: &'static str,
    #[serde(rename = "signingKey")]
    signing_key: &'static str,
}

/// The process runs. Never asks anybody: a restart wouldn't mend what they say.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// What was counted, in Prometheus' text format.
pub(super) async fn metrics() -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], telemetry::numbers())
}

/// A login could succeed now, as far as this process can tell (WeChat is not asked).
pub(super) async fn readyz(State(app): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let rooms = &app.rooms;
    let database = match rooms.store.ping().await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(cause = error.cause.as_deref(), "not ready: the database does not answer");
            false
        }
    };
    let signer = rooms.tokens.can_sign(rooms.now());
    let word = |holds: bool| if holds { "ok" } else { "failing" };
    let (code, status) = if database && signer {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (code, Json(Readiness { status, database: word(database), signing_key: word(signer) }))
}
