//! More than anybody needs: headers, addresses, bodies. Refused where it is seen, and the memory stays.

use wxgate::error::Code;

use super::gateway::{Gateway, get, post};

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_headers_are_refused_and_the_memory_stays() {
    let gateway = Gateway::start("").await;
    let many: String = (0..1000).map(|number| format!("X-{number}: {number}\r\n")).collect();
    let large = format!("X: {}\r\n", "x".repeat(1 << 20));
    let name = format!("{}: x\r\n", "x".repeat(1 << 20));
    let endless = format!("X: {}", "x".repeat(2 << 20));
    let cookies = "Cookie: a=b\r\n".repeat(1000);
    let floods = [&many, &large, &name, &endless, &cookies].map(|headers| get("/v1/me", headers));
    let round = || {
        for flood in &floods {
            let replies = gateway.send(flood);
            assert!(replies.len() <= 1, "{replies:?}");
            replies.iter().for_each(|reply| assert!(matches!(reply.status, 400 | 431), "{reply:?}"));
        }
    };
    round();
    let before = gateway.memory();
    for _ in 0..20 {
        round();
    }
    // 100 of them brought 150 MB.
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_headers_that_are_read_are_still_answered() {
    let gateway = Gateway::start("").await;
    let most: String = (0..90).map(|number| format!("X-{number}: {number}\r\n")).collect();
    gateway.ask(get("/v1/me", &most)).is_refused();
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_without_end_is_refused() {
    let gateway = Gateway::start("").await;
    for length in [5_000, 60_000, 70_000, 1 << 20] {
        let path = "a".repeat(length);
        for target in [format!("/{path}"), format!("/v1/me?{path}"), format!("/authz/{path}")] {
            gateway.ask(get(&target, "")).is_refused();
        }
    }
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_413_however_it_comes() {
    let gateway = Gateway::start("http.body_limit = 2048").await;
    let large = |gateway: &Gateway, request: String| {
        let reply = gateway.ask(request);
        assert_eq!(reply.code(), Some(Code::BodyTooLarge), "{reply:?}");
    };
    let body = format!("{{\"code\":\"{}\"}}", "a".repeat(10 << 20));
    large(&gateway, post("/v1/login", "", &body));
    let head = "POST /v1/login HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n";
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    large(&gateway, format!("{head}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(100)));
    let tiny = "1\r\n{\r\n".repeat(5_000);
    large(&gateway, format!("{head}Transfer-Encoding: chunked\r\n\r\n{tiny}0\r\n\r\n"));
    // Announced only: nobody waits for it, and nobody is told to send it.
    for more in ["", "Expect: 100-continue\r\n"] {
        large(&gateway, format!("{head}Connection: close\r\nContent-Length: 1099511627776\r\n{more}\r\n"));
    }
    // As much as may come is read, in whatever form.
    let reply = gateway.ask(post("/v1/login", "", &format!("{{{}}}", " ".repeat(2046))));
    assert_eq!(reply.code(), Some(Code::MissingField), "{reply:?}");
    let packed = gateway.ask(post("/v1/login", "Content-Encoding: gzip\r\n", "\u{1f}\u{8b}"));
    assert_eq!(packed.code(), Some(Code::MalformedBody), "{packed:?}");
    gateway.end();
}
