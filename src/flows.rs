//! What the gateway does, one file a flow. No HTTP, no SQL: a flow asks the rooms below and decides.

use std::sync::Arc;

use jiff::tz::Offset;

use crate::clock::{Clock, Timestamp};
use crate::store::Store;
use crate::throttle::PerPerson;
use crate::tokens::Tokens;
use crate::vault::{self, Vault};
use crate::wechat::Wechat;

pub mod account;
pub mod decrypt;
pub mod login;
pub mod phone;
pub mod profile;
pub mod session;
pub mod wechat_session;

/// The rooms that a flow may use, and the few settings that flows decide by.
pub struct Rooms {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// WeChat's server API.
    pub wechat: Wechat,
    /// Sealed columns.
    pub vault: Vault,
    /// Users.
    pub store: Store,
    /// Access tokens.
    pub tokens: Tokens,
    /// How often a user may have data decrypted.
    pub decrypts: PerPerson,
    /// How often a user may spend a call of WeChat's server API.
    pub server_calls: PerPerson,
    /// How long keys and data count.
    pub window: decrypt::Window,
    /// The names of the levels.
    pub levels: Vec<String>,
    /// The calendar of registerDate.
    pub utc_offset: Offset,
}

impl Rooms {
    /// The time, once for a whole flow.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new id.
    fn new_id(&self, now: Timestamp) -> uuid::Uuid {
        crate::clock::uuid_v7(now, &vault::random::bytes())
    }
}
