//! `sns/jscode2session`: who a code was.
//!
//! <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html>

use serde::Deserialize;

use super::client::{Call, Client, garbage};
use super::{App, WechatSession};
use crate::error::Result;
use crate::secret::{LoginCode, OpenId, SessionKey, UnionId, is_wechat_id};

#[derive(Deserialize)]
pub(super) struct Answer {
    openid: Option<String>,
    unionid: Option<String>,
    session_key: Option<String>,
}

/// Exchanges a code. Needs no access_token.
pub(super) async fn exchange(client: &Client, app: &App, code: &LoginCode) -> Result<WechatSession> {
    let query = [
        ("appid", app.id.as_str()),
        ("secret", app.secret.expose()),
        ("js_code", code.expose()),
        ("grant_type", "authorization_code"),
    ];
    let call = Call { path: "/sns/jscode2session", query: &query, body: None };
    let reply = client.exchange(call.path, client.call::<Answer>(&call, None)).await?;
    success(reply.map_err(|errcode| errcode.meaning(&app.id))?)
}

/// Success is a usable openid **and** session_key. Nothing else is.
pub(super) fn success(answer: Answer) -> Result<WechatSession> {
    let openid = answer.openid.filter(|id| is_wechat_id(id)).ok_or_else(|| garbage("no openid"))?;
    let unionid = match answer.unionid {
        Some(id) if is_wechat_id(&id) => Some(UnionId::new(id)),
        Some(id) if !id.is_empty() => return Err(garbage("a bad unionid")),
        _ => None,
    };
    Ok(WechatSession { openid: OpenId::new(openid), unionid, session_key: session_key(answer.session_key)? })
}

/// Base64 of 16 bytes, or it isn't one.
pub(super) fn session_key(text: Option<String>) -> Result<SessionKey> {
    let key = SessionKey::new(text.unwrap_or_default());
    if key.bytes().is_none() {
        return Err(garbage("no session_key"));
    }
    Ok(key)
}
