//! The errcode table: what WeChat's numbers mean for us. Only the number counts, never the text of errmsg.

use serde::Deserialize;

use super::health::How;
use crate::error::{Code, Error};

/// "system error": WeChat is busy; the one answer that is tried again.
pub(super) const BUSY: i64 = -1;

/// A refusal as WeChat writes it.
#[derive(Deserialize)]
pub(super) struct Errcode {
    #[serde(default)]
    pub(super) errcode: i64,
    /// Whatever it is: only the number counts.
    #[serde(default)]
    errmsg: serde_json::Value,
}

impl Errcode {
    /// Whether the access_token is what WeChat didn't like.
    pub(super) fn is_stale_token(&self) -> bool {
        matches!(self.errcode, 40001 | 40014 | 42001)
    }

    /// As the numbers call it: WeChat's own, as far as they can be its own.
    pub(super) fn label(&self) -> std::borrow::Cow<'static, str> {
        match self.errcode {
            BUSY | 40_000..60_000 => self.errcode.to_string().into(),
            _ => "other".into(),
        }
    }

    /// What it says of WeChat's health. Its words, without errmsg.
    pub(super) fn how(&self) -> How {
        match row(self.errcode) {
            (code, words) if code.is_for_the_operator() => {
                How::Failed(format!("errcode {}: {words}", self.errcode).into())
            }
            _ => How::Refused(self.errcode),
        }
    }

    /// What it means: for the client, and for the operator's log.
    ///
    /// <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html>
    pub(super) fn meaning(&self, appid: &str) -> Error {
        let (code, cause) = row(self.errcode);
        let (errcode, clue) = (self.errcode, clue(self.errcode, self.errmsg.as_str().unwrap_or_default()));
        Error::from(code).because(format!("WeChat answered errcode {errcode} for app {appid}: {cause}{clue}"))
    }
}

fn row(errcode: i64) -> (Code, &'static str) {
    match errcode {
        BUSY => (Code::WechatUnavailable, "WeChat is busy"),
        40029 => (Code::WechatCodeInvalid, "invalid, expired or another app's code"),
        40163 => (Code::WechatCodeUsed, "code used already"),
        40226 => (Code::WechatUserBlocked, "WeChat holds the user to be high-risk"),
        45009 => (Code::WechatThrottled, "the app's quota a day, or for a forced refresh, is used up"),
        45011 => (Code::WechatThrottled, "the app's quota a minute is used up"),
        40013 => (Code::WechatMisconfigured, "invalid appid: check wechat.apps.id"),
        40125 => (Code::WechatMisconfigured, "invalid AppSecret: check wechat.apps.secret_file"),
        41002 | 41004 | 41008 | 47001 => (
            Code::WechatMisconfigured,
            "a parameter did not arrive: check what stands between us and wechat.base_url",
        ),
        50002 => (
            Code::WechatMisconfigured,
            "the app is frozen or cancelled: see the app's page at mp.weixin.qq.com",
        ),
        40164 => (
            Code::WechatMisconfigured,
            "our address is not in the app's IP whitelist: add it at mp.weixin.qq.com",
        ),
        40243 => (Code::WechatMisconfigured, "the AppSecret is frozen: unfreeze it at mp.weixin.qq.com"),
        40001 | 40014 | 42001 => (Code::WechatUnavailable, "the access_token was refused twice"),
        _ => (Code::WechatUnavailable, "an errcode we don't know"),
    }
}

/// What of an errmsg helps the operator and can't hold a secret: the rid (for WeChat's support) and, where WeChat
/// complains of our address, the address.
fn clue(errcode: i64, errmsg: &str) -> String {
    let mut clue = String::new();
    let rid = errmsg.split("rid: ").nth(1).map(|rest| {
        rest.chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').take(32).collect::<String>()
    });
    if errcode == 40164
        && let Some(address) =
            errmsg.split_whitespace().find_map(|word| word.parse::<std::net::IpAddr>().ok())
    {
        clue = format!(" (address {address})");
    }
    if let Some(rid) = rid.filter(|rid| !rid.is_empty()) {
        clue.push_str(&format!(" (rid {rid})"));
    }
    clue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clue_holds_the_rid_and_the_address_and_nothing_else() {
        let errmsg = "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist, rid: 66c69111-4157f271-729ca238";
        assert_eq!(clue(40164, errmsg), " (address 203.0.113.7) (rid 66c69111-4157f271-729ca238)");
        assert_eq!(clue(40029, "invalid code secret=abc"), "");
    }

    #[test]
    fn our_own_mistakes_are_500_for_the_caller_and_name_the_setting_for_the_operator() {
        for errcode in [40013, 40125, 41002, 41004, 41008, 50002, 40164, 40243] {
            let error = Errcode { errcode, errmsg: serde_json::Value::Null }.meaning("wx1");
            assert_eq!(error.code.status(), 500);
            assert!(error.to_string().contains("wx1"), "{error}");
        }
    }
}
