//! Odd addresses and odd methods.

use super::gateway::{Gateway, get};

#[tokio::test(flavor = "multi_thread")]
async fn odd_addresses_lead_nowhere() {
    let gateway = Gateway::start("").await;
    let mut targets: Vec<Vec<u8>> = [
        "/",
        "//",
        "///",
        "//v1/me",
        "/v1//me",
        "/v1/me/",
        "/V1/ME",
        "/.",
        "/..",
        "/../../../../etc/passwd",
        "/v1/../v1/me",
        "/authz/../v1/me",
        "/%2e%2e",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/v1/%2e%2e/v1/me",
        "/v1%2fme",
        "/v1/me%00",
        "/v1/me;x=1",
        "/v1/me%",
        "/%ff%fe",
        "/v1/login?code=%zz",
        "/docs/..%2f..%2fCargo.toml",
        "/docs/../Cargo.toml",
        "/docs/%2e%2e/%2e%2e/Cargo.toml",
        "/docs/nothing",
        "/.well-known/../v1/me",
        "/.well-known/",
        "/livez",
        "/metrics",
        "/internal/v1/users/00000000-0000-7000-8000-000000000000",
        "/_sim/code",
        "/dev/",
        "/authzz",
        "/authz",
        "/authz//",
        "/authz/%00",
        "/authz?x=1",
        "*",
        "?",
        "?x",
        "v1/me",
        "http://evil.example/v1/me",
        "HTTP://EVIL.EXAMPLE/v1/me",
        "http://evil.example",
        "http://user:password@evil.example:99999/v1/me",
        "http:///v1/me",
        "ftp://evil.example/v1/me",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "evil.example:443",
        "/v1/me#fragment",
        "/v1/me?\u{e9}",
        "/\u{5c0f}\u{660e}",
        "/<script>",
        "/\"'`{}|\\^",
        "\\v1\\me",
    ]
    .map(Into::into)
    .into();
    targets.extend([&b"/\xff"[..], b"/v1/me?\xc3", b"/\x7f", b"/v1/me\x01", b"\xff"].map(<[u8]>::to_vec));
    for target in targets {
        let request =
            [b"GET ", target.as_slice(), b" HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"].concat();
        let reply = gateway.ask(request);
        assert!((400..500).contains(&reply.status), "{}: {reply:?}", String::from_utf8_lossy(&target));
        reply.is_refused();
    }
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_methods_are_refused_everywhere() {
    let gateway = Gateway::start("").await;
    let long = "X".repeat(5_000);
    for method in ["get", "FOO", "TRACE", "OPTIONS", "PROPFIND", "CONNECT", "PRI", "G\u{e9}T", "G(T", &long] {
        for path in ["/v1/me", "/v1/login", "/.well-known/jwks.json", "/openapi.json", "/nothing", "*"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
            let reply = gateway.ask(request);
            reply.is_refused();
            assert_eq!(reply.header("allow").is_some(), reply.status == 405, "{method} {path}: {reply:?}");
        }
    }
    let connect = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    gateway.ask(connect).is_refused();
    // Nobody's wish for another method is heard.
    for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let reply = gateway.ask(get("/v1/login", &format!("{header}: POST\r\n")));
        assert_eq!(reply.status, 405, "{reply:?}");
    }
    gateway.end();
}
