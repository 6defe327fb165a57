//! Documents that whoever has them needn't fetch again (RFC 9110 §13.1.2), in the form they can take (§12.5.3).

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::document::{Document, Form};

/// The JSON document, or 304 to who names the ETag of one of its forms.
pub(super) fn conditional(headers: &HeaderMap, document: &Document, cache: HeaderValue) -> Response {
    let gzip = document.gzip.as_ref().filter(|_| takes_gzip(headers));
    let form = gzip.unwrap_or(&document.plain);
    // By the name that is known: a cache freshens the form that it holds (RFC 9111 §4.3.4).
    let (form, mut response) = match known(headers, document, form) {
        Some(known) => (known, StatusCode::NOT_MODIFIED.into_response()),
        None => {
            let mut response = Response::new(Body::from(form.bytes.clone()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if gzip.is_some() {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            (form, response)
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

/// The form whose ETag is named, this one rather than the other.
fn known<'d>(headers: &HeaderMap, document: &'d Document, wanted: &'d Form) -> Option<&'d Form> {
    let named = |form: &Form| {
        items(headers, &IF_NONE_MATCH)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == form.etag)
    };
    let forms = [Some(wanted), Some(&document.plain), document.gzip.as_ref()];
    forms.into_iter().flatten().find(|form| named(form))
}

/// Whether gzip is named, and not with a quality of 0. `*` alone is no reason to compress.
fn takes_gzip(headers: &HeaderMap) -> bool {
    items(headers, &ACCEPT_ENCODING).any(|item| {
        let (name, rest) = item.split_once(';').unwrap_or((item, ""));
        let quality = rest.trim().strip_prefix(['q', 'Q']).and_then(|rest| rest.strip_prefix('='));
        let quality = quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case("gzip") && quality > 0.0
    })
}

fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lists = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
}
