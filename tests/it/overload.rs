//! More than can be served: who is let in, who is told to come again, and that nobody is held up by the others.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{APP, Answer, Kind, World};

/// Logs somebody in from this address.
async fn from(world: &World, address: &str, openid: &str) -> Answer {
    let code = world.code(openid).await;
    world.post_as("/v1/login", &json!({ "code": code }), &[("x-forwarded-for", address)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_logins_wait_for_a_hanging_wechat_one_too_many_is_told_at_once_and_bearers_are_served() {
    // Long enough that all of them hang at once on a busy machine as well.
    let world =
        World::with(Kind::Sqlite, "overload.logins = 256\nwechat.timeout = 15s\nhttp.request_timeout = 40s")
            .await;
    let session = world.login("alice").await;
    world.faults(json!([{ "hang": true }])).await;
    let mut codes = Vec::new();
    for person in 0..300 {
        codes.push(world.code(&format!("person-{person}")).await);
    }
    let bodies: Vec<Value> = codes.iter().map(|code| json!({ "code": code })).collect();
    let asked = bodies.iter().map(|body| world.post("/v1/login", body));
    let all = futures_util::future::join_all(asked);
    let beside = async {
        // While they hang, whoever has a token is served.
        while world.app.admission.under_way(wxgate::throttle::Class::Login).0 < 256 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            world.ask("GET", "/v1/me", &session, Value::Null).await.status(200);
        }
        world.faults(json!([])).await;
    };
    let (answers, ()) = tokio::join!(all, beside);
    let (mut busy, mut waited) = (0, 0);
    for answer in answers {
        match answer.code() {
            503 if answer.json()["code"] == "busy" => {
                assert_eq!(answer.header("retry-after"), "1");
                busy += 1;
            }
            503 => {
                assert_eq!(answer.json()["code"], "wechat_unavailable");
                waited += 1;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert_eq!((busy, waited), (44, 256));
    // So many without an answer count as a WeChat that is down; a second later one finds out that it isn't.
    world.clock.turn(Duration::from_secs(1));
    world.login("bob").await;
    assert_eq!(
        world.app.admission.under_way(wxgate::throttle::Class::Login).0,
        0,
        "every place is free again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_asks_too_often_waits_and_its_neighbours_do_not() {
    let more = "http.trusted_proxies = [\"127.0.0.1\"]\noverload.requests_per_address = 3";
    let world = World::with(Kind::Sqlite, more).await;
    for _ in 0..3 {
        from(&world, "203.0.113.9", "alice").await.status(200);
    }
    let refused = from(&world, "203.0.113.9", "alice").await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    refused.refused(429, "too_many_requests");
    from(&world, "203.0.113.10", "bob").await.status(200);
    // A whole network of one customer's is one address in IPv6.
    for host in 1..=3 {
        from(&world, &format!("2001:db8::{host}"), "carol").await.status(200);
    }
    from(&world, "2001:db8::4", "carol").await.refused(429, "too_many_requests");
    // A proxy's own address isn't counted, nor what is answered from memory.
    for _ in 0..10 {
        world.get("/v1/me", &[]).await.refused(401, "token_missing");
        world.get("/.well-known/jwks.json", &[("x-forwarded-for", "203.0.113.9")]).await.status(200);
    }
    world.clock.turn(Duration::from_secs(wait));
    from(&world, "203.0.113.9", "alice").await.status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_logs_in_too_often_is_told_when_to_come_again_and_no_code_is_spent() {
    let world = World::with(Kind::Sqlite, "overload.logins_per_app = 2").await;
    for _ in 0..2 {
        world.login("alice").await;
    }
    let code = world.code("alice").await;
    let refused = world.post("/v1/login", &json!({ "code": code, "appId": APP })).await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    refused.refused(429, "too_many_requests");
    world.clock.turn(Duration::from_secs(wait));
    world.post("/v1/login", &json!({ "code": code, "appId": APP })).await.status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_wechat_is_down_logins_fail_at_once_one_in_a_while_tries_and_the_first_that_gets_through_opens_it()
 {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let calls = || world.wechat.calls("/sns/jscode2session");
    world.faults(json!([{ "httpStatus": 502 }])).await;
    for person in 0..20 {
        let code = world.code(&format!("person-{person}")).await;
        world.post("/v1/login", &json!({ "code": code })).await.refused(503, "wechat_unavailable");
    }
    let before = calls();
    let code = world.code("bob").await;
    for _ in 0..10 {
        let refused = world.post("/v1/login", &json!({ "code": code })).await;
        assert_eq!(refused.header("retry-after"), "2");
        refused.refused(503, "wechat_unavailable");
    }
    assert_eq!(calls(), before, "nobody asks a WeChat that is down");
    world.ask("GET", "/v1/me", &session, Value::Null).await.status(200);
    world.clock.turn(Duration::from_secs(1));
    world.post("/v1/login", &json!({ "code": code })).await.refused(503, "wechat_unavailable");
    assert_eq!(calls(), before + 1, "one finds out");
    world.faults(json!([])).await;
    world.clock.turn(Duration::from_secs(2));
    // The code never reached WeChat but for the tries, which WeChat didn't take: it still logs in.
    world.post("/v1/login", &json!({ "code": code })).await.status(200);
    world.login("carol").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_errcode_is_an_answer_and_never_makes_wechat_count_as_down() {
    let world = World::on(Kind::Sqlite).await;
    world.faults(json!([{ "errcode": 40029 }])).await;
    for person in 0..30 {
        let code = world.code(&format!("person-{person}")).await;
        world.post("/v1/login", &json!({ "code": code })).await.refused(400, "wechat_code_invalid");
    }
    world.faults(json!([])).await;
    world.login("alice").await;
}
