//! Verifies wxgate's access tokens: the one path that the gateway and its sibling services share.
//!
//! [`Claims`] are defined here, once. [`KeySet`] holds the published keys (a JWKS), [`Expected`] says which issuer
//! and audience a token must be for, and [`verify`] decides. No I/O and no clock: the caller brings both.
//!
//! What is refused beyond a bad signature, because libraries differ on it: padding and non-canonical base64url,
//! duplicate members in header or claims, any `crit`, a `kid` that isn't published, an `alg` other than the key's
//! own, and a missing or mistyped `iss`, `aud`, `sub`, `exp` or `iat`.

mod claims;
mod jws;
mod keys;
mod verifier;

pub use claims::{Audience, Claims};
pub use keys::{KeySet, KeySetError};
pub use verifier::{Expected, Refusal, verify};
