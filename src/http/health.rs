//! `/livez`, `/readyz` and `/metrics` of the internal listener.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use serde::Serialize;

use super::AppState;
use crate::app::App;
use crate::clock::Timestamp;
use crate::telemetry::{self, Gauges, Signing};
use crate::throttle::Class;
use crate::tokens::{Planned, Stage};

#[derive(Serialize)]
pub(super) struct Readiness {
    status: &'static str,
    database: &'static str,
    #[serde(rename = "signingKey")]
    signing_key: &'static str,
}

/// The process runs. Never asks anybody: a restart wouldn't mend what they say.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// What was counted, in Prometheus' text format.
pub(super) async fn metrics(State(app): State<AppState>) -> ([(HeaderName, &'static str); 1], String) {
    look(&app).await;
    let rooms = &app.rooms;
    let classes = Class::ALL.map(|class| {
        let (under_way, most) = app.admission.under_way(class);
        (class.as_str(), under_way, most)
    });
    let numbers = telemetry::numbers(&Gauges {
        classes: &classes,
        waiting: &rooms.store.waiting(),
        wechat: rooms.wechat.under_way(),
        hashing: rooms.passwords.under_way(),
        draining: app.is_leaving(),
        signing: signing(&rooms.tokens.plan(), rooms.now()),
        certificate: app.tls.as_ref().and_then(|tls| tls.ends()).map(Timestamp::as_second),
    });
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], numbers)
}

fn signing(plan: &[Planned], now: Timestamp) -> Signing {
    let mut signing = Signing::default();
    for key in plan {
        match key.stage(now) {
            Stage::Published => signing.waits += 1,
            Stage::Signs => (signing.signs, signing.since) = (1, key.signs.map(Timestamp::as_second)),
            Stage::Retiring => signing.retiring += 1,
            Stage::Ended => {}
        }
    }
    let changes = plan.iter().flat_map(|key| [key.signs, key.gone]).flatten();
    signing.next = changes.filter(|instant| *instant > now).min().map(Timestamp::as_second);
    signing
}

/// A login could succeed now, as far as this process can tell (WeChat is not asked).
pub(super) async fn readyz(State(app): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let Found { database, signer, leaving } = look(&app).await;
    let word = |holds: bool| if holds { "ok" } else { "failing" };
    let (code, status) = if leaving {
        (StatusCode::SERVICE_UNAVAILABLE, "leaving")
    } else if database && signer {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (code, Json(Readiness { status, database: word(database), signing_key: word(signer) }))
}

/// How it stands.
struct Found {
    database: bool,
    signer: bool,
    leaving: bool,
}

/// So long the database may take to say that it is there: those who probe wait for no more than a second or two.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks, and notes what was found.
async fn look(app: &App) -> Found {
    let rooms = &app.rooms;
    let database = match tokio::time::timeout(PATIENCE, rooms.store.ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(cause = error.cause.as_deref(), "not ready: the database does not answer");
            false
        }
        Err(_) => {
            tracing::warn!("not ready: the database has not answered within two seconds");
            false
        }
    };
    let found = Found { database, signer: rooms.tokens.can_sign(rooms.now()), leaving: app.is_leaving() };
    telemetry::ready(found.database && found.signer && !found.leaving);
    found
}
