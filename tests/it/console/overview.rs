//! How a replica fares: logins, WeChat, the life of keys, what column keys seal.

use std::time::Duration;

use serde_json::{Value, json};

use super::{PASSWORD, ask, credentials, world};
use crate::on_each_database;
use crate::world::{Kind, World, keys};

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_logins_by_outcome_and_how_wechat_has_answered() {
    let world = world(Kind::Sqlite).await;
    let overview =
        async |minutes: u32| ask(&world, &format!("/overview?minutes={minutes}")).await.status(200).json();
    let begun = overview(3).await;
    assert_eq!(begun["logins"], json!([]));
    assert_eq!((&begun["wechat"]["state"], &begun["wechat"]["answers"]), (&json!("quiet"), &json!([])));
    let replica = &begun["replica"];
    assert_eq!(
        (&replica["since"], &replica["uptimeSeconds"]),
        (&json!("2026-11-01T02:26:40.25Z"), &json!(0))
    );
    assert!(replica["name"].as_str().unwrap().ends_with(&format!("/{}", std::process::id())), "{replica}");

    for who in ["alice", "bob", "alice"] {
        world.login(who).await;
    }
    world.post("/v1/login", &json!({ "code": "never-given" })).await.refused(400, "wechat_code_invalid");
    world.clock.turn(Duration::from_secs(60));
    world.add_account("xiaoming", PASSWORD).await;
    world.type_password("xiaoming", PASSWORD).await.status(200);
    world.faults(json!([{ "path": "/sns/jscode2session", "httpStatus": 502, "times": 3 }])).await;
    for who in ["alice", "bob", "carol"] {
        let code = world.code(who).await;
        world.post("/v1/login", &json!({ "code": code })).await.refused(503, "wechat_unavailable");
    }
    let seen = overview(3).await;
    assert_eq!(
        (&seen["from"], &seen["replica"]["uptimeSeconds"]),
        (&json!("2026-11-01T02:25:00Z"), &json!(60))
    );
    assert_eq!(
        seen["logins"],
        json!([
            { "way": "password", "outcome": "done", "kind": "done", "title": "登录成功", "counts": [0, 0, 1] },
            { "way": "wechat", "outcome": "done", "kind": "done", "title": "登录成功", "counts": [0, 3, 0] },
            { "way": "wechat", "outcome": "wechat_code_invalid", "kind": "refused",
              "title": "登录凭证 code 无效或已过期", "counts": [0, 1, 0] },
            { "way": "wechat", "outcome": "wechat_unavailable", "kind": "failed",
              "title": "微信接口暂时不可用", "counts": [0, 0, 3] },
        ])
    );
    let wechat = &seen["wechat"];
    assert_eq!(
        (&wechat["state"], &wechat["calls"], &wechat["failed"]),
        (&json!("failing"), &json!([0, 4, 3]), &json!([0, 0, 3]))
    );
    assert_eq!((&wechat["lately"]["calls"], &wechat["lately"]["failed"]), (&json!(7), &json!(3)));
    let answers: Vec<(&str, &str, &str)> = wechat["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| {
            let text = |name: &str| answer[name].as_str().unwrap_or_default();
            (text("call"), text("outcome"), text("detail"))
        })
        .collect();
    let call = "/sns/jscode2session";
    let failed = (call, "failed", "WeChat answered HTTP 502");
    let fine = (call, "answered", "");
    assert_eq!(answers, [failed, failed, failed, (call, "refused", "errcode 40029"), fine, fine, fine]);

    // What is about our own settings is a failure too, said in words; and then it is well again.
    world.faults(json!([{ "path": "/sns/jscode2session", "errcode": 40125, "times": 1 }])).await;
    let code = world.code("alice").await;
    world.post("/v1/login", &json!({ "code": code })).await.refused(500, "wechat_misconfigured");
    let detail = overview(3).await["wechat"]["answers"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("errcode 40125") && detail.contains("wechat.apps.secret_file"), "{detail}");
    world.clock.turn(Duration::from_secs(15 * 60));
    world.login("alice").await;
    assert_eq!(overview(3).await["wechat"]["state"], "healthy");
    for minutes in ["0", "1441", "-1", "x", "3&hours=1"] {
        ask(&world, &format!("/overview?minutes={minutes}")).await.refused(400, "invalid_field");
    }
    assert_eq!(
        ask(&world, "/overview").await.status(200).json()["wechat"]["calls"].as_array().unwrap().len(),
        180
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_ends_counts_against_wechat_too() {
    let world = World::with(Kind::Sqlite, &format!("{}\nwechat.timeout = 300ms", credentials())).await;
    world.faults(json!([{ "path": "/sns/jscode2session", "hang": true, "times": 1 }])).await;
    let code = world.code("alice").await;
    world.post("/v1/login", &json!({ "code": code })).await.refused(503, "wechat_unavailable");
    let wechat = ask(&world, "/overview?minutes=1").await.json()["wechat"].clone();
    assert_eq!((&wechat["state"], &wechat["failed"]), (&json!("failing"), &json!([1])));
    assert!(wechat["answers"][0]["detail"].as_str().unwrap().contains("wechat.timeout"), "{wechat}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_told_with_their_states_and_the_next_step_in_words_as_time_passes() {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second.pem");
    std::fs::write(&second, keys::p256()).unwrap();
    let keys = format!(
        "tokens.keys = [{{ file = \"first.pem\" }}, {{ file = \"{}\", sign_from = 2026-12-01T00:00:00Z }}]",
        second.display()
    );
    let world = World::with(Kind::Sqlite, &format!("{}\n{keys}", credentials())).await;
    let look = async || {
        let keys = ask(&world, "/overview").await.status(200).json()["keys"].clone();
        let states: Vec<String> = keys["list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["state"].as_str().unwrap().to_owned())
            .collect();
        (states.join(" "), keys["next"].clone())
    };
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let next = |step: &str, at: &str, text: &str| json!({ "step": step, "at": at, "text": text });
    assert_eq!(
        look().await,
        (
            "signs published".into(),
            next(
                "wait",
                "2026-12-01T00:00:00Z",
                "2026-12-01 00:00 UTC 之前没有要做的事：届时 second.pem 会自动开始签名。"
            )
        )
    );
    world.clock.turn(days(30));
    assert_eq!(
        look().await,
        (
            "retiring signs".into(),
            next(
                "wait",
                "2026-12-01T03:00:30Z",
                "2026-12-01 03:00 UTC 之前没有要做的事：届时 first.pem 到期，可以删去它的配置和文件。"
            )
        )
    );
    world.clock.turn(days(1));
    let (states, step) = look().await;
    assert_eq!(
        (states.as_str(), &step["step"], &step["at"]),
        ("ended signs", &json!("remove"), &Value::Null)
    );
    assert!(step["text"].as_str().unwrap().contains("first.pem"), "{step}");
    world.clock.turn(days(90));
    let (_, step) = look().await;
    assert_eq!((&step["step"], &step["at"]), (&json!("overdue"), &json!("2027-02-28T22:55:00Z")));

    let alone = self::world(Kind::Sqlite).await;
    let step = ask(&alone, "/overview").await.json()["keys"]["next"].clone();
    assert_eq!((&step["step"], &step["at"]), (&json!("publish"), &Value::Null));
    assert!(step["text"].as_str().unwrap().contains("wxgate keys new"), "{step}");
}

on_each_database! {
    async fn column_keys_are_counted_when_asked_and_only_then(kind: Kind) {
        let world = world(kind).await;
        let count = async || loop {
            let counted = ask(&world, "/column-keys").await.status(200).json();
            if counted["counting"] == false {
                return counted;
            }
        };
        let overview = ask(&world, "/overview").await.json();
        assert_eq!(overview["columnKeys"], json!([{ "id": "k1", "seals": true }]));
        let alice = world.login("openid-of-alice").await;
        world.login("openid-of-bob").await;
        let press = world.press_phone(json!({ "openid": "openid-of-alice", "phone": "13800138000" })).await;
        world.ask("POST", "/v1/me/phone", &alice, json!({ "code": press["code"] })).await.status(200);
        let mut counted = count().await;
        assert!(counted["next"].take().as_str().unwrap().contains("没有要做的事"));
        let key = |sessions: u64| json!({
            "id": "k1", "seals": true, "configured": true, "values": sessions + 1,
            "sessionKeys": sessions, "previousSessionKeys": 0, "phones": 1,
        });
        assert_eq!(counted, json!({
            "counting": false, "seen": 4, "rows": 4, "countedAt": "2026-11-01T02:26:40.25Z",
            "keys": [key(2)], "malformed": 0, "next": null,
        }));
        // A look right after it finds the same count.
        world.login("openid-of-carol").await;
        assert_eq!(count().await["keys"], json!([key(2)]));
        world.clock.turn(Duration::from_secs(10));
        assert_eq!(count().await["keys"], json!([key(3)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_missing_and_one_that_still_seals_something_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("new.key"), keys::random_base64()).unwrap();
    let both = format!(
        "secrets.column_keys = [{{ id = \"k2\", file = \"{}\" }}, {{ id = \"k1\", file = \"column.key\" }}]",
        path("new.key")
    );
    let world = World::with(Kind::Sqlite, &format!("{}\n{both}", credentials())).await;
    world.login("openid-of-alice").await;
    let connection = world.database.connect(&world.folder()).await;
    let change = async |sql: &str| {
        sea_orm::ConnectionTrait::execute_unprepared(&connection, sql).await.unwrap();
        world.clock.turn(Duration::from_secs(10));
        loop {
            let counted = ask(&world, "/column-keys").await.status(200).json();
            if counted["counting"] == false {
                return counted;
            }
        }
    };
    let next = |counted: &Value| counted["next"].as_str().unwrap().to_owned();
    let counted = change("SELECT 1").await;
    assert!(next(&counted).contains("k1 已不密封任何值"), "{counted}");
    // The envelope's key id stands behind its version and its length.
    let rename = |id: &str| {
        let hex: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "UPDATE identities SET session_key = CAST(unhex('0102{hex}') || substr(session_key, 5) AS BLOB)"
        )
    };
    assert!(next(&change(&rename("k1")).await).contains("wxgate secrets reseal"));
    let counted = change(&rename("k9")).await;
    assert!(next(&counted).contains("k9") && next(&counted).contains("secrets.column_keys"), "{counted}");
    assert_eq!((&counted["keys"][2]["id"], &counted["keys"][2]["configured"]), (&json!("k9"), &json!(false)));
    assert_eq!(change("UPDATE identities SET session_key = x'00'").await["malformed"], 1);
}
