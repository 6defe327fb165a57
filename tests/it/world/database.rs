//! A database of a test's own on each kind of server. A server that isn't there fails the test: nothing is skipped.

use std::path::Path;

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, FromQueryResult as _, JsonValue, Statement,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    server: String,
}

impl Database {
    /// Empty, not migrated.
    pub(crate) async fn fresh(kind: Kind) -> Self {
        let server = match kind {
            Kind::Sqlite => String::new(),
            Kind::Postgres => server("WXGATE_TEST_POSTGRES"),
            Kind::MariaDb => server("WXGATE_TEST_MYSQL"),
        };
        Self::on(kind, server).await
    }

    /// The same on this server.
    pub(crate) async fn on(kind: Kind, server: String) -> Self {
        let random: [u8; 8] = wxgate::vault::random::bytes();
        let name = format!("wxgate_{:016x}", u64::from_be_bytes(random));
        if kind == Kind::Sqlite {
            return Self { kind, name, server };
        }
        let admin = sea_orm::Database::connect(&server).await.unwrap();
        // latin1 on MariaDB: our tables must name their own character set.
        let charset = if kind == Kind::MariaDb { " CHARACTER SET latin1" } else { "" };
        admin.execute_unprepared(&format!("CREATE DATABASE {name}{charset}")).await.unwrap();
        admin.close().await.unwrap();
        Self { kind, name, server }
    }

    /// As `database.url` wants it; SQLite's file is in `folder`.
    pub(crate) fn url(&self, folder: &Path) -> String {
        match self.kind {
            Kind::Sqlite => format!("sqlite://{}?mode=rwc", folder.join("wxgate.sqlite").display()),
            Kind::Postgres | Kind::MariaDb => {
                format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
            }
        }
    }

    /// A connection of the test's own.
    pub(crate) async fn connect(&self, folder: &Path) -> DatabaseConnection {
        sea_orm::Database::connect(self.url(folder)).await.unwrap()
    }

    /// The rows of a query, as JSON; times, counts and text only.
    pub(crate) async fn rows(&self, folder: &Path, sql: &str) -> Vec<JsonValue> {
        let connection = self.connect(folder).await;
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let rows = connection.query_all_raw(statement).await.unwrap();
        let rows = rows.iter().map(|row| JsonValue::from_query_result(row, "").unwrap()).collect();
        connection.close().await.unwrap();
        rows
    }

    /// The one number of a query.
    pub(crate) async fn count(&self, folder: &Path, table: &str) -> i64 {
        let connection = self.connect(folder).await;
        let backend = connection.get_database_backend();
        let cast = if backend == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
        let sql = format!("SELECT CAST(count(*) AS {cast}) AS n FROM {table}");
        let row = connection.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
        connection.close().await.unwrap();
        row.try_get("", "n").unwrap()
    }
}

pub(crate) fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests by scripts/test, which starts the servers")
    })
}
