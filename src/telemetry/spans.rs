//! Spans: where a request's time went, for a collector of traces (`exporter`).
//!
//! Without an exporter they are switched off where they stand, which costs a comparison. Names and attributes are OpenTelemetry's,
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>; none of them carries what a person sent but the method, which is
//! one of a few words.

use tracing::Span;
use tracing::field::Empty;

#[cfg(feature = "otlp")]
use super::exporter;

/// The spans' target: the log leaves it out.
pub(super) const TARGET: &str = "wxgate::trace";

/// Whether OpenTelemetry's variables name a collector, and don't switch it all off.
pub(super) fn wanted() -> bool {
    let is = |name, wanted: &str| set(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted));
    let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    let endpoint =
        ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].into_iter().find_map(set);
    !off && endpoint.is_some()
}

/// A variable that is there and says something.
pub(super) fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// A request, from its head to its answer's. `traceparent`: the header, if there was one.
pub fn request(method: &str, traceparent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        target: TARGET, "request", otel.kind = "server", otel.status_code = Empty,
        http.request.method = method, http.route = Empty, http.response.status_code = Empty, error.type = Empty,
    );
    #[cfg(feature = "otlp")]
    if let Some(parent) = traceparent.filter(|_| !span.is_disabled()) {
        exporter::follow(&span, parent);
    }
    #[cfg(not(feature = "otlp"))]
    let _ = traceparent;
    span
}

/// What became of a request: its route, its status and, where it was refused, the code.
pub fn answered(span: &Span, method: &str, route: &str, status: u16, code: Option<&str>) {
    if span.is_disabled() {
        return;
    }
    #[cfg(feature = "otlp")]
    exporter::rename(span, format!("{method} {route}"));
    #[cfg(not(feature = "otlp"))]
    let _ = method;
    span.record("http.route", route);
    span.record("http.response.status_code", status);
    if let Some(code) = code {
        span.record("error.type", code);
    }
    // Of a server's span only what went wrong here is an error; what the client did wrong isn't.
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// A request to WeChat. One that is dropped without an answer was given up: its time was over, or whoever asked was gone.
pub struct Asked {
    /// What is done for it is done within.
    pub span: Span,
    answered: bool,
}

/// A request to WeChat.
pub fn wechat(method: &str, path: &'static str) -> Asked {
    let span = tracing::info_span!(
        target: TARGET, "WeChat", otel.kind = "client", otel.name = %format_args!("{method} {path}"), otel.status_code = Empty,
        http.request.method = method, url.template = path, wechat.answer = Empty,
    );
    Asked { span, answered: false }
}

impl Asked {
    /// What WeChat answered: `0`, its errcode, or why there was no answer.
    pub fn answered(mut self, answer: &str) {
        self.record(answer);
    }

    fn record(&mut self, answer: &str) {
        self.answered = true;
        self.span.record("wechat.answer", answer);
        if answer != "0" {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.answered {
            self.record("given up");
        }
    }
}

/// A login that is written, with the time that it waits for its batch.
pub fn written(database: &'static str) -> Span {
    let system = match database {
        "PostgreSQL" => "postgresql",
        "SQLite" => "sqlite",
        _ => "mysql",
    };
    tracing::info_span!(target: TARGET, "write login", otel.kind = "client", db.system.name = system)
}

/// A password that is hashed, with the time that it waits for a thread.
pub fn hashed() -> Span {
    tracing::info_span!(target: TARGET, "hash password")
}
