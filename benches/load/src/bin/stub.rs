//! `stub ADDRESS [MILLISECONDS]`: WeChat's jscode2session as cheap as it can be, so that what is measured is what asks it. A
//! code `alice-1` is a login of alice; each takes so many milliseconds. The simulator keeps people and spends codes, which
//! costs more than a login does.

use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Asked {
    js_code: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: stub ADDRESS [MILLISECONDS]")?;
    let latency = Duration::from_millis(arguments.next().map_or(Ok(0), |text| text.parse())?);
    let router = Router::new().route("/sns/jscode2session", get(session)).with_state(latency);
    let listener = tokio::net::TcpListener::bind(address).await?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}

async fn session(State(latency): State<Duration>, Query(asked): Query<Asked>) -> impl IntoResponse {
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let openid = asked.js_code.split('-').next().unwrap_or_default();
    // One session_key a user, as WeChat gives within its period.
    let mut key = [7_u8; 16];
    for (byte, letter) in key.iter_mut().zip(openid.bytes().rev()) {
        *byte = letter;
    }
    let body = format!(r#"{{"session_key":"{}","openid":"{openid}"}}"#, STANDARD.encode(key));
    ([(CONTENT_TYPE, "text/plain")], body)
}
