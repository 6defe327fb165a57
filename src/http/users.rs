//! `/internal/v1/users` and below: what our own services may know of a user, and do. On the internal listener alone.

use axum::Json;
use axum::Router;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, post, put};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::AppState;
use super::body::Body;
use super::service::Service;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::flows::operator;
use crate::store::{Came, User};

mod find;

/// The routes.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/internal/v1/users", get(find::find))
        .route("/internal/v1/users/{id}", get(show))
        .route("/internal/v1/users/{id}/disable", post(disable))
        .route("/internal/v1/users/{id}/enable", post(enable))
        .route("/internal/v1/users/{id}/revoke", post(revoke))
        .route("/internal/v1/users/{id}/unlock", post(unlock))
        .route("/internal/v1/users/{id}/level", put(set_level))
}

/// A user, as services see one: no phone, no nickname, which they can ask their user for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    user_id: Uuid,
    /// 0 active, 1 disabled, 2 closed.
    status: i16,
    username: Option<String>,
    user_level: i16,
    register_time: Timestamp,
    /// Tokens that were issued until then don't count.
    tokens_ended_at: Option<Timestamp>,
    identities: Vec<Identity>,
}

/// For paying (openid), and for messages.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    app_id: String,
    openid: String,
    unionid: Option<String>,
    first_login_time: Timestamp,
    last_login_time: Timestamp,
}

async fn show(State(app): State<AppState>, service: Service, UserId(id): UserId) -> Result<Json<Shown>> {
    let (user, identities) = operator::show(&app.rooms, id, service.by()).await?;
    Ok(Json(shown(user, identities)))
}

async fn disable(State(app): State<AppState>, service: Service, UserId(id): UserId) -> Result<StatusCode> {
    operator::disable(&app.rooms, id, service.by()).await.map(|()| StatusCode::NO_CONTENT)
}

async fn enable(State(app): State<AppState>, service: Service, UserId(id): UserId) -> Result<StatusCode> {
    operator::enable(&app.rooms, id, service.by()).await.map(|()| StatusCode::NO_CONTENT)
}

async fn revoke(State(app): State<AppState>, service: Service, UserId(id): UserId) -> Result<StatusCode> {
    operator::revoke(&app.rooms, id, service.by()).await.map(|()| StatusCode::NO_CONTENT)
}

async fn unlock(State(app): State<AppState>, service: Service, UserId(id): UserId) -> Result<StatusCode> {
    operator::unlock(&app.rooms, id, service.by()).await.map(|()| StatusCode::NO_CONTENT)
}

/// `{level}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: Option<i64>,
}

async fn set_level(
    State(app): State<AppState>,
    service: Service,
    UserId(id): UserId,
    Body(body): Body<Level>,
) -> Result<StatusCode> {
    let level = body.level.ok_or_else(|| Error::missing("level"))?;
    operator::set_level(&app.rooms, id, level, service.by()).await.map(|()| StatusCode::NO_CONTENT)
}

/// The path's user.
struct UserId(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for UserId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = text.and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(|| {
            Error::invalid("id", "应为用户 ID（令牌中的 sub）", "must be a user id: a token's sub")
        })
    }
}

fn shown(user: User, identities: Vec<Came>) -> Shown {
    Shown {
        user_id: user.id,
        status: user.status.number(),
        username: user.username,
        user_level: user.level,
        register_time: user.created_at,
        tokens_ended_at: user.tokens_not_before,
        identities: identities
            .into_iter()
            .map(|came| Identity {
                app_id: came.app,
                openid: came.openid.expose().to_owned(),
                unionid: came.unionid.map(|id| id.expose().to_owned()),
                first_login_time: came.created_at,
                last_login_time: came.last_login_at,
            })
            .collect(),
    }
}
