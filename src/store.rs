//! Where users live: SeaORM behind functions that speak our words.
//!
//! Owns every SQL statement, on SQLite, PostgreSQL and MySQL/MariaDB alike, and what a constraint's refusal means.
//! Refuses to decide policy, to see an unsealed session_key, and to run migrations (`cli::migrate` does).

use sea_orm::{DatabaseConnection, DbBackend};

mod account;
mod attempts;
mod close;
mod connect;
mod error;
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
}

impl Store {
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

    /// Whether the database answers.
    pub async fn ping(&self) -> crate::error::Result<()> {
        self.write.ping().await.map_err(error::unavailable)
    }

    /// Closes every connection, waiting for what is under way.
    pub async fn close(&self) {
        for connection in [&self.read, &self.write] {
            if let Err(error) = connection.clone().close().await {
                tracing::warn!(error = describe(&error), "a database connection did not close");
            }
        }
    }
}
