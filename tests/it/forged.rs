//! Forged tokens against everybody who verifies: libraries of other ecosystems, Envoy, the gateway's doors and
//! wxgate-verify; and each algorithm of ours against those libraries.

mod bytes;
pub(crate) mod list;
mod strict;
mod verifiers;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use verify::{Expected, KeySet};
use wxgate::clock::{Clock as _, SystemClock};

use crate::world::{ISSUER, Kind, World, keys};
use list::{Material, Named, forgeries};
use strict::strict;

/// A gateway with two kinds of keys published, and what a forger has.
async fn scene() -> (World, Material, Arc<AtomicUsize>) {
    let pem = keys::rsa();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, &pem).unwrap();
    let later = SystemClock.now().as_second() + 86400;
    let later = wxgate::clock::Timestamp::from_second(later).unwrap();
    let list = format!(
        "tokens.keys = [{{ file = \"first.pem\" }}, {{ file = \"{}\", sign_from = {later} }}]",
        file.path().display()
    );
    let world = World::with_system_clock(Kind::Sqlite, &list).await;
    let (evil, asked) = evil().await;
    let ec = std::fs::read_to_string(world.folder().join("first.pem")).unwrap();
    let material = Material::of(&world, [&ec, &pem], &evil).await;
    (world, material, asked)
}

/// A forger's server, and how often it was asked.
async fn evil() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::SeqCst);
        "{}"
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}"), asked)
}

fn everything(material: &Material) -> Vec<Named> {
    let all = [forgeries(material), strict(material)].concat();
    let names: BTreeSet<_> = all.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), all.len(), "a name stands twice");
    let texts: BTreeSet<_> = all.iter().map(|(_, token)| token).collect();
    assert!(texts.len() == all.len() && !texts.contains(&material.good), "two forgeries are the same");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_answers_401_to_every_forgery_at_each_of_its_doors() {
    let (world, material, asked) = scene().await;
    let mut otherwise = Vec::new();
    for (name, token) in everything(&material) {
        // What no header can carry, no client can send.
        let Ok(bearer) = format!("Bearer {token}").parse::<axum::http::HeaderValue>() else { continue };
        let bearer = bearer.to_str().unwrap().to_owned();
        for path in ["/v1/me", "/authz"] {
            if !world.get(path, &[("authorization", &bearer)]).await.is(401) {
                otherwise.push(format!("{name} at {path}"));
            }
        }
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
    world.get("/v1/me", &[("authorization", &format!("Bearer {}", material.good))]).await.status(200);
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the forger's server was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn wxgate_verify_refuses_every_forgery() {
    let (_world, material, _) = scene().await;
    let keys = KeySet::from_json(material.jwks.to_string().as_bytes()).unwrap();
    let expected =
        Expected { issuer: ISSUER.into(), audience: vec!["api".into()], leeway: Duration::from_secs(60) };
    let now = SystemClock.now().as_second();
    verify::verify(&material.good, &keys, &expected, now).unwrap();
    for (name, token) in everything(&material) {
        assert!(verify::verify(&token, &keys, &expected, now).is_err(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_verifiers_of_other_ecosystems_take_our_tokens_and_none_of_these() {
    let (world, material, asked) = scene().await;
    let forged = forgeries(&material);
    assert!(forged.len() >= 40);
    let mut tokens = vec![material.good.as_str(), material.other.as_str()];
    tokens.extend(forged.iter().map(|(_, token)| token.as_str()));
    let jwks = world.url("/.well-known/jwks.json");
    let sub = crate::world::forge::part(&material.good, 1)["sub"].as_str().unwrap().to_owned();
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verifiers.md")).unwrap();
    assert!(
        table.contains(&format!("is given {} forged ones", forged.len())),
        "{} in docs/verifiers.md",
        forged.len()
    );
    assert!(table.contains(&format!("nor {} more", strict(&material).len())), "{}", strict(&material).len());
    let mut wrong = Vec::new();
    for verifier in verifiers::all() {
        let answers = verifier.verify(&jwks, "api", "ES256,RS256", &tokens);
        assert_eq!(answers[..2], [Ok(sub.clone()), Ok(sub.clone())], "{}", verifier.name);
        let passed = forged.iter().zip(&answers[2..]).filter(|(_, answer)| answer.is_ok());
        let passed: Vec<_> = passed.map(|(forgery, _)| forgery).collect();
        for (name, token) in &passed {
            assert!(material.ec.signed_it(token), "{} is fooled by {name}", verifier.name);
        }
        let accepted: Vec<_> = passed.iter().map(|(name, _)| *name).collect();
        let row = table.lines().find(|line| line.starts_with(&format!("| {} |", verifier.name))).unwrap();
        let told = if accepted.is_empty() { "nothing".to_owned() } else { accepted.join("; ") };
        assert!(row.ends_with(&format!("| {told} |")), "{told}: {row}");
        if accepted != verifier.accepts {
            wrong.push((verifier.name, accepted));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the forger's server was asked");
}

/// Each algorithm is taken by every library that knows it, for the right audience only.
async fn taken(key: &str, alg: &str, typ: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, key).unwrap();
    let keys = format!("tokens.keys = [{{ file = \"{}\" }}]\ntokens.typ = {typ}", file.path().display());
    let world = World::with_system_clock(Kind::Sqlite, &keys).await;
    let session = world.login("alice").await;
    let (token, sub) = (session["token"].as_str().unwrap(), session["userInfo"]["userId"].as_str().unwrap());
    assert_eq!(crate::world::forge::part(token, 0)["alg"], alg);
    let jwks = world.url("/.well-known/jwks.json");
    for verifier in verifiers::all().iter().filter(|verifier| alg != "EdDSA" || verifier.eddsa) {
        let answers = verifier.verify(&jwks, "api", alg, &[token]);
        assert_eq!(answers, [Ok(sub.to_owned())], "{} and {alg}", verifier.name);
        let answers = verifier.verify(&jwks, "another", alg, &[token]);
        assert!(answers[0].is_err(), "{} doesn't look at the audience", verifier.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_library_takes_es256() {
    taken(&keys::p256(), "ES256", "JWT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_library_takes_es256_of_the_strict_type() {
    taken(&keys::p256(), "ES256", "at+jwt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_library_takes_rs256() {
    taken(&keys::rsa(), "RS256", "JWT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_library_that_knows_eddsa_takes_it() {
    taken(&keys::ed25519(), "EdDSA", "JWT").await;
}
