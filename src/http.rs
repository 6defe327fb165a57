//! The doors: routes, extractors, rendering. The only room (with WeChat's simulator) that knows axum.
//!
//! A door reads the shape of a request, calls one flow, and renders what comes of it. It decides nothing.
//! `routes` lists every address; each endpoint is whole in one file; errors become bytes in `problem` (native doors)
//! and `litemall` (`/wx`) and nowhere else.

mod account;
mod authz;
mod bearer;
mod body;
mod conditional;
mod connection;
mod console;
mod decrypt;
mod docs;
mod front;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod gate;
mod health;
mod keys;
mod language;
mod litemall;
mod login;
mod logout;
mod me;
mod pages;
mod password;
mod phone;
mod places;
mod playground;
mod problem;
mod revocations;
mod routes;
mod serve;
mod service;
mod users;
mod visitor;
mod wechat_session;

use std::ops::Deref;
use std::sync::Arc;

use crate::app::App;

pub use docs::openapi;
pub use front::Front;
pub use playground::Playground;
pub use routes::{internal, public, public_with};
pub use serve::serve;

/// The App, as a handler asks for it.
#[derive(Clone)]
pub struct AppState(pub Arc<App>);

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}
