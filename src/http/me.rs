//! `/v1/me`: show, change, close.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::AppState;
use super::bearer::LoggedIn;
use super::body::Body;
use super::login::UserInfo as Said;
use super::problem::Problem;
use super::visitor::Visitor;
use crate::error::Result;
use crate::flows::session::{UserInfo, user_info};
use crate::flows::{account, profile};

/// Who am I
#[utoipa::path(
    get, path = "/v1/me", tag = "me", security(("bearer" = [])),
    responses(
        (status = 200, body = UserInfo, description = "The token's user", example = json!({
            "userId": "01a1fcf4-9de8-7b1c-afca-b82c071374ee", "nickName": "小明 🎉",
            "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", "gender": 1, "country": "China",
            "province": "Guangdong", "city": "Guangzhou", "language": "zh_CN", "registerDate": "2026-11-21",
            "status": 0, "userLevel": 0, "userLevelDesc": "普通用户", "lastLoginTime": "2026-11-21T07:14:12Z"
        })),
        (status = 401, body = Problem, content_type = "application/problem+json",
            description = "token_missing, token_invalid, token_expired: call wx.login and log in again"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
    )
)]
pub(super) async fn show(State(app): State<AppState>, LoggedIn(caller): LoggedIn) -> Json<UserInfo> {
    Json(user_info(&app.rooms, &caller.user))
}

/// Change my profile
///
/// Only the fields that are sent; an empty text erases. Every field that won't do is named in the error. A nickname of
/// 微信用户 (what WeChat gives for everybody) counts as not sent.
#[utoipa::path(
    patch, path = "/v1/me", tag = "me", security(("bearer" = [])), request_body = Said,
    responses(
        (status = 200, body = UserInfo, description = "As it is now", example = json!({
            "userId": "01a1fcf4-9de8-7b1c-afca-b82c071374ee", "nickName": "小明 🎉",
            "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", "gender": 1, "country": "China",
            "province": "Guangdong", "city": "Guangzhou", "language": "zh_CN", "registerDate": "2026-11-21",
            "status": 0, "userLevel": 0, "userLevelDesc": "普通用户", "lastLoginTime": "2026-11-21T07:14:12Z"
        })),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "invalid_field, malformed_body"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
    )
)]
pub(super) async fn change(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    Body(said): Body<Said>,
) -> Result<Json<UserInfo>> {
    profile::change(&app.rooms, &caller.user, &said.said()).await.map(Json)
}

/// Close my account
///
/// Personal data is erased, identities are freed, tokens stop counting. The next login is a new user.
#[utoipa::path(
    delete, path = "/v1/me", tag = "me", security(("bearer" = [])),
    responses(
        (status = 204, description = "Closed"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
    )
)]
pub(super) async fn close(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    visitor: Visitor,
) -> Result<StatusCode> {
    account::close(&app.rooms, &caller, visitor.ip).await.map(|()| StatusCode::NO_CONTENT)
}
