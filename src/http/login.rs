//! `POST /v1/login`

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::REFERER;
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::account::AccountFields;
use super::body::Body;
use super::problem::Problem;
use super::visitor::Visitor;
use crate::error::{Error, Result};
use crate::flows::login::{self, ByCode, Proof};
use crate::flows::profile::{self, Said};
use crate::flows::session::Session;
use crate::secret::LoginCode;

/// What a mini-program sends.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginRequest {
    /// From wx.login; used once, for five minutes.
    #[schema(value_type = String, example = "0a3Xyz000abcdef1GhI2jKlM3n0Xyz0a")]
    pub(super) code: Option<String>,
    /// The app, where the gateway serves several; else the Referer's, else the first configured one.
    #[schema(example = "wx0123456789abcdef")]
    app_id: Option<String>,
    /// What the user says of themselves. What is not usable (a local avatar path, a nickname too long) is passed over.
    pub(super) user_info: Option<UserInfo>,
    /// With iv: verified under this login's session_key, and its profile kept.
    encrypted_data: Option<String>,
    /// With encryptedData.
    iv: Option<String>,
    /// With signature: verified likewise.
    raw_data: Option<String>,
    /// With rawData.
    signature: Option<String>,
    /// An account to bind at once. Its password is proven before the code is spent.
    account: Option<AccountFields>,
}

impl LoginRequest {
    /// With nothing but a code, if there is one.
    pub(super) fn of_code(code: Option<String>, app_id: Option<String>) -> Self {
        Self { code, app_id, ..Self::default() }
    }
}

/// What is to be verified under the session_key: encryptedData with iv, rawData with signature, or all four.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProofFields {
    /// Base64, as WeChat's client gives it.
    encrypted_data: Option<String>,
    /// Base64 of 16 bytes.
    iv: Option<String>,
    /// The exact text; any change breaks the signature.
    raw_data: Option<String>,
    /// hex(sha1(rawData + session_key))
    signature: Option<String>,
}

impl ProofFields {
    pub(super) fn into_proof(self) -> Proof {
        let ProofFields { encrypted_data, iv, raw_data, signature } = self;
        Proof { encrypted_data, iv, raw_data, signature }
    }
}

/// A profile as wx.getUserProfile or a form made it.
// In the document it has a name of its own: what is answered, and has more in it, is a UserInfo too.
#[derive(Deserialize, ToSchema, Default)]
#[schema(as = Profile)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UserInfo {
    /// Any text; 64 characters as people count them.
    #[schema(example = "小明 🎉")]
    nick_name: Option<String>,
    /// https only.
    avatar_url: Option<String>,
    /// 0 unknown, 1 male, 2 female.
    gender: Option<i64>,
    country: Option<String>,
    province: Option<String>,
    city: Option<String>,
    language: Option<String>,
}

impl UserInfo {
    pub(super) fn said(&self) -> Said<'_> {
        Said {
            nickname: self.nick_name.as_deref(),
            avatar_url: self.avatar_url.as_deref(),
            gender: self.gender,
            country: self.country.as_deref(),
            province: self.province.as_deref(),
            city: self.city.as_deref(),
            language: self.language.as_deref(),
        }
    }
}

/// Log in with the code of wx.login
///
/// One code logs in once, whatever comes of it: call wx.login again before every new try.
#[utoipa::path(
    post, path = "/v1/login", tag = "login", security(()), request_body = LoginRequest,
    responses(
        (status = 200, body = Session, description = "Logged in", example = json!({
            "token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IlRtZjJkVzlJ….eyJpc3MiOiJodHRwOi8vMTI3….uDqK7kR5N1MEJnNr4L7s7_VY…",
            "tokenType": "Bearer", "tokenExpire": "2026-11-21T09:14:12Z", "expiresIn": 7200, "isNewUser": true,
            "bound": false, "userInfo": {
                "userId": "01a1fcf4-9de8-7b1c-afca-b82c071374ee", "nickName": "小明 🎉",
                "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132", "gender": 1, "country": "China",
                "province": "Guangdong", "city": "Guangzhou", "language": "zh_CN", "registerDate": "2026-11-21",
                "status": 0, "userLevel": 0, "userLevelDesc": "普通用户", "lastLoginTime": "2026-11-21T07:14:12Z"
            }
        })),
        (status = 400, body = Problem, content_type = "application/problem+json",
            description = "wechat_code_invalid, wechat_code_used, encrypted_data_invalid, bad_credentials, unknown_app, missing_field, invalid_field, malformed_body"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled, wechat_user_blocked"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "with account: already_bound, account_taken, bind_conflict"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "wechat_throttled, too_many_attempts; see Retry-After"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "wechat_unavailable, store_unavailable, busy; see Retry-After"),
    )
)]
pub(super) async fn login(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Body(request): Body<LoginRequest>,
) -> Result<Json<Session>> {
    login::by_code(&app.rooms, &by_code(request, &visitor, &headers)?).await.map(Json)
}

/// The request's shape, for all doors that log in by code.
pub(super) fn by_code(request: LoginRequest, visitor: &Visitor, headers: &HeaderMap) -> Result<ByCode> {
    let account = request.account.map(|account| account.read("account.")).transpose()?;
    Ok(ByCode {
        code: given(request.code).map(code).transpose()?,
        account,
        app_id: given(request.app_id),
        app_hint: referer_app(headers),
        proof: Proof {
            encrypted_data: given(request.encrypted_data),
            iv: given(request.iv),
            raw_data: given(request.raw_data),
            signature: given(request.signature),
        },
        profile: profile::usable(&request.user_info.unwrap_or_default().said()),
        ip: visitor.ip,
    })
}

/// Programs send `''` for what they haven't got.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Codes have been known to carry quotes and markup into other people's error pages: ours have an alphabet.
pub(super) fn code(code: String) -> Result<LoginCode> {
    let fits = code.len() <= 128 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !fits {
        return Err(Error::invalid("code", "不是微信返回的 code", "is not a code as WeChat gives them"));
    }
    Ok(LoginCode::new(code))
}

/// `https://servicewechat.com/{appid}/{version}/page-frame.html`: fixed by WeChat's client, so a hint; never a proof.
pub(super) fn referer_app(headers: &HeaderMap) -> Option<String> {
    let referer = headers.get(REFERER)?.to_str().ok()?;
    let appid = referer.strip_prefix("https://servicewechat.com/")?.split('/').next()?;
    Some(appid.to_owned())
}
