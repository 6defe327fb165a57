//! What stands before the router: says who is asking, answers from memory what can be, and has the doors answer the rest.
//!
//! One frame around all doors, rather than a layer of axum's for each of its parts: those are copied and boxed for every
//! request, which cost as much as a bearer's check.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use axum::{BoxError, Router};
use futures_util::future::{BoxFuture, Either, FutureExt as _};
use tokio::time::Instant;
use tower_service::Service;
use tracing::Instrument as _;

use super::visitor::{Visit, Visitor};
use super::{AppState, authz, gate, keys, litemall, problem};
use crate::app::App;
use crate::error::{Code, Error};
use crate::throttle::Admitted;

/// One side of the gateway.
#[derive(Clone)]
pub struct Front {
    app: AppState,
    router: Router,
    side: Side,
}

/// Which.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Public,
    Internal,
}

/// At once, or by a door.
pub(super) type Answer =
    Either<Ready<Result<Response, Infallible>>, BoxFuture<'static, Result<Response, Infallible>>>;

impl Front {
    pub(super) fn of(app: AppState, router: Router, side: Side) -> Self {
        Self { app, router: router.layer(Routed), side }
    }

    /// Answers a request of `peer`'s; where nothing says whose it is there is none. `told` belongs to its connection.
    pub(super) fn answer<B>(&self, request: Request<B>, peer: Option<IpAddr>, told: &Told) -> Answer
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let begin = || Visit::begin(&self.app, &request, peer);
        let visit = begin();
        if self.side == Side::Internal {
            return self.clone().by_a_door(request.map(Body::new), visit, false, None);
        }
        // A panic here would take the connection along; the router's task catches it.
        let known = catch_unwind(AssertUnwindSafe(|| self.known(&request, visit)));
        let visit = match known.unwrap_or_else(|_| Either::Right(begin())) {
            Either::Left(answer) => return Either::Left(ready(Ok(answer))),
            Either::Right(visit) => visit,
        };
        let path = request.uri().path();
        let wx = is_litemalls(path);
        match gate::admit(&self.app, &visit.visitor, path) {
            Ok(admitted) => self.clone().by_a_door(request.map(Body::new), visit, wx, admitted),
            // Nothing of the request is kept, nor made for it.
            Err(refused) => turned_away(visit, refused, wx, told),
        }
    }

    /// The two questions that are asked most. Whatever can't be said here, where the database has to be asked, goes to the
    /// router, whose doors say the same.
    fn known<B>(&self, request: &Request<B>, visit: Visit) -> Either<Response, Visit> {
        let (headers, path) = (request.headers(), request.uri().path());
        if path == keys::JWKS && request.method() == Method::GET {
            return Either::Left(visit.end(keys::published(&self.app, headers), keys::JWKS));
        }
        let Some(route) = authz::route(path) else { return Either::Right(visit) };
        let Some(answer) = authz::known(&self.app, headers) else { return Either::Right(visit) };
        let answer = problem::rendered(answer.into_response(), &visit.visitor);
        Either::Left(visit.end(answer, route))
    }

    fn by_a_door(
        mut self,
        mut request: Request,
        visit: Visit,
        wx: bool,
        admitted: Option<Admitted>,
    ) -> Answer {
        let (app, route) = (self.app.clone(), Route::default());
        request.extensions_mut().insert(visit.visitor.clone());
        request.extensions_mut().insert(route.clone());
        let answering = self.router.call(request).map(|Ok(answer)| answer);
        let answer = async move {
            let learning = app.clone();
            let work = async move {
                match admitted {
                    Some(admitted) => learning.admission.learn(admitted, answering).await,
                    None => answering.await,
                }
            };
            let answer =
                apart(&app, work.instrument(visit.span.clone())).await.unwrap_or_else(Error::into_response);
            let answer = in_form(answer, wx, &visit.visitor);
            Ok(visit.end(answer, route.0.get().map_or("-", MatchedPath::as_str)))
        };
        Either::Right(answer.boxed())
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // Served by axum's own server, a connection says whose it is this way.
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        self.answer(request, peer, &Told::default())
    }
}

/// Whether it is a path of litemall's contract.
fn is_litemalls(path: &str) -> bool {
    path.strip_prefix(litemall::PREFIX).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// Tells one who wasn't let in: at once, or after a while where its connection has asked again at once.
fn turned_away(visit: Visit, refused: Error, wx: bool, told: &Told) -> Answer {
    let answer = if wx {
        in_form(refused.clone().into_response(), wx, &visit.visitor)
    } else {
        problem::answer(&refused, &visit.visitor)
    };
    let Some(wait) = told.again() else {
        return Either::Left(ready(Ok(visit.turned_away(answer, &refused))));
    };
    let held = async move {
        tokio::time::sleep(wait).await;
        Ok(visit.turned_away(answer, &refused))
    };
    Either::Right(held.boxed())
}

/// An error gets the form of the door that it goes out by.
fn in_form(answer: Response, wx: bool, visitor: &Visitor) -> Response {
    problem::rendered(if wx { litemall::render(answer) } else { answer }, visitor)
}

/// Does the work in a task of its own. A client that leaves, or the deadline, ends the waiting and not the work: a
/// transaction dropped in the middle of its BEGIN would go back to the pool open, and a code dropped on its way to
/// WeChat could go there twice. Each piece of work has bounds of its own: `wechat.timeout`, the database's for a connection, a
/// lock and a statement, a batch's.
async fn apart<T: Send + 'static>(
    app: &App,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    let mut working = tokio::spawn(work);
    match tokio::time::timeout(app.config.http.request_timeout, &mut working).await {
        Ok(Ok(done)) => Ok(done),
        // The panic hook has said where.
        Ok(Err(_)) => Err(Error::from(Code::Internal).because("a panic")),
        Err(_) => {
            tokio::spawn(async move {
                if tokio::time::timeout(FORGOTTEN, &mut working).await.is_err() {
                    working.abort();
                }
            });
            Err(Error::from(Code::RequestTimeout).because("longer than http.request_timeout"))
        }
    }
}

/// So often a connection is told that there is no place, at the most.
const HELD: Duration = Duration::from_millis(200);

/// When a connection was last told that there is no place, in milliseconds since some beginning; or will be, where it is held.
///
/// Whoever is turned away is told at once, which costs the least. Who asks again at once would be the overload: that one is held
/// a while, which costs us little, and them the hurry.
#[derive(Default)]
pub(super) struct Told(AtomicU64);

impl Told {
    /// It is to be told now; or so long it is held before.
    fn again(&self) -> Option<Duration> {
        static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
        self.again_at(u64::try_from(FIRST.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn again_at(&self, now: u64) -> Option<Duration> {
        let held = u64::try_from(HELD.as_millis()).unwrap_or(u64::MAX);
        // Never 0, which is a connection that was never told.
        let now = now.saturating_add(1);
        let before = self.0.load(Ordering::Relaxed);
        let wait = if before == 0 { 0 } else { before.saturating_add(held).saturating_sub(now).min(held) };
        self.0.store(now.saturating_add(wait), Ordering::Relaxed);
        (wait > 0).then(|| Duration::from_millis(wait))
    }
}

/// So long work goes on that nobody waits for. Whatever is asked has answered by its own bounds then, or is gone, and its
/// connection with it, which is looked at before another uses it.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// The route that a request took, for its log line: known inside the router only.
#[derive(Clone, Default)]
struct Route(Arc<OnceLock<MatchedPath>>);

/// The layer that notes it.
#[derive(Clone)]
struct Routed;

impl<S> tower_layer::Layer<S> for Routed {
    type Service = Noting<S>;

    fn layer(&self, door: S) -> Noting<S> {
        Noting(door)
    }
}

#[derive(Clone)]
struct Noting<S>(S);

impl<S: Service<Request>> Service<Request> for Noting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let extensions = request.extensions();
        if let (Some(route), Some(path)) = (extensions.get::<Route>(), extensions.get::<MatchedPath>()) {
            // Once: a route is matched once.
            let _ = route.0.set(path.clone());
        }
        self.0.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_turned_away_is_told_at_once_and_whoever_asks_again_at_once_is_held() {
        let told = Told::default();
        let again = |now| told.again_at(now).map_or(0, |wait| wait.as_millis());
        assert_eq!(again(0), 0, "the first time");
        assert_eq!(again(300), 0, "who waited");
        assert_eq!(again(301), 199, "who didn't: told at 500");
        // Others of the same connection, as a proxy's has: nobody is held for longer.
        assert_eq!((again(302), again(303)), (200, 200));
        assert_eq!(again(10_000), 0);
    }
}
