//! Logins of one batch, written by one commit. What a batch can't decide, a lost race or a row that the database refuses,
//! each of its logins decides alone afterwards, as if there had been no batch.

use std::collections::HashMap;

use entity::users;
use sea_orm::sea_query::ArrayType;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, FromQueryResult as _, QueryResult, Statement,
    TransactionTrait as _, Value,
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

impl Touch {
    fn key(&self) -> (&str, &str) {
        (&self.app, &self.openid)
    }
}

/// What came of one login of a batch.
#[derive(Clone)]
pub(in super::super) enum Outcome<T> {
    /// It is written.
    Written(T),
    /// The batch couldn't; it may do alone.
    Alone,
    /// The database can't be had; alone it would fare no better.
    Failed(crate::error::Error),
}

/// Who logs in more often than this in one batch does so alone, so that nobody else waits for it.
const PASSES: usize = 2;

/// So often a batch is written whose connection breaks: after an outage, all that stand in the pool may be dead.
const TRIES: usize = 8;

/// Updates the identities that there are and reads their users. None: there is no such identity.
pub(in super::super) async fn touch(
    database: DatabaseConnection,
    touches: Vec<Touch>,
) -> Vec<Outcome<Option<(User, Uuid)>>> {
    let mut outcomes: Vec<_> = touches.iter().map(|_| Outcome::Alone).collect();
    // One row is written once a statement: who logs in twice in one batch goes in the next pass.
    let mut passes = vec![Vec::new(); PASSES];
    let mut seen: HashMap<_, usize> = HashMap::with_capacity(touches.len());
    for (at, touch) in touches.iter().enumerate() {
        let times = seen.entry(touch.key()).or_default();
        if let Some(pass) = passes.get_mut(*times) {
            pass.push(at);
        }
        *times += 1;
    }
    for mut now in passes.into_iter().filter(|pass| !pass.is_empty()) {
        // In one order everywhere, so that two batches don't wait for each other.
        now.sort_by_key(|at| touches.get(*at).map(Touch::key));
        let pass: Vec<&Touch> = now.iter().filter_map(|at| touches.get(*at)).collect();
        match steadily(|| touch_each_once(&database, &pass)).await {
            Ok(mut found) => {
                for (place, at) in now.iter().enumerate() {
                    outcomes[*at] = Outcome::Written(found.remove(&place));
                }
            }
            Err(error) => now.into_iter().for_each(|at| outcomes[at] = failed(&error)),
        }
    }
    outcomes
}

/// Does it again on another connection where one broke. What was written already is counted once more at the worst.
pub(super) async fn steadily<T, F>(write: impl Fn() -> F) -> Result<T, DbErr>
where
    F: Future<Output = Result<T, DbErr>>,
{
    for _ in 1..TRIES {
        match write().await {
            Err(error) if error::is_broken_connection(&error) => {}
            outcome => return outcome,
        }
    }
    write().await
}

/// What the database refuses of one row, or can't read of it, may do for the others: each goes alone.
pub(super) fn failed<T>(error: &DbErr) -> Outcome<T> {
    if error::is_connection(error) { Outcome::Failed(error::unavailable_by(error)) } else { Outcome::Alone }
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
pub(super) fn rounded<T: Clone>(list: &[T]) -> Vec<T> {
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
