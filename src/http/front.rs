//! What stands before the router: the two questions that are asked most, answered from memory.
//!
//! The router and the frame around its doors cost more than these answers do. Whatever can't be said here, where the database
//! has to be asked, by another method, goes to the router, whose doors say the same.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use axum::routing::future::RouteFuture;
use futures_util::future::Either;
use tower_service::Service;

use super::visitor::Visit;
use super::{AppState, authz, keys, problem};

/// The public side.
#[derive(Clone)]
pub struct Front {
    app: AppState,
    router: Router,
}

impl Front {
    pub(super) fn of(app: AppState, router: Router) -> Self {
        Self { app, router }
    }

    fn answer(&self, request: &Request) -> Option<Response> {
        let (headers, path) = (request.headers(), request.uri().path());
        if path == keys::JWKS && request.method() == Method::GET {
            let visit = Visit::begin(&self.app, request, keys::JWKS);
            return Some(visit.end(keys::published(&self.app, headers)));
        }
        let route = authz::route(path)?;
        let visit = Visit::begin(&self.app, request, route);
        let answer = authz::known(&self.app, headers)?.into_response();
        let answer = problem::rendered(answer, &visit.visitor);
        Some(visit.end(answer))
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.answer(&request) {
            Some(answer) => Either::Left(ready(Ok(answer))),
            None => Either::Right(self.router.call(request)),
        }
    }
}
