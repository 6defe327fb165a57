//! The HTTP side: one client, its timeouts, its bounds, and answers read strictly.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::{Url, redirect};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::breaker::Breaker;
use super::errcode::{self, Errcode};
use super::health::Health;
use crate::clock::Clock;
use crate::config;
use crate::error::{Code, Error, Result};
use crate::secret::ServerToken;
use crate::telemetry::{self, elsewhere, spans};

/// WeChat's answers have a few hundred bytes; more than this is somebody else's.
const LARGEST_BODY: usize = 64 * 1024;

/// Why a call was given up.
pub(super) const LATE: &str = "WeChat did not answer within wechat.timeout";

pub(super) struct Client {
    http: reqwest::Client,
    base_url: String,
    /// Of each path, parsed once.
    urls: RwLock<HashMap<&'static str, Url>>,
    timeout: Duration,
    /// Requests under way at once, at the most.
    most: usize,
    places: Semaphore,
    /// Exchanges under way or waiting for a place.
    queue: Semaphore,
    breaker: Breaker,
    clock: Arc<dyn Clock>,
    pub(super) health: Health,
}

/// One request to WeChat: GET, or POST where there is a body.
pub(super) struct Call<'c> {
    pub(super) path: &'static str,
    /// Besides the access_token.
    pub(super) query: &'c [(&'c str, &'c str)],
    pub(super) body: Option<&'c serde_json::Value>,
}

/// What WeChat answered: what was asked for, or an errcode.
pub(super) type Reply<T> = std::result::Result<T, Errcode>;

impl Client {
    pub(super) fn new(config: &config::Wechat, clock: Arc<dyn Clock>) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            // What a call may take as a whole is bounded by `exchange` alone: of two timers that end together, now one and now
            // the other would say why.
            .connect_timeout(config.connect_timeout)
            // A redirect would carry the AppSecret somewhere else.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(config.max_concurrent)
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_nodelay(true)
            .user_agent(concat!("wxgate/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let most = Semaphore::MAX_PERMITS;
        Ok(Self {
            http,
            base_url: config.base_url.clone(),
            urls: RwLock::default(),
            timeout: config.timeout,
            most: config.max_concurrent.min(most),
            places: Semaphore::new(config.max_concurrent.min(most)),
            queue: Semaphore::new(config.max_concurrent.saturating_add(config.max_waiting).min(most)),
            breaker: Breaker::default(),
            clock: clock.clone(),
            health: Health::new(clock),
        })
    }

    /// Runs an exchange (one request, or the few that belong together) within the deadline.
    pub(super) async fn exchange<T>(
        &self,
        path: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.breaker.pass(self.clock.now())?;
        let _queued = self.queue.try_acquire().map_err(|_| {
            telemetry::shed("wechat");
            Error::from(Code::Busy).because("wechat.max_waiting calls wait for WeChat already")
        })?;
        elsewhere::waited(tokio::time::timeout(self.timeout, work)).await.unwrap_or_else(|_| {
            self.breaker.settle(false, self.clock.now());
            telemetry::wechat_answered(path, "timeout");
            Err(unavailable(LATE))
        })
    }

    /// Requests that WeChat is working on.
    pub(super) fn under_way(&self) -> usize {
        self.most - self.places.available_permits().min(self.most)
    }

    /// One request. An answer of "busy" is asked for once more; nothing else is, once it may have reached WeChat.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        token: Option<&ServerToken>,
    ) -> Result<Reply<T>> {
        match self.send(call, token).await? {
            Err(refused) if refused.errcode == errcode::BUSY => self.send(call, token).await,
            reply => Ok(reply),
        }
    }

    fn url(&self, path: &'static str) -> Result<Url> {
        if let Some(url) = self.urls.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(url.clone());
        }
        let url = Url::parse(&format!("{}{path}", self.base_url));
        let url = url.map_err(|_| Error::from(Code::Internal).because("wechat.base_url is no URL"))?;
        self.urls.write().unwrap_or_else(PoisonError::into_inner).insert(path, url.clone());
        Ok(url)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        token: Option<&ServerToken>,
    ) -> Result<Reply<T>> {
        let url = self.url(call.path)?;
        let request = match call.body {
            None => self.http.get(url),
            // Whole, with its Content-Length: WeChat answers a chunked one HTTP 412.
            Some(body) => {
                self.http.post(url).header("content-type", "application/json").body(body.to_string())
            }
        };
        let token = token.map(|token| ("access_token", token.expose()));
        let request = request.query(&token.iter().chain(call.query).collect::<Vec<_>>());
        // A place for each request, rather than for the exchange: who waits for another's access_token holds none.
        let _place = self.places.acquire().await.map_err(|_| Code::Internal)?;
        let under_way = self.health.call(call.path);
        let method = if call.body.is_some() { "POST" } else { "GET" };
        let asked = spans::wechat(method, call.path);
        let answered = ask(request).instrument(asked.span.clone()).await.and_then(|body| read(&body));
        self.breaker.settle(answered.is_ok(), self.clock.now());
        let kind = match &answered {
            Ok(Ok(_)) => "0".into(),
            Ok(Err(refused)) => refused.label(),
            Err(silent) => silent.kind.clone(),
        };
        telemetry::wechat_answered(call.path, &kind);
        asked.answered(&kind);
        let reply = answered.map_err(|silent| unavailable(silent.cause));
        under_way.end(&reply);
        reply
    }
}

/// No answer of WeChat's: what the numbers call it, and what the log says.
pub(super) struct Silent {
    kind: Cow<'static, str>,
    cause: Cow<'static, str>,
}

impl Silent {
    fn new(kind: impl Into<Cow<'static, str>>, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), cause: cause.into() }
    }
}

impl From<reqwest::Error> for Silent {
    /// In words of ours: reqwest's carry the URL, and in it the AppSecret and the code.
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            // The client has no other timer than this.
            Self::new(
                "timeout",
                "no connection to WeChat within wechat.connect_timeout: check the firewall and what stands between",
            )
        } else if is_tls(&error) {
            Self::new(
                "tls",
                "TLS with WeChat failed: check the clock, the CA certificates and what stands between",
            )
        } else if error.is_connect() {
            Self::new(
                "unreachable",
                "WeChat can't be connected to: check DNS, the firewall and wechat.base_url",
            )
        } else if error.is_body() || error.is_decode() {
            Self::new("broken", "WeChat's answer broke off")
        } else {
            Self::new("broken", "the connection to WeChat broke")
        }
    }
}

/// Sends it and reads the whole answer.
async fn ask(request: reqwest::RequestBuilder) -> std::result::Result<Zeroizing<Vec<u8>>, Silent> {
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(Silent::new(format!("http_{status}"), format!("WeChat answered HTTP {status}")));
    }
    let mut body = Zeroizing::new(Vec::with_capacity(512));
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Silent::new("garbage", "WeChat's answer is larger than 64 KiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads a body as JSON whatever its content type (sns answers text/plain). serde's own message would quote it.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> std::result::Result<Reply<T>, Silent> {
    let unusable = |what| Silent::new("garbage", format!("WeChat's answer is unusable: {what}"));
    let errcode: Errcode = serde_json::from_slice(body).map_err(|_| unusable("no JSON object"))?;
    if errcode.errcode != 0 {
        return Ok(Err(errcode));
    }
    serde_json::from_slice(body).map(Ok).map_err(|_| unusable("not what was asked for"))
}

/// An answer that is none of WeChat's.
pub(super) fn garbage(what: &'static str) -> Error {
    unavailable(format!("WeChat's answer is unusable: {what}"))
}

fn unavailable(cause: impl Into<Cow<'static, str>>) -> Error {
    Error::from(Code::WechatUnavailable).because(cause)
}

fn is_tls(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let text = error.to_string().to_ascii_lowercase();
        if ["certificate", "tls", "handshake"].iter().any(|word| text.contains(word)) {
            return true;
        }
        source = error.source();
    }
    false
}
