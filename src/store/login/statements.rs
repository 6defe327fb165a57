//! The login's statement in each database's words.

use std::sync::LazyLock;

use sea_orm::{DbBackend, Statement, Value};

use super::Login;

/// SET reads the row as it was, except on MySQL, which goes from left to right: in this order all three agree.
/// The key before the last is kept only when the new one really is another.
const SET: &str = "SET previous_session_key = CASE WHEN session_key_tag = {tag} THEN previous_session_key ELSE session_key END, \
     session_key_at = CASE WHEN session_key_tag = {tag} THEN session_key_at ELSE {at} END, \
     session_key = {key}, session_key_tag = {tag}, last_login_at = {at}, last_login_ip = {ip}, \
     login_count = login_count + 1, unionid = COALESCE({unionid}, unionid) WHERE appid = {app} AND openid = {openid}";

static POSTGRES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH touched AS (UPDATE identities {} RETURNING user_id, id) \
         SELECT u.*, touched.id AS identity_id FROM touched JOIN users u ON u.id = touched.user_id",
        numbered("$")
    )
});
static UNNESTED: LazyLock<String> = LazyLock::new(|| {
    // The values are columns of `v` here, and the row's own columns need saying whose they are.
    let columns = ["v.tag", "v.at", "v.key", "v.ip", "NULLIF(v.unionid, '')", "v.app", "v.openid"];
    let set = NAMES.iter().zip(columns).fold(SET.to_owned(), |sql, (name, column)| sql.replace(name, column));
    let set = set
        .replace(
            "THEN previous_session_key ELSE session_key END",
            "THEN i.previous_session_key ELSE i.session_key END",
        )
        .replace("THEN session_key_at", "THEN i.session_key_at")
        .replace("WHEN session_key_tag", "WHEN i.session_key_tag")
        .replace("= login_count + 1", "= i.login_count + 1")
        .replace(", unionid)", ", i.unionid)")
        .replace("WHERE appid", "FROM v WHERE i.appid")
        .replace("AND openid", "AND i.openid");
    format!(
        "WITH v AS (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::text[], $5::text[], $6::text[], \
         $7::text[]) WITH ORDINALITY AS t (tag, at, key, ip, unionid, app, openid, number)), \
         touched AS (UPDATE identities i {set} RETURNING v.number, i.user_id, i.id) \
         SELECT u.*, touched.id AS identity_id, touched.number FROM touched JOIN users u ON u.id = touched.user_id"
    )
});
static SQLITE: LazyLock<String> =
    LazyLock::new(|| format!("UPDATE identities {} RETURNING user_id, id", numbered("?")));
static MYSQL: LazyLock<String> = LazyLock::new(|| {
    NAMES.iter().fold(format!("UPDATE identities {SET}"), |sql, name| sql.replace(name, "?"))
});

/// What a statement's values stand for.
pub(super) const NAMES: [&str; 7] = ["{tag}", "{at}", "{key}", "{ip}", "{unionid}", "{app}", "{openid}"];

fn numbered(mark: &str) -> String {
    let numbers = NAMES.iter().enumerate();
    numbers.fold(SET.to_owned(), |sql, (at, name)| sql.replace(name, &format!("{mark}{}", at + 1)))
}

/// For PostgreSQL: updates and reads in one.
pub(super) fn postgres(values: [Value; 7]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, POSTGRES.as_str(), values)
}

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
