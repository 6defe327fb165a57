//! The login's statement in each database's words.

use std::sync::LazyLock;

use sea_orm::{DbBackend, Statement, Value};

use super::Login;

/// SET reads the row as it was, except on MySQL, which goes from left to right: in this order all three agree.
/// The key before the last is kept only when the new one really is another. `{row}` says whose a column is, where there are two
/// that have it.
const SET: &str = "SET previous_session_key = CASE WHEN {row}session_key_tag = {tag} THEN {row}previous_session_key \
     ELSE {row}session_key END, \
     session_key_at = CASE WHEN {row}session_key_tag = {tag} THEN {row}session_key_at ELSE {at} END, \
     session_key = {key}, session_key_tag = {tag}, last_login_at = {at}, last_login_ip = {ip}, \
     login_count = {row}login_count + 1, unionid = COALESCE({unionid}, {row}unionid)";
const WHERE: &str = "WHERE {row}appid = {app} AND {row}openid = {openid}";

/// Finds each row by the index on (appid, openid), then updates by the ids that were found. It says the same thing twice, so
/// that no plan has any other way: a plan made while the tables were empty is kept, and would read a million rows later on.
static UNNESTED: LazyLock<String> = LazyLock::new(|| {
    let columns = ["w.tag", "w.at", "w.key", "w.ip", "NULLIF(w.unionid, '')", "w.app", "w.openid"];
    let update = format!("UPDATE identities i {SET} FROM w").replace("{row}", "i.");
    let update = NAMES.iter().zip(columns).fold(update, |sql, (name, column)| sql.replace(name, column));
    format!(
        "WITH w AS MATERIALIZED (SELECT v.*, found.id FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::text[], \
         $5::text[], $6::text[], $7::text[]) WITH ORDINALITY AS v (tag, at, key, ip, unionid, app, openid, number) \
         CROSS JOIN LATERAL (SELECT id FROM identities WHERE appid = v.app AND openid = v.openid LIMIT 1) found), \
         touched AS ({update} WHERE i.id = w.id AND i.id = ANY (ARRAY(SELECT id FROM w)) \
         RETURNING w.number, i.user_id, i.id) \
         SELECT u.*, touched.id AS identity_id, touched.number FROM touched JOIN users u ON u.id = touched.user_id"
    )
});
static SQLITE: LazyLock<String> = LazyLock::new(|| {
    let numbers = NAMES.iter().enumerate();
    numbers.fold(alone() + " RETURNING user_id, id", |sql, (at, name)| {
        sql.replace(name, &format!("?{}", at + 1))
    })
});
static MYSQL: LazyLock<String> =
    LazyLock::new(|| NAMES.iter().fold(alone(), |sql, name| sql.replace(name, "?")));

/// Of one login.
fn alone() -> String {
    format!("UPDATE identities {SET} {WHERE}").replace("{row}", "")
}

/// What a statement's values stand for.
pub(super) const NAMES: [&str; 7] = ["{tag}", "{at}", "{key}", "{ip}", "{unionid}", "{app}", "{openid}"];

/// For PostgreSQL, of many logins: a list for each of [`NAMES`], in which no unionid is an empty one, since SeaORM's lists hold
/// no NULL. `number` counts them from 1.
pub(super) fn unnested(columns: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, UNNESTED.as_str(), columns)
}

/// For SQLite: updates, and says whose it is.
pub(super) fn sqlite(values: [Value; 7]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, SQLITE.as_str(), values)
}

/// MySQL has no numbered placeholders: the values stand in the order of the text.
pub(super) fn mysql(values: [Value; 7]) -> Statement {
    let [tag, at, key, ip, unionid, app, openid] = values;
    let in_order = [tag.clone(), tag.clone(), at.clone(), key, tag, at, ip, unionid, app, openid];
    Statement::from_sql_and_values(DbBackend::MySql, MYSQL.as_str(), in_order)
}

/// In the order of [`NAMES`].
pub(super) fn values(login: &Login<'_>) -> [Value; 7] {
    [
        login.session_key_tag.clone().into(),
        login.at.as_millisecond().into(),
        login.session_key.as_bytes().to_vec().into(),
        login.ip.to_string().into(),
        login.unionid.map(|id| id.expose().to_owned()).into(),
        login.app.into(),
        login.openid.expose().into(),
    ]
}
