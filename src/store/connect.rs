//! Connections and their settings, a database each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};

use super::Store;
use crate::config;

/// Reading SQLite connections; they never wait for the writer.
const SQLITE_READERS: u32 = 4;

impl Store {
    /// Connects; on SQLite the file must be migrated or about to be.
    pub async fn connect(config: &config::Database) -> Result<Self, DbErr> {
        let url = config.address.expose();
        if let Some(file) = sqlite_file(url) {
            make_private(&file)?;
            // One writer: with more, they wait for each other inside SQLite and end in "database is locked".
            let write = Database::connect(options(config, 1)).await?;
            let mut readers = options(config, SQLITE_READERS);
            readers.map_sqlx_sqlite_opts(move |sqlite| durable(sqlite.filename(&file)).read_only(true));
            return Ok(Self::over(write, Database::connect(readers).await?));
        }
        let pool = Database::connect(options(config, config.max_connections)).await?;
        Ok(Self::over(pool.clone(), pool))
    }
}

/// A single session of its own: what a lock that belongs to a session needs.
pub async fn lone_connection(config: &config::Database) -> Result<DatabaseConnection, DbErr> {
    if let Some(file) = sqlite_file(config.address.expose()) {
        make_private(&file)?;
    }
    let mut options = options(config, 1);
    options.min_connections(1).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
    // A migration takes what it takes.
    options.map_sqlx_postgres_opts(|postgres| postgres.application_name("wxgate migrate"));
    Database::connect(options).await
}

/// The file behind a SQLite address.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://")?;
    // From the right: a folder may have a ? in its name, a query none.
    Some(PathBuf::from(path.rsplit_once('?').map_or(path, |(path, _)| path)))
}

/// No statement of ours takes this long; one that does waits for a lock whose holder is gone.
const LONGEST_STATEMENT: &str = "30s";

fn options(config: &config::Database, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(config.address.expose());
    if let Some(file) = sqlite_file(config.address.expose()) {
        // The path by itself: inside a URL, a % or # in a folder's name would mean something else.
        let query = config.address.expose().rsplit_once('?').map_or("", |(_, query)| query);
        options = ConnectOptions::new(format!("sqlite://wxgate.sqlite?{query}"));
        options.map_sqlx_sqlite_opts(move |sqlite| durable(sqlite.filename(&file)));
    }
    options
        .max_connections(connections)
        .acquire_timeout(config.acquire_timeout)
        .connect_timeout(config.acquire_timeout)
        // A ping before every statement would double the trips; a dead connection shows itself at its first use.
        .test_before_acquire(false)
        // sqlx's own log would name every statement, at any level.
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| {
            let bounds = [
                ("statement_timeout", LONGEST_STATEMENT),
                ("idle_in_transaction_session_timeout", LONGEST_STATEMENT),
                // Every statement of ours finds its rows by an index, whatever its values are: planning a batch of logins
                // anew for its lists costs more than running it.
                ("plan_cache_mode", "force_generic_plan"),
            ];
            postgres.application_name("wxgate").options(bounds)
        });
    options
}

/// A token is answered only after its login is on the disk: WAL, and an fsync at each commit.
fn durable(
    sqlite: sea_orm::sqlx::sqlite::SqliteConnectOptions,
) -> sea_orm::sqlx::sqlite::SqliteConnectOptions {
    sqlite
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
}

/// Makes the folder and the file with the owner's rights alone, because the data is personal; SQLite gives its other
/// files the rights of this one. What stands already is left as it is.
fn make_private(file: &Path) -> Result<(), DbErr> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let failed = |what: &Path, error: std::io::Error| {
        DbErr::Custom(format!("{} can't be made: {error}", what.display()))
    };
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| failed(directory, error))?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(file, error)),
        _ => Ok(()),
    }
}
