//! The access_token of an app: fetched by stable_token, kept until shortly before its end, renewed by one caller while
//! the others wait.
//!
//! <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-access-token/getStableAccessToken.html>

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Mutex;

use super::client::{Call, Reply, garbage};
use super::{App, Wechat};
use crate::clock::{Timestamp, after};
use crate::error::Result;
use crate::secret::ServerToken;

/// In a token's last five minutes WeChat gives out its successor, and both work: ours is changed well inside them.
const BEFORE_ITS_END: Duration = Duration::from_secs(60);

/// An app's token; the lock is what makes a renewal single flight.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<Cached>>);

struct Cached {
    token: ServerToken,
    until: Timestamp,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    access_token: String,
    expires_in: u32,
}

impl Wechat {
    /// Calls with the app's access_token; if WeChat refuses the token, once more with a new one.
    pub(super) async fn call_with_token<T: DeserializeOwned>(
        &self,
        app: &App,
        call: &Call<'_>,
    ) -> Result<Reply<T>> {
        let token = match self.current(app).await? {
            Ok(token) => token,
            Err(errcode) => return Ok(Err(errcode)),
        };
        match self.client.call(call, Some(&token)).await? {
            Err(errcode) if errcode.is_stale_token() => match self.renewed(app, &token).await? {
                Ok(token) => self.client.call(call, Some(&token)).await,
                Err(errcode) => Ok(Err(errcode)),
            },
            reply => Ok(reply),
        }
    }

    async fn current(&self, app: &App) -> Result<Reply<ServerToken>> {
        let mut cached = app.token.0.lock().await;
        match &*cached {
            Some(known) if known.until > self.clock.now() => Ok(Ok(known.token.clone())),
            _ => self.fetch(app, &mut cached, false).await,
        }
    }

    /// A token other than the one that failed; somebody else's renewal counts.
    async fn renewed(&self, app: &App, failed: &ServerToken) -> Result<Reply<ServerToken>> {
        let mut cached = app.token.0.lock().await;
        let is_failed = |known: &Cached| known.token.expose() == failed.expose();
        match &*cached {
            Some(known) if !is_failed(known) => return Ok(Ok(known.token.clone())),
            _ => {}
        }
        // Asked plainly first: forced refreshes are twenty a day.
        match self.fetch(app, &mut cached, false).await? {
            Ok(token) if token.expose() == failed.expose() => self.fetch(app, &mut cached, true).await,
            reply => Ok(reply),
        }
    }

    async fn fetch(&self, app: &App, cached: &mut Option<Cached>, force: bool) -> Result<Reply<ServerToken>> {
        let mut body =
            json!({ "grant_type": "client_credential", "appid": app.id, "secret": app.secret.expose() });
        if force {
            body["force_refresh"] = json!(true);
        }
        let call = Call { path: "/cgi-bin/stable_token", query: &[], body: Some(&body) };
        let answer = match self.client.call::<Answer>(&call, None).await? {
            Ok(answer) => answer,
            Err(errcode) => return Ok(Err(errcode)),
        };
        if answer.access_token.is_empty() {
            return Err(garbage("no access_token"));
        }
        let token = ServerToken::new(answer.access_token);
        let lifetime = Duration::from_secs(answer.expires_in.into()).saturating_sub(BEFORE_ITS_END);
        *cached = Some(Cached { token: token.clone(), until: after(self.clock.now(), lifetime) });
        Ok(Ok(token))
    }
}
