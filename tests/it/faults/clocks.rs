//! The process's clock steps: a day ahead, and back. Nobody gets in by it, and nobody stays out for longer than without it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::on_each_database;
use crate::world::{Kind, World};

const DAY: Duration = Duration::from_secs(24 * 3600);
const PASSWORD: &str = "correct-horse-battery";

async fn me(world: &World, session: &Value) -> crate::world::Answer {
    world.ask("GET", "/v1/me", session, Value::Null).await
}

async fn authz(world: &World, session: &Value) -> u16 {
    world.ask("GET", "/authz", session, Value::Null).await.code()
}

async fn try_password_from(world: &World, address: &str, password: &str) -> crate::world::Answer {
    let body = json!({ "username": "xiaoming", "password": password });
    world.post_as("/v1/login/password", &body, &[("x-forwarded-for", address)]).await
}

on_each_database! {
    async fn a_clock_that_was_a_day_ahead_locks_nobody_in_or_out_once_it_is_right(kind: Kind) {
        let world = World::on(kind).await;
        let (alice, bob) = (world.login("alice").await, world.login("bob").await);

        world.clock.turn(DAY);
        me(&world, &alice).await.refused(401, "token_expired");
        let ahead = world.login("alice").await;
        me(&world, &ahead).await.status(200);
        assert_eq!(authz(&world, &ahead).await, 200);
        world.ask("POST", "/v1/logout", &ahead, Value::Null).await.status(204);
        let ahead = world.login("alice").await;
        me(&world, &ahead).await.status(200);

        world.clock.turn_back(DAY);
        // Of tomorrow: later it will do.
        me(&world, &ahead).await.refused(401, "token_invalid");
        assert_eq!(authz(&world, &ahead).await, 401);
        // Who did nothing meanwhile notices nothing.
        me(&world, &bob).await.status(200);
        assert_eq!(authz(&world, &bob).await, 200);
        // Who logged out then is logged out, and may come back at once.
        me(&world, &alice).await.refused(401, "token_invalid");
        let now = world.login("alice").await;
        me(&world, &now).await.status(200);
        assert_eq!(authz(&world, &now).await, 200);
        world.ask("POST", "/v1/logout", &now, Value::Null).await.status(204);
        me(&world, &now).await.refused(401, "token_invalid");
        let again = world.login("alice").await;
        me(&world, &again).await.status(200);
        me(&world, &ahead).await.refused(401, "token_invalid");
    }
}

on_each_database! {
    async fn wrong_passwords_of_a_day_ahead_hold_up_nobody_once_the_clock_is_right(kind: Kind) {
        let settings = "accounts.account_attempts = 5\nhttp.trusted_proxies = [\"127.0.0.1/32\"]";
        let world = World::with(kind, settings).await;
        world.add_account("xiaoming", PASSWORD).await;
        world.clock.turn(DAY);
        for _ in 0..5 {
            try_password_from(&world, "203.0.113.1", "wrong-horse-battery").await.refused(400, "bad_credentials");
        }
        for address in ["203.0.113.1", "203.0.113.2"] {
            try_password_from(&world, address, PASSWORD).await.refused(429, "too_many_attempts");
        }
        world.clock.turn_back(DAY);
        // What an address may do in a minute is another test's.
        try_password_from(&world, "203.0.113.3", PASSWORD).await.status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_however_the_clock_steps() {
    let world = World::on(Kind::Sqlite).await;
    let code = world.code("alice").await;
    world.post("/v1/login", &json!({ "code": code })).await.status(200);
    for _ in 0..3 {
        world.clock.turn_back(DAY);
        world.post("/v1/login", &json!({ "code": code })).await.refused(400, "wechat_code_used");
    }
    world.clock.turn(2 * DAY);
    world.login("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_a_minute_is_one_however_the_clock_steps() {
    let world = World::with(Kind::Sqlite, "accounts.passwords_per_minute = 2").await;
    world.add_account("xiaoming", PASSWORD).await;
    let try_password = async || try_password_from(&world, "", PASSWORD).await;
    world.clock.turn(DAY);
    for _ in 0..2 {
        try_password().await.status(200);
    }
    try_password().await.refused(429, "too_many_requests");
    world.clock.turn_back(DAY);
    world.clock.turn(Duration::from_secs(61));
    try_password().await.status(200);
}
