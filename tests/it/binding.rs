//! A WeChat user and an account become one, and part again.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::on_each_database;
use crate::world::{APP, OTHER_APP, World};

const PASSWORD: &str = "correct horse battery";

/// What the mini-program sends to bind.
fn account(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD })
}

fn user_id(session: &Value) -> &Value {
    &session["userInfo"]["userId"]
}

impl World {
    async fn bind(&self, session: &Value, username: &str) -> crate::world::Answer {
        self.ask("PUT", "/v1/me/account", session, account(username)).await
    }
}

on_each_database! {
    async fn a_wechat_user_proves_an_account_once_and_from_then_on_lands_on_it(kind: Kind) {
        let world = World::on(kind).await;
        let owner = world.add_account("Xiaoming", PASSWORD).await;
        let before = world.login("alice").await;
        assert_eq!((&before["bound"], &before["isNewUser"]), (&json!(false), &json!(true)));

        let bound = world.bind(&before, "ＸＩＡＯＭＩＮＧ").await.status(200).json();
        assert_eq!((&bound["bound"], &bound["isNewUser"]), (&json!(true), &json!(false)));
        assert_eq!((user_id(&bound), &bound["userInfo"]["username"]), (&json!(owner), &json!("xiaoming")));
        // The user it left is closed, and its token with it.
        world.ask("GET", "/v1/me", &before, Value::Null).await.refused(401, "token_invalid");
        assert_eq!(world.ask("GET", "/v1/me", &bound, Value::Null).await.status(200).json()["userId"], json!(owner));

        let silent = world.login("alice").await;
        assert_eq!((user_id(&silent), &silent["bound"], &silent["isNewUser"]), (&json!(owner), &json!(true), &json!(false)));
        let typed = world.post("/v1/login/password", &account("xiaoming")).await.status(200).json();
        assert_eq!(user_id(&typed), &json!(owner));
        // What needs a session_key finds it still.
        let press = world.press_phone(json!({ "openid": "alice", "phone": "13800138000" })).await;
        let encrypted = json!({ "encryptedData": press["encryptedData"], "iv": press["iv"] });
        assert_eq!(world.ask("POST", "/v1/me/phone", &silent, encrypted).await.status(200).json()["phone"], "13800138000");

        // Asked again, it is the same answer; another account is not.
        world.add_account("other", PASSWORD).await;
        assert_eq!(user_id(&world.bind(&silent, "xiaoming").await.status(200).json()), &json!(owner));
        world.bind(&silent, "other").await.refused(409, "already_bound");
        let bob = world.login("bob").await;
        world.bind(&bob, "xiaoming").await.refused(409, "account_taken");
        assert_eq!(user_id(&world.login("bob").await), user_id(&bob), "nothing was changed");
    }
}

on_each_database! {
    async fn a_login_may_bind_at_once_and_a_wrong_password_leaves_its_code_unspent(kind: Kind) {
        let world = World::on(kind).await;
        let owner = world.add_account("xiaoming", PASSWORD).await;
        let code = world.code("alice").await;
        let login = async |account: Value| world.post("/v1/login", &json!({ "code": code, "account": account })).await;
        login(json!({ "username": "xiaoming", "password": "wrong password" })).await.refused(400, "bad_credentials");
        login(json!({ "username": "nobody", "password": PASSWORD })).await.refused(400, "bad_credentials");
        login(json!({ "username": "xiaoming" })).await.refused(400, "missing_field");
        assert_eq!(world.database.count(&world.folder(), "identities").await, 0, "nothing was written");
        let session = login(account("xiaoming")).await.status(200).json();
        assert_eq!((user_id(&session), &session["bound"], &session["isNewUser"]), (&json!(owner), &json!(true), &json!(false)));
        assert!(session["userInfo"]["lastLoginTime"].is_string());
        // The next login may say it again.
        let code = world.code("alice").await;
        let again = world.post("/v1/login", &json!({ "code": code, "account": account("xiaoming") })).await.status(200).json();
        assert_eq!(user_id(&again), &json!(owner));
    }
}

on_each_database! {
    async fn of_two_openids_that_bind_one_account_at_once_one_wins_and_no_identity_is_lost(kind: Kind) {
        let world = Arc::new(World::on(kind).await);
        for round in 0..100 {
            let name = format!("account{round}");
            let owner = world.add_account(&name, PASSWORD).await;
            let openids = [format!("a{round}"), format!("b{round}")];
            let sessions = [world.login(&openids[0]).await, world.login(&openids[1]).await];
            let mut binds = tokio::task::JoinSet::new();
            for (at, session) in sessions.iter().cloned().enumerate() {
                let (world, name) = (world.clone(), name.clone());
                binds.spawn(async move { (at, world.bind(&session, &name).await) });
            }
            let mut answers = binds.join_all().await;
            answers.sort_by_key(|(at, _)| *at);
            let won: Vec<usize> = answers.iter().filter(|(_, answer)| answer.code() == 200).map(|(at, _)| *at).collect();
            assert_eq!(won.len(), 1, "{answers:?}");
            let lost = 1 - won[0];
            answers.remove(lost).1.refused(409, "account_taken");
            assert_eq!(user_id(&world.login(&openids[won[0]]).await), &json!(owner));
            assert_eq!(user_id(&world.login(&openids[lost]).await), user_id(&sessions[lost]));
        }
        assert_eq!(world.database.count(&world.folder(), "identities").await, 200);
    }
}

on_each_database! {
    async fn of_two_accounts_that_one_openid_binds_at_once_one_wins(kind: Kind) {
        let world = Arc::new(World::on(kind).await);
        for round in 0..100 {
            let names = [format!("a{round}"), format!("b{round}")];
            let owners = [world.add_account(&names[0], PASSWORD).await, world.add_account(&names[1], PASSWORD).await];
            let openid = format!("openid{round}");
            let session = world.login(&openid).await;
            let mut binds = tokio::task::JoinSet::new();
            for name in names {
                let (world, session) = (world.clone(), session.clone());
                binds.spawn(async move { world.bind(&session, &name).await });
            }
            let answers = binds.join_all().await;
            let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.code() == 200);
            assert_eq!((won.len(), lost.len()), (1, 1));
            // The loser either came while the winner was at it, or after it: then its token was the closed user's.
            match lost.into_iter().next().unwrap() {
                late if late.code() == 401 => drop(late.refused(401, "token_invalid")),
                beaten => drop(beaten.refused(409, "already_bound")),
            }
            let owner = user_id(&won[0].json()).clone();
            assert!(owners.iter().any(|id| json!(id) == owner));
            assert_eq!(user_id(&world.login(&openid).await), &owner);
        }
    }
}

on_each_database! {
    async fn what_the_wechat_user_has_comes_along_and_what_would_be_lost_stops_the_binding(kind: Kind) {
        let world = World::on(kind).await;
        let owner = world.add_account("xiaoming", PASSWORD).await;
        // One person in two apps, with a phone and a profile.
        let alice = world.user_of_app(APP, "alice", "union-alice").await;
        let there = world.user_of_app(OTHER_APP, "alice2", "union-alice").await;
        assert_eq!(user_id(&alice), user_id(&there));
        let press = world.press_phone(json!({ "openid": "alice", "phone": "13800138000" })).await;
        world.ask("POST", "/v1/me/phone", &alice, json!({ "code": press["code"] })).await.status(200);
        world.ask("PATCH", "/v1/me", &alice, json!({ "nickName": "小明", "city": "Guangzhou" })).await.status(200);

        let connection = world.database.connect(&world.folder()).await;
        connection.execute_unprepared("UPDATE users SET level = 2 WHERE nickname = '小明'").await.unwrap();

        let bound = world.bind(&alice, "xiaoming").await.status(200).json();
        let info = &bound["userInfo"];
        assert_eq!((&info["userId"], &info["nickName"], &info["phone"], &info["city"], &info["userLevel"]),
            (&json!(owner), &json!("小明"), &json!("13800138000"), &json!("Guangzhou"), &json!(2)));
        // The person is the account's in every app, also where they come later.
        assert_eq!(user_id(&world.user_of_app(OTHER_APP, "alice2", "union-alice").await), &json!(owner));

        // Somebody else's phone and the account's: neither is thrown away.
        world.clock.turn(Duration::from_secs(61));
        let bob = world.login("bob").await;
        let press = world.press_phone(json!({ "openid": "bob", "phone": "13900139000" })).await;
        world.ask("POST", "/v1/me/phone", &bob, json!({ "code": press["code"] })).await.status(200);
        world.add_account("carol", PASSWORD).await;
        let carol = world.post("/v1/login/password", &account("carol")).await.status(200).json();
        let unbound = world.ask("DELETE", "/v1/me/account", &carol, Value::Null).await;
        unbound.refused(409, "not_bound");
        let free = world.ask("DELETE", "/v1/me/account", &bound, Value::Null).await.status(200).json();
        world.bind(&bob, "xiaoming").await.refused(409, "bind_conflict");
        let me = world.ask("GET", "/v1/me", &bob, Value::Null).await.status(200).json();
        assert_eq!(me["phone"], "13900139000");
        // Alice, who left, is a user of her own in both apps; the phone is the account's.
        assert_eq!((&free["isNewUser"], &free["bound"], &free["userInfo"]["phone"]), (&json!(true), &json!(false), &Value::Null));
        assert_ne!(user_id(&free), &json!(owner));
        assert_ne!(user_id(&free), user_id(&alice), "a closed user's id is not used again");
        for session in [world.user_of_app(APP, "alice", "union-alice").await, world.user_of_app(OTHER_APP, "alice2", "union-alice").await] {
            assert_eq!((user_id(&session), &session["isNewUser"]), (user_id(&free), &json!(false)));
        }
    }
}

on_each_database! {
    async fn who_unbinds_holds_no_token_of_the_account_and_the_account_may_be_bound_anew(kind: Kind) {
        let world = World::on(kind).await;
        let owner = world.add_account("xiaoming", PASSWORD).await;
        let alice = world.login("alice").await;
        world.ask("DELETE", "/v1/me/account", &alice, Value::Null).await.refused(409, "not_bound");
        let bound = world.bind(&alice, "xiaoming").await.status(200).json();
        world.clock.turn(Duration::from_millis(1));
        let free = world.ask("DELETE", "/v1/me/account", &bound, Value::Null).await.status(200).json();
        assert_eq!((&free["bound"], &free["userInfo"]["username"]), (&json!(false), &Value::Null));
        world.ask("GET", "/v1/me", &bound, Value::Null).await.refused(401, "token_invalid");
        assert_eq!(world.ask("GET", "/v1/me", &free, Value::Null).await.status(200).json()["userId"], *user_id(&free));
        assert_eq!(user_id(&world.login("alice").await), user_id(&free));

        let bob = world.login("bob").await;
        assert_eq!(user_id(&world.bind(&bob, "xiaoming").await.status(200).json()), &json!(owner));
        world.bind(&free, "xiaoming").await.refused(409, "account_taken");
        // The password is still good, and a token of the very millisecond of an end counts if it came after.
        world.post("/v1/login/password", &account("xiaoming")).await.status(200);
    }
}

on_each_database! {
    async fn a_password_turns_wechat_users_out_of_its_account_and_opens_none_of_theirs(kind: Kind) {
        let world = World::with(kind, "accounts.identities_per_app = 2").await;
        let owner = world.add_account("xiaoming", PASSWORD).await;
        let typed = async || world.post("/v1/login/password", &account("xiaoming")).await.status(200).json();
        world.ask("DELETE", "/v1/me/account", &typed().await, Value::Null).await.refused(409, "not_bound");
        world.ask("POST", "/v1/me/phone", &typed().await, json!({ "code": "abc" })).await.refused(409, "not_bound");
        let mut bound = Vec::new();
        for openid in ["alice", "bob"] {
            bound.push(world.bind(&world.login(openid).await, "xiaoming").await.status(200).json());
        }
        let session = typed().await;
        world.clock.turn(Duration::from_millis(1));
        let fresh = world.ask("DELETE", "/v1/me/account", &session, Value::Null).await.status(200).json();
        assert_eq!((user_id(&fresh), &fresh["bound"], &fresh["isNewUser"]), (&json!(owner), &json!(true), &json!(false)));
        for ended in bound.iter().chain([&session]) {
            world.ask("GET", "/v1/me", ended, Value::Null).await.refused(401, "token_invalid");
        }
        world.ask("GET", "/v1/me", &fresh, Value::Null).await.status(200);
        for openid in ["alice", "bob"] {
            let free = world.login(openid).await;
            assert_eq!((&free["bound"], user_id(&free) == &json!(owner)), (&json!(false), false));
        }
    }
}

on_each_database! {
    async fn an_account_takes_in_as_many_identities_an_app_as_it_is_allowed_and_each_keeps_its_own(kind: Kind) {
        let world = World::with(kind, "accounts.identities_per_app = 2").await;
        let owner = world.add_account("family", PASSWORD).await;
        let mut bound = Vec::new();
        for openid in ["alice", "bob"] {
            let session = world.login(openid).await;
            bound.push(world.bind(&session, "family").await.status(200).json());
        }
        let carol = world.login("carol").await;
        world.bind(&carol, "family").await.refused(409, "account_taken");
        // Whose data it is, is told by the token: bob logged in last, and alice's opens under alice's.
        for (openid, session) in [("alice", &bound[0]), ("bob", &bound[1])] {
            let info = world.user_info(json!({ "openid": openid })).await;
            let claim = json!({ "encryptedData": info["encryptedData"], "iv": info["iv"] });
            world.ask("POST", "/v1/me/decrypt", session, claim).await.status(200);
        }
        world.clock.turn(Duration::from_millis(1));
        let free = world.ask("DELETE", "/v1/me/account", &bound[0], Value::Null).await.status(200).json();
        assert_eq!(user_id(&world.login("alice").await), user_id(&free));
        assert_eq!(user_id(&world.login("bob").await), &json!(owner));
        // The place that came free is carol's.
        assert_eq!(user_id(&world.bind(&carol, "family").await.status(200).json()), &json!(owner));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_before_the_account_unbinds_nobody_else() {
    let settings = "accounts.registration = true\naccounts.identities_per_app = 2";
    let world = World::with(crate::world::Kind::Sqlite, settings).await;
    let before = world.login("alice").await;
    let mut request = account("family");
    request["code"] = json!(world.code("alice").await);
    world.post("/v1/accounts", &request).await.status(201);
    let bob = world.bind(&world.login("bob").await, "family").await.status(200).json();
    // It doesn't say whose it is, and the last to log in was bob.
    world.ask("DELETE", "/v1/me/account", &before, Value::Null).await.refused(401, "token_invalid");
    assert_eq!(user_id(&world.login("bob").await), user_id(&bob));
}

on_each_database! {
    async fn an_account_is_registered_on_the_wechat_user_of_a_code_or_alone_if_that_is_allowed(kind: Kind) {
        let closed = World::on(kind).await;
        closed.post("/v1/accounts", &account("xiaoming")).await.refused(403, "registration_closed");
        let world = World::with(kind, "accounts.registration = true").await;
        let alice = world.login("alice").await;
        let code = world.code("alice").await;
        let mut request = account("xiaoming");
        request["code"] = json!(code);
        let session = world.post("/v1/accounts", &request).await.status(201).json();
        assert_eq!((user_id(&session), &session["bound"], &session["isNewUser"]), (user_id(&alice), &json!(true), &json!(false)));
        assert_eq!(user_id(&world.post("/v1/login/password", &account("XiaoMing")).await.status(200).json()), user_id(&alice));

        world.post("/v1/accounts", &account("xiaoming")).await.refused(409, "username_taken");
        request = account("second");
        request["code"] = json!(world.code("alice").await);
        world.post("/v1/accounts", &request).await.refused(409, "already_bound");
        for (username, password, code) in [
            ("short", "1234567", "invalid_field"),
            ("longpassword", "LongPassword", "invalid_field"),
            ("a b", PASSWORD, "invalid_field"),
            ("", PASSWORD, "missing_field"),
            ("long", "", "missing_field"),
        ] {
            let request = json!({ "username": username, "password": password });
            world.post("/v1/accounts", &request).await.refused(400, code);
        }
        let alone = world.post("/v1/accounts", &account("alone")).await.status(201).json();
        assert_eq!((&alone["isNewUser"], &alone["userInfo"]["lastLoginTime"]), (&json!(true), &Value::Null));
        let bob = world.login("bob").await;
        assert_eq!(user_id(&world.bind(&bob, "alone").await.status(200).json()), user_id(&alone));
        // An address makes so many a minute.
        let many = async || {
            for name in 0..20 {
                let answer = world.post("/v1/accounts", &account(&format!("name{name}"))).await;
                if answer.code() != 201 {
                    return answer;
                }
            }
            panic!("nobody stopped it");
        };
        many().await.refused(429, "too_many_requests");
    }
}

on_each_database! {
    async fn sixty_four_registrations_of_one_name_make_one_account(kind: Kind) {
        let world = Arc::new(World::with(kind, "accounts.registration = true\naccounts.registrations_per_minute = 1000\naccounts.hash_queue = 100").await);
        let mut registrations = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let world = world.clone();
            registrations.spawn(async move { world.post("/v1/accounts", &account("xiaoming")).await.code() });
        }
        let answers = registrations.join_all().await;
        assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|status| **status == 409).count(), 63, "{answers:?}");
        assert_eq!(world.database.count(&world.folder(), "users").await, 1);
    }
}
