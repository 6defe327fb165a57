//! WeChat's server API, from our side.
//!
//! Owns the HTTP client, the errcode table, the memory of codes and the bound on calls under way; `simulator` is the
//! other side, for tests and `wxgate dev`. Refuses to know users, tokens or databases: a code goes in, who it was
//! comes out. Never lets an upstream URL, a secret or a code into an error: reqwest's own errors carry the URL.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{self, Problem};
use crate::error::{Code, Error, Result};
use crate::secret::{AppSecret, LoginCode, OpenId, Phone, SessionKey, UnionId};

mod access_token;
mod breaker;
mod check;
mod client;
mod codes;
pub mod encrypted;
mod errcode;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
pub mod health;
mod phone;
mod session;
pub mod simulator;

pub use phone::read as read_phone;

/// One mini-program.
pub struct App {
    /// Its appid.
    pub id: String,
    secret: AppSecret,
    token: access_token::Cache,
}

/// Who a code was.
#[derive(Debug)]
pub struct WechatSession {
    /// Who it is to this app.
    pub openid: OpenId,
    /// Who it is across apps, where the app is bound to an Open Platform account.
    pub unionid: Option<UnionId>,
    /// The key of this login.
    pub session_key: SessionKey,
}

/// Our client.
pub struct Wechat {
    apps: Vec<App>,
    client: client::Client,
    codes: codes::Codes,
    clock: Arc<dyn Clock>,
}

impl Wechat {
    /// From `[wechat]`.
    pub fn from_config(
        config: &config::Wechat,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, Vec<Problem>> {
        let client = client::Client::new(config, clock.clone())
            .map_err(|error| vec![Problem::new("wechat", format!("no HTTP client: {error}"))])?;
        let apps = config.apps.iter().map(|app| App {
            id: app.id.clone(),
            secret: app.app_secret.clone(),
            token: access_token::Cache::default(),
        });
        Ok(Self { apps: apps.collect(), client, codes: codes::Codes::default(), clock })
    }

    /// The app of that id, else `hint`'s if it is one of ours, else the default.
    pub fn app(&self, id: Option<&str>, hint: Option<&str>) -> Result<&App> {
        let find = |id: &str| self.apps.iter().find(|app| app.id == id);
        match id {
            Some(id) => find(id).ok_or(Code::UnknownApp),
            None => hint.and_then(find).or(self.apps.first()).ok_or(Code::UnknownApp),
        }
        .map_err(Error::from)
    }

    /// How it has answered lately: so many minutes, and so many of the last answers.
    pub fn health(&self, minutes: usize, answers: usize) -> health::Report {
        self.client.health.report(minutes, answers)
    }

    /// Exchanges the code of wx.login (sns/jscode2session). One code goes upstream once and logs in once.
    pub async fn code2session(&self, app: &App, code: &LoginCode) -> Result<WechatSession> {
        let claim = self.codes.claim(app, code, self.clock.now())?;
        let answer = session::exchange(&self.client, app, code).await;
        claim.settle(&answer);
        answer
    }

    /// Requests that WeChat is working on.
    pub fn under_way(&self) -> usize {
        self.client.under_way()
    }

    /// The phone number behind the code of the phone button (wxa/business/getuserphonenumber).
    pub async fn phone(&self, app: &App, code: &LoginCode, openid: &OpenId) -> Result<Phone> {
        phone::by_code(self, app, code, openid).await
    }

    /// Whether WeChat still knows this session_key (wxa/checksession): wx.checkSession's twin.
    pub async fn check_session(&self, app: &App, openid: &OpenId, key: &SessionKey) -> Result<bool> {
        check::check(self, app, openid, key).await
    }

    /// Has WeChat rotate the session_key (wxa/resetusersessionkey); none if it no longer knows the old one.
    pub async fn reset_session(
        &self,
        app: &App,
        openid: &OpenId,
        key: &SessionKey,
    ) -> Result<Option<SessionKey>> {
        check::reset(self, app, openid, key).await
    }
}
