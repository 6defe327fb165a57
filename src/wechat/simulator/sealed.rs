//! What a user's phone encrypts and signs: the other side of `wechat::encrypted`.

use aws_lc_rs::cipher::{AES_128, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// (encryptedData, iv), both base64; none where the key is no AES-128 key.
pub(super) fn encrypt(session_key: &str, iv: [u8; 16], data: &Value) -> Option<(String, String)> {
    let key = STANDARD.decode(session_key).ok()?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_128, &key).ok()?).ok()?;
    let mut body = data.to_string().into_bytes();
    key.less_safe_encrypt(&mut body, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    Some((STANDARD.encode(body), STANDARD.encode(iv)))
}

/// hex(sha1(rawData ‖ session_key))
pub(super) fn sign(session_key: &str, raw_data: &str) -> String {
    let signed = format!("{raw_data}{session_key}");
    digest(&SHA1_FOR_LEGACY_USE_ONLY, signed.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
