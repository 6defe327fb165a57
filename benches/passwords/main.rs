//! What passwords cost, and whom: `scripts/bench-passwords`, or `cargo bench --bench passwords` with the same environment.
//!
//! The real gateway as a process of its own, a simulated WeChat over real HTTP, and load from this process, all on one
//! machine. Three questions: can an unknown name be told from a wrong password by time, do logins by code notice a flood of
//! passwords, and does everybody of a large import get in. The answers are printed and written to `benches/passwords/RESULTS-….md`, a file for each database.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures time and stops at what it didn't expect"
)]

mod flood;
mod gateway;
mod imported;
mod twins;

use std::fmt::Write as _;

fn main() {
    // `cargo test --benches` builds benchmarks; it is not meant to run them.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut report = String::from(
        "# Measured\n\n<!-- Written by scripts/bench-passwords -->\n\nOne machine carries the gateway, the database, \
         the simulated WeChat and the load: read the ratios.\n",
    );
    let cores = std::thread::available_parallelism().unwrap();
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    writeln!(report, "\n{cores} cores, {}.\n", processor.map_or("processor unknown", |(_, name)| name))
        .unwrap();
    runtime.block_on(async {
        twins::measure(&mut report).await;
        flood::measure(&mut report).await;
        imported::measure(&mut report).await;
    });
    println!("{report}");
    let database = if std::env::var_os("WXGATE_TEST_POSTGRES").is_some() { "postgresql" } else { "sqlite" };
    let path = format!("{}/benches/passwords/RESULTS-{database}.md", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(path, report).unwrap();
}
