//! Who is asking: the request's id, the address it comes from, the language it wants. And the one log line of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONNECTION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use axum::response::Response;
use ipnet::IpNet;
use tracing::Span;
use uuid::Uuid;

use super::language::Language;
use crate::app::App;
use crate::error::{Code, Error};
use crate::telemetry::{self, spans};
use crate::vault::random;

/// The access log's target.
const ACCESS: &str = "wxgate::access";

/// The route of those who were turned away before there was one.
const TURNED_AWAY: &str = "(turned away)";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whoever sent this request.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) request_id: String,
    pub(super) ip: IpAddr,
    pub(super) language: Language,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let visitor = parts.extensions.get::<Self>().cloned();
        visitor.ok_or_else(|| Error::from(Code::Internal).because("a route outside the frame"))
    }
}

/// A request from its first to its last moment here.
pub(super) struct Visit {
    pub(super) visitor: Visitor,
    /// What is done for it is done within.
    pub(super) span: Span,
    started: Instant,
    method: &'static str,
    /// The trace that it belongs to, if it says so.
    trace: Option<String>,
    /// Whether its connection is to end with this answer.
    last: bool,
}

impl Visit {
    pub(super) fn begin<B>(app: &App, request: &Request<B>, peer: Option<IpAddr>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "how long a request took, for its log line")]
        let started = Instant::now();
        // Without a connection nobody is trusted.
        let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ip| ip.to_canonical());
        let trusted = &app.config.http.trusted_proxies;
        let visitor = Visitor {
            request_id: request_id(request.headers(), is_trusted(peer, trusted)),
            ip: client_ip(peer, request.headers(), trusted),
            language: Language::of(request.headers()),
        };
        // Whoever sends us requests by this connection is to find another replica for the next one. HTTP/2 is told so by itself.
        let last = app.is_leaving() && request.version() < Version::HTTP_2;
        let trace = trace_id(request.headers());
        let parent = request.headers().get(TRACEPARENT).filter(|_| trace.is_some());
        let method = named(request.method());
        let span = spans::request(method, parent.and_then(|parent| parent.to_str().ok()));
        Self { visitor, span, started, method, trace, last }
    }

    /// Gives the answer what every answer has, and logs it. `route`: not the path, which may carry what only its owner should
    /// see.
    pub(super) fn end(self, mut response: Response, route: &str) -> Response {
        let error = response.extensions_mut().remove();
        self.ended(response, route, error.as_ref())
    }

    /// The same, of one that was turned away by `refused`.
    pub(super) fn turned_away(self, response: Response, refused: &Error) -> Response {
        self.ended(response, TURNED_AWAY, Some(refused))
    }

    fn ended(self, mut response: Response, route: &str, error: Option<&Error>) -> Response {
        let Self { visitor, span, started, method, trace, last } = self;
        let id = HeaderValue::from_maybe_shared(Bytes::from(visitor.request_id)).ok();
        if let Some(id) = &id {
            response.headers_mut().insert(REQUEST_ID, id.clone());
        }
        // Answers are somebody's own, unless a door says otherwise; X-Litemall-Token alone would not keep a shared cache away.
        response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let (status, took) = (response.status().as_u16(), started.elapsed());
        telemetry::answered(route, status, took);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (id, ip) = (id.as_ref().and_then(|id| id.to_str().ok()), visitor.ip);
        let code = error.map(|error| error.code.as_str());
        let cause = error.and_then(|error| error.cause.as_deref());
        spans::answered(&span, method, route, status, code);
        match error.map(|error| error.code) {
            None => {
                tracing::info!(target: ACCESS, %method, route, status, ms, request.id = id, trace.id = trace, %ip, "answered")
            }
            // Many at once, by their nature: counted, and said once in a while by who turned them away.
            Some(_) if route == TURNED_AWAY => {
                tracing::debug!(target: ACCESS, %method, route, status, request.id = id, %ip, code, cause, "refused");
            }
            Some(refused) if refused.is_for_the_operator() => {
                tracing::error!(target: ACCESS, %method, route, status, ms, request.id = id, trace.id = trace, %ip, code, cause, "could not answer");
            }
            Some(_) => {
                tracing::info!(target: ACCESS, %method, route, status, ms, request.id = id, trace.id = trace, %ip, code, cause, "refused")
            }
        }
        response
    }
}

/// A method's name for the log and the spans. One of somebody's own may be as long as a head may be: OpenTelemetry's word for it,
/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>.
fn named(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// The id in a W3C traceparent, <https://www.w3.org/TR/trace-context/#traceparent-header>: in the log line it leads from a trace
/// here. Whoever makes one up finds their own lines.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let mut parts = headers.get(TRACEPARENT)?.to_str().ok()?.split('-');
    let hex = |text: &str, length| {
        text.len() == length
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let real = |text: &str| text.bytes().any(|byte| byte != b'0');
    (hex(version, 2) && version != "ff" && hex(trace, 32) && real(trace) && hex(parent, 16) && real(parent))
        .then(|| trace.to_owned())
}

/// A trusted proxy's id, so that its log and ours meet; else one of ours.
fn request_id(headers: &HeaderMap, trusted: bool) -> String {
    let given = headers.get(REQUEST_ID).filter(|_| trusted).and_then(|id| id.to_str().ok());
    let usable = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    given.filter(usable).map_or_else(next_id, str::to_owned)
}

/// This process's name and a number: an id that nobody else gives, at none of the cost of randomness. It opens nothing, so that
/// it may be guessed.
fn next_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| u64::from_be_bytes(random::bytes()));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(*PROCESS, NEXT.fetch_add(1, Ordering::Relaxed)).simple().to_string()
}

/// Walks X-Forwarded-For from the right: each trusted proxy vouches for the address left of it, and the first one
/// that nobody vouches for is the client.
pub(super) fn client_ip(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer;
    let lists: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    // By bytes: a hop that is no text ends the walk where it stands, and hides none of its neighbours.
    let hops = lists.iter().rev().flat_map(|list| list.rsplit(|byte| *byte == b','));
    for hop in hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()) {
        if !is_trusted(client, trusted) {
            break;
        }
        let Some(address) = std::str::from_utf8(hop).ok().and_then(address) else { break };
        client = address;
    }
    client
}

/// With or without a port or brackets: proxies write all of them.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let plain = bare.parse::<IpAddr>().ok();
    plain.or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip())).map(|ip| ip.to_canonical())
}

/// Of those nobody is limited: this machine, where a proxy may stand that isn't configured as one and would have everybody's
/// requests counted as its own; and the proxies that are.
pub(super) fn is_neighbour(ip: IpAddr, trusted: &[IpNet]) -> bool {
    ip.is_loopback() || is_trusted(ip, trusted)
}

pub(super) fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&ip))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(list.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client_ip(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_method_of_somebodys_own_is_one_word_in_the_log() {
        assert_eq!(named(&Method::PATCH), "PATCH");
        for own in ["get", "X", &"M".repeat(60_000)] {
            assert_eq!(named(&Method::from_bytes(own.as_bytes()).unwrap()), "_OTHER");
        }
    }

    #[test]
    fn a_stranger_may_say_what_it_likes_about_where_it_comes_from() {
        assert_eq!(from("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
    }

    #[test]
    fn behind_trusted_proxies_the_first_address_nobody_vouches_for_counts() {
        assert_eq!(from("10.0.0.1", &["6.6.6.6, 203.0.113.9, 10.0.0.7"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["6.6.6.6", "203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(from("fd00::1", &["2001:db8::9"]), "2001:db8::9");
        assert_eq!(from("10.0.0.1", &["[2001:db8::9]"]), "2001:db8::9");
        assert_eq!(from("10.0.0.1", &["203.0.113.9, "]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["1.1.1.1", "\u{e9}, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        assert_eq!(from("10.0.0.1", &["1.1.1.1, unknown"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn a_trace_is_known_by_a_well_formed_traceparent_only() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.append("traceparent", HeaderValue::from_str(text).unwrap());
            trace_id(&headers)
        };
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(of(&format!("00-{trace}-00f067aa0ba902b7-01")).as_deref(), Some(trace));
        // A later version may have more behind.
        assert_eq!(of(&format!("cc-{trace}-00f067aa0ba902b7-01-what")).as_deref(), Some(trace));
        for bad in [
            "",
            "00",
            trace,
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic_or_trusts_a_stranger(list in "[0-9a-f.:, ]{0,64}") {
            prop_assert_eq!(from("203.0.113.9", &[&list]), "203.0.113.9");
            from("10.0.0.1", &[&list]);
        }
    }
}
