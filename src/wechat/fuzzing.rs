//! The fuzz targets `encrypted_data` and `wechat_answer`: what a phone sends, and what WeChat does.

#![expect(clippy::expect_used, reason = "a target that can't begin has nothing to find")]

use std::time::Duration;

use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::client::read;
use super::encrypted::{Claim, Owner, Verified, open};
use super::session::{Answer, success};
use super::{access_token, check};
use crate::clock::Timestamp;
use crate::error::Code;
use crate::secret::{OpenId, SessionKey, is_wechat_id};

/// Those of WeChat's own sample (tests/vectors/wechat.json), and an instant near its watermark.
const APP: &str = "wx4f4bc4dec97d474b";
const KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
const OPENID: &str = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";
const NOW: i64 = 1_477_314_247;
const MAX_AGE: i64 = 600;

/// encryptedData, iv, rawData and signature, a line each, of which the last may be missing and `-` stands for none; or, from a
/// `{` on, a plain text, which is then encrypted as the phone does.
pub fn encrypted_data(data: &[u8]) {
    if data.first() == Some(&b'{') {
        return plain(data);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n').map(|line| (line != "-").then_some(line));
    let mut next = || lines.next().flatten();
    let claim = Claim { encrypted_data: next(), iv: next(), raw_data: next(), signature: next() };
    let Some(verified) = opened(&claim) else { return };
    let pairs = [(claim.encrypted_data, claim.iv), (claim.raw_data, claim.signature)];
    assert!(pairs.iter().all(|(one, other)| one.is_some() == other.is_some()), "half a proof holds");
    if claim.encrypted_data.is_some() {
        proves_itself(&verified);
    }
    let raw =
        |text: &str| -> Map<String, Value> { serde_json::from_str(text).expect("rawData that held is JSON") };
    assert_eq!(verified.raw, claim.raw_data.map(raw));
}

fn plain(text: &[u8]) {
    let iv = [7; 16];
    let key = STANDARD.decode(KEY).expect("the sample's key");
    let key = UnboundCipherKey::new(&AES_128, &key).and_then(PaddedBlockEncryptingKey::cbc_pkcs7);
    let mut body = text.to_vec();
    key.expect("a key")
        .less_safe_encrypt(&mut body, EncryptionContext::Iv128(FixedLength::from(iv)))
        .expect("it encrypts");
    let (body, iv) = (STANDARD.encode(body), STANDARD.encode(iv));
    let claim = Claim { encrypted_data: Some(&body), iv: Some(&iv), ..Claim::default() };
    let Some(verified) = opened(&claim) else { return };
    proves_itself(&verified);
    let mut said: Map<String, Value> = serde_json::from_slice(text).expect("a text that held is JSON");
    let names_somebody = ["openId", "unionId", "nickName"].iter().any(|name| said.contains_key(*name));
    assert!(!names_somebody || said.get("openId") == Some(&Value::from(OPENID)), "another's data holds");
    said.retain(|name, _| name != "openId" && name != "unionId");
    assert_eq!(verified.data, said);
}

fn opened(claim: &Claim<'_>) -> Option<Verified> {
    let (key, previous) = (SessionKey::new(KEY), SessionKey::new("AAAAAAAAAAAAAAAAAAAAAA=="));
    let owner = Owner { app: APP, openid: &OpenId::new(OPENID), keys: [&key, &previous] };
    let now = Timestamp::from_second(NOW).expect("an instant");
    open(claim, &owner, now, Duration::from_secs(MAX_AGE.unsigned_abs()))
}

fn proves_itself(verified: &Verified) {
    let watermark = &verified.data["watermark"];
    assert_eq!(watermark["appid"], APP);
    assert!(watermark["timestamp"].as_i64().is_some_and(|made| (made - NOW).abs() <= MAX_AGE), "too old");
    assert!(!verified.data.contains_key("openId") && !verified.data.contains_key("unionId"));
    assert!(verified.unionid.as_ref().is_none_or(|id| is_wechat_id(id.expose())));
}

/// A body of WeChat's, read as the answer to each question that is asked there.
pub fn wechat_answer(body: &[u8]) {
    match read::<Answer>(body) {
        Ok(Ok(answer)) => match success(answer) {
            Ok(session) => {
                assert!(is_wechat_id(session.openid.expose()) && session.session_key.bytes().is_some());
                assert!(session.unionid.is_none_or(|id| is_wechat_id(id.expose())));
            }
            Err(error) => assert_eq!(error.code, Code::WechatUnavailable),
        },
        Ok(Err(errcode)) => {
            assert_ne!(errcode.errcode, 0);
            let told = errcode.meaning("wx1").to_string();
            assert!(told.len() < 300 && !told.contains(char::is_control), "the log line holds the answer");
        }
        // No answer of WeChat's: whatever it was, it made no session and no panic.
        Err(_) => {}
    }
    if let Ok(Ok(answer)) = read::<Value>(body)
        && let Some(phone) = super::read_phone(&answer["phone_info"])
    {
        let digits = phone.expose().strip_prefix('+').expect("E.164");
        assert!((2..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()));
    }
    let _ = (read::<access_token::Answer>(body), read::<check::Reset>(body));
}
