//! The controls under `/_sim`: what WeChat's own phones and operators would do.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as AppState};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fault, State, lock};
use crate::secret::is_wechat_id;

type Refusal = (StatusCode, Json<Value>);

/// Somebody presses wx.login. All fields may be left out: the first app, somebody called `dev-user`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Login {
    appid: Option<String>,
    openid: Option<String>,
    unionid: Option<String>,
}

/// `POST /_sim/login {appid?, openid?, unionid?}` → `{code}`
pub(super) async fn login(
    AppState(state): AppState<Arc<State>>,
    Json(login): Json<Login>,
) -> Result<Json<Value>, Refusal> {
    fresh_code(&state, login).map(|code| Json(json!({ "code": code })))
}

/// `GET /_sim/code?appid&openid&unionid` → the code alone, for a shell's `$(curl …)`
pub(super) async fn code(
    AppState(state): AppState<Arc<State>>,
    Query(login): Query<Login>,
) -> Result<String, Refusal> {
    fresh_code(&state, login)
}

/// `PUT /_sim/faults` with one fault, a list of them, or `[]` for none: replaces what was set.
pub(super) async fn faults(
    AppState(state): AppState<Arc<State>>,
    Json(faults): Json<Value>,
) -> Result<StatusCode, Refusal> {
    let list = if faults.is_array() { faults } else { json!([faults]) };
    let list: Vec<Fault> = serde_json::from_value(list).map_err(|error| refuse(&error.to_string()))?;
    *lock(&state.faults) = list;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /_sim/calls` → how often each of WeChat's paths was called
pub(super) async fn calls(AppState(state): AppState<Arc<State>>) -> Json<Value> {
    Json(json!(*lock(&state.calls)))
}

fn fresh_code(state: &State, login: Login) -> Result<String, Refusal> {
    let app = match &login.appid {
        Some(id) => state.apps.iter().find(|app| app.id == *id),
        None => state.apps.first(),
    };
    let app = app.ok_or_else(|| refuse("the simulator does not know this appid"))?;
    let openid = login.openid.unwrap_or_else(|| "dev-user".to_owned());
    if !is_wechat_id(&openid) || login.unionid.as_deref().is_some_and(|id| !is_wechat_id(id)) {
        return Err(refuse("openid and unionid are 1 to 64 of A-Z, a-z, 0-9, _ and -"));
    }
    Ok(lock(&state.people).login(&app.id, &openid, login.unionid, state.clock.now()))
}

fn refuse(why: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why })))
}
