//! WeChat's endpoints, quirks included: `text/plain` on sns, no errcode on success, a rid from the clock, `\/`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State as AppState};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::people::Exchange;
use super::{State, lock};

/// `GET /sns/jscode2session`
pub(super) async fn jscode2session(
    AppState(state): AppState<Arc<State>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let given = |name: &str| query.get(name).filter(|value| !value.is_empty());
    let Some(appid) = given("appid") else { return sns_error(&state, 41002, "appid missing") };
    let Some(secret) = given("secret") else { return sns_error(&state, 41004, "appsecret missing") };
    let Some(code) = given("js_code") else { return sns_error(&state, 41008, "missing code") };
    let Some(app) = state.apps.iter().find(|app| app.id == *appid) else {
        return sns_error(&state, 40013, "invalid appid");
    };
    if app.secret != *secret {
        return sns_error(&state, 40125, "invalid appsecret");
    }
    let exchange = lock(&state.people).exchange(appid, code, state.clock.now());
    match exchange {
        Exchange::Invalid => sns_error(&state, 40029, "invalid code"),
        Exchange::Used => sns_error(&state, 40163, "code been used"),
        Exchange::Session { openid, unionid, session_key } => {
            let mut answer = json!({ "session_key": session_key, "openid": openid });
            // Old accounts get a number that means nothing.
            if openid.len().is_multiple_of(2) {
                answer["expires_in"] = json!(7200);
            }
            if let Some(unionid) = unionid.filter(|_| app.bound) {
                answer["unionid"] = json!(unionid);
            }
            sns(&answer)
        }
    }
}

/// WeChat's refusal at an sns endpoint.
pub(super) fn sns_error(state: &State, errcode: i64, errmsg: &str) -> Response {
    sns(&json!({ "errcode": errcode, "errmsg": with_rid(state, errcode, errmsg) }))
}

/// The request's id behind the text; its first part is the time in hex.
pub(super) fn with_rid(state: &State, errcode: i64, errmsg: &str) -> String {
    let now = state.clock.now().as_second();
    format!("{errmsg}, rid: {now:08x}-{:08x}-{:08x}", errcode.unsigned_abs(), errmsg.len())
}

fn sns(answer: &Value) -> Response {
    ([(CONTENT_TYPE, "text/plain")], answer.to_string().replace('/', "\\/")).into_response()
}
