//! Phone numbers: by code and by encryptedData, sealed, unique, found by the blind index.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};
use wxgate::secret::Phone;

use crate::on_each_database;
use crate::world::{Kind, World};

on_each_database! {
    async fn a_phone_is_set_by_code_or_by_encrypted_data_and_shown_to_its_owner(kind: Kind) {
        let world = World::on(kind).await;
        let session = world.login("alice").await;
        assert_eq!(session["userInfo"].get("phone"), None);
        // WeChat writes countryCode as a number for this one, as a string for the next.
        let button = world.press_phone(json!({ "openid": "alice", "phone": "13580006666" })).await;
        let body = json!({ "code": button["code"] });
        let info = world.ask("POST", "/v1/me/phone", &session, body.clone()).await.status(200).json();
        assert_eq!(info["phone"], "13580006666");
        let again = world.ask("POST", "/v1/me/phone", &session, body).await.refused(400, "phone_code_invalid").json();
        assert!(again["detail"].as_str().unwrap().contains("手机号按钮"), "{again}");

        let button = world.press_phone(json!({ "openid": "alice", "phone": "13580006667" })).await;
        let body = json!({ "encryptedData": button["encryptedData"], "iv": button["iv"] });
        let info = world.ask("POST", "/wx/auth/bindPhone", &session, body).await.errno(0).json();
        assert_eq!(info["data"]["phone"], "13580006667");
        let abroad = world.press_phone(json!({ "openid": "alice", "phone": "2025550123", "countryCode": "1" })).await;
        let body = json!({ "code": abroad["code"] });
        assert_eq!(world.ask("POST", "/v1/me/phone", &session, body).await.status(200).json()["phone"], "+12025550123");
        assert_eq!(world.ask("GET", "/v1/me", &session, Value::Null).await.status(200).json()["phone"], "+12025550123");
        assert_eq!(world.login("alice").await["userInfo"]["phone"], "+12025550123");
    }
}

on_each_database! {
    async fn two_users_can_not_hold_one_phone_even_at_the_same_moment(kind: Kind) {
        let world = std::sync::Arc::new(World::on(kind).await);
        let mut asked = tokio::task::JoinSet::new();
        for at in 0..8 {
            let openid = format!("user-{at}");
            let session = world.login(&openid).await;
            let button = world.press_phone(json!({ "openid": openid, "phone": "13580006666" })).await;
            let world = world.clone();
            asked.spawn(async move {
                world.ask("POST", "/v1/me/phone", &session, json!({ "code": button["code"] })).await
            });
        }
        let (won, lost): (Vec<_>, Vec<_>) = asked.join_all().await.into_iter().partition(|answer| answer.code() == 200);
        assert_eq!((won.len(), lost.len()), (1, 7));
        for answer in lost {
            answer.refused(409, "phone_taken");
        }
        // The owner may set it once more, and is found by it.
        let owner = won[0].json()["userId"].clone();
        let found = wxgate::flows::phone::find(&world.app.rooms, &Phone::new("+8613580006666")).await.unwrap();
        assert_eq!(json!(found), owner);
        assert_eq!(wxgate::flows::phone::find(&world.app.rooms, &Phone::new("+8613580006660")).await.unwrap(), None);
    }
}

on_each_database! {
    async fn a_phone_number_is_nowhere_in_clear_and_its_ciphertext_is_bound_to_its_user(kind: Kind) {
        let world = World::on(kind).await;
        let session = world.login("alice").await;
        let button = world.press_phone(json!({ "openid": "alice", "phone": "13580006666" })).await;
        world.ask("POST", "/v1/me/phone", &session, json!({ "code": button["code"] })).await.status(200);
        let connection = world.database.connect(&world.folder()).await;
        let backend = connection.get_database_backend();
        let row = Statement::from_string(backend, "SELECT phone, phone_index FROM users");
        let row = connection.query_one_raw(row).await.unwrap().unwrap();
        let sealed: Vec<u8> = row.try_get("", "phone").unwrap();
        let index: Vec<u8> = row.try_get("", "phone_index").unwrap();
        for kept in [&sealed, &index] {
            for form in ["13580006666".to_owned(), STANDARD.encode("13580006666"), STANDARD.encode("+8613580006666")] {
                assert!(!kept.windows(form.len()).any(|window| window == form.as_bytes()));
            }
        }
        assert_eq!(index.len(), 16);
        if kind == Kind::Sqlite {
            for file in ["wxgate.sqlite", "wxgate.sqlite-wal"] {
                let bytes = std::fs::read(world.folder().join(file)).unwrap();
                assert!(!bytes.windows(11).any(|window| window == b"13580006666"), "{file}");
            }
        }
        // Moved to another user's row it does not open: the phone is left out, and nothing breaks.
        let other = world.login("bob").await;
        let copy = "UPDATE users SET phone = (SELECT phone FROM (SELECT phone FROM users WHERE phone IS NOT NULL) AS theirs) WHERE phone IS NULL";
        connection.execute_unprepared(copy).await.unwrap();
        assert_eq!(world.ask("GET", "/v1/me", &other, Value::Null).await.status(200).json().get("phone"), None);
        assert_eq!(world.ask("GET", "/v1/me", &session, Value::Null).await.status(200).json()["phone"], "13580006666");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_phone_of_this_user_is_refused() {
    let world = World::on(Kind::Sqlite).await;
    let (alice, _bob) = (world.login("alice").await, world.login("bob").await);
    // Bob's code in Alice's hands: WeChat is told her openid, and refuses.
    let bobs = world.press_phone(json!({ "openid": "bob", "phone": "13580006666" })).await;
    world
        .ask("POST", "/v1/me/phone", &alice, json!({ "code": bobs["code"] }))
        .await
        .refused(400, "phone_code_invalid");
    let body = json!({ "encryptedData": bobs["encryptedData"], "iv": bobs["iv"] });
    world.ask("POST", "/v1/me/phone", &alice, body).await.refused(400, "encrypted_data_invalid");
    // Data that holds, but is no phone.
    let info = world.user_info(json!({ "openid": "alice" })).await;
    let body = json!({ "encryptedData": info["encryptedData"], "iv": info["iv"] });
    world.ask("POST", "/v1/me/phone", &alice, body).await.refused(400, "encrypted_data_invalid");
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({ "code": "" }), "missing_field"),
        (json!({ "code": "a b" }), "invalid_field"),
        (json!({ "encryptedData": "AAAA" }), "missing_field"),
        (json!({ "iv": "AAAA" }), "missing_field"),
    ] {
        world.ask("POST", "/v1/me/phone", &alice, body).await.refused(400, code);
    }
    world.faults(json!({ "path": "/wxa/business/getuserphonenumber", "body": "{\"errcode\":0,\"errmsg\":\"ok\"}" })).await;
    world
        .ask("POST", "/v1/me/phone", &alice, json!({ "code": "abc" }))
        .await
        .refused(503, "wechat_unavailable");
    world.faults(json!({ "path": "/wxa/business/getuserphonenumber", "errcode": 45011 })).await;
    world
        .ask("POST", "/v1/me/phone", &alice, json!({ "code": "abc" }))
        .await
        .refused(429, "wechat_throttled");
}
