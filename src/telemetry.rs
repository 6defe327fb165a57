//! What we say: one subscriber, for a person or for a machine; and what we count.

pub mod history;

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Level, Log, LogFormat};

/// The numbers of this process, once somebody counts.
static NUMBERS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count: before, what is counted is lost.
pub fn count() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        let _ = NUMBERS.set(handle);
    }
    metrics::describe_counter!("wxgate_reloads_total", "Reloads of the keys, by outcome: done, refused");
    metrics::describe_gauge!(
        "wxgate_reload_failing",
        "1 while the configured keys won't do and the ones of before serve on; the log says why"
    );
    // There from the start, so that an alert on it has something to compare.
    metrics::gauge!("wxgate_reload_failing").set(0.0);
}

/// What has been counted, as Prometheus reads it.
pub fn numbers() -> String {
    NUMBERS.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Counts a reload.
pub fn reloaded(done: bool) {
    metrics::counter!("wxgate_reloads_total", "outcome" => if done { "done" } else { "refused" })
        .increment(1);
    reload_failing(!done);
}

/// Whether the keys of before serve on because the configured ones can't be taken.
pub fn reload_failing(failing: bool) {
    metrics::gauge!("wxgate_reload_failing").set(if failing { 1.0 } else { 0.0 });
}

/// Installs the subscriber. Only wxgate's own level can be set: the libraries below it never say more than warnings,
/// because at TRACE some of them name URLs and headers.
pub fn init(log: &Log) {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // The database's libraries say nothing at all: their warnings quote the server's text, and in it the row.
    let silent = ["sqlx", "sea_orm", "sea_orm_migration"].map(|library| (library, LevelFilter::OFF));
    let filter = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("wxgate", level)
        // Whatever the level: it says who became whom, not how the program fares.
        .with_target("wxgate::audit", LevelFilter::INFO)
        .with_targets(silent);
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match log.format {
        LogFormat::Text => {
            use std::io::IsTerminal as _;
            output.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed()
        }
        LogFormat::Json => output.json().flatten_event(true).boxed(),
    };
    // A second call (tests in one process) keeps the first.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    std::panic::set_hook(Box::new(|panic| {
        // Where, but not what: a panic's text may quote what it choked on.
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "a panic; the request is answered 500, please report this line");
    }));
}
