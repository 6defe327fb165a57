//! Logins that are written together: everybody gets their own, and nobody pays for somebody else's trouble.

use std::collections::HashSet;
use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::on_each_database;
use crate::world::answer::Answer;
use crate::world::{APP, Kind, OTHER_APP, World};

/// All at the same time, each by a code of its own; the answers in their order.
async fn at_once(world: &Arc<World>, people: &[Value]) -> Vec<Answer> {
    let mut tasks = Vec::new();
    for person in people {
        let code = world.code_of(person.clone()).await;
        let (world, app) = (world.clone(), person["appid"].clone());
        tasks.push(tokio::spawn(async move {
            world.post("/v1/login", &json!({ "code": code, "appId": app })).await
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn person(openid: &str) -> Value {
    json!({ "appid": APP, "openid": openid })
}

fn user(session: &Value) -> Uuid {
    session["userInfo"]["userId"].as_str().unwrap().parse().unwrap()
}

on_each_database! {
    async fn in_a_mixed_batch_everybody_gets_their_own_answer(kind: Kind) {
        let world = Arc::new(World::on(kind).await);
        let known: Vec<Value> = (0..24).map(|n| person(&format!("known-{n}"))).collect();
        let before: Vec<Uuid> =
            at_once(&world, &known).await.into_iter().map(|answer| user(&answer.status(200).json())).collect();
        assert_eq!(before.iter().collect::<HashSet<_>>().len(), 24);
        let united = json!({ "appid": APP, "openid": "united", "unionid": "union" });
        let united = user(&at_once(&world, &[united]).await.remove(0).status(200).json());
        let store = &world.app.rooms.store;
        let now = world.app.rooms.now();
        store.close_user(before[3], now).await.unwrap();
        store.set_disabled(before[5], true, now).await.unwrap();

        // Twice the same in the batch, known and new; somebody's other app; two new ones who are one person.
        let mut people = known.clone();
        people.extend([known[7].clone(), known[7].clone(), known[7].clone()]);
        people.extend((0..12).map(|n| person(&format!("new-{n}"))));
        people.extend([person("new-3"), person("new-3")]);
        people.push(json!({ "appid": OTHER_APP, "openid": "united-too", "unionid": "union" }));
        people.push(json!({ "appid": APP, "openid": "twin-1", "unionid": "twins" }));
        people.push(json!({ "appid": OTHER_APP, "openid": "twin-2", "unionid": "twins" }));
        let answers = at_once(&world, &people).await;
        let mut new = Vec::new();
        for (at, answer) in answers.into_iter().enumerate() {
            if at == 5 {
                answer.refused(403, "user_disabled");
                continue;
            }
            let session = answer.status(200).json();
            match at {
                3 => assert!(user(&session) != before[3] && session["isNewUser"] == true),
                0..24 => assert_eq!((user(&session), &session["isNewUser"]), (before[at], &json!(false)), "{at}"),
                24..27 => assert_eq!(user(&session), before[7]),
                41 => assert_eq!((user(&session), &session["isNewUser"]), (united, &json!(false))),
                _ => new.push(user(&session)),
            }
        }
        // 12 and the second and third of one; the twins.
        assert_eq!(new.len(), 16);
        assert!(new[3] == new[12] && new[3] == new[13] && new[14] == new[15], "{new:?}");
        assert_eq!(new.iter().collect::<HashSet<_>>().len(), 13);
        // Whom each token is of, is who they are from now on.
        let again = at_once(&world, &people[27..39]).await;
        for (answer, id) in again.into_iter().zip(&new) {
            let session = answer.status(200).json();
            assert_eq!((user(&session), &session["isNewUser"]), (*id, &json!(false)));
        }
        let sql = "SELECT login_count FROM identities WHERE openid IN ('known-7', 'new-3') ORDER BY openid";
        let counts = world.database.rows(&world.folder(), sql).await;
        assert_eq!((&counts[0]["login_count"], &counts[1]["login_count"]), (&json!(5), &json!(4)));
        let orphans = "SELECT u.id FROM users u LEFT JOIN identities i ON i.user_id = u.id WHERE i.id IS NULL AND u.status = 0";
        assert_eq!(world.database.rows(&world.folder(), orphans).await.len(), 0, "a user nobody can be");
    }
}

async fn a_locked_row_holds_up_whose_it_is_and_nobody_else(kind: Kind) {
    let world = Arc::new(World::on(kind).await);
    let people: Vec<Value> = (0..16).map(|n| person(&format!("person-{n}"))).collect();
    at_once(&world, &people).await.into_iter().for_each(|answer| drop(answer.status(200)));
    let connection = world.database.connect(&world.folder()).await;
    let holder = connection.begin().await.unwrap();
    // By the index: else MariaDB locks every row that it looks at.
    let lock = format!("UPDATE identities SET slot = slot WHERE appid = '{APP}' AND openid = 'person-9'");
    holder.execute_unprepared(&lock).await.unwrap();
    for (at, answer) in at_once(&world, &people).await.into_iter().enumerate() {
        if at == 9 {
            answer.refused(503, "store_unavailable");
        } else {
            answer.status(200);
        }
    }
    holder.rollback().await.unwrap();
    at_once(&world, &people).await.into_iter().for_each(|answer| drop(answer.status(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_on_postgres_holds_up_whose_it_is_and_nobody_else() {
    a_locked_row_holds_up_whose_it_is_and_nobody_else(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_on_mariadb_holds_up_whose_it_is_and_nobody_else() {
    a_locked_row_holds_up_whose_it_is_and_nobody_else(Kind::MariaDb).await;
}

/// Ends every connection to the database but the asker's.
async fn cut(world: &World) {
    let connection = world.database.connect(&world.folder()).await;
    let sql = match world.database.kind {
        Kind::Postgres => {
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        _ => {
            let ids = "SELECT id AS count FROM information_schema.processlist \
                       WHERE db = DATABASE() AND id <> CONNECTION_ID()";
            for row in world.database.rows(&world.folder(), ids).await {
                // One of them is that query's own, and gone.
                let _ = connection.execute_unprepared(&format!("KILL {}", row["count"])).await;
            }
            return;
        }
    };
    connection.execute_unprepared(sql).await.unwrap();
}

async fn when_every_connection_breaks_a_batch_goes_by_another(kind: Kind) {
    let world = Arc::new(World::on(kind).await);
    let people: Vec<Value> = (0..32).map(|n| person(&format!("person-{n}"))).collect();
    at_once(&world, &people).await.into_iter().for_each(|answer| drop(answer.status(200)));
    for round in 0..3 {
        cut(&world).await;
        let mut all = people.clone();
        all.extend((0..8).map(|n| person(&format!("new-{round}-{n}"))));
        at_once(&world, &all).await.into_iter().for_each(|answer| drop(answer.status(200)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_connection_to_postgres_breaks_a_batch_goes_by_another() {
    when_every_connection_breaks_a_batch_goes_by_another(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_connection_to_mariadb_breaks_a_batch_goes_by_another() {
    when_every_connection_breaks_a_batch_goes_by_another(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_postgres_made_while_nobody_was_known_reads_no_table_later() {
    let world = Arc::new(World::on(Kind::Postgres).await);
    let people: Vec<Value> = (0..16).map(|n| person(&format!("person-{n}"))).collect();
    for _ in 0..3 {
        at_once(&world, &people).await.into_iter().for_each(|answer| drop(answer.status(200)));
    }
    let connection = world.database.connect(&world.folder()).await;
    for sql in [
        "INSERT INTO users SELECT gen_random_uuid(), NULL, NULL, NULL, '', '', 0, '', '', '', '', NULL, NULL, 0, 0, NULL, 1, 1 \
         FROM generate_series(1, 20000)",
        "INSERT INTO identities (id, user_id, appid, openid, session_key, session_key_tag, session_key_at, last_login_at, \
         last_login_ip, login_count, created_at) SELECT gen_random_uuid(), id, 'wx', id::text, '', '', 1, 1, '', 1, 1 FROM users",
    ] {
        connection.execute_unprepared(sql).await.unwrap();
    }
    for _ in 0..10 {
        at_once(&world, &people).await.into_iter().for_each(|answer| drop(answer.status(200)));
    }
    // The counts come in when their connections end.
    world.app.rooms.store.close().await;
    let others = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() \
                  AND application_name = 'wxgate'";
    while world.database.rows(&world.folder(), others).await[0]["count"] != 0 {}
    let read = "SELECT coalesce(sum(seq_tup_read), 0)::bigint AS count FROM pg_stat_user_tables WHERE relname IN ('users', 'identities')";
    let read = world.database.rows(&world.folder(), read).await[0]["count"].as_i64().unwrap();
    // The one who fills the tables reads the users once.
    assert!(read < 25_000, "{read} rows read one after the other");
}
