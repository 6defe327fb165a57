//! Clients that take their time: each is ended within a bound, whatever trickles in. What is asserted is that it ends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::gateway::{Gateway, get};
use crate::world::certify;

/// Short, so that a test needn't wait long.
const LIMITS: &str = "http.request_timeout = \"700ms\"\nwechat.timeout = \"500ms\"";

/// Sends `first` at once and then one byte after another, over and over, until the other side ends the connection; what it
/// said.
#[track_caller]
fn trickle(gateway: &Gateway, first: &str, then: u8) -> String {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    // Between two bytes somebody may say something.
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    stream.write_all(first.as_bytes()).unwrap();
    let (mut said, mut some) = (Vec::new(), [0; 4096]);
    // A minute's worth.
    for _ in 0..3_000 {
        match stream.read(&mut some) {
            Ok(0) => return String::from_utf8(said).unwrap(),
            Ok(length) => said.extend_from_slice(&some[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return String::from_utf8(said).unwrap(),
        }
        let _ = stream.write_all(&[then]);
    }
    panic!("the connection goes on after {first:?}; until now came {:?}", String::from_utf8_lossy(&said));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_byte_by_byte_is_ended() {
    let gateway = Gateway::start(LIMITS).await;
    let head = "POST /v1/login HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n";
    for (length, byte) in
        [("Content-Length: 60000\r\n\r\n{", b' '), ("Transfer-Encoding: chunked\r\n\r\n", b'0')]
    {
        let said = trickle(&gateway, &format!("{head}{length}"), byte);
        assert!(said.starts_with("HTTP/1.1 408") && said.contains("\"body_timeout\""), "{said}");
    }
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_byte_by_byte_and_silence_are_ended() {
    let gateway =
        Gateway::start(&format!("{LIMITS}\nhttp.header_timeout = \"500ms\"\nhttp.idle_timeout = \"700ms\""))
            .await;
    for first in [
        "",
        "G",
        "GET /v1/me HTTP/1.1\r\n",
        "GET /v1/me HTTP/1.1\r\nHost: gateway\r\nX: ",
        // After an answer, another request that doesn't come.
        "GET /v1/me HTTP/1.1\r\nHost: gateway\r\n\r\n",
        "GET /v1/me HTTP/1.1\r\nHost: gateway\r\n\r\nGET /v1/me HTTP/1.1\r\nX: ",
    ] {
        trickle(&gateway, first, b'a');
        // Silence, without even a byte.
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(first.as_bytes()).unwrap();
        let ended = stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        assert!(!matches!(ended, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{first:?}");
    }
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_keep_nobody_out_for_longer_than_the_timeout() {
    let limits = format!("{LIMITS}\nhttp.header_timeout = \"500ms\"\nhttp.max_connections = 20");
    let gateway = Gateway::start(&limits).await;
    let held: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(gateway.address).unwrap()).collect();
    // Who comes too many is told so at once, and is served as soon as the silent ones have been ended.
    let keys = get("/.well-known/jwks.json", "");
    let mut told = 0;
    loop {
        match gateway.send(&keys).first() {
            Some(reply) if reply.status == 200 => break,
            Some(reply) => {
                assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
                told += 1;
            }
            // Ended before it could be told.
            None => {}
        }
    }
    assert!(told > 0);
    gateway.login();
    drop(held);
    gateway.end();
}

/// The beginning of a TLS handshake, RFC 8446 §5.1 and §4: a record of 16 KiB, and in it a ClientHello.
const HELLO: &[u8] = &[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3];

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_byte_by_byte_and_one_that_stops_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path(), "gateway");
    let tls = "http.tls_certificate_file = \"tls/fullchain.pem\"\nhttp.tls_key_file = \"tls/privkey.pem\"";
    let limits = format!("{LIMITS}\nhttp.header_timeout = \"500ms\"\n{tls}");
    let gateway = Gateway::start_in(folder, &limits).await;
    for length in [0, 1, HELLO.len()] {
        let (first, rest) = HELLO.split_at(length);
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        stream.write_all(first).unwrap();
        let mut some = [0; 4096];
        // A minute's worth, of which the record would take five: nothing of it is wrong when it is ended.
        let mut trickle = rest.iter().chain(std::iter::repeat(&0)).take(3_000);
        let trickled = trickle
            .any(|byte| stream.write_all(&[*byte]).is_err() || matches!(stream.read(&mut some), Ok(0)));
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(first).unwrap();
        let ended = stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        let waits = matches!(ended, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(trickled && !waits, "{first:?}");
    }
    let keys = std::process::Command::new("curl")
        .args(["-sfk", &format!("https://{}/.well-known/jwks.json", gateway.address)])
        .output()
        .unwrap();
    assert!(keys.status.success(), "{keys:?}");
    gateway.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_used_again_and_again_outlives_the_idle_timeout() {
    let gateway = Gateway::start("http.idle_timeout = \"2s\"").await;
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let ask = b"GET /v1/revocations?x HTTP/1.1\r\nHost: gateway\r\n\r\n";
    let begun = tokio::time::Instant::now();
    let mut some = [0; 4096];
    while begun.elapsed() < Duration::from_secs(7) {
        stream.write_all(ask).unwrap();
        assert!(stream.read(&mut some).unwrap() > 0, "it was ended after {:?}", begun.elapsed());
    }
    gateway.end();
}
