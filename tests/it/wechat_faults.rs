//! Whatever WeChat does, the answer is the documented one, within the deadline, and nothing secret is said.

use std::time::Duration;

use serde_json::{Value, json};
use wxgate::error::Code;

use crate::world::{APP_SECRET, Kind, World};

/// Short deadlines, so that a hang is over soon; far above what an answer takes.
const QUICK: &str = "wechat.timeout = 700ms\nwechat.connect_timeout = 300ms";

async fn login_under(world: &World, fault: Value) -> crate::world::Answer {
    let code = world.code("alice").await;
    world.faults(fault).await;
    let answer =
        tokio::time::timeout(Duration::from_secs(30), world.post("/v1/login", &json!({ "code": code })))
            .await;
    world.faults(json!([])).await;
    let answer = answer.expect("an answer within any deadline");
    for secret in [APP_SECRET, code.as_str(), "jscode2session", "127.0.0.1"] {
        assert!(!answer.text().contains(secret), "{}", answer.text());
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn every_errcode_of_the_table_has_its_answer() {
    let world = World::on(Kind::Sqlite).await;
    for (errcode, status, code) in [
        (40029, 400, "wechat_code_invalid"),
        (40163, 400, "wechat_code_used"),
        (40226, 403, "wechat_user_blocked"),
        (45011, 429, "wechat_throttled"),
        (40013, 500, "wechat_misconfigured"),
        (40125, 500, "wechat_misconfigured"),
        (41002, 500, "wechat_misconfigured"),
        (41004, 500, "wechat_misconfigured"),
        (41008, 500, "wechat_misconfigured"),
        (50002, 500, "wechat_misconfigured"),
        (40164, 500, "wechat_misconfigured"),
        (40243, 500, "wechat_misconfigured"),
        (-1, 503, "wechat_unavailable"),
        (99999, 503, "wechat_unavailable"),
    ] {
        login_under(&world, json!({ "errcode": errcode })).await.refused(status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_answer_of_wechats_is_a_clear_503() {
    let world = World::with(Kind::Sqlite, QUICK).await;
    for fault in [
        json!({ "httpStatus": 500 }),
        json!({ "httpStatus": 502, "body": "<html>bad gateway</html>" }),
        json!({ "httpStatus": 302 }),
        json!({ "httpStatus": 307 }),
        json!({ "httpStatus": 204 }),
        json!({ "body": "" }),
        json!({ "body": "null" }),
        json!({ "body": "[]" }),
        json!({ "body": "{}" }),
        json!({ "body": "<html></html>" }),
        json!({ "body": "{\"openid\":\"alice\"}" }),
        json!({ "body": "{\"openid\":\"alice\",\"session_key\":\"\"}" }),
        json!({ "body": "{\"openid\":\"\",\"session_key\":\"tiihtNczf5v6AKRyjwEUhQ==\"}" }),
        json!({ "body": "{\"openid\":\"a'b\",\"session_key\":\"tiihtNczf5v6AKRyjwEUhQ==\"}" }),
        json!({ "body": "{\"openid\":\"alice\",\"session_key\":\"tiihtNczf5v6AKRyjwEU\"}" }),
        json!({ "body": "{\"openid\":\"alice\",\"session_key\":\"tiihtNczf5v6AKRyjwEUhQ==\",\"unionid\":\"a b\"}" }),
        json!({ "body": "{\"errcode\":\"0\",\"openid\":\"alice\",\"session_key\":\"tiihtNczf5v6AKRyjwEUhQ==\"}" }),
        json!({ "bodySize": 70_000 }),
        json!({ "bodySize": 100_000_000 }),
        json!({ "close": true }),
        json!({ "hang": true }),
        json!({ "latencyMs": 5_000 }),
    ] {
        let calls = world.wechat.calls("/sns/jscode2session");
        login_under(&world, fault.clone()).await.refused(503, "wechat_unavailable");
        assert_eq!(world.wechat.calls("/sns/jscode2session"), calls + 1, "never sent again: {fault}");
    }
    assert_eq!(world.database.count(&world.folder(), "users").await, 0);
    world.login("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_errcode_zero_is_a_success_too() {
    let world = World::on(Kind::Sqlite).await;
    let body = r#"{"errcode":0,"errmsg":"ok","openid":"alice","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}"#;
    login_under(&world, json!({ "body": body })).await.status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_is_tried_once_more_and_an_ambiguous_failure_leaves_the_code_good() {
    let world = World::with(Kind::Sqlite, QUICK).await;
    login_under(&world, json!({ "errcode": -1, "times": 1 })).await.status(200);
    assert_eq!(world.wechat.calls("/sns/jscode2session"), 2);

    for fault in [
        json!({ "hang": true, "times": 1 }),
        json!({ "close": true, "times": 1 }),
        json!({ "errcode": -1, "times": 2 }),
    ] {
        let code = world.code("alice").await;
        world.faults(fault).await;
        world.post("/v1/login", &json!({ "code": code })).await.refused(503, "wechat_unavailable");
        world.post("/v1/login", &json!({ "code": code })).await.status(200);
        world.post("/v1/login", &json!({ "code": code })).await.refused(400, "wechat_code_used");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn used_and_invalid_codes_are_answered_from_memory_for_five_minutes() {
    let world = World::on(Kind::Sqlite).await;
    let calls = || world.wechat.calls("/sns/jscode2session");
    let used = world.code("alice").await;
    world.post("/v1/login", &json!({ "code": used })).await.status(200);
    world.post("/v1/login", &json!({ "code": "unheard" })).await.refused(400, "wechat_code_invalid");
    assert_eq!(calls(), 2);
    for _ in 0..3 {
        world.post("/v1/login", &json!({ "code": used })).await.refused(400, "wechat_code_used");
        world.post("/v1/login", &json!({ "code": "unheard" })).await.refused(400, "wechat_code_invalid");
    }
    assert_eq!(calls(), 2);
    world.clock.turn(Duration::from_secs(301));
    // WeChat itself no longer knows it.
    world.post("/v1/login", &json!({ "code": used })).await.refused(400, "wechat_code_invalid");
    assert_eq!(calls(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_older_than_five_minutes_is_invalid() {
    let world = World::on(Kind::Sqlite).await;
    let code = world.code("alice").await;
    world.clock.turn(Duration::from_secs(301));
    world.post("/v1/login", &json!({ "code": code })).await.refused(400, "wechat_code_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_bound_are_answered_busy_at_once() {
    let world = std::sync::Arc::new(
        World::with(Kind::Sqlite, "wechat.max_concurrent = 1\nwechat.max_waiting = 1\nwechat.timeout = 2s")
            .await,
    );
    world.faults(json!({ "hang": true })).await;
    let mut logins = tokio::task::JoinSet::new();
    for at in 0..8 {
        let code = world.code(&format!("user-{at}")).await;
        let world = world.clone();
        logins.spawn(async move { world.post("/v1/login", &json!({ "code": code })).await });
    }
    let mut codes: Vec<String> = logins
        .join_all()
        .await
        .iter()
        .map(|answer| answer.json()["code"].as_str().unwrap().to_owned())
        .collect();
    codes.sort();
    assert_eq!(codes, [vec!["busy"; 6], vec!["wechat_unavailable"; 2]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_closed_or_speaks_no_tls_is_a_503_that_names_no_address() {
    let plain = World::on(Kind::Sqlite).await;
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let no_tls = plain.wechat.base_url().replace("http://", "https://");
    for base_url in [format!("http://{closed}"), no_tls] {
        let world = World::with(Kind::Sqlite, &format!("wechat.base_url = {base_url}")).await;
        let answer =
            world.post("/v1/login", &json!({ "code": "abc" })).await.refused(503, "wechat_unavailable");
        assert!(!answer.text().contains("127.0.0.1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_app_secret_is_our_fault_and_the_log_line_names_the_setting_and_not_the_secret() {
    let apps = format!(r#"wechat.apps = [{{ id = "{}", secret = "wrong-secret-987" }}]"#, crate::world::APP);
    let world = World::with(Kind::Sqlite, &apps).await;
    let code = world.code("alice").await;
    let app = world.app.rooms.wechat.app(None, None).unwrap();
    let code = wxgate::secret::LoginCode::new(code);
    let error = world.app.rooms.wechat.code2session(app, &code).await.unwrap_err();
    assert_eq!(error.code, Code::WechatMisconfigured);
    let said = format!("{error} {error:?}");
    assert!(
        said.contains("wechat.apps.secret_file") && said.contains("40125") && said.contains("rid 6ae6"),
        "{said}"
    );
    assert!(!said.contains("wrong-secret") && !said.contains(code.expose()), "{said}");
}
