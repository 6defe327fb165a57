//! What jscode2session answered, read strictly.
//!
//! WeChat answers `text/plain`, without errcode on success. Success is a usable openid **and** session_key, and no
//! errcode but 0. Nothing else is.

use serde::Deserialize;

use super::errcode;
use super::{App, WechatSession};
use crate::error::{Code, Error, Result};
use crate::secret::{OpenId, SessionKey, UnionId, is_wechat_id};

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
    openid: Option<String>,
    unionid: Option<String>,
    session_key: Option<String>,
}

/// An answer's outcome: who it was, or what went wrong and whether it was "busy".
pub(super) enum Outcome {
    Session(WechatSession),
    Refused(Error),
    Busy(Error),
}

/// Reads a body whatever its content type.
pub(super) fn read(app: &App, body: &[u8]) -> Outcome {
    // serde_json's message would quote what it read.
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return Outcome::Refused(garbage("no JSON of jscode2session"));
    };
    if answer.errcode != 0 {
        let clue = errcode::clue(answer.errcode, &answer.errmsg);
        let error = errcode::meaning(answer.errcode, &app.id, &clue);
        return if answer.errcode == errcode::BUSY { Outcome::Busy(error) } else { Outcome::Refused(error) };
    }
    match success(answer) {
        Ok(session) => Outcome::Session(session),
        Err(error) => Outcome::Refused(error),
    }
}

fn success(answer: Answer) -> Result<WechatSession> {
    let openid = answer.openid.filter(|id| is_wechat_id(id)).ok_or_else(|| garbage("no usable openid"))?;
    let session_key = answer.session_key.filter(|key| !key.is_empty()).map(SessionKey::new);
    let session_key = session_key.filter(is_session_key).ok_or_else(|| garbage("no usable session_key"))?;
    let unionid = match answer.unionid {
        Some(id) if is_wechat_id(&id) => Some(UnionId::new(id)),
        Some(id) if !id.is_empty() => return Err(garbage("no usable unionid")),
        _ => None,
    };
    Ok(WechatSession { openid: OpenId::new(openid), unionid, session_key })
}

/// Base64 of 16 bytes.
fn is_session_key(key: &SessionKey) -> bool {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(key.expose()).map(zeroize::Zeroizing::new);
    bytes.is_ok_and(|bytes| bytes.len() == 16)
}

fn garbage(what: &'static str) -> Error {
    Error::from(Code::WechatUnavailable).because(format!("WeChat's answer holds {what}"))
}
