//! `wxgate migrate up|status`, and the lock that lets several replicas start at once.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use clap::Subcommand;
use migration::{MigrationStatus, Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, Statement};

use super::{Failure, Outcome};
use crate::config::{self, Config, Problem};
use crate::store::{describe, lone_connection, sqlite_file};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Apply what is missing; several at once wait for each other
    Up,
    /// Say which migrations are applied and which are missing; exit code 1 if one is missing
    Status,
}

/// Wants only the database: whoever migrates needn't hold the keys.
pub(super) async fn run(command: &Command, (config, problems): (Option<Config>, Vec<Problem>)) -> Outcome {
    let ours = |problem: &Problem| problem.key.starts_with("database.");
    let Some(config) = config.filter(|_| !problems.iter().any(ours)) else {
        return Err(Failure::Config(problems));
    };
    match command {
        Command::Up => {
            let applied = up(&config.database).await.map_err(Failure::Other)?;
            println!("{}", if applied == 0 { "nothing to do".into() } else { format!("{applied} applied") });
            Ok(())
        }
        Command::Status => status(&config.database).await,
    }
}

async fn status(config: &config::Database) -> Outcome {
    let failed = |error: DbErr| Failure::Other(format!("database.url: {}", describe(&error)));
    let connection = lone_connection(config).await.map_err(failed)?;
    let migrations = Migrator::get_migration_with_status(&connection).await.map_err(failed)?;
    let mut missing = 0;
    for migration in &migrations {
        let state = match migration.status() {
            MigrationStatus::Applied => "applied",
            MigrationStatus::Pending => {
                missing += 1;
                "missing"
            }
        };
        println!("{state}  {}", migration.name());
    }
    match missing {
        0 => Ok(()),
        _ => Err(Failure::Other(format!("{missing} missing: run `wxgate migrate up`"))),
    }
}

/// How many migrations are missing: a gateway that doesn't migrate itself must not start on a schema that isn't there.
pub async fn missing(config: &config::Database) -> Result<usize, String> {
    let said = |error: DbErr| format!("database.url: {}", describe(&error));
    let connection = lone_connection(config).await.map_err(said)?;
    let missing = Migrator::get_pending_migrations_read_only(&connection).await.map_err(said)?.len();
    connection.close().await.map_err(said)?;
    Ok(missing)
}

/// Applies what is missing and says how many that were. Whoever comes second waits, and then finds nothing to do.
pub async fn up(config: &config::Database) -> Result<usize, String> {
    let said = |error: DbErr| format!("database.url: {}", describe(&error));
    let connection = lone_connection(config).await.map_err(said)?;
    let lock = Lock::take(config, &connection).await?;
    let pending = Migrator::get_pending_migrations(&connection).await.map_err(said)?.len();
    let outcome = Migrator::up(&connection, None).await.map_err(said);
    lock.release(&connection).await;
    if let Err(error) = connection.close().await {
        tracing::debug!(error = describe(&error), "the migration's connection did not close");
    }
    outcome.map(|()| pending)
}

/// One migration at a time: PostgreSQL and MySQL lock for the session, so that a killed migrator's lock goes with it;
/// SQLite has no such lock, so a file beside the database is locked, which ends with the process as well.
enum Lock {
    Session,
    File { _file: File },
}

/// "wxgate", as a number of ours in the server's space of advisory locks.
const NUMBER: i64 = 0x77_78_67_61_74_65;
const NAME: &str = "wxgate.migrate";
/// Longer than any migration here takes on an empty or a small table.
const WAIT_SECONDS: i32 = 300;

impl Lock {
    async fn take(config: &config::Database, connection: &DatabaseConnection) -> Result<Self, String> {
        let backend = connection.get_database_backend();
        let said = |error: DbErr| format!("the migration lock: {}", describe(&error));
        match backend {
            DbBackend::Postgres => {
                let bound = format!("SET lock_timeout = '{WAIT_SECONDS}s'");
                connection.execute_unprepared(&bound).await.map_err(said)?;
                let sql = "SELECT pg_advisory_lock($1)";
                let statement = Statement::from_sql_and_values(backend, sql, [NUMBER.into()]);
                connection.execute_raw(statement).await.map_err(said)?;
                Ok(Self::Session)
            }
            DbBackend::Sqlite => lock_file(config).await.map(|file| Self::File { _file: file }),
            _ => {
                // One name a database: the server's locks are shared by all of its databases.
                let sql = "SELECT CAST(GET_LOCK(CONCAT(?, '.', DATABASE()), ?) AS SIGNED) AS taken";
                let statement =
                    Statement::from_sql_and_values(backend, sql, [NAME.into(), WAIT_SECONDS.into()]);
                let row = connection.query_one_raw(statement).await.map_err(said)?;
                let taken = row.and_then(|row| row.try_get::<Option<i64>>("", "taken").ok().flatten());
                if taken == Some(1) {
                    return Ok(Self::Session);
                }
                Err(format!(
                    "another wxgate has been migrating for {WAIT_SECONDS} s; look after it, then try again"
                ))
            }
        }
    }

    async fn release(self, connection: &DatabaseConnection) {
        let Self::Session = self else { return };
        let backend = connection.get_database_backend();
        let statement = match backend {
            DbBackend::Postgres => {
                Statement::from_sql_and_values(backend, "SELECT pg_advisory_unlock($1)", [NUMBER.into()])
            }
            _ => Statement::from_sql_and_values(
                backend,
                "SELECT RELEASE_LOCK(CONCAT(?, '.', DATABASE()))",
                [NAME.into()],
            ),
        };
        // The session ends right after, and its lock with it.
        let _ = connection.execute_raw(statement).await;
    }
}

async fn lock_file(config: &config::Database) -> Result<File, String> {
    let database = sqlite_file(config.address.expose()).ok_or("database.url names no file")?;
    let path = database.with_extension("migrate.lock");
    let shown = path.display().to_string();
    let failed = |error: std::io::Error| format!("{shown} can't be locked: {error}");
    let file =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(WAIT_SECONDS.unsigned_abs().into());
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= deadline => {
                return Err(format!(
                    "{shown}: another wxgate has been migrating for {WAIT_SECONDS} s; look after it"
                ));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
