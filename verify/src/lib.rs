//! Verifies wxgate's access tokens: the one path that the gateway and its sibling services share.
//!
//! A service wants a [`Verifier`] (feature `http`): it keeps the gateway's keys at hand and says what a token holds. With
//! feature `axum` there is an extractor, with `tower` a layer.
//!
//! ```no_run
//! # #[cfg(feature = "http")]
//! # async fn orders(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use wxgate_verify::Verifier;
//!
//! let verifier = Verifier::new("https://auth.example.com", "api")?;
//! let claims = verifier.verify(token).await?;
//! println!("orders of {}", claims.sub);
//! # Ok(())
//! # }
//! ```
//!
//! Below that, without any feature, is the decision alone: [`Claims`] are defined here, once. [`KeySet`] holds the
//! published keys (a JWKS), [`Expected`] says which issuer and audience a token must be for, and [`verify`] decides. No I/O
//! and no clock there: the caller brings both.
//!
//! What is refused beyond a bad signature, because libraries differ on it: padding and non-canonical base64url,
//! duplicate members in header or claims, any `crit`, a `kid` that isn't published, an `alg` other than the key's
//! own, the second form of an ES256 signature ([`low_s`]), and a missing or mistyped `iss`, `aud`, `sub`, `exp` or `iat`.

#[cfg(feature = "axum")]
mod axum;
mod claims;
#[cfg(any(feature = "axum", feature = "tower"))]
mod door;
#[cfg(feature = "verifier")]
mod feed;
#[cfg(feature = "verifier")]
mod freshness;
#[cfg(feature = "http")]
mod http_transport;
mod jws;
mod keys;
pub mod low_s;
#[cfg(feature = "verifier")]
mod revocations;
mod token;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "verifier")]
mod transport;
#[cfg(feature = "verifier")]
mod verifier;

#[cfg(feature = "axum")]
pub use axum::Bearer;
pub use claims::{Audience, Claims};
#[cfg(any(feature = "axum", feature = "tower"))]
pub use door::Denied;
pub use keys::{KeySet, KeySetError};
pub use token::{Expected, Refusal, check, verify};
#[cfg(feature = "tower")]
pub use tower::{Verified, VerifyLayer};
#[cfg(feature = "verifier")]
pub use transport::{Answer, Fetched, Request, Transport, TransportError, max_age};
#[cfg(feature = "verifier")]
pub use verifier::{Builder, Error, Status, Verifier};
