//! Where users live: SeaORM behind functions that speak our words.
//!
//! Owns every SQL statement, on SQLite, PostgreSQL and MySQL/MariaDB alike, and what a constraint's refusal means.
//! Refuses to decide policy, to see an unsealed session_key, and to run migrations (`cli::migrate` does).

use std::sync::atomic::AtomicU32;

use sea_orm::{DatabaseConnection, DbBackend};
use uuid::Uuid;

use gather::Gather;
use login::batch::{Outcome, Touch};
use login::firsts::Fresh;

mod account;
mod attempts;
mod close;
mod connect;
mod error;
mod gather;
mod identity;
mod import;
mod login;
mod merge;
mod phone;
mod revocations;
mod sealed;
mod unbind;
mod unionid;
mod user;

pub use account::{Account, Given};
pub use attempts::{Count, Mark};
pub use connect::{lone_connection, sqlite_file};
pub use error::describe;
pub use identity::{Came, Identity};
pub use import::{Batch, Import, Imported, NewAccount, Source};
pub use login::{LoggedIn, Login};
pub use merge::{By as MergeBy, Merge, Merged};
pub use sealed::{Cursor, Page, Resealed, SealedColumn, Standing};
pub use unbind::Unbind;
pub use unionid::Claimed;
pub use user::{Profile, Status, User};

/// The database.
pub struct Store {
    /// Writes; on SQLite its one writer.
    write: DatabaseConnection,
    /// Reads; on SQLite connections of their own, elsewhere the same pool.
    read: DatabaseConnection,
    /// Batches of logins; on SQLite the one writer, elsewhere connections of their own, which hardly wait for a locked row:
    /// one person's must not hold up the others in the batch.
    batches: DatabaseConnection,
    /// Logins of users that are known.
    touches: Gather<Touch, Outcome<Option<(User, Uuid)>>>,
    /// First logins.
    firsts: Gather<Fresh, Outcome<()>>,
    /// How often it was asked to forget what nobody misses.
    tidied: AtomicU32,
}

/// Batches at once. SQLite has one writer. On PostgreSQL a batch is one statement, and a second one keeps the database busy
/// while the first is on its way. On MySQL it is a trip for each login, so that more of them pay.
fn lanes(backend: DbBackend) -> u32 {
    match backend {
        DbBackend::Sqlite => 1,
        DbBackend::Postgres => 2,
        _ => 6,
    }
}

/// So long connections may take to close.
const CLOSING: std::time::Duration = std::time::Duration::from_secs(5);

/// The two kinds of batches, as the numbers call them.
const RETURNING: &str = "returning";
const FIRST: &str = "first";

/// Logins in a batch.
const BATCH: usize = 64;

impl Store {
    fn over(write: DatabaseConnection, read: DatabaseConnection, batches: DatabaseConnection) -> Self {
        let lanes = usize::try_from(lanes(write.get_database_backend())).unwrap_or(1);
        let (first, second) = (batches.clone(), batches.clone());
        Self {
            touches: Gather::start(RETURNING, lanes, BATCH, move |touches| {
                login::batch::touch(first.clone(), touches)
            }),
            firsts: Gather::start(FIRST, lanes, BATCH, move |fresh| {
                login::firsts::make(second.clone(), fresh)
            }),
            tidied: AtomicU32::new(0),
            write,
            read,
            batches,
        }
    }

    fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Which database it is, in a person's words.
    pub fn kind(&self) -> &'static str {
        match self.backend() {
            DbBackend::Sqlite => "SQLite",
            DbBackend::Postgres => "PostgreSQL",
            DbBackend::MySql => "MySQL/MariaDB",
            _ => "database",
        }
    }

    /// Logins that wait to be written: of users that are known, and first ones.
    pub fn waiting(&self) -> [(&'static str, usize); 2] {
        [(RETURNING, self.touches.waiting()), (FIRST, self.firsts.waiting())]
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> crate::error::Result<()> {
        self.write.ping().await.map_err(error::unavailable)?;
        // Logins have connections of their own.
        self.batches.ping().await.map_err(error::unavailable)
    }

    /// Closes every connection, waiting for what is under way, but not for a database that says nothing.
    pub async fn close(&self) {
        let close = async |connection: &DatabaseConnection| match tokio::time::timeout(
            CLOSING,
            connection.clone().close(),
        )
        .await
        {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = describe(&error), "a database connection did not close");
            }
            Err(_) => tracing::warn!("the database did not say that its connections are closed"),
        };
        tokio::join!(close(&self.read), close(&self.write), close(&self.batches));
    }
}
