//! `/console/`: the admin page of the internal listener, and what it asks besides `/internal/v1/users`.
//!
//! The page is the same for everybody and holds nothing. Its script asks whoever looks for a service's credential and sends
//! that along as any service does, so that there is no second way in, and no cookie that another page could ride on.

use std::borrow::Cow;

use axum::Router;
use axum::routing::get;

use super::{AppState, pages};
use crate::app::App;

mod column_keys;
mod keys;
mod overview;

const DOCUMENT: &str = include_str!("console/index.html");

/// The page and its routes.
pub(super) fn router(app: &App) -> Router<AppState> {
    let files = [
        ("style.css", include_str!("console/style.css")),
        ("app.js", include_str!("console/app.js")),
        ("ask.js", include_str!("console/ask.js")),
        ("pictures.js", include_str!("console/pictures.js")),
        ("users.js", include_str!("console/users.js")),
        ("words.js", include_str!("console/words.js")),
    ];
    // Whoever can't get in because nobody has a credential is told how to make one: a wrong one's refusal says as much.
    let document = if app.config.internal.credentials.is_empty() {
        Cow::Owned(DOCUMENT.replace("<html ", "<html data-credentials=\"none\" "))
    } else {
        Cow::Borrowed(DOCUMENT)
    };
    pages::page("/console", document, &files)
        .route("/internal/v1/overview", get(overview::show))
        .route("/internal/v1/column-keys", get(column_keys::count))
}
