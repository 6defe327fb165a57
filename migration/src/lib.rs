//! wxgate's schema, step by step: one file a migration, never edited once released.
//!
//! The same tables on SQLite, PostgreSQL and MySQL/MariaDB. Who may run these at once, and what waits for whom,
//! is `wxgate::cli::migrate`'s business.

pub use sea_orm_migration::{MigrationStatus, MigratorTrait};

mod m20261101_000001_users_and_identities;
mod m20261125_000002_accounts;
mod m20261125_000003_revocations;

/// All migrations, oldest first.
pub struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![
            Box::new(m20261101_000001_users_and_identities::Migration),
            Box::new(m20261125_000002_accounts::Migration),
            Box::new(m20261125_000003_revocations::Migration),
        ]
    }
}
