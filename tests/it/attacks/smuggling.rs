//! Requests whose end two readers would see at different places: what stands behind must never be taken for a request.

use super::gateway::{Gateway, get, post, talk};

/// What is smuggled: it would be answered 200.
const HIDDEN: &str = "GET /v1/revocations HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";

/// A login with these headers and what comes after them.
fn login(headers: &str, rest: &str) -> String {
    format!(
        "POST /v1/login HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n{headers}\r\n{rest}{HIDDEN}"
    )
}

#[track_caller]
fn hides_nothing(gateway: &Gateway, request: &[u8]) {
    let replies = gateway.send(request);
    assert!(replies.len() <= 1, "{}: {replies:?}", String::from_utf8_lossy(request));
    replies.iter().for_each(super::gateway::Reply::is_refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_two_lengths_or_of_an_odd_one_hides_no_second_request() {
    let gateway = Gateway::start("").await;
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    for headers in [
        format!("Content-Length: 5\r\n{CHUNKED}"),
        format!("{CHUNKED}Content-Length: 5\r\n"),
        format!("{CHUNKED}{CHUNKED}Content-Length: 5\r\n"),
        format!("{CHUNKED}Transfer-Encoding: identity\r\n"),
        "Transfer-Encoding: identity\r\n".into(),
        "Transfer-Encoding: xchunked\r\n".into(),
        "Transfer-Encoding: chunked, identity\r\n".into(),
        "Transfer-Encoding: chunked,\r\n".into(),
        "Transfer-Encoding: chunked;q=1\r\n".into(),
        "Transfer-Encoding: chu nked\r\n".into(),
        "Transfer-Encoding: \x0bchunked\r\n".into(),
        "Transfer-Encoding:\r\n".into(),
        "Transfer-Encoding : chunked\r\n".into(),
        "Transfer-Encoding\t: chunked\r\n".into(),
        "X: a\r\n Transfer-Encoding: chunked\r\n".into(),
        "X: a\r\n\tb\r\nContent-Length: 5\r\n".into(),
        "Content-Length: 5\r\nContent-Length: 6\r\n".into(),
        "Content-Length: 5, 5\r\n".into(),
        "Content-Length: +5\r\n".into(),
        "Content-Length: -5\r\n".into(),
        "Content-Length: 0x5\r\n".into(),
        "Content-Length: 5.0\r\n".into(),
        "Content-Length: 5 5\r\n".into(),
        "Content-Length:\r\n".into(),
        "Content-Length: 99999999999999999999\r\n".into(),
        "Content-Length: 18446744073709551615\r\n".into(),
        "Content-Length : 5\r\n".into(),
        "Content-Length\0: 5\r\n".into(),
        "X: a\0b\r\nContent-Length: 5\r\n".into(),
        "X: a\rContent-Length: 5\r\n".into(),
        "X: a\r\r\nContent-Length: 5\r\n".into(),
        ": a\r\nContent-Length: 5\r\n".into(),
        "X[]: a\r\nContent-Length: 5\r\n".into(),
        "X\u{e9}: a\r\nContent-Length: 5\r\n".into(),
        "no colon\r\nContent-Length: 5\r\n".into(),
    ] {
        hides_nothing(&gateway, login(&headers, "0\r\n\r\n").as_bytes());
    }
    let old = login(CHUNKED, "0\r\n\r\n").replacen("HTTP/1.1", "HTTP/1.0", 1);
    hides_nothing(&gateway, old.as_bytes());
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_chunks_hide_no_second_request() {
    let gateway = Gateway::start("").await;
    for chunks in [
        "xyz\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2\r{}\r0\r\r",
        "2;a\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}XX0\r\n\r\n",
        "3\r\n{}\r\n0\r\n\r\n",
        "1\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nno colon\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: a\0b\r\n\r\n",
    ] {
        // The longest size waits for more than ever comes: the other side has to end it.
        let request = login("Transfer-Encoding: chunked\r\nConnection: close\r\n", chunks);
        hides_nothing(&gateway, request.as_bytes());
    }
    // Extensions without end, which nobody counts as part of the body.
    let endless = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(100_000));
    hides_nothing(&gateway, login("Transfer-Encoding: chunked\r\n", &endless).as_bytes());
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order_until_one_is_bad() {
    let gateway = Gateway::start("").await;
    let me = "GET /v1/me HTTP/1.1\r\nHost: gateway\r\n\r\n";
    let status = |request: &str| gateway.send(request).iter().map(|reply| reply.status).collect::<Vec<_>>();
    assert_eq!(status(&format!("{me}{me}{HIDDEN}")), [401, 401, 200]);
    assert_eq!(status(&format!("{me}NONSENSE\r\n\r\n{HIDDEN}")), [401, 400]);
    assert_eq!(status(&format!("{me}GET /v1/me HTTP/1.1\r\nContent-Length: x\r\n\r\n{HIDDEN}")), [401, 400]);
    // A body that nobody asked for is no request.
    let with_body = "GET /v1/me HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(status(&format!("{with_body}GET /{HIDDEN}")), [401, 200]);
    // Many at once.
    let many = format!("{}{HIDDEN}", me.repeat(1000));
    assert_eq!(status(&many).len(), 1001);
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_no_http_1_1_is_turned_away() {
    let gateway = Gateway::start("").await;
    let hello = [&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3], [7; 194].as_slice()].concat();
    for bytes in [
        b"GET /v1/me\r\n\r\n".to_vec(),
        b"GET /v1/me HTTP/1.2\r\n\r\n".to_vec(),
        b"GET /v1/me HTTP/3.0\r\n\r\n".to_vec(),
        b"GET /v1/me HTTP/1.1 \r\n\r\n".to_vec(),
        b"GET /v1/me http/1.1\r\n\r\n".to_vec(),
        b"GET  /v1/me HTTP/1.1\r\n\r\n".to_vec(),
        b"GET\t/v1/me\tHTTP/1.1\r\n\r\n".to_vec(),
        b"GET\0 /v1/me HTTP/1.1\r\n\r\n".to_vec(),
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        b"{\"code\":\"a\"}\r\n\r\n".to_vec(),
        hello,
    ] {
        hides_nothing(&gateway, &bytes);
    }
    // HTTP/2 by prior knowledge, and then nonsense: whichever version is spoken here, it ends.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    let came = talk(gateway.address, &[preface, &[0xff; 64]].concat());
    assert!(!came.starts_with(b"HTTP/1.1 2"), "{:?}", String::from_utf8_lossy(&came));
    // An upgrade is nobody's.
    for protocol in ["h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "websocket\r\nSec-WebSocket-Key: AAAA"] {
        let upgrade = get("/v1/me", &format!("Upgrade: {protocol}\r\n"));
        gateway.ask(upgrade.replace("Connection: close", "Connection: close, upgrade")).is_refused();
    }
    gateway.ask(post("/v1/login", "Expect: nonsense\r\n", "{}")).is_refused();
    gateway.end();
}
