//! The extractor for axum 0.8.

use axum_core::body::Body;
use axum_core::extract::{FromRef, FromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::claims::Claims;
use crate::door::{Denied, admit};
use crate::verifier::Verifier;

/// Proves in a handler's signature that somebody is logged in, and who. The state must give a [`Verifier`]
/// (`FromRef`, which a state that is one does by itself).
#[derive(Debug, Clone)]
pub struct Bearer(pub Claims);

impl<S> FromRequestParts<S> for Bearer
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Denied> {
        admit(&Verifier::from_ref(state), &parts.headers).await.map(Self)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        self.response::<Body>()
    }
}
