//! Who is let in: so many from an address, and of each kind as many as can be served in time.
//!
//! Before the router, so that refusing costs next to nothing; what is answered from memory needs no leave.

use super::litemall;
use super::visitor::{Visitor, is_neighbour};
use crate::app::App;
use crate::error::Result;
use crate::flows::attempts::network;
use crate::telemetry;
use crate::throttle::{Admitted, Class};

/// A place for this request, where its kind of work has places.
///
/// # Errors
/// `too_many_requests` from this address, or `busy`.
pub(super) fn admit(app: &App, visitor: &Visitor, path: &str) -> Result<Option<Admitted>> {
    let Some(class) = class(path) else { return Ok(None) };
    if !is_neighbour(visitor.ip, &app.config.http.trusted_proxies) {
        app.addresses.admit(network(visitor.ip)).inspect_err(|_| telemetry::shed("address"))?;
    }
    app.admission.admit(class).map(Some)
}

/// What kind of work a request is, by its path; a path that leads nowhere is none.
fn class(path: &str) -> Option<Class> {
    if let Some(below) = path.strip_prefix(litemall::PREFIX) {
        return match below {
            "/login_by_weixin" => Some(Class::Login),
            "/login" | "/bind" | "/register" => Some(Class::Password),
            "/bindPhone" => Some(Class::Decrypt),
            "/info" | "/profile" | "/logout" => Some(Class::Bearer),
            _ => None,
        };
    }
    match path {
        "/v1/login" => Some(Class::Login),
        "/v1/login/password" | "/v1/accounts" | "/v1/me/account" | "/v1/me/password" => Some(Class::Password),
        "/v1/me/decrypt" | "/v1/me/phone" | "/v1/me/wechat-session" | "/v1/me/wechat-session/reset" => {
            Some(Class::Decrypt)
        }
        "/v1/me" | "/v1/logout" | "/v1/revocations" | "/authz" => Some(Class::Bearer),
        _ => path.starts_with("/authz/").then_some(Class::Bearer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi;

    #[test]
    fn every_door_that_asks_anybody_has_a_class() {
        let document: serde_json::Value = serde_json::to_value(openapi()).unwrap();
        let free = [
            "/.well-known/jwks.json",
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
        ];
        for path in document["paths"].as_object().unwrap().keys() {
            assert_eq!(class(path).is_none(), free.contains(&path.as_str()), "{path}");
        }
        for path in
            ["/login_by_weixin", "/login", "/bind", "/register", "/bindPhone", "/info", "/profile", "/logout"]
        {
            assert!(class(&format!("{}{path}", litemall::PREFIX)).is_some(), "{path}");
        }
    }
}
