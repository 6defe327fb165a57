//! Every sealed value, row by row, and putting newly sealed ones in their place while logins go on.

use entity::{identities, users};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, DbErr, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Statement, Value,
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
        let identities = identities::Entity::find().count(&self.read).await.map_err(error::unavailable)?;
        let users = users::Entity::find().count(&self.read).await.map_err(error::unavailable)?;
        Ok(identities + users)
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
            .all(&self.read)
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
            .all(&self.read)
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
    /// many were put. One statement, so one commit.
    pub async fn put_resealed(&self, column: SealedColumn, resealed: &[Resealed]) -> Result<u64> {
        if resealed.is_empty() {
            return Ok(0);
        }
        let statement = || put(self.backend(), column, resealed);
        error::in_rounds(async || Ok(self.write.execute_raw(statement()).await?.rows_affected())).await
    }
}

fn full(rows: usize) -> bool {
    rows as u64 >= PAGE
}

/// One statement for many rows, which each database spells in its way; SeaORM has no word for it.
fn put(backend: DbBackend, column: SealedColumn, resealed: &[Resealed]) -> Statement {
    let (table, column) = column.name();
    let count = resealed.len();
    let sql = if backend == DbBackend::MySql {
        let rows = vec!["SELECT ?, ?, ?"; count - 1].join(" UNION ALL ");
        let rest = if rows.is_empty() { String::new() } else { format!(" UNION ALL {rows}") };
        format!(
            "UPDATE {table} t JOIN (SELECT ? AS id, ? AS old, ? AS new{rest}) v \
             ON t.id = v.id AND t.{column} = v.old SET t.{column} = v.new"
        )
    } else {
        let rows: Vec<_> = (0..count)
            .map(|row| match backend {
                DbBackend::Postgres => {
                    format!("(${}::uuid, ${}::bytea, ${}::bytea)", 3 * row + 1, 3 * row + 2, 3 * row + 3)
                }
                _ => "(?, ?, ?)".to_owned(),
            })
            .collect();
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
