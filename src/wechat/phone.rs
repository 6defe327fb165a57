//! `wxa/business/getuserphonenumber`, and what WeChat's phone_info says.
//!
//! <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-info/phone-number/getPhoneNumber.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Call, garbage};
use super::{App, Wechat};
use crate::error::{Code, Error, Result};
use crate::secret::{LoginCode, OpenId, Phone};

#[derive(Deserialize)]
struct Answer {
    phone_info: Option<Value>,
}

pub(super) async fn by_code(wechat: &Wechat, app: &App, code: &LoginCode, openid: &OpenId) -> Result<Phone> {
    // With the openid, WeChat checks that the code is this user's.
    let body = json!({ "code": code.expose(), "openid": openid.expose() });
    let call = Call { path: "/wxa/business/getuserphonenumber", query: &[], body: Some(&body) };
    match wechat.client.exchange(call.path, wechat.call_with_token::<Answer>(app, &call)).await? {
        Ok(answer) => answer.phone_info.as_ref().and_then(read).ok_or_else(|| garbage("no phone number")),
        Err(errcode) => Err(about_the_button(errcode.meaning(&app.id))),
    }
}

/// The same errcodes as at login, but another code: calling wx.login again would not help.
fn about_the_button(error: Error) -> Error {
    match error.code {
        Code::WechatCodeInvalid | Code::WechatCodeUsed => Error { code: Code::PhoneCodeInvalid, ..error },
        _ => error,
    }
}

/// E.164 from a phone_info: countryCode comes as a string or as a number.
pub fn read(info: &Value) -> Option<Phone> {
    let country = match &info["countryCode"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let number = info["purePhoneNumber"].as_str()?;
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    (digits(&country, 4) && digits(number, 15)).then(|| Phone::new(format!("+{country}{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_code_may_be_a_number_or_a_string() {
        for country in [json!(86), json!("86")] {
            let info = json!({ "phoneNumber": "13580006666", "purePhoneNumber": "13580006666", "countryCode": country });
            assert_eq!(read(&info).unwrap().expose(), "+8613580006666");
        }
        for bad in [
            json!({}),
            json!({ "purePhoneNumber": "1", "countryCode": null }),
            json!({ "purePhoneNumber": "1 2", "countryCode": 86 }),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }
}
