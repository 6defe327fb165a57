//! `/internal/v1/users/{id}`: what our own services may know of a user, and do.

use serde_json::{Value, json};

use crate::on_each_database;
use crate::world::{APP, Kind, OTHER_APP, World};

const PAY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const DESK: &str = "desk-0123456789abcdef0123456789abcdef";

async fn world(kind: Kind) -> World {
    let credentials = format!(
        "internal.credentials = [{{ name = \"pay\", token = \"{PAY}\" }}, {{ name = \"desk\", token = \"{DESK}\" }}]"
    );
    World::with(kind, &credentials).await
}

fn of(session: &Value, rest: &str) -> String {
    format!("/internal/v1/users/{}{rest}", session["userInfo"]["userId"].as_str().unwrap())
}

on_each_database! {
    async fn a_service_reads_a_users_identities_with_their_openids(kind: Kind) {
        let world = world(kind).await;
        let session = world.user_of_app(APP, "alice", "union-alice").await;
        world.user_of_app(OTHER_APP, "alice2", "union-alice").await;
        let user = world.internally("GET", &of(&session, ""), PAY, Value::Null).await.status(200).json();
        let at = "2026-11-01T02:26:40.25Z";
        let identity = |app: &str, openid: &str| {
            json!({ "appId": app, "openid": openid, "unionid": "union-alice", "firstLoginTime": at, "lastLoginTime": at })
        };
        assert_eq!(user, json!({
            "userId": session["userInfo"]["userId"],
            "status": 0,
            "username": null,
            "userLevel": 0,
            "registerTime": at,
            "tokensEndedAt": null,
            "identities": [identity(APP, "alice"), identity(OTHER_APP, "alice2")],
        }));
    }
}

on_each_database! {
    async fn a_service_disables_enables_revokes_and_sets_the_level(kind: Kind) {
        let world = world(kind).await;
        let session = world.login("alice").await;
        let ask = async |method: &str, rest: &str, body: Value| {
            world.internally(method, &of(&session, rest), DESK, body).await
        };
        let me = async |session: &Value| world.ask("GET", "/v1/me", session, Value::Null).await;

        ask("POST", "/revoke", Value::Null).await.status(204);
        me(&session).await.refused(401, "token_invalid");
        assert_eq!(world.ask("GET", "/authz", &session, Value::Null).await.code(), 401);
        let again = world.login("alice").await;
        me(&again).await.status(200);

        ask("PUT", "/level", json!({ "level": 2 })).await.status(204);
        assert_eq!(me(&again).await.json()["userLevelDesc"], "高级VIP用户");
        for level in [json!({ "level": 3 }), json!({ "level": -1 }), json!({ "level": "2" }), json!({ "level": 4_000_000_000_i64 })] {
            ask("PUT", "/level", level).await.refused(400, "invalid_field");
        }
        ask("PUT", "/level", json!({})).await.refused(400, "missing_field");

        ask("POST", "/disable", Value::Null).await.status(204);
        me(&again).await.refused(401, "token_invalid");
        let code = world.code("alice").await;
        world.post("/v1/login", &json!({ "code": code })).await.refused(403, "user_disabled");
        ask("POST", "/enable", Value::Null).await.status(204);
        let last = world.login("alice").await;
        me(&last).await.status(200);
        me(&again).await.refused(401, "token_invalid");

        world.ask("DELETE", "/v1/me", &last, Value::Null).await.status(204);
        for (method, rest, body) in
            [("POST", "/disable", Value::Null), ("POST", "/enable", Value::Null), ("POST", "/revoke", Value::Null), ("PUT", "/level", json!({ "level": 0 }))]
        {
            ask(method, rest, body).await.refused(409, "user_closed");
        }
        assert_eq!(ask("GET", "", Value::Null).await.status(200).json()["status"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_credential_reads_or_does_anything() {
    let world = world(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let own = session["token"].as_str().unwrap();
    for credential in ["", "wrong", &PAY[1..], &format!("{PAY}x"), &PAY.to_uppercase(), own] {
        for (method, rest) in
            [("GET", ""), ("POST", "/disable"), ("POST", "/enable"), ("POST", "/revoke"), ("PUT", "/level")]
        {
            let answer =
                world.internally(method, &of(&session, rest), credential, json!({ "level": 1 })).await;
            let answer = answer.refused(401, "service_unauthorized");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    world.ask("GET", "/v1/me", &session, Value::Null).await.status(200);
    // Not on the public side, whatever one brings.
    let bearer = format!("Bearer {PAY}");
    world.get(&of(&session, ""), &[("authorization", &bearer)]).await.refused(404, "not_found");
    // Nobody is let in where nobody was configured.
    let world = World::on(Kind::Sqlite).await;
    let answer = world.internally("GET", &of(&session, ""), "", Value::Null).await;
    let answer = answer.refused(401, "service_unauthorized");
    assert!(answer.json()["detail"].as_str().unwrap().contains("internal.credentials"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_none_or_nobodys_is_said_to_be_so() {
    let world = world(Kind::Sqlite).await;
    for (id, status, code) in [
        ("01a1fce9-f066-7826-9be7-0cf2bb5d62bb", 404, "user_not_found"),
        ("alice", 400, "invalid_field"),
        ("%00", 400, "invalid_field"),
        ("%ff%fe", 400, "invalid_field"),
    ] {
        for (method, rest) in [("GET", ""), ("POST", "/disable"), ("POST", "/revoke"), ("PUT", "/level")] {
            let path = format!("/internal/v1/users/{id}{rest}");
            world.internally(method, &path, PAY, json!({ "level": 1 })).await.refused(status, code);
        }
    }
    world
        .internally("DELETE", "/internal/v1/users/x", PAY, Value::Null)
        .await
        .refused(405, "method_not_allowed");
}
