//! Documents over HTTPS.

use std::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH};
use reqwest::{Client, StatusCode};

use crate::transport::{Answer, Fetched, Request, Transport, TransportError, max_age};

/// reqwest with bounds: a connection in 2 seconds, an answer in 5, no redirects.
pub(crate) struct HttpTransport(Client);

impl HttpTransport {
    pub(crate) fn new() -> Result<Self, TransportError> {
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("wxgate-verify/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self).map_err(|error| failed(&error))
    }
}

impl Transport for HttpTransport {
    fn get<'a>(&'a self, request: Request<'a>) -> Answer<'a> {
        Box::pin(async move {
            let mut get = self.0.get(request.url);
            if let Some(etag) = request.etag {
                get = get.header(IF_NONE_MATCH, etag);
            }
            let mut answer = get.send().await.map_err(|error| failed(&error))?;
            let text = |headers: &HeaderMap, name: HeaderName| {
                headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            let headers = answer.headers();
            let (cache, age) = (text(headers, CACHE_CONTROL), text(headers, AGE));
            let max_age = max_age(cache.as_deref(), age.as_deref());
            let etag = text(headers, ETAG);
            match answer.status() {
                StatusCode::NOT_MODIFIED => return Ok(Fetched::Unchanged { max_age }),
                StatusCode::OK => {}
                other => return Err(TransportError(format!("answered {other}"))),
            }
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
                if body.len() + chunk.len() > request.limit {
                    return Err(TransportError(format!("is longer than {} bytes", request.limit)));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Fetched::Document { body, etag, max_age })
        })
    }
}

/// The innermost reason says most.
fn failed(error: &reqwest::Error) -> TransportError {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    TransportError(format!("did not answer: {innermost}"))
}
