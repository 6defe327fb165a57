//! Documents that whoever has them needn't fetch again (RFC 9110 §13.1.2).

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// The JSON document, or 304 to who names its ETag (quotes included).
pub(super) fn conditional(headers: &HeaderMap, etag: &str, cache: HeaderValue, json: &[u8]) -> Response {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let fresh = known.flat_map(|list| list.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    });
    let etag = HeaderValue::from_str(etag).unwrap_or(HeaderValue::from_static(""));
    let shared = [(CACHE_CONTROL, cache), (ETAG, etag)];
    if fresh {
        return (StatusCode::NOT_MODIFIED, shared).into_response();
    }
    (shared, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json.to_vec()).into_response()
}
