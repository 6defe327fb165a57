//! Configuration: one struct a section, filled from layers, checked as a whole.
//!
//! Owns reading (`layers`), secrets that may live in files (`files`), the rules (`check`) and printing without
//! secrets (`show`). Refuses to stop at the first problem: every one is reported, with its key and what would be
//! right. Knows nothing of what the values are for; the rooms build themselves from their section.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::secret::{AppSecret, ConfigSecret};

pub(crate) mod bounded;
pub(crate) mod check;
mod differ;
mod files;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod keys;
mod layers;
mod reading;
mod show;
mod values;

pub use keys::{ColumnKey, Secrets, TokenKey, Tokens};
pub use layers::{Layers, inspect, load};
pub use values::{Inline, Level, LogFormat, TokenType};

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, e.g. `tokens.keys[1].file`.
    pub key: String,
    /// What is wrong and what would be right.
    pub text: String,
}

impl Problem {
    /// About this setting.
    pub fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

/// The whole configuration; `config.default.toml` says what each setting means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The doors.
    pub http: Http,
    /// Where users live.
    pub database: Database,
    /// WeChat's server API and our apps there.
    pub wechat: Wechat,
    /// What we sign.
    pub tokens: Tokens,
    /// What we seal with.
    pub secrets: Secrets,
    /// Accounts with a password.
    pub accounts: Accounts,
    /// Who is let in when many come.
    pub overload: Overload,
    /// The internal API.
    pub internal: Internal,
    /// What we say.
    pub log: Log,
    /// Every file that was read for it, or should have been.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The public side.
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    /// Health and what siblings may ask.
    #[serde(deserialize_with = "values::address")]
    pub internal_listen: SocketAddr,
    /// Whose X-Forwarded-For counts.
    #[serde(deserialize_with = "values::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// For one request.
    #[serde(deserialize_with = "values::span")]
    pub request_timeout: Duration,
    /// From a new connection to its first whole request head.
    #[serde(deserialize_with = "values::span")]
    pub header_timeout: Duration,
    /// For every next one.
    #[serde(deserialize_with = "values::span")]
    pub idle_timeout: Duration,
    /// Open at once.
    pub max_connections: u32,
    /// Between SIGTERM and the closing of the doors.
    #[serde(deserialize_with = "values::perhaps_none")]
    pub drain: Duration,
    /// The certificate and those that vouch for it, PEM.
    pub tls_certificate_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// What is in the two files.
    #[serde(skip)]
    pub tls: Option<TlsFiles>,
    /// In bytes.
    pub body_limit: usize,
    /// The calendar of registerDate.
    #[serde(deserialize_with = "values::offset")]
    pub utc_offset: jiff::tz::Offset,
}

/// What the TLS files hold.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate and those that vouch for it, PEM.
    pub certificate: ConfigSecret,
    /// Its private key, PEM.
    pub key: ConfigSecret,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// As given; [`load`] puts it in [`Self::address`].
    url: Option<Inline>,
    url_file: Option<PathBuf>,
    /// Whether `serve` migrates before it opens.
    pub migrate_on_start: bool,
    /// Of the pool.
    pub max_connections: u32,
    /// For a connection of the pool.
    #[serde(deserialize_with = "values::span")]
    pub acquire_timeout: Duration,
    /// Where the database is, with its password; SQLite's path made absolute.
    #[serde(skip, default = "values::unset")]
    pub address: ConfigSecret,
}

/// `[wechat]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wechat {
    /// Where WeChat's server API is.
    pub base_url: String,
    /// For a connection.
    #[serde(deserialize_with = "values::span")]
    pub connect_timeout: Duration,
    /// For a whole exchange.
    #[serde(deserialize_with = "values::span")]
    pub timeout: Duration,
    /// Calls under way at once.
    pub max_concurrent: usize,
    /// Calls that may wait for a place.
    pub max_waiting: usize,
    /// How long the session_key before the current one still opens data.
    #[serde(deserialize_with = "values::span")]
    pub previous_session_key: Duration,
    /// How often a user may have data decrypted, a minute.
    pub decrypts_per_minute: NonZeroU32,
    /// How often a user may have a server call made, a minute.
    pub server_calls_per_minute: NonZeroU32,
    /// How old encryptedData may be.
    #[serde(deserialize_with = "values::span")]
    pub watermark_max_age: Duration,
    /// The mini-programs; the first is the default.
    pub apps: Vec<App>,
}

/// `[[wechat.apps]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The appid.
    #[serde(default)]
    pub id: String,
    secret: Option<Inline>,
    secret_file: Option<PathBuf>,
    /// The AppSecret, wherever it was given.
    #[serde(skip, default = "values::unset_app_secret")]
    pub app_secret: AppSecret,
}

/// `[accounts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// May a client create an account.
    pub registration: bool,
    /// How often an address may, a minute.
    pub registrations_per_minute: NonZeroU32,
    /// How often an address may try a password, right or wrong, a minute.
    pub passwords_per_minute: NonZeroU32,
    /// How many WeChat identities an account takes in for each app.
    pub identities_per_app: u16,
    /// Of a new password, in characters.
    pub shortest_password: usize,
    /// Wrong passwords for one name from one address before it must wait.
    pub free_attempts: u32,
    /// Wrong passwords for one name from everywhere before strangers must wait.
    pub account_attempts: u32,
    /// Wrong passwords from one address for whatever names before it must wait.
    pub address_attempts: u32,
    /// Of the growing waits.
    #[serde(deserialize_with = "values::span")]
    pub longest_wait: Duration,
    /// argon2id's m, in KiB.
    pub argon2_memory: u32,
    /// argon2id's t.
    pub argon2_passes: u32,
    /// argon2id's p.
    pub argon2_lanes: u32,
    /// Threads that hash; 0: one fewer than the machine's cores.
    pub hash_threads: usize,
    /// Passwords that may wait for one.
    pub hash_queue: usize,
    /// The names of the levels.
    pub levels: Vec<String>,
}

/// `[overload]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overload {
    /// Tokens looked at, at once.
    pub bearers: u32,
    /// Logins by code, at once.
    pub logins: u32,
    /// Requests that hash a password, at once.
    pub passwords: u32,
    /// Requests about encrypted data, at once.
    pub decrypts: u32,
    /// Of an address, a minute.
    pub requests_per_address: NonZeroU32,
    /// Open at once, from an address.
    pub connections_per_address: u32,
    /// Of an app, a minute.
    pub logins_per_app: NonZeroU32,
}

/// `[internal]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Internal {
    /// Services that may call.
    pub credentials: Vec<Credential>,
}

/// One service's credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The service, as the log calls it.
    #[serde(default)]
    pub name: String,
    token: Option<Inline>,
    token_file: Option<PathBuf>,
    /// The bearer token, wherever it was given.
    #[serde(skip, default = "values::unset")]
    pub bearer: ConfigSecret,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Of wxgate itself.
    pub level: Level,
    /// For a person, or for a machine.
    pub format: LogFormat,
    /// Whether each request has its line.
    pub access: bool,
    /// Where the audit log goes; none: where the log goes.
    pub audit_file: Option<PathBuf>,
}
