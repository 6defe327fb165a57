//! The doors: shapes, languages, headers, limits; what a hostile or careless client meets.

use std::io::Read as _;

use reqwest::Method;
use serde_json::json;

use crate::world::{Kind, World, keys};

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_speaks_chinese_unless_english_is_asked_for() {
    let world = World::on(Kind::Sqlite).await;
    let problem = world.post("/v1/login", &json!({})).await.refused(400, "missing_field");
    insta::assert_json_snapshot!(problem.json(), { ".requestId" => "[id]" }, @r#"
    {
      "code": "missing_field",
      "detail": "缺少字段 code。",
      "requestId": "[id]",
      "status": 400,
      "title": "缺少参数",
      "type": "urn:wxgate:error:missing_field"
    }
    "#);
    let english = world.post_as("/v1/login", &json!({}), &[("accept-language", "en-GB,en;q=0.9")]).await;
    assert_eq!(
        (english.json()["detail"].as_str().unwrap(), english.header("content-language")),
        ("code is missing.", "en")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_named_and_none_is_a_500() {
    let world = World::on(Kind::Sqlite).await;
    let json_type = [("content-type", "application/json")];
    let deep = "[".repeat(20_000);
    for (body, status, code) in [
        ("", 400, "malformed_body"),
        ("{", 400, "malformed_body"),
        ("{\"code\":\"a\"} x", 400, "malformed_body"),
        ("17", 400, "malformed_body"),
        ("\u{feff}{}", 400, "malformed_body"),
        (deep.as_str(), 400, "malformed_body"),
        ("{}", 400, "missing_field"),
        ("{\"code\":\"\"}", 400, "missing_field"),
        ("{\"code\":17}", 400, "invalid_field"),
        ("{\"code\":\"a\",\"code\":\"b\"}", 400, "malformed_body"),
        ("{\"code\":\"a b\"}", 400, "invalid_field"),
        ("{\"code\":\"<script>'\\\"\"}", 400, "invalid_field"),
        ("{\"code\":\"a\",\"userInfo\":\"x\"}", 400, "invalid_field"),
        ("{\"code\":\"a\",\"userInfo\":{\"gender\":\"male\"}}", 400, "invalid_field"),
        ("{\"code\":\"a\",\"account\":{\"username\":\"u\"}}", 400, "missing_field"),
        ("{\"code\":\"a\",\"account\":{\"username\":\"u v\",\"password\":\"p\"}}", 400, "invalid_field"),
        ("{\"code\":\"a\",\"account\":\"u\"}", 400, "invalid_field"),
    ] {
        for path in ["/v1/login", "/wx/auth/login_by_weixin"] {
            let answer = world.send(Method::POST, path, body, &json_type).await;
            if path == "/v1/login" {
                answer.refused(status, code);
            } else {
                answer.errno(if code == "missing_field" { 401 } else { 402 });
            }
        }
    }
    let long = json!({ "code": "a".repeat(129) });
    world.post("/v1/login", &long).await.refused(400, "invalid_field");
    let large = json!({ "code": "a", "rawData": "x".repeat(70_000) });
    world.post("/v1/login", &large).await.refused(413, "body_too_large");
    for other in ["application/x-www-form-urlencoded", "text/plain", ""] {
        world
            .send(Method::POST, "/v1/login", "code=a", &[("content-type", other)])
            .await
            .refused(415, "unsupported_media_type");
    }
    assert_eq!(world.wechat.calls("/sns/jscode2session"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_here_and_not_so_are_said_at_every_door() {
    let world = World::on(Kind::Sqlite).await;
    world.get("/", &[]).await.refused(404, "not_found");
    world.get("/v1/nothing", &[]).await.refused(404, "not_found");
    world.get("/livez", &[]).await.refused(404, "not_found");
    world.get("/_sim/code", &[]).await.refused(404, "not_found");
    let wrong = world.send(Method::DELETE, "/v1/login", "", &[]).await.refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "POST");
    world.send(Method::PUT, "/wx/auth/info", "", &[]).await.errno(402);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_ours_unless_a_trusted_proxy_brings_one() {
    let world = World::on(Kind::Sqlite).await;
    let theirs = [("x-request-id", "abc-123")];
    assert_ne!(
        world.get("/v1/me", &theirs).await.refused(401, "token_missing").header("x-request-id"),
        "abc-123"
    );
    let behind = World::with(Kind::Sqlite, "http.trusted_proxies = [\"127.0.0.0/8\"]").await;
    assert_eq!(behind.get("/v1/me", &theirs).await.header("x-request-id"), "abc-123");
    let injected = [("x-request-id", "abc\" code=\"x")];
    assert_eq!(behind.get("/v1/me", &injected).await.header("x-request-id").len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_ended_with_a_503() {
    let limits = "http.request_timeout = 400ms\nwechat.timeout = 300ms\ndatabase.acquire_timeout = 30s";
    let world = World::with(Kind::Sqlite, limits).await;
    // Somebody else holds SQLite's write lock.
    let connection = world.database.connect(&world.folder()).await;
    sea_orm::ConnectionTrait::execute_unprepared(&connection, "BEGIN IMMEDIATE").await.unwrap();
    let code = world.code("alice").await;
    world.post("/v1/login", &json!({ "code": code })).await.refused(503, "request_timeout");
    sea_orm::ConnectionTrait::execute_unprepared(&connection, "ROLLBACK").await.unwrap();
    world.login("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_keys_are_cacheable_public_and_answered_304_to_who_has_them() {
    let world = World::on(Kind::Sqlite).await;
    let answer = world.get("/.well-known/jwks.json", &[]).await.status(200);
    insta::assert_json_snapshot!(answer.json(), {
        ".keys[].kid" => "[thumbprint]", ".keys[].x" => "[x]", ".keys[].y" => "[y]"
    }, @r#"
    {
      "keys": [
        {
          "alg": "ES256",
          "crv": "P-256",
          "kid": "[thumbprint]",
          "kty": "EC",
          "use": "sig",
          "x": "[x]",
          "y": "[y]"
        }
      ]
    }
    "#);
    let headers =
        ["content-type", "cache-control", "access-control-allow-origin"].map(|name| answer.header(name));
    assert_eq!(headers, ["application/json", "public, max-age=300", "*"]);
    let etag = answer.header("etag");
    let known = world
        .get("/.well-known/jwks.json", &[("if-none-match", &format!("\"old\", W/{etag}"))])
        .await
        .status(304);
    assert_eq!((known.text(), known.header("etag")), ("", etag));
    world.get("/.well-known/jwks.json", &[("if-none-match", "\"old\"")]).await.status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_metadata_documents_name_the_issuer_to_the_byte() {
    let world = World::on(Kind::Sqlite).await;
    let openid = world.get("/.well-known/openid-configuration", &[]).await.status(200);
    assert_eq!(openid.header("content-type"), "application/json");
    insta::assert_json_snapshot!(openid.json(), @r#"
    {
      "grant_types_supported": [],
      "id_token_signing_alg_values_supported": [
        "ES256"
      ],
      "issuer": "https://auth.example.com",
      "jwks_uri": "https://auth.example.com/.well-known/jwks.json",
      "response_types_supported": [],
      "service_documentation": "https://auth.example.com/docs",
      "subject_types_supported": [
        "public"
      ]
    }
    "#);
    let oauth = world.get("/.well-known/oauth-authorization-server", &[]).await.status(200);
    assert_eq!(oauth.json(), openid.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docs_page_is_complete_without_asking_anybody_else() {
    let world = World::on(Kind::Sqlite).await;
    assert_eq!(world.get("/docs", &[]).await.status(303).header("location"), "/docs/");
    let page = world.get("/docs/", &[]).await.status(200);
    assert!(page.text().contains("swagger-ui") && !page.text().contains("//cdn"), "{}", page.text());
    for part in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        world.get(&format!("/docs/{part}"), &[]).await.status(200);
    }
    world.get("/openapi.json", &[]).await.status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_take_compressed_keys_gets_those_under_a_name_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second.pem");
    std::fs::write(&second, keys::p256()).unwrap();
    let keys = format!(
        "tokens.keys = [{{ file = \"first.pem\" }}, {{ file = \"{}\", sign_from = 2026-12-01T00:00:00Z }}]",
        second.display()
    );
    let world = World::with(Kind::Sqlite, &keys).await;
    let url = world.url("/.well-known/jwks.json");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = client.get(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    let plain = ask(&[]).await;
    let name = |answer: &reqwest::Response| answer.headers()["etag"].to_str().unwrap().to_owned();
    let (plain_name, json) = (name(&plain), plain.bytes().await.unwrap());
    let gzip = ask(&[("accept-encoding", "br, gzip;q=0.8")]).await;
    assert_eq!(gzip.headers()["content-encoding"], "gzip");
    assert_eq!(gzip.headers()["vary"], "Accept-Encoding");
    assert_eq!(gzip.headers()["access-control-allow-origin"], "*");
    let gzip_name = name(&gzip);
    assert_ne!(gzip_name, plain_name);
    let bytes = gzip.bytes().await.unwrap();
    assert!(bytes.len() * 5 <= json.len() * 4, "{} of {}", bytes.len(), json.len());
    let mut back = Vec::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut back).unwrap();
    assert_eq!(back, json);
    for refused in ["gzip;q=0", "GZIP;Q=0", "identity", "*"] {
        assert!(
            !ask(&[("accept-encoding", refused)]).await.headers().contains_key("content-encoding"),
            "{refused}"
        );
    }
    // Either name is known, whichever form it is asked in.
    for known in [&plain_name, &gzip_name] {
        let unchanged = ask(&[("accept-encoding", "gzip"), ("if-none-match", known)]).await;
        assert_eq!((unchanged.status().as_u16(), name(&unchanged)), (304, known.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doors_before_the_router_answer_as_the_router_does() {
    let world = World::on(Kind::Sqlite).await;
    let session = world.login("alice").await;
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    // At first the database is asked, behind the router; then it is known.
    for _ in 0..2 {
        let answer = world.get("/authz/orders/7?x=1", &[("authorization", &bearer)]).await.status(200);
        assert_eq!(answer.header("x-auth-user-id"), session["userInfo"]["userId"].as_str().unwrap());
        assert_eq!((answer.header("cache-control"), answer.header("x-request-id").len()), ("no-store", 32));
    }
    let refused =
        world.get("/authz", &[("authorization", "Bearer x.y.z")]).await.refused(401, "token_invalid");
    assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    // Neighbours of those paths are nobody's.
    for path in ["/authzz", "/authz.json", "/.well-known/jwks.json/", "/.well-known/jwks"] {
        world.get(path, &[("authorization", &bearer)]).await.refused(404, "not_found");
    }
    world.post("/.well-known/jwks.json", &json!({})).await.refused(405, "method_not_allowed");
    let head = world.send(reqwest::Method::HEAD, "/.well-known/jwks.json", "", &[]).await.status(200);
    assert!(head.text().is_empty() && head.header("etag").starts_with('"'));
}
