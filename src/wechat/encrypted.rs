//! encryptedData and rawData: what the user's phone says under the session_key.
//!
//! CBC is not authenticated, and an endpoint that decrypts is a padding oracle for whoever can tell one failure from
//! another. So there is one answer to every failure ([`open`] gives `None`, which has nothing to tell), each input does
//! the same work, and the plain text must prove itself: its watermark names our app and a recent instant, its openId
//! the user.
//!
//! <https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/signature.html>

use std::time::Duration;

use aws_lc_rs::cipher::{AES_128, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::clock::{Timestamp, after};
use crate::secret::{OpenId, SessionKey, UnionId, is_wechat_id};

const BLOCK: usize = 16;
/// WeChat's own have a few hundred bytes, a month of steps two thousand. Small, because how far a text parses shows.
const LARGEST: usize = 8 * 1024;

/// What a client sent to be verified. Fields that are absent are not asked of it; a half of a pair never holds.
#[derive(Default, Clone, Copy)]
pub struct Claim<'c> {
    /// Base64 of the ciphertext.
    pub encrypted_data: Option<&'c str>,
    /// Base64 of the IV.
    pub iv: Option<&'c str>,
    /// The exact text that the signature is over.
    pub raw_data: Option<&'c str>,
    /// hex(sha1(rawData ‖ session_key)).
    pub signature: Option<&'c str>,
}

impl Claim<'_> {
    /// Whether there is nothing to verify.
    pub fn is_empty(&self) -> bool {
        self.encrypted_data.is_none()
            && self.iv.is_none()
            && self.raw_data.is_none()
            && self.signature.is_none()
    }
}

/// Whose data it must be.
pub struct Owner<'o> {
    /// The login's app.
    pub app: &'o str,
    /// The user's openid there.
    pub openid: &'o OpenId,
    /// The session_keys that count now, the current one first.
    pub keys: [&'o SessionKey; 2],
}

/// Data that proved itself. What identifies the person is apart from what may be shown.
#[derive(Default)]
pub struct Verified {
    /// Everything but openId and unionId; empty where only rawData was verified.
    pub data: Map<String, Value>,
    /// rawData's content, where it was sent.
    pub raw: Option<Map<String, Value>>,
    /// The unionId inside.
    pub unionid: Option<UnionId>,
}

/// Verifies all that `claim` holds under one of the owner's keys; none if anything fails.
pub fn open(claim: &Claim<'_>, owner: &Owner<'_>, now: Timestamp, max_age: Duration) -> Option<Verified> {
    // Both keys, always, and no stop at the first that fits.
    let [first, second] = owner.keys.map(|key| under(claim, owner, key, now, max_age));
    first.or(second)
}

fn under(
    claim: &Claim<'_>,
    owner: &Owner<'_>,
    key: &SessionKey,
    now: Timestamp,
    max_age: Duration,
) -> Option<Verified> {
    let mut verified = Verified::default();
    let mut holds = !claim.is_empty();
    if claim.encrypted_data.is_some() || claim.iv.is_some() {
        let (data, good) = decrypt(claim.encrypted_data.unwrap_or(""), claim.iv.unwrap_or(""), key);
        holds &= good & is_ours(&data, owner, now, max_age);
        let unionid = data.get("unionId").and_then(Value::as_str).filter(|id| is_wechat_id(id));
        verified.unionid = unionid.map(UnionId::new);
        verified.data = data;
        verified.data.retain(|name, _| name != "openId" && name != "unionId");
    }
    if claim.raw_data.is_some() || claim.signature.is_some() {
        let raw = claim.raw_data.unwrap_or("");
        holds &= is_signed(raw, claim.signature.unwrap_or(""), key);
        let content = serde_json::from_str(raw).ok();
        holds &= content.is_some();
        verified.raw = content;
    }
    holds.then_some(verified)
}

/// The JSON inside, and whether base64, lengths, padding and JSON were right. What isn't is replaced and goes the same
/// way to the end.
fn decrypt(data: &str, iv: &str, key: &SessionKey) -> (Map<String, Value>, bool) {
    let key = key.bytes();
    let iv: Option<[u8; BLOCK]> = STANDARD.decode(iv).ok().and_then(|iv| iv.try_into().ok());
    let body = STANDARD.decode(data).ok().filter(|body| is_whole(body)).map(Zeroizing::new);
    let mut good = key.is_some() & iv.is_some() & body.is_some();
    let key = key.unwrap_or_default();
    let mut body = body.unwrap_or_else(|| Zeroizing::new(vec![0; 2 * BLOCK]));
    let context = DecryptionContext::Iv128(FixedLength::from(iv.unwrap_or_default()));
    let length = UnboundCipherKey::new(&AES_128, &*key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|key| key.decrypt(&mut body, context).map(|plain| plain.len()));
    good &= length.is_ok();
    // With bad padding, what came out is read all the same: reading takes time, too.
    let plain = &body[..length.unwrap_or(body.len())];
    let json = serde_json::from_slice::<Map<String, Value>>(plain);
    good &= json.is_ok();
    (json.unwrap_or_default(), good)
}

fn is_whole(body: &[u8]) -> bool {
    !body.is_empty() && body.len() <= LARGEST && body.len().is_multiple_of(BLOCK)
}

/// The watermark names our app and a recent instant, and data that names a person names this one. (A phone number's
/// data has no openId, nor have steps and groups.)
fn is_ours(data: &Map<String, Value>, owner: &Owner<'_>, now: Timestamp, max_age: Duration) -> bool {
    let watermark = data.get("watermark").unwrap_or(&Value::Null);
    let made = watermark["timestamp"].as_i64().and_then(|second| Timestamp::from_second(second).ok());
    let recent = made.is_some_and(|made| after(made, max_age) >= now && made <= after(now, max_age));
    let openid = data.get("openId").and_then(Value::as_str) == Some(owner.openid.expose());
    let names_somebody = ["openId", "unionId", "nickName"].iter().any(|name| data.contains_key(*name));
    let appid = watermark["appid"].as_str() == Some(owner.app);
    appid & recent & (openid | !names_somebody)
}

/// hex(sha1(rawData ‖ session_key)), over the exact bytes of rawData.
fn is_signed(raw: &str, signature: &str, key: &SessionKey) -> bool {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(raw.as_bytes());
    context.update(key.expose().as_bytes());
    let wanted: String = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    constant_time::verify_slices_are_equal(wanted.as_bytes(), signature.to_ascii_lowercase().as_bytes())
        .is_ok()
}

#[cfg(test)]
mod tests;
