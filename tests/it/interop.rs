//! Verifiers that aren't ours take our tokens from the JWKS alone: `jose` on Node and PyJWT on Python, each algorithm.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::world::database::server;
use crate::world::{ISSUER, Kind, World, keys};

fn verify(command: &mut Command, token: &str) -> Result<Value, String> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

async fn both_accept(key: &str, alg: &str, typ: &str) {
    let file = std::env::temp_dir()
        .join(format!("wxgate-interop-{:032x}.pem", u128::from_be_bytes(wxgate::vault::random::bytes())));
    std::fs::write(&file, key).unwrap();
    let keys = format!("tokens.keys = [{{ file = \"{}\" }}]\ntokens.typ = {typ}", file.display());
    let world = World::with_system_clock(Kind::Sqlite, &keys).await;
    std::fs::remove_file(&file).unwrap();

    let token = world.login("alice").await["token"].as_str().unwrap().to_owned();
    let jwks = world.url("/.well-known/jwks.json");
    let interop = PathBuf::from(server("WXGATE_TEST_INTEROP"));
    let node = |audience: &str| {
        let mut command = Command::new("node");
        command.current_dir(&interop).args(["verify.mjs", &jwks, ISSUER, audience]);
        command
    };
    let python = |audience: &str| {
        let mut command = Command::new(interop.join("venv/bin/python"));
        command.args([
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify.py"),
            &jwks,
            ISSUER,
            audience,
        ]);
        command
    };
    for (name, right, wrong) in
        [("jose", node("api"), node("other")), ("PyJWT", python("api"), python("other"))]
    {
        let (mut right, mut wrong) = (right, wrong);
        let accepted =
            verify(&mut right, &token).unwrap_or_else(|error| panic!("{name} refused {alg}: {error}"));
        assert_eq!(
            (&accepted["protectedHeader"]["alg"], &accepted["payload"]["iss"]),
            (&json!(alg), &json!(ISSUER))
        );
        // The library really looks: another audience, and a changed token, are refused.
        assert!(verify(&mut wrong, &token).is_err(), "{name}");
        let at = token.rfind('.').unwrap() + 10;
        let swapped = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let changed = format!("{}{swapped}{}", &token[..at], &token[at + 1..]);
        assert!(verify(&mut right, &changed).is_err(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jose_and_pyjwt_accept_es256() {
    both_accept(&keys::p256(), "ES256", "JWT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jose_and_pyjwt_accept_es256_of_the_strict_type() {
    both_accept(&keys::p256(), "ES256", "at+jwt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jose_and_pyjwt_accept_rs256() {
    both_accept(&keys::rsa(), "RS256", "JWT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jose_and_pyjwt_accept_eddsa() {
    both_accept(&keys::ed25519(), "EdDSA", "JWT").await;
}
