//! The App: everything built once from a configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
use crate::throttle::{Admission, Limit};
use crate::tls::Tls;
use crate::tokens::Tokens;
use crate::vault::{Hashing, Passwords, Vault};
use crate::wechat::Wechat;

/// What every door shares.
pub struct App {
    /// The configuration it was built from.
    pub config: Config,
    /// The rooms that flows use.
    pub rooms: Rooms,
    /// Who is let in when many come.
    pub admission: Admission,
    /// How often an address may come.
    pub addresses: Limit,
    /// The certificate of the public side, where no proxy has it.
    pub tls: Option<Arc<Tls>>,
    /// Whether the process is on its way out.
    leaving: AtomicBool,
}

/// The rooms that need nothing but the configuration.
struct Offline {
    wechat: Wechat,
    vault: Vault,
    tokens: Tokens,
    tls: Option<Tls>,
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
        let Offline { wechat, vault, tokens, tls } = offline(&config, &clock).map_err(StartError::Config)?;
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
            app_logins: Limit::new(config.overload.logins_per_app, clock.clone()),
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
            clock: clock.clone(),
            wechat,
            vault,
            store,
            tokens,
            levels: accounts.levels.clone(),
            utc_offset: config.http.utc_offset,
        };
        let admission = Admission::new(&config.overload);
        let addresses = Limit::new(config.overload.requests_per_address, clock);
        Ok(Self {
            rooms,
            admission,
            addresses,
            tls: tls.map(Arc::new),
            leaving: AtomicBool::new(false),
            config,
        })
    }

    /// Takes the keys of another configuration, signing keys and column keys, in place of those in force: all of them or,
    /// if anything stands against them, none. Says what else differs, which only a restart brings.
    pub fn reload(&self, next: &Config) -> Result<Reloaded, Vec<Problem>> {
        let rooms = &self.rooms;
        let tokens = config::Tokens { keys: next.tokens.keys.clone(), ..self.config.tokens.clone() };
        let tls = self.tls.as_ref().map_or(Ok(None), |tls| tls.next(&next.http));
        match (rooms.tokens.next(&tokens, rooms.now()), rooms.vault.next(&next.secrets), tls) {
            (Ok(ring), Ok(keys), Ok(certificate)) => {
                rooms.tokens.adopt(ring);
                rooms.vault.adopt(keys);
                if let (Some(tls), Some(certificate)) = (&self.tls, certificate) {
                    tls.adopt(certificate);
                }
            }
            (ring, keys, tls) => {
                let problems = [ring.err(), keys.err(), tls.err()];
                return Err(problems.into_iter().flatten().flatten().collect());
            }
        }
        Ok(Reloaded { waiting: self.config.differences(next) })
    }

    /// From now on it is on its way out.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
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
    let tls = Tls::from_config(&config.http);
    match (wechat, vault, tokens, tls) {
        (Ok(wechat), Ok(vault), Ok(tokens), Ok(tls)) => Ok(Offline { wechat, vault, tokens, tls }),
        (wechat, vault, tokens, tls) => {
            let problems = [wechat.err(), vault.err(), tokens.err(), tls.err()];
            Err(problems.into_iter().flatten().flatten().collect())
        }
    }
}
