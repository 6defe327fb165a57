//! Every address, once, with its documentation.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{self, Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::front::Front;
use super::playground::Playground;
use super::{
    AppState, account, authz, decrypt, docs, health, keys, litemall, login, logout, me, password, phone,
    playground, problem, revocations, users, visitor, wechat_session,
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
    let wx = guarded(litemall::router(), &state).layer(middleware::map_response(litemall::render));
    let all = guarded(native, &state).nest("/wx/auth", wx);
    let limit = DefaultBodyLimit::max(state.config.http.body_limit);
    let router = framed(all.layer(limit), &state);
    Front::of(state, router)
}

/// The internal side: never reachable from outside.
pub fn internal(app: Arc<App>) -> Router {
    let state = AppState(app);
    let router = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .merge(users::router())
        .layer(DefaultBodyLimit::max(state.config.http.body_limit));
    framed(guarded(router, &state), &state)
}

/// The native doors with their OpenAPI document.
pub(super) fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(docs::Document::openapi())
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
        .routes(routes!(keys::oauth_authorization_server))
}

/// What every door answers with when there is nothing, when it takes too long, and when something breaks.
fn guarded(router: Router<AppState>, state: &AppState) -> Router<AppState> {
    router
        .fallback(async || Error::from(Code::NotFound).into_response())
        .method_not_allowed_fallback(async || Error::from(Code::MethodNotAllowed).into_response())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), in_time))
}

/// What goes around all doors: who is asking, one line in the log, errors rendered.
fn framed(router: Router<AppState>, state: &AppState) -> Router {
    router
        .layer(from_fn(problem::render))
        .layer(from_fn_with_state(state.clone(), visitor::introduce))
        .with_state(state.clone())
}

/// Runs the request as a task of its own, but for doors that answer from memory: a task costs as much as they do.
async fn in_time(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if route.starts_with("/.well-known/") || route.starts_with("/authz") {
        return next.run(request).await;
    }
    apart(&app, next.run(request)).await.unwrap_or_else(IntoResponse::into_response)
}

/// Does the work in a task of its own. A client that leaves, or the deadline, ends the waiting and not the work: a
/// transaction dropped in the middle of its BEGIN would go back to the pool open, and a code dropped on its way to
/// WeChat could go there twice. Each piece of work has bounds of its own (`wechat.timeout`, the database's).
pub(super) async fn apart<T: Send + 'static>(
    app: &App,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    match tokio::time::timeout(app.config.http.request_timeout, tokio::spawn(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Error::from(Code::Internal).because("a panic")),
        Err(_) => Err(Error::from(Code::RequestTimeout).because("longer than http.request_timeout")),
    }
}

/// The panic hook has said where.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Error::from(Code::Internal).because("a panic").into_response()
}
