//! `POST /v1/me/phone`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::bearer::LoggedIn;
use super::body::Body;
use super::login::{code, given};
use super::problem::Problem;
use crate::app::App;
use crate::error::{Error, Result};
use crate::flows::phone::{self, Source};
use crate::flows::session::{Caller, UserInfo};
use crate::wechat::encrypted::Claim;

/// The phone button's code, or what the older button gives.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneRequest {
    /// From the phone button's event (`e.detail.code`): not wx.login's code.
    code: Option<String>,
    /// `e.detail.encryptedData`
    encrypted_data: Option<String>,
    /// `e.detail.iv`
    iv: Option<String>,
}

/// Set my phone number
///
/// By the phone button's code (preferred), or by encryptedData and iv. Log in before the button is pressed: wx.login
/// inside its callback makes the data useless.
#[utoipa::path(
    post, path = "/v1/me/phone", tag = "me", security(("bearer" = [])), request_body = PhoneRequest,
    responses(
        (status = 200, body = UserInfo, description = "With the phone", example = json!({
            "userId": "01a1fcf4-9de8-7b1c-afca-b82c071374ee", "nickName": "小明 🎉",
            "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", "gender": 1, "country": "China",
            "province": "Guangdong", "city": "Guangzhou", "language": "zh_CN", "phone": "13800138000", "registerDate": "2026-11-21",
            "status": 0, "userLevel": 0, "userLevelDesc": "普通用户", "lastLoginTime": "2026-11-21T07:14:12Z"
        })),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "phone_code_invalid, encrypted_data_invalid, missing_field, invalid_field"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "phone_taken"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_requests, wechat_throttled; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "wechat_unavailable, store_unavailable; see Retry-After"),
    )
)]
pub(super) async fn set(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    Body(request): Body<PhoneRequest>,
) -> Result<Json<UserInfo>> {
    set_for(&app, &caller, &request).await.map(Json)
}

/// For both doors that take a phone.
pub(super) async fn set_for(app: &App, caller: &Caller, request: &PhoneRequest) -> Result<UserInfo> {
    let source = match (given(request.code.clone()), &request.encrypted_data, &request.iv) {
        // The button gives all three: the code is the better one.
        (Some(given), ..) => Source::Code(code(given)?),
        (None, None, None) => return Err(Error::missing("code")),
        (None, Some(data), Some(iv)) => {
            Source::Encrypted(Claim { encrypted_data: Some(data), iv: Some(iv), ..Claim::default() })
        }
        (None, None, _) => return Err(Error::missing("encryptedData")),
        _ => return Err(Error::missing("iv")),
    };
    phone::set(&app.rooms, caller, &source).await
}
