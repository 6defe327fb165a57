//! Unknown name and wrong password, 2,000 each in random order, one at a time: Welch's t of their times. Beyond ±4.5 they
//! would be told apart (the bound that leak tests use: t-test leakage assessment, ISO/IEC 17825).

use std::fmt::Write as _;
use std::time::Instant;

use crate::gateway::Prepared;

const EACH: usize = 2000;

pub(crate) async fn measure(report: &mut String) {
    let gateway = Prepared::with(&[]).await.with_accounts(EACH).serve();
    for at in 0..100 {
        gateway.type_password(&format!("198.18.0.{at}"), &format!("warm{at}"), "wrong password").await;
    }
    let mut order: Vec<(usize, bool)> = (0..EACH).flat_map(|at| [(at, true), (at, false)]).collect();
    shuffle(&mut order);
    let mut times = [Vec::with_capacity(EACH), Vec::with_capacity(EACH)];
    for (turn, (at, known)) in order.into_iter().enumerate() {
        // Addresses and names of one length, each used once: no wait, no difference but the one that is measured.
        let address = format!("100.{}.{}.{}", 64 + turn / 62_500, 1 + turn / 250 % 250, 1 + turn % 250);
        let name = if known { format!("user{at}") } else { format!("nope{at}") };
        let begun = Instant::now();
        let (status, _) = gateway.type_password(&address, &name, "wrong password").await;
        times[usize::from(known)].push(begun.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(status, 400);
    }
    let t = welch(&times[0], &times[1]);
    writeln!(report, "## Can an unknown name be told from a wrong password?\n").unwrap();
    writeln!(
        report,
        "{EACH} each, shuffled, one at a time, {}, argon2id m=19456 t=2 p=1:\n",
        gateway.database
    )
    .unwrap();
    writeln!(report, "| | mean | median | standard deviation |\n|---|---|---|---|").unwrap();
    for (name, times) in ["unknown name", "wrong password"].into_iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let (mean, variance) = moments(times);
        let median = times[times.len() / 2];
        writeln!(report, "| {name} | {mean:.3} ms | {median:.3} ms | {:.3} ms |", variance.sqrt()).unwrap();
    }
    let verdict = if t.abs() < 4.5 { "not told apart" } else { "TOLD APART" };
    writeln!(report, "\nWelch's t = {t:.2}: {verdict} (bound ±4.5).\n").unwrap();
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

fn welch(a: &[f64], b: &[f64]) -> f64 {
    let ((mean_a, variance_a), (mean_b, variance_b)) = (moments(a), moments(b));
    (mean_a - mean_b) / (variance_a / a.len() as f64 + variance_b / b.len() as f64).sqrt()
}

/// Fisher and Yates, by the gateway's own randomness.
fn shuffle<T>(items: &mut [T]) {
    for end in (1..items.len()).rev() {
        let random = u64::from_be_bytes(wxgate::vault::random::bytes());
        items.swap(end, (random % (end as u64 + 1)) as usize);
    }
}
