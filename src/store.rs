//! Where users live: SeaORM behind functions that speak our words.
//!
//! Owns every SQL statement, on SQLite, PostgreSQL and MySQL/MariaDB alike, and what a constraint's refusal means.
//! Refuses to decide policy, to see an unsealed session_key, and to run migrations (`cli::migrate` does).

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sea_orm::{DatabaseConnection, DbBackend, DbErr};
use uuid::Uuid;

use gather::Gather;
use login::batch::{Outcome, Touch};
use login::firsts::Fresh;
use pools::Connections;

use crate::config;

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
mod pools;
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
    connections: Arc<Connections>,
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

/// The two kinds of batches, as the numbers call them.
const RETURNING: &str = "returning";
const FIRST: &str = "first";

/// Logins in a batch.
const BATCH: usize = 64;

impl Store {
    /// Connects; on SQLite the file must be migrated or about to be.
    pub async fn connect(config: &config::Database) -> Result<Self, DbErr> {
        let connections = Arc::new(Connections::make(config).await?);
        let lanes = usize::try_from(lanes(connections.write().get_database_backend())).unwrap_or(1);
        let (first, second) = (connections.clone(), connections.clone());
        Ok(Self {
            touches: Gather::start(RETURNING, lanes, BATCH, move |touches| {
                login::batch::touch(first.batches(), touches)
            }),
            firsts: Gather::start(FIRST, lanes, BATCH, move |fresh| {
                login::firsts::make(second.batches(), fresh)
            }),
            tidied: AtomicU32::new(0),
            connections,
        })
    }

    fn write(&self) -> DatabaseConnection {
        self.connections.write()
    }

    fn read(&self) -> DatabaseConnection {
        self.connections.read()
    }

    fn backend(&self) -> DbBackend {
        self.write().get_database_backend()
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
        self.connections.ping().await.map_err(error::unavailable)
    }

    /// Closes every connection, waiting for what is under way, but not for a database that says nothing.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}
