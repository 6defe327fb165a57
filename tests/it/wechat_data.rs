//! encryptedData, rawData, and the session_key they are under: what holds, what doesn't, and that one can't tell why.

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_each_database;
use crate::world::{APP, Kind, OTHER_APP, World};

fn proof(info: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), info[*field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

const ALL: &[&str] = &["encryptedData", "iv", "rawData", "signature"];

on_each_database! {
    async fn flow_c_decrypts_in_the_login_and_keeps_the_profile(kind: Kind) {
        let world = World::on(kind).await;
        // The phone has a session already; its data is made under the key that the login will bring.
        world.login("carol").await;
        let said = json!({ "nickName": "Carol 🎈", "gender": 2, "city": "Guangzhou", "avatarUrl": "https://thirdwx.qlogo.cn/c/132" });
        let info = world.user_info(json!({ "openid": "carol", "userInfo": said })).await;
        let mut body = proof(&info, ALL);
        body["code"] = json!(world.code("carol").await);
        let session = world.post("/v1/login", &body).await.status(200).json();
        for (field, value) in said.as_object().unwrap() {
            assert_eq!(&session["userInfo"][field], value);
        }
        // An anonymous proof beside a name that the user typed: the name stays.
        let mut body = proof(&world.user_info(json!({ "openid": "carol" })).await, ALL);
        body["code"] = json!(world.code("carol").await);
        body["userInfo"] = json!({ "nickName": "Carola" });
        assert_eq!(world.post("/v1/login", &body).await.status(200).json()["userInfo"]["nickName"], "Carola");
        // Programs send '' for what they haven't got.
        let nothing = json!({ "code": world.code("carol").await, "encryptedData": "", "iv": "", "rawData": "", "signature": "" });
        world.post("/v1/login", &nothing).await.status(200);
        // Through litemall's door likewise; and what doesn't hold is refused, though the code was good.
        let mut body = proof(&info, ALL);
        body["code"] = json!(world.code("carol").await);
        world.post("/wx/auth/login_by_weixin", &body).await.errno(0);
        body["code"] = json!(world.code("carol").await);
        body["signature"] = json!("75e81ceda165f4ffa64f4068af58c64b8f54b88c");
        world.post("/v1/login", &body).await.refused(400, "encrypted_data_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verified_data_comes_back_without_what_identifies_the_person() {
    let world = World::on(Kind::Sqlite).await;
    let code = world.code_of(json!({ "openid": "alice", "unionid": "union-a" })).await;
    let session = world.post("/v1/login", &json!({ "code": code })).await.status(200).json();
    let info = world
        .user_info(json!({ "openid": "alice", "userInfo": { "nickName": "小明", "extra": [1, 2] } }))
        .await;
    let data = world.ask("POST", "/v1/me/decrypt", &session, proof(&info, ALL)).await.status(200).json();
    assert_eq!(
        data,
        json!({ "nickName": "小明", "extra": [1, 2], "watermark": { "timestamp": 1_793_500_000, "appid": APP } })
    );
    let raw = world
        .ask("POST", "/v1/me/decrypt", &session, proof(&info, &["rawData", "signature"]))
        .await
        .status(200)
        .json();
    assert_eq!(raw, json!({ "nickName": "小明", "extra": [1, 2] }));
    world.ask("POST", "/v1/me/decrypt", &session, json!({})).await.refused(400, "missing_field");
    world.post("/v1/me/decrypt", &proof(&info, ALL)).await.refused(401, "token_missing");
}

/// The official vectors through the door: the good one opens, every bad one gets the one same answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_official_vectors_hold_at_the_door_and_no_failure_differs_from_another() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/wechat.json")).unwrap();
    let good = &vectors["decrypt"][0];
    let expected = &good["expected"];
    let apps = format!(r#"wechat.apps = [{{ id = "{}", secret = "s" }}]"#, good["appid"].as_str().unwrap());
    let config = format!("{apps}\nwechat.decrypts_per_minute = 1000");
    let world = World::at(1_477_314_187_000, Kind::Sqlite, &config).await;
    let login = async |session_key: &Value| {
        let body = json!({ "openid": expected["openId"], "session_key": session_key, "unionid": expected["unionId"] });
        world.faults(json!({ "body": body.to_string() })).await;
        let code = format!("{:032x}", u128::from_be_bytes(wxgate::vault::random::bytes()));
        world.post("/v1/login", &json!({ "code": code })).await
    };
    let session = login(&good["session_key"]).await.status(200).json();
    let opened = world
        .ask("POST", "/v1/me/decrypt", &session, proof(good, &["encryptedData", "iv"]))
        .await
        .status(200)
        .json();
    let mut wanted = expected.clone();
    wanted.as_object_mut().unwrap().retain(|name, _| name != "openId" && name != "unionId");
    assert_eq!(opened, wanted);

    let mut answers = Vec::new();
    for bad in vectors["must_fail"].as_array().unwrap() {
        // A session_key of 15 bytes never gets past the login; another app's watermark needs that app.
        if bad["session_key"] != good["session_key"] && login(&bad["session_key"]).await.code() != 200 {
            continue;
        }
        if bad["why"].as_str().unwrap().starts_with("watermark") {
            continue;
        }
        let answer =
            world.ask("POST", "/v1/me/decrypt", &session, proof(bad, &["encryptedData", "iv"])).await;
        answers.push((bad["why"].clone(), answer));
        login(&good["session_key"]).await.status(200);
    }
    for (why, claim) in [
        ("no iv", json!({ "encryptedData": good["encryptedData"] })),
        ("no data", json!({ "iv": good["iv"] })),
        ("half a signature", json!({ "rawData": "{}" })),
        (
            "a good part beside a bad one",
            json!({ "encryptedData": good["encryptedData"], "iv": good["iv"], "rawData": "{}", "signature": "00" }),
        ),
        ("no base64", json!({ "encryptedData": "???", "iv": good["iv"] })),
        (
            "an iv with a bit flipped",
            json!({ "encryptedData": good["encryptedData"], "iv": "r7BXXKkLb8qrSNn05n0qiQ==" }),
        ),
    ] {
        answers.push((json!(why), world.ask("POST", "/v1/me/decrypt", &session, claim).await));
    }
    assert!(answers.len() >= 12);
    let mut bodies = std::collections::HashSet::new();
    for (why, answer) in answers {
        assert_eq!(answer.code(), 400, "{why}");
        let mut body = answer.refused(400, "encrypted_data_invalid").json();
        body["requestId"] = json!("");
        bodies.insert(body.to_string());
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    // Eleven minutes later the good one is too old, and that looks no different.
    world.clock.turn(Duration::from_secs(660));
    let late = world.ask("POST", "/v1/me/decrypt", &session, proof(good, &["encryptedData", "iv"])).await;
    let mut late = late.refused(400, "encrypted_data_invalid").json();
    late["requestId"] = json!("");
    assert!(bodies.contains(&late.to_string()));
}

on_each_database! {
    async fn two_devices_that_race_each_others_session_key_both_get_their_data_within_the_window(kind: Kind) {
        let world = World::on(kind).await;
        let phone = world.login("alice").await;
        let made_on_the_phone = world.user_info(json!({ "openid": "alice", "userInfo": { "nickName": "on the phone" } })).await;
        let decrypt = async |info: &Value| world.ask("POST", "/v1/me/decrypt", &phone, proof(info, ALL)).await;
        decrypt(&made_on_the_phone).await.status(200);

        // The PC logs in: WeChat rotates the key, and both log in again without another rotation.
        world.clock.turn(Duration::from_secs(61));
        world.login("alice").await;
        world.login("alice").await;
        world.login("alice").await;
        let made_on_the_pc = world.user_info(json!({ "openid": "alice", "userInfo": { "nickName": "on the pc" } })).await;
        for (info, said) in [(&made_on_the_phone, "on the phone"), (&made_on_the_pc, "on the pc")] {
            assert_eq!(decrypt(info).await.status(200).json()["nickName"], said);
        }
        world.clock.turn(Duration::from_secs(299));
        decrypt(&made_on_the_phone).await.status(200);
        world.clock.turn(Duration::from_secs(1));
        let late = decrypt(&made_on_the_phone).await.refused(400, "encrypted_data_invalid").json();
        assert!(late["detail"].as_str().unwrap().contains("重新调用 wx.login"), "{late}");
        decrypt(&made_on_the_pc).await.status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decrypting_has_a_limit_of_its_own_for_each_user() {
    let world = World::with(Kind::Sqlite, "wechat.decrypts_per_minute = 3").await;
    let (alice, bob) = (world.login("alice").await, world.login("bob").await);
    let nonsense = json!({ "encryptedData": "AAAA", "iv": "AAAA" });
    for _ in 0..3 {
        world
            .ask("POST", "/v1/me/decrypt", &alice, nonsense.clone())
            .await
            .refused(400, "encrypted_data_invalid");
    }
    let limited =
        world.ask("POST", "/v1/me/decrypt", &alice, nonsense.clone()).await.refused(429, "too_many_requests");
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=21).contains(&wait), "{wait}");
    world.ask("POST", "/v1/me/decrypt", &bob, nonsense.clone()).await.refused(400, "encrypted_data_invalid");
    world.clock.turn(Duration::from_secs(wait));
    world.ask("POST", "/v1/me/decrypt", &alice, nonsense).await.refused(400, "encrypted_data_invalid");
}

on_each_database! {
    async fn the_wechat_session_can_be_checked_and_rotated_from_the_server(kind: Kind) {
        let world = World::on(kind).await;
        let session = world.login("alice").await;
        let valid = async |method: &str, path: &str| {
            world.ask(method, path, &session, Value::Null).await.status(200).json()["valid"] == true
        };
        assert!(valid("GET", "/v1/me/wechat-session").await);
        let before = world.user_info(json!({ "openid": "alice" })).await;
        assert!(valid("POST", "/v1/me/wechat-session/reset").await);
        assert!(valid("GET", "/v1/me/wechat-session").await, "the new key was kept");
        // Both keys are in hand: data from before the rotation still opens for a while.
        let after = world.user_info(json!({ "openid": "alice" })).await;
        for info in [&before, &after] {
            world.ask("POST", "/v1/me/decrypt", &session, proof(info, ALL)).await.status(200);
        }
        // Another device logs in elsewhere: WeChat's key is no longer ours.
        world.clock.turn(Duration::from_secs(61));
        let code = world.code("alice").await;
        let query = format!("appid={APP}&secret={}&js_code={code}&grant_type=authorization_code", crate::world::APP_SECRET);
        reqwest::get(format!("{}/sns/jscode2session?{query}", world.wechat.base_url())).await.unwrap();
        assert!(!valid("GET", "/v1/me/wechat-session").await);
        assert!(!valid("POST", "/v1/me/wechat-session/reset").await);
        assert_eq!(world.wechat.calls("/cgi-bin/stable_token"), 1, "one access_token did for all of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_that_need_an_access_token_at_once_fetch_it_once() {
    let world = std::sync::Arc::new(World::with(Kind::Sqlite, "wechat.server_calls_per_minute = 1000").await);
    let session = world.login("alice").await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (world, session) = (world.clone(), session.clone());
        asked.spawn(async move {
            world.ask("GET", "/v1/me/wechat-session", &session, Value::Null).await.status(200)
        });
    }
    asked.join_all().await;
    assert_eq!(world.wechat.calls("/cgi-bin/stable_token"), 1);
    // A minute before its end a new one is fetched; each app has its own.
    world.clock.turn(Duration::from_secs(7200 - 61));
    let session = world.login("alice").await;
    world.ask("GET", "/v1/me/wechat-session", &session, Value::Null).await.status(200);
    assert_eq!(world.wechat.calls("/cgi-bin/stable_token"), 1);
    world.clock.turn(Duration::from_secs(1));
    world.ask("GET", "/v1/me/wechat-session", &session, Value::Null).await.status(200);
    assert_eq!(world.wechat.calls("/cgi-bin/stable_token"), 2);
    let code = world.code_of(json!({ "appid": OTHER_APP, "openid": "alice" })).await;
    let other =
        world.post("/v1/login", &json!({ "code": code, "appId": OTHER_APP })).await.status(200).json();
    world.ask("GET", "/v1/me/wechat-session", &other, Value::Null).await.status(200);
    assert_eq!(world.wechat.calls("/cgi-bin/stable_token"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_that_wechat_refuses_is_renewed_once_by_whoever_comes_first() {
    let world = std::sync::Arc::new(World::with(Kind::Sqlite, "wechat.server_calls_per_minute = 1000").await);
    let session = world.login("alice").await;
    world.ask("GET", "/v1/me/wechat-session", &session, Value::Null).await.status(200);
    world.wechat.void_tokens();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (world, session) = (world.clone(), session.clone());
        asked.spawn(async move {
            world.ask("GET", "/v1/me/wechat-session", &session, Value::Null).await.status(200)
        });
    }
    asked.join_all().await;
    assert_eq!(world.wechat.calls("/cgi-bin/stable_token"), 2, "one renewal for all sixteen");
    // One that is refused for good is not asked for again and again.
    for errcode in [40001, 40014, 42001] {
        let calls = world.wechat.calls("/wxa/checksession");
        world.faults(json!({ "path": "/wxa/checksession", "errcode": errcode })).await;
        world
            .ask("GET", "/v1/me/wechat-session", &session, Value::Null)
            .await
            .refused(503, "wechat_unavailable");
        assert_eq!(world.wechat.calls("/wxa/checksession"), calls + 2);
        world.clock.turn(Duration::from_secs(31));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_calls_have_the_same_answers_to_wechats_faults() {
    let world = World::with(Kind::Sqlite, "wechat.timeout = 700ms").await;
    let session = world.login("alice").await;
    world.faults(json!({ "path": "/cgi-bin/stable_token", "errcode": 40164 })).await;
    world
        .ask("GET", "/v1/me/wechat-session", &session, Value::Null)
        .await
        .refused(500, "wechat_misconfigured");
    for path in ["/cgi-bin/stable_token", "/wxa/checksession"] {
        for fault in [
            json!({ "path": path, "httpStatus": 412 }),
            json!({ "path": path, "httpStatus": 302 }),
            json!({ "path": path, "body": "<html>" }),
            json!({ "path": path, "bodySize": 100_000 }),
            json!({ "path": path, "close": true }),
            json!({ "path": path, "hang": true }),
            json!({ "path": path, "errcode": -1 }),
        ] {
            world.faults(fault.clone()).await;
            let answer = world.ask("GET", "/v1/me/wechat-session", &session, Value::Null).await;
            let answer = answer.refused(503, "wechat_unavailable");
            assert!(
                !answer.text().contains("access_token") && !answer.text().contains("127.0.0.1"),
                "{fault}"
            );
        }
    }
    world.faults(json!([])).await;
    world.ask("GET", "/v1/me/wechat-session", &session, Value::Null).await.status(200);
}
