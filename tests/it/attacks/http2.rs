//! HTTP/2 by hand: frames that no client sends. Each costs its sender the stream or the connection, and nobody else anything.
//!
//! The frames and their numbers: RFC 9113 §6; the errors: §7; header blocks: RFC 7541.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::gateway::{Gateway, talk};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Short, so that who is left alone is let go soon.
const LIMITS: &str = "http.request_timeout = \"1s\"\nwechat.timeout = \"500ms\"\nhttp.header_timeout = \"1s\"\nhttp.idle_timeout = \"1s\"";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What the one who sends a flood is told.
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header with its name, neither indexed nor Huffman-coded.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        // RFC 7541 §5.1, seven bits first.
        let mut length = vec![];
        match text.len() {
            short @ 0..127 => length.push(u8::try_from(short).unwrap()),
            long => {
                length.push(127);
                let mut rest = long - 127;
                while rest >= 128 {
                    length.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                length.push(u8::try_from(rest).unwrap());
            }
        }
        [length, text.as_bytes().to_vec()].concat()
    };
    [vec![0], text(name), text(value)].concat()
}

/// `:method GET`, `:scheme http`, and this path.
fn get(path: &str) -> Vec<u8> {
    [vec![0x82, 0x86], field(":path", path), field(":authority", "gateway")].concat()
}

/// The head of a login by code.
fn login() -> Vec<u8> {
    [vec![0x83, 0x86], field(":path", "/v1/login"), field("content-type", "application/json")].concat()
}

/// A door that is open to everybody: what gets through to it is answered 200.
const OPEN: &str = "/.well-known/jwks.json";

/// `:status 200`, as it is sent.
const OK: u8 = 0x88;

fn answered(came: &[Frame]) -> bool {
    came.iter().any(|frame| frame.kind == HEADERS && frame.payload.first() == Some(&OK))
}

/// It cost its sender the stream or the connection, or was answered as something that is refused.
#[track_caller]
fn is_refused(what: &str, came: &[Frame]) {
    assert!(!answered(came), "{what}: {came:?}");
    // A status that isn't in the static table is its name there, index 8, and a text; 400 and 404 have numbers.
    let refused = |frame: &Frame| {
        frame.kind == HEADERS && matches!(frame.payload.first(), Some(0x48 | 0x08 | 0x8c | 0x8d))
    };
    let ended = |frame: &Frame| frame.kind == RST_STREAM || frame.kind == GOAWAY && told(came) != Some(0);
    assert!(came.iter().any(|frame| refused(frame) || ended(frame)), "{what}: {came:?}");
}

/// The preface, our settings, and then this.
fn opened(frames: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), frames.concat()].concat()
}

/// One frame that came.
#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut all = Vec::new();
    while let [a, b, c, kind, _, s1, s2, s3, s4, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        let Some((payload, next)) = rest.split_at_checked(length) else { break };
        let stream = u32::from_be_bytes([*s1, *s2, *s3, *s4]);
        all.push(Frame { kind: *kind, stream, payload: payload.to_vec() });
        bytes = next;
    }
    all
}

/// Sends this; what came until the gateway ended the connection, which it does.
#[track_caller]
fn sent(gateway: &Gateway, parts: &[Vec<u8>]) -> Vec<Frame> {
    let came = frames(&talk(gateway.address, &opened(parts)));
    // 500 is the only 5xx with a number of its own; others are texts.
    let broken = |frame: &&Frame| frame.kind == HEADERS && frame.payload.first() == Some(&0x8e);
    assert!(came.iter().find(broken).is_none(), "{came:?}");
    came
}

/// The error of the last GOAWAY.
fn told(came: &[Frame]) -> Option<u32> {
    let last = came.iter().rev().find(|frame| frame.kind == GOAWAY)?;
    Some(u32::from_be_bytes(last.payload.get(4..8)?.try_into().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_opened_and_reset_at_once_end_their_connection() {
    let gateway = Gateway::start(LIMITS).await;
    let ask = get("/v1/me");
    let flood: Vec<Vec<u8>> = (0..20_000)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            let open = frame(HEADERS, END_HEADERS | END_STREAM, stream, &ask);
            [open, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())]
        })
        .collect();
    let before = gateway.memory();
    for _ in 0..5 {
        let came = sent(&gateway, &flood);
        // Or it was gone before it could be told.
        assert!(matches!(told(&came), None | Some(ENHANCE_YOUR_CALM)), "{:?}", told(&came));
    }
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_ended_and_the_memory_stays() {
    let gateway = Gateway::start(LIMITS).await;
    let part = field("x", &"x".repeat(16_000));
    let endless: Vec<Vec<u8>> = std::iter::once(frame(HEADERS, END_STREAM, 1, &get("/v1/me")))
        .chain((0..4_000).map(|_| frame(CONTINUATION, 0, 1, &part)))
        .collect();
    // And one without a byte in its parts.
    let empty: Vec<Vec<u8>> = std::iter::once(frame(HEADERS, END_STREAM, 1, &get("/v1/me")))
        .chain((0..100_000).map(|_| frame(CONTINUATION, 0, 1, &[])))
        .collect();
    let before = gateway.memory();
    for flood in [&endless, &empty] {
        let came = sent(&gateway, flood);
        assert!(!came.iter().any(|frame| frame.kind == DATA), "{came:?}");
    }
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_block_that_unpacks_to_a_large_head_is_refused() {
    let gateway = Gateway::start(LIMITS).await;
    // With incremental indexing: from then on it is the first of the dynamic table, and one byte.
    let mut block = get(OPEN);
    block.extend([&[0x40][..], &field("x", &"x".repeat(3_900))[1..]].concat());
    let few = frame(HEADERS, END_HEADERS | END_STREAM, 1, &block);
    assert!(answered(&sent(&gateway, &[few])), "four kilobytes are no bomb");
    block.extend(vec![0xbe; 12_000]);
    let before = gateway.memory();
    let bombs: Vec<Vec<u8>> =
        (0..50).map(|n| frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &block)).collect();
    is_refused("a bomb", &sent(&gateway, &bombs));
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_what_it_asks_for_is_let_go_and_costs_little() {
    let gateway = Gateway::start(LIMITS).await;
    let before = gateway.memory();
    // Pings and settings are to be answered: whoever doesn't take the answers has them pile up somewhere.
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        stream.write_all(&opened(&[])).unwrap();
        let many = flood.repeat(10_000);
        // Until it takes no more, or has had enough.
        let taken = (0..1_000).take_while(|_| stream.write_all(&many).is_ok()).count();
        assert!(taken < 1_000, "all of it was taken");
    }
    // Nothing may be sent: the window is shut. Each asks for the largest page there is.
    let shut = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let asks = (0..200).map(|n| frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &get("/openapi.json")));
    let parts: Vec<Vec<u8>> = std::iter::once(shut).chain(asks).collect();
    let came = sent(&gateway, &parts);
    assert!(!came.iter().any(|frame| frame.kind == DATA && !frame.payload.is_empty()), "the window was shut");
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more");
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_rules_end_their_stream_or_connection() {
    let gateway = Gateway::start(LIMITS).await;
    let head = |block: &[u8]| frame(HEADERS, END_HEADERS | END_STREAM, 1, block);
    let with = |more: &[u8]| head(&[get(OPEN), more.to_vec()].concat());
    assert!(answered(&sent(&gateway, &[with(&field("x", "y"))])), "what breaks no rule is answered");
    for (what, parts) in [
        ("a stream of the server's", vec![frame(HEADERS, END_HEADERS | END_STREAM, 2, &get(OPEN))]),
        ("headers on no stream", vec![frame(HEADERS, END_HEADERS | END_STREAM, 0, &get(OPEN))]),
        ("data of no stream", vec![frame(DATA, 0, 0, b"x"), frame(DATA, 0, 7, b"x")]),
        ("a part of no head", vec![frame(CONTINUATION, END_HEADERS, 1, &get(OPEN))]),
        ("a ping in a head", vec![frame(HEADERS, 0, 1, &get(OPEN)), frame(PING, 0, 0, &[0; 8])]),
        ("more than a frame may have", vec![frame(DATA, 0, 1, &vec![0; 20_000])]),
        ("a window beyond the largest", vec![frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255])]),
        ("a window by nothing", vec![frame(WINDOW_UPDATE, 0, 0, &[0; 4])]),
        ("settings of five bytes", vec![frame(SETTINGS, 0, 0, &[0; 5])]),
        (
            "padding longer than the frame",
            vec![frame(HEADERS, END_HEADERS | END_STREAM | 8, 1, &[255, 0x82])],
        ),
        ("an index of nothing", vec![with(&[0xff, 0xff, 0xff, 0x7f])]),
        ("a length beyond the block", vec![with(&[0, 127, 255, 255, 255, 127])]),
        ("an upper-case name", vec![with(&field("X-Up", "x"))]),
        ("a line end in a value", vec![with(&field("x", "a\r\nhost: other"))]),
        ("a header of HTTP/1.1", vec![with(&field("transfer-encoding", "chunked"))]),
        ("two paths", vec![with(&field(":path", "/livez"))]),
        ("a method behind a header", vec![head(&[field("x", "y"), get(OPEN)].concat())]),
        ("no path", vec![head(&[0x82, 0x86])]),
        ("an empty path", vec![head(&[vec![0x82, 0x86], field(":path", "")].concat())]),
        ("a length that is none", vec![with(&field("content-length", "-1"))]),
        (
            "a body of another length",
            vec![
                frame(HEADERS, END_HEADERS, 1, &[login(), field("content-length", "100")].concat()),
                frame(DATA, END_STREAM, 1, b"x"),
            ],
        ),
        (
            "a connection that is no tunnel",
            vec![head(&[field(":method", "CONNECT"), field(":authority", "x")].concat())],
        ),
    ] {
        let came = sent(&gateway, &parts);
        is_refused(what, &came);
    }
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preface_that_stops_and_a_connection_that_only_pings_are_let_go() {
    let gateway = Gateway::start(LIMITS).await;
    for begun in [&PREFACE[..10], PREFACE, &opened(&[])] {
        // Until the gateway ends it, which `talk` waits for.
        frames(&talk(gateway.address, begun));
    }
    // Pings are no requests.
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    stream.write_all(&opened(&[])).unwrap();
    let mut some = [0; 4096];
    let begun = tokio::time::Instant::now();
    // Each is answered, until the gateway has had enough.
    while stream.write_all(&frame(PING, 0, 0, &[1; 8])).is_ok() && !matches!(stream.read(&mut some), Ok(0)) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the connection goes on");
    }
    gateway.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_is_408_and_its_neighbours_on_the_connection_are_answered() {
    let gateway = Gateway::start(LIMITS).await;
    let came = sent(
        &gateway,
        &[
            frame(HEADERS, END_HEADERS, 1, &login()),
            frame(DATA, 0, 1, b"{\"code\":"),
            frame(HEADERS, END_HEADERS | END_STREAM, 3, &get("/.well-known/jwks.json")),
        ],
    );
    let status = |stream| {
        came.iter().find(|frame| frame.kind == HEADERS && frame.stream == stream).unwrap().payload[0]
    };
    assert_eq!(status(3), OK, "{came:?}");
    // 408 isn't in the static table: its index is `:status`, and its value a text.
    assert!(![OK, 0x8e].contains(&status(1)), "{came:?}");
    let body: Vec<u8> = came
        .iter()
        .filter(|frame| frame.kind == DATA && frame.stream == 1)
        .flat_map(|frame| frame.payload.clone())
        .collect();
    assert!(String::from_utf8_lossy(&body).contains("\"body_timeout\""), "{came:?}");
    gateway.end();
}
