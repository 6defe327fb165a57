//! `/console/` and what it asks: who is let in, what the page may do, and that nothing of it is outside or in a log.

use std::path::Path;

use serde_json::{Value, json};

use crate::audit::Dev;
use crate::miniprogram::node_test;
use crate::world::{Answer, Kind, World};

mod overview;
mod users;

const DESK: &str = "desk-0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "correct horse battery";

fn credentials() -> String {
    format!("internal.credentials = [{{ name = \"desk\", token = \"{DESK}\" }}]")
}

async fn world(kind: Kind) -> World {
    World::with(kind, &credentials()).await
}

async fn ask(world: &World, path: &str) -> Answer {
    world.internally("GET", &format!("/internal/v1{path}"), DESK, Value::Null).await
}

async fn act(world: &World, user: &str, act: &str) -> Answer {
    world.internally("POST", &format!("/internal/v1/users/{user}/{act}"), DESK, Value::Null).await
}

fn id(session: &Value) -> &str {
    session["userInfo"]["userId"].as_str().unwrap()
}

#[test]
fn its_walk_passes_in_a_browser() {
    let environment = [
        ("WXGATE_TEST_INTEROP", crate::world::database::server("WXGATE_TEST_INTEROP")),
        ("WXGATE_TEST_CHROMIUM", crate::world::database::server("WXGATE_TEST_CHROMIUM")),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(node_test(root, &["tests/console/walk.test.mjs"], &environment) >= 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_credential_is_answered_and_the_public_side_has_nothing_of_it() {
    let world = world(Kind::Sqlite).await;
    let user = world.add_account("xiaoming", PASSWORD).await;
    let session = world.type_password("xiaoming", PASSWORD).await.status(200).json();
    let own = session["token"].as_str().unwrap();
    let unlock = format!("/internal/v1/users/{user}/unlock");
    let routes = [
        ("GET", "/internal/v1/overview"),
        ("GET", "/internal/v1/overview?minutes=x"),
        ("GET", "/internal/v1/column-keys"),
        ("GET", "/internal/v1/users?username=xiaoming"),
        ("GET", "/internal/v1/users"),
        ("POST", unlock.as_str()),
    ];
    for credential in ["", "wrong", &DESK[1..], &format!("{DESK}x"), own] {
        for (method, path) in routes {
            let answer = world.internally(method, path, credential, Value::Null).await;
            assert_eq!(answer.refused(401, "service_unauthorized").header("www-authenticate"), "Bearer");
        }
    }
    let bearer = format!("Bearer {DESK}");
    let pages = ["/console", "/console/", "/console/app.js", "/console/style.css"].map(|path| ("GET", path));
    for (method, path) in routes.into_iter().chain(pages) {
        let answer =
            world.send(method.parse().unwrap(), path, "", &[("authorization", bearer.as_str())]).await;
        answer.refused(404, "not_found");
    }
    world
        .internally("POST", "/internal/v1/overview", DESK, json!({}))
        .await
        .refused(405, "method_not_allowed");
    world.internally("POST", "/console/", DESK, json!({})).await.refused(405, "method_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_the_same_for_everybody_and_lets_nothing_else_in() {
    let world = world(Kind::Sqlite).await;
    let get = async |world: &World, path: &str| world.internally("GET", path, "", Value::Null).await;
    let page = get(&world, "/console/").await.status(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let named: Vec<&str> =
        page.text().split('"').filter(|text| text.ends_with(".js") || text.ends_with(".css")).collect();
    assert_eq!(named, ["base.css", "style.css", "app.js"]);
    let files = ["app.js", "ask.js", "el.js", "pictures.js", "users.js", "words.js", "base.css", "style.css"];
    for path in std::iter::once("").chain(files) {
        let file = get(&world, &format!("/console/{path}")).await.status(200);
        insta::allow_duplicates! {
            insta::assert_snapshot!(file.header("content-security-policy"), @"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
        }
        let headers = ["x-frame-options", "x-content-type-options", "referrer-policy", "cache-control"];
        assert_eq!(headers.map(|name| file.header(name)), ["DENY", "nosniff", "no-referrer", "no-store"]);
        assert_eq!((file.header("set-cookie"), file.header("access-control-allow-origin")), ("", ""));
        // The file asks nobody else for anything; the namespace of SVG is a name.
        let text = file.text().replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains(DESK), "{path}");
    }
    for markup in ["<style", "style=", "onclick=", "<script>"] {
        assert!(!page.text().contains(markup), "{markup}");
    }
    assert_eq!(get(&world, "/console").await.status(308).header("location"), "/console/");
    get(&world, "/console/nothing.js").await.refused(404, "not_found");
    assert!(!page.text().contains("data-credentials"));
    let bare = World::on(Kind::Sqlite).await;
    assert!(get(&bare, "/console/").await.text().contains("data-credentials=\"none\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_act_is_a_line_of_the_audit_log_and_no_log_holds_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = format!("[{{ name = \"desk\", token = \"{DESK}\" }}]");
    let dev = Dev::start(folder.path(), &[("WXGATE_INTERNAL__CREDENTIALS", &credentials)]);
    let account = json!({ "username": "xiaoming", "password": PASSWORD });
    let made = dev.ask("POST", "/v1/accounts", None, account).await.status(201).json();
    let alice = dev.login("openid-of-alice").await;
    let ask = async |method: &str, path: &str, body: Value| {
        let request =
            dev.http.request(method.parse().unwrap(), format!("{}/internal/v1{path}", dev.internal));
        Answer::of(
            request.bearer_auth(DESK).header("content-type", "application/json").body(body.to_string()),
        )
        .await
    };
    for by in ["phone=13800138000", "username=xiaoming", "appId=wx0123456789abcdef&openId=openid-of-alice"] {
        ask("GET", &format!("/users?{by}"), Value::Null).await;
    }
    ask("GET", "/overview", Value::Null).await.status(200);
    ask("GET", "/column-keys", Value::Null).await.status(200);
    let user = id(&made);
    for (method, rest, body, status) in [
        ("POST", "unlock", Value::Null, 204),
        ("POST", "revoke", Value::Null, 204),
        ("POST", "disable", Value::Null, 204),
        ("POST", "enable", Value::Null, 204),
        ("PUT", "level", json!({ "level": 1 }), 204),
    ] {
        ask(method, &format!("/users/{user}/{rest}"), body).await.status(status);
    }
    ask("POST", &format!("/users/{}/unlock", id(&alice)), Value::Null).await.refused(409, "not_bound");

    let printed = dev.end();
    let lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<(String, String, String)> = lines
        .filter(|line| line["target"] == "wxgate::audit" && line["by"] == "desk")
        .map(|line| {
            assert_eq!(line["ip"], "127.0.0.1", "{line}");
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("event"), text("outcome"), text("user"))
        })
        .collect();
    let line =
        |event: &str, outcome: &str, user: &str| (event.to_owned(), outcome.to_owned(), user.to_owned());
    assert_eq!(
        told,
        [
            // Who was read, by whom; whom nobody is leaves nothing to tell.
            line("show", "done", user),
            line("show", "done", id(&alice)),
            line("unlock", "done", user),
            line("revoke", "done", user),
            line("disable", "done", user),
            line("enable", "done", user),
            line("level", "done", user),
            line("unlock", "not_bound", id(&alice)),
        ],
        "{printed}"
    );
    assert!(printed.contains("/internal/v1/users"), "the log is there");
    for secret in ["13800138000", "openid-of", "xiaoming", "horse battery", DESK] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
}
