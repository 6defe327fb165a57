//! `GET /v1/me`

use axum::Json;
use axum::extract::State;

use super::AppState;
use super::bearer::LoggedIn;
use super::problem::Problem;
use crate::flows::session::{UserInfo, user_info};

/// Who am I
#[utoipa::path(
    get, path = "/v1/me", tag = "me", security(("bearer" = [])),
    responses(
        (status = 200, body = UserInfo, description = "The token's user"),
        (status = 401, body = Problem, content_type = "application/problem+json",
            description = "token_missing, token_invalid, token_expired: call wx.login and log in again"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
    )
)]
pub(super) async fn show(State(app): State<AppState>, LoggedIn(user): LoggedIn) -> Json<UserInfo> {
    Json(user_info(&app.rooms, &user))
}
