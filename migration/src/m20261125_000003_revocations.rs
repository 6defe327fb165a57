//! Finding who was revoked lately without going through all users.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEX: &str = "users_tokens_not_before";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_index("users", INDEX).await? {
            return Ok(());
        }
        // Hardly any user was ever revoked: where an index can leave the others out, it does.
        let only = match manager.get_database_backend() {
            DbBackend::MySql => "",
            _ => " WHERE tokens_not_before IS NOT NULL",
        };
        let sql = format!("CREATE INDEX {INDEX} ON users (tokens_not_before){only}");
        manager.get_connection().execute_unprepared(&sql).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(INDEX).table("users").to_owned()).await
    }
}
