//! A person under several apps: one unionid, one user, and what happens when that comes out late.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::on_each_database;
use crate::world::{APP, Kind, OTHER_APP, World};

async fn login(world: &World, app: &str, openid: &str, unionid: Option<&str>) -> Value {
    let mut who = json!({ "appid": app, "openid": openid });
    if let Some(unionid) = unionid {
        who["unionid"] = json!(unionid);
    }
    let code = world.code_of(who).await;
    world.post("/v1/login", &json!({ "code": code, "appId": app })).await.status(200).json()
}

on_each_database! {
    async fn thirty_two_first_logins_of_one_person_in_two_apps_at_once_make_one_user_with_two_identities(kind: Kind) {
        let world = Arc::new(World::on(kind).await);
        for round in 0..4 {
            let mut logins = tokio::task::JoinSet::new();
            for at in 0..32 {
                let world = world.clone();
                let (app, openid) = if at % 2 == 0 { (APP, "one") } else { (OTHER_APP, "two") };
                let (openid, unionid) = (format!("{openid}-{round}"), format!("union-{round}"));
                logins.spawn(async move { login(&world, app, &openid, Some(&unionid)).await });
            }
            let sessions = logins.join_all().await;
            let users: std::collections::HashSet<_> = sessions.iter().map(|s| s["userInfo"]["userId"].to_string()).collect();
            assert_eq!(users.len(), 1);
            assert_eq!(sessions.iter().filter(|session| session["isNewUser"] == true).count(), 1);
        }
        let folder = world.folder();
        assert_eq!((world.database.count(&folder, "users").await, world.database.count(&folder, "identities").await), (4, 8));
        let rows = world.database.rows(&folder, "SELECT login_count FROM identities").await;
        assert!(rows.iter().all(|row| row["login_count"] == 16), "{rows:?}");
    }
}

on_each_database! {
    async fn a_unionid_that_comes_late_is_claimed_by_the_user_who_shows_it_first(kind: Kind) {
        let world = World::on(kind).await;
        let before = login(&world, APP, "alice", None).await;
        // The app is bound to an Open Platform account now.
        let bound = login(&world, APP, "alice", Some("union-a")).await;
        let elsewhere = login(&world, OTHER_APP, "alice-two", Some("union-a")).await;
        assert_eq!(before["userInfo"]["userId"], bound["userInfo"]["userId"]);
        assert_eq!(before["userInfo"]["userId"], elsewhere["userInfo"]["userId"]);
        assert_eq!(elsewhere["isNewUser"], false);
    }
}

on_each_database! {
    async fn two_users_that_turn_out_to_be_one_person_stay_two_until_somebody_merges_them(kind: Kind) {
        let world = World::on(kind).await;
        let one = login(&world, APP, "alice", None).await;
        let two = login(&world, OTHER_APP, "alice-two", None).await;
        let button = world.press_phone(json!({ "appid": OTHER_APP, "openid": "alice-two", "phone": "13580006666" })).await;
        world.ask("POST", "/v1/me/phone", &two, json!({ "code": button["code"] })).await.status(200);
        world.ask("PATCH", "/v1/me", &two, json!({ "nickName": "two", "city": "Shenzhen" })).await.status(200);
        world.ask("PATCH", "/v1/me", &one, json!({ "nickName": "one" })).await.status(200);
        let first = login(&world, APP, "alice", Some("union-a")).await;
        let second = login(&world, OTHER_APP, "alice-two", Some("union-a")).await;
        let id = |session: &Value| session["userInfo"]["userId"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
        assert_eq!((id(&first), id(&second)), (id(&one), id(&two)), "nobody was merged behind anyone's back");

        let merge = async |into, from| wxgate::flows::account::merge(&world.app.rooms, into, from).await.unwrap();
        let nobody = uuid::Uuid::nil();
        assert_eq!(merge(id(&one), nobody).await, wxgate::store::Merged::Missing(nobody));
        assert_eq!(merge(id(&one), id(&two)).await, wxgate::store::Merged::Done);
        assert_eq!(merge(id(&one), id(&two)).await, wxgate::store::Merged::Missing(id(&two)));
        // What the one had stays, what it hadn't comes from the other, its phone resealed for the new row.
        world.ask("GET", "/v1/me", &second, Value::Null).await.refused(401, "token_invalid");
        let merged = login(&world, OTHER_APP, "alice-two", Some("union-a")).await;
        let info = &merged["userInfo"];
        assert_eq!((id(&merged), &merged["isNewUser"]), (id(&one), &json!(false)));
        assert_eq!((&info["nickName"], &info["city"], &info["phone"]), (&json!("one"), &json!("Shenzhen"), &json!("13580006666")));
        let found = wxgate::flows::phone::find(&world.app.rooms, &wxgate::secret::Phone::new("+8613580006666")).await.unwrap();
        assert_eq!(found, Some(id(&one)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_with_an_identity_in_one_app_are_not_merged() {
    let world = World::on(Kind::Sqlite).await;
    let (one, two) = (login(&world, APP, "alice", None).await, login(&world, APP, "bob", None).await);
    let id = |session: &Value| session["userInfo"]["userId"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    let merged = wxgate::flows::account::merge(&world.app.rooms, id(&one), id(&two)).await.unwrap();
    assert_eq!(merged, wxgate::store::Merged::SameApp);
    world.ask("GET", "/v1/me", &two, Value::Null).await.status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unionid_inside_encrypted_data_counts_like_one_from_the_exchange() {
    let world = World::on(Kind::Sqlite).await;
    let app = world.user_of_app(OTHER_APP, "alice-two", "union-a").await;
    world.code_of(json!({ "openid": "bob", "unionid": "union-b" })).await;
    world.login("bob").await;
    let info = world.user_info(json!({ "openid": "bob" })).await;
    let key = world.wechat.session_keys().pop().unwrap();
    let connection = world.database.connect(&world.folder()).await;
    sea_orm::ConnectionTrait::execute_unprepared(
        &connection,
        "UPDATE users SET unionid = NULL WHERE unionid = 'union-b'",
    )
    .await
    .unwrap();
    // An exchange that gives no unionid, as for an app that isn't bound; the user's own data does.
    world.faults(json!({ "body": json!({ "openid": "bob", "session_key": key }).to_string() })).await;
    world.post("/v1/login", &json!({ "code": "bare" })).await.status(200);
    let unclaimed = "users WHERE unionid IS NULL";
    assert_eq!(world.database.count(&world.folder(), unclaimed).await, 1);
    let body = json!({ "code": "proven", "encryptedData": info["encryptedData"], "iv": info["iv"] });
    world.post("/v1/login", &body).await.status(200);
    assert_eq!(world.database.count(&world.folder(), unclaimed).await, 0);
    let rows = world.database.rows(&world.folder(), "SELECT unionid FROM users ORDER BY unionid").await;
    assert_eq!(rows, [json!({ "unionid": "union-a" }), json!({ "unionid": "union-b" })]);
    assert_eq!(app["isNewUser"], true);
}

on_each_database! {
    async fn an_identity_left_with_a_closed_user_is_freed_by_its_next_login(kind: Kind) {
        let world = World::on(kind).await;
        let before = login(&world, APP, "alice", None).await;
        // As if closing had fallen between a login's look and its write.
        let connection = world.database.connect(&world.folder()).await;
        sea_orm::ConnectionTrait::execute_unprepared(&connection, "UPDATE users SET status = 2").await.unwrap();
        let after = login(&world, APP, "alice", None).await;
        assert_eq!(after["isNewUser"], true);
        assert_ne!(after["userInfo"]["userId"], before["userInfo"]["userId"]);
    }
}
