//! Migrations: several at once, twice, and what their state is said to be.

use migration::{Migrator, MigratorTrait as _};
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
        assert_eq!(applied, 3, "three migrations, applied by one of them");
        assert_eq!(wxgate::cli::migrate::up(&config).await, Ok(0));
        assert_eq!(database.count(folder.path(), "users").await, 0);
    }
}

on_each_database! {
    async fn the_command_says_what_is_missing_applies_it_and_then_finds_nothing_to_do(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::fresh(kind).await;
        std::fs::write(folder.path().join("wxgate.toml"), configured(&folder, &database)).unwrap();
        let states = |state: &str| {
            let names = [
                "m20261101_000001_users_and_identities",
                "m20261125_000002_accounts",
                "m20261125_000003_revocations",
            ];
            names.map(|name| format!("{state}  {name}\n")).concat()
        };
        let status = run(folder.path(), &["migrate", "status"], &[]);
        assert_eq!((status.code, status.stdout.as_str()), (1, states("missing").as_str()), "{status:?}");
        assert!(status.stderr.contains("wxgate migrate up"), "{status:?}");
        let up = run(folder.path(), &["migrate", "up"], &[]);
        assert_eq!((up.code, up.stdout.as_str()), (0, "3 applied\n"), "{up:?}");
        let again = run(folder.path(), &["migrate", "up"], &[]);
        assert_eq!((again.code, again.stdout.as_str()), (0, "nothing to do\n"), "{again:?}");
        let status = run(folder.path(), &["migrate", "status"], &[]);
        assert_eq!((status.code, status.stdout.as_str()), (0, states("applied").as_str()), "{status:?}");
    }
}

on_each_database! {
    async fn a_database_of_before_accounts_keeps_its_rows_and_two_identities_in_one_app_are_numbered(kind: Kind) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::fresh(kind).await;
        let config = Loaded::from(&configured(&folder, &database)).unwrap().database;
        let connection = wxgate::store::lone_connection(&config).await.unwrap();
        Migrator::up(&connection, Some(1)).await.unwrap();
        let (hex, end) = if kind == Kind::Postgres { ("'\\x", "'") } else { ("x'", "'") };
        let uuid = |last: u32| match kind {
            Kind::Postgres => format!("'01a1fce9-f066-7826-9be7-{last:012}'"),
            _ => format!("x'01a1fce9f06678269be7{last:012}'"),
        };
        let user = uuid(1);
        let bytes = format!("{hex}00{end}");
        let users = format!(
            "INSERT INTO users (id, nickname, avatar_url, gender, country, province, city, language, level, status, \
             failed_logins, created_at, updated_at) VALUES ({user}, 'n', '', 0, '', '', '', '', 0, 0, 0, 1, 1)"
        );
        connection.execute_unprepared(&users).await.unwrap();
        for (at, appid) in ["wx1", "wx1", "wx2", "wx1"].iter().enumerate() {
            let identity = format!(
                "INSERT INTO identities (id, user_id, appid, openid, session_key, session_key_tag, session_key_at, \
                 last_login_at, last_login_ip, login_count, created_at) \
                 VALUES ({}, {user}, '{appid}', 'o{at}', {bytes}, {bytes}, 1, 1, '', 1, 1)",
                uuid(u32::try_from(at).unwrap() + 10)
            );
            connection.execute_unprepared(&identity).await.unwrap();
        }
        assert_eq!(wxgate::cli::migrate::up(&config).await, Ok(2));
        let rows = database.rows(folder.path(), "SELECT openid, slot FROM identities ORDER BY openid").await;
        let slots: Vec<i64> = rows.iter().map(|row| row["slot"].as_i64().unwrap()).collect();
        assert_eq!(slots, [0, 1, 0, 2]);
        assert_eq!(database.count(folder.path(), "users").await, 1);
        // And back, for whoever must.
        Migrator::down(&connection, Some(2)).await.unwrap();
        assert_eq!(wxgate::cli::migrate::up(&config).await, Ok(2));
        assert_eq!(database.count(folder.path(), "identities").await, 4);
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
    assert_eq!(wxgate::cli::migrate::up(&config).await, Ok(3));
    let backend = connection.get_database_backend();
    let sql = "SELECT CHARACTER_SET_NAME AS c, COLLATION_NAME AS n FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = 'identities' AND column_name = 'openid'";
    let row = connection.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
    let collation: (String, String) = (row.try_get("", "c").unwrap(), row.try_get("", "n").unwrap());
    assert_eq!(collation, ("utf8mb4".to_owned(), "utf8mb4_bin".to_owned()));
}
