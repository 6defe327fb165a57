//! Documents that whoever has them needn't fetch again (RFC 9110 §13.1.2), in the form they can take (§12.5.3).

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::document::Document;

/// The JSON document, or 304 to who names the ETag of one of its forms.
pub(super) fn conditional(headers: &HeaderMap, document: &Document, cache: HeaderValue) -> Response {
    let gzip = document.gzip.as_ref().filter(|_| takes_gzip(headers));
    let form = gzip.unwrap_or(&document.plain);
    let mut response = match known(headers, document) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let mut response = Response::new(Body::from(form.bytes.clone()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if gzip.is_some() {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
    };
    let etag = HeaderValue::from_str(&form.etag).unwrap_or(HeaderValue::from_static(""));
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response.headers_mut().insert(ETAG, etag);
    if document.gzip.is_some() {
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    response
}

fn known(headers: &HeaderMap, document: &Document) -> bool {
    let forms = || [Some(&document.plain), document.gzip.as_ref()].into_iter().flatten();
    items(headers, &IF_NONE_MATCH).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || forms().any(|form| form.etag == tag)
    })
}

/// Whether gzip is named, and not with a quality of 0. `*` alone is no reason to compress.
fn takes_gzip(headers: &HeaderMap) -> bool {
    items(headers, &ACCEPT_ENCODING).any(|item| {
        let (name, rest) = item.split_once(';').unwrap_or((item, ""));
        let quality = rest.trim().strip_prefix("q=").and_then(|quality| quality.parse().ok()).unwrap_or(1.0);
        matches!(name.trim(), "gzip" | "x-gzip") && quality > 0.0
    })
}

fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
}
