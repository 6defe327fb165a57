//! Every address, once, with its documentation.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse as _;
use axum::routing::{any, get};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::front::{Front, Side};
use super::playground::Playground;
use super::{
    AppState, account, authz, console, decrypt, docs, health, keys, litemall, login, logout, me, password,
    phone, playground, revocations, users, wechat_session,
};
use crate::app::App;
use crate::error::{Code, Error};

/// The public side.
pub fn public(app: Arc<App>) -> Front {
    whole(app, Router::new())
}

/// The public side with the playground, for `wxgate dev`.
pub fn public_with(app: Arc<App>, page: Playground) -> Front {
    whole(app, playground::router(page))
}

fn whole(app: Arc<App>, more: Router<AppState>) -> Front {
    let state = AppState(app);
    let (native, openapi) = described().split_for_parts();
    // Not in the document: any method and any path below is the same question.
    let native = native
        .merge(docs::page(openapi))
        .merge(more)
        .route("/authz", any(authz::authz))
        .route("/authz/", any(authz::authz))
        .route("/authz/{*any}", any(authz::authz));
    let wx = closed(litemall::router());
    side(closed(native).nest(litemall::PREFIX, wx), state, Side::Public)
}

/// The internal side: never reachable from outside.
pub fn internal(app: Arc<App>) -> Front {
    let router = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .merge(users::router())
        .merge(console::router(&app));
    side(closed(router), AppState(app), Side::Internal)
}

/// The native doors with their OpenAPI document.
pub(super) fn described() -> OpenApiRouter<AppState> {
    let mut router = OpenApiRouter::with_openapi(docs::Document::openapi())
        .routes(routes!(login::login))
        .routes(routes!(password::login))
        .routes(routes!(account::register))
        .routes(routes!(logout::logout))
        .routes(routes!(me::show, me::change, me::close))
        .routes(routes!(account::bind, account::unbind))
        .routes(routes!(password::change))
        .routes(routes!(decrypt::decrypt))
        .routes(routes!(phone::set))
        .routes(routes!(wechat_session::check))
        .routes(routes!(wechat_session::reset))
        .routes(routes!(revocations::list))
        .routes(routes!(keys::jwks))
        .routes(routes!(keys::openid_configuration))
        .routes(routes!(keys::oauth_authorization_server));
    docs::complete(router.get_openapi_mut());
    router
}

/// What is answered where there is nothing.
fn closed(router: Router<AppState>) -> Router<AppState> {
    router
        .fallback(async || Error::from(Code::NotFound).into_response())
        .method_not_allowed_fallback(async || Error::from(Code::MethodNotAllowed).into_response())
}

fn side(doors: Router<AppState>, state: AppState, side: Side) -> Front {
    let limit = DefaultBodyLimit::max(state.config.http.body_limit);
    Front::of(state.clone(), doors.layer(limit).with_state(state), side)
}
