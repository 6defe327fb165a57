//! Tokens under kids that nobody has published cost the database nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::ServiceExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wxgate::app::App;
use wxgate::secret::ConfigSecret;

use crate::world::{Kind, World};

/// Stands between the gateway and its database, and counts what the gateway says to it.
async fn counting_wire(to: String) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, said) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counter = said.clone();
    tokio::spawn(async move {
        loop {
            let (gateway, _) = listener.accept().await.unwrap();
            let database = TcpStream::connect(&to).await.unwrap();
            let (mut from_gateway, mut to_gateway) = gateway.into_split();
            let (mut from_database, mut to_database) = database.into_split();
            let counter = counter.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 8192];
                while let Ok(read @ 1..) = from_gateway.read(&mut buffer).await {
                    counter.fetch_add(read as u64, Ordering::SeqCst);
                    if to_database.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut from_database, &mut to_gateway).await });
        }
    });
    (address, said)
}

/// A token like ours in all but its kid, which is a new one each time.
fn stranger(good: &str) -> String {
    let claims = good.split('.').nth(1).unwrap();
    let kid = URL_SAFE_NO_PAD.encode(wxgate::vault::random::bytes::<32>());
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "ES256", "kid": kid, "typ": "JWT" }).to_string());
    let signature = URL_SAFE_NO_PAD.encode(wxgate::vault::random::bytes::<64>());
    format!("{header}.{claims}.{signature}")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_with_random_kids_are_refused_without_a_word_to_the_database() {
    let world = World::on(Kind::Postgres).await;
    let session = world.login("alice").await;
    let mut config = world.app.config.clone();
    let url = config.database.address.expose().to_owned();
    let (head, rest) = url.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let (wire, said) = counting_wire(server.to_owned()).await;
    config.database.address = ConfigSecret::new(format!("{head}@{wire}/{name}"));
    let app = Arc::new(App::build(config, world.clock.clone()).await.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = wxgate::http::public(app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let good = session["token"].as_str().unwrap().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |client: reqwest::Client, door: &str, token: &str| {
        let request = client.get(format!("http://{address}{door}")).bearer_auth(token);
        request.send().await.unwrap()
    };
    // The wire counts: a good token has its user looked up.
    let begun = said.load(Ordering::SeqCst);
    assert_eq!(ask(client.clone(), "/v1/me", &good).await.status(), 200);
    // A connection that was used is looked at once more, beside the answer.
    let mut before = begun;
    while before != said.load(Ordering::SeqCst) {
        before = said.load(Ordering::SeqCst);
        for _ in 0..200 {
            ask(client.clone(), "/.well-known/jwks.json", "").await;
        }
    }
    assert!(before > begun, "the database was asked");

    let mut workers = JoinSet::new();
    for worker in 0..20 {
        let (client, good) = (client.clone(), good.clone());
        workers.spawn(async move {
            for n in 0..500 {
                let door = ["/v1/me", "/authz", "/v1/me/wechat-session", "/authz/orders"][(worker + n) % 4];
                let request = client.get(format!("http://{address}{door}")).bearer_auth(stranger(&good));
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 401);
                let problem: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
                assert_eq!(problem["code"], "token_invalid");
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    assert_eq!(said.load(Ordering::SeqCst), before, "not a byte");
}
