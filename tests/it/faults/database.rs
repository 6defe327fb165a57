//! The database is killed, hangs, turns read-only, is slow, or falls silent in the middle of a login load.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::ConnectionTrait as _;

use super::home::Home;
use super::people::People;
use super::server::Server;
use super::storm::Storm;
use super::wire::Wire;
use crate::world::{Database, Kind};

const MANY: usize = 12;

/// A load, a fault in the middle of it, its end; what was answered holds, and the process was never started again.
async fn through(
    server: &mut Server,
    home: Home,
    begin: impl AsyncFnOnce(&mut Server),
    end: impl AsyncFnOnce(&mut Server),
) -> String {
    let replica = home.start();
    let people = Arc::new(People::default());
    let storm = Storm::at(&replica.public, &home, &people, MANY);
    storm.until(60, |counts| counts.logins).await;
    begin(server).await;
    let away = storm.until(2 * MANY as u64, |counts| counts.later + counts.bearers_later).await;
    assert_eq!(away.broken, 0, "an answer, whatever the database does");
    assert_eq!(replica.health().await, (200, 503), "alive, and not ready");
    end(server).await;
    replica.until_ready().await;
    storm.until(60, |counts| counts.logins).await;
    assert_eq!(storm.end().await.broken, 0);
    people.all_exist(&home, &replica, 0).await;
    let printed = replica.end();
    people.nothing_is_said(&home, &printed);
    printed
}

async fn killed_and_started_again(kind: Kind) {
    let mut server = Server::start(kind).await;
    let home = Home::on(Database::on(kind, server.url()).await).await;
    through(&mut server, home, async |server| server.kill().await, async |server| server.go().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_killed_and_started_again_in_a_load_is_later_and_then_goes_on() {
    killed_and_started_again(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_that_is_killed_and_started_again_in_a_load_is_later_and_then_goes_on() {
    killed_and_started_again(Kind::MariaDb).await;
}

async fn hanging_for_a_while(kind: Kind) {
    let mut server = Server::start(kind).await;
    let home = Home::on(Database::on(kind, server.url()).await).await;
    through(&mut server, home, async |server| server.freeze(), async |server| server.thaw()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_hangs_for_a_while_is_later_and_then_goes_on() {
    hanging_for_a_while(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_that_hangs_for_a_while_is_later_and_then_goes_on() {
    hanging_for_a_while(Kind::MariaDb).await;
}

/// Logins are later; who only looks is served as ever.
async fn read_only(kind: Kind, home: Home, on: &[&str], off: &[&str], server: &Server) {
    let replica = home.start();
    let people = Arc::new(People::default());
    let storm = Storm::at(&replica.public, &home, &people, MANY);
    storm.until(60, |counts| counts.logins).await;
    let admin = sea_orm::Database::connect(server.url()).await.unwrap();
    for sql in on {
        admin.execute_unprepared(sql).await.unwrap();
    }
    // What was begun before may end.
    storm.until(MANY as u64, |counts| counts.later).await;
    let read_only = storm.until(2 * MANY as u64, |counts| counts.later.min(counts.bearers)).await;
    assert_eq!((read_only.logins, read_only.bearers_later, read_only.broken), (0, 0, 0), "{kind:?}");
    for sql in off {
        admin.execute_unprepared(sql).await.unwrap();
    }
    storm.until(60, |counts| counts.logins).await;
    storm.end().await;
    people.all_exist(&home, &replica, 0).await;
    people.nothing_is_said(&home, &replica.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_turns_read_only_still_says_who_is_who_and_takes_logins_once_it_is_not() {
    let server = Server::start(Kind::Postgres).await;
    let home = Home::on(Database::on(Kind::Postgres, server.url()).await).await;
    let on = ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"];
    let off = ["ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"];
    read_only(Kind::Postgres, home, &on, &off, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_that_turns_read_only_still_says_who_is_who_and_takes_logins_once_it_is_not() {
    let server = Server::start(Kind::MariaDb).await;
    let home = Home::on(Database::on(Kind::MariaDb, server.url()).await).await;
    // Not as root, whom the setting lets through.
    let name = &home.database.name;
    let admin = sea_orm::Database::connect(server.url()).await.unwrap();
    for sql in [
        "CREATE USER wxgate@'127.0.0.1' IDENTIFIED BY 'database-password'".to_owned(),
        format!("GRANT ALL ON {name}.* TO wxgate@'127.0.0.1'"),
    ] {
        admin.execute_unprepared(&sql).await.unwrap();
    }
    let url = format!("mysql://wxgate:database-password@127.0.0.1:{}/{name}", server.port());
    let home = home.set("database.url", &url);
    let (on, off) = (["SET GLOBAL read_only = ON"], ["SET GLOBAL read_only = OFF"]);
    read_only(Kind::MariaDb, home, &on, &off, &server).await;
}

/// Home whose database is reached by a wire.
async fn by_wire(kind: Kind, server: &Server) -> (Home, Wire) {
    let home = Home::on(Database::on(kind, server.url()).await).await;
    let wire = Wire::to(server.port()).await;
    let url = home.database.url(&home.data);
    let url = url.replace(&format!(":{}/", server.port()), &format!(":{}/", wire.address.port()));
    (home.set("database.url", &url), wire)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_far_away_is_slow_and_no_fault() {
    let server = Server::start(Kind::Postgres).await;
    let (home, wire) = by_wire(Kind::Postgres, &server).await;
    let replica = home.start();
    let people = Arc::new(People::default());
    let storm = Storm::at(&replica.public, &home, &people, MANY);
    storm.until(30, |counts| counts.logins).await;
    wire.slow(Duration::from_millis(100));
    let slow = storm.until(40, |counts| counts.logins).await;
    assert_eq!(slow.broken, 0);
    wire.slow(Duration::ZERO);
    storm.until(60, |counts| counts.logins).await;
    storm.end().await;
    people.all_exist(&home, &replica, 0).await;
    people.nothing_is_said(&home, &replica.end());
}

async fn silent_connections(kind: Kind) {
    let mut server = Server::start(kind).await;
    let (home, wire) = by_wire(kind, &server).await;
    through(&mut server, home, async |_| wire.silence(), async |_| wire.heal()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_moved_is_found_again_although_the_old_connections_never_end() {
    silent_connections(Kind::Postgres).await;
}

/// On what was printed: it was this, and nothing that heals by itself.
async fn lost_pool(kind: Kind) {
    let mut server = Server::start(kind).await;
    let (home, wire) = by_wire(kind, &server).await;
    // One for batches, and one for all else.
    let home = home.set("database.max_connections", "2");
    let silence = async |_: &mut Server| wire.silence_in_a_release().await;
    let printed = through(&mut server, home, silence, async |_| wire.heal()).await;
    assert!(printed.contains("the database was connected anew"), "{kind:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_postgres_whose_places_are_all_lost_as_they_were_released_is_made_anew() {
    lost_pool(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_mariadb_whose_places_are_all_lost_as_they_were_released_is_made_anew() {
    lost_pool(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_that_moved_is_found_again_although_the_old_connections_never_end() {
    silent_connections(Kind::MariaDb).await;
}
