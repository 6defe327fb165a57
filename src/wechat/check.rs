//! `wxa/checksession` and `wxa/resetusersessionkey`: is a session_key still good, and make it another.
//!
//! <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/checkSessionKey.html>

use aws_lc_rs::hmac;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::{Call, Reply};
use super::session::session_key;
use super::{App, Wechat};
use crate::error::Result;
use crate::secret::{OpenId, SessionKey};

/// "invalid signature": WeChat doesn't know this session_key (any more).
const INVALID_SIGNATURE: i64 = 87009;

#[derive(Deserialize)]
pub(super) struct Reset {
    session_key: Option<String>,
}

pub(super) async fn check(wechat: &Wechat, app: &App, openid: &OpenId, key: &SessionKey) -> Result<bool> {
    match signed::<IgnoredAny>(wechat, "/wxa/checksession", app, openid, key).await? {
        Ok(_) => Ok(true),
        Err(errcode) if errcode.errcode == INVALID_SIGNATURE => Ok(false),
        Err(errcode) => Err(errcode.meaning(&app.id)),
    }
}

pub(super) async fn reset(
    wechat: &Wechat,
    app: &App,
    openid: &OpenId,
    key: &SessionKey,
) -> Result<Option<SessionKey>> {
    match signed::<Reset>(wechat, "/wxa/resetusersessionkey", app, openid, key).await? {
        Ok(answer) => session_key(answer.session_key).map(Some),
        Err(errcode) if errcode.errcode == INVALID_SIGNATURE => Ok(None),
        Err(errcode) => Err(errcode.meaning(&app.id)),
    }
}

async fn signed<T: serde::de::DeserializeOwned>(
    wechat: &Wechat,
    path: &'static str,
    app: &App,
    openid: &OpenId,
    key: &SessionKey,
) -> Result<Reply<T>> {
    let signature = signature(key);
    let query = [("openid", openid.expose()), ("signature", &signature), ("sig_method", "hmac_sha256")];
    wechat.client.exchange(path, wechat.call_with_token(app, &Call { path, query: &query, body: None })).await
}

/// hex(hmac_sha256(session_key, "")), the key being the base64 text as it is, not what it encodes.
pub(super) fn signature(key: &SessionKey) -> String {
    sign(key, b"")
}

fn sign(key: &SessionKey, message: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes()), message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wechats_official_samples_hold() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/wechat.json")).unwrap();
        for vector in vectors["session_hmac"].as_array().unwrap() {
            let key = SessionKey::new(vector["session_key"].as_str().unwrap());
            assert_eq!(sign(&key, vector["message"].as_str().unwrap().as_bytes()), vector["hex"]);
        }
        let key = SessionKey::new("o0q0otL8aEzpcZL/FT9WsQ==");
        assert_eq!(signature(&key), "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128");
    }
}
