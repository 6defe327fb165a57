//! A service's door: the token from the request, and the answer to one that doesn't count.

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::claims::Claims;
use crate::token::Refusal;
use crate::verifier::{Error, Verifier};

/// Why a request was turned away. The caller learns no more than missing, invalid or expired; [`Denied::error`] is for the
/// log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// There is no `Authorization: Bearer`.
    Missing,
    /// There is one, and it isn't accepted.
    Error(Error),
}

impl Denied {
    /// What the log should say.
    pub fn error(&self) -> String {
        match self {
            Self::Missing => "no Authorization: Bearer came".to_owned(),
            Self::Error(error) => error.to_string(),
        }
    }

    /// 401 with the challenge of RFC 6750 §3, or 503 as long as there are no keys; the body is RFC 9457's problem details.
    pub fn response<B: From<String>>(&self) -> Response<B> {
        let (status, code, title) = match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, "token_missing", "Please log in"),
            Self::Error(Error::Refused(Refusal::Expired)) => {
                (StatusCode::UNAUTHORIZED, "token_expired", "This login has expired; please log in again")
            }
            Self::Error(Error::Refused(_)) => {
                (StatusCode::UNAUTHORIZED, "token_invalid", "This token does not count; please log in again")
            }
            Self::Error(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy", "Tokens can't be verified just now; try again")
            }
        };
        // Fixed texts: nothing in them needs escaping.
        let body = format!(
            r#"{{"type":"urn:wxgate:error:{code}","title":"{title}","status":{},"code":"{code}"}}"#,
            status.as_u16()
        );
        let mut response = Response::new(B::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match code {
            "token_missing" => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            "token_expired" => headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(r#"Bearer error="invalid_token", error_description="expired""#),
            ),
            "token_invalid" => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer error="invalid_token""#))
            }
            _ => headers.insert(RETRY_AFTER, HeaderValue::from_static("3")),
        };
        response
    }
}

/// What the request's token says, if it counts.
pub(crate) async fn admit(verifier: &Verifier, headers: &HeaderMap) -> Result<Claims, Denied> {
    let token = bearer(headers)?;
    verifier.verify(token).await.map_err(Denied::Error)
}

/// The one token of a request (RFC 6750 §2.1). Two are none: proxies disagree on which of them counts.
fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
    let refused = |rule| Err(Denied::Error(Refusal::Malformed(rule).into()));
    match (first, second) {
        (None, _) => Err(Denied::Missing),
        (_, Some(_)) => refused("two Authorization headers"),
        (Some(value), None) => {
            let Ok(text) = value.to_str() else { return refused("Authorization is no text") };
            match text.trim().split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.trim()),
                _ => Err(Denied::Missing),
            }
        }
    }
}
