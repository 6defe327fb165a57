//! NUL, characters of four bytes and others that databases choke on, in every field that takes text, on every database.

use serde_json::{Value, json};
use wxgate::error::Code;

use crate::on_each_database;
use crate::world::{Answer, World};

const CREDENTIAL: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const LIMITS: &str = "accounts.registration = true
    accounts.registrations_per_minute = 100000
    accounts.passwords_per_minute = 100000
    accounts.free_attempts = 100000
    accounts.account_attempts = 100000
    accounts.address_attempts = 100000
    wechat.decrypts_per_minute = 100000
    wechat.server_calls_per_minute = 100000";

/// As they stand in JSON, between the quotation marks.
const TEXTS: [&str; 12] = [
    "\\u0000",
    "a\\u0000b",
    "\\ud83c\\udf89",
    "𠜎𠮷",
    "\u{10ffff}",
    "\\ud800",
    "\\uFEFFa",
    "a\\u202eb",
    "\\u0001\\u001f\\u007f\\u0085\\u2028",
    "%00%27%22--;/*",
    "'; DROP TABLE users; --",
    "${jndi:ldap://x}{{7*7}}<script>",
];

/// Each door with a body that has `@` where text may stand.
const DOORS: &[(&str, &str, &[&str])] = &[
    (
        "POST",
        "/v1/login",
        &[
            r#"{"code":"@"}"#,
            r#"{"code":"%CODE","appId":"@"}"#,
            r#"{"code":"%CODE","encryptedData":"@","iv":"@"}"#,
            r#"{"code":"%CODE","rawData":"@","signature":"@"}"#,
            r#"{"code":"%CODE","userInfo":{"nickName":"@","avatarUrl":"@","country":"@","province":"@","city":"@","language":"@"}}"#,
            r#"{"code":"%CODE","userInfo":{"avatarUrl":"https://a.example/@"}}"#,
            r#"{"code":"%CODE","account":{"username":"@","password":"@"}}"#,
            r#"{"code":"%CODE","account":{"username":"alice","password":"@"}}"#,
        ],
    ),
    (
        "POST",
        "/v1/login/password",
        &[
            r#"{"username":"@","password":"x"}"#,
            r#"{"username":"alice","password":"@"}"#,
            r#"{"username":"alice","password":"x","appId":"@"}"#,
        ],
    ),
    (
        "POST",
        "/v1/accounts",
        &[
            r#"{"username":"@","password":"correct horse"}"#,
            r#"{"username":"%NAME","password":"@@@@@@@@"}"#,
            r#"{"username":"%NAME","password":"correct horse","code":"@"}"#,
            r#"{"username":"%NAME","password":"correct horse","code":"%CODE","appId":"@"}"#,
        ],
    ),
    (
        "PATCH",
        "/v1/me",
        &[
            r#"{"nickName":"@"}"#,
            r#"{"avatarUrl":"@"}"#,
            r#"{"avatarUrl":"https://a.example/@"}"#,
            r#"{"country":"@"}"#,
            r#"{"province":"@"}"#,
            r#"{"city":"@"}"#,
            r#"{"language":"@"}"#,
        ],
    ),
    (
        "PUT",
        "/v1/me/account",
        &[r#"{"username":"@","password":"x"}"#, r#"{"username":"alice","password":"@"}"#],
    ),
    (
        "PUT",
        "/v1/me/password",
        &[
            r#"{"oldPassword":"@","newPassword":"correct horse"}"#,
            r#"{"oldPassword":"x","newPassword":"@@@@@@@@"}"#,
        ],
    ),
    ("POST", "/v1/me/phone", &[r#"{"code":"@"}"#, r#"{"encryptedData":"@","iv":"@"}"#]),
    ("POST", "/v1/me/decrypt", &[r#"{"encryptedData":"@","iv":"@"}"#, r#"{"rawData":"@","signature":"@"}"#]),
    (
        "POST",
        "/wx/auth/login_by_weixin",
        &[r#"{"code":"@"}"#, r#"{"code":"%CODE","userInfo":{"nickName":"@"}}"#],
    ),
    ("POST", "/wx/auth/login", &[r#"{"username":"@","password":"@"}"#]),
    ("POST", "/wx/auth/register", &[r#"{"username":"%NAME","password":"correct horse","wxCode":"@"}"#]),
    ("POST", "/wx/auth/profile", &[r#"{"nickname":"@","avatar":"@"}"#, r#"{"userInfo":{"nickName":"@"}}"#]),
    ("POST", "/wx/auth/bind", &[r#"{"username":"@","password":"@"}"#]),
    ("POST", "/wx/auth/bindPhone", &[r#"{"code":"@","encryptedData":"@","iv":"@"}"#]),
];

/// Done, or refused with a code of the table that is no 5xx.
#[track_caller]
fn is_answered(answer: &Answer, said: &str) {
    if answer.code() >= 300 {
        let problem = answer.json();
        let code = Code::ALL.iter().find(|code| problem["code"] == code.as_str());
        assert!(code.is_some_and(|code| code.status() == answer.code()), "{said}: {}", answer.text());
        assert!((400..500).contains(&answer.code()), "{said}: {}", answer.text());
    } else if answer.text().contains("errno") {
        assert!(![502, 503].contains(&answer.json()["errno"].as_i64().unwrap()), "{said}: {}", answer.text());
    }
}

on_each_database! {
    async fn whatever_text_comes_in_a_field_is_kept_or_refused(kind: Kind) {
        let credentials = format!("{LIMITS}\ninternal.credentials = [{{ name = \"pay\", token = \"{CREDENTIAL}\" }}]");
        let world = World::with(kind, &credentials).await;
        world.add_account("alice", "correct horse battery").await;
        let session = world.login("alice").await;
        let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let mut number = 0;
        for (method, path, bodies) in DOORS {
            for (body, text) in bodies.iter().flat_map(|body| TEXTS.map(|text| (body, text))) {
                number += 1;
                let mut body = body.replace('@', text).replace("%NAME", &format!("name{number}"));
                if body.contains("%CODE") {
                    body = body.replace("%CODE", &world.code(&format!("person{number}")).await);
                }
                let answer = world.send(method.parse().unwrap(), path, &body, &headers).await;
                is_answered(&answer, &format!("{method} {path} {body}"));
                // What is kept is kept as it came.
                let sent: Option<Value> = serde_json::from_str(&body).ok();
                if let Some(sent) = sent.filter(|_| *method == "PATCH" && answer.is(200)) {
                    for (name, value) in sent.as_object().unwrap() {
                        assert_eq!(&answer.json()[name], value);
                    }
                }
            }
        }
        for id in ["%00", "a%00b", "%F0%9F%8E%89", "%FF", "..%2f..", "00000000-0000-7000-8000-00000000000g"] {
            for (method, rest, body) in [("GET", "", Value::Null), ("POST", "/disable", Value::Null), ("PUT", "/level", json!({ "level": 1 }))] {
                let path = format!("/internal/v1/users/{id}{rest}");
                is_answered(&world.internally(method, &path, CREDENTIAL, body).await, &path);
            }
        }
        for level in [json!(-1), json!(i64::MAX), json!("1"), json!(1.5), json!(null)] {
            let path = format!("/internal/v1/users/{}/level", session["userInfo"]["userId"].as_str().unwrap());
            is_answered(&world.internally("PUT", &path, CREDENTIAL, json!({ "level": level })).await, "level");
        }
        world.ask("GET", "/v1/me", &session, Value::Null).await.status(200);
    }
}
