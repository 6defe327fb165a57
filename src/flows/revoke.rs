//! Ends tokens before their time, and tells siblings whose have ended.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit::{self, Origin, Who};
use super::session::{self, Caller};
use super::single_flight::SingleFlight;
use super::{Rooms, authz::FRESH};
use crate::clock::{Timestamp, before, is_younger};
use crate::document::Document;
use crate::error::{Code, Error, Result};

/// The most that any verifier grants for a clock that is off: `tokens.leeway` can't be more.
const LEEWAY: Duration = Duration::from_secs(300);

/// `POST /v1/logout`: every token of the caller issued until now stops counting, on every device; the next login counts.
pub async fn logout(rooms: &Rooms, caller: &Caller, ip: IpAddr) -> Result<()> {
    // Right after tokens were ended one may be issued a millisecond ahead: the caller's own ends too.
    let end = rooms.now().max(caller.issued);
    let ended = rooms.store.end_tokens(caller.user.id, end).await;
    rooms.standings.forget(caller.user.id);
    let origin = Origin { app: Some(&caller.app), ip: Some(ip), ..Origin::default() };
    audit::write("logout", Who::User(caller.user.id), origin, &ended);
    ended
}

/// One user whose tokens were ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// The user: the tokens' `sub`.
    #[schema(example = "01a1fce9-f066-7826-9be7-0cf2bb5d62bb")]
    pub sub: Uuid,
    /// Whole seconds since the epoch: a token whose `iat` is less doesn't count. Rounded down, so that comparing `iat` never
    /// refuses a good one; of the second itself it lets through what was ended.
    #[schema(example = 1_793_500_000)]
    pub not_before: i64,
    /// The same in milliseconds, exact: for who takes a token's instant from its `jti`, a UUIDv7.
    #[schema(example = 1_793_500_000_251_i64)]
    pub not_before_ms: i64,
}

/// The list as it was last read: however many siblings poll, the database is asked at most once in [`FRESH`].
#[derive(Default)]
pub struct Recent {
    read: Mutex<Option<(Timestamp, Arc<Document>)>>,
    asking: SingleFlight<(), Arc<Document>>,
}

impl Recent {
    /// A panic while it was held has left nothing half written.
    fn read(&self) -> MutexGuard<'_, Option<(Timestamp, Arc<Document>)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /v1/revocations`, an array of [`Revocation`]s: whose tokens ended so lately that one of them could still look good.
pub async fn list(rooms: &Rooms) -> Result<Arc<Document>> {
    let (recent, now) = (&rooms.recent, rooms.now());
    let fresh = recent.read().as_ref().filter(|(read, _)| is_younger(*read, FRESH, now)).cloned();
    match fresh {
        Some((_, list)) => Ok(list),
        None => recent.asking.ask((), async || look_up(rooms, now).await).await,
    }
}

async fn look_up(rooms: &Rooms, now: Timestamp) -> Result<Arc<Document>> {
    let since = before(now, rooms.tokens.ttl().saturating_add(LEEWAY));
    let ended = rooms.store.ended_since(since).await?;
    let list: Vec<_> = ended
        .into_iter()
        .map(|(sub, end)| {
            // The first that counts again.
            let from = session::just_after(end);
            Revocation { sub, not_before: from.as_second(), not_before_ms: from.as_millisecond() }
        })
        .collect();
    let json = serde_json::to_vec(&list).map_err(|_| Error::from(Code::Internal).because("a list of ids"))?;
    // Compressing a long one would hold up whoever shares the thread.
    let document = tokio::task::spawn_blocking(|| Document::of(json)).await;
    let list = Arc::new(document.map_err(|_| Error::from(Code::Internal).because("a panic"))?);
    *rooms.recent.read() = Some((now, list.clone()));
    Ok(list)
}
