//! The HTTP side: one client, its timeouts, its bounds.

use std::time::Duration;

use reqwest::redirect;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::session::{self, Outcome};
use super::{App, WechatSession};
use crate::config;
use crate::error::{Code, Error, Result};
use crate::secret::LoginCode;

/// WeChat's answers have a few hundred bytes; more than this is somebody else's.
const LARGEST_BODY: usize = 64 * 1024;
/// A second try wants at least this much of the deadline left.
const WORTH_A_RETRY: Duration = Duration::from_millis(300);

pub(super) struct Client {
    http: reqwest::Client,
    base_url: String,
    timeout: Duration,
    /// Calls under way.
    places: Semaphore,
    /// Calls under way or waiting for a place.
    queue: Semaphore,
}

impl Client {
    pub(super) fn new(config: &config::Wechat) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.timeout)
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
            timeout: config.timeout,
            places: Semaphore::new(config.max_concurrent.min(most)),
            queue: Semaphore::new(config.max_concurrent.saturating_add(config.max_waiting).min(most)),
        })
    }

    /// One exchange within the deadline; -1 is tried once more.
    pub(super) async fn code2session(&self, app: &App, code: &LoginCode) -> Result<WechatSession> {
        let _queued = self.queue.try_acquire().map_err(|_| {
            Error::from(Code::Busy).because("wechat.max_waiting calls wait for WeChat already")
        })?;
        let deadline = Instant::now() + self.timeout;
        tokio::time::timeout_at(deadline, self.exchange(app, code, deadline))
            .await
            .unwrap_or_else(|_| Err(unavailable("WeChat did not answer within wechat.timeout")))
    }

    async fn exchange(&self, app: &App, code: &LoginCode, deadline: Instant) -> Result<WechatSession> {
        let _place = self.places.acquire().await.map_err(|_| Code::Internal)?;
        match self.ask(app, code).await? {
            Outcome::Session(session) => Ok(session),
            Outcome::Refused(error) => Err(error),
            Outcome::Busy(error) if deadline.saturating_duration_since(Instant::now()) < WORTH_A_RETRY => {
                Err(error)
            }
            Outcome::Busy(_) => match self.ask(app, code).await? {
                Outcome::Session(session) => Ok(session),
                Outcome::Refused(error) | Outcome::Busy(error) => Err(error),
            },
        }
    }

    async fn ask(&self, app: &App, code: &LoginCode) -> Result<Outcome> {
        let request = self.http.get(format!("{}/sns/jscode2session", self.base_url)).query(&[
            ("appid", app.id.as_str()),
            ("secret", app.secret.expose()),
            ("js_code", code.expose()),
            ("grant_type", "authorization_code"),
        ]);
        let mut response = request.send().await.map_err(|error| unavailable(kind(&error)))?;
        let status = response.status();
        if status != 200 {
            return Err(unavailable(format!("WeChat answered HTTP {}", status.as_u16())));
        }
        let mut body = zeroize::Zeroizing::new(Vec::with_capacity(512));
        while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(kind(&error)))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(unavailable("WeChat's answer is larger than 64 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(session::read(app, &body))
    }
}

fn unavailable(cause: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::from(Code::WechatUnavailable).because(cause)
}

/// What happened, in words of ours: reqwest's carry the URL, and in it the AppSecret and the code.
fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "WeChat did not answer within wechat.timeout"
    } else if is_tls(error) {
        "TLS with WeChat failed: check the clock, the CA certificates and what stands between"
    } else if error.is_connect() {
        "WeChat can't be connected to: check DNS, the firewall and wechat.base_url"
    } else if error.is_body() || error.is_decode() {
        "WeChat's answer broke off"
    } else {
        "the connection to WeChat broke"
    }
}

fn is_tls(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let text = error.to_string();
        if text.contains("certificate")
            || text.contains("TLS")
            || text.contains("handshake")
            || text.contains("tls")
        {
            return true;
        }
        source = error.source();
    }
    false
}
