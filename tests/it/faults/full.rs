//! The disk is full: who only looks is served, who logs in is told to come later, and when there is room again all goes on.
//!
//! A disk of the test's own can only be mounted as root; anybody can limit the size of files. As root both are done.

use std::process::Command;
use std::sync::Arc;

use super::disk::{Disk, UNHARMED, limit_files, size};
use super::home::{Home, Replica};
use super::people::People;
use super::say;
use super::server::Server;
use super::storm::Storm;
use crate::proxies::stage::is_root;
use crate::world::{Database, Kind};

/// The disk, as somebody who isn't root makes one full.
fn mounted(megabytes: u32) -> Option<Disk> {
    if is_root() {
        return Some(Disk::of(megabytes));
    }
    say("not root, so no disk of the test's own: the test beside this one limits the size of files instead");
    None
}

/// What is there to do before, while and after it is full.
async fn goes_on(
    home: &Home,
    replica: &Replica,
    fill: impl AsyncFnOnce(),
    free: impl AsyncFnOnce(),
) -> Arc<People> {
    let people = Arc::new(People::default());
    let storm = Storm::at(&replica.public, home, &people, 12);
    storm.until(40, |counts| counts.logins).await;
    fill().await;
    let full = storm.until(24, |counts| counts.later).await;
    assert_eq!(full.broken, 0);
    free().await;
    replica.until_ready().await;
    storm.until(120, |counts| counts.logins).await;
    assert_eq!(storm.end().await.broken, 0, "it never left anybody without an answer");
    people
}

/// On SQLite who only looks needs no room.
async fn on_sqlite(home: Home, replica: Replica, fill: impl Fn(&Replica), free: impl Fn(&Replica)) {
    let people = goes_on(&home, &replica, async || fill(&replica), async || free(&replica)).await;
    let again = Storm::at(&replica.public, &home, &people, 12);
    fill(&replica);
    again.until(24, |counts| counts.later).await;
    let full = again.until(12, |counts| counts.bearers).await;
    assert_eq!(full.bearers_later, 0, "who only looks is served");
    free(&replica);
    again.until(60, |counts| counts.logins).await;
    again.end().await;
    // What was answered since is on the disk, too.
    people.nothing_is_said(&home, &replica.kill());
    let replica = home.start();
    people.all_exist(&home, &replica, 0).await;
    people.nothing_is_said(&home, &replica.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_sqlite_is_later_for_logins_only_and_over_when_there_is_room() {
    let Some(disk) = mounted(12) else { return };
    let home = Home::on(Database::fresh(Kind::Sqlite).await).await.in_folder(&disk.path);
    let replica = home.start();
    on_sqlite(home, replica, |_| disk.fill(), |_| disk.free()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_files_under_sqlite_is_later_for_logins_only_and_over_when_it_is_raised() {
    let home = Home::on(Database::fresh(Kind::Sqlite).await).await;
    let replica = home.start_by(&UNHARMED, &[]);
    let log = home.data.join("wxgate.sqlite-wal");
    let limit = |replica: &Replica, size: &str| {
        let run = |command: &mut Command| assert!(command.status().unwrap().success());
        limit_files(run, &[replica.process.id()], size);
    };
    let fill = |replica: &Replica| limit(replica, &(size(&log) / 2).to_string());
    on_sqlite(home, replica, fill, |replica| limit(replica, "unlimited")).await;
}

/// PostgreSQL gives up altogether where it can't write its log: whoever looks after it starts it again.
async fn on_postgres(server: Server, fill: impl Fn(&Server), free: impl Fn(&Server)) {
    let home = Home::on(Database::on(Kind::Postgres, server.url()).await).await;
    let replica = home.start();
    let server = tokio::sync::Mutex::new(server);
    let fill = async || fill(&*server.lock().await);
    let free = async || {
        let mut server = server.lock().await;
        free(&server);
        server.go().await;
    };
    let people = goes_on(&home, &replica, fill, free).await;
    people.all_exist(&home, &replica, 0).await;
    people.nothing_is_said(&home, &replica.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgres_is_later_and_over_when_there_is_room() {
    let Some(disk) = mounted(80) else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(Kind::Postgres, folder, disk.path.clone()).await;
    on_postgres(server, |_| disk.fill(), |_| disk.free()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_files_under_postgres_is_later_and_over_when_it_is_raised() {
    let server = Server::start(Kind::Postgres).await;
    let limit = |server: &Server, size: &str| {
        // Of whoever is there still.
        let run = |command: &mut Command| drop(server.run(command));
        limit_files(run, &server.family(), size);
    };
    on_postgres(server, |server| limit(server, "8192"), |server| limit(server, "unlimited")).await;
}
