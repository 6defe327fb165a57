//! Real proxies before a service that trusts them, each by its file in examples/: nginx, Caddy, Envoy asking the gateway,
//! and Envoy verifying by the published keys.

pub(crate) mod stage;

use std::time::Duration;

use serde_json::Value;

use crate::forged::list::{Material, forgeries};
use crate::world::APP;
use stage::{Proxy, Stage};

/// What each of them must do.
async fn guards(proxy: Proxy) {
    let mut stage = Stage::behind(proxy).await;
    let session = stage.world.login("alice").await;
    let (user, token) = (session["userInfo"]["userId"].as_str().unwrap(), session["token"].as_str().unwrap());
    let bearer = format!("Bearer {token}");

    // A good token reaches the service, which is told who it is of.
    let heard = stage.ask("GET", "/orders", &[("authorization", &bearer)], "").await.passed();
    assert_eq!((heard.header("x-auth-user-id"), heard.header("x-auth-app-id")), (vec![user], vec![APP]));
    if proxy != Proxy::EnvoyJwt {
        assert_eq!(heard.header("x-auth-expires"), [session["tokenExpire"].as_str().unwrap()]);
    }
    let heard = stage.ask("GET", "/orders", &[("x-litemall-token", token)], "").await.passed();
    assert_eq!(heard.header("x-auth-user-id"), [user], "in litemall's header too");

    // Everything else doesn't.
    let (rest, signature) = bearer.rsplit_once('.').unwrap();
    let swapped = if signature.starts_with('A') { "B" } else { "A" };
    let broken = format!("{rest}.{swapped}{}", &signature[1..]);
    let expired = format!("Bearer {}", stage.expired);
    for (name, headers) in [
        ("none", &[][..]),
        ("garbage", &[("authorization", "Bearer garbage")]),
        ("a broken signature", &[("authorization", broken.as_str())]),
        ("expired", &[("authorization", expired.as_str())]),
        ("another scheme", &[("authorization", "Basic YWxpY2U6eA==")]),
        ("no scheme", &[("authorization", token)]),
    ] {
        let answer = stage.ask("GET", "/orders", headers, "").await;
        assert_eq!((answer.status, answer.heard), (401, None), "{name}");
        assert!(answer.challenge.starts_with("Bearer"), "{name}: {:?}", answer.challenge);
    }

    // Nor does any forgery.
    let pems = [stage.pems[0].as_str(), stage.pems[1].as_str()];
    let material = Material::of(&stage.world, pems, "http://127.0.0.1:9").await;
    let mut passed = Vec::new();
    for (name, token) in forgeries(&material) {
        let answer = stage.ask("GET", "/orders", &[("authorization", &format!("Bearer {token}"))], "").await;
        if answer.heard.is_some() {
            passed.push(name);
        } else {
            // Envoy says 403 of another audience.
            assert!(matches!(answer.status, 401 | 403), "{name}: {answer:?}");
        }
    }
    // Envoy cuts a signature that is too long, and asks neither for crit nor for sub: see docs/verifiers.md.
    let known: &[_] = match proxy {
        Proxy::EnvoyJwt => &["a signature and a byte", "crit of something unknown", "sub missing"],
        _ => &[],
    };
    assert_eq!(passed, known);

    // Two are none, whichever is good (nginx says so by itself).
    for two in [["Bearer garbage", &bearer], [&bearer, "Bearer garbage"], [&bearer, &bearer]] {
        let answer = stage.ask("GET", "/orders", &two.map(|value| ("authorization", value)), "").await;
        assert!(matches!(answer.status, 400 | 401) && answer.heard.is_none(), "{answer:?}");
    }

    // Nobody says who they are by themselves, in whatever spelling, on a guarded door or an open one.
    for name in ["X-Auth-User-Id", "x-auth-user-id", "X-AUTH-USER-ID", "X-Auth-App-Id", "X-Auth-Expires"] {
        let forged = [("authorization", bearer.as_str()), (name, "root"), (name, "admin")];
        let heard = stage.ask("GET", "/orders", &forged, "").await.passed();
        assert_eq!(heard.header("x-auth-user-id"), [user], "{name}");
        assert!(!heard.holds("root") && !heard.holds("admin"), "{name}: {heard:?}");
        let heard = stage.ask("GET", "/public", &[(name, "root")], "").await.passed();
        assert!(!heard.holds("root"), "{name}: {heard:?}");
        assert_eq!(stage.ask("GET", "/orders", &[(name, "root")], "").await.status, 401);
    }
    // An underscore may become a hyphen on the way: then it must not be taken for ours either.
    let heard = stage
        .ask("GET", "/orders", &[("authorization", &bearer), ("X_Auth_User_Id", "root")], "")
        .await
        .passed();
    assert_eq!(heard.header("x-auth-user-id"), [user]);
    // A client can have headers taken off by naming them in Connection. It can't have others put on.
    for named in ["X-Auth-User-Id", "Authorization", "X-Auth-User-Id, X-Auth-App-Id, X-Auth-Expires"] {
        let place = stage.proxy;
        let raw = format!(
            "GET /orders HTTP/1.1\r\nHost: {place}\r\nAuthorization: {bearer}\r\nX-Auth-User-Id: root\r\n\
             Connection: close, {named}\r\n\r\n"
        );
        if let Some(heard) = stage.ask_raw(&raw).await.heard {
            assert!(heard.header("x-auth-user-id").iter().all(|id| *id == user), "{named}: {heard:?}");
        }
    }

    // Bodies and paths pass as they are.
    let body = "x".repeat(1_000_000);
    let heard = stage.ask("POST", "/orders", &[("authorization", &bearer)], &body).await.passed();
    assert_eq!((heard.method.as_str(), heard.body), ("POST", 1_000_000));
    for path in ["/orders/7?x=1&y=%00&z=%E4%BD%A0", "/orders/a%2Fb", "/orders/a%20b;c=1", "/orders/?/authz"] {
        let heard = stage.ask("DELETE", path, &[("authorization", &bearer)], "").await.passed();
        assert_eq!((heard.method.as_str(), heard.target.as_str()), ("DELETE", path));
    }

    // Logging out counts at once with who asks the gateway; who verifies by itself goes on until the token's end.
    stage.world.ask("POST", "/v1/logout", &session, Value::Null).await.status(204);
    let status = stage.ask("GET", "/orders", &[("authorization", &bearer)], "").await.status;
    assert_eq!(status, if proxy == Proxy::EnvoyJwt { 200 } else { 401 });
    let again = stage.world.login("alice").await;
    let again = format!("Bearer {}", again["token"].as_str().unwrap());
    assert_eq!(stage.ask("GET", "/orders", &[("authorization", &again)], "").await.status, 200);

    // With the gateway away, nobody passes whom it would have to vouch for.
    stage.close_gateway().await;
    let answer = stage.ask("GET", "/orders", &[("authorization", &again)], "").await;
    match proxy {
        Proxy::EnvoyJwt => assert_eq!(answer.status, 200, "it has the keys"),
        _ => assert!(answer.status >= 500 && answer.heard.is_none(), "{answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_lets_through_whom_the_gateway_vouches_for_and_nobody_else() {
    guards(Proxy::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_lets_through_whom_the_gateway_vouches_for_and_nobody_else() {
    guards(Proxy::Caddy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_lets_through_whom_the_gateway_vouches_for_and_nobody_else() {
    guards(Proxy::EnvoyAuthz).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_by_the_published_keys_lets_through_whose_token_is_good_and_nobody_else() {
    guards(Proxy::EnvoyJwt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_passes_unnoticed_where_envoy_verifies_by_the_published_keys() {
    let stage = Stage::behind(Proxy::EnvoyJwt).await;
    let first = stage.world.app.rooms.tokens.signer(stage.world.app.rooms.now()).unwrap();
    // Published since before Envoy fetched the keys; now it signs, by another algorithm even.
    stage.world.clock.turn(Duration::from_secs(600));
    assert_ne!(stage.world.app.rooms.tokens.signer(stage.world.app.rooms.now()).unwrap(), first);
    let session = stage.world.login("alice").await;
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    stage.ask("GET", "/orders", &[("authorization", &bearer)], "").await.passed();
    let old = format!("Bearer {}", stage.old["token"].as_str().unwrap());
    stage.ask("GET", "/orders", &[("authorization", &old)], "").await.passed();
}
