//! Every sealed value, row by row, and putting newly sealed ones in their place while logins go on.

use entity::{identities, users};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, DbErr, EntityTrait, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Statement, TransactionTrait as _, Value,
};
use uuid::Uuid;

use super::{Store, error};
use crate::error::Result;
use crate::secret::OpenId;
use crate::vault::Sealed;

/// Rows of one look: a statement is over in milliseconds, however large the table.
const PAGE: u64 = 2000;

/// A sealed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedColumn {
    /// `identities.session_key`
    SessionKey,
    /// `identities.previous_session_key`
    PreviousSessionKey,
    /// `users.phone`
    Phone,
}

impl SealedColumn {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::SessionKey, Self::PreviousSessionKey, Self::Phone];

    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::SessionKey => ("identities", "session_key"),
            Self::PreviousSessionKey => ("identities", "previous_session_key"),
            Self::Phone => ("users", "phone"),
        }
    }
}

impl std::fmt::Display for SealedColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (table, column) = self.name();
        write!(f, "{table}.{column}")
    }
}

/// A sealed value where it stands.
pub struct Standing {
    /// Its column.
    pub column: SealedColumn,
    /// Its row: the identity's id, or the user's.
    pub id: Uuid,
    /// Whose identity it is: app and openid; none for a user's own column.
    pub identity: Option<(String, OpenId)>,
    /// The value.
    pub sealed: Sealed,
}

/// From where on to look.
#[derive(Debug, Clone, Copy)]
pub enum Cursor {
    /// Identities behind this id, then users.
    Identities(Uuid),
    /// Users behind this id.
    Users(Uuid),
}

impl Cursor {
    /// The first row of all.
    pub const START: Self = Self::Identities(Uuid::nil());
}

/// Some rows.
pub struct Page {
    /// How many.
    pub rows: u64,
    /// What is sealed in them.
    pub values: Vec<Standing>,
    /// Where to go on; none: that was the end.
    pub next: Option<Cursor>,
}

/// A value that was sealed anew.
pub struct Resealed {
    /// Its row.
    pub id: Uuid,
    /// What stood there.
    pub old: Sealed,
    /// What is to stand there.
    pub new: Sealed,
}

impl Store {
    /// How many rows all pages have together, about.
    pub async fn count_rows(&self) -> Result<u64> {
        let identities = self.count::<identities::Entity>(identities::Column::Id).await;
        let users = self.count::<users::Entity>(users::Column::Id).await;
        Ok(identities.map_err(error::unavailable)? + users.map_err(error::unavailable)?)
    }

    /// By an index alone: SeaORM's own count wraps the whole row in a subquery.
    async fn count<E: EntityTrait>(&self, id: E::Column) -> std::result::Result<u64, DbErr> {
        let count = E::find().select_only().expr(id.count()).into_tuple::<i64>().one(&self.read()).await?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }

    /// The next rows, in the order of their ids: what is made meanwhile comes at the end.
    pub async fn sealed_values(&self, from: Cursor) -> Result<Page> {
        let page = match from {
            Cursor::Identities(last) => self.identities_behind(last).await,
            Cursor::Users(last) => self.users_behind(last).await,
        };
        page.map_err(error::unavailable)
    }

    async fn identities_behind(&self, last: Uuid) -> std::result::Result<Page, DbErr> {
        use identities::Column as C;
        type Row = (Uuid, String, String, Vec<u8>, Option<Vec<u8>>);
        let rows: Vec<Row> = identities::Entity::find()
            .select_only()
            .columns([C::Id, C::Appid, C::Openid, C::SessionKey, C::PreviousSessionKey])
            .filter(C::Id.gt(last))
            .order_by_asc(C::Id)
            .limit(PAGE)
            .into_tuple()
            .all(&self.read())
            .await?;
        let next = if full(rows.len()) { rows.last().map(|row| Cursor::Identities(row.0)) } else { None };
        let count = rows.len() as u64;
        let values = rows.into_iter().flat_map(|(id, app, openid, key, previous)| {
            let standing = move |column, sealed| Standing {
                column,
                id,
                identity: Some((app.clone(), OpenId::new(openid.clone()))),
                sealed: Sealed::from_stored(sealed),
            };
            let previous = previous.map(|sealed| standing(SealedColumn::PreviousSessionKey, sealed));
            [Some(standing(SealedColumn::SessionKey, key)), previous]
        });
        let next = next.or(Some(Cursor::Users(Uuid::nil())));
        Ok(Page { rows: count, values: values.flatten().collect(), next })
    }

    async fn users_behind(&self, last: Uuid) -> std::result::Result<Page, DbErr> {
        use users::Column as C;
        let rows: Vec<(Uuid, Option<Vec<u8>>)> = users::Entity::find()
            .select_only()
            .columns([C::Id, C::Phone])
            .filter(C::Id.gt(last))
            .order_by_asc(C::Id)
            .limit(PAGE)
            .into_tuple()
            .all(&self.read())
            .await?;
        let next = if full(rows.len()) { rows.last().map(|row| Cursor::Users(row.0)) } else { None };
        let count = rows.len() as u64;
        let values = rows.into_iter().filter_map(|(id, phone)| {
            let sealed = Sealed::from_stored(phone?);
            Some(Standing { column: SealedColumn::Phone, id, identity: None, sealed })
        });
        Ok(Page { rows: count, values: values.collect(), next })
    }

    /// Puts each in its place, unless what stood there has changed: a login was faster then, and its value stays. Says how
    /// many were put. One commit.
    pub async fn put_resealed(&self, column: SealedColumn, resealed: &[Resealed]) -> Result<u64> {
        if resealed.is_empty() {
            return Ok(0);
        }
        error::in_rounds(async || match self.backend() {
            DbBackend::Sqlite => self.put_each(column, resealed).await,
            backend => Ok(self.write().execute_raw(put(backend, column, resealed)).await?.rows_affected()),
        })
        .await
    }

    /// Row by row, in one transaction: SQLite plans the one statement of the others as a walk through the whole table, and
    /// has no network to save.
    async fn put_each(&self, column: SealedColumn, resealed: &[Resealed]) -> std::result::Result<u64, DbErr> {
        let (table, column) = column.name();
        let sql = format!("UPDATE {table} SET {column} = ? WHERE id = ? AND {column} = ?");
        let transaction = self.write().begin().await?;
        let mut put = 0;
        for Resealed { id, old, new } in resealed {
            let values = [new.as_bytes().to_vec().into(), Value::from(*id), old.as_bytes().to_vec().into()];
            let statement = Statement::from_sql_and_values(DbBackend::Sqlite, &sql, values);
            put += transaction.execute_raw(statement).await?.rows_affected();
        }
        transaction.commit().await?;
        Ok(put)
    }
}

fn full(rows: usize) -> bool {
    rows as u64 >= PAGE
}

/// One statement for many rows, which PostgreSQL and MySQL each spell in their way; SeaORM has no word for it.
fn put(backend: DbBackend, column: SealedColumn, resealed: &[Resealed]) -> Statement {
    let (table, column) = column.name();
    let count = resealed.len();
    let sql = if backend == DbBackend::MySql {
        let rows = " UNION ALL SELECT ?, ?, ?".repeat(count - 1);
        format!(
            "UPDATE {table} t JOIN (SELECT ? AS id, ? AS old, ? AS new{rows}) v \
             ON t.id = v.id AND t.{column} = v.old SET t.{column} = v.new"
        )
    } else {
        let row = |at| format!("(${}::uuid, ${}::bytea, ${}::bytea)", 3 * at + 1, 3 * at + 2, 3 * at + 3);
        let rows: Vec<_> = (0..count).map(row).collect();
        format!(
            "WITH v (id, old, new) AS (VALUES {}) UPDATE {table} SET {column} = v.new FROM v \
             WHERE {table}.id = v.id AND {table}.{column} = v.old",
            rows.join(", ")
        )
    };
    let values = resealed.iter().flat_map(|Resealed { id, old, new }| {
        [Value::from(*id), old.as_bytes().to_vec().into(), new.as_bytes().to_vec().into()]
    });
    Statement::from_sql_and_values(backend, sql, values)
}
