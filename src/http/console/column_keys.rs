//! `GET /internal/v1/column-keys`: how many values each column key seals. Every row is looked at, so only who asks is told, and
//! a large table's count goes on beside the answer: ask again to see how far it is.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::super::AppState;
use super::super::service::Service;
use super::super::visitor::Visitor;
use crate::clock::Timestamp;
use crate::error::{Result, Text};
use crate::flows::counting::{self, Progress};
use crate::flows::reseal::{Held, Tally};

/// A small table is counted before anybody would ask again.
const PATIENCE: Duration = Duration::from_millis(800);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColumnKeys {
    /// Whether a count is under way; what is said below is the one before's then.
    counting: bool,
    /// Rows seen of those there are, about.
    seen: u64,
    rows: u64,
    counted_at: Option<Timestamp>,
    keys: Vec<Key>,
    /// Values that are no envelopes.
    malformed: u64,
    /// What is to be done next; null before the first count.
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    /// The first of `secrets.column_keys` seals, all that it lists open.
    seals: bool,
    configured: bool,
    values: u64,
    #[serde(flatten)]
    held: Held,
}

pub(super) async fn count(
    State(app): State<AppState>,
    _: Service,
    visitor: Visitor,
) -> Result<Json<ColumnKeys>> {
    if app.rooms.counting.begin(app.rooms.now()) {
        let app = app.clone();
        let count = tokio::spawn(async move { counting::count(&app.rooms).await });
        // It goes on where it takes longer.
        let _ = tokio::time::timeout(PATIENCE, count).await;
    }
    let Progress { under_way, seen: (seen, rows), last } = app.rooms.counting.progress();
    let (counted_at, tally) = match last {
        Some((at, tally)) => (Some(at), Some(tally?)),
        None => (None, None),
    };
    let ids = app.rooms.vault.key_ids();
    let keys = tally.as_deref().map_or_else(Vec::new, |tally| keys(&ids, tally));
    let next = counted_at.map(|_| visitor.language.pick(&words(&keys)).to_owned());
    Ok(Json(ColumnKeys {
        counting: under_way,
        seen,
        rows,
        counted_at,
        malformed: tally.map_or(0, |tally| tally.malformed),
        keys,
        next,
    }))
}

/// Those that are configured in their order, then those that only the database names.
fn keys(ids: &[String], tally: &Tally) -> Vec<Key> {
    let listed: BTreeSet<&String> = ids.iter().collect();
    let stray = tally.keys.keys().filter(|id| !listed.contains(id));
    let key = |id: &String| {
        let held = tally.keys.get(id).copied().unwrap_or_default();
        Key {
            id: id.clone(),
            seals: ids.first() == Some(id),
            configured: listed.contains(id),
            values: held.sum(),
            held,
        }
    };
    ids.iter().chain(stray).map(key).collect()
}

fn words(keys: &[Key]) -> Text {
    let stray = keys.iter().find(|key| !key.configured && key.values > 0);
    let left: u64 = keys.iter().filter(|key| !key.seals).map(|key| key.values).sum();
    let empty = keys.iter().find(|key| !key.seals && key.configured && key.values == 0);
    match (stray, left, empty) {
        (Some(key), ..) => Text::new(
            format!(
                "有 {} 个值由 {} 密封，而配置中没有这把密钥，无法打开：请把它加回 secrets.column_keys。",
                key.values, key.id
            ),
            format!(
                "{} values are sealed with {}, which isn't configured, and can't be opened: list it again in secrets.column_keys.",
                key.values, key.id
            ),
        ),
        (None, 1.., _) => Text::new(
            format!("还有 {left} 个值由旧密钥密封：运行 wxgate secrets reseal。"),
            format!("{left} values are still under an older key: run wxgate secrets reseal."),
        ),
        (None, 0, Some(key)) => Text::new(
            format!(
                "{} 已不密封任何值：若每个副本都以第一把密钥密封，可以把它从 secrets.column_keys 中删去。",
                key.id
            ),
            format!(
                "{} seals nothing any more: once every replica seals with the first key, it may leave secrets.column_keys.",
                key.id
            ),
        ),
        (None, 0, None) => Text::fixed(
            "所有值都由当前密钥密封，没有要做的事。",
            "Everything is under the key that seals: nothing to do.",
        ),
    }
}
