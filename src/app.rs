//! The App: everything built once from a configuration.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{self, Config, Problem};
use crate::flows::Rooms;
use crate::flows::attempts::Policy;
use crate::flows::authz::Standings;
use crate::flows::counting::Counting;
use crate::flows::decrypt::Window;
use crate::flows::revoke::Recent;
use crate::store::{Store, describe};
use crate::telemetry::history::History;
use crate::throttle::Limit;
use crate::tokens::Tokens;
use crate::vault::{Hashing, Passwords, Vault};
use crate::wechat::Wechat;

/// What every door shares.
pub struct App {
    /// The configuration it was built from.
    pub config: Config,
    /// The rooms that flows use.
    pub rooms: Rooms,
}

/// The rooms that need nothing but the configuration.
struct Offline {
    wechat: Wechat,
    vault: Vault,
    tokens: Tokens,
}

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The settings besides keys that differ, by name: they wait for a restart.
    pub waiting: Vec<String>,
}

/// Why an App can't be built.
#[derive(Debug)]
pub enum StartError {
    /// The configuration doesn't do.
    Config(Vec<Problem>),
    /// The database doesn't answer; the text says why.
    Database(String),
}

impl App {
    /// Builds every room and connects to the database.
    pub async fn build(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let Offline { wechat, vault, tokens } = offline(&config, &clock).map_err(StartError::Config)?;
        let store =
            Store::connect(&config.database).await.map_err(|error| StartError::Database(describe(&error)))?;
        let (wechat_config, accounts) = (&config.wechat, &config.accounts);
        let passwords = Passwords::start(&Hashing {
            memory_kib: accounts.argon2_memory,
            passes: accounts.argon2_passes,
            lanes: accounts.argon2_lanes,
            threads: accounts.hash_threads,
            queue: accounts.hash_queue,
        })
        .map_err(|text| StartError::Config(vec![Problem::new("accounts", text)]))?;
        let rooms = Rooms {
            decrypts: Limit::new(wechat_config.decrypts_per_minute, clock.clone()),
            server_calls: Limit::new(wechat_config.server_calls_per_minute, clock.clone()),
            passwords,
            typed: Limit::new(accounts.passwords_per_minute, clock.clone()),
            registrations: Limit::new(accounts.registrations_per_minute, clock.clone()),
            attempts: Policy {
                pair: accounts.free_attempts,
                account: accounts.account_attempts,
                address: accounts.address_attempts,
                longest_wait: accounts.longest_wait,
            },
            standings: Standings::default(),
            recent: Recent::default(),
            history: History::start(clock.now()),
            counting: Counting::default(),
            registration: accounts.registration,
            shortest_password: accounts.shortest_password,
            // Checked to be small.
            identities_per_app: i16::try_from(accounts.identities_per_app).unwrap_or(1),
            window: Window {
                previous_session_key: wechat_config.previous_session_key,
                watermark_max_age: wechat_config.watermark_max_age,
            },
            clock,
            wechat,
            vault,
            store,
            tokens,
            levels: accounts.levels.clone(),
            utc_offset: config.http.utc_offset,
        };
        Ok(Self { config, rooms })
    }

    /// Takes the keys of another configuration, signing keys and column keys, in place of those in force: all of them or,
    /// if anything stands against them, none. Says what else differs, which only a restart brings.
    pub fn reload(&self, next: &Config) -> Result<Reloaded, Vec<Problem>> {
        let rooms = &self.rooms;
        let tokens = config::Tokens { keys: next.tokens.keys.clone(), ..self.config.tokens.clone() };
        match (rooms.tokens.next(&tokens, rooms.now()), rooms.vault.next(&next.secrets)) {
            (Ok(ring), Ok(keys)) => {
                rooms.tokens.adopt(ring);
                rooms.vault.adopt(keys);
            }
            (ring, keys) => return Err([ring.err(), keys.err()].into_iter().flatten().flatten().collect()),
        }
        Ok(Reloaded { waiting: self.config.differences(next) })
    }

    /// Everything that can be said of a configuration without asking anybody: keys read and tested, none missing.
    pub fn check(config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Vec<Problem>> {
        offline(config, clock).map(|_| ())
    }
}

fn offline(config: &Config, clock: &Arc<dyn Clock>) -> Result<Offline, Vec<Problem>> {
    let wechat = Wechat::from_config(&config.wechat, clock.clone());
    let vault = Vault::from_config(&config.secrets);
    let tokens = Tokens::from_config(&config.tokens, clock.now());
    match (wechat, vault, tokens) {
        (Ok(wechat), Ok(vault), Ok(tokens)) => Ok(Offline { wechat, vault, tokens }),
        (wechat, vault, tokens) => {
            let problems = [wechat.err(), vault.err(), tokens.err()];
            Err(problems.into_iter().flatten().flatten().collect())
        }
    }
}
