//! Forward-auth: may the bearer of this token pass? For proxies that ask at every request of every service behind them, so
//! the user's row is asked for at most once in [`FRESH`].

use std::time::Duration;

use moka::sync::Cache;
use uuid::Uuid;

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
pub struct Standings(Cache<Uuid, Standing>);

/// What decides whether a user's tokens count.
#[derive(Clone, Copy)]
struct Standing {
    status: Status,
    tokens_not_before: Option<Timestamp>,
    read: Timestamp,
}

impl Default for Standings {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Standings {
    /// Has this user looked up anew.
    pub(super) fn forget(&self, user: Uuid) {
        self.0.invalidate(&user);
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
    let known = rooms.standings.0.get(&user).filter(|known| is_younger(known.read, FRESH, now));
    known.map(|standing| passed(user, &claims, standing)).transpose()
}

/// Who the token is of, if it counts.
pub async fn pass(rooms: &Rooms, token: &AccessToken) -> Result<Passed> {
    let now = rooms.now();
    let (user, claims) = session::read(rooms, token, now)?;
    let found = rooms.store.find_user(user, &claims.client_id).await?.ok_or_else(session::unknown)?;
    let (status, tokens_not_before) = (found.status, found.tokens_not_before);
    let standing = Standing { status, tokens_not_before, read: now };
    rooms.standings.0.insert(user, standing);
    passed(user, &claims, standing)
}

fn passed(user: Uuid, claims: &Claims, standing: Standing) -> Result<Passed> {
    session::counts(claims, standing.status, standing.tokens_not_before)?;
    let expires = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX);
    Ok(Passed { user, app: claims.client_id.clone(), expires })
}
