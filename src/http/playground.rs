//! `/dev/`: a page on which one sees every step of a login, from wx.login to a revoked token. `wxgate dev` alone has it.
//!
//! The page asks the real doors. What they don't give out, because nobody outside may have it, comes from `/dev/api`: the row as
//! it stands in the database, the key ring's plan, a new key, an account to bind.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};

use super::bearer::LoggedIn;
use super::body::Body;
use super::{AppState, pages};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::flows::operator;
use crate::flows::username::Username;
use crate::secret::Password;
use crate::vault::{Sealed, random};

/// What the page needs beside the doors.
#[derive(Clone)]
pub struct Playground {
    /// The simulated WeChat's controls.
    pub wechat: Router,
    /// Makes a signing key and has the ring take it: one that signs at once, or one that is published first.
    pub rotate: Rotate,
}

/// Whether at once; what stood against it.
type Rotate = Arc<dyn Fn(bool) -> std::result::Result<(), String> + Send + Sync>;

/// Under `/dev`.
pub(super) fn router(playground: Playground) -> Router<AppState> {
    let Playground { wechat, rotate } = playground;
    let files = [
        ("style.css", include_str!("playground/style.css")),
        ("app.js", include_str!("playground/app.js")),
        ("jwt.js", include_str!("playground/jwt.js")),
        ("show.js", include_str!("playground/show.js")),
        ("words.js", include_str!("playground/words.js")),
    ];
    pages::page("/dev", include_str!("playground/index.html"), &files)
        .route("/dev/api/row", get(row))
        .route("/dev/api/keys", get(keys).post(new_key))
        .route("/dev/api/account", post(account))
        .layer(Extension(rotate))
        .nest_service("/dev/wechat", wechat)
}

/// An identity and its user as they stand in the database; the sealed columns in hexadecimal, as a thief would have them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    appid: String,
    openid: String,
    unionid: Option<String>,
    user_id: String,
    session_key: Envelope,
    session_key_tag: String,
    session_key_at: Timestamp,
    previous_session_key: Option<Envelope>,
    username: Option<String>,
    phone: Option<Envelope>,
    tokens_not_before: Option<Timestamp>,
}

/// A sealed value and what can be read of it without its key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    hex: String,
    key_id: String,
}

impl Envelope {
    fn of(sealed: &Sealed) -> Self {
        Self { hex: hex(sealed.as_bytes()), key_id: sealed.key_id().unwrap_or_default().to_owned() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `GET /dev/api/row`
async fn row(State(app): State<AppState>, LoggedIn(caller): LoggedIn) -> Result<Json<Row>> {
    let user = &caller.user;
    let identity = app.rooms.store.find_identity(user.id, &caller.app, None).await?;
    let identity = identity.ok_or(Code::NotFound)?;
    Ok(Json(Row {
        id: identity.id.to_string(),
        appid: caller.app.clone(),
        openid: identity.openid.expose().to_owned(),
        unionid: user.unionid.as_ref().map(|id| id.expose().to_owned()),
        user_id: user.id.to_string(),
        session_key: Envelope::of(&identity.session_key),
        session_key_tag: hex(&identity.session_key_tag),
        session_key_at: identity.session_key_at,
        previous_session_key: identity.previous_session_key.as_ref().map(Envelope::of),
        username: user.username.clone(),
        phone: user.phone.as_ref().map(Envelope::of),
        tokens_not_before: user.tokens_not_before,
    }))
}

#[derive(Serialize)]
struct Plan {
    now: Timestamp,
    keys: Vec<PlannedKey>,
}

#[derive(Serialize)]
struct PlannedKey {
    file: String,
    kid: String,
    alg: &'static str,
    signs: Option<Timestamp>,
    superseded: Option<Timestamp>,
    gone: Option<Timestamp>,
}

/// `GET /dev/api/keys`: what `wxgate keys plan` draws.
async fn keys(State(app): State<AppState>) -> Json<Plan> {
    let keys = app.rooms.tokens.plan().into_iter().map(|key| PlannedKey {
        file: key.file.display().to_string(),
        kid: key.kid,
        alg: key.alg,
        signs: key.signs,
        superseded: key.superseded,
        gone: key.gone,
    });
    Json(Plan { now: app.rooms.now(), keys: keys.collect() })
}

#[derive(Deserialize)]
struct NewKey {
    at_once: Option<bool>,
}

/// `POST /dev/api/keys {at_once}`
async fn new_key(
    Extension(rotate): Extension<Rotate>,
    app: State<AppState>,
    Body(wanted): Body<NewKey>,
) -> Result<(StatusCode, Json<Plan>)> {
    let made = tokio::task::spawn_blocking(move || rotate(wanted.at_once.unwrap_or(false))).await;
    match made {
        Ok(Ok(())) => Ok((StatusCode::CREATED, keys(app).await)),
        Ok(Err(why)) => Err(Error::from(Code::Internal).because(why)),
        Err(_) => Err(Error::from(Code::Internal).because("the task that makes a key panicked")),
    }
}

#[derive(Serialize)]
struct NewAccount {
    username: String,
    password: String,
}

/// `POST /dev/api/account`: as `wxgate account add` makes one.
async fn account(State(app): State<AppState>) -> Result<(StatusCode, Json<NewAccount>)> {
    let username = Username::of(&format!("dev-{}", hex(&random::bytes::<3>()))).ok_or(Code::Internal)?;
    let password = hex(&random::bytes::<6>());
    operator::add(&app.rooms, &username, &Password::new(&password)).await?;
    Ok((StatusCode::CREATED, Json(NewAccount { username: username.as_str().to_owned(), password })))
}
