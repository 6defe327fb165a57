//! How documents come from the gateway.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// One GET.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// Where.
    pub url: &'r str,
    /// The ETag of what is there already, for `If-None-Match`.
    pub etag: Option<&'r str>,
    /// The most bytes of a body to take.
    pub limit: usize,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// 200.
    Document {
        /// The body.
        body: Vec<u8>,
        /// Its ETag.
        etag: Option<String>,
        /// For how long it is good: [`max_age`].
        max_age: Option<Duration>,
    },
    /// 304: what is there is still good.
    Unchanged {
        /// For how long: [`max_age`].
        max_age: Option<Duration>,
    },
}

/// Why a document didn't come, in words for a log.
#[derive(Debug, Clone)]
pub struct TransportError(pub String);

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TransportError {}

/// What [`Transport::get`] answers in.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Fetched, TransportError>> + Send + 'a>>;

/// Gets documents. It follows no redirect: the gateway sends none, and who answers for it is who signs for it.
pub trait Transport: Send + Sync + 'static {
    /// One GET; any status other than 200 and 304 is an error.
    fn get<'a>(&'a self, request: Request<'a>) -> Answer<'a>;
}

/// For how long an answer is good, from its `Cache-Control` and `Age` headers (RFC 9111 §4.2). None if it doesn't say.
pub fn max_age(cache_control: Option<&str>, age: Option<&str>) -> Option<Duration> {
    let directives = cache_control?.split(',').map(str::trim);
    let mut seconds = None;
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => seconds = value.trim().trim_matches('"').parse::<u64>().ok(),
            _ => {}
        }
    }
    let age = age.and_then(|age| age.trim().parse::<u64>().ok()).unwrap_or(0);
    seconds.map(|seconds| Duration::from_secs(seconds.saturating_sub(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_read_as_caches_read_it() {
        let seconds = |cache: &str, age: Option<&str>| max_age(Some(cache), age).map(|span| span.as_secs());
        assert_eq!(seconds("public, max-age=300", None), Some(300));
        assert_eq!(seconds("Max-Age=\"300\"", Some("120")), Some(180));
        assert_eq!(seconds("max-age=300", Some("900")), Some(0));
        assert_eq!(seconds("max-age=300, no-cache", None), Some(0));
        assert_eq!(seconds("public", None), None);
        assert_eq!(seconds("max-age=-5", None), None);
        assert_eq!(max_age(None, Some("5")), None);
    }
}
