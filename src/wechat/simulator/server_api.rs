//! `cgi-bin` and `wxa`: stable_token, getuserphonenumber, checksession, resetusersessionkey. `application/json`, and
//! HTTP 412 with an empty body for a POST without Content-Length.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as AppState};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::people::PhoneCode;
use super::tokens::{TooOften, Worth};
use super::{State, endpoints, lock};
use crate::secret::SessionKey;
use crate::wechat::check::signature;

type Parameters = Query<HashMap<String, String>>;

/// Why an endpoint refuses.
enum Refusal {
    Errcode(i64, &'static str),
    /// The quirk: HTTP 412, and nothing in it.
    NoContentLength,
}

fn answer(state: &State, outcome: Result<Value, Refusal>) -> Response {
    match outcome {
        Ok(answer) => Json(answer).into_response(),
        Err(Refusal::NoContentLength) => StatusCode::PRECONDITION_FAILED.into_response(),
        Err(Refusal::Errcode(errcode, errmsg)) => {
            let errmsg = endpoints::with_rid(state, errcode, errmsg);
            Json(json!({ "errcode": errcode, "errmsg": errmsg })).into_response()
        }
    }
}

/// `POST /cgi-bin/stable_token`
pub(super) async fn stable_token(
    AppState(state): AppState<Arc<State>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let outcome = posted(&headers, &body).and_then(|body| {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        if text("grant_type") != "client_credential" {
            return Err(Refusal::Errcode(40002, "invalid grant_type"));
        }
        let app = state.apps.iter().find(|app| app.id == text("appid"));
        let app = app.ok_or(Refusal::Errcode(40013, "invalid appid"))?;
        if app.secret != text("secret") {
            return Err(Refusal::Errcode(40125, "invalid appsecret"));
        }
        // As long as a real one may be.
        let fresh = format!("sim_{}", lock(&state.people).draw_hex().repeat(8));
        let force = body["force_refresh"] == true;
        let issued = lock(&state.tokens).stable(&app.id, force, fresh, state.clock.now());
        let (token, seconds) =
            issued.map_err(|TooOften| Refusal::Errcode(45009, "reach max api daily quota limit"))?;
        Ok(json!({ "access_token": token, "expires_in": seconds }))
    });
    answer(&state, outcome)
}

/// `POST /wxa/business/getuserphonenumber?access_token`
pub(super) async fn phone_number(
    AppState(state): AppState<Arc<State>>,
    query: Parameters,
    headers: HeaderMap,
    body: String,
) -> Response {
    let outcome = posted(&headers, &body).and_then(|body| {
        let app = authorized(&state, &query)?;
        let (code, now) = (body["code"].as_str().unwrap_or_default(), state.clock.now());
        let redeemed = lock(&state.people).redeem_phone(&app, code, body["openid"].as_str(), now);
        let PhoneCode { phone, country, .. } = redeemed.ok_or(Refusal::Errcode(40029, "invalid code"))?;
        let info = phone_info(&phone, &country, &app, now.as_second());
        Ok(json!({ "errcode": 0, "errmsg": "ok", "phone_info": info }))
    });
    answer(&state, outcome)
}

/// `GET /wxa/checksession`
pub(super) async fn check_session(AppState(state): AppState<Arc<State>>, query: Parameters) -> Response {
    answer(&state, signed(&state, &query).map(|_| json!({ "errcode": 0, "errmsg": "ok" })))
}

/// `GET /wxa/resetusersessionkey`
pub(super) async fn reset_session(AppState(state): AppState<Arc<State>>, query: Parameters) -> Response {
    let outcome = signed(&state, &query).map(|(app, openid)| {
        let session_key = lock(&state.people).rotate(&app, &openid, state.clock.now());
        json!({ "errcode": 0, "errmsg": "ok", "openid": openid, "session_key": session_key })
    });
    answer(&state, outcome)
}

/// As the phone button's data and getuserphonenumber both have it. countryCode is a number here and a string there:
/// half of the people get one, half the other.
pub(super) fn phone_info(phone: &str, country: &str, app: &str, second: i64) -> Value {
    let even = phone.bytes().last().is_some_and(|digit| digit.is_multiple_of(2));
    let code = if even { json!(country.parse::<u32>().unwrap_or(86)) } else { json!(country) };
    let full = if country == "86" { phone.to_owned() } else { format!("+{country}{phone}") };
    json!({
        "phoneNumber": full, "purePhoneNumber": phone, "countryCode": code,
        "watermark": { "timestamp": second, "appid": app },
    })
}

/// (app, openid), if the token counts and the signature is of the user's session_key as it is now.
fn signed(state: &State, query: &Parameters) -> Result<(String, String), Refusal> {
    let app = authorized(state, query)?;
    let given = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    if given("sig_method") != "hmac_sha256" {
        return Err(Refusal::Errcode(87008, "invalid sig_method"));
    }
    let key = lock(&state.people).session_key(&app, given("openid"));
    if key.is_none_or(|key| signature(&SessionKey::new(key)) != given("signature")) {
        return Err(Refusal::Errcode(87009, "invalid signature"));
    }
    Ok((app, given("openid").to_owned()))
}

/// The app behind the access_token.
fn authorized(state: &State, query: &Parameters) -> Result<String, Refusal> {
    let token = query.get("access_token").map(String::as_str).unwrap_or_default();
    match lock(&state.tokens).worth(token, state.clock.now()) {
        Worth::App(app) => Ok(app),
        Worth::Expired => Err(Refusal::Errcode(42001, "access_token expired")),
        Worth::Invalid => {
            Err(Refusal::Errcode(40001, "invalid credential, access_token is invalid or not latest"))
        }
    }
}

fn posted(headers: &HeaderMap, body: &str) -> Result<Value, Refusal> {
    if !headers.contains_key(CONTENT_LENGTH) {
        return Err(Refusal::NoContentLength);
    }
    let body = serde_json::from_str::<Value>(body).ok().filter(Value::is_object);
    body.ok_or(Refusal::Errcode(47001, "data format error"))
}
