//! The controls under `/_sim`: what WeChat's own phones and operators would do.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as AppState};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::people::People;
use super::{Fault, SimApp, State, lock, sealed, server_api};
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

/// Somebody presses the phone button.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Press {
    appid: Option<String>,
    openid: Option<String>,
    /// Without the country's code.
    phone: String,
    country_code: Option<String>,
}

/// `POST /_sim/phone {appid?, openid?, phone, countryCode?}` → `{code, encryptedData, iv}`
pub(super) async fn phone(
    AppState(state): AppState<Arc<State>>,
    Json(press): Json<Press>,
) -> Result<Json<Value>, Refusal> {
    let (app, openid) = who(&state, press.appid.as_deref(), press.openid)?;
    let (country, now) = (press.country_code.as_deref().unwrap_or("86"), state.clock.now());
    if [press.phone.as_str(), country]
        .iter()
        .any(|text| text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(refuse("phone and countryCode are digits"));
    }
    let mut people = lock(&state.people);
    let code = people.press_phone(&app.id, &openid, &press.phone, country, now);
    let data = server_api::phone_info(&press.phone, country, &app.id, now.as_second());
    let (encrypted_data, iv) = encrypt(&mut people, &app.id, &openid, &data)?;
    Ok(Json(json!({ "code": code, "encryptedData": encrypted_data, "iv": iv })))
}

/// Somebody's getUserInfo, as older clients call it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Info {
    appid: Option<String>,
    openid: Option<String>,
    user_info: Option<Map<String, Value>>,
}

/// `POST /_sim/userinfo {appid?, openid?, userInfo?}` → `{userInfo, rawData, signature, encryptedData, iv}`
pub(super) async fn userinfo(
    AppState(state): AppState<Arc<State>>,
    Json(info): Json<Info>,
) -> Result<Json<Value>, Refusal> {
    let (app, openid) = who(&state, info.appid.as_deref(), info.openid)?;
    // What WeChat answers for everybody today.
    let anonymous = || {
        let mut anonymous = Map::new();
        anonymous.insert("nickName".into(), json!("微信用户"));
        anonymous.insert("gender".into(), json!(0));
        for empty in ["language", "city", "province", "country", "avatarUrl"] {
            anonymous.insert(empty.into(), json!(""));
        }
        anonymous
    };
    let user_info = info.user_info.unwrap_or_else(anonymous);
    let raw_data = Value::Object(user_info.clone()).to_string();
    let mut people = lock(&state.people);
    let mut data = Map::new();
    data.insert("openId".into(), json!(openid));
    data.extend(user_info.clone());
    if let Some(unionid) = people.unionid(&app.id, &openid).filter(|_| app.bound) {
        data.insert("unionId".into(), json!(unionid));
    }
    let now = state.clock.now().as_second();
    data.insert("watermark".into(), json!({ "timestamp": now, "appid": app.id }));
    let (encrypted_data, iv) = encrypt(&mut people, &app.id, &openid, &Value::Object(data))?;
    let signature = sealed::sign(&people.session_key(&app.id, &openid).unwrap_or_default(), &raw_data);
    Ok(Json(json!({
        "userInfo": user_info, "rawData": raw_data, "signature": signature,
        "encryptedData": encrypted_data, "iv": iv,
    })))
}

fn encrypt(people: &mut People, app: &str, openid: &str, data: &Value) -> Result<(String, String), Refusal> {
    let iv = people.draw();
    let key = people
        .session_key(app, openid)
        .ok_or_else(|| refuse("this user has no session: exchange a code first"))?;
    sealed::encrypt(&key, iv, data).ok_or_else(|| refuse("this can't be encrypted"))
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
    let (app, openid) = who(state, login.appid.as_deref(), login.openid)?;
    if login.unionid.as_deref().is_some_and(|id| !is_wechat_id(id)) {
        return Err(refuse("unionid is 1 to 64 of A-Z, a-z, 0-9, _ and -"));
    }
    Ok(lock(&state.people).login(&app.id, &openid, login.unionid, state.clock.now()))
}

/// The app, else the first; the openid, else `dev-user`.
fn who<'s>(
    state: &'s State,
    app: Option<&str>,
    openid: Option<String>,
) -> Result<(&'s SimApp, String), Refusal> {
    let app = match app {
        Some(id) => state.apps.iter().find(|app| app.id == id),
        None => state.apps.first(),
    };
    let app = app.ok_or_else(|| refuse("the simulator does not know this appid"))?;
    let openid = openid.unwrap_or_else(|| "dev-user".to_owned());
    if !is_wechat_id(&openid) {
        return Err(refuse("openid is 1 to 64 of A-Z, a-z, 0-9, _ and -"));
    }
    Ok((app, openid))
}

fn refuse(why: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why })))
}
