//! `GET /v1/revocations`

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::AppState;
use super::conditional::conditional;
use super::problem::Problem;
use crate::error::Result;
use crate::flows::revoke::{self, Revocation};

/// As long as the gateway itself goes by what it last read.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=5");

/// Whose tokens were ended
///
/// Everybody whose tokens were ended (logout, disabled, closed, another password, unbound) so lately that one of them could
/// still look good. A service that only verifies tokens polls this, with If-None-Match; wxgate-verify does it by itself. A
/// token doesn't count if its `iat` is less than `notBefore`, or, exactly, if the milliseconds in its `jti` (a UUIDv7) are
/// less than `notBeforeMs`.
#[utoipa::path(
    get, path = "/v1/revocations", tag = "keys", security(()),
    responses(
        (status = 200, body = [Revocation], description = "Nobody else was revoked within the life of a token"),
        (status = 304, description = "Unchanged since the ETag in If-None-Match"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "store_unavailable: go on with the list you have"),
    )
)]
pub(super) async fn list(State(app): State<AppState>, headers: HeaderMap) -> Result<Response> {
    let list = revoke::list(&app.rooms).await?;
    Ok(conditional(&headers, &list, CACHE))
}
