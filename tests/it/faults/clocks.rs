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

async fn try_password(world: &World, password: &str) -> crate::world::Answer {
    world.post("/v1/login/password", &json!({ "username": "xiaoming", "password": password })).await
}

on_each_database! {
    async fn a_clock_that_was_a_day_ahead_locks_nobody_in_or_out_once_it_is_right(kind: Kind) {
        let world = World::on(kind).await;
        world.add_account("xiaoming", PASSWORD).await;
        let (alice, bob) = (world.login("alice").await, world.login("bob").await);

        world.clock.turn(DAY);
        me(&world, &alice).await.refused(401, "token_expired");
        let ahead = world.login("alice").await;
        me(&world, &ahead).await.status(200);
        assert_eq!(authz(&world, &ahead).await, 200);
        world.ask("POST", "/v1/logout", &ahead, Value::Null).await.status(204);
        let ahead = world.login("alice").await;
        me(&world, &ahead).await.status(200);
        for _ in 0..6 {
            try_password(&world, "wrong-horse-battery").await;
        }
        try_password(&world, PASSWORD).await.refused(429, "too_many_attempts");

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
        // No wait is longer than the longest.
        world.clock.turn(Duration::from_secs(15 * 60 + 1));
        try_password(&world, PASSWORD).await.status(200);
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
    world.clock.turn(DAY);
    try_password(&world, PASSWORD).await.status(200);
    try_password(&world, PASSWORD).await.status(200);
    try_password(&world, PASSWORD).await.refused(429, "too_many_requests");
    world.clock.turn_back(DAY);
    world.clock.turn(Duration::from_secs(61));
    try_password(&world, PASSWORD).await.status(200);
}
