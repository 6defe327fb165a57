//! The log: who does the writing, and what is written.
//!
//! A thread of its own writes. Whoever reads the log, a pipe, a terminal, a disk, may stop reading: then lines are dropped and
//! counted, and no request waits for them.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use super::spans;
use crate::config::{Level, Log, LogFormat};

/// Lines that wait to be written, at the most: some megabytes.
const WAITING: usize = 16_384;

/// So long the thread that writes lets lines come together: a person doesn't see it, and nothing waits for it.
const GATHERING: Duration = Duration::from_millis(2);

/// What is written to a pipe is in one piece up to this many bytes, <https://man7.org/linux/man-pages/man7/pipe.7.html>.
const PIPE_BUF: usize = 4096;

/// Those who write; dropped at the end, they write what waits.
static WRITERS: Mutex<Vec<WorkerGuard>> = Mutex::new(Vec::new());

/// How many lines were dropped, for each writer.
static DROPPED: OnceLock<Vec<ErrorCounter>> = OnceLock::new();

/// One of those that listen.
pub(super) type Part = Box<dyn Layer<Registry> + Send + Sync>;

/// Where lines go.
type Output = Box<dyn Write + Send>;

/// Installs the subscriber. Only wxgate's own level can be set: the libraries below it never say more than warnings,
/// because at TRACE some of them name URLs and headers.
///
/// # Errors
/// `log.audit_file` can't be written, or traces can't be sent as OpenTelemetry's variables say; in words for the operator.
pub fn init(log: &Log) -> Result<(), String> {
    let mut writers = Vec::new();
    let layers = layers(log, |output| {
        let (writer, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING)
            .thread_name("log")
            .finish(Gathered::new(output));
        writers.push((writer.error_counter(), guard));
        writer
    })?;
    let all = tracing_subscriber::registry().with(layers);
    // A second call (tests in one process) keeps the first.
    if all.try_init().is_ok() {
        let (counters, guards): (Vec<_>, Vec<_>) = writers.into_iter().unzip();
        let _ = DROPPED.set(counters);
        WRITERS.lock().unwrap_or_else(PoisonError::into_inner).extend(guards);
    }
    if cfg!(not(feature = "otlp")) && spans::wanted() {
        tracing::warn!(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this wxgate can't send traces: build it with --features otlp"
        );
    }
    std::panic::set_hook(Box::new(|panic| {
        // Where, but not what: a panic's text may quote what it choked on.
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "a panic; the request is answered 500, please report this line");
    }));
    Ok(())
}

/// Lines, written some at a time: to wake the thread that writes for each would cost a login more than the line itself does.
struct Gathered(BufWriter<Output>);

impl Gathered {
    /// Whole lines in each write, and no more than a pipe takes in one piece: who shares it never stands in the middle of a line.
    fn new(output: Output) -> Self {
        Self(BufWriter::with_capacity(PIPE_BUF, output))
    }
}

impl Write for Gathered {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    /// Asked for when no line waits any more.
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        thread::sleep(GATHERING);
        Ok(())
    }
}

/// Of the log, its audit file and the traces what there is.
///
/// A list, rather than layers that may be None: beside such a one the subscriber can't say of a span once and for all that nobody
/// wants it, and makes it with every request (<https://docs.rs/tracing-subscriber/0.3/tracing_subscriber/layer/index.html#per-layer-filtering>).
fn layers(log: &Log, mut writer: impl FnMut(Output) -> NonBlocking) -> Result<Vec<Part>, String> {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // The database's libraries say nothing at all: their warnings quote the server's text, and in it the row.
    let silent = ["sqlx", "sea_orm", "sea_orm_migration"].map(|library| (library, LevelFilter::OFF));
    // Refusals that want the operator are said all the same.
    let access = if log.access { level } else { level.min(LevelFilter::WARN) };
    let filter = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("wxgate", level)
        .with_target("wxgate::access", access)
        .with_target(spans::TARGET, LevelFilter::OFF)
        .with_targets(silent);
    // Whatever the level: the audit log says who became whom, not how the program fares.
    let audit = |level| Targets::new().with_targets([("wxgate::audit", level)]);
    let mut layers = Vec::new();
    let main = formatted(log.format, writer(Box::new(io::stderr())), io::stderr().is_terminal());
    if let Some(path) = &log.audit_file {
        let file = appending(path)
            .map_err(|error| format!("log.audit_file: {} can't be written: {error}", path.display()))?;
        let apart = formatted(log.format, writer(Box::new(file)), false);
        layers.push(apart.with_filter(audit(LevelFilter::INFO)).boxed());
    }
    let here = if log.audit_file.is_some() { LevelFilter::OFF } else { LevelFilter::INFO };
    layers.push(main.with_filter(filter.with_targets(audit(here))).boxed());
    #[cfg(feature = "otlp")]
    layers.extend(super::exporter::layer()?);
    Ok(layers)
}

fn formatted(format: LogFormat, writer: NonBlocking, colours: bool) -> Part {
    let output = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => output.with_target(false).with_ansi(colours).boxed(),
        LogFormat::Json => output.json().flatten_event(true).boxed(),
    }
}

/// Its owner's alone: it says who logged in from where.
fn appending(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Writes what waits to be written: at the end of the program.
pub fn flush() {
    #[cfg(feature = "otlp")]
    super::exporter::flush();
    WRITERS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// Lines that were dropped because nobody read them.
pub(super) fn dropped() -> u64 {
    let lines = DROPPED.get().into_iter().flatten().map(|counter| counter.dropped_lines() as u64);
    lines.sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::Subscriber as _;

    use super::*;

    /// Each write as it came.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_some_at_a_time_each_whole_and_none_is_lost() {
        let writes = Writes::default();
        let mut gathered = Gathered::new(Box::new(writes.clone()));
        let lines: Vec<String> = (0..100).map(|number| format!("{number:0300}\n")).collect();
        for line in &lines {
            gathered.write_all(line.as_bytes()).unwrap();
        }
        gathered.flush().unwrap();
        let writes = writes.0.lock().unwrap();
        assert_eq!(writes.concat(), lines.concat().as_bytes());
        assert!(writes.iter().all(|write| write.len() <= PIPE_BUF && write.ends_with(b"\n")));
        assert!(writes.len() < lines.len() / 10, "{} writes", writes.len());
    }

    #[test]
    fn without_a_collector_nobody_wants_a_span_and_it_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        for audit_file in [None, Some(folder.path().join("audit.log"))] {
            for level in [Level::Warn, Level::Trace] {
                let (format, audit_file) = (LogFormat::Json, audit_file.clone());
                let log = Log { level, format, access: true, audit_file };
                let layers = layers(&log, |_| tracing_appender::non_blocking(io::sink()).0).unwrap();
                let all = tracing_subscriber::registry().with(layers);
                let span = spans::request("GET", None);
                assert!(all.register_callsite(span.metadata().unwrap()).is_never(), "{log:?}");
            }
        }
    }
}
