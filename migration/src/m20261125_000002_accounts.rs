//! Accounts: how many identities one takes in, wrong passwords, and how far an import has come.
//!
//! MySQL commits each DDL statement, so every step first looks whether it has been taken.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::m20261101_000001_users_and_identities::{instant, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Attempts {
    Table,
    Mark,
    Failures,
    Since,
    FailedAt,
    SucceededAt,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum Imports {
    Table,
    Source,
    Records,
    Imported,
    Refused,
    Finished,
    UpdatedAt,
}

const SLOT: &str = "identities_user_app_slot";

/// Identities of one user in one app, numbered. There were hardly ever two; the unique index wants them told apart.
const NUMBER: &str = "UPDATE identities SET slot = (SELECT count(*) FROM identities b \
     WHERE b.user_id = identities.user_id AND b.appid = identities.appid AND b.id < identities.id) \
     WHERE EXISTS (SELECT 1 FROM identities b \
     WHERE b.user_id = identities.user_id AND b.appid = identities.appid AND b.id < identities.id)";
/// MySQL doesn't read the table that it updates, unless it is joined as another.
const NUMBER_MYSQL: &str = "UPDATE identities i JOIN (SELECT a.id, count(*) AS n FROM identities a \
     JOIN identities b ON b.user_id = a.user_id AND b.appid = a.appid AND b.id < a.id GROUP BY a.id) d \
     ON d.id = i.id SET i.slot = d.n";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        if !manager.has_column("identities", "slot").await? {
            let slot = ColumnDef::new("slot").small_integer().not_null().default(0).to_owned();
            manager.alter_table(Table::alter().table("identities").add_column(slot).to_owned()).await?;
        }
        if !manager.has_index("identities", SLOT).await? {
            let number = if backend == DbBackend::MySql { NUMBER_MYSQL } else { NUMBER };
            manager.get_connection().execute_unprepared(number).await?;
            let index = Index::create()
                .name(SLOT)
                .table("identities")
                .col("user_id")
                .col("appid")
                .col("slot")
                .unique()
                .to_owned();
            manager.create_index(index).await?;
        }
        // The new index begins with the same column. (MySQL's own index of the foreign key gives way by itself.)
        if backend != DbBackend::MySql && manager.has_index("identities", "identities_user_id").await? {
            let old = Index::drop().name("identities_user_id").table("identities").to_owned();
            manager.drop_index(old).await?;
        }
        // Wrong passwords are counted in a table of their own, for names that nobody has as well.
        for column in ["failed_logins", "locked_until"] {
            if manager.has_column("users", column).await? {
                manager.alter_table(Table::alter().table("users").drop_column(column).to_owned()).await?;
            }
        }
        manager.create_table(attempts(backend)).await?;
        if !manager.has_index("attempts", "attempts_expires_at").await? {
            let mut index = Index::create();
            index.name("attempts_expires_at").table(Attempts::Table).col(Attempts::ExpiresAt);
            manager.create_index(index).await?;
        }
        manager.create_table(imports(backend)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.drop_table(Table::drop().table(Imports::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(Attempts::Table).to_owned()).await?;
        let failed = ColumnDef::new("failed_logins").integer().not_null().default(0).to_owned();
        manager.alter_table(Table::alter().table("users").add_column(failed).to_owned()).await?;
        let locked = instant("locked_until");
        manager.alter_table(Table::alter().table("users").add_column(locked).to_owned()).await?;
        // Before the other goes: MySQL's foreign key wants one at any time.
        if backend == DbBackend::MySql || !manager.has_index("identities", "identities_user_id").await? {
            let index =
                Index::create().name("identities_user_id").table("identities").col("user_id").to_owned();
            manager.create_index(index).await?;
        }
        manager.drop_index(Index::drop().name(SLOT).table("identities").to_owned()).await?;
        manager.alter_table(Table::alter().table("identities").drop_column("slot").to_owned()).await
    }
}

fn attempts(backend: DbBackend) -> TableCreateStatement {
    use Attempts as A;
    table(backend, A::Table)
        .col(ColumnDef::new(A::Mark).var_binary(16).not_null().primary_key())
        .col(ColumnDef::new(A::Failures).integer().not_null())
        .col(instant(A::Since))
        .col(instant(A::FailedAt))
        .col(instant(A::SucceededAt))
        .col(instant(A::ExpiresAt).not_null())
        .to_owned()
}

fn imports(backend: DbBackend) -> TableCreateStatement {
    use Imports as I;
    table(backend, I::Table)
        .col(ColumnDef::new(I::Source).var_binary(32).not_null().primary_key())
        .col(ColumnDef::new(I::Records).big_integer().not_null())
        .col(ColumnDef::new(I::Imported).big_integer().not_null())
        .col(ColumnDef::new(I::Refused).big_integer().not_null())
        .col(ColumnDef::new(I::Finished).boolean().not_null())
        .col(instant(I::UpdatedAt).not_null())
        .to_owned()
}
