//! An import of 100,000 accounts with mixed hashes, 100 of them broken, killed in the middle and given again; then every good
//! one logs in. The hashes are cheap, so that this is about the import and not about hashing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use crate::gateway::Prepared;

const ACCOUNTS: usize = 100_000;
const PASSWORD: &str = "p@ss word 密码";
const HASHES: [&str; 9] = include!("../../tests/vectors/password_hashes.in");

pub(crate) async fn measure(report: &mut String) {
    let cheap = [
        ("WXGATE_ACCOUNTS__ARGON2_MEMORY", "64"),
        ("WXGATE_ACCOUNTS__ARGON2_PASSES", "1"),
        ("WXGATE_ACCOUNTS__PASSWORDS_PER_MINUTE", "1000000"),
    ];
    let prepared = Prepared::with(&cheap).await;
    let mut csv = String::from("username,password_hash\n");
    for at in 0..ACCOUNTS {
        let hash = if is_broken(at) { "5f4dcc3b5aa765d61d8327deb882cf99" } else { HASHES[at % HASHES.len()] };
        writeln!(csv, "person{at},\"{hash}\"").unwrap();
    }
    prepared.write(&csv);
    let begun = Instant::now();
    assert_eq!(prepared.import(Some("imported 5")), None, "killed");
    let code = prepared.import(None);
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(code, Some(1), "some were refused");
    let named = |line: &str| line.split(':').next().unwrap().to_owned();
    let named: Vec<String> = prepared.refused().lines().map(named).collect();
    let wanted = (0..ACCOUNTS).filter(|at| is_broken(*at)).map(|at| format!("line {}", at + 2));
    assert_eq!(named, wanted.collect::<Vec<_>>());
    let gateway = Arc::new(prepared.serve());
    let begun = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..16 {
        let gateway = gateway.clone();
        workers.spawn(async move {
            let mut entered = 0;
            for at in (worker..ACCOUNTS).step_by(16) {
                let (status, _) =
                    gateway.type_password("198.51.100.7", &format!("person{at}"), PASSWORD).await;
                assert_eq!(status, if is_broken(at) { 400 } else { 200 }, "person{at}");
                entered += usize::from(status == 200);
            }
            entered
        });
    }
    let entered: usize = workers.join_all().await.into_iter().sum();
    writeln!(
        report,
        "## Does everybody of a large import get in?\n\n{}: {ACCOUNTS} records of {} hashes, {} of them broken; \
         killed in the middle and given again, {took:.1} s in all, and the broken ones named by line. Then each logged in \
         once: {entered} got in, {} a second, each with its hash renewed; the others didn't.\n",
        gateway.database,
        HASHES.len(),
        named.len(),
        ACCOUNTS / begun.elapsed().as_secs() as usize
    )
    .unwrap();
}

fn is_broken(at: usize) -> bool {
    at % 1000 == 7
}
