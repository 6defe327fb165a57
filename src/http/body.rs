//! A JSON body whose rejections are our errors, naming the field.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;

use super::AppState;
use crate::error::{Code, Error};

/// The body, read as JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Error> {
        let is_json =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
                let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                essence == "application/json"
                    || (essence.starts_with("application/") && essence.ends_with("+json"))
            });
        if !is_json {
            return Err(Code::UnsupportedMediaType.into());
        }
        let http = &app.config.http;
        // What is announced as too long isn't waited for.
        if request.body().size_hint().lower() > http.body_limit as u64 {
            return Err(Code::BodyTooLarge.into());
        }
        // Half of the request's time, so that the rest is left for the work. Whoever is slower is dropped, connection and all;
        // `front` alone would let the reading go on.
        let reading = Bytes::from_request(request, app);
        let read = tokio::time::timeout(http.request_timeout / 2, reading).await;
        let bytes = read.map_err(|_| Code::BodyTimeout)?.map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Error::from(Code::BodyTooLarge),
                _ => Error::from(Code::MalformedBody).because("the body broke off"),
            }
        })?;
        parse(&bytes).map(Self)
    }
}

/// serde's message may quote a value, so ours is made of the path and the place alone.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // serde would take an array for a struct, field by field.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Code::MalformedBody.into());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data if path == "." => Error::from(Code::MalformedBody),
            serde_json::error::Category::Data => Error::invalid(&path, "类型不正确", "has the wrong type"),
            _ => malformed(&error),
        }
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    Error::from(Code::MalformedBody).with_detail(
        format!("JSON 在第 {line} 行第 {column} 列出错。"),
        format!("The JSON breaks at line {line}, column {column}."),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    struct Shape {
        #[expect(dead_code, reason = "only its type counts")]
        code: Option<String>,
        #[expect(dead_code, reason = "only its type counts")]
        inner: Option<Inner>,
    }

    #[derive(Deserialize, Debug)]
    struct Inner {
        #[expect(dead_code, reason = "only its type counts")]
        gender: Option<i64>,
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_by_its_path_and_never_quoted() {
        let error = parse::<Shape>(br#"{"inner":{"gender":"secret"}}"#).unwrap_err();
        assert_eq!(error.code, Code::InvalidField);
        assert_eq!(error.advice().en, "inner.gender: has the wrong type.");
        assert_eq!(parse::<Shape>(b"{\"code\":\"a\"}x").unwrap_err().code, Code::MalformedBody);
        assert_eq!(parse::<Shape>(b"").unwrap_err().code, Code::MalformedBody);
        assert_eq!(parse::<Shape>(b"17").unwrap_err().code, Code::MalformedBody);
    }

    proptest! {
        #[test]
        fn any_bytes_at_all_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            if let Err(error) = parse::<Shape>(&bytes) {
                prop_assert_eq!(error.code.status(), 400);
            }
        }
    }
}
