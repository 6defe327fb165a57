//! The table of error codes. `docs/errors.md` is generated from it; a test says how to renew it.
//!
//! A new code only where a client would act on it. `errno` is the number that the litemall family of mini-programs
//! knows: 401 missing argument, 402 bad value, 501 please log in (a token that doesn't count, and nothing else: those
//! programs drop their token on it), 502 system error, 503 later, 506 not allowed, 700 wrong username or password,
//! 704 the username is taken, 709 bound already.

use std::time::Duration;

use super::Text;

macro_rules! codes {
    ($($name:ident { $code:literal, $status:literal, errno $errno:literal $(, retry $retry:literal)?,
        zh $zh:literal / $zh_advice:literal,
        en $en:literal / $en_advice:literal })*) => {
        /// What can go wrong, as a client sees it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $en] $name,)*
        }

        impl Code {
            /// Every code, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable name that clients compare.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What problem details call it: `urn:wxgate:error:` and the name.
            pub const fn urn(self) -> &'static str {
                match self { $(Self::$name => concat!("urn:wxgate:error:", $code),)* }
            }

            /// The HTTP status at the native doors.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The `errno` at the `/wx` doors.
            pub const fn errno(self) -> u16 {
                match self { $(Self::$name => $errno,)* }
            }

            /// A few words for a person.
            pub const fn title(self) -> Text {
                match self { $(Self::$name => Text::fixed($zh, $en),)* }
            }

            /// What to do about it.
            pub const fn advice(self) -> Text {
                match self { $(Self::$name => Text::fixed($zh_advice, $en_advice),)* }
            }

            /// Whether somebody who runs the gateway should look, rather than the client.
            pub const fn is_for_the_operator(self) -> bool {
                (self.status() >= 500 && !matches!(self, Self::NotOffered)) || matches!(self, Self::WechatThrottled)
            }

            /// When trying again may help.
            pub const fn retry_after(self) -> Option<Duration> {
                match self {
                    $($(Self::$name => Some(Duration::from_secs($retry)),)?)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    MalformedBody { "malformed_body", 400, errno 402,
        zh "请求体不是合法的 JSON" / "请以 Content-Type: application/json 发送一个 JSON 对象（wx.request 的默认格式）。",
        en "The body is not valid JSON" / "Send one JSON object with Content-Type: application/json (wx.request's default)." }
    MissingField { "missing_field", 400, errno 401,
        zh "缺少参数" / "请补上缺少的字段。",
        en "A field is missing" / "Add the missing field." }
    InvalidField { "invalid_field", 400, errno 402,
        zh "参数值不正确" / "请按说明修改该字段的值。",
        en "A field has a bad value" / "Change the field's value as described." }
    BodyTooLarge { "body_too_large", 413, errno 402,
        zh "请求体过大" / "请减小请求体（默认上限 64 KiB，配置项 http.body_limit）。",
        en "The body is too large" / "Send less (64 KiB by default, setting http.body_limit)." }
    BodyTimeout { "body_timeout", 408, errno 503,
        zh "请求体传输超时" / "请检查网络后重新发送（时限为配置项 http.request_timeout 的一半）。",
        en "The body took too long to come" / "Check the network and send it again (it may take half of the setting http.request_timeout)." }
    UnsupportedMediaType { "unsupported_media_type", 415, errno 402,
        zh "不支持的请求格式" / "请使用 Content-Type: application/json；表单编码会把 + 变成空格，因此不接受。",
        en "The body's type is not supported" / "Use Content-Type: application/json; a form would turn + into a space, so none is accepted." }
    NotFound { "not_found", 404, errno 402,
        zh "没有这个地址" / "请核对路径，接口文档见公网地址的 /docs。",
        en "There is nothing at this address" / "Check the path; the public side describes its API at /docs." }
    MethodNotAllowed { "method_not_allowed", 405, errno 402,
        zh "该地址不支持这个请求方法" / "请使用响应头 Allow 中列出的方法。",
        en "This address does not take that method" / "Use one of the methods in the Allow header." }
    UnknownApp { "unknown_app", 400, errno 402,
        zh "未配置的小程序" / "请核对 appId；运维需在 wechat.apps 中添加该小程序。",
        en "This mini-program is not configured" / "Check appId; the operator adds the app under wechat.apps." }
    WechatCodeInvalid { "wechat_code_invalid", 400, errno 402,
        zh "登录凭证 code 无效或已过期" / "请重新调用 wx.login 获取新的 code，并确认小程序的 AppID 与服务端一致。",
        en "The login code is invalid or has expired" / "Call wx.login again for a new code, and check that the AppID is the server's." }
    WechatCodeUsed { "wechat_code_used", 400, errno 402,
        zh "登录凭证 code 已被使用" / "每个 code 只能用一次，请重新调用 wx.login。",
        en "The login code was used already" / "A code works once; call wx.login again." }
    WechatUserBlocked { "wechat_user_blocked", 403, errno 506,
        zh "微信判定该用户存在风险，登录被拦截" / "请用户在微信内完成安全验证后再试。",
        en "WeChat holds this user to be high-risk" / "Ask the user to clear it with WeChat, then try again." }
    WechatThrottled { "wechat_throttled", 429, errno 503, retry 60,
        zh "微信接口调用过于频繁" / "请稍后再试（等待时间见 Retry-After）。",
        en "WeChat is asked too often" / "Try again after the time in Retry-After." }
    WechatMisconfigured { "wechat_misconfigured", 500, errno 502,
        zh "服务端的小程序配置有误" / "请联系服务端运维，日志中写明了需要修改的配置。",
        en "The server's mini-program settings are wrong" / "Tell the operator; the log names the setting to change." }
    WechatUnavailable { "wechat_unavailable", 503, errno 503, retry 2,
        zh "微信接口暂时不可用" / "请稍后再试；若是登录，请先重新调用 wx.login。",
        en "WeChat can't be reached just now" / "Try again a little later; for a login, call wx.login again first." }
    TokenMissing { "token_missing", 401, errno 501,
        zh "请先登录" / "请在请求头 Authorization: Bearer 中携带登录得到的 token。",
        en "Please log in" / "Send the token you got at login as Authorization: Bearer." }
    TokenInvalid { "token_invalid", 401, errno 501,
        zh "登录状态无效，请重新登录" / "请重新调用 wx.login 并登录。",
        en "This token does not count; please log in again" / "Call wx.login and log in again." }
    TokenExpired { "token_expired", 401, errno 501,
        zh "登录已过期，请重新登录" / "请重新调用 wx.login 并登录。",
        en "This login has expired; please log in again" / "Call wx.login and log in again." }
    UserDisabled { "user_disabled", 403, errno 506,
        zh "该用户已被停用" / "请联系客服。",
        en "This user has been disabled" / "Contact support." }
    UserClosed { "user_closed", 409, errno 506,
        zh "该用户已注销" / "注销后无法再修改；该用户下次登录时会成为新用户。",
        en "This user has closed the account" / "Nothing can be changed any more; the person's next login is a new user." }
    UserNotFound { "user_not_found", 404, errno 402,
        zh "没有这个用户" / "请核对用户 ID（令牌中的 sub）。",
        en "There is no such user" / "Check the user id: it is the token's sub." }
    ServiceUnauthorized { "service_unauthorized", 401, errno 506,
        zh "内部接口需要服务凭证" / "请在请求头 Authorization: Bearer 中携带配置项 internal.credentials 中的凭证。",
        en "The internal API wants a service's credential" / "Send one of the setting internal.credentials as Authorization: Bearer." }
    EncryptedDataInvalid { "encrypted_data_invalid", 400, errno 402,
        zh "加密数据未通过校验" / "请先重新调用 wx.login 并登录，再重新获取加密数据；务必在用户点按钮之前登录。",
        en "The encrypted data could not be verified" / "Call wx.login and log in again, then get the data anew; log in before the user presses the button." }
    PhoneCodeInvalid { "phone_code_invalid", 400, errno 402,
        zh "手机号 code 无效、已过期或已被使用" / "请让用户重新点击获取手机号按钮（该 code 与 wx.login 的 code 不同）。",
        en "The phone code is invalid, expired or used" / "Let the user press the phone button again (its code is not wx.login's)." }
    PhoneTaken { "phone_taken", 409, errno 402,
        zh "该手机号已被其他用户使用" / "请换一个手机号，或联系客服合并账号。",
        en "Another user has this phone number" / "Use another number, or ask support to merge the accounts." }
    BadCredentials { "bad_credentials", 400, errno 700,
        zh "用户名或密码不正确" / "请核对用户名和密码后重试。",
        en "Wrong username or password" / "Check the username and the password, then try again." }
    TooManyAttempts { "too_many_attempts", 429, errno 503, retry 1,
        zh "密码尝试次数过多" / "请稍后再试（等待时间见 Retry-After）；微信登录不受影响。",
        en "Too many wrong passwords" / "Try again after the time in Retry-After; logging in by WeChat is not affected." }
    UsernameTaken { "username_taken", 409, errno 704,
        zh "该用户名已被使用" / "请换一个用户名。",
        en "Somebody has this username" / "Choose another one." }
    AlreadyBound { "already_bound", 409, errno 709,
        zh "该微信用户已绑定其他账号" / "如需更换账号，请先解绑当前账号。",
        en "This WeChat user is bound to another account" / "To change accounts, unbind first (DELETE /v1/me/account)." }
    AccountTaken { "account_taken", 409, errno 709,
        zh "该账号已绑定其他微信用户" / "请用已绑定的微信登录并解绑，或联系客服。",
        en "Another WeChat user is bound to this account" / "Unbind there first, or contact support." }
    BindConflict { "bind_conflict", 409, errno 506,
        zh "两边都有手机号，无法自动绑定" / "绑定会丢失其中一个手机号，请联系客服处理。",
        en "Both sides have a phone number" / "Binding would lose one of them: ask support to merge (the operator's command: wxgate account merge)." }
    NotBound { "not_bound", 409, errno 402,
        zh "当前用户没有绑定账号" / "请先绑定账号。",
        en "No account is bound" / "Bind one first (PUT /v1/me/account)." }
    RegistrationClosed { "registration_closed", 403, errno 506,
        zh "未开放注册" / "账号由管理员开通，请联系客服。",
        en "Registration is closed" / "Accounts are made by the operator: `wxgate account add`, or the setting accounts.registration." }
    NotOffered { "not_offered", 501, errno 503,
        zh "本服务不提供该功能" / "短信验证码需要短信服务，而本服务没有；重置密码请联系客服。",
        en "This function is not offered" / "It wants an SMS provider, and there is none; for a new password ask support." }
    TooManyRequests { "too_many_requests", 429, errno 503, retry 10,
        zh "操作过于频繁" / "请稍后再试（等待时间见 Retry-After）。",
        en "Too many requests" / "Try again after the time in Retry-After." }
    RequestTimeout { "request_timeout", 503, errno 503, retry 2,
        zh "服务器处理超时" / "请稍后再试；若是登录，请重新调用 wx.login。",
        en "The server took too long" / "Try again a little later; for a login, call wx.login again." }
    Busy { "busy", 503, errno 503, retry 1,
        zh "服务器繁忙" / "请稍后再试。",
        en "The server is busy" / "Try again a little later." }
    StoreUnavailable { "store_unavailable", 503, errno 503, retry 2,
        zh "服务暂时不可用" / "请稍后再试；若是登录，请先重新调用 wx.login。",
        en "The service can't answer just now" / "Try again a little later; for a login, call wx.login again first." }
    Internal { "internal", 500, errno 502,
        zh "服务器内部错误" / "请把 requestId 提供给服务端排查。",
        en "Something went wrong on the server" / "Give the requestId to whoever runs the server." }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_to_do_in_both_languages_and_no_two_share_a_name() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} stands twice", code.as_str());
            for text in [code.title(), code.advice()] {
                assert!(
                    !text.zh.is_empty() && !text.en.is_empty() && !text.zh.is_ascii() && text.en.is_ascii()
                );
            }
            assert_eq!(matches!(code.status(), 429 | 503), code.retry_after().is_some(), "{}", code.as_str());
        }
    }
}
