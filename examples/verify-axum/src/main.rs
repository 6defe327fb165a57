//! `verify-axum ISSUER AUDIENCE ADDRESS`, e.g. `verify-axum http://127.0.0.1:8080 api 127.0.0.1:3000`

use std::time::Duration;

use wxgate_verify::Verifier;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [issuer, audience, address] = arguments.as_slice() else {
        return Err("usage: verify-axum ISSUER AUDIENCE ADDRESS".into());
    };
    // Somebody who has logged out is refused within seconds, rather than at their token's end.
    let verifier = Verifier::builder(issuer, audience).revocations(Duration::from_secs(10)).build()?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, verify_axum::app(verifier)).await?;
    Ok(())
}
