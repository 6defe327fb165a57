//! What the parts of a login and of a bearer's check cost: `cargo bench --bench parts`. The whole is `scripts/bench`'s.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark makes its own keys and stops at what it didn't expect"
)]

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use tower_service::Service as _;
use uuid::Uuid;
use wxgate::app::App;
use wxgate::clock::{Clock as _, SystemClock};
use wxgate::config::{self, Layers};
use wxgate::http::{self, Front};
use wxgate::tokens::Subject;
use wxgate::vault::{Cell, random};

const APPID: &str = "wx0123456789abcdef";

/// A gateway that nobody can reach, on a database of its own.
async fn gateway(folder: &std::path::Path) -> Arc<App> {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", key.as_ref()));
    std::fs::write(folder.join("key.pem"), pem).unwrap();
    let preset = format!(
        r#"
        database.url = "sqlite://{}/wxgate.sqlite?mode=rwc"
        wechat.apps = [{{ id = "{APPID}", secret = "0123456789abcdef" }}]
        tokens.issuer = "https://auth.example.com"
        tokens.keys = [{{ file = "key.pem" }}]
        secrets.index_key = "{}"
        secrets.column_keys = [{{ id = "k1", key = "{}" }}]
        "#,
        folder.display(),
        STANDARD.encode(random::bytes::<32>()),
        STANDARD.encode(random::bytes::<32>()),
    );
    let layers = Layers { preset: Some(preset), directory: folder.to_owned(), ..Layers::default() };
    let config = config::load(&layers).unwrap();
    wxgate::cli::migrate::up(&config.database).await.unwrap();
    Arc::new(App::build(config, Arc::new(SystemClock)).await.unwrap())
}

fn token(app: &App) -> String {
    let now = app.rooms.now();
    let subject = Subject {
        user: Uuid::from_bytes(random::bytes()),
        app: APPID,
        identity: None,
        by_password: false,
        nickname: "小明",
        picture: "",
        username: None,
        level: 0,
    };
    app.rooms
        .tokens
        .issue(
            &subject,
            uuid::Builder::from_unix_timestamp_millis(
                u64::try_from(now.as_millisecond()).unwrap(),
                &random::bytes(),
            )
            .into_uuid(),
            now,
        )
        .unwrap()
        .token
        .expose()
        .to_owned()
}

fn keys(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = runtime.block_on(gateway(folder.path()));
    let (vault, tokens) = (&app.rooms.vault, &app.rooms.tokens);
    let openid = "oABCDEFGHIJKLMNOPQRSTUVWXYZ1";
    let cell = Cell { table: "identities", column: "session_key", row: &[APPID, openid] };
    let key = STANDARD.encode(random::bytes::<16>());
    let sealed = vault.seal(&cell, key.as_bytes()).unwrap();
    let now = SystemClock.now();
    let token = token(&app);
    let expected = verify::Expected {
        issuer: "https://auth.example.com".into(),
        audience: vec!["api".into()],
        leeway: std::time::Duration::from_secs(30),
    };
    let published = tokens.published(now);

    criterion.bench_function("randomness for an id", |bench| bench.iter(random::bytes::<16>));
    criterion
        .bench_function("choose the key of the hour", |bench| bench.iter(|| tokens.signer(black_box(now))));
    criterion.bench_function("seal a session_key", |bench| bench.iter(|| vault.seal(&cell, key.as_bytes())));
    criterion.bench_function("open a session_key", |bench| bench.iter(|| vault.open(&cell, &sealed)));
    criterion.bench_function("sign a token (ES256)", |bench| bench.iter(|| self::token(&app)));
    criterion.bench_function("verify a token", |bench| {
        bench.iter(|| {
            verify::verify(black_box(&token), published.keys(), &expected, now.as_second()).unwrap()
        });
    });
    criterion.bench_function("verify a token seen before", |bench| {
        bench.iter(|| tokens.verify(black_box(&token), now).unwrap());
    });
}

fn doors(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = runtime.block_on(gateway(folder.path()));
    let mut front = http::public(app);
    let _entered = runtime.enter();
    let keys = || Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap();
    criterion.bench_function("door: the keys", |bench| bench.iter(|| at_once(&mut front, keys())));
    let stranger =
        || Request::get("/authz").header("authorization", "Bearer x.y.z").body(Body::empty()).unwrap();
    criterion.bench_function("door: a bearer who is nobody", |bench| {
        bench.iter(|| at_once(&mut front, stranger()))
    });
    let empty = || {
        let request = Request::post("/v1/login").header("content-type", "application/json");
        request.body(Body::from(r#"{"appId":"wx0123456789abcdef"}"#)).unwrap()
    };
    criterion.bench_function("door: a login without its code, parsed, refused, rendered", |bench| {
        bench.iter(|| {
            runtime.block_on(async {
                let answer = front.call(empty()).await.unwrap();
                to_bytes(answer.into_body(), 4096).await.unwrap()
            })
        });
    });
}

fn at_once(front: &mut Front, request: Request) -> axum::response::Response {
    front.call(request).now_or_never().unwrap().unwrap()
}

criterion_group!(parts, keys, doors);
criterion_main!(parts);
