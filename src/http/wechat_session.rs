//! `GET /v1/me/wechat-session` and `POST /v1/me/wechat-session/reset`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::bearer::LoggedIn;
use super::problem::Problem;
use crate::error::Result;
use crate::flows::wechat_session;

/// How the session_key stands.
#[derive(Serialize, ToSchema)]
pub(super) struct WechatSession {
    /// Whether WeChat knows the session_key that the gateway holds. If not: call wx.login and log in again.
    #[schema(example = true)]
    valid: bool,
}

/// Is my WeChat session still good: the server's twin of wx.checkSession
#[utoipa::path(
    get, path = "/v1/me/wechat-session", tag = "me", security(("bearer" = [])),
    responses(
        (status = 200, body = WechatSession, description = "As WeChat sees it now"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "unknown_app: the token's app is no longer served"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_requests, wechat_throttled; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "wechat_unavailable; see Retry-After"),
    )
)]
pub(super) async fn check(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
) -> Result<Json<WechatSession>> {
    let valid = wechat_session::check(&app.rooms, &caller).await?;
    Ok(Json(WechatSession { valid }))
}

/// Have WeChat rotate my session_key
#[utoipa::path(
    post, path = "/v1/me/wechat-session/reset", tag = "me", security(("bearer" = [])),
    responses(
        (status = 200, body = WechatSession, description = "valid: rotated; not valid: WeChat no longer knew the old one"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "unknown_app: the token's app is no longer served"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_requests, wechat_throttled; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "wechat_unavailable; see Retry-After"),
    )
)]
pub(super) async fn reset(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
) -> Result<Json<WechatSession>> {
    let valid = wechat_session::reset(&app.rooms, &caller).await?;
    Ok(Json(WechatSession { valid }))
}
