//! Spans to a collector, by OTLP over HTTP, where OpenTelemetry's own variables name one.
//!
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>. A thread of its own sends them, from a
//! queue that is bounded: a collector that is gone holds up nobody.

use std::sync::OnceLock;

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;

use super::log::Part;
use super::spans::{self, set};

/// Ended with the process: what waits is sent then.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// What sends spans, if it is wanted.
///
/// # Errors
/// The variables don't name a collector that could be reached this way, in words for the operator.
pub(super) fn layer() -> Result<Option<Part>, String> {
    if !spans::wanted() {
        return Ok(None);
    }
    for name in [OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL] {
        let Some(other) = set(name).filter(|protocol| protocol != "http/protobuf") else { continue };
        return Err(format!(
            "{name} is {other}: wxgate sends traces by http/protobuf, to a collector's port 4318"
        ));
    }
    let exporter = SpanExporter::builder().with_http().build();
    let exporter =
        exporter.map_err(|error| format!("traces can't be sent (OTEL_EXPORTER_OTLP_*): {error}"))?;
    let resource =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let named = set("OTEL_SERVICE_NAME").is_some()
        || set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|list| list.contains("service.name="));
    let resource = if named { resource } else { resource.with_service_name("wxgate") };
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let tracer = provider.tracer("wxgate");
    let _ = PROVIDER.set(provider);
    let only = Targets::new().with_target(spans::TARGET, LevelFilter::INFO);
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    let layer = layer.with_location(false).with_threads(false).with_target(false).with_level(false);
    Ok(Some(layer.with_filter(only).boxed()))
}

/// Makes the span a part of the trace that its request came with. What is no trace is none.
pub(super) fn follow(span: &Span, traceparent: &str) {
    struct Header<'h>(&'h str);
    impl Extractor for Header<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == "traceparent").then_some(self.0)
        }

        fn keys(&self) -> Vec<&str> {
            vec!["traceparent"]
        }
    }
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
    // Only a span that has begun can't be given one.
    let _ = span.set_parent(parent);
}

/// Gives a span that has begun another name: what a field `otel.name` can't do any more.
pub(super) fn rename(span: &Span, name: String) {
    span.context().span().update_name(name);
}

/// Sends what waits to be sent: at the end of the program.
pub(super) fn flush() {
    if let Some(provider) = PROVIDER.get() {
        let _ = provider.shutdown();
    }
}
