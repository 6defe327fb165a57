//! The pages that are compiled in: the headers that keep everything else out of them, and the two files that they share.

use std::borrow::Cow;

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;

use super::AppState;

/// Nothing from elsewhere, nothing that the page doesn't bring as a file, nothing that makes text into markup, and no frame
/// around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// A page at `place`, which begins with a slash and ends without one: its document, and its scripts and styles by name.
pub(super) fn page(
    place: &'static str,
    document: impl Into<Cow<'static, str>>,
    files: &[(&'static str, &'static str)],
) -> Router<AppState> {
    let shared = [("base.css", include_str!("pages/base.css")), ("el.js", include_str!("pages/el.js"))];
    let (below, document) = (format!("{place}/"), document.into());
    let redirect = below.clone();
    let router = Router::new()
        .route(place, get(async move || Redirect::permanent(&redirect)))
        .route(&below, get(async move || asset("text/html; charset=utf-8", document)));
    files.iter().copied().chain(shared).fold(router, |router, (name, text)| {
        let kind = if name.ends_with(".css") { "text/css" } else { "text/javascript; charset=utf-8" };
        router.route(&format!("{below}{name}"), get(async move || asset(kind, Cow::Borrowed(text))))
    })
}

fn asset(kind: &'static str, text: Cow<'static, str>) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 6] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text)
}
