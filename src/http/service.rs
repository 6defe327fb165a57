//! Proves in a handler's signature that one of our own services asks, by a credential of `[internal]`.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::AppState;
use super::visitor::Visitor;
use crate::config::Credential;
use crate::error::{Code, Error};
use crate::flows::operator::By;

/// A service at the internal listener.
pub(super) struct Service {
    /// Its credential's name.
    name: String,
    visitor: Visitor,
}

impl Service {
    /// As flows and the audit log want it.
    pub(super) fn by(&self) -> By<'_> {
        By::Service { name: &self.name, ip: self.visitor.ip }
    }
}

impl FromRequestParts<AppState> for Service {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Error> {
        let name = of(&parts.headers, &app.config.internal.credentials)?;
        Ok(Self { name, visitor: Visitor::from_request_parts(parts, app).await? })
    }
}

/// Whose credential came. Compared by digest, all of them whichever fits: neither a length nor a place in the list shows in
/// the time it takes.
fn of(headers: &HeaderMap, credentials: &[Credential]) -> Result<String, Error> {
    if credentials.is_empty() {
        let error = Error::from(Code::ServiceUnauthorized).because("internal.credentials is empty");
        return Err(error.with_detail(
            "未配置任何服务凭证：请在配置项 internal.credentials 中添加。",
            "No service has a credential: add one to the setting internal.credentials.",
        ));
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Code::ServiceUnauthorized.into());
    };
    let given =
        value.as_bytes().split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
    let (_, given) = given.ok_or(Code::ServiceUnauthorized)?;
    let given = digest(&SHA256, given.trim_ascii());
    let mut found = None;
    for credential in credentials {
        let wanted = digest(&SHA256, credential.bearer.expose().as_bytes());
        if verify_slices_are_equal(given.as_ref(), wanted.as_ref()).is_ok() {
            found = Some(&credential.name);
        }
    }
    found.cloned().ok_or_else(|| Error::from(Code::ServiceUnauthorized).because("no credential fits"))
}
