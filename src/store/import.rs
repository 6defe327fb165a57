//! Importing accounts: a batch of them, and how far their file has come, in one transaction. So a process that is killed
//! at any instant has lost nothing and left nothing half done. What a record must be is the caller's to say.

use std::collections::HashSet;

use entity::{imports, users};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait as _, QueryFilter as _, QuerySelect as _, TransactionTrait as _,
};
use uuid::Uuid;

use super::user::{Status, new_row};
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::PasswordHash;

/// A file, known by its content: its SHA-256.
pub type Source = [u8; 32];

/// How far the import of a file has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Import {
    /// Records done, of whatever outcome.
    pub records: u64,
    /// Accounts made.
    pub imported: u64,
    /// Records refused.
    pub refused: u64,
    /// Whether the end was reached.
    pub finished: bool,
}

/// An account that nobody has logged in to here.
pub struct NewAccount {
    /// Its user's.
    pub id: Uuid,
    /// Normalized.
    pub username: String,
    /// Stored as it is.
    pub hash: PasswordHash,
    /// Empty: none.
    pub nickname: String,
    /// Index into the configured level names.
    pub level: i16,
    /// Whether its user is kept out.
    pub disabled: bool,
}

/// The next records of a file.
pub struct Batch<'b> {
    /// The file.
    pub source: &'b Source,
    /// How far it has come without them.
    pub before: Import,
    /// How many they are, refused ones counted.
    pub records: usize,
    /// Those that are good, no name twice.
    pub accounts: &'b [NewAccount],
    /// Whether the file ends with them.
    pub last: bool,
    /// When.
    pub now: Timestamp,
}

/// What came of a batch.
#[derive(Debug)]
pub enum Imported<E> {
    /// It is in; the file has come this far.
    Done(Import),
    /// Another process has taken this file further meanwhile; nothing was changed.
    Elsewhere,
    /// The caller didn't let it be committed; nothing was changed.
    Stopped(E),
}

impl Store {
    /// How far this file has come; none if it was never begun.
    pub async fn find_import(&self, source: &Source) -> Result<Option<Import>> {
        let row = imports::Entity::find_by_id(source.to_vec()).one(&self.read()).await;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(row.map_err(error::unavailable)?.map(|row| Import {
            records: count(row.records),
            imported: count(row.imported),
            refused: count(row.refused),
            finished: row.finished,
        }))
    }

    /// This file is at its beginning; with `again` wherever it was before, else false if it was anywhere.
    pub async fn begin_import(&self, source: &Source, again: bool, now: Timestamp) -> Result<bool> {
        use imports::Column as C;
        let row = imports::ActiveModel {
            source: Set(source.to_vec()),
            records: Set(0),
            imported: Set(0),
            refused: Set(0),
            finished: Set(false),
            updated_at: Set(now.as_millisecond()),
        };
        let all = [C::Records, C::Imported, C::Refused, C::Finished, C::UpdatedAt];
        let mut insert = imports::Entity::insert(row);
        if again {
            insert = insert.on_conflict(OnConflict::column(C::Source).update_columns(all).to_owned());
        }
        match insert.exec_without_returning(&self.write()).await {
            Ok(_) => Ok(true),
            Err(error) if error::is_taken(&error) => Ok(false),
            Err(error) => Err(error::unavailable(error)),
        }
    }

    /// Makes the accounts whose names are free, and takes the file further by the batch. Before that counts, and again
    /// in each round of a race, `ready` hears which accounts (by index, ascending) find their names taken.
    pub async fn import<E>(
        &self,
        batch: &Batch<'_>,
        ready: impl Fn(&[usize]) -> std::result::Result<(), E>,
    ) -> Result<Imported<E>> {
        // Each round is lost to somebody who took one of the names: there can't be more of them than names.
        for _ in 0..=batch.accounts.len() {
            if let Some(imported) = error::in_rounds(|| self.try_import(batch, &ready)).await? {
                return Ok(imported);
            }
        }
        Err(Error::from(Code::Busy).because("names of the batch are being taken all the time"))
    }

    /// None: somebody took one of the names between the look and the insert, so look again.
    async fn try_import<E>(
        &self,
        batch: &Batch<'_>,
        ready: &impl Fn(&[usize]) -> std::result::Result<(), E>,
    ) -> std::result::Result<Option<Imported<E>>, DbErr> {
        let transaction = self.write().begin().await?;
        if self.backend() == DbBackend::Postgres {
            // It plans the look for names once, on a table that it takes for empty, and would go on reading all of it
            // when there are a hundred thousand rows (measured: 30 s to 77 s for those, with this 3 s).
            transaction.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
        }
        if !advance(&transaction, batch).await? {
            transaction.rollback().await?;
            return Ok(Some(Imported::Elsewhere));
        }
        let taken = taken(&transaction, batch.accounts).await?;
        let rows = batch.accounts.iter().enumerate().filter(|(index, _)| taken.binary_search(index).is_err());
        let rows: Vec<_> = rows.map(|(_, account)| row(account, batch.now)).collect();
        let imported = rows.len();
        if imported > 0 {
            // Not DO NOTHING: whoever is passed over must be named, and MySQL counts them as written.
            match users::Entity::insert_many(rows).exec_without_returning(&transaction).await {
                Err(error) if error::is_taken(&error) => {
                    transaction.rollback().await?;
                    return Ok(None);
                }
                inserted => inserted?,
            };
        }
        let done = Import {
            records: batch.before.records + batch.records as u64,
            imported: batch.before.imported + imported as u64,
            refused: batch.before.refused + (batch.records - imported) as u64,
            finished: batch.last,
        };
        count(&transaction, batch.source, &done).await?;
        if let Err(stopped) = ready(&taken) {
            transaction.rollback().await?;
            return Ok(Some(Imported::Stopped(stopped)));
        }
        transaction.commit().await?;
        Ok(Some(Imported::Done(done)))
    }
}

/// Takes the file further, unless another process has. First of all, because it locks the file's row (and makes SQLite's
/// transaction a writing one from the start).
async fn advance(transaction: &DatabaseTransaction, batch: &Batch<'_>) -> std::result::Result<bool, DbErr> {
    use imports::Column as C;
    let advanced = imports::Entity::update_many()
        .col_expr(C::Records, Expr::value(number(batch.before.records + batch.records as u64)))
        .col_expr(C::UpdatedAt, Expr::value(batch.now.as_millisecond()))
        .filter(C::Source.eq(batch.source.to_vec()))
        .filter(C::Records.eq(number(batch.before.records)))
        .filter(C::Finished.eq(false))
        .exec(transaction)
        .await?;
    Ok(advanced.rows_affected > 0)
}

/// Writes what came of the batch, known only now.
async fn count(
    transaction: &DatabaseTransaction,
    source: &Source,
    done: &Import,
) -> std::result::Result<(), DbErr> {
    use imports::Column as C;
    imports::Entity::update_many()
        .col_expr(C::Imported, Expr::value(number(done.imported)))
        .col_expr(C::Refused, Expr::value(number(done.refused)))
        .col_expr(C::Finished, Expr::value(done.finished))
        .filter(C::Source.eq(source.to_vec()))
        .exec(transaction)
        .await
        .map(|_| ())
}

/// Which of the accounts find their names taken, ascending.
async fn taken(
    transaction: &DatabaseTransaction,
    accounts: &[NewAccount],
) -> std::result::Result<Vec<usize>, DbErr> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let names = accounts.iter().map(|account| account.username.as_str());
    let found: Vec<Option<String>> = users::Entity::find()
        .select_only()
        .column(users::Column::Username)
        .filter(users::Column::Username.is_in(names))
        .into_tuple()
        .all(transaction)
        .await?;
    let found: HashSet<String> = found.into_iter().flatten().collect();
    let stands = |(_, account): &(usize, &NewAccount)| found.contains(&account.username);
    Ok(accounts.iter().enumerate().filter(stands).map(|(index, _)| index).collect())
}

fn row(account: &NewAccount, now: Timestamp) -> users::ActiveModel {
    let status = if account.disabled { Status::Disabled } else { Status::Active };
    users::Model {
        username: Some(account.username.clone()),
        password_hash: Some(account.hash.expose().to_owned()),
        nickname: account.nickname.clone(),
        level: account.level,
        status: status.number(),
        ..new_row(account.id, now)
    }
    .into()
}

/// A count as its column has it.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
