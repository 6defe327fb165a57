//! `users` and `identities`, as `wxgate-entity` describes them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    Unionid,
    Username,
    PasswordHash,
    Nickname,
    AvatarUrl,
    Gender,
    Country,
    Province,
    City,
    Language,
    Phone,
    PhoneIndex,
    Level,
    Status,
    TokensNotBefore,
    FailedLogins,
    LockedUntil,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum Identities {
    Table,
    Id,
    UserId,
    Appid,
    Openid,
    Unionid,
    SessionKey,
    SessionKeyTag,
    SessionKeyAt,
    PreviousSessionKey,
    LastLoginAt,
    LastLoginIp,
    LoginCount,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(users(backend)).await?;
        manager.create_table(identities(backend)).await?;
        // MySQL makes this index for the foreign key by itself.
        if backend != DbBackend::MySql {
            manager
                .create_index(
                    Index::create()
                        .name("identities_user_id")
                        .table(Identities::Table)
                        .col(Identities::UserId)
                        .if_not_exists()
                        .to_owned(),
                )
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Identities::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(Users::Table).to_owned()).await
    }
}

/// A table whose text compares byte for byte. MySQL's default collations fold case (two openids that differ in
/// case only are two people) and its utf8 is 3-byte: name the right ones. `if_not_exists`, because MySQL commits
/// each DDL statement: a migration killed in the middle is simply run again.
pub(crate) fn table(backend: DbBackend, name: impl IntoTableRef) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    if backend == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// A sealed or keyed column: VARBINARY on MySQL, BYTEA on PostgreSQL, BLOB on SQLite.
fn bytes(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).var_binary(255).to_owned()
}

fn text(name: impl IntoIden, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().to_owned()
}

pub(crate) fn instant(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).big_integer().to_owned()
}

fn users(backend: DbBackend) -> TableCreateStatement {
    use Users as U;
    table(backend, U::Table)
        .col(ColumnDef::new(U::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(U::Unionid).string_len(64))
        .col(ColumnDef::new(U::Username).string_len(128))
        .col(ColumnDef::new(U::PasswordHash).string_len(512))
        .col(text(U::Nickname, 1024))
        .col(text(U::AvatarUrl, 1024))
        .col(ColumnDef::new(U::Gender).small_integer().not_null())
        .col(text(U::Country, 256))
        .col(text(U::Province, 256))
        .col(text(U::City, 256))
        .col(text(U::Language, 256))
        .col(bytes(U::Phone))
        .col(bytes(U::PhoneIndex))
        .col(ColumnDef::new(U::Level).small_integer().not_null())
        .col(ColumnDef::new(U::Status).small_integer().not_null())
        .col(instant(U::TokensNotBefore))
        .col(ColumnDef::new(U::FailedLogins).integer().not_null())
        .col(instant(U::LockedUntil))
        .col(instant(U::CreatedAt).not_null())
        .col(instant(U::UpdatedAt).not_null())
        .index(Index::create().unique().name("users_unionid").col(U::Unionid))
        .index(Index::create().unique().name("users_username").col(U::Username))
        .index(Index::create().unique().name("users_phone_index").col(U::PhoneIndex))
        .to_owned()
}

fn identities(backend: DbBackend) -> TableCreateStatement {
    use Identities as I;
    let mut table = table(backend, I::Table);
    table
        .col(ColumnDef::new(I::Id).uuid().not_null().primary_key())
        .col(ColumnDef::new(I::UserId).uuid().not_null())
        .col(text(I::Appid, 64))
        .col(text(I::Openid, 64))
        .col(ColumnDef::new(I::Unionid).string_len(64))
        .col(bytes(I::SessionKey).not_null())
        .col(bytes(I::SessionKeyTag).not_null())
        .col(instant(I::SessionKeyAt).not_null())
        .col(bytes(I::PreviousSessionKey))
        .col(instant(I::LastLoginAt).not_null())
        .col(text(I::LastLoginIp, 45))
        .col(ColumnDef::new(I::LoginCount).big_integer().not_null())
        .col(instant(I::CreatedAt).not_null())
        .index(Index::create().unique().name("identities_appid_openid").col(I::Appid).col(I::Openid))
        .foreign_key(
            ForeignKey::create()
                .name("identities_user_id")
                .from(I::Table, I::UserId)
                .to(Users::Table, Users::Id),
        );
    if backend == DbBackend::Postgres {
        // A returning login rewrites its row and no indexed column: with room left on the page, PostgreSQL
        // updates in place (HOT) and touches no index.
        table.extra("WITH (fillfactor = 80)");
    }
    table
}
