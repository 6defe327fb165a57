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
use super::tokens::Worth;
use super::{State, endpoints, lock};
use crate::secret::SessionKey;
use crate::wechat::check::signature;

type Parameters = Query<HashMap<String, String>>;

/// `POST /cgi-bin/stable_token`
pub(super) async fn stable_token(
    AppState(state): AppState<Arc<State>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let body = match posted(&state, &headers, &body) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    if text("grant_type") != "client_credential" {
        return error(&state, 40002, "invalid grant_type");
    }
    let Some(app) = state.apps.iter().find(|app| app.id == text("appid")) else {
        return error(&state, 40013, "invalid appid");
    };
    if app.secret != text("secret") {
        return error(&state, 40125, "invalid appsecret");
    }
    // As long as a real one may be.
    let fresh = format!("sim_{}", lock(&state.people).draw_hex().repeat(8));
    let force = body["force_refresh"] == true;
    match lock(&state.tokens).stable(&app.id, force, fresh, state.clock.now()) {
        Ok((token, seconds)) => Json(json!({ "access_token": token, "expires_in": seconds })).into_response(),
        Err(super::tokens::TooOften) => error(&state, 45009, "reach max api daily quota limit"),
    }
}

/// `POST /wxa/business/getuserphonenumber?access_token`
pub(super) async fn phone_number(
    AppState(state): AppState<Arc<State>>,
    query: Parameters,
    headers: HeaderMap,
    body: String,
) -> Response {
    let body = match posted(&state, &headers, &body) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let app = match authorized(&state, &query) {
        Ok(app) => app,
        Err(refusal) => return refusal,
    };
    let code = body["code"].as_str().unwrap_or_default();
    let now = state.clock.now();
    match lock(&state.people).redeem_phone(&app, code, body["openid"].as_str(), now) {
        Some(PhoneCode { phone, country, .. }) => Json(json!({
            "errcode": 0, "errmsg": "ok", "phone_info": phone_info(&phone, &country, &app, now.as_second()),
        }))
        .into_response(),
        None => error(&state, 40029, "invalid code"),
    }
}

/// `GET /wxa/checksession`
pub(super) async fn check_session(AppState(state): AppState<Arc<State>>, query: Parameters) -> Response {
    match signed(&state, &query) {
        Ok(_) => Json(json!({ "errcode": 0, "errmsg": "ok" })).into_response(),
        Err(refusal) => refusal,
    }
}

/// `GET /wxa/resetusersessionkey`
pub(super) async fn reset_session(AppState(state): AppState<Arc<State>>, query: Parameters) -> Response {
    let (app, openid) = match signed(&state, &query) {
        Ok(who) => who,
        Err(refusal) => return refusal,
    };
    let session_key = lock(&state.people).rotate(&app, &openid, state.clock.now());
    Json(json!({ "errcode": 0, "errmsg": "ok", "openid": openid, "session_key": session_key }))
        .into_response()
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
fn signed(state: &State, query: &Parameters) -> Result<(String, String), Response> {
    let app = authorized(state, query)?;
    let given = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    if given("sig_method") != "hmac_sha256" {
        return Err(error(state, 87008, "invalid sig_method"));
    }
    let key = lock(&state.people).session_key(&app, given("openid"));
    if key.is_none_or(|key| signature(&SessionKey::new(key)) != given("signature")) {
        return Err(error(state, 87009, "invalid signature"));
    }
    Ok((app, given("openid").to_owned()))
}

/// The app behind the access_token.
fn authorized(state: &State, query: &Parameters) -> Result<String, Response> {
    let token = query.get("access_token").map(String::as_str).unwrap_or_default();
    match lock(&state.tokens).worth(token, state.clock.now()) {
        Worth::App(app) => Ok(app),
        Worth::Expired => Err(error(state, 42001, "access_token expired")),
        Worth::Invalid => {
            Err(error(state, 40001, "invalid credential, access_token is invalid or not latest"))
        }
    }
}

fn posted(state: &State, headers: &HeaderMap, body: &str) -> Result<Value, Response> {
    if !headers.contains_key(CONTENT_LENGTH) {
        return Err(StatusCode::PRECONDITION_FAILED.into_response());
    }
    serde_json::from_str::<Value>(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| error(state, 47001, "data format error"))
}

fn error(state: &State, errcode: i64, errmsg: &str) -> Response {
    Json(json!({ "errcode": errcode, "errmsg": endpoints::with_rid(state, errcode, errmsg) })).into_response()
}
