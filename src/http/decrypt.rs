//! `POST /v1/me/decrypt`

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};

use super::AppState;
use super::bearer::LoggedIn;
use super::body::Body;
use super::login::ProofFields;
use super::problem::Problem;
use crate::error::{Error, Result};
use crate::flows::decrypt;

/// Verify data from the user's phone
///
/// encryptedData with iv, rawData with signature, or all four. The answer is what was inside, without openId and
/// unionId. Whatever is wrong, the error is one and the same: log in again (before the button is pressed), get the data
/// anew.
#[utoipa::path(
    post, path = "/v1/me/decrypt", tag = "me", security(("bearer" = [])), request_body = ProofFields,
    responses(
        (status = 200, body = Object, description = "The verified data", example = json!({
            "countryCode": 86, "phoneNumber": "13800138000", "purePhoneNumber": "13800138000",
            "watermark": { "appid": "wx0123456789abcdef", "timestamp": 1795249647 }
        })),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "encrypted_data_invalid, missing_field, malformed_body"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "token_missing, token_invalid, token_expired"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "user_disabled"),
        (status = 429, body = Problem, content_type = "application/problem+json", description = "too_many_requests; see Retry-After"),
    )
)]
pub(super) async fn decrypt(
    State(app): State<AppState>,
    LoggedIn(caller): LoggedIn,
    Body(fields): Body<ProofFields>,
) -> Result<Json<Map<String, Value>>> {
    let proof = fields.into_proof();
    let claim = proof.as_claim();
    if claim.is_empty() {
        return Err(Error::missing("encryptedData"));
    }
    decrypt::decrypt(&app.rooms, &caller, &claim).await.map(Json)
}
