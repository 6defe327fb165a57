//! `stub ADDRESS [MILLISECONDS]`: WeChat's jscode2session as cheap as it can be, so that what is measured is what asks it: no
//! HTTP library, one thread, one write an answer. A code `alice-1` is a login of alice, whose openid is as long as a real one;
//! each takes so many milliseconds. The simulator keeps people and spends codes, which costs more than a login does.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("usage: stub ADDRESS [MILLISECONDS]")?;
    let latency = Duration::from_millis(arguments.next().map_or(Ok(0), |text| text.parse())?);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection that ends is none of ours.
        tokio::spawn(async move { drop(answer(stream, latency).await) });
    }
}

async fn answer(mut stream: TcpStream, latency: Duration) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(4096);
    loop {
        let end = loop {
            if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&request[..end]);
        let code = head.split_once("js_code=").map_or("", |(_, rest)| rest);
        let person = code.split(['-', '&', ' ']).next().unwrap_or_default();
        let body = session(person);
        let length = body.len();
        let kind = "content-type: text/plain";
        let answer = format!("HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        request.drain(..end);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// One session_key a user, as WeChat gives within its period.
fn session(person: &str) -> String {
    let mixed = mixed(person);
    let mut key = [7_u8; 16];
    key[..8].copy_from_slice(&mixed.to_be_bytes());
    format!(r#"{{"session_key":"{}","openid":"{}"}}"#, STANDARD.encode(key), openid(person, mixed))
}

/// 28 characters that don't grow with the number: whoever is new stands somewhere in the index, and not at its end. The
/// benchmark's SQL seeds the same (`OPENID` in run.py).
fn openid(person: &str, mixed: u64) -> String {
    format!("o{mixed:016x}{person:->11.11}")
}

/// For `p123`, 123 times an odd number, so that no two are alike.
fn mixed(person: &str) -> u64 {
    let number = person.strip_prefix('p').and_then(|number| number.parse::<u64>().ok());
    let number = number.unwrap_or_else(|| {
        person.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    });
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
