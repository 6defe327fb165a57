//! Logging out, and what a proxy is told at `/authz`.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use wxgate::flows::operator::{self, By};
use wxgate::secret::Password;

use crate::on_each_database;
use crate::world::{APP, Kind, World};

async fn authz(world: &World, session: &Value) -> u16 {
    world.ask("GET", "/authz", session, Value::Null).await.code()
}

on_each_database! {
    async fn logging_out_ends_every_token_of_before_on_every_device_and_none_of_after(kind: Kind) {
        let world = World::on(kind).await;
        let (phone, tablet, other) = (world.login("alice").await, world.login("alice").await, world.login("bob").await);
        world.ask("POST", "/v1/logout", &phone, Value::Null).await.status(204);
        for ended in [&phone, &tablet] {
            world.ask("GET", "/v1/me", ended, Value::Null).await.refused(401, "token_invalid");
            world.ask("POST", "/v1/logout", ended, Value::Null).await.refused(401, "token_invalid");
            assert_eq!(authz(&world, ended).await, 401);
        }
        assert_eq!(authz(&world, &other).await, 200);
        // The clock has not moved: a login in the very millisecond counts, and can log out again.
        for _ in 0..3 {
            let again = world.login("alice").await;
            world.ask("GET", "/v1/me", &again, Value::Null).await.status(200);
            assert_eq!(authz(&world, &again).await, 200);
            world.ask("POST", "/v1/logout", &again, Value::Null).await.status(204);
            world.ask("GET", "/v1/me", &again, Value::Null).await.refused(401, "token_invalid");
        }
    }
}

on_each_database! {
    async fn siblings_read_whose_tokens_ended_within_the_life_of_one_and_nobody_else(kind: Kind) {
        let world = World::on(kind).await;
        let empty = world.get("/v1/revocations", &[]).await.status(200);
        assert_eq!((empty.text(), empty.header("content-type")), ("[]", "application/json"));
        assert_eq!(empty.header("cache-control"), "public, max-age=5");

        let mut ended = Vec::new();
        for name in ["alice", "bob"] {
            let session = world.login(name).await;
            ended.push(session["userInfo"]["userId"].as_str().unwrap().to_owned());
            world.ask("POST", "/v1/logout", &session, Value::Null).await.status(204);
            world.clock.turn(Duration::from_secs(60));
        }
        world.login("carol").await;
        let listed = world.get("/v1/revocations", &[]).await.status(200);
        // 2026-11-01T02:26:40.250Z is the end; from the next millisecond on a token counts.
        let first = json!({ "sub": ended[0], "notBefore": 1_793_500_000, "notBeforeMs": 1_793_500_000_251_i64 });
        let second = json!({ "sub": ended[1], "notBefore": 1_793_500_060, "notBeforeMs": 1_793_500_060_251_i64 });
        assert_eq!(listed.json(), json!([first, second]));

        // What didn't change isn't sent again, and what did is, at the latest after five seconds.
        let etag = listed.header("etag");
        let unchanged = world.get("/v1/revocations", &[("if-none-match", etag)]).await.status(304);
        assert_eq!((unchanged.header("etag"), unchanged.text()), (etag, ""));
        let session = world.login("dave").await;
        world.ask("DELETE", "/v1/me", &session, Value::Null).await.status(204);
        world.clock.turn(Duration::from_secs(5));
        let changed = world.get("/v1/revocations", &[("if-none-match", etag)]).await.status(200);
        assert_eq!(changed.json()[2]["sub"], session["userInfo"]["userId"]);

        // Two hours and what a clock may be off later, no token of alice's from before looks good to anybody.
        world.clock.turn(Duration::from_secs(2 * 3600 + 300 - 66));
        assert_eq!(world.get("/v1/revocations", &[]).await.json()[0]["sub"], ended[1].as_str());
    }
}

on_each_database! {
    async fn an_end_of_tokens_never_moves_back_whatever_a_replicas_clock_says(kind: Kind) {
        let world = World::on(kind).await;
        let session = world.login("alice").await;
        let user: Uuid = session["userInfo"]["userId"].as_str().unwrap().parse().unwrap();
        let (store, now) = (&world.app.rooms.store, world.app.rooms.now());
        store.end_tokens(user, now).await.unwrap();
        let behind = wxgate::clock::before(now, Duration::from_secs(3));
        store.end_tokens(user, behind).await.unwrap();
        assert!(store.set_disabled(user, true, behind).await.unwrap());
        assert!(store.set_disabled(user, false, behind).await.unwrap());
        world.ask("GET", "/v1/me", &session, Value::Null).await.refused(401, "token_invalid");
    }
}

on_each_database! {
    async fn closing_and_a_new_password_hold_against_a_replica_whose_clock_was_ahead(kind: Kind) {
        let world = World::on(kind).await;
        let (store, now) = (&world.app.rooms.store, world.app.rooms.now());
        let ahead = wxgate::clock::after(now, Duration::from_secs(2));
        let id = |session: &Value| -> Uuid { session["userInfo"]["userId"].as_str().unwrap().parse().unwrap() };

        let user = id(&world.login("alice").await);
        store.end_tokens(user, ahead).await.unwrap();
        store.close_user(user, now).await.unwrap();
        let ended = world.get("/v1/revocations", &[]).await.status(200).json();
        let ended = ended.as_array().unwrap().iter().find(|entry| entry["sub"] == user.to_string()).unwrap();
        assert_eq!(ended["notBeforeMs"], ahead.as_millisecond() + 1, "the end stays where it was");

        let account = world.add_account("xiaoming", "correct horse battery").await;
        store.end_tokens(account.parse().unwrap(), ahead).await.unwrap();
        let before = world.type_password("xiaoming", "correct horse battery").await.status(200).json();
        let change = json!({ "oldPassword": "correct horse battery", "newPassword": "another horse battery" });
        let after = world.ask("PUT", "/v1/me/password", &before, change).await.status(200).json();
        world.ask("GET", "/v1/me", &before, Value::Null).await.refused(401, "token_invalid");
        world.ask("GET", "/v1/me", &after, Value::Null).await.status(200);

        // The same by an operator's command, and by turning WeChat out.
        let rooms = &world.app.rooms;
        let id: Uuid = account.parse().unwrap();
        let (user, _) = operator::show(rooms, id, By::Command).await.unwrap();
        operator::set_password(rooms, &user, &Password::new("a third horse battery")).await.unwrap();
        world.ask("GET", "/v1/me", &after, Value::Null).await.refused(401, "token_invalid");
        let alice = world.login("alice").await;
        let bound = json!({ "username": "xiaoming", "password": "a third horse battery" });
        let bound = world.ask("PUT", "/v1/me/account", &alice, bound).await.status(200).json();
        let typed = world.type_password("xiaoming", "a third horse battery").await.status(200).json();
        let out = world.ask("DELETE", "/v1/me/account", &typed, Value::Null).await.status(200).json();
        for ended in [&bound, &typed] {
            world.ask("GET", "/v1/me", ended, Value::Null).await.refused(401, "token_invalid");
        }
        world.ask("GET", "/v1/me", &out, Value::Null).await.status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authz_knows_at_once_of_what_this_gateway_itself_has_ended() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    world.ask("GET", "/authz", &session, Value::Null).await.status(200);
    world.ask("DELETE", "/v1/me", &session, Value::Null).await.status(204);
    world.ask("GET", "/authz", &session, Value::Null).await.refused(401, "token_invalid");

    world.add_account("xiaoming", "correct horse battery").await;
    let session = world.type_password("xiaoming", "correct horse battery").await.status(200).json();
    world.ask("GET", "/authz", &session, Value::Null).await.status(200);
    let change = json!({ "oldPassword": "correct horse battery", "newPassword": "another horse battery" });
    world.ask("PUT", "/v1/me/password", &session, change).await.status(200);
    world.ask("GET", "/authz", &session, Value::Null).await.refused(401, "token_invalid");

    // Bound, the WeChat user is no longer one of its own.
    let alice = world.login("alice").await;
    world.ask("GET", "/authz", &alice, Value::Null).await.status(200);
    let account = json!({ "username": "xiaoming", "password": "another horse battery" });
    world.ask("PUT", "/v1/me/account", &alice, account).await.status(200);
    world.ask("GET", "/authz", &alice, Value::Null).await.refused(401, "token_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn litemalls_logout_ends_the_token_too() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let answer = world.ask("POST", "/wx/auth/logout", &session, json!({})).await.status(200).json();
    assert_eq!(answer["errno"], 0);
    assert_eq!(world.ask("GET", "/wx/auth/info", &session, Value::Null).await.json()["errno"], 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn authz_says_who_it_is_in_headers_by_any_method_and_path_and_hands_nothing_on_that_came_in() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    let forged = [("authorization", bearer.as_str()), ("x-auth-user-id", "root"), ("x-auth-role", "admin")];
    for (method, path) in
        [("GET", "/authz"), ("POST", "/authz"), ("DELETE", "/authz/orders/7?x=1"), ("HEAD", "/authz/")]
    {
        let answer = world.send(method.parse().unwrap(), path, "", &forged).await.status(200);
        assert_eq!(answer.header("x-auth-user-id"), session["userInfo"]["userId"].as_str().unwrap());
        assert_eq!((answer.header("x-auth-app-id"), answer.header("cache-control")), (APP, "no-store"));
        assert_eq!(answer.header("x-auth-expires"), session["tokenExpire"].as_str().unwrap());
        assert_eq!(answer.text(), "");
    }
    let refused = world.get("/authz", &[("x-auth-user-id", "root")]).await.refused(401, "token_missing");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_out_at_authz_within_seconds_whichever_replica_was_told() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    assert_eq!(authz(&world, &session).await, 200);
    let user: Uuid = session["userInfo"]["userId"].as_str().unwrap().parse().unwrap();
    let replica = world.replica().await;
    operator::disable(&replica.rooms, user, By::Command).await.unwrap();
    world.clock.turn(Duration::from_secs(5));
    world.ask("GET", "/authz", &session, Value::Null).await.refused(401, "token_invalid");
}
