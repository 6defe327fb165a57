//! Whom an operator finds and how, and what an unlock is worth.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PASSWORD, act, ask, credentials, id, world};
use crate::on_each_database;
use crate::world::{APP, Kind, OTHER_APP, World};

on_each_database! {
    async fn a_user_is_found_by_id_name_openid_and_phone_and_by_nothing_that_is_nobodys(kind: Kind) {
        let world = world(kind).await;
        let alice = world.user_of_app(APP, "openid-of-alice", "union-alice").await;
        let press = world.press_phone(json!({ "openid": "openid-of-alice", "phone": "13800138000" })).await;
        world.ask("POST", "/v1/me/phone", &alice, json!({ "code": press["code"] })).await.status(200);
        world.ask("PATCH", "/v1/me", &alice, json!({ "nickName": "小明 🎉" })).await.status(200);
        world.add_account("xiaoming", PASSWORD).await;
        let account = json!({ "username": "xiaoming", "password": PASSWORD });
        let bound = world.ask("PUT", "/v1/me/account", &alice, account).await.status(200).json();
        world.user_of_app(OTHER_APP, "openid-of-alice-there", "union-alice").await;
        let at = "2026-11-01T02:26:40.25Z";
        let identity = |app: &str, openid: &str| {
            json!({ "appId": app, "openid": openid, "unionid": "union-alice", "firstLoginTime": at, "lastLoginTime": at })
        };
        let found = json!({
            "userId": id(&bound), "status": 0, "username": "xiaoming", "userLevel": 0, "userLevelDesc": "普通用户",
            "nickName": "小明 🎉", "hasPhone": true, "registerTime": at, "tokensEndedAt": null,
            "wrongPasswords": { "count": 0, "lastTime": null },
            "identities": [identity(APP, "openid-of-alice"), identity(OTHER_APP, "openid-of-alice-there")],
        });
        for by in [
            format!("userId={}", id(&bound)),
            "username=XiaoMing&phone=".into(),
            format!("appId={APP}&openId=openid-of-alice"),
            format!("appId={OTHER_APP}&openId=openid-of-alice-there"),
            "phone=13800138000".into(),
            "phone=%2B8613800138000".into(),
            // As somebody types it into curl.
            "phone=+86+138-0013-8000".into(),
        ] {
            assert_eq!(ask(&world, &format!("/users?{by}")).await.status(200).json(), found, "{by}");
        }
        for nobody in [
            "userId=01a1fce9-f066-7826-9be7-0cf2bb5d62bb".into(),
            "username=nobody".into(),
            format!("appId={OTHER_APP}&openId=openid-of-alice"),
            format!("appId={APP}&openId=OPENID-of-alice"),
            "appId=wx-of-before&openId=openid-of-alice".into(),
            "phone=13800138001".into(),
        ] {
            let answer = ask(&world, &format!("/users?{nobody}")).await.refused(404, "user_not_found");
            // Whoever was looked for isn't repeated.
            assert!(!answer.text().contains("openid-of") && !answer.text().contains("1380013"), "{}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_names_nobody_or_too_many_is_refused_with_what_would_do() {
    let world = world(Kind::Sqlite).await;
    for (by, code) in [
        ("", "missing_field"),
        ("?", "missing_field"),
        ("?username=", "missing_field"),
        ("?username=a&phone=13800138000", "missing_field"),
        ("?userId=01a1fce9-f066-7826-9be7-0cf2bb5d62bb&appId=wx1", "missing_field"),
        ("?name=a", "missing_field"),
        ("?username=a&username=b", "missing_field"),
        ("?openId=a", "missing_field"),
        ("?appId=wx1", "missing_field"),
        ("?userId=alice", "invalid_field"),
        ("?username=a%20b", "invalid_field"),
        ("?username=%FF", "invalid_field"),
        ("?appId=wx1&openId=a%27b", "invalid_field"),
        ("?phone=1380013800", "invalid_field"),
        ("?phone=%2B86%2B", "invalid_field"),
    ] {
        ask(&world, &format!("/users{by}")).await.refused(400, code);
    }
}

on_each_database! {
    async fn an_unlock_lets_a_locked_account_in_at_once_from_every_address_and_counts_anew(kind: Kind) {
        let world = World::with(kind, &format!("{}\nhttp.trusted_proxies = [\"127.0.0.1/32\"]", credentials())).await;
        let user = world.add_account("xiaoming", PASSWORD).await;
        let other = world.add_account("xiaohong", PASSWORD).await;
        let type_at = async |address: &str, name: &str, password: &str| {
            let body = json!({ "username": name, "password": password });
            world.post_as("/v1/login/password", &body, &[("x-forwarded-for", address)]).await
        };
        let home = "198.51.100.1";
        for address in [home, "203.0.113.9"] {
            for name in ["xiaoming", "xiaohong"] {
                for _ in 0..5 {
                    type_at(address, name, "wrong password").await.refused(400, "bad_credentials");
                }
                type_at(address, name, PASSWORD).await.refused(429, "too_many_attempts");
            }
        }
        let wrong = ask(&world, "/users?username=xiaoming").await.json()["wrongPasswords"].clone();
        assert_eq!(wrong, json!({ "count": 10, "lastTime": "2026-11-01T02:26:40.25Z" }));

        act(&world, &user, "unlock").await.status(204);
        assert_eq!(ask(&world, "/users?username=xiaoming").await.json()["wrongPasswords"]["count"], 0);
        type_at(home, "xiaohong", PASSWORD).await.refused(429, "too_many_attempts");
        type_at(home, "xiaoming", PASSWORD).await.status(200);
        // The stranger has five more, and then waits again; a right password elsewhere gives nobody any.
        world.clock.turn(Duration::from_millis(1));
        for _ in 0..5 {
            type_at("203.0.113.9", "xiaoming", "wrong password").await.refused(400, "bad_credentials");
        }
        type_at(home, "xiaoming", PASSWORD).await.status(200);
        type_at("203.0.113.9", "xiaoming", PASSWORD).await.refused(429, "too_many_attempts");

        // Disabling and enabling forgives as well.
        act(&world, &other, "disable").await.status(204);
        act(&world, &other, "enable").await.status(204);
        let session = type_at(home, "xiaohong", PASSWORD).await.status(200).json();
        // One's own password, in a change of it, is counted apart.
        let change = async |old: &str| {
            let body = json!({ "oldPassword": old, "newPassword": "another password" });
            world.ask("PUT", "/v1/me/password", &session, body).await
        };
        for _ in 0..5 {
            change("wrong password").await.refused(400, "bad_credentials");
        }
        change(PASSWORD).await.refused(429, "too_many_attempts");
        act(&world, &other, "unlock").await.status(204);
        change(PASSWORD).await.status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlock_of_nobody_or_of_somebody_without_a_password_says_so() {
    let world = world(Kind::Sqlite).await;
    act(&world, "01a1fce9-f066-7826-9be7-0cf2bb5d62bb", "unlock").await.refused(404, "user_not_found");
    act(&world, "alice", "unlock").await.refused(400, "invalid_field");
    let alice = world.login("alice").await;
    act(&world, id(&alice), "unlock").await.refused(409, "not_bound");
    world.ask("DELETE", "/v1/me", &alice, Value::Null).await.status(204);
    act(&world, id(&alice), "unlock").await.refused(409, "user_closed");
}
