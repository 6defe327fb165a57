//! `storm ADDRESS CONNECTIONS PEOPLE RATE:SECONDS …`: logins at a rate that doesn't wait for the answers, one phase after the
//! other; RATE 0 is as fast as they are answered. An answer's time counts from when its request was due, so that a slow gateway
//! can't slow the questions down and look quick. It never sleeps: to wake it, on a virtual machine above all, would cost the gateway
//! as much as a refusal does, and nobody is woken over a network. Prints a line of JSON for each phase, with a row for each second.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a load generator's clock is the system's, and it is run by a script"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What came of one request.
#[derive(Clone, Copy)]
struct Answer {
    due: Duration,
    took: Duration,
    status: u16,
}

struct Phase {
    address: String,
    run: u64,
    people: u64,
    every: Option<Duration>,
    length: Duration,
    began: Instant,
    next: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // With this to do, the runtime asks the kernel for what has come, and doesn't wait for it.
    tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: storm ADDRESS CONNECTIONS PEOPLE RATE:SECONDS …");
    let (address, connections, people) = (argument()?, argument()?.parse::<u64>()?, argument()?.parse()?);
    while let Ok(phase) = argument() {
        let (rate, seconds) = phase.split_once(':').ok_or("a phase is RATE:SECONDS")?;
        let rate: f64 = rate.parse()?;
        let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
        let phase = Arc::new(Phase {
            address: address.clone(),
            run: u64::try_from(run)?,
            people,
            every: (rate > 0.0).then(|| Duration::from_secs_f64(1.0 / rate)),
            length: Duration::from_secs(seconds.parse()?),
            began: Instant::now(),
            next: AtomicU64::new(0),
        });
        let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(phone(phase.clone()))).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.extend(task.await?);
        }
        println!("{}", told(&answers, phase.length));
    }
    Ok(())
}

/// One connection: whatever is due next.
async fn phone(phase: Arc<Phase>) -> Vec<Answer> {
    let (mut answers, mut stream) = (Vec::new(), None);
    loop {
        let number = phase.next.fetch_add(1, Ordering::Relaxed);
        let due = match phase.every {
            Some(every) => every.mul_f64(number as f64),
            None => phase.began.elapsed(),
        };
        if due >= phase.length {
            return answers;
        }
        tokio::time::sleep_until((phase.began + due).into()).await;
        let person = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % phase.people;
        let body = format!(r#"{{"code":"p{person}-{}x{number}"}}"#, phase.run);
        // 0: no answer at all.
        let status = ask(&mut stream, &phase.address, &body).await.unwrap_or(0);
        if status == 0 {
            stream = None;
        }
        answers.push(Answer { due, took: phase.began.elapsed().saturating_sub(due), status });
    }
}

async fn ask(stream: &mut Option<TcpStream>, address: &str, body: &str) -> std::io::Result<u16> {
    if stream.is_none() {
        let fresh = TcpStream::connect(address).await?;
        fresh.set_nodelay(true)?;
        *stream = Some(fresh);
    }
    let Some(open) = stream else { return Ok(0) };
    let length = body.len();
    let request = format!(
        "POST /v1/login HTTP/1.1\r\nhost: storm\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    open.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(2048);
    loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if answer.len() >= end + 4 + length.unwrap_or(0) {
                if head.contains("connection: close") {
                    *stream = None;
                }
                return Ok(head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0));
            }
        }
        if open.read_buf(&mut answer).await? == 0 {
            return Ok(0);
        }
    }
}

fn told(answers: &[Answer], length: Duration) -> Value {
    let second = |number| move |answer: &&Answer| answer.due.as_secs() == number;
    let rows: Vec<Value> =
        (0..length.as_secs()).map(|number| row(answers.iter().filter(second(number)), 1.0)).collect();
    // What came after the end took time as well: of a short phase it would make a rate that nobody can keep up.
    let last = answers.iter().map(|answer| answer.due + answer.took).max().unwrap_or(length).max(length);
    let mut all = row(answers.iter(), last.as_secs_f64());
    all["seconds"] = rows.into();
    all
}

/// Rates and times of logins that were done, of those told to come again, and how many came to nothing else.
fn row<'a>(answers: impl Iterator<Item = &'a Answer>, seconds: f64) -> Value {
    let (mut done, mut later, mut bad) = (Vec::new(), Vec::new(), 0_u64);
    for answer in answers {
        match answer.status {
            200 => done.push(answer.took),
            503 => later.push(answer.took),
            _ => bad += 1,
        }
    }
    let rate = |list: &Vec<Duration>| (list.len() as f64 / seconds).round();
    let (done_rate, later_rate) = (rate(&done), rate(&later));
    json!({
        "done": done_rate, "p50": at(&mut done, 0.5), "p99": at(&mut done, 0.99),
        "later": later_rate, "later_p99": at(&mut later, 0.99), "bad": bad,
    })
}

/// Milliseconds.
fn at(list: &mut [Duration], share: f64) -> f64 {
    list.sort_unstable();
    let index = (list.len() as f64 * share) as usize;
    list.get(index.min(list.len().saturating_sub(1))).map_or(0.0, |took| took.as_secs_f64() * 1e3)
}
