//! Logging in by password: equal answers, kinds of hashes, changes, and what wrong passwords come to.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wxgate::error::Code;
use wxgate::flows::operator;
use wxgate::flows::password::{self, Credentials};
use wxgate::flows::username::Username;
use wxgate::secret::{Password, PasswordHash};

use crate::on_each_database;
use crate::world::{Kind, World};

const PASSWORD: &str = "correct horse battery";

impl World {
    pub(crate) async fn type_password(&self, username: &str, password: &str) -> crate::world::Answer {
        self.post("/v1/login/password", &json!({ "username": username, "password": password })).await
    }

    /// Types it at an address of one's own: the world trusts 127.0.0.1 to say it.
    async fn type_at(&self, address: &str, username: &str, password: &str) -> crate::world::Answer {
        let body = json!({ "username": username, "password": password });
        self.post_as("/v1/login/password", &body, &[("x-forwarded-for", address)]).await
    }
}

const PROXIED: &str = "http.trusted_proxies = [\"127.0.0.1/32\"]";

on_each_database! {
    async fn an_unknown_name_and_a_wrong_password_are_answered_alike_to_the_byte(kind: Kind) {
        let world = World::on(kind).await;
        world.add_account("xiaoming", PASSWORD).await;
        let without_id = |answer: crate::world::Answer| {
            let answer = answer.refused(400, "bad_credentials");
            answer.text().replace(answer.header("x-request-id"), "…")
        };
        let wrong = without_id(world.type_password("xiaoming", "wrong password").await);
        assert_eq!(without_id(world.type_password("nobody", "wrong password").await), wrong);
        // So are the fifth, the sixth and the seventh.
        for name in ["xiaoming", "nobody"] {
            for _ in 0..4 {
                without_id(world.type_password(name, "wrong password").await);
            }
        }
        let waits = async |name: &str| world.type_password(name, "wrong password").await.refused(429, "too_many_attempts").header("retry-after").to_owned();
        assert_eq!(waits("xiaoming").await, waits("nobody").await);
    }
}

on_each_database! {
    async fn hashes_of_every_kind_verify_and_are_renewed_at_the_first_right_password(kind: Kind) {
        let world = World::on(kind).await;
        for (at, hash) in crate::world::HASHES.iter().enumerate() {
            let name = format!("imported{at}");
            let user = world.add_account(&name, PASSWORD).await;
            let store = &world.app.rooms.store;
            let now = world.app.rooms.now();
            assert!(store.set_password(user.parse().unwrap(), None, &PasswordHash::new(*hash), now).await.unwrap());
            world.type_password(&name, "wrong password").await.refused(400, "bad_credentials");
            world.type_password(&name, crate::world::HASHED).await.status(200);
            let renewed = store.find_account(&name, "").await.unwrap().unwrap().hash;
            assert!(renewed.expose().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", hash.split('$').nth(1).unwrap());
            world.type_password(&name, crate::world::HASHED).await.status(200);
            assert_eq!(store.find_account(&name, "").await.unwrap().unwrap().hash.expose(), renewed.expose());
            world.type_password(&name, "wrong password").await.refused(400, "bad_credentials");
        }
    }
}

on_each_database! {
    async fn a_changed_password_ends_every_token_of_before_and_answers_a_fresh_one(kind: Kind) {
        let world = World::on(kind).await;
        world.add_account("xiaoming", PASSWORD).await;
        let session = world.type_password("xiaoming", PASSWORD).await.status(200).json();
        let change = async |session: &Value, old: &str, new: &str| {
            world.ask("PUT", "/v1/me/password", session, json!({ "oldPassword": old, "newPassword": new })).await
        };
        change(&session, "wrong password", "another password").await.refused(400, "bad_credentials");
        change(&session, PASSWORD, "short").await.refused(400, "invalid_field");
        change(&session, PASSWORD, &"x".repeat(257)).await.refused(400, "invalid_field");
        world.clock.turn(Duration::from_millis(1));
        // In one and the same millisecond: the old token ends, the fresh one counts.
        let fresh = change(&session, PASSWORD, "another password").await.status(200).json();
        world.ask("GET", "/v1/me", &session, Value::Null).await.refused(401, "token_invalid");
        world.ask("GET", "/v1/me", &fresh, Value::Null).await.status(200);
        world.type_password("xiaoming", PASSWORD).await.refused(400, "bad_credentials");
        let later = world.type_password("xiaoming", "another password").await.status(200).json();
        world.ask("GET", "/v1/me", &later, Value::Null).await.status(200);

        let alice = world.login("alice").await;
        change(&alice, PASSWORD, "another password").await.refused(409, "not_bound");
    }
}

on_each_database! {
    async fn a_strangers_wrong_passwords_hold_up_the_stranger_and_nobody_else(kind: Kind) {
        let world = World::with(kind, &format!("{PROXIED}\naccounts.account_attempts = 20")).await;
        world.add_account("xiaoming", PASSWORD).await;
        let alice = world.login("alice").await;
        let bound = world.ask("PUT", "/v1/me/account", &alice, json!({ "username": "xiaoming", "password": PASSWORD })).await.status(200).json();
        // Known at home.
        world.type_at("198.51.100.1", "xiaoming", PASSWORD).await.status(200);
        for _ in 0..5 {
            world.type_at("203.0.113.9", "xiaoming", "wrong password").await.refused(400, "bad_credentials");
        }
        // The right one has to wait there as well: an answer would tell it.
        world.type_at("203.0.113.9", "xiaoming", PASSWORD).await.refused(429, "too_many_attempts");
        world.type_at("203.0.113.10", "xiaoming", PASSWORD).await.status(200);
        world.clock.turn(Duration::from_secs(2));
        world.type_at("203.0.113.9", "xiaoming", PASSWORD).await.status(200);

        // From everywhere: strangers wait, home doesn't, and WeChat never does.
        for host in 0..20 {
            world.type_at(&format!("192.0.2.{host}"), "xiaoming", "wrong password").await.refused(400, "bad_credentials");
        }
        world.type_at("192.0.2.99", "xiaoming", PASSWORD).await.refused(429, "too_many_attempts");
        assert_eq!(world.login("alice").await["bound"], true);
        world.ask("GET", "/v1/me", &bound, Value::Null).await.status(200);
        let change = json!({ "oldPassword": PASSWORD, "newPassword": "another password" });
        world.ask("PUT", "/v1/me/password", &bound, change).await.status(200);
        world.type_at("198.51.100.1", "xiaoming", "another password").await.status(200);
        // Which was right, and so all begins anew.
        world.type_at("192.0.2.99", "xiaoming", "another password").await.status(200);
    }
}

on_each_database! {
    async fn an_address_that_goes_through_many_names_waits_as_a_whole(kind: Kind) {
        let world = World::with(kind, &format!("{PROXIED}\naccounts.address_attempts = 10")).await;
        world.add_account("xiaoming", PASSWORD).await;
        for name in 0..10 {
            world.type_at("203.0.113.9", &format!("name{name}"), "password1").await.refused(400, "bad_credentials");
        }
        world.type_at("203.0.113.9", "xiaoming", PASSWORD).await.refused(429, "too_many_attempts");
        world.type_at("203.0.113.10", "xiaoming", PASSWORD).await.status(200);
        // Where it has been right before, neighbours don't hold it up.
        for name in 0..10 {
            world.type_at("203.0.113.10", &format!("name{name}"), "password1").await.refused(400, "bad_credentials");
        }
        world.type_at("203.0.113.10", "other", PASSWORD).await.refused(429, "too_many_attempts");
        world.type_at("203.0.113.10", "xiaoming", PASSWORD).await.status(200);
        // And an hour later the address begins anew.
        world.clock.turn(Duration::from_secs(3601));
        world.type_at("203.0.113.9", "xiaoming", PASSWORD).await.status(200);
    }
}

on_each_database! {
    async fn sixty_four_wrong_passwords_at_once_are_not_sixty_four_free_ones(kind: Kind) {
        let world = Arc::new(World::with(kind, "accounts.hash_queue = 100").await);
        world.add_account("xiaoming", PASSWORD).await;
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let world = world.clone();
            tries.spawn(async move { world.type_password("xiaoming", "wrong password").await.code() });
        }
        let answers = tries.join_all().await;
        assert_eq!(answers.iter().filter(|status| **status == 400).count(), 5, "{answers:?}");
        assert_eq!(answers.iter().filter(|status| **status == 429).count(), 59, "{answers:?}");
    }
}

on_each_database! {
    async fn a_password_changed_while_it_was_being_checked_opens_nothing_and_binds_nothing(kind: Kind) {
        let slow = "accounts.argon2_memory = 19456\naccounts.argon2_passes = 32\naccounts.hash_threads = 1";
        let world = Arc::new(World::with(kind, slow).await);
        let id = world.add_account("xiaoming", PASSWORD).await.parse().unwrap();
        let alice = world.login("alice").await;
        for bind in [false, true] {
            let before = world.database.count(&world.folder(), "attempts WHERE failures > 0").await;
            let (there, session) = (world.clone(), alice.clone());
            let typed = tokio::spawn(async move {
                let body = json!({ "username": "xiaoming", "password": PASSWORD });
                match bind {
                    false => there.post("/v1/login/password", &body).await,
                    true => there.ask("PUT", "/v1/me/account", &session, body).await,
                }
            });
            // Counted: so the row has been read, and the hashing begins.
            while world.database.count(&world.folder(), "attempts WHERE failures > 0").await == before {}
            world.clock.turn(Duration::from_millis(1));
            let store = &world.app.rooms.store;
            let other = PasswordHash::new(crate::world::HASHES[0]);
            assert!(store.set_password(id, None, &other, world.app.rooms.now()).await.unwrap());
            let answer = typed.await.unwrap();
            if bind {
                answer.refused(503, "busy");
                assert_eq!(world.login("alice").await["bound"], false);
            } else {
                let session = answer.status(200).json();
                world.ask("GET", "/v1/me", &session, Value::Null).await.refused(401, "token_invalid");
            }
            operator::set_password(&world.app.rooms, &store.find_user(id, "").await.unwrap().unwrap(), &Password::new(PASSWORD)).await.unwrap();
            world.clock.turn(Duration::from_millis(1));
        }
    }
}

on_each_database! {
    async fn right_passwords_of_two_devices_at_once_are_both_right_each_time(kind: Kind) {
        let world = Arc::new(World::on(kind).await);
        world.add_account("xiaoming", PASSWORD).await;
        for _ in 0..25 {
            let mut devices = tokio::task::JoinSet::new();
            for _ in 0..4 {
                let world = world.clone();
                devices.spawn(async move { world.type_password("xiaoming", PASSWORD).await.code() });
            }
            assert_eq!(devices.join_all().await, [200; 4]);
        }
        let left = world.database.count(&world.folder(), "attempts WHERE failures > 0").await;
        assert_eq!(left, 0, "each took its own back");
    }
}

on_each_database! {
    async fn an_address_that_types_all_the_time_is_told_to_come_again(kind: Kind) {
        let world = World::with(kind, "accounts.passwords_per_minute = 3").await;
        world.add_account("xiaoming", PASSWORD).await;
        for _ in 0..3 {
            world.type_password("xiaoming", PASSWORD).await.status(200);
        }
        world.type_password("xiaoming", PASSWORD).await.refused(429, "too_many_requests");
        world.clock.turn(Duration::from_secs(20));
        world.type_password("xiaoming", PASSWORD).await.status(200);
    }
}

on_each_database! {
    async fn what_nobody_misses_is_forgotten_after_a_day_and_where_a_password_was_right_after_thirty(kind: Kind) {
        let world = World::on(kind).await;
        world.add_account("xiaoming", PASSWORD).await;
        for name in 0..3 {
            world.type_password(&format!("name{name}"), "wrong password").await.refused(400, "bad_credentials");
        }
        world.type_password("xiaoming", PASSWORD).await.status(200);
        // At every thousandth call.
        let tidy = async || {
            for _ in 0..1000 {
                world.app.rooms.store.tidy_attempts(world.app.rooms.now()).await.unwrap();
            }
            world.database.count(&world.folder(), "attempts").await
        };
        assert_eq!(tidy().await, 9, "three pairs and names; a pair and a name; the address");
        world.clock.turn(Duration::from_secs(2 * 3600));
        assert_eq!(tidy().await, 8, "but for the address");
        world.clock.turn(Duration::from_secs(23 * 3600));
        assert_eq!(tidy().await, 2, "where it was right");
        world.clock.turn(Duration::from_secs(30 * 24 * 3600));
        assert_eq!(tidy().await, 0);
    }
}

on_each_database! {
    async fn replicas_count_wrong_passwords_together(kind: Kind) {
        let world = World::on(kind).await;
        world.add_account("xiaoming", PASSWORD).await;
        let replica = world.replica().await;
        let there = async |password: &str| {
            let credentials = Credentials { username: Username::of("xiaoming").unwrap(), password: Password::new(password) };
            let here = "127.0.0.1".parse().unwrap();
            password::login(&replica.rooms, &credentials, (None, None), here).await.map_err(|error| error.code).map(|_| ())
        };
        for _ in 0..3 {
            world.type_password("xiaoming", "wrong password").await.refused(400, "bad_credentials");
        }
        for _ in 0..2 {
            assert_eq!(there("wrong password").await, Err(Code::BadCredentials));
        }
        assert_eq!(there(PASSWORD).await, Err(Code::TooManyAttempts));
        world.type_password("xiaoming", PASSWORD).await.refused(429, "too_many_attempts");
    }
}

on_each_database! {
    async fn a_disabled_account_is_told_so_by_its_right_password_only(kind: Kind) {
        let world = World::on(kind).await;
        let id = world.add_account("xiaoming", PASSWORD).await.parse().unwrap();
        let session = world.type_password("xiaoming", PASSWORD).await.status(200).json();
        operator::disable(&world.app.rooms, id, operator::By::Command).await.unwrap();
        world.type_password("xiaoming", "wrong password").await.refused(400, "bad_credentials");
        world.type_password("xiaoming", PASSWORD).await.refused(403, "user_disabled");
        world.ask("GET", "/v1/me", &session, Value::Null).await.refused(401, "token_invalid");
        let alice = world.login("alice").await;
        world.ask("PUT", "/v1/me/account", &alice, json!({ "username": "xiaoming", "password": PASSWORD })).await.refused(403, "user_disabled");
        let user = world.app.rooms.store.find_user(id, "").await.unwrap().unwrap();
        operator::enable(&world.app.rooms, id, operator::By::Command).await.unwrap();
        world.type_password("xiaoming", PASSWORD).await.status(200);
        operator::set_password(&world.app.rooms, &user, &Password::new("another password")).await.unwrap();
        world.type_password("xiaoming", "another password").await.status(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_passwords_than_may_wait_are_told_to_come_again_and_logins_by_code_go_on() {
    let settings = "accounts.argon2_memory = 19456\naccounts.argon2_passes = 8\n\
                    accounts.hash_threads = 1\naccounts.hash_queue = 1";
    let world = Arc::new(World::with(Kind::Sqlite, settings).await);
    let mut tries = tokio::task::JoinSet::new();
    for name in 0..24 {
        let world = world.clone();
        tries.spawn(async move { world.type_password(&format!("name{name}"), "wrong password").await });
    }
    assert_eq!(world.login("alice").await["isNewUser"], true);
    let (shed, hashed): (Vec<_>, Vec<_>) =
        tries.join_all().await.into_iter().partition(|answer| answer.code() == 503);
    assert!(!shed.is_empty() && !hashed.is_empty());
    for answer in shed {
        answer.refused(503, "busy");
    }
    for answer in hashed {
        answer.refused(400, "bad_credentials");
    }
    // Nothing was counted against who was never looked at.
    assert_eq!(world.type_password("name23", "wrong password").await.code(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_named_before_anything_is_hashed() {
    let world = World::on(Kind::Sqlite).await;
    for (body, code, field) in [
        (json!({}), "missing_field", "username"),
        (json!({ "username": "a" }), "missing_field", "password"),
        (json!({ "username": "a", "password": "x".repeat(257) }), "invalid_field", "password"),
        (json!({ "username": "a\u{200d}b", "password": "x" }), "invalid_field", "username"),
        (json!({ "username": 5, "password": "x" }), "invalid_field", "username"),
        (json!({ "username": "a", "password": "x", "appId": "wx9" }), "unknown_app", "appId"),
    ] {
        let refused = world.post("/v1/login/password", &body).await.refused(400, code).json();
        assert!(refused["detail"].as_str().unwrap().contains(field), "{refused}");
    }
    assert_eq!(world.database.count(&world.folder(), "attempts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn litemalls_doors_know_accounts() {
    let world = World::with(Kind::Sqlite, "accounts.registration = true").await;
    let wx = async |path: &str, body: Value| world.post(&format!("/wx/auth/{path}"), &body).await;
    let owner = world.add_account("xiaoming", PASSWORD).await;
    let account = json!({ "username": "xiaoming", "password": PASSWORD });
    let session = wx("login", account.clone()).await.errno(0).json();
    assert_eq!(session["data"]["userInfo"]["userId"], json!(owner));
    assert!(session["data"]["token"].is_string() && session["data"]["tokenExpire"].is_string());
    wx("login", json!({ "username": "xiaoming", "password": "wrong password" })).await.errno(700);
    wx("login", json!({ "username": "xiaoming" })).await.errno(401);

    let alice = world.login("alice").await;
    let token = alice["token"].as_str().unwrap();
    let bind =
        async |body: &Value| world.post_as("/wx/auth/bind", body, &[("x-litemall-token", token)]).await;
    wx("bind", account.clone()).await.errno(501);
    bind(&json!({ "username": "xiaoming", "password": "wrong password" })).await.errno(700);
    assert_eq!(bind(&account).await.errno(0).json()["data"]["userInfo"]["userId"], json!(owner));
    let bob = world.login("bob").await;
    let taken = world
        .post_as("/wx/auth/bind", &account, &[("x-litemall-token", bob["token"].as_str().unwrap())])
        .await;
    taken.errno(709);

    wx("register", account.clone()).await.errno(704);
    let code = world.code("carol").await;
    // As their page sends it; nobody believes the mobile.
    let register = json!({ "username": "carol", "password": PASSWORD, "mobile": "13800138000", "code": "1234", "wxCode": code });
    let made = wx("register", register).await.errno(0).json();
    assert_eq!(made["data"]["userInfo"]["phone"], Value::Null);
    assert_eq!(world.login("carol").await["userInfo"]["userId"], made["data"]["userInfo"]["userId"]);
    wx("reset", json!({ "mobile": "13800138000", "code": "1234", "password": PASSWORD })).await.errno(503);
}
