//! wxgate: the auth gateway for WeChat mini-programs.
//!
//! # The way of a login
//!
//! 1. `POST /v1/login {code}` comes in at a door: [`http`] reads its shape, says from which address it is,
//!    and calls the flow (`http/login.rs`; litemall-style programs come in by `http/litemall.rs`).
//! 2. [`flows::login`] chooses the app and sends the code to WeChat …
//! 3. … by [`wechat`], which lets one code go upstream once, and answers who it was: openid, session_key.
//! 4. The [`vault`] seals the session_key for that user's row and no other.
//! 5. The [`store`] writes the login in one statement, or makes the user; constraints decide who was first.
//! 6. [`tokens`] sign a JWT with the key of the hour.
//! 7. Back at the door, the session becomes JSON. Any [`error::Error`] on the way is rendered there, and only there,
//!    in the form of the door it came in by.
//!
//! # The house
//!
//! Imports run downwards only; a test reads the `use` lines and holds it.
//!
//! | floor | rooms |
//! |---|---|
//! | top | [`http`] the doors · [`cli`] the commands |
//! | | [`app`] everything, built once from a configuration |
//! | | [`flows`] what the gateway does, one file a flow |
//! | | [`wechat`] its server API (and a simulator of it) · [`tokens`] · [`vault`] · [`store`] · [`throttle`] · [`tls`] |
//! | ground | [`clock`] · [`document`] · [`error`] · [`config`] · [`secret`] · [`telemetry`] |

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod document;
pub mod error;
pub mod flows;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod http;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod throttle;
pub mod tls;
pub mod tokens;
pub mod vault;
pub mod wechat;
