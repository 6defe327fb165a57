//! Logins by code at a steady rate, quiet and under a flood of passwords at ten times what the machine hashes.
//!
//! Open loop: each request has its instant, whether the ones before are answered or not, and is timed from it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{interval_at, sleep_until};

use crate::gateway::{Gateway, Prepared};

/// Logins by code, a second.
const LOGINS: u32 = 100;
const PHASE: Duration = Duration::from_secs(15);
const ROUNDS: usize = 3;

/// Who guesses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guesser {
    /// A name nobody has, from an address nobody used: each is hashed that finds a place.
    Everybody,
    /// One name from one address: hardly any is hashed, all are counted or told to wait.
    OneClient,
}

#[derive(Default)]
struct Flood {
    offered: usize,
    hashed: usize,
    shed: usize,
    told_to_wait: usize,
    without_retry_after: usize,
}

pub(crate) async fn measure(report: &mut String) {
    let gateway = Arc::new(Prepared::with(&[]).await.serve());
    let capacity = capacity(&gateway).await;
    let rate = capacity * 10.0;
    let threads = std::thread::available_parallelism().unwrap().get().saturating_sub(1).max(1);
    logins(&gateway, "warm", Duration::from_secs(3)).await;
    writeln!(report, "## Do logins by code notice a flood of passwords?\n").unwrap();
    writeln!(
        report,
        "{}, {LOGINS} logins by code a second; the floods offer {rate:.0} passwords a second, ten times the {capacity:.0} \
         that this machine hashes with its {threads} thread(s); {ROUNDS} alternating rounds of {} s each.\n",
        gateway.database,
        PHASE.as_secs()
    )
    .unwrap();
    writeln!(report, "| logins by code | p50 | p99 | p99.9 | p99 / quiet (bound 2) | passwords |\n|---|---|---|---|---|---|").unwrap();
    for guesser in [Guesser::Everybody, Guesser::OneClient] {
        let (mut quiet, mut flooded, mut flood) = (Vec::new(), Vec::new(), Flood::default());
        for round in 0..ROUNDS {
            let name = format!("{}{round}", guesser as u8);
            quiet.extend(logins(&gateway, &format!("quiet{name}"), PHASE).await);
            let guesses = tokio::spawn(guess(gateway.clone(), guesser, round, rate));
            flooded.extend(logins(&gateway, &format!("flood{name}"), PHASE).await);
            flood = flood.and(&guesses.await.unwrap());
        }
        let ratio = percentile(&mut flooded, 0.99) / percentile(&mut quiet, 0.99);
        let names = match guesser {
            Guesser::Everybody => ["quiet", "unknown names, an address each"],
            Guesser::OneClient => ["quiet", "one name from one address"],
        };
        let asked = format!(
            "{} offered, {} hashed, {} shed (503), {} told to wait (429), {} of these without Retry-After",
            flood.offered, flood.hashed, flood.shed, flood.told_to_wait, flood.without_retry_after
        );
        for (name, times, ratio, asked) in [
            (names[0], &mut quiet, String::new(), String::new()),
            (names[1], &mut flooded, format!("{ratio:.2}"), asked),
        ] {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|p| percentile(times, p));
            writeln!(report, "| {name} | {p50:.2} ms | {p99:.2} ms | {p999:.2} ms | {ratio} | {asked} |")
                .unwrap();
        }
    }
    let (most, bound) = (gateway.memory("VmHWM:"), threads as f64 * 19.0 + 64.0);
    writeln!(report, "\nMemory: {most:.0} MiB at the most (bound: {threads} × 19 + 64 = {bound:.0} MiB).\n")
        .unwrap();
}

impl Flood {
    fn and(self, more: &Self) -> Self {
        Self {
            offered: self.offered + more.offered,
            hashed: self.hashed + more.hashed,
            shed: self.shed + more.shed,
            told_to_wait: self.told_to_wait + more.told_to_wait,
            without_retry_after: self.without_retry_after + more.without_retry_after,
        }
    }
}

/// Passwords a second, one after the other on as many connections as there are cores.
async fn capacity(gateway: &Arc<Gateway>) -> f64 {
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..4 {
        let gateway = gateway.clone();
        workers.spawn(async move {
            let mut done = 0;
            while begun.elapsed() < Duration::from_secs(5) {
                let (address, name) = stranger(900 + worker, done);
                gateway.type_password(&address, &name, "wrong password").await;
                done += 1;
            }
            done
        });
    }
    let done: usize = workers.join_all().await.into_iter().sum();
    done as f64 / begun.elapsed().as_secs_f64()
}

async fn logins(gateway: &Arc<Gateway>, round: &str, span: Duration) -> Vec<f64> {
    let count = (span.as_secs_f64() * f64::from(LOGINS)) as usize;
    let mut codes = Vec::with_capacity(count);
    for at in 0..count {
        codes.push(gateway.code(&format!("{round}-{}", at % 500)).await);
    }
    let begun = tokio::time::Instant::now();
    let mut under_way = JoinSet::new();
    for (at, code) in codes.into_iter().enumerate() {
        let due = begun + Duration::from_secs(1) * u32::try_from(at).unwrap() / LOGINS;
        sleep_until(due).await;
        let gateway = gateway.clone();
        under_way.spawn(async move {
            assert_eq!(gateway.log_in(&code).await, 200);
            due.elapsed().as_secs_f64() * 1000.0
        });
    }
    under_way.join_all().await
}

async fn guess(gateway: Arc<Gateway>, guesser: Guesser, round: usize, rate: f64) -> Flood {
    let end = tokio::time::Instant::now() + PHASE;
    let mut ticks = interval_at(tokio::time::Instant::now(), Duration::from_secs_f64(1.0 / rate));
    let mut under_way = JoinSet::new();
    let mut flood = Flood::default();
    while tokio::time::Instant::now() < end {
        ticks.tick().await;
        let at = if guesser == Guesser::OneClient { 0 } else { flood.offered };
        let (gateway, (address, name)) = (gateway.clone(), stranger(round, at));
        under_way.spawn(async move { gateway.type_password(&address, &name, "wrong password").await });
        flood.offered += 1;
    }
    for (status, retry) in under_way.join_all().await {
        match status {
            400 => flood.hashed += 1,
            503 => flood.shed += 1,
            429 => flood.told_to_wait += 1,
            other => panic!("{other}"),
        }
        flood.without_retry_after += usize::from(status != 400 && !retry);
    }
    flood
}

/// A name nobody has, from an address nobody used.
fn stranger(round: usize, at: usize) -> (String, String) {
    let address = format!("fd00:{round:x}:{:x}:{:x}::1", at >> 16, at & 0xffff);
    (address, format!("stranger{round}-{at}"))
}

fn percentile(times: &mut [f64], p: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * p).round() as usize]
}
