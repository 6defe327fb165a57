//! What the gateway does, one file a flow. No HTTP, no SQL: a flow asks the rooms below and decides.

use std::sync::Arc;

use jiff::tz::Offset;

use crate::clock::{Clock, Timestamp};
use crate::error::Result;
use crate::store::Store;
use crate::telemetry::{self, history::History};
use crate::throttle::Limit;
use crate::tokens::Tokens;
use crate::vault::{self, Passwords, Vault};
use crate::wechat::Wechat;

pub mod account;
pub mod attempts;
mod audit;
pub mod authz;
mod cells;
pub mod counting;
pub mod decrypt;
pub mod find;
pub mod import;
pub mod login;
pub mod operator;
pub mod password;
pub mod phone;
pub mod profile;
pub mod reseal;
pub mod revoke;
pub mod session;
mod single_flight;
pub mod username;
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
    /// How often a person may have data decrypted.
    pub decrypts: Limit,
    /// How often a person may spend a call of WeChat's server API.
    pub server_calls: Limit,
    /// Hashing and checking passwords.
    pub passwords: Passwords,
    /// How often an address may try a password.
    pub typed: Limit,
    /// How often an app's users may log in.
    pub app_logins: Limit,
    /// How often an address may make an account.
    pub registrations: Limit,
    /// How users stood lately.
    pub standings: authz::Standings,
    /// Whose tokens were ended lately.
    pub recent: revoke::Recent,
    /// What happened lately, for the admin page.
    pub history: History,
    /// The last count of what is sealed with which key.
    pub counting: counting::Counting,
    /// How many wrong passwords are free.
    pub attempts: attempts::Policy,
    /// Whether a client may make an account.
    pub registration: bool,
    /// The shortest new password, in characters.
    pub shortest_password: usize,
    /// How many WeChat identities an account takes in for each app.
    pub identities_per_app: i16,
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

    /// A login has ended, whichever way it was tried: the one place where it is counted.
    fn login_ended<T>(&self, app: Option<&str>, way: &'static str, ended: &Result<T>) {
        let outcome = ended.as_ref().map_or_else(|error| error.code.as_str(), |_| "done");
        // No more of an app that isn't ours than that: a stranger must not make up rows.
        telemetry::login(app.unwrap_or("-"), way, outcome);
        self.history.login(way, outcome, self.now());
    }

    /// A new id.
    fn new_id(&self, now: Timestamp) -> uuid::Uuid {
        crate::clock::uuid_v7(now, &vault::random::bytes())
    }
}
