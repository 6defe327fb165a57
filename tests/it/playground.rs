//! `/dev/`: `wxgate dev` has it, nothing else does, and its keys outlive a restart.

use std::path::Path;

use serde_json::{Value, json};

use crate::miniprogram::node_test;
use crate::world::forge::part;
use crate::world::process::Process;
use crate::world::{Kind, World};

#[test]
fn its_walk_passes_in_a_browser() {
    let environment = [
        ("WXGATE_TEST_INTEROP", crate::world::database::server("WXGATE_TEST_INTEROP")),
        ("WXGATE_TEST_CHROMIUM", crate::world::database::server("WXGATE_TEST_CHROMIUM")),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(node_test(root, &["tests/playground/walk.test.mjs"], &environment) >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_serves_has_nothing_below_dev() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    for path in ["/dev", "/dev/", "/dev/app.js", "/dev/api/row", "/dev/api/keys", "/dev/wechat/_sim/calls"] {
        world.ask("GET", path, &session, Value::Null).await.refused(404, "not_found");
    }
    for path in ["/dev/api/keys", "/dev/api/account", "/dev/wechat/_sim/login"] {
        world.ask("POST", path, &session, json!({})).await.refused(404, "not_found");
    }
}

/// `wxgate dev` in this folder, and where it is.
fn dev(folder: &Path) -> (Process, String) {
    let mut process = Process::start(
        folder,
        &["dev", "--simulator-listen", "127.0.0.1:0"],
        &[("WXGATE_HTTP__LISTEN", "127.0.0.1:0"), ("WXGATE_HTTP__INTERNAL_LISTEN", "127.0.0.1:0")],
    );
    let line = process.wait_for("playground");
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let url = url.trim_end_matches("/dev/").to_owned();
    (process, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_added_there_sign_and_are_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |url: String, body: Value| -> Value {
        let request = client.post(url).header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    let login = async |url: &str| -> String {
        let code = post(format!("{url}/dev/wechat/_sim/login"), json!({ "openid": "alice" })).await;
        let session = post(format!("{url}/v1/login"), json!({ "code": code["code"] })).await;
        session["token"].as_str().unwrap().to_owned()
    };
    let me = async |url: &str, token: &str| {
        let request = client.get(format!("{url}/v1/me")).header("authorization", format!("Bearer {token}"));
        request.send().await.unwrap().status().as_u16()
    };

    let (process, url) = dev(folder.path());
    let first = login(&url).await;
    let plan = post(format!("{url}/dev/api/keys"), json!({ "at_once": true })).await;
    assert_eq!(plan["keys"].as_array().unwrap().len(), 2);
    let second = login(&url).await;
    assert_ne!(part(&first, 0)["kid"], part(&second, 0)["kid"], "it signs at once");
    let plan = post(format!("{url}/dev/api/keys"), json!({ "at_once": false })).await;
    assert_eq!(plan["keys"].as_array().unwrap().len(), 3);
    assert_eq!(part(&login(&url).await, 0)["kid"], part(&second, 0)["kid"], "it is published first");
    process.end();

    let (_process, again) = dev(folder.path());
    // The issuer is the address, which is another one here: only the keys are compared.
    let third = login(&again).await;
    assert_eq!(part(&third, 0)["kid"], part(&second, 0)["kid"]);
    assert_eq!(me(&again, &third).await, 200);
}
