//! A service of orders that trusts wxgate's tokens: whoever brings a good one is known by their user id.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use wxgate_verify::{Bearer, Verifier};

/// The service's routes. The verifier is the state; a state of your own gives it by `FromRef`.
pub fn app(verifier: Verifier) -> Router {
    Router::new().route("/orders", get(orders)).route("/healthz", get(async || "ok\n")).with_state(verifier)
}

/// Naming `Bearer` is all it takes: without a good token this is never called.
async fn orders(Bearer(claims): Bearer) -> Json<Value> {
    Json(json!({ "user": claims.sub, "orders": [] }))
}
