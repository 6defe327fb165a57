//! Logins of one batch, written by one commit. What a batch can't decide, a lost race or a row that the database refuses,
//! each of its logins decides alone afterwards, as if there had been no batch.

use std::collections::{HashMap, HashSet};

use entity::{identities, users};
use sea_orm::sea_query::ArrayType;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait as _, FromQueryResult as _,
    QueryResult, Statement, TransactionTrait as _, Value,
};
use uuid::Uuid;

use super::super::error;
use super::super::user::User;
use super::statements::{self, NAMES};

/// A returning user's login, to be written.
pub(in super::super) struct Touch {
    pub(super) app: String,
    pub(super) openid: String,
    /// When, ms.
    pub(super) at: i64,
    /// As [`statements::values`] has them.
    pub(super) values: [Value; 7],
}

/// A first login's rows.
pub(in super::super) struct Fresh {
    pub(super) user: users::Model,
    pub(super) identity: identities::ActiveModel,
}

/// What came of one login of a batch.
pub(in super::super) enum Outcome<T> {
    /// It is written.
    Written(T),
    /// The batch couldn't; it may do alone.
    Alone,
    /// The database can't be had; alone it would fare no better.
    Failed(crate::error::Error),
}

/// Updates the identities that there are and reads their users. None: there is no such identity.
pub(in super::super) async fn touch(
    database: DatabaseConnection,
    touches: Vec<Touch>,
) -> Vec<Outcome<Option<(User, Uuid)>>> {
    let mut outcomes: Vec<_> = touches.iter().map(|_| Outcome::Alone).collect();
    let mut left: Vec<usize> = (0..touches.len()).collect();
    // One row is written once a statement: who logs in twice in one batch goes in the next pass.
    while !left.is_empty() {
        let mut now: Vec<usize> = Vec::with_capacity(left.len());
        let mut seen = HashSet::with_capacity(left.len());
        left.retain(|at| {
            let first = seen.insert((&touches[*at].app, &touches[*at].openid));
            if first {
                now.push(*at);
            }
            !first
        });
        // In one order everywhere, so that two batches don't wait for each other.
        now.sort_by(|a, b| {
            (&touches[*a].app, &touches[*a].openid).cmp(&(&touches[*b].app, &touches[*b].openid))
        });
        let pass: Vec<&Touch> = now.iter().map(|at| &touches[*at]).collect();
        match touch_each_once(&database, &pass).await {
            Ok(mut found) => {
                for (place, at) in now.iter().enumerate() {
                    outcomes[*at] = Outcome::Written(found.remove(&place));
                }
            }
            Err(error) => {
                for at in now {
                    outcomes[at] = failed(&error);
                }
            }
        }
    }
    outcomes
}

/// What the database refuses of one row, it may take of the others: each goes alone.
fn failed<T>(error: &DbErr) -> Outcome<T> {
    if error::is_refusal(error) { Outcome::Alone } else { Outcome::Failed(error::unavailable_by(error)) }
}

type Found = HashMap<usize, (User, Uuid)>;

/// Of these, no two of one identity: in one transaction, or one statement. By their place in the list; one that is missing is
/// nobody's yet.
pub(super) async fn touch_each_once(
    database: &DatabaseConnection,
    touches: &[&Touch],
) -> Result<Found, DbErr> {
    let backend = database.get_database_backend();
    if backend == DbBackend::Postgres {
        let rows = database.query_all_raw(statements::unnested(columns(touches))).await?;
        return rows.iter().map(|row| found(row, touches)).collect();
    }
    let transaction = database.begin().await?;
    let mut touched = Vec::new();
    for (place, touch) in touches.iter().enumerate() {
        if backend == DbBackend::Sqlite {
            let statement = statements::sqlite(touch.values.clone());
            if let Some(row) = transaction.query_one_raw(statement).await? {
                let ids: (Uuid, Uuid) = (row.try_get("", "user_id")?, row.try_get("", "id")?);
                touched.push((place, ids));
            }
        } else {
            let changed = transaction.execute_raw(statements::mysql(touch.values.clone())).await?;
            if changed.rows_affected() > 0 {
                touched.push((place, (Uuid::nil(), Uuid::nil())));
            }
        }
    }
    let found = if backend == DbBackend::Sqlite {
        by_ids(&transaction, touches, &touched).await?
    } else {
        by_openids(&transaction, touches, &touched).await?
    };
    transaction.commit().await?;
    Ok(found)
}

fn columns(touches: &[&Touch]) -> Vec<Value> {
    // In the order of `NAMES`.
    let kinds: [ArrayType; NAMES.len()] = [
        ArrayType::Bytes,
        ArrayType::BigInt,
        ArrayType::Bytes,
        ArrayType::String,
        ArrayType::String,
        ArrayType::String,
        ArrayType::String,
    ];
    let column = |(at, kind): (usize, ArrayType)| {
        let values = touches.iter().map(|touch| match &touch.values[at] {
            Value::String(None) => Value::from(""),
            value => value.clone(),
        });
        let values = values.collect();
        Value::Array(kind, Some(Box::new(values)))
    };
    kinds.into_iter().enumerate().map(column).collect()
}

fn found(row: &QueryResult, touches: &[&Touch]) -> Result<(usize, (User, Uuid)), DbErr> {
    let number: i64 = row.try_get("", "number")?;
    let place = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let at = touches.get(place).map(|touch| touch.at);
    let user = User::from_row(users::Model::from_query_result(row, "")?, at);
    Ok((place, (user, row.try_get("", "identity_id")?)))
}

/// The list, its last item repeated up to a power of two: so few lengths, so few statements to prepare.
fn rounded<T: Clone>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    if let Some(last) = list.last().cloned() {
        list.resize(list.len().next_power_of_two(), last);
    }
    list
}

async fn by_ids(
    transaction: &impl ConnectionTrait,
    touches: &[&Touch],
    touched: &[(usize, (Uuid, Uuid))],
) -> Result<Found, DbErr> {
    if touched.is_empty() {
        return Ok(Found::new());
    }
    let ids: Vec<Value> = rounded(touched).into_iter().map(|(_, (user, _))| user.into()).collect();
    let sql = format!("SELECT * FROM users WHERE id IN ({})", vec!["?"; ids.len()].join(", "));
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, ids);
    let rows = transaction.query_all_raw(statement).await?;
    let mut users = HashMap::with_capacity(rows.len());
    for row in &rows {
        let row = users::Model::from_query_result(row, "")?;
        users.insert(row.id, row);
    }
    let found = touched.iter().filter_map(|(place, (user, identity))| {
        let user = User::from_row(users.get(user)?.clone(), touches.get(*place).map(|touch| touch.at));
        Some((*place, (user, *identity)))
    });
    Ok(found.collect())
}

async fn by_openids(
    transaction: &impl ConnectionTrait,
    touches: &[&Touch],
    touched: &[(usize, (Uuid, Uuid))],
) -> Result<Found, DbErr> {
    if touched.is_empty() {
        return Ok(Found::new());
    }
    let wanted = rounded(touched);
    let values: Vec<Value> = wanted
        .iter()
        .filter_map(|(place, _)| touches.get(*place))
        .flat_map(|touch| [touch.app.as_str().into(), touch.openid.as_str().into()])
        .collect();
    let sql = format!(
        "SELECT u.*, i.id AS identity_id, i.appid AS identity_app, i.openid AS identity_openid \
         FROM identities i JOIN users u ON u.id = i.user_id WHERE (i.appid, i.openid) IN ({})",
        vec!["(?, ?)"; wanted.len()].join(", ")
    );
    let rows =
        transaction.query_all_raw(Statement::from_sql_and_values(DbBackend::MySql, sql, values)).await?;
    let mut users = HashMap::with_capacity(rows.len());
    for row in &rows {
        let key: (String, String) = (row.try_get("", "identity_app")?, row.try_get("", "identity_openid")?);
        users.insert(key, (users::Model::from_query_result(row, "")?, row.try_get("", "identity_id")?));
    }
    let found = touched.iter().filter_map(|(place, _)| {
        let touch = touches.get(*place)?;
        let (row, identity) = users.get(&(touch.app.clone(), touch.openid.clone()))?;
        Some((*place, (User::from_row(row.clone(), Some(touch.at)), *identity)))
    });
    Ok(found.collect())
}

/// Makes all the users and identities together, or none: then each looks again alone.
pub(in super::super) async fn make(database: DatabaseConnection, fresh: Vec<Fresh>) -> Vec<Outcome<()>> {
    let made = make_all(&database, &fresh).await;
    fresh
        .iter()
        .map(|_| match &made {
            Ok(()) => Outcome::Written(()),
            Err(error) => failed(error),
        })
        .collect()
}

async fn make_all(database: &DatabaseConnection, fresh: &[Fresh]) -> Result<(), DbErr> {
    let transaction = database.begin().await?;
    let made = async {
        let rows = fresh.iter().map(|fresh| users::ActiveModel::from(fresh.user.clone()));
        users::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        let rows = fresh.iter().map(|fresh| fresh.identity.clone());
        identities::Entity::insert_many(rows).exec_without_returning(&transaction).await.map(|_| ())
    }
    .await;
    match made {
        Ok(()) => transaction.commit().await,
        Err(error) => {
            transaction.rollback().await?;
            Err(error)
        }
    }
}
