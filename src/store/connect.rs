//! Connections and their settings, a database each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{AssertSqlSafe, Connection as _, Error as SqlxError, Executor as _, Row as _};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr};

use tokio::time::timeout;

use super::lanes;
use super::pools::{Pools, Pulse};
use crate::config;

/// Reading SQLite connections; they never wait for the writer.
const SQLITE_READERS: u32 = 4;

impl Pools {
    /// Connects; on SQLite the file must be migrated or about to be.
    pub(super) async fn connect(config: &config::Database) -> Result<Self, DbErr> {
        let pulses = [Pulse::new(), Pulse::new()];
        let [pulse, batches_pulse] = &pulses;
        let url = config.address.expose();
        if let Some(file) = sqlite_file(url) {
            make_private(&file)?;
            // One writer: with more, they wait for each other inside SQLite and end in "database is locked".
            let write = Database::connect(options(config, 1, For::All, pulse)).await?;
            let mut readers = options(config, SQLITE_READERS, For::All, pulse);
            readers.map_sqlx_sqlite_opts(move |sqlite| durable(sqlite.filename(&file)).read_only(true));
            let read = Database::connect(readers).await?;
            return Ok(Self { read, batches: write.clone(), write, pulses });
        }
        // Of the eight that are the default, four are for logins on PostgreSQL and six on MySQL.
        let backend = if url.starts_with("postgres") { DbBackend::Postgres } else { DbBackend::MySql };
        let most = if backend == DbBackend::Postgres { 2 * lanes(backend) } else { lanes(backend) };
        let batches = config.max_connections.saturating_sub(2).clamp(1, most);
        let rest = config.max_connections.saturating_sub(batches);
        let batches = Database::connect(options(config, batches, For::Batches, batches_pulse)).await?;
        let pool = match rest {
            0 => batches.clone(),
            rest => Database::connect(options(config, rest, For::All, pulse)).await?,
        };
        // One pool has one pulse.
        let pulses = if rest == 0 { [batches_pulse.clone(), batches_pulse.clone()] } else { pulses };
        Ok(Self { write: pool.clone(), read: pool, batches, pulses })
    }
}

/// A single session of its own: what a lock that belongs to a session needs.
pub async fn lone_connection(config: &config::Database) -> Result<DatabaseConnection, DbErr> {
    if let Some(file) = sqlite_file(config.address.expose()) {
        make_private(&file)?;
    }
    let mut options = options(config, 1, For::Migrating, &Pulse::new());
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
const LONGEST_STATEMENT: &str = "10s";

/// So long a released connection may take to say that no transaction is open on it. Of one that was given up in the middle
/// nobody knows; one that stays silent (its server has moved, a firewall has forgotten it) is closed, or its place in the pool
/// would be gone for good.
const LOOK: Duration = Duration::from_secs(2);

/// What connections are for.
#[derive(Clone, Copy, PartialEq)]
enum For {
    /// Whatever isn't said below.
    All,
    /// Batches of logins.
    Batches,
    /// Migrations, which wait for each other.
    Migrating,
}

impl For {
    /// So long a statement waits for a row that somebody else has locked; then its request is to come again later, and of a
    /// batch each login goes alone, so that only whose row it is waits. None: as long as it takes.
    fn lock(self) -> Option<Duration> {
        match self {
            Self::All => Some(Duration::from_secs(5)),
            Self::Batches => Some(Duration::from_secs(1)),
            Self::Migrating => None,
        }
    }
}

/// A connection that stood idle so long is asked whether it still is one: after an outage it may not be.
const IDLE: Duration = Duration::from_secs(1);

fn options(config: &config::Database, connections: u32, purpose: For, pulse: &Pulse) -> ConnectOptions {
    let (postgres_pulse, mysql_pulse) = (pulse.clone(), pulse.clone());
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
        // A ping before every statement would double the trips.
        .test_before_acquire_if_idle_for(IDLE)
        // sqlx's own log would name every statement, at any level.
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |postgres| {
            // 0 is for ever.
            let lock = purpose.lock().unwrap_or_default().as_millis().to_string();
            let bounds = [
                ("statement_timeout", LONGEST_STATEMENT),
                ("idle_in_transaction_session_timeout", LONGEST_STATEMENT),
                ("lock_timeout", lock.as_str()),
            ];
            // Planning a batch of logins anew for its lists costs more than running it. A plan that is kept must do for
            // tables that are empty yet: by an index whatever their size, and in its order.
            let plans = [
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("enable_bitmapscan", "off"),
            ];
            let plans = plans.into_iter().filter(|_| purpose == For::Batches);
            postgres.application_name("wxgate").options(bounds.into_iter().chain(plans))
        })
        .map_sqlx_postgres_pool_opts(move |pool| {
            let pulse = postgres_pulse.clone();
            match purpose {
                For::Batches => pool.after_release(move |connection, _| {
                    Box::pin(in_time(pulse.clone(), async move {
                        // A ROLLBACK where nothing is open would be a warning in the server's log, for each batch.
                        let sql = "SELECT transaction_timestamp() = statement_timestamp()";
                        connection.fetch_one(sql).await?.try_get(0)
                    }))
                }),
                For::All => pool.after_release(move |connection, _| {
                    Box::pin(in_time(pulse.clone(), async move {
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    }))
                }),
                For::Migrating => pool,
            }
        })
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                Box::pin(async move {
                    // Where a write fails (the disk is full) SQLite ends the transaction by itself. sqlx goes on counting it as
                    // open, and whatever came next would be a savepoint inside it and never be committed. Asked behind what is
                    // still on its way to the connection's thread.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
        })
        .map_sqlx_mysql_pool_opts(move |pool| {
            let pulse = mysql_pulse.clone();
            let pool = match purpose {
                For::All | For::Batches => pool.after_release(move |connection, _| {
                    Box::pin(in_time(pulse.clone(), async move {
                        connection.execute("ROLLBACK").await.map(|_| true)
                    }))
                }),
                For::Migrating => pool,
            };
            pool.after_connect(move |connection, _| {
                Box::pin(async move {
                    let Some(lock) = purpose.lock() else { return Ok(()) };
                    let bound = format!("SET SESSION innodb_lock_wait_timeout = {}", lock.as_secs());
                    connection.execute(AssertSqlSafe(bound)).await?;
                    // MariaDB's: a transaction whose gateway is gone lets its rows go. MySQL knows no such bound.
                    let _ = connection.execute("SET SESSION idle_transaction_timeout = 30").await;
                    Ok(())
                })
            })
        });
    options
}

/// An error has the connection closed without another word to it.
async fn in_time(
    pulse: Pulse,
    look: impl Future<Output = Result<bool, SqlxError>>,
) -> Result<bool, SqlxError> {
    let looked = timeout(LOOK, look).await.unwrap_or(Err(SqlxError::PoolTimedOut));
    if looked.is_ok() {
        pulse.beat();
    }
    looked
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
