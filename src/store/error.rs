//! What a database's refusal means, said without its values: a constraint's message quotes the openid.

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::error::{Code, Error};

/// For the log: the class of the failure and the database's own code, never its text.
pub fn describe(error: &DbErr) -> String {
    match error {
        DbErr::ConnectionAcquire(_) => "no connection became free within database.acquire_timeout".into(),
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => describe_sqlx(error),
        DbErr::Custom(text) => text.clone(),
        other => format!("the database layer failed ({})", variant(other)),
    }
}

fn describe_sqlx(error: &SqlxError) -> String {
    match error {
        SqlxError::Database(error) => {
            if let Some(error) = error.try_downcast_ref::<sea_orm::sqlx::mysql::MySqlDatabaseError>() {
                return match error.number() {
                    // Who may connect, to what, and which table isn't there: no row's values.
                    number @ (1040 | 1044 | 1045 | 1049 | 1146 | 1290) => {
                        format!("the database answered {number}: {}", error.message())
                    }
                    number => format!("the database answered {number}"),
                };
            }
            let code = error.code().unwrap_or_default();
            let constraint = error.constraint().map(|name| format!(" at {name}")).unwrap_or_default();
            // The server's words on who may connect, which tables exist or how the disk does hold no row's values.
            match code.as_ref() {
                "28P01" | "28000" | "3D000" | "42P01" | "53300" | "14" | "1" | "8" | "26" => {
                    format!("the database answered {code}: {}", error.message())
                }
                _ => format!("the database answered {code}{constraint}"),
            }
        }
        SqlxError::Io(error) => format!("the database can't be reached: {error}"),
        SqlxError::Tls(_) => "TLS with the database failed".into(),
        SqlxError::PoolTimedOut => "no connection became free within database.acquire_timeout".into(),
        SqlxError::PoolClosed => "the database's pool is closed".into(),
        SqlxError::Configuration(_) => {
            "this address can't be used: see config.default.toml for its form".into()
        }
        _ => "the database's driver failed".into(),
    }
}

fn variant(error: &DbErr) -> String {
    let text = format!("{error:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// For the client: later.
pub(super) fn unavailable(error: DbErr) -> Error {
    unavailable_by(&error)
}

/// The same, for several clients.
pub(super) fn unavailable_by(error: &DbErr) -> Error {
    Error::from(Code::StoreUnavailable).because(describe(error))
}

/// The database can't be had, or the connection broke. Everything else is about the statement and its rows.
pub(super) fn is_connection(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_));
    };
    is_broken(error) || matches!(**error, SqlxError::PoolTimedOut | SqlxError::PoolClosed)
}

/// The connection broke: on another one the statement may do.
pub(super) fn is_broken_connection(error: &DbErr) -> bool {
    matches!(
        error,
        DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error))
            if is_broken(error)
    )
}

fn is_broken(error: &SqlxError) -> bool {
    match error {
        SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::Protocol(_) | SqlxError::WorkerCrashed => true,
        // Ended by the server: shut down, or told to.
        SqlxError::Database(error) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03" | "08S01"))
        }
        _ => false,
    }
}

/// So often a transaction that lost a tie is run again. Every loss means that somebody else's was done.
const ROUNDS: usize = 16;

/// Runs a whole transaction, again as long as it loses ties.
pub(super) async fn in_rounds<T, F>(transaction: impl Fn() -> F) -> crate::error::Result<T>
where
    F: Future<Output = std::result::Result<T, DbErr>>,
{
    for _ in 0..ROUNDS {
        match transaction().await {
            Err(error) if is_tie(&error) => {}
            outcome => return outcome.map_err(unavailable),
        }
    }
    Err(Error::from(Code::Busy).because("a transaction lost every round of a race"))
}

/// A unique constraint decided a race against us.
pub(super) fn is_taken(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// The database broke a tie between transactions; the loser simply goes again. PostgreSQL 40001 and 40P01, MySQL's 1213, and
/// 1020, which MariaDB answers from 11.6 on where a row changed since the
/// transaction's snapshot.
pub(super) fn is_tie(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let SqlxError::Database(error) = &**error else { return false };
    if let Some(error) = error.try_downcast_ref::<sea_orm::sqlx::mysql::MySqlDatabaseError>() {
        return matches!(error.number(), 1020 | 1213);
    }
    // SQLite's 5 and 517: another process wrote since this transaction began to read.
    matches!(error.code().as_deref(), Some("40001" | "40P01" | "5" | "517"))
}
