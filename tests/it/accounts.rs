//! One's own account: the profile changed, the account closed.

use serde_json::{Value, json};

use crate::on_each_database;
use crate::world::{APP, Kind, OTHER_APP, World};

on_each_database! {
    async fn a_profile_is_changed_field_by_field_and_every_bad_field_is_named(kind: Kind) {
        let world = World::on(kind).await;
        let session = world.login("alice").await;
        let patch = async |body: Value| world.ask("PATCH", "/v1/me", &session, body).await;
        let info = patch(json!({ "nickName": "👩‍🚀 小明", "gender": 2, "city": "Guangzhou" })).await.status(200).json();
        assert_eq!((&info["nickName"], &info["gender"], &info["city"]), (&json!("👩‍🚀 小明"), &json!(2), &json!("Guangzhou")));
        let info = patch(json!({ "avatarUrl": "https://a.example/b.png", "city": "" })).await.status(200).json();
        assert_eq!((&info["nickName"], &info["avatarUrl"], &info["city"]), (&json!("👩‍🚀 小明"), &json!("https://a.example/b.png"), &json!("")));
        assert_eq!(patch(json!({})).await.status(200).json(), info);
        // What WeChat says of everybody says nothing of anybody.
        let anonymous = world.user_info(json!({ "openid": "alice" })).await["userInfo"].clone();
        assert_eq!(anonymous["nickName"], "微信用户");
        let wx = world.ask("POST", "/wx/auth/profile", &session, json!({ "userInfo": anonymous })).await.errno(0).json();
        assert_eq!(wx["data"], info);
        let code = world.code("alice").await;
        let login = world.post("/v1/login", &json!({ "code": code, "userInfo": anonymous })).await.status(200).json();
        assert_eq!(login["userInfo"]["nickName"], info["nickName"]);

        assert_eq!(patch(anonymous).await.status(200).json(), info);

        let bad = json!({ "nickName": "   ", "avatarUrl": "wxfile://tmp_1.jpg", "gender": 3, "country": "x".repeat(65) });
        let refused = patch(bad).await.refused(400, "invalid_field").json();
        for field in ["nickName", "avatarUrl", "gender", "country"] {
            assert!(refused["detail"].as_str().unwrap().contains(field), "{field}: {refused}");
        }
        // Counted as people count: 64 families of four are 64 characters, 65 are too many.
        patch(json!({ "nickName": "👨‍👩‍👧‍👦".repeat(64) })).await.status(200);
        patch(json!({ "nickName": "👨‍👩‍👧‍👦".repeat(65) })).await.refused(400, "invalid_field");
        for bad in ["\u{200b}", "a\nb", "a\u{7}b"] {
            patch(json!({ "nickName": bad })).await.refused(400, "invalid_field");
        }
        for bad in ["https:///x", "https://u:p@h/", "https://a.example/\"><script>"] {
            patch(json!({ "avatarUrl": bad })).await.refused(400, "invalid_field");
        }

        patch(json!({ "nickName": "长".repeat(64) })).await.status(200);
        patch(json!({ "nickName": "长".repeat(65) })).await.refused(400, "invalid_field");
        patch(json!({ "nickName": "a\u{0}b" })).await.refused(400, "invalid_field");
        // Marks on letters are no characters of their own, and fit into every column.
        let marked = |times| "e\u{301}\u{323}".repeat(times);
        patch(json!({ "language": marked(32), "city": marked(64), "province": marked(64) })).await.status(200);
        patch(json!({ "language": marked(33) })).await.refused(400, "invalid_field");
        patch(json!({ "city": marked(65) })).await.refused(400, "invalid_field");
        patch(json!({ "gender": "1" })).await.refused(400, "invalid_field");
        let kept = world.ask("GET", "/v1/me", &session, Value::Null).await.status(200).json();
        assert_eq!((&kept["nickName"], &kept["avatarUrl"]), (&json!("长".repeat(64)), &json!("https://a.example/b.png")));
    }
}

/// Flow A, completed: the credential, then the profile with it, by litemall's three ways to send one.
#[tokio::test(flavor = "multi_thread")]
async fn litemalls_profile_takes_the_families_three_forms() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let token = session["token"].as_str().unwrap();
    for (body, nickname) in [
        (
            json!({ "userInfo": { "nickName": "一", "avatarUrl": "https://a.example/1.png", "gender": 1, "province": "Guangdong", "city": "Guangzhou" } }),
            "一",
        ),
        (json!({ "nickName": "二", "avatarUrl": "https://a.example/2.png" }), "二"),
        (json!({ "nickName": "四", "nickname": "x" }), "四"),
        (json!({ "nickname": "三", "avatar": "https://a.example/3.png", "gender": 2 }), "三"),
    ] {
        let answer =
            world.post_as("/wx/auth/profile", &body, &[("x-litemall-token", token)]).await.errno(0).json();
        assert_eq!(answer["data"]["nickName"], nickname);
    }
    let info =
        world.get("/wx/auth/info", &[("x-litemall-token", token)]).await.errno(0).json()["data"].clone();
    assert_eq!(
        (&info["avatarUrl"], &info["gender"], &info["province"]),
        (&json!("https://a.example/3.png"), &json!(2), &json!("Guangdong"))
    );
    world
        .post_as(
            "/wx/auth/profile",
            &json!({ "avatarUrl": "http://tmp/x.jpg" }),
            &[("x-litemall-token", token)],
        )
        .await
        .errno(402);
    world.post("/wx/auth/profile", &json!({ "nickName": "x" })).await.errno(501);
}

on_each_database! {
    async fn a_closed_account_leaves_nothing_personal_and_the_next_login_is_somebody_new(kind: Kind) {
        let world = World::on(kind).await;
        let code = world.code_of(json!({ "openid": "alice", "unionid": "union-a" })).await;
        let body = json!({ "code": code, "userInfo": { "nickName": "Alice-Personal", "city": "City-Personal" } });
        let session = world.post("/v1/login", &body).await.status(200).json();
        let button = world.press_phone(json!({ "openid": "alice", "phone": "13580006666" })).await;
        world.ask("POST", "/v1/me/phone", &session, json!({ "code": button["code"] })).await.status(200);

        world.ask("DELETE", "/v1/me", &session, Value::Null).await.status(204);
        for (method, path) in [("GET", "/v1/me"), ("DELETE", "/v1/me"), ("GET", "/v1/me/wechat-session")] {
            world.ask(method, path, &session, Value::Null).await.refused(401, "token_invalid");
        }
        let rows = world.database.rows(&world.folder(), "SELECT nickname, city, unionid, status FROM users").await;
        assert_eq!(rows, [json!({ "nickname": "", "city": "", "unionid": null, "status": 2 })]);
        assert_eq!(world.database.count(&world.folder(), "users WHERE phone IS NULL AND phone_index IS NULL").await, 1);
        assert_eq!(world.database.count(&world.folder(), "identities").await, 0);

        let next = world.login("alice").await;
        assert_eq!((&next["isNewUser"], next["userInfo"].get("phone")), (&json!(true), None));
        assert_ne!(next["userInfo"]["userId"], session["userInfo"]["userId"]);
        // The phone is free again.
        let button = world.press_phone(json!({ "openid": "alice", "phone": "13580006666" })).await;
        world.ask("POST", "/v1/me/phone", &next, json!({ "code": button["code"] })).await.status(200);
        assert_eq!(world.wechat.calls("/sns/jscode2session"), 2);
    }
}

on_each_database! {
    async fn closing_while_logins_run_never_leaves_an_identity_without_its_user(kind: Kind) {
        let world = std::sync::Arc::new(World::on(kind).await);
        for round in 0..8 {
            let openid = format!("user-{round}");
            let session = world.login(&openid).await;
            let mut racing = tokio::task::JoinSet::new();
            for _ in 0..4 {
                let (world, openid) = (world.clone(), openid.clone());
                racing.spawn(async move {
                    let code = world.code(&openid).await;
                    world.post("/v1/login", &json!({ "code": code })).await.code()
                });
            }
            let closing = { let world = world.clone(); async move { world.ask("DELETE", "/v1/me", &session, Value::Null).await.code() } };
            let (closed, logins) = tokio::join!(closing, racing.join_all());
            assert!(closed == 204, "{closed}");
            // A login that fell on the closed user says so, or is a new user; none is an error of ours.
            assert!(logins.iter().all(|status| matches!(status, 200 | 401 | 403)), "{logins:?}");
            let code = world.code(&openid).await;
            world.post("/v1/login", &json!({ "code": code })).await.status(200);
        }
        let orphans = "identities WHERE user_id IN (SELECT id FROM users WHERE status = 2)";
        assert_eq!(world.database.count(&world.folder(), orphans).await, 0);
    }
}

on_each_database! {
    async fn what_is_personal_does_not_come_back_into_a_closed_account_and_locks_nobody_out(kind: Kind) {
        let world = std::sync::Arc::new(World::on(kind).await);
        for round in 0..10 {
            let (openid, unionid) = (format!("user-{round}"), format!("union-{round}"));
            let session = world.login(&openid).await;
            let button = world.press_phone(json!({ "openid": openid, "phone": format!("1358000{round:04}") })).await;
            let mut racing = tokio::task::JoinSet::new();
            let (w, s) = (world.clone(), session.clone());
            racing.spawn(async move { w.ask("POST", "/v1/me/phone", &s, json!({ "code": button["code"] })).await.code() });
            let (w, s) = (world.clone(), session.clone());
            racing.spawn(async move { w.ask("PATCH", "/v1/me", &s, json!({ "nickName": "Personal" })).await.code() });
            let (w, who) = (world.clone(), json!({ "openid": openid, "unionid": unionid }));
            racing.spawn(async move {
                let body = json!({ "code": w.code_of(who).await, "userInfo": { "nickName": "Personal" } });
                w.post("/v1/login", &body).await.code()
            });
            let (w, s) = (world.clone(), session.clone());
            racing.spawn(async move { w.ask("DELETE", "/v1/me", &s, Value::Null).await.code() });
            for status in racing.join_all().await {
                assert!(matches!(status, 200 | 204 | 401 | 409 | 503), "{status}");
            }
            // The person comes back, with the same unionid and the same phone, in either app.
            let next = world.user_of_app(APP, &openid, &unionid).await;
            world.user_of_app(OTHER_APP, &format!("other-{round}"), &unionid).await;
            let button = world.press_phone(json!({ "openid": openid, "phone": format!("1358000{round:04}") })).await;
            world.ask("POST", "/v1/me/phone", &next, json!({ "code": button["code"] })).await.status(200);
        }
        let left = "users WHERE status = 2 AND (nickname <> '' OR unionid IS NOT NULL OR phone IS NOT NULL OR phone_index IS NOT NULL)";
        assert_eq!(world.database.count(&world.folder(), left).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_proof_ends_a_first_login_before_anything_is_written() {
    let world = World::on(Kind::Sqlite).await;
    let body = json!({ "code": world.code("alice").await, "rawData": "{}", "signature": "00", "userInfo": { "nickName": "x" } });
    world.post("/v1/login", &body).await.refused(400, "encrypted_data_invalid");
    assert_eq!(world.database.count(&world.folder(), "users").await, 0);
    assert_eq!(world.login("alice").await["isNewUser"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_follow_the_person_and_not_the_user_id() {
    let limits = "wechat.decrypts_per_minute = 2\nwechat.server_calls_per_minute = 2";
    let world = World::with(Kind::Sqlite, limits).await;
    let nonsense = json!({ "encryptedData": "AAAA", "iv": "AAAA" });
    let mut session = world.login("alice").await;
    for _ in 0..2 {
        world
            .ask("POST", "/v1/me/decrypt", &session, nonsense.clone())
            .await
            .refused(400, "encrypted_data_invalid");
        world
            .ask("POST", "/v1/me/phone", &session, json!({ "code": "abc" }))
            .await
            .refused(400, "phone_code_invalid");
        world.ask("DELETE", "/v1/me", &session, Value::Null).await.status(204);
        session = world.login("alice").await;
    }
    for (path, body) in [("/v1/me/decrypt", nonsense.clone()), ("/v1/me/phone", json!({ "code": "abc" }))] {
        world.ask("POST", path, &session, body).await.refused(429, "too_many_requests");
    }
    world
        .ask("POST", "/v1/me/wechat-session/reset", &session, Value::Null)
        .await
        .refused(429, "too_many_requests");
    let mut login = nonsense;
    login["code"] = json!(world.code("alice").await);
    world.post("/v1/login", &login).await.refused(429, "too_many_requests");
    world.login("bob").await;
}

#[test]
fn the_command_merges_two_users_by_id_or_by_phone() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| crate::world::process::run(folder.path(), arguments, &[]);
    assert_eq!(run(&["init", "--issuer", "https://auth.example.com", "--appid", APP]).code, 0);
    std::fs::write(folder.path().join(format!("keys/{APP}.secret")), "s").unwrap();
    assert_eq!(run(&["migrate", "up"]).code, 0);
    let one = "01a1fce9-f066-7826-9be7-0cf2bb5d62bb";
    let unknown = run(&["account", "merge", one, "01a1fce9-f066-7826-9be7-0cf2bb5d62bc"]);
    assert!(unknown.code == 1 && unknown.stderr.contains(&format!("no active user {one}")), "{unknown:?}");
    for (from, said) in [
        (one, "the same user"),
        ("+8613580006666", "no user has this phone"),
        ("alice", "no user has this username"),
    ] {
        let refused = run(&["account", "merge", one, from]);
        assert!(refused.code == 1 && refused.stderr.contains(said), "{refused:?}");
    }
}
