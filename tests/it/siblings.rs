//! wxgate-verify beside a real gateway: the example service, the layer, rotation, revocation, and a gateway that is away.

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::Value;
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use verify::{Claims, Verifier, VerifyLayer};
use wxgate::config::{self, Layers};

use crate::world::{ISSUER, Kind, World, keys};

/// A verifier of this world's tokens, which goes by the world's clock.
fn builder(world: &World) -> verify::Builder {
    let app = world.app.clone();
    let now = move || {
        let millis = u64::try_from(app.rooms.now().as_millisecond()).unwrap();
        UNIX_EPOCH + Duration::from_millis(millis)
    };
    Verifier::builder(ISSUER, "api").jwks_url(world.url("/.well-known/jwks.json")).clock(now)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn ask(address: SocketAddr, authorization: &[&str]) -> (u16, String, Value) {
    let mut request =
        reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{address}/orders"));
    for value in authorization {
        request = request.header("authorization", *value);
    }
    let answer = request.send().await.unwrap();
    let challenge =
        answer.headers().get(WWW_AUTHENTICATE).map_or("", |value| value.to_str().unwrap()).to_owned();
    (answer.status().as_u16(), challenge, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_service_lets_in_whoever_logged_in_and_nobody_else() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    let address = serve(verify_axum::app(builder(&world).build().unwrap())).await;
    let (status, _, body) = ask(address, &[&bearer]).await;
    assert_eq!((status, &body["user"]), (200, &session["userInfo"]["userId"]));

    let refused = r#"Bearer error="invalid_token""#;
    let cut = &bearer[..bearer.len() - 4];
    for (headers, challenge, code) in [
        (&[][..], "Bearer", "token_missing"),
        (&["Basic eA=="], "Bearer", "token_missing"),
        (&["Bearer "], "Bearer", "token_missing"),
        (&["Bearer nonsense"], refused, "token_invalid"),
        (&[cut], refused, "token_invalid"),
        (&[&bearer, "Bearer nonsense"], refused, "token_invalid"),
        (&[&bearer, &bearer], refused, "token_invalid"),
    ] {
        let (status, said, body) = ask(address, headers).await;
        assert_eq!(
            (status, said.as_str(), body["code"].as_str().unwrap()),
            (401, challenge, code),
            "{headers:?}"
        );
    }
    let other = Verifier::builder(ISSUER, "other").jwks_url(world.url("/.well-known/jwks.json"));
    let other = serve(verify_axum::app(other.build().unwrap())).await;
    assert_eq!(ask(other, &[&bearer]).await.0, 401, "for another service");
    world.clock.turn(Duration::from_secs(3 * 3600));
    let (status, challenge, body) = ask(address, &[&bearer]).await;
    assert_eq!((status, body["code"].as_str().unwrap()), (401, "token_expired"));
    assert_eq!(challenge, r#"Bearer error="invalid_token", error_description="expired""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_at_the_start_is_later_and_not_a_refusal() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    // Nobody listens there yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    drop(listener);
    let verifier = builder(&world).jwks_url(format!("http://{place}/.well-known/jwks.json")).build().unwrap();
    let address = serve(verify_axum::app(verifier.clone())).await;
    let (status, challenge, body) = ask(address, &[&bearer]).await;
    assert_eq!((status, challenge.as_str(), body["code"].as_str().unwrap()), (503, "", "busy"));
    assert!(verifier.status().keys_failure.unwrap().contains("refused"), "{:?}", verifier.status());

    let listener = TcpListener::bind(place).await.unwrap();
    let router = axum::ServiceExt::into_make_service_with_connect_info::<SocketAddr>(wxgate::http::public(
        world.app.clone(),
    ));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    world.clock.turn(Duration::from_secs(3));
    assert_eq!(ask(address, &[&bearer]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_and_a_logout_reach_a_sibling_by_themselves() {
    let world = World::on(Kind::Sqlite).await;
    let verifier = builder(&world).revocations(Duration::from_secs(10)).build().unwrap();
    let first = world.login("alice").await;
    let token = |session: &Value| session["token"].as_str().unwrap().to_owned();
    verifier.verify(&token(&first)).await.unwrap();

    std::fs::write(world.folder().join("second.pem"), keys::p256()).unwrap();
    let file = world.folder().join("wxgate.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace(
        r#"[{ file = "first.pem" }]"#,
        r#"[{ file = "first.pem" }, { file = "second.pem", sign_from = 2026-11-01T04:00:00Z }]"#,
    );
    std::fs::write(&file, text).unwrap();
    world.app.reload(&config::load(&Layers { file: Some(file), ..Layers::default() }).unwrap()).unwrap();
    // Until a minute before the instant, and right after it.
    for turn in [92 * 60, 2 * 60] {
        world.clock.turn(Duration::from_secs(turn));
        verifier.verify(&token(&world.login("alice").await)).await.unwrap();
    }
    verifier.verify(&token(&first)).await.unwrap();

    world.ask("POST", "/v1/logout", &world.login("alice").await, Value::Null).await.status(204);
    let again = world.login("alice").await;
    world.clock.turn(Duration::from_secs(25));
    let refused = verifier.verify(&token(&first)).await.unwrap_err();
    assert_eq!(refused, verify::Refusal::Revoked.into());
    verifier.verify(&token(&again)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_layer_hands_on_who_it_is_and_turns_everybody_else_away() {
    let world = World::with_system_clock(Kind::Sqlite, "").await;
    let session = world.login("alice").await;
    let who = async |Extension(claims): Extension<Claims>| claims.sub;
    let layer = VerifyLayer::new(builder(&world).build().unwrap());
    let service = Router::new().route("/", get(who)).layer(layer);
    let call = async |authorization: Option<String>| {
        let mut request = axum::http::Request::builder().uri("/");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let answer = call(Some(format!("Bearer {}", session["token"].as_str().unwrap()))).await;
    assert_eq!(answer.status(), 200);
    let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
    assert_eq!(body, session["userInfo"]["userId"].as_str().unwrap());
    assert_eq!(call(None).await.status(), 401);
    assert_eq!(call(Some("Bearer x.y.z".into())).await.status(), 401);
}
