//! What counts as a token here, and what doesn't.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::world::forge::{Ec, part};
use crate::world::{APP, Kind, World, keys};

async fn token(world: &World) -> String {
    world.login("alice").await["token"].as_str().unwrap().to_owned()
}

async fn me(world: &World, token: &str) -> crate::world::Answer {
    world.get("/v1/me", &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_holds_rfc_9068s_claims_and_nothing_of_wechat() {
    let world = World::on(Kind::Sqlite).await;
    let token = token(&world).await;
    insta::assert_json_snapshot!(part(&token, 0), { ".kid" => "[thumbprint]" }, @r#"
    {
      "alg": "ES256",
      "kid": "[thumbprint]",
      "typ": "JWT"
    }
    "#);
    insta::assert_json_snapshot!(part(&token, 1), { ".sub" => "[uuid]", ".jti" => "[uuid]" }, @r#"
    {
      "aud": "api",
      "auth_time": 1793500000,
      "client_id": "wx0000000000000001",
      "exp": 1793507200,
      "iat": 1793500000,
      "iss": "https://auth.example.com",
      "jti": "[uuid]",
      "sub": "[uuid]"
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_adds_claims_audiences_and_the_strict_type() {
    let toml = "tokens.claims = [\"nickname\", \"picture\", \"preferred_username\", \"user_level\"]\n\
                tokens.audience = [\"api\", \"shop\"]\ntokens.typ = at+jwt\ntokens.ttl = 10m";
    let world = World::with(Kind::Sqlite, toml).await;
    let code = world.code("alice").await;
    let body =
        json!({ "code": code, "userInfo": { "nickName": "小明", "avatarUrl": "https://a.example/b.png" } });
    let session = world.post("/v1/login", &body).await.status(200).json();
    let token = session["token"].as_str().unwrap();
    let claims = part(token, 1);
    assert_eq!(part(token, 0)["typ"], "at+jwt");
    assert_eq!(
        (&claims["aud"], &claims["nickname"], &claims["picture"]),
        (&json!(["api", "shop"]), &json!("小明"), &json!("https://a.example/b.png"))
    );
    assert_eq!((&claims["user_level"], claims.get("preferred_username")), (&json!(0), None));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    me(&world, token).await.status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_until_its_end_and_the_leeway_and_not_a_second_longer() {
    let world = World::on(Kind::Sqlite).await;
    let token = token(&world).await;
    world.clock.turn(Duration::from_secs(7200 + 29));
    me(&world, &token).await.status(200);
    world.clock.turn(Duration::from_secs(1));
    me(&world, &token).await.refused(401, "token_expired");
}

/// Re-encodings of a good token, and forgeries that need no key.
#[tokio::test(flavor = "multi_thread")]
async fn what_libraries_let_through_is_refused_here() {
    let world = World::on(Kind::Sqlite).await;
    let good = token(&world).await;
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let head = |header: Value| format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let kid = part(&good, 0)["kid"].clone();
    // The signature's last character carries bits that are thrown away: another text, the same bytes.
    let sibling = {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.iter().position(|c| *c == *signature.as_bytes().last().unwrap()).unwrap();
        format!("{header}.{claims}.{}{}", &signature[..signature.len() - 1], alphabet[last ^ 1] as char)
    };
    let doubled = |part: &str| {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        URL_SAFE_NO_PAD.encode(text.replacen('{', "{\"sub\":\"x\",\"alg\":\"none\",", 1))
    };
    let mut forged = vec![
        sibling,
        format!("{good}="),
        format!("{good}=="),
        format!("{header}=.{claims}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!("{header}.{claims}"),
        header.to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}.{}.{signature}", doubled(claims)),
        format!("{}.{claims}.{signature}", doubled(header)),
        format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode("[]")),
        format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{header}.{claims}.{}", "A".repeat(20_000)),
        head(json!({ "alg": "none", "typ": "JWT", "kid": kid })),
        head(json!({ "alg": "HS256", "typ": "JWT", "kid": kid })),
        head(json!({ "alg": "RS256", "typ": "JWT", "kid": kid })),
        head(json!({ "alg": "ES256", "typ": "JWT", "kid": kid, "crit": ["exp"] })),
        head(json!({ "alg": "ES256", "typ": "JWT", "kid": kid, "b64": false })),
        head(json!({ "alg": "ES256", "typ": "JWT", "kid": "another" })),
        head(json!({ "alg": "ES256", "typ": "JWT" })),
        head(json!({ "alg": "ES256", "typ": "JWE", "kid": kid })),
        head(json!({ "alg": "ES256", "kid": kid })),
    ];
    let replaced = {
        let mut changed = part(&good, 1);
        changed["sub"] = json!("00000000-0000-7000-8000-000000000000");
        format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(changed.to_string()))
    };
    forged.push(replaced);
    for token in forged {
        me(&world, &token).await.refused(401, "token_invalid");
    }
    me(&world, &good).await.status(200);
}

/// Signed by our very key, so that only the claims can be at fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_well_signed_token_with_a_claim_missing_mistyped_or_for_another_is_refused() {
    let world = World::on(Kind::Sqlite).await;
    let good = token(&world).await;
    let key = Ec::new(&std::fs::read_to_string(world.folder().join("first.pem")).unwrap());
    let sign = |header: &Value, claims: &Value| key.token(header, claims);
    let (header, claims) = (part(&good, 0), part(&good, 1));
    me(&world, &sign(&header, &claims)).await.status(200);
    for missing in ["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "auth_time"] {
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(missing);
        me(&world, &sign(&header, &without)).await.refused(401, "token_invalid");
    }
    for (name, value) in [
        ("exp", json!("1793507200")),
        ("exp", json!(1_793_507_200.5)),
        ("exp", json!(null)),
        ("iat", json!(1_793_500_000_i64 + 3600)),
        ("auth_time", json!(1_793_500_000_i64 + 3600)),
        ("aud", json!("another")),
        ("aud", json!([])),
        ("aud", json!({ "api": true })),
        ("iss", json!("https://auth.example.com/")),
        ("iss", json!("https://evil.example")),
        ("sub", json!("")),
        ("sub", json!("not-a-uuid")),
        ("sub", json!("00000000-0000-7000-8000-000000000000")),
    ] {
        let mut changed = claims.clone();
        changed[name] = value;
        me(&world, &sign(&header, &changed)).await.refused(401, "token_invalid");
    }
    let mut old = claims.clone();
    old["exp"] = json!(1_793_499_000);
    me(&world, &sign(&header, &old)).await.refused(401, "token_expired");
    let mut several = claims.clone();
    several["aud"] = json!(["other", "api"]);
    me(&world, &sign(&header, &several)).await.status(200);
    for (name, value) in [("crit", json!(["exp"])), ("crit", json!(null)), ("b64", json!(null))] {
        let mut extended = header.clone();
        extended[name] = value;
        me(&world, &sign(&extended, &claims)).await.refused(401, "token_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_key_takes_over_at_its_instant_and_no_token_is_dropped() {
    let second = "tokens.keys = [{ file = \"first.pem\" }, { file = \"second.pem\", sign_from = 2026-11-01T03:00:00Z }]";
    let folder_key = keys::p256();
    let world = rotating(second, &folder_key).await;
    let published = async || {
        let keys = world.get("/.well-known/jwks.json", &[]).await.json()["keys"].clone();
        keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = published().await;
    assert_eq!(both.len(), 2, "published from the moment it is listed");
    let before = token(&world).await;
    assert_eq!(part(&before, 0)["kid"], both[0]);
    world.clock.turn(Duration::from_secs(33 * 60 + 20));
    let after = token(&world).await;
    assert_eq!(part(&after, 0)["kid"], both[1], "it signs from its instant on");
    for good in [&before, &after] {
        me(&world, good).await.status(200);
    }
    // ttl 2 h, leeway 30 s, verifier_cache 1 h after the take-over.
    world.clock.turn(Duration::from_secs(3 * 3600 + 29));
    assert_eq!(published().await.len(), 2);
    world.clock.turn(Duration::from_secs(1));
    assert_eq!(published().await, both[1..]);
}

async fn rotating(toml: &str, key: &str) -> World {
    // The second key has to lie beside the first before the world reads it: an absolute path does.
    let file = std::env::temp_dir()
        .join(format!("wxgate-second-{:032x}.pem", u128::from_be_bytes(wxgate::vault::random::bytes())));
    std::fs::write(&file, key).unwrap();
    let world = World::with(Kind::Sqlite, &toml.replace("second.pem", &file.display().to_string())).await;
    std::fs::remove_file(&file).unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_keys_tokens_are_refused_and_it_is_not_published() {
    let key = keys::p256();
    let world =
        rotating("tokens.keys = [{ file = \"first.pem\" }, { file = \"second.pem\", revoked = true }]", &key)
            .await;
    assert_eq!(world.get("/.well-known/jwks.json", &[]).await.json()["keys"].as_array().unwrap().len(), 1);
    let good = token(&world).await;
    let stolen = jsonwebtoken::EncodingKey::from_ec_der(pem::parse(&key).unwrap().contents());
    let kid = jsonwebtoken::jwk::Jwk::from_encoding_key(&stolen, jsonwebtoken::Algorithm::ES256)
        .and_then(|jwk| jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256))
        .unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "ES256", "typ": "JWT", "kid": kid }).to_string());
    let message = format!("{header}.{}", good.split('.').nth(1).unwrap());
    me(&world, &Ec::new(&key).signed(&message)).await.refused(401, "token_invalid");
    assert_eq!(part(&good, 1)["client_id"], APP);
}
