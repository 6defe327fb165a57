//! The layer for tower services.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::door::admit;
use crate::verifier::Verifier;

/// Lets through only requests whose token counts, with their [`Claims`](crate::Claims) among the request's extensions.
#[derive(Debug, Clone)]
pub struct VerifyLayer(Verifier);

impl VerifyLayer {
    /// With this verifier.
    pub fn new(verifier: Verifier) -> Self {
        Self(verifier)
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verified<S>;

    fn layer(&self, inner: S) -> Verified<S> {
        Verified { inner, verifier: self.0.clone() }
    }
}

/// A service behind [`VerifyLayer`].
#[derive(Debug, Clone)]
pub struct Verified<S> {
    inner: S,
    verifier: Verifier,
}

impl<S, B, R> Service<Request<B>> for Verified<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The service that was found ready, not its clone.
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone);
        let verifier = self.verifier.clone();
        Box::pin(async move {
            match admit(&verifier, request.headers()).await {
                Ok(claims) => {
                    request.extensions_mut().insert(claims);
                    ready.call(request).await
                }
                Err(denied) => Ok(denied.response()),
            }
        })
    }
}
