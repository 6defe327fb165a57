//! Faults on demand: what a request meets instead of, or before, the real endpoint.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State as AppState};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{State, endpoints, lock};

/// One fault: where, what, how often.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fault {
    /// The path it waits at; none: every one of WeChat's.
    pub path: Option<String>,
    /// Answer this much later.
    pub latency_ms: Option<u64>,
    /// Answer with this errcode.
    pub errcode: Option<i64>,
    /// Answer with this HTTP status (a 3xx leads to the simulator itself).
    pub http_status: Option<u16>,
    /// Answer with this body.
    pub body: Option<String>,
    /// Answer with a body of this many bytes.
    pub body_size: Option<usize>,
    /// Never answer.
    pub hang: bool,
    /// Close the connection without an answer.
    pub close: bool,
    /// So many requests meet it; none: all.
    pub times: Option<u64>,
}

/// Marks a response that must not be sent.
#[derive(Clone)]
pub(super) struct Closed;

/// Counts the call and lets it meet the first fault that waits for it.
pub(super) async fn inject(AppState(state): AppState<Arc<State>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    *lock(&state.calls).entry(path.clone()).or_insert(0) += 1;
    let Some(fault) = take(&state, &path) else { return next.run(request).await };
    if fault.hang {
        // Longer than anybody waits; not for ever, so that an abandoned one ends.
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    if let Some(latency) = fault.latency_ms {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    if fault.close {
        let mut response = StatusCode::OK.into_response();
        response.extensions_mut().insert(Closed);
        return response;
    }
    if let Some(errcode) = fault.errcode {
        return endpoints::sns_error(&state, errcode, "system error");
    }
    let status = fault.http_status.and_then(|status| StatusCode::from_u16(status).ok());
    let body = fault.body.map(Body::from).or_else(|| fault.body_size.map(filler));
    if status.is_none() && body.is_none() {
        return next.run(request).await;
    }
    let status = status.unwrap_or(StatusCode::OK);
    let mut response = (status, [(CONTENT_TYPE, "text/plain")], body.unwrap_or_default()).into_response();
    if status.is_redirection() {
        response.headers_mut().insert(LOCATION, axum::http::HeaderValue::from_static("/sns/jscode2session"));
    }
    response
}

/// A JSON string that doesn't end for a long while, in pieces: a large one costs no memory here.
fn filler(size: usize) -> Body {
    const PIECE: &[u8] = &[b'x'; 16 * 1024];
    let pieces = size.div_ceil(PIECE.len());
    let stream = (0..pieces).map(|_| Ok::<_, std::io::Error>(PIECE));
    Body::from_stream(futures_util::stream::iter(stream))
}

fn take(state: &State, path: &str) -> Option<Fault> {
    let mut faults = lock(&state.faults);
    let at = faults.iter().position(|fault| {
        fault.times != Some(0) && fault.path.as_deref().is_none_or(|wanted| wanted == path)
    })?;
    let fault = &mut faults[at];
    if let Some(times) = &mut fault.times {
        *times -= 1;
    }
    Some(fault.clone())
}
