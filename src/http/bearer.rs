//! Proves in a handler's signature that somebody is logged in.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::AppState;
use crate::error::{Code, Error};
use crate::flows::session::{self, Caller};
use crate::secret::AccessToken;

/// The user whose token came with the request, and the app they came through.
pub(super) struct LoggedIn(pub(super) Caller);

impl FromRequestParts<AppState> for LoggedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Error> {
        let token = token(&parts.headers, &app.config.tokens.accept_headers)?;
        session::caller(&app.rooms, &token).await.map(Self)
    }
}

/// The first of the configured headers that carries something. Authorization wants its scheme (RFC 6750 §2.1); the
/// others carry the token alone, as their programs send it.
pub(super) fn token(headers: &HeaderMap, accepted: &[String]) -> Result<AccessToken, Error> {
    for name in accepted {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { continue };
        if values.next().is_some() {
            // A proxy before us or a service behind it might go by the other one.
            return Err(Error::from(Code::TokenInvalid).because("the header that carries it came twice"));
        }
        let Ok(value) = value.to_str() else { return Err(Code::TokenInvalid.into()) };
        let value = value.trim();
        let (scheme, rest) = match value.split_once(' ') {
            Some((scheme, rest)) => (scheme, rest.trim()),
            None if value.eq_ignore_ascii_case("Bearer") => ("Bearer", ""),
            None => ("", value),
        };
        // Programs that have no token yet send what their storage gave them: '' or the word undefined.
        if matches!(rest, "" | "undefined" | "null") {
            continue;
        }
        match scheme {
            "" if name.eq_ignore_ascii_case("authorization") => {
                return Err(Error::from(Code::TokenInvalid).with_detail(
                    "Authorization 的值应为 \"Bearer \" 加 token。",
                    "Authorization takes the word Bearer, a space, and the token.",
                ));
            }
            "" => return Ok(AccessToken::new(rest)),
            scheme if scheme.eq_ignore_ascii_case("Bearer") => return Ok(AccessToken::new(rest)),
            // Another scheme is for somebody else on the way.
            _ => {}
        }
    }
    Err(Code::TokenMissing.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let accepted = ["Authorization".to_owned(), "X-Litemall-Token".to_owned()];
        token(&headers, &accepted).map(|token| token.expose().to_owned()).map_err(|error| error.code)
    }

    #[test]
    fn a_token_comes_as_bearer_or_bare_in_its_own_header_and_nothing_else_counts_as_one() {
        assert_eq!(read(&[("authorization", "Bearer abc")]), Ok("abc".into()));
        assert_eq!(read(&[("authorization", "bearer  abc ")]), Ok("abc".into()));
        assert_eq!(read(&[("x-litemall-token", "abc")]), Ok("abc".into()));
        assert_eq!(read(&[("authorization", "Basic eA=="), ("x-litemall-token", "abc")]), Ok("abc".into()));
        assert_eq!(read(&[("authorization", "abc")]), Err(Code::TokenInvalid), "the word Bearer is missing");
        for nothing in ["", "undefined", "null", "Bearer", "Bearer ", "Bearer undefined", "Basic eA=="] {
            assert_eq!(read(&[("authorization", nothing)]), Err(Code::TokenMissing), "{nothing:?}");
        }
        assert_eq!(read(&[]), Err(Code::TokenMissing));
        for twice in ["authorization", "x-litemall-token"] {
            assert_eq!(read(&[(twice, "Bearer abc"), (twice, "Bearer abc")]), Err(Code::TokenInvalid));
        }
    }
}
