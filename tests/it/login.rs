//! Logging in: the flows of the tutorials this gateway comes from, and the races.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::on_each_database;
use crate::world::{APP, Kind, OTHER_APP, World};

on_each_database! {
    async fn a_login_answers_a_session_and_the_second_one_is_the_same_user(kind: Kind) {
        let world = World::on(kind).await;
        let first = world.login("alice").await;
        insta::with_settings!({ filters => vec![(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[uuid]")] }, {
            insta::allow_duplicates! { insta::assert_json_snapshot!(first, { ".token" => "[jws]" }, @r#"
            {
              "bound": false,
              "expiresIn": 7200,
              "isNewUser": true,
              "token": "[jws]",
              "tokenExpire": "2026-11-01T04:26:40Z",
              "tokenType": "Bearer",
              "userInfo": {
                "avatarUrl": "",
                "city": "",
                "country": "",
                "gender": 0,
                "language": "",
                "lastLoginTime": "2026-11-01T02:26:40Z",
                "nickName": "",
                "province": "",
                "registerDate": "2026-11-01",
                "status": 0,
                "userId": "[uuid]",
                "userLevel": 0,
                "userLevelDesc": "普通用户"
              }
            }
            "#); }
        });
        world.clock.turn(Duration::from_secs(60));
        let second = world.login("alice").await;
        assert_eq!((&second["isNewUser"], &second["userInfo"]["userId"]), (&json!(false), &first["userInfo"]["userId"]));
        assert_ne!(second["token"], first["token"]);

        let bearer = format!("Bearer {}", first["token"].as_str().unwrap());
        let me = world.get("/v1/me", &[("authorization", &bearer)]).await.status(200).json();
        assert_eq!(me, second["userInfo"]);
    }
}

/// Flow A: is my session still good? log in with a code, keep the credential, send the profile with it.
#[tokio::test(flavor = "multi_thread")]
async fn flow_a_checks_its_session_logs_in_keeps_the_credential_and_sends_its_profile_with_it() {
    let world = World::on(Kind::Sqlite).await;
    world.get("/v1/me", &[("authorization", "Bearer ")]).await.refused(401, "token_missing");
    let code = world.code("alice").await;
    let profile = json!({
        "nickName": "小明", "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/a/132", "gender": 1,
        "province": "Guangdong", "city": "Guangzhou"
    });
    let session =
        world.post("/v1/login", &json!({ "code": code, "userInfo": profile })).await.status(200).json();
    let credential = format!("Bearer {}", session["token"].as_str().unwrap());
    let me = world.get("/v1/me", &[("authorization", &credential)]).await.status(200).json();
    for (field, value) in profile.as_object().unwrap() {
        assert_eq!(&me[field], value);
    }
    // The next morning: the credential has run out, and says so.
    world.clock.turn(Duration::from_secs(8 * 3600));
    let expired = world.get("/v1/me", &[("authorization", &credential)]).await.refused(401, "token_expired");
    assert_eq!(
        expired.header("www-authenticate"),
        r#"Bearer error="invalid_token", error_description="expired""#
    );
}

on_each_database! {
    async fn flow_b_litemalls_login_by_weixin_moves_time_and_address_on_and_names_a_missing_code(kind: Kind) {
        let world = World::with(kind, "http.trusted_proxies = [\"127.0.0.1/32\"]").await;
        let login = async |ip: &str| {
            let code = world.code("bob").await;
            let body = json!({ "code": code, "userInfo": { "nickName": "阿波", "gender": 1 } });
            world.post_as("/wx/auth/login_by_weixin", &body, &[("x-forwarded-for", ip)]).await.errno(0).json()
        };
        let first = login("203.0.113.7").await;
        assert_eq!(first["errmsg"], "成功");
        let info = &first["data"]["userInfo"];
        for field in ["userId", "registerDate", "status", "userLevel", "userLevelDesc"] {
            assert!(!info[field].is_null(), "{field}");
        }
        assert_eq!((&info["registerDate"], &info["status"], &info["userLevel"]), (&json!("2026-11-01"), &json!(0), &json!(0)));
        assert_eq!(first["data"]["tokenExpire"], "2026-11-01T04:26:40Z");

        let identity = async || {
            let sql = "SELECT last_login_at, last_login_ip, login_count FROM identities";
            world.database.rows(&world.folder(), sql).await.remove(0)
        };
        assert_eq!(identity().await, json!({ "last_login_at": 1_793_500_000_250_i64, "last_login_ip": "203.0.113.7", "login_count": 1 }));
        world.clock.turn(Duration::from_secs(100));
        let second = login("2001:db8::7").await;
        assert_eq!(second["data"]["userInfo"]["userId"], info["userId"]);
        assert_eq!(second["data"]["userInfo"]["lastLoginTime"], "2026-11-01T02:28:20Z");
        assert_eq!(identity().await, json!({ "last_login_at": 1_793_500_100_250_i64, "last_login_ip": "2001:db8::7", "login_count": 2 }));

        let token = second["data"]["token"].as_str().unwrap();
        let me = world.get("/wx/auth/info", &[("x-litemall-token", token)]).await.errno(0).json();
        let mut wanted = second["data"]["userInfo"].clone();
        (wanted["avatar"], wanted["mobile"]) = (wanted["avatarUrl"].clone(), "".into());
        assert_eq!(me["data"], wanted);

        world.post("/wx/auth/login_by_weixin", &json!({ "code": null, "userInfo": {} })).await.errno(401);
        world.post("/wx/auth/login_by_weixin", &json!({ "userInfo": {} })).await.errno(401);
        world.post("/wx/auth/login_by_weixin", &json!({ "code": "unheard" })).await.errno(402);
        world.get("/wx/auth/info", &[("x-litemall-token", "stale")]).await.errno(501);
        world.get("/wx/auth/info", &[]).await.errno(501);
        world.get("/wx/auth/nothing", &[]).await.errno(402);
    }
}

on_each_database! {
    async fn sixty_four_first_logins_of_one_openid_at_once_make_one_user_and_64_tokens(kind: Kind) {
        let world = Arc::new(World::on(kind).await);
        let mut codes = Vec::new();
        for _ in 0..64 {
            codes.push(world.code("alice").await);
        }
        let mut logins = tokio::task::JoinSet::new();
        for code in codes {
            let world = world.clone();
            logins.spawn(async move { world.post("/v1/login", &json!({ "code": code })).await.status(200).json() });
        }
        let sessions = logins.join_all().await;
        let distinct = |pointer: &str| {
            sessions.iter().map(|session| session.pointer(pointer).unwrap().to_string()).collect::<HashSet<_>>().len()
        };
        assert_eq!((distinct("/token"), distinct("/userInfo/userId")), (64, 1));
        assert_eq!(sessions.iter().filter(|session| session["isNewUser"] == true).count(), 1);
        let folder = world.folder();
        assert_eq!((world.database.count(&folder, "users").await, world.database.count(&folder, "identities").await), (1, 1));
        let rows = world.database.rows(&folder, "SELECT login_count FROM identities").await;
        assert_eq!(rows[0]["login_count"], 64);
    }
}

on_each_database! {
    async fn thirty_two_requests_with_one_code_at_once_are_one_call_one_login_and_31_refusals(kind: Kind) {
        let world = Arc::new(World::on(kind).await);
        let code = world.code("alice").await;
        let mut logins = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (world, code) = (world.clone(), code.clone());
            logins.spawn(async move { world.post("/v1/login", &json!({ "code": code })).await });
        }
        let (good, refused): (Vec<_>, Vec<_>) = logins.join_all().await.into_iter().partition(|answer| answer.code() == 200);
        assert_eq!((good.len(), refused.len(), world.wechat.calls("/sns/jscode2session")), (1, 31, 1));
        for answer in refused {
            answer.refused(400, "wechat_code_used");
        }
    }
}

on_each_database! {
    async fn a_nickname_comes_back_byte_for_byte_and_openids_that_differ_in_case_are_two_people(kind: Kind) {
        let world = World::on(kind).await;
        let nickname = "👨‍👩‍👧‍👦🏳️‍🌈 小明·Ｍing\u{301} 𠮷 \u{202e}א";
        let code = world.code("oAbC").await;
        let session = world.post("/v1/login", &json!({ "code": code, "userInfo": { "nickName": nickname } })).await.status(200).json();
        assert_eq!(session["userInfo"]["nickName"], nickname);
        let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
        let me = world.get("/v1/me", &[("authorization", &bearer)]).await.status(200).json();
        assert_eq!(me["nickName"], nickname);

        let other = world.login("oabc").await;
        assert_eq!(other["isNewUser"], true);
        assert_ne!(other["userInfo"]["userId"], session["userInfo"]["userId"]);
        // Changed at the next login, and an anonymous one changes nothing.
        for (said, kept) in [("改名 🎈", "改名 🎈"), ("微信用户", "改名 🎈"), ("", "改名 🎈")] {
            let code = world.code("oAbC").await;
            let body = json!({ "code": code, "userInfo": { "nickName": said } });
            let session = world.post("/v1/login", &body).await.status(200).json();
            assert_eq!(session["userInfo"]["nickName"], kept);
        }
    }
}

on_each_database! {
    async fn one_person_in_two_apps_is_one_user_where_wechat_gives_a_unionid(kind: Kind) {
        let world = World::on(kind).await;
        let login = async |app: &str, openid: &str, unionid: &str| {
            let code = world.code_of(json!({ "appid": app, "openid": openid, "unionid": unionid })).await;
            world.post("/v1/login", &json!({ "code": code, "appId": app })).await.status(200).json()
        };
        let first = login(APP, "a-in-one", "union-a").await;
        let second = login(OTHER_APP, "a-in-two", "union-a").await;
        assert_eq!((&first["isNewUser"], &second["isNewUser"]), (&json!(true), &json!(false)));
        assert_eq!(first["userInfo"]["userId"], second["userInfo"]["userId"]);
        // An app that isn't bound gets no unionid, so it can't be known that it is the same person.
        let third = login("wx0000000000000003", "a-in-three", "union-a").await;
        assert_eq!(third["isNewUser"], true);
        let rows = world.database.rows(&world.folder(), "SELECT login_count FROM identities ORDER BY created_at, id").await;
        assert!(rows.iter().all(|row| row["login_count"] == 1), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_comes_from_the_body_else_the_referer_else_it_is_the_default() {
    let world = World::on(Kind::Sqlite).await;
    let code = async || world.code_of(json!({ "appid": OTHER_APP, "openid": "alice" })).await;
    let referer = format!("https://servicewechat.com/{OTHER_APP}/devtools/page-frame.html");
    world.post("/v1/login", &json!({ "code": code().await, "appId": OTHER_APP })).await.status(200);
    world.post_as("/v1/login", &json!({ "code": code().await }), &[("referer", &referer)]).await.status(200);
    // The default app can't redeem another app's code.
    world.post("/v1/login", &json!({ "code": code().await })).await.refused(400, "wechat_code_invalid");
    // A hint that is no app of ours is no more than that.
    let stranger = [("referer", "https://servicewechat.com/wxffffffffffffffff/1/page-frame.html")];
    let mine = world.code("alice").await;
    world.post_as("/v1/login", &json!({ "code": mine }), &stranger).await.status(200);
    world
        .post("/v1/login", &json!({ "code": code().await, "appId": "wxffffffffffffffff" }))
        .await
        .refused(400, "unknown_app");
}

on_each_database! {
    async fn a_disabled_user_can_not_log_in_nor_use_a_token(kind: Kind) {
        let world = World::on(kind).await;
        let session = world.login("alice").await;
        let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
        let connection = world.database.connect(&world.folder()).await;
        sea_orm::ConnectionTrait::execute_unprepared(&connection, "UPDATE users SET status = 1").await.unwrap();
        let code = world.code("alice").await;
        world.post("/v1/login", &json!({ "code": code })).await.refused(403, "user_disabled");
        world.get("/v1/me", &[("authorization", &bearer)]).await.refused(403, "user_disabled");
        // Closed: as if it had never been.
        sea_orm::ConnectionTrait::execute_unprepared(&connection, "UPDATE users SET status = 2").await.unwrap();
        world.get("/v1/me", &[("authorization", &bearer)]).await.refused(401, "token_invalid");
    }
}

on_each_database! {
    async fn two_replicas_on_one_database_know_one_user_and_each_others_tokens(kind: Kind) {
        let world = World::on(kind).await;
        let session = world.login("alice").await;
        let replica = world.replica().await;
        let token = wxgate::secret::AccessToken::new(session["token"].as_str().unwrap());
        let caller = wxgate::flows::session::caller(&replica.rooms, &token).await.unwrap();
        assert_eq!(json!(caller.user.id), session["userInfo"]["userId"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_connection_to_the_database_breaks_the_next_logins_find_new_ones() {
    let world = World::on(Kind::Postgres).await;
    world.login("alice").await;
    let connection = world.database.connect(&world.folder()).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sea_orm::ConnectionTrait::execute_unprepared(&connection, sql).await.unwrap();
    // Each broken connection may cost one request, which is told to come again; no more than the pool has.
    let mut refused = 0;
    loop {
        let code = world.code("alice").await;
        let answer = world.post("/v1/login", &json!({ "code": code })).await;
        if answer.code() == 200 {
            break;
        }
        answer.refused(503, "store_unavailable");
        refused += 1;
        assert!(refused <= 8, "the pool does not heal");
    }
}

on_each_database! {
    async fn clients_that_leave_in_the_middle_cost_nobody_anything(kind: Kind) {
        let world = Arc::new(World::with(kind, "http.request_timeout = 20s").await);
        world.login("alice").await;
        // First logins whose clients hang up after a moment: inside the call to WeChat, the BEGIN, the inserts.
        for round in 0..6 {
            let mut leaving = tokio::task::JoinSet::new();
            for at in 0..16_u64 {
                let world = world.clone();
                leaving.spawn(async move {
                    let code = world.code(&format!("leaver-{round}-{at}")).await;
                    let body = json!({ "code": code });
                    let patience = Duration::from_micros(500 * at);
                    let _ = tokio::time::timeout(patience, world.post("/v1/login", &body)).await;
                });
            }
            leaving.join_all().await;
        }
        // Every answer of 200 is a login that is written.
        for _ in 0..40 {
            world.login("alice").await;
        }
        let rows = world.database.rows(&world.folder(), "SELECT login_count FROM identities WHERE openid = 'alice'").await;
        assert_eq!(rows[0]["login_count"], 41);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_client_left_went_upstream_once_and_is_used() {
    let world = World::on(Kind::Sqlite).await;
    let code = world.code("alice").await;
    world.faults(json!({ "latencyMs": 300 })).await;
    for _ in 0..3 {
        let body = json!({ "code": code });
        let left = tokio::time::timeout(Duration::from_millis(100), world.post("/v1/login", &body)).await;
        assert!(left.is_err() || left.unwrap().code() == 400);
    }
    // The work goes on without its client, and is soon done.
    let mut looks = 0;
    while world.database.count(&world.folder(), "identities").await == 0 {
        looks += 1;
        assert!(looks < 5_000, "the login was not finished");
    }
    world.post("/v1/login", &json!({ "code": code })).await.refused(400, "wechat_code_used");
    assert_eq!(world.wechat.calls("/sns/jscode2session"), 1);
}
