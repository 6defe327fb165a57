//! Migrations: several at once, twice, and what their state is said to be.

use sea_orm::{ConnectionTrait as _, Statement};

use crate::on_each_database;
use crate::world::process::run;
use crate::world::{Database, Kind, Loaded, keys};

fn configured(folder: &tempfile::TempDir, database: &Database) -> String {
    keys::write(folder.path());
    let directory = folder.path().display();
    format!(
        r#"
        database.url = "{}"
        wechat.apps = [{{ id = "wx1", secret = "s" }}]
        tokens.issuer = "https://auth.example.com"
        tokens.keys = [{{ file = "{directory}/first.pem" }}]
        secrets.index_key_file = "{directory}/index.key"
        secrets.column_keys = [{{ id = "k1", file = "{directory}/column.key" }}]
        "#,
        database.url(folder.path())
    )
}

on_each_database! {
    async fn eight_replicas_that_migrate_at_once_do_it_once(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::fresh(kind).await;
        let config = Loaded::from(&configured(&folder, &database)).unwrap().database;
        let mut replicas = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let config = config.clone();
            replicas.spawn(async move { wxgate::cli::migrate::up(&config).await });
        }
        let applied: usize = replicas.join_all().await.into_iter().map(Result::unwrap).sum();
        assert_eq!(applied, 1, "one migration, applied by one of them");
        assert_eq!(wxgate::cli::migrate::up(&config).await, Ok(0));
        assert_eq!(database.count(folder.path(), "users").await, 0);
    }
}

on_each_database! {
    async fn the_command_says_what_is_missing_applies_it_and_then_finds_nothing_to_do(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::fresh(kind).await;
        std::fs::write(folder.path().join("wxgate.toml"), configured(&folder, &database)).unwrap();
        let status = run(folder.path(), &["migrate", "status"], &[]);
        assert_eq!((status.code, status.stdout.as_str()), (1, "missing  m20261101_000001_users_and_identities\n"), "{status:?}");
        assert!(status.stderr.contains("wxgate migrate up"), "{status:?}");
        let up = run(folder.path(), &["migrate", "up"], &[]);
        assert_eq!((up.code, up.stdout.as_str()), (0, "1 applied\n"), "{up:?}");
        let again = run(folder.path(), &["migrate", "up"], &[]);
        assert_eq!((again.code, again.stdout.as_str()), (0, "nothing to do\n"), "{again:?}");
        let status = run(folder.path(), &["migrate", "status"], &[]);
        assert_eq!((status.code, status.stdout.as_str()), (0, "applied  m20261101_000001_users_and_identities\n"), "{status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_killed_in_the_middle_on_mariadb_is_finished_by_the_next() {
    // MySQL commits each statement by itself: one table stands, the record of the migration doesn't.
    let folder = tempfile::tempdir().unwrap();
    let database = Database::fresh(Kind::MariaDb).await;
    let config = Loaded::from(&configured(&folder, &database)).unwrap().database;
    wxgate::cli::migrate::up(&config).await.unwrap();
    let connection = database.connect(folder.path()).await;
    for sql in ["DELETE FROM seaql_migrations", "DROP TABLE identities"] {
        connection.execute_unprepared(sql).await.unwrap();
    }
    assert_eq!(wxgate::cli::migrate::up(&config).await, Ok(1));
    let backend = connection.get_database_backend();
    let sql = "SELECT CHARACTER_SET_NAME AS c, COLLATION_NAME AS n FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = 'identities' AND column_name = 'openid'";
    let row = connection.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
    let collation: (String, String) = (row.try_get("", "c").unwrap(), row.try_get("", "n").unwrap());
    assert_eq!(collation, ("utf8mb4".to_owned(), "utf8mb4_bin".to_owned()));
}
