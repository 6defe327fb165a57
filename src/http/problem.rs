//! Errors at the native doors: RFC 9457 problem details, in the visitor's language.

use axum::http::header::{CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::visitor::Visitor;
use crate::error::{Code, Error};

/// What an error's answer has: what `dress` and `Visit` give it.
const HEADERS: usize = 8;

/// Bytes of most problems.
const BODY: usize = 512;

/// RFC 9457 problem details (`application/problem+json`).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem<'p> {
    /// Names the kind of problem: `urn:wxgate:error:` and the code.
    #[schema(example = "urn:wxgate:error:wechat_code_used")]
    r#type: &'p str,
    /// A few words, in the language of Accept-Language (Chinese or English).
    #[schema(example = "登录凭证 code 已被使用")]
    title: &'p str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What to compare in code; docs/errors.md lists them all.
    #[schema(example = "wechat_code_used")]
    code: &'p str,
    /// What to do now.
    #[schema(example = "每个 code 只能用一次，请重新调用 wx.login。")]
    detail: &'p str,
    /// Give it to whoever runs the server: it finds the log line.
    #[schema(example = "4f2a0c8e1d3b4a6f9e7c5d2b8a1f0e3c")]
    request_id: &'p str,
}

impl IntoResponse for Error {
    /// Only the status yet; the door that answers renders the rest, because it knows the visitor.
    fn into_response(self) -> Response {
        let mut response = status(&self).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The same answer; if it is an error that no door has rendered, with its body.
pub(super) fn rendered(mut response: Response, visitor: &Visitor) -> Response {
    let extensions = response.extensions();
    if extensions.get::<Rendered>().is_some() {
        return response;
    }
    let Some(error) = extensions.get::<Error>().cloned() else { return response };
    dress(&mut response, &error, visitor);
    response
}

/// The whole answer, for one that no door will see: of an overload there are more of these than of anything else.
pub(super) fn answer(error: &Error, visitor: &Visitor) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status(error);
    response.headers_mut().reserve(HEADERS);
    dress(&mut response, error, visitor);
    response
}

fn dress(response: &mut Response, error: &Error, visitor: &Visitor) {
    let language = visitor.language;
    let (title, detail) = (error.code.title(), error.advice());
    let problem = Problem {
        r#type: error.code.urn(),
        title: language.pick(&title),
        status: error.code.status(),
        code: error.code.as_str(),
        detail: language.pick(&detail),
        request_id: &visitor.request_id,
    };
    let mut body = Vec::with_capacity(BODY);
    // Nothing in it can't be written.
    let _ = serde_json::to_writer(&mut body, &problem);
    *response.body_mut() = body.into();
    let headers = response.headers_mut();
    // The router's, for the body that it saw.
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(challenge) = challenge(error.code) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
}

/// Marks an error that already has its door's form.
#[derive(Clone)]
pub(super) struct Rendered;

/// RFC 6750 §3: no error attribute where no token came.
fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::TokenMissing | Code::ServiceUnauthorized => Some("Bearer"),
        Code::TokenExpired => Some(r#"Bearer error="invalid_token", error_description="expired""#),
        Code::TokenInvalid => Some(r#"Bearer error="invalid_token""#),
        _ => None,
    }
}
