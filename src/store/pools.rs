//! The connections of a store, and new ones in their place where those of before are lost.
//!
//! sqlx looks once more than we do at a connection that is released, and has no bound for it. Where the network falls silent in
//! that very moment (the database's machine is gone, a firewall has forgotten us) the connection's place in the pool is lost
//! until TCP gives up, a quarter of an hour later. Where all places of a pool are, nobody would be served until then.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use sea_orm::{DatabaseConnection, DbBackend, DbErr};
use tokio::time::{Instant, timeout};

use super::describe;
use crate::config;

/// So long nothing may be heard by a pool's connections before others take their place: longer than any statement takes.
const LOST: Duration = Duration::from_secs(15);

/// So long making new ones may take.
const MAKING: Duration = Duration::from_secs(10);

/// So long those of before may take to say that they are there after all.
const ANSWERING: Duration = Duration::from_secs(2);

/// So long connections may take to close.
const CLOSING: Duration = Duration::from_secs(5);

/// What statements go by.
pub(super) struct Pools {
    /// Writes; on SQLite its one writer.
    pub(super) write: DatabaseConnection,
    /// Reads; on SQLite connections of their own, elsewhere the same pool.
    pub(super) read: DatabaseConnection,
    /// Batches of logins; on SQLite the one writer, elsewhere connections of their own, which hardly wait for a locked row:
    /// one person's must not hold up the others in the batch.
    pub(super) batches: DatabaseConnection,
    /// Of what is no batch, and of the batches.
    pub(super) pulses: [Pulse; 2],
}

/// When a connection was last found to be one, as it was released.
#[derive(Debug, Clone)]
pub(super) struct Pulse(Arc<AtomicU64>);

/// The pools in force.
pub(super) struct Connections {
    pools: ArcSwap<Pools>,
    source: config::Database,
    /// Since when every look has failed.
    failing: Mutex<Option<Instant>>,
    renewing: AtomicBool,
    closed: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let pulse = Self(Arc::default());
        pulse.beat();
        pulse
    }

    pub(super) fn beat(&self) {
        self.0.store(seconds(), Ordering::Relaxed);
    }

    fn has_stopped(&self) -> bool {
        seconds().saturating_sub(self.0.load(Ordering::Relaxed)) >= LOST.as_secs()
    }
}

/// Since the first time that it was asked.
fn seconds() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed().as_secs()
}

impl Pools {
    async fn ping(&self) -> Result<(), DbErr> {
        self.write.ping().await?;
        // Logins have connections of their own.
        self.batches.ping().await
    }

    /// Waits for what is under way, but not for a database that says nothing. What came of it, by pool.
    async fn close(&self) -> [Result<(), Option<DbErr>>; 3] {
        let close = async |connection: &DatabaseConnection| {
            let closed = timeout(CLOSING, connection.clone().close()).await;
            closed.map_err(|_| None).and_then(|closed| closed.map_err(Some))
        };
        let (read, write, batches) =
            tokio::join!(close(&self.read), close(&self.write), close(&self.batches));
        [read, write, batches]
    }
}

impl Connections {
    /// By the pools of this configuration.
    pub(super) async fn make(source: &config::Database) -> Result<Self, DbErr> {
        Ok(Self {
            pools: ArcSwap::from_pointee(Pools::connect(source).await?),
            source: source.clone(),
            failing: Mutex::default(),
            renewing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        })
    }

    /// For writing.
    pub(super) fn write(&self) -> DatabaseConnection {
        self.pools.load().write.clone()
    }

    /// For reading.
    pub(super) fn read(&self) -> DatabaseConnection {
        self.pools.load().read.clone()
    }

    /// For batches of logins.
    pub(super) fn batches(&self) -> DatabaseConnection {
        self.pools.load().batches.clone()
    }

    /// Whether the database answers by each pool. Where it hasn't for long, others are made meanwhile.
    pub(super) async fn ping(self: &Arc<Self>) -> Result<(), DbErr> {
        self.renew_the_lost();
        self.pools.load_full().ping().await?;
        *self.failing() = None;
        Ok(())
    }

    /// The look that found nothing may have been dropped before it knew: what counts is the time since the first of them.
    fn renew_the_lost(self: &Arc<Self>) {
        let since = *self.failing().get_or_insert_with(Instant::now);
        let pools = self.pools.load();
        // A file doesn't move.
        let server = pools.write.get_database_backend() != DbBackend::Sqlite;
        let lost = server && since.elapsed() >= LOST && pools.pulses.iter().any(Pulse::has_stopped);
        if !lost || self.renewing.swap(true, Ordering::Relaxed) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            // A database that isn't there either way is tried again at the next look.
            if let Ok(Ok(new)) = timeout(MAKING, Pools::connect(&this.source)).await {
                this.adopt(new).await;
            }
            this.renewing.store(false, Ordering::Relaxed);
        });
    }

    /// Takes new ones, unless those of before serve again: the database itself may have been away, and not the way to it.
    async fn adopt(&self, new: Pools) {
        let old = self.pools.load_full();
        let serves = timeout(ANSWERING, old.ping()).await.is_ok_and(|pinged| pinged.is_ok());
        let closed = self.closed.load(Ordering::Relaxed);
        *self.failing() = None;
        if serves || closed {
            let _ = new.close().await;
            return;
        }
        self.pools.store(Arc::new(new));
        tracing::warn!("the database was connected anew: nothing came by the connections of before");
        // They have nothing to say, which is why they go.
        let _ = old.close().await;
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For good.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for closed in self.pools.load_full().close().await {
            match closed {
                Ok(()) => {}
                Err(Some(error)) => {
                    tracing::warn!(error = describe(&error), "a database connection did not close");
                }
                Err(None) => tracing::warn!("the database did not say that its connections are closed"),
            }
        }
    }
}
