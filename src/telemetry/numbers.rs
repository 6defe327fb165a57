//! What we count, for Prometheus. Every name stands here, once, and in docs/operate.md.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::{log, process};

/// The numbers of this process, once somebody counts.
static NUMBERS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Upper ends of spans of time, in seconds: from an answer out of memory to a request's own timeout.
const SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Of logins in a batch.
const LOGINS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Begins to count: before, what is counted is lost.
pub fn count() {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".into()), &LOGINS));
    // Of two lists that aren't empty.
    let Ok(builder) = builder else { return };
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        let _ = NUMBERS.set(handle);
    }
    describe();
    // There from the start, so that an alert on them has something to compare.
    gauge!("wxgate_reload_failing").set(0.0);
    gauge!("wxgate_wechat_breaker_open").set(0.0);
    gauge!("wxgate_draining").set(0.0);
    gauge!("wxgate_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

fn describe() {
    describe_counter!(
        "wxgate_logins_total",
        "Logins, by app, way and outcome: done, or the code of the error"
    );
    describe_counter!("wxgate_http_requests_total", "Requests answered, by route and status");
    describe_histogram!(
        "wxgate_http_request_duration_seconds",
        Unit::Seconds,
        "From a request's head to its answer's"
    );
    describe_gauge!("wxgate_http_connections", "Open connections of the public side");
    describe_counter!("wxgate_shed_total", "Refused at once so that others are served, by class");
    describe_gauge!("wxgate_in_flight", "Requests of a class that are worked on");
    describe_gauge!(
        "wxgate_in_flight_limit",
        "How many of a class may be worked on at once: it follows how long they take"
    );
    describe_counter!(
        "wxgate_wechat_answers_total",
        "What WeChat answered, by path: its errcode (0 fine), or why there was no answer"
    );
    describe_histogram!("wxgate_wechat_duration_seconds", Unit::Seconds, "How long WeChat took");
    describe_gauge!("wxgate_wechat_in_flight", "Requests that WeChat works on");
    describe_gauge!("wxgate_wechat_breaker_open", "1 while calls fail at once because WeChat doesn't answer");
    describe_histogram!("wxgate_batch_size", "Logins written by one commit");
    describe_histogram!("wxgate_batch_duration_seconds", Unit::Seconds, "How long a commit of logins took");
    describe_gauge!("wxgate_batch_waiting", "Logins that wait to be written");
    describe_counter!("wxgate_batch_alone_total", "Logins that a batch couldn't decide and that went alone");
    describe_gauge!("wxgate_hashing_waiting", "Passwords that wait for a thread");
    describe_gauge!("wxgate_hashing_running", "Passwords that are hashed");
    describe_counter!("wxgate_tokens_issued_total", "Tokens signed, by key");
    describe_counter!("wxgate_tokens_verified_total", "Tokens accepted at the gateway's own doors, by key");
    describe_gauge!("wxgate_keys", "Signing keys, by state: waits, signs, retiring");
    describe_gauge!(
        "wxgate_key_signing_since_timestamp_seconds",
        "When the key that signs began to; 0: before anybody noted it"
    );
    describe_gauge!(
        "wxgate_key_next_change_timestamp_seconds",
        "When the ring changes by itself next; 0: never"
    );
    describe_gauge!(
        "wxgate_tls_certificate_expires_timestamp_seconds",
        "When the gateway's own certificate ends, where it has one"
    );
    describe_counter!("wxgate_reloads_total", "Reloads of the keys, by outcome: done, refused");
    describe_gauge!(
        "wxgate_reload_failing",
        "1 while the configured keys won't do and the ones of before serve on; the log says why"
    );
    describe_counter!(
        "wxgate_log_lines_dropped_total",
        "Log lines lost because whoever reads the log doesn't"
    );
    describe_gauge!("wxgate_ready", "1 while a login could succeed, as /readyz found it last");
    describe_gauge!("wxgate_draining", "1 after SIGTERM, until the process ends");
    describe_gauge!("wxgate_build_info", "1; the version is the label");
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory");
    describe_gauge!("process_open_fds", "Open files and connections");
    describe_gauge!("process_max_fds", "How many there may be");
    describe_gauge!("process_start_time_seconds", Unit::Seconds, "When the process started");
    describe_counter!("process_cpu_seconds_total", Unit::Seconds, "CPU time, user and system");
}

/// What is measured when somebody asks, rather than counted when it happens.
pub struct Gauges<'g> {
    /// Each class with how many are worked on, and how many may be.
    pub classes: &'g [(&'static str, usize, usize)],
    /// Each kind of batch with how many logins wait for it.
    pub waiting: &'g [(&'static str, usize)],
    /// Requests that WeChat works on.
    pub wechat: usize,
    /// Passwords that wait for a thread, and that are hashed.
    pub hashing: (usize, usize),
    /// Whether the process is on its way out.
    pub draining: bool,
    /// The key ring.
    pub signing: Signing,
    /// When the gateway's own certificate ends, where it has one; in seconds since the epoch.
    pub certificate: Option<i64>,
}

/// How the key ring stands. Instants in seconds since the epoch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signing {
    /// Listed, and yet to sign.
    pub waits: u32,
    /// Signs: one, or none.
    pub signs: u32,
    /// Superseded, still published.
    pub retiring: u32,
    /// When the one that signs began to.
    pub since: Option<i64>,
    /// When the ring changes by itself next.
    pub next: Option<i64>,
}

/// What has been counted, as Prometheus reads it.
pub fn numbers(gauges: &Gauges<'_>) -> String {
    let Some(numbers) = NUMBERS.get() else { return String::new() };
    let whole = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    for (class, under_way, limit) in gauges.classes {
        gauge!("wxgate_in_flight", "class" => *class).set(whole(*under_way));
        gauge!("wxgate_in_flight_limit", "class" => *class).set(whole(*limit));
    }
    for (kind, waiting) in gauges.waiting {
        gauge!("wxgate_batch_waiting", "kind" => *kind).set(whole(*waiting));
    }
    gauge!("wxgate_wechat_in_flight").set(whole(gauges.wechat));
    gauge!("wxgate_hashing_waiting").set(whole(gauges.hashing.0));
    gauge!("wxgate_hashing_running").set(whole(gauges.hashing.1));
    gauge!("wxgate_draining").set(if gauges.draining { 1.0 } else { 0.0 });
    let signing = gauges.signing;
    for (state, keys) in [("waits", signing.waits), ("signs", signing.signs), ("retiring", signing.retiring)]
    {
        gauge!("wxgate_keys", "state" => state).set(f64::from(keys));
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch have 34 bits")]
    let instant = |seconds: Option<i64>| seconds.unwrap_or(0) as f64;
    gauge!("wxgate_key_signing_since_timestamp_seconds").set(instant(signing.since));
    gauge!("wxgate_key_next_change_timestamp_seconds").set(instant(signing.next));
    if gauges.certificate.is_some() {
        gauge!("wxgate_tls_certificate_expires_timestamp_seconds").set(instant(gauges.certificate));
    }
    counter!("wxgate_log_lines_dropped_total").absolute(log::dropped());
    process::set();
    numbers.render()
}

/// Takes up what histograms were given since: between two questions of Prometheus' that would only grow.
pub fn keep_up() {
    if let Some(numbers) = NUMBERS.get() {
        numbers.run_upkeep();
    }
}

/// What `/readyz` found.
pub fn ready(ready: bool) {
    gauge!("wxgate_ready").set(if ready { 1.0 } else { 0.0 });
}

/// Counts a reload.
pub fn reloaded(done: bool) {
    counter!("wxgate_reloads_total", "outcome" => if done { "done" } else { "refused" }).increment(1);
    reload_failing(!done);
}

/// Whether the keys of before serve on because the configured ones can't be taken.
pub fn reload_failing(failing: bool) {
    gauge!("wxgate_reload_failing").set(if failing { 1.0 } else { 0.0 });
}

/// Counts a login: `way` is wechat or password, `outcome` done or the code it was refused with.
pub fn login(app: &str, way: &'static str, outcome: &'static str) {
    counter!("wxgate_logins_total", "app" => app.to_owned(), "way" => way, "outcome" => outcome).increment(1);
}

/// Of each status and route what counts it, looked up once in each thread: at the doors that answer from memory, looking it up in
/// the registry would cost as much as the answer, and a lock that all threads take as well.
type Answers = HashMap<u16, HashMap<String, (Counter, Histogram)>>;

thread_local! {
    static ANSWERS: RefCell<Answers> = RefCell::default();
    /// Of each class the same: of an overload there are thousands a second.
    static SHED: RefCell<HashMap<&'static str, Counter>> = RefCell::default();
}

/// Counts an answer. `route` is the pattern, never the path: a stranger must not make up rows.
pub fn answered(route: &str, status: u16, took: Duration) {
    // Before somebody counts, handles lead nowhere and must not be kept.
    if NUMBERS.get().is_none() {
        return;
    }
    ANSWERS.with_borrow_mut(|known| {
        let routes = known.entry(status).or_default();
        if !routes.contains_key(route) {
            let count = counter!(
                "wxgate_http_requests_total", "route" => route.to_owned(), "status" => status.to_string()
            );
            let seconds = histogram!("wxgate_http_request_duration_seconds", "route" => route.to_owned());
            routes.insert(route.to_owned(), (count, seconds));
        }
        if let Some((count, seconds)) = routes.get(route) {
            count.increment(1);
            seconds.record(took);
        }
    });
}

/// One connection of the public side more, or less.
pub fn connections(more: bool) {
    let open = gauge!("wxgate_http_connections");
    if more { open.increment(1.0) } else { open.decrement(1.0) }
}

/// Counts who was refused at once so that others are served.
pub fn shed(class: &'static str) {
    if NUMBERS.get().is_none() {
        return;
    }
    SHED.with_borrow_mut(|known| {
        known.entry(class).or_insert_with(|| counter!("wxgate_shed_total", "class" => class)).increment(1);
    });
}

/// Counts an answer of WeChat's, or that there was none.
pub fn wechat_answered(path: &'static str, answer: &str) {
    counter!("wxgate_wechat_answers_total", "path" => path, "answer" => answer.to_owned()).increment(1);
}

/// How long WeChat took.
pub fn wechat_took(path: &'static str, took: Duration) {
    histogram!("wxgate_wechat_duration_seconds", "path" => path).record(took);
}

/// Whether calls to WeChat fail at once.
pub fn breaker(open: bool) {
    gauge!("wxgate_wechat_breaker_open").set(if open { 1.0 } else { 0.0 });
}

/// A batch of logins was written.
pub fn batch(kind: &'static str, logins: usize, took: Duration) {
    histogram!("wxgate_batch_size", "kind" => kind)
        .record(f64::from(u32::try_from(logins).unwrap_or(u32::MAX)));
    histogram!("wxgate_batch_duration_seconds", "kind" => kind).record(took);
}

/// A login that a batch couldn't decide.
pub fn went_alone() {
    counter!("wxgate_batch_alone_total").increment(1);
}

/// Counts a token signed by this key.
pub fn token_issued(kid: &str) {
    counter!("wxgate_tokens_issued_total", "kid" => kid.to_owned()).increment(1);
}

/// What counts the tokens of one key that are accepted: looked up once, because it is asked with every request.
pub struct Accepted(Counter);

impl Accepted {
    /// For tokens of this key.
    pub fn by(kid: &str) -> Self {
        Self(counter!("wxgate_tokens_verified_total", "kid" => kid.to_owned()))
    }

    /// One more.
    pub fn count(&self) {
        self.0.increment(1);
    }
}
