//! An HTTP answer, and what a test says of it.

use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::tried(request).await.unwrap()
    }

    /// Where there may be none.
    pub(crate) async fn tried(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.text().await? })
    }

    /// Whether it is a clear "later": a problem, with the seconds after which to come again.
    pub(crate) fn is_later(&self) -> bool {
        let seconds = self.header("retry-after").parse::<u64>();
        let problem = serde_json::from_str::<Value>(&self.body).unwrap_or_default();
        matches!(self.status, 429 | 503)
            && self.header("content-type") == "application/problem+json"
            && seconds.is_ok_and(|seconds| seconds >= 1)
            && problem["status"] == self.status
    }

    #[track_caller]
    pub(crate) fn status(self, wanted: u16) -> Self {
        assert_eq!(self.status, wanted, "{}", self.body);
        self
    }

    /// Whether it has this status.
    pub(crate) fn is(&self, status: u16) -> bool {
        self.status == status
    }

    /// It is a problem of this code, and looks like one.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.json()["code"].as_str().unwrap_or_default()),
            (status, code),
            "{}",
            self.body
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json()["status"], status);
        assert_eq!(self.json()["requestId"], self.header("x-request-id"));
        if matches!(status, 429 | 503) {
            assert!(self.header("retry-after").parse::<u64>().unwrap() >= 1);
        }
        self
    }

    /// It is litemall's envelope: HTTP 200 and this errno.
    #[track_caller]
    pub(crate) fn errno(self, errno: u16) -> Self {
        assert_eq!((self.status, &self.json()["errno"]), (200, &Value::from(errno)), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/json");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn text(&self) -> &str {
        &self.body
    }

    pub(crate) fn code(&self) -> u16 {
        self.status
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
