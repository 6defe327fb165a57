use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const MAX_AGE: Duration = Duration::from_secs(600);

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/wechat.json")).unwrap()
}

/// The official sample was made at this second.
fn then() -> Timestamp {
    Timestamp::from_second(1_477_314_187 + 60).unwrap()
}

fn verify(vector: &Value, openid: &str, now: Timestamp) -> Option<Verified> {
    let text = |name: &str| vector[name].as_str().unwrap();
    let claim =
        Claim { encrypted_data: Some(text("encryptedData")), iv: Some(text("iv")), ..Claim::default() };
    let (key, openid) = (SessionKey::new(text("session_key")), OpenId::new(openid));
    open(&claim, &Owner { app: text("appid"), openid: &openid, keys: [&key, &key] }, now, MAX_AGE)
}

#[test]
fn the_official_sample_opens_to_the_official_text() {
    for vector in vectors()["decrypt"].as_array().unwrap() {
        let expected = vector["expected"].as_object().unwrap();
        let mut verified = verify(vector, expected["openId"].as_str().unwrap(), then()).unwrap();
        assert_eq!(verified.unionid.take().unwrap().expose(), expected["unionId"]);
        verified.data.insert("openId".into(), expected["openId"].clone());
        verified.data.insert("unionId".into(), expected["unionId"].clone());
        assert_eq!(&verified.data, expected);
    }
}

#[test]
fn another_users_or_an_old_or_a_future_sample_does_not_hold() {
    let vector = &vectors()["decrypt"][0];
    let openid = vector["expected"]["openId"].as_str().unwrap();
    assert!(verify(vector, "somebody-else", then()).is_none());
    for second in [1_477_314_187 + 601, 1_477_314_187 - 601] {
        assert!(verify(vector, openid, Timestamp::from_second(second).unwrap()).is_none());
    }
    assert!(verify(vector, openid, Timestamp::from_second(1_477_314_187 + 600).unwrap()).is_some());
}

#[test]
fn everything_that_must_fail_fails() {
    for vector in vectors()["must_fail"].as_array().unwrap() {
        assert!(verify(vector, "oGZUI0egBJY1zhBYw2KhdUfwVJJE", then()).is_none(), "{}", vector["why"]);
    }
}

#[test]
fn a_signature_is_over_the_exact_bytes_of_raw_data() {
    for vector in vectors()["raw_data_signature"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap().to_owned();
        let (raw, signature, key) =
            (text("rawData"), text("signature"), SessionKey::new(text("session_key")));
        let (openid, other) = (OpenId::new("any"), SessionKey::new("tiihtNczf5v6AKRyjwEUhQ=="));
        let holds = |raw: Option<&str>, signature: Option<&str>, keys: [&SessionKey; 2]| {
            let claim = Claim { raw_data: raw, signature, ..Claim::default() };
            open(&claim, &Owner { app: "wx1", openid: &openid, keys }, then(), MAX_AGE).is_some()
        };
        assert!(holds(Some(&raw), Some(&signature), [&key, &key]));
        assert!(
            holds(Some(&raw), Some(&signature.to_uppercase()), [&other, &key]),
            "the previous key counts, too"
        );
        assert!(!holds(Some(&raw), Some(&signature), [&other, &other]));
        assert!(!holds(Some(&format!("{raw} ")), Some(&signature), [&key, &key]));
        assert!(!holds(Some(&raw), None, [&key, &key]));
        assert!(!holds(None, Some(&signature), [&key, &key]));
        assert!(!holds(None, None, [&key, &key]), "nothing proves nothing");
    }
}

proptest! {
    #[test]
    fn whatever_is_done_to_the_ciphertext_its_end_or_the_text_it_opens_no_more_and_nothing_panics(
        at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<prop::sample::Index>(), junk in ".{0,80}",
    ) {
        let vector = &vectors()["decrypt"][0];
        let (data, iv) = (vector["encryptedData"].as_str().unwrap(), vector["iv"].as_str().unwrap());
        let openid = OpenId::new(vector["expected"]["openId"].as_str().unwrap());
        let key = SessionKey::new(vector["session_key"].as_str().unwrap());
        let opened = |data: &str, iv: &str| {
            let claim = Claim { encrypted_data: Some(data), iv: Some(iv), ..Claim::default() };
            let owner = Owner { app: "wx4f4bc4dec97d474b", openid: &openid, keys: [&key, &key] };
            open(&claim, &owner, then(), MAX_AGE).map(|verified| verified.data)
        };
        let original = opened(data, iv).unwrap();
        // The last two blocks hold the end of the watermark and the padding: no bit of them may change.
        let mut bytes = STANDARD.decode(data).unwrap();
        let tail = bytes.len() - 32;
        bytes[tail + at.index(32)] ^= 1 << bit;
        prop_assert!(opened(&STANDARD.encode(&bytes), iv).is_none());
        // Elsewhere CBC garbles a block: what still opens is not the original, and still names this user and app.
        let mut bytes = STANDARD.decode(data).unwrap();
        bytes[at.index(tail)] ^= 1 << bit;
        if let Some(changed) = opened(&STANDARD.encode(&bytes), iv) {
            prop_assert_ne!(&changed, &original);
            prop_assert_eq!(&changed["watermark"], &original["watermark"]);
        }
        prop_assert!(opened(&data[..cut.index(data.len())], iv).is_none());
        prop_assert!(opened(&junk, iv).is_none());
        prop_assert!(opened(data, &junk).is_none());
    }
}
