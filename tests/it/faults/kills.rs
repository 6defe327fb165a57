//! kill -9 in a storm of logins, again and again: what was answered is there, and the next start needs no hand.

use std::sync::Arc;
use std::time::Duration;

use super::home::Home;
use super::people::People;
use super::storm::Storm;
use super::{random, say, times};
use crate::world::{Database, Kind};

/// `WXGATE_TEST_KILLS` has it done more often.
async fn what_was_answered_is_there_after_every_kill(kind: Kind) {
    let home = Home::on(Database::fresh(kind).await).await;
    let people = Arc::new(People::default());
    let mut asked_for = 0;
    for _ in 0..times("WXGATE_TEST_KILLS", 6) {
        if random(5) == 0 {
            // In the middle of its start; the first time, of its migrations.
            let process = home.spawn(&[], &[]);
            tokio::time::sleep(Duration::from_millis(random(300))).await;
            people.nothing_is_said(&home, &process.kill());
        }
        let replica = home.start();
        people.all_exist(&home, &replica, asked_for).await;
        asked_for = people.sessions().len();
        let storm = Storm::at(&replica.public, &home, &people, 16);
        storm.until(1 + random(80), |counts| counts.logins).await;
        tokio::time::sleep(Duration::from_millis(random(15))).await;
        let printed = replica.kill();
        storm.end().await;
        people.nothing_is_said(&home, &printed);
    }
    let replica = home.start();
    people.all_exist(&home, &replica, asked_for).await;
    people.nothing_is_said(&home, &replica.end());
    say(&format!("{kind:?}: {} logins were answered", people.sessions().len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_every_kill_on_sqlite() {
    what_was_answered_is_there_after_every_kill(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_every_kill_on_postgres() {
    what_was_answered_is_there_after_every_kill(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_every_kill_on_mariadb() {
    what_was_answered_is_there_after_every_kill(Kind::MariaDb).await;
}

/// On a database without a table: whatever is there of them, the next start makes the rest.
async fn migrations_are_finished_by_the_next_start(kind: Kind) {
    let home = Home::on(Database::fresh(kind).await).await;
    for round in 0..6 {
        let process = home.spawn(&[], &[]);
        tokio::time::sleep(Duration::from_millis(round * 25 + random(25))).await;
        process.kill();
    }
    let replica = home.start();
    let people = Arc::new(People::default());
    let storm = Storm::at(&replica.public, &home, &people, 4);
    storm.until(8, |counts| counts.logins).await;
    storm.end().await;
    people.all_exist(&home, &replica, 0).await;
    people.nothing_is_said(&home, &replica.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_were_killed_are_finished_by_the_next_start_on_sqlite() {
    migrations_are_finished_by_the_next_start(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_were_killed_are_finished_by_the_next_start_on_postgres() {
    migrations_are_finished_by_the_next_start(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_were_killed_are_finished_by_the_next_start_on_mariadb() {
    migrations_are_finished_by_the_next_start(Kind::MariaDb).await;
}
