//! `POST /v1/logout`

use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::bearer::LoggedIn;
use super::problem::Problem;
use super::visitor::Visitor;
use crate::error::Result;
use crate::flows::revoke;

/// Log out, everywhere
///
/// Every token of mine that was issued until now stops counting, on every device. The gateway and what asks `/authz` know
/// it within seconds; a service that only verifies tokens sees it when they expire.
#[utoipa::path(
    post, path = "/v1/logout", tag = "me", security(("bearer" = [])),
    responses(
        (status = 204, description = "Logged out"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
    )
)]
pub(super) async fn logout(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    visitor: Visitor,
) -> Result<StatusCode> {
    revoke::logout(&app.rooms, &caller, visitor.ip).await.map(|()| StatusCode::NO_CONTENT)
}
