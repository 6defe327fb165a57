//! What a request says of itself and may not: who it is, where it comes from, what a cache or a browser should make of it.

use serde_json::json;
use wxgate::error::Code;

use super::gateway::{Gateway, get, post};

#[tokio::test(flavor = "multi_thread")]
async fn who_one_is_comes_from_the_token_whatever_x_auth_says() {
    let gateway = Gateway::start("").await;
    let session = gateway.login();
    let claimed = "X-Auth-User-Id: root\r\nX-Auth-App-Id: wx1\r\nX-Auth-Expires: 2999-01-01T00:00:00Z\r\n\
                   X-Auth-Request-User: root\r\nX-Forwarded-User: root\r\n";
    let bearer = format!("Authorization: Bearer {}\r\n", session["token"].as_str().unwrap());
    for path in ["/authz", "/authz/", "/authz/orders/1", "/authz/v1/me?x=1"] {
        let refused = gateway.ask(get(path, claimed));
        assert_eq!(refused.code(), Some(Code::TokenMissing), "{refused:?}");
        assert!(!format!("{refused:?}").contains("root"), "{refused:?}");
        for headers in [format!("{claimed}{bearer}"), format!("{bearer}{claimed}")] {
            let passed = gateway.ask(get(path, &headers));
            assert_eq!(passed.status, 200, "{passed:?}");
            assert_eq!(passed.header("x-auth-user-id"), session["userInfo"]["userId"].as_str());
            assert!(!format!("{passed:?}").contains("root"), "{passed:?}");
        }
    }
    // Two tokens, or one in a header beside another: nobody chooses.
    let token = session["token"].as_str().unwrap();
    for headers in [
        format!("{bearer}{bearer}"),
        format!("{bearer}Authorization: Basic eA==\r\n"),
        format!("Authorization: Bearer {token}, Bearer {token}\r\n"),
        format!("Authorization: Bearer{token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("Authorization: Bearer \u{e9}{token}\r\n"),
    ] {
        let refused = gateway.ask(get("/authz", &headers));
        assert_eq!(refused.code(), Some(Code::TokenInvalid), "{headers}: {refused:?}");
    }
    // Nor does it come by address, cookie or form.
    let elsewhere =
        gateway.ask(get(&format!("/v1/me?access_token={token}"), &format!("Cookie: token={token}\r\n")));
    assert_eq!(elsewhere.code(), Some(Code::TokenMissing), "{elsewhere:?}");
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_names_other_addresses_is_counted_and_logged_as_itself() {
    let gateway = Gateway::start("accounts.free_attempts = 2\naccounts.account_attempts = 1000").await;
    let wrong = json!({ "username": "alice", "password": "wrong" }).to_string();
    let codes: Vec<_> = (1..=4)
        .map(|number| {
            let claimed = format!(
                "X-Forwarded-For: 203.0.113.{number}\r\nX-Real-IP: 203.0.113.{number}\r\n\
                 Forwarded: for=203.0.113.{number}\r\nCF-Connecting-IP: 203.0.113.{number}\r\nX-Request-Id: theirs\r\n"
            );
            let reply = gateway.ask(post("/v1/login/password", &claimed, &wrong));
            assert_ne!(reply.header("x-request-id"), Some("theirs"));
            reply.code()
        })
        .collect();
    assert!(codes.contains(&Some(Code::TooManyAttempts)), "{codes:?}");
    let printed = gateway.end();
    assert!(!printed.contains("203.0.113."), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_keys_are_whole_whatever_a_cache_asks_for() {
    let gateway = Gateway::start("").await;
    let plain = gateway.ask(get("/.well-known/jwks.json", ""));
    assert_eq!(plain.status, 200);
    let long = format!("Accept-Encoding: {}\r\n", "gzip;q=0,".repeat(5_000));
    for headers in [
        "Range: bytes=0-10\r\n",
        "Range: bytes=-1\r\n",
        "Range: bytes=0-0,1-1,2-2\r\nIf-Range: \"x\"\r\n",
        "Range: bytes=99999999999999999999-\r\n",
        "Accept-Encoding: gzip;q=-1\r\n",
        "Accept-Encoding: gzip;q=nan\r\n",
        "Accept-Encoding: ,,;,;q=,=\r\n",
        "Accept-Encoding: \u{e9}, gzip;q=0\r\n",
        "Accept: text/html\r\nAccept-Charset: utf-7\r\n",
        "If-None-Match: \"\", W/, W/\"\", x, \u{e9}\r\n",
        "If-Match: \"x\"\r\nIf-Modified-Since: yesterday\r\n",
        "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        &long,
    ] {
        let reply = gateway.ask(get("/.well-known/jwks.json", headers));
        assert_eq!((reply.status, reply.text()), (200, plain.text()), "{headers}");
        assert_eq!(reply.header("etag"), plain.header("etag"));
    }
    assert_eq!(gateway.ask(get("/.well-known/jwks.json", "If-None-Match: *\r\n")).status, 304);
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_origin_may_read_the_keys_and_nothing_else() {
    let gateway = Gateway::start("").await;
    let session = gateway.login();
    let bearer = format!("Authorization: Bearer {}\r\n", session["token"].as_str().unwrap());
    for origin in
        ["https://evil.example", "null", "http://gateway", "\u{e9}", "https://a\r\nOrigin: https://b"]
    {
        let from = format!("Origin: {origin}\r\n");
        let keys = gateway.ask(get("/.well-known/jwks.json", &from));
        assert_eq!(keys.header("access-control-allow-origin"), Some("*"));
        assert_eq!(keys.header("access-control-allow-credentials"), None);
        let me = gateway.ask(get("/v1/me", &format!("{from}{bearer}")));
        assert_eq!((me.status, me.header("access-control-allow-origin")), (200, None), "{me:?}");
        let asked = format!(
            "{from}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\
             Access-Control-Request-Private-Network: true\r\n"
        );
        for path in ["/v1/login", "/v1/me", "/authz/x"] {
            let before = gateway.ask(get(path, &asked).replacen("GET", "OPTIONS", 1));
            before.is_refused();
            assert_eq!(before.header("access-control-allow-origin"), None, "{before:?}");
        }
    }
    // What a page can post without asking first is not read.
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "\u{e9}"]
    {
        let simple = post("/v1/login", "", "{\"code\":\"a\"}").replace("application/json", kind);
        assert_eq!(gateway.ask(simple).code(), Some(Code::UnsupportedMediaType), "{kind}");
    }
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_no_text_are_passed_over_or_refused() {
    let gateway = Gateway::start("http.trusted_proxies = [\"127.0.0.0/8\"]").await;
    for name in
        ["Referer", "Accept-Language", "User-Agent", "X-Forwarded-For", "X-Request-Id", "Host", "Cookie"]
    {
        for value in
            [&b"\xff\xfe"[..], b"", b"\xf0\x9f\x8e\x89", b"https://servicewechat.com/\xff/1/page-frame.html"]
        {
            let head = b"POST /v1/login HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
            let request = [head.as_slice(), name.as_bytes(), b": ", value, b"\r\n\r\n{}"].concat();
            let reply = gateway.ask(request);
            assert_eq!(reply.code(), Some(Code::MissingField), "{name}: {reply:?}");
        }
    }
    gateway.end();
}
