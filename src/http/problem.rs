//! Errors at the native doors: RFC 9457 problem details, in the visitor's language.

use axum::Json;
use axum::http::header::{CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::visitor::Visitor;
use crate::error::{Code, Error};

/// RFC 9457 problem details (`application/problem+json`).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem<'p> {
    /// Names the kind of problem: `urn:wxgate:error:` and the code.
    #[schema(example = "urn:wxgate:error:wechat_code_used")]
    r#type: String,
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
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The same answer; if it is an error that no door has rendered, with its body.
pub(super) fn rendered(mut response: Response, visitor: &Visitor) -> Response {
    let Some(error) = response.extensions().get::<Error>().cloned() else { return response };
    if response.extensions().get::<Rendered>().is_some() {
        return response;
    }
    let language = visitor.language;
    let (title, detail) = (error.code.title(), error.advice());
    let problem = Problem {
        r#type: format!("urn:wxgate:error:{}", error.code.as_str()),
        title: language.pick(&title),
        status: error.code.status(),
        code: error.code.as_str(),
        detail: language.pick(&detail),
        request_id: &visitor.request_id,
    };
    let body = Json(problem).into_response().into_body();
    *response.body_mut() = body;
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
    response
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
