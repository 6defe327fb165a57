//! Forward-auth: may the bearer of this token pass? For proxies that ask at every request of every service behind them, so
//! the user's row is asked for at most once in [`FRESH`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use uuid::Uuid;

use super::single_flight::SingleFlight;
use super::{Rooms, session};
use crate::clock::{Timestamp, is_younger};
use crate::error::Result;
use crate::secret::AccessToken;
use crate::store::Status;
use crate::tokens::Claims;

/// How long a user's standing is believed: so late may another replica's logout, disabling or closing be seen here.
pub(super) const FRESH: Duration = Duration::from_secs(5);

/// Users whose standing is kept; about 100 bytes each.
const MOST: u64 = 100_000;

/// How users stood when they were last looked up. Bounded; forgets by itself.
pub struct Standings {
    known: Cache<Uuid, Standing>,
    asking: SingleFlight<Uuid, Standing>,
    /// How often one was forgotten: a row that was read before that isn't kept.
    forgotten: AtomicU64,
}

/// What decides whether a user's tokens count.
#[derive(Clone, Copy)]
struct Standing {
    status: Status,
    tokens_not_before: Option<Timestamp>,
    read: Timestamp,
}

impl Default for Standings {
    fn default() -> Self {
        Self { known: Cache::new(MOST), asking: SingleFlight::default(), forgotten: AtomicU64::new(0) }
    }
}

impl Standings {
    /// Has this user looked up anew. To be called once what changed is written.
    pub(super) fn forget(&self, user: Uuid) {
        // Nobody joins those who ask already; then what they read is not kept, or taken back here.
        self.asking.forget(&user);
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.known.invalidate(&user);
    }

    /// How the user stands, asked for by `look_up`, once for however many ask.
    async fn ask(&self, user: Uuid, look_up: impl AsyncFnOnce() -> Result<Standing>) -> Result<Standing> {
        let before = self.forgotten.load(Ordering::SeqCst);
        let standing = self.asking.ask(user, look_up).await?;
        let current = || self.forgotten.load(Ordering::SeqCst) == before;
        if current() {
            self.known.insert(user, standing);
            // Forgotten in between: then whoever did it may have been too early for this.
            if !current() {
                self.known.invalidate(&user);
            }
        }
        Ok(standing)
    }
}

/// Who passes.
pub struct Passed {
    /// The user's id.
    pub user: Uuid,
    /// The mini-program's appid.
    pub app: String,
    /// The token's end.
    pub expires: Timestamp,
}

/// Who the token is of, if it counts; none where the database has to be asked first.
pub fn known(rooms: &Rooms, token: &AccessToken) -> Result<Option<Passed>> {
    let now = rooms.now();
    // The signature first: what isn't ours never reaches the database.
    let (user, claims) = session::read(rooms, token, now)?;
    let known = rooms.standings.known.get(&user).filter(|known| is_younger(known.read, FRESH, now));
    known.map(|standing| passed(user, &claims, standing)).transpose()
}

/// Who the token is of, if it counts.
pub async fn pass(rooms: &Rooms, token: &AccessToken) -> Result<Passed> {
    let now = rooms.now();
    let (user, claims) = session::read(rooms, token, now)?;
    let look_up = async || {
        let found = rooms.store.find_user(user, "").await?.ok_or_else(session::unknown)?;
        Ok(Standing { status: found.status, tokens_not_before: found.tokens_not_before, read: now })
    };
    let standing = rooms.standings.ask(user, look_up).await?;
    passed(user, &claims, standing)
}

fn passed(user: Uuid, claims: &Claims, standing: Standing) -> Result<Passed> {
    session::counts(claims, standing.status, standing.tokens_not_before)?;
    let expires = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX);
    Ok(Passed { user, app: claims.client_id.clone(), expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_that_was_read_before_its_user_was_forgotten_is_not_kept() {
        let (standings, user) = (Standings::default(), Uuid::from_u128(1));
        let standing =
            Standing { status: Status::Active, tokens_not_before: None, read: Timestamp::UNIX_EPOCH };
        let asked = standings.ask(user, async || {
            // Logged out between the reading and the keeping.
            standings.forget(user);
            Ok(standing)
        });
        asked.await.unwrap();
        assert!(standings.known.get(&user).is_none());
        standings.ask(user, async || Ok(standing)).await.unwrap();
        assert!(standings.known.get(&user).is_some());
    }
}
