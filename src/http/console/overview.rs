//! `GET /internal/v1/overview`: how this replica fares, for a page that a person looks at.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::super::AppState;
use super::super::service::Service;
use super::super::visitor::Visitor;
use super::keys::Keys;
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result, Text};
use crate::telemetry::history::{self, MINUTES};
use crate::wechat::health::{How, LATELY, Report, State as Health};

/// Minutes of a look that says nothing of them.
const USUAL: usize = 180;
/// Answers of WeChat's that are shown.
const ANSWERS: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    minutes: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    now: Timestamp,
    replica: Replica,
    /// The configured mini-programs, and the names of the levels: what a form chooses from.
    apps: Vec<String>,
    levels: Vec<String>,
    /// When the first minute of every series began.
    from: Timestamp,
    logins: Vec<Logins>,
    wechat: Wechat,
    keys: Keys,
    column_keys: Vec<ColumnKey>,
}

/// Which process this is: the numbers are its own, and begin with it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replica {
    name: String,
    version: &'static str,
    since: Timestamp,
    uptime_seconds: i64,
}

/// Logins that ended alike, minute by minute.
#[derive(Serialize)]
struct Logins {
    /// `wechat` or `password`
    way: &'static str,
    /// `done`, or an error's code.
    outcome: &'static str,
    /// `done`, `refused` (whoever asked can do something about it) or `failed` (whoever runs the gateway can).
    kind: &'static str,
    /// In words.
    title: String,
    counts: Vec<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wechat {
    /// `quiet`, `healthy`, `unsteady` or `failing`, by the last few minutes.
    state: &'static str,
    lately: Lately,
    /// Minute by minute.
    calls: Vec<u32>,
    failed: Vec<u32>,
    mean_ms: Vec<u64>,
    /// The newest first.
    answers: Vec<Answer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lately {
    minutes: usize,
    calls: u32,
    failed: u32,
    /// 0 to 1.
    error_share: f64,
    median_ms: Option<u64>,
    p95_ms: Option<u64>,
}

#[derive(Serialize)]
struct Answer {
    at: Timestamp,
    /// The path at WeChat's server API.
    call: &'static str,
    /// `answered`, `refused` or `failed`
    outcome: &'static str,
    detail: Option<String>,
    ms: u64,
}

#[derive(Serialize)]
struct ColumnKey {
    id: String,
    /// The first seals, all open.
    seals: bool,
}

/// `GET /internal/v1/overview?minutes=180`
pub(super) async fn show(
    State(app): State<AppState>,
    _: Service,
    visitor: Visitor,
    wanted: std::result::Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Overview>> {
    let minutes = wanted.ok().map(|Query(wanted)| wanted.minutes.unwrap_or(USUAL));
    let minutes = minutes.filter(|minutes| (1..=MINUTES).contains(minutes)).ok_or_else(|| {
        Error::invalid("minutes", "应为 1 到 1440", "must be 1 to 1440, and is all that may be said")
    })?;
    let (rooms, now, language) = (&app.rooms, app.rooms.now(), visitor.language);
    let history = &rooms.history;
    let logins = history.logins(minutes, now).into_iter().map(|(ended, counts)| {
        let (kind, title) = kind(ended.outcome);
        let title = language.pick(&title).to_owned();
        Logins { way: ended.way, outcome: ended.outcome, kind, title, counts }
    });
    Ok(Json(Overview {
        now,
        replica: Replica {
            name: history.replica.clone(),
            version: env!("CARGO_PKG_VERSION"),
            since: history.since,
            uptime_seconds: now.as_second().saturating_sub(history.since.as_second()).max(0),
        },
        apps: app.config.wechat.apps.iter().map(|app| app.id.clone()).collect(),
        levels: rooms.levels.clone(),
        from: history::begin(minutes, now),
        logins: logins.collect(),
        wechat: wechat(rooms.wechat.health(minutes, ANSWERS)),
        keys: Keys::of(&rooms.tokens.plan(), app.config.tokens.verifier_cache, now, language),
        column_keys: column_keys(&rooms.vault.key_ids()),
    }))
}

/// Whose turn an outcome makes it, and what it means.
fn kind(outcome: &str) -> (&'static str, Text) {
    match Code::ALL.iter().find(|code| code.as_str() == outcome) {
        Some(code) if code.is_for_the_operator() => ("failed", code.title()),
        Some(code) => ("refused", code.title()),
        None => ("done", Text::fixed("登录成功", "Logged in")),
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn wechat(report: Report) -> Wechat {
    let Report { state, lately, median, slow, answers, minutes } = report;
    let answers = answers.into_iter().map(|answer| {
        let (outcome, detail) = match answer.how {
            How::Answered => ("answered", None),
            How::Refused(errcode) => ("refused", Some(format!("errcode {errcode}"))),
            How::Failed(why) => ("failed", Some(why.into_owned())),
        };
        Answer { at: answer.at, call: answer.path, outcome, detail, ms: millis(answer.took) }
    });
    Wechat {
        state: match state {
            Health::Quiet => "quiet",
            Health::Healthy => "healthy",
            Health::Unsteady => "unsteady",
            Health::Failing => "failing",
        },
        lately: Lately {
            minutes: LATELY,
            calls: lately.all,
            failed: lately.failed,
            error_share: f64::from(lately.failed) / f64::from(lately.all.max(1)),
            median_ms: median.map(millis),
            p95_ms: slow.map(millis),
        },
        calls: minutes.iter().map(|calls| calls.all).collect(),
        failed: minutes.iter().map(|calls| calls.failed).collect(),
        mean_ms: minutes.iter().map(|calls| calls.millis / u64::from(calls.all.max(1))).collect(),
        answers: answers.collect(),
    }
}

fn column_keys(ids: &[String]) -> Vec<ColumnKey> {
    ids.iter().enumerate().map(|(at, id)| ColumnKey { id: id.clone(), seals: at == 0 }).collect()
}
