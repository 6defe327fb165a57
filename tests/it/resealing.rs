//! Column keys rotate: everything is sealed anew while people log in, whenever it is killed; and one is told when the old
//! key may go.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use entity::{identities, users};
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use serde_json::{Value, json};
use uuid::Uuid;
use wxgate::config::{self, Layers};
use wxgate::store::{Cursor, SealedColumn};
use wxgate::vault::{Cell, OpenError, Vault};

use crate::on_each_database;
use crate::world::process::{Ended, Process, run};
use crate::world::{APP, Kind, World, keys};

/// The ids of people who were seeded: their number in the last bits.
const SEEDED: u128 = 0x01a1_fce9_f066_7826_8000_0000_0000_0000;

const K1: &str = "{ id = \"k1\", file = \"column.key\" }";
const K2: &str = "{ id = \"k2\", file = \"k2.key\" }";

/// The world's configuration with another list of column keys.
fn list(folder: &Path, list: &str) -> config::Config {
    let file = folder.join("wxgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| {
        if line.contains("secrets.column_keys") {
            format!("secrets.column_keys = [{list}]")
        } else {
            line.into()
        }
    });
    std::fs::write(&file, lines.collect::<Vec<String>>().join("\n")).unwrap();
    config::load(&Layers { file: Some(file), ..Layers::default() }).unwrap()
}

/// A new key, known to the gateway and then first, as an operator would do it.
fn rotate(world: &World) {
    std::fs::write(world.folder().join("k2.key"), keys::random_base64()).unwrap();
    for step in [format!("{K1}, {K2}"), format!("{K2}, {K1}")] {
        world.app.reload(&list(&world.folder(), &step)).unwrap();
    }
}

fn secrets(world: &World, arguments: &[&str]) -> Ended {
    run(&world.folder(), &[&["secrets"], arguments].concat(), &[])
}

fn held(status: &Value, id: &str) -> (u64, u64, u64) {
    let key = status["keys"].as_array().unwrap().iter().find(|key| key["id"] == id).unwrap();
    let count = |name: &str| key[name].as_u64().unwrap();
    (count("sessionKeys"), count("previousSessionKeys"), count("phones"))
}

fn status(world: &World) -> Value {
    serde_json::from_str(&secrets(world, &["status", "--json"]).stdout).unwrap()
}

/// So many people who have logged in before, sealed with the key in force: a session_key each, every third one with the
/// one before it and a phone.
async fn seed(world: &World, people: u32) {
    let vault = &world.app.rooms.vault;
    let connection = world.database.connect(&world.folder()).await;
    let bytes =
        |cell: &Cell<'_>, text: String| vault.seal(cell, text.as_bytes()).unwrap().as_bytes().to_vec();
    let numbers: Vec<u32> = (0..people).collect();
    for batch in numbers.chunks(500) {
        let (mut new_users, mut new_identities) = (Vec::new(), Vec::new());
        for &n in batch {
            let id = Uuid::from_u128(SEEDED | u128::from(n));
            let openid = format!("seed-{n}");
            let cell = Cell { table: "identities", column: "session_key", row: &[APP, &openid] };
            let third = n % 3 == 0;
            new_users.push(users::ActiveModel::from(users::Model {
                id,
                unionid: None,
                username: None,
                password_hash: None,
                nickname: String::new(),
                avatar_url: String::new(),
                gender: 0,
                country: String::new(),
                province: String::new(),
                city: String::new(),
                language: String::new(),
                phone: third.then(|| {
                    let cell = Cell { table: "users", column: "phone", row: &[&id.to_string()] };
                    bytes(&cell, format!("+86{n}"))
                }),
                phone_index: None,
                level: 0,
                status: 0,
                tokens_not_before: None,
                created_at: 1,
                updated_at: 1,
            }));
            new_identities.push(identities::ActiveModel::from(identities::Model {
                id,
                user_id: id,
                slot: 0,
                appid: APP.into(),
                openid: openid.clone(),
                unionid: None,
                session_key: bytes(&cell, format!("now {n}")),
                session_key_tag: vec![0; 16],
                session_key_at: 1,
                previous_session_key: third.then(|| bytes(&cell, format!("before {n}"))),
                last_login_at: 1,
                last_login_ip: String::new(),
                login_count: 1,
                created_at: 1,
            }));
        }
        users::Entity::insert_many(new_users).exec_without_returning(&connection).await.unwrap();
        identities::Entity::insert_many(new_identities).exec_without_returning(&connection).await.unwrap();
    }
}

/// How many values `vault` opens, and how many are under other keys. What was seeded holds what it held; who has come back
/// since has a key from WeChat, and the seeded one before it.
async fn opened(world: &World, vault: &Vault, back: &HashSet<u32>) -> (u32, u32) {
    let (mut opens, mut unknown) = (0, 0);
    let mut from = Some(Cursor::START);
    while let Some(here) = from {
        let page = world.app.rooms.store.sealed_values(here).await.unwrap();
        for value in page.values {
            let id = value.id.to_string();
            let row: &[&str] = match &value.identity {
                Some((app, openid)) => &[app.as_str(), openid.expose()],
                None => &[&id],
            };
            let (table, column) = match value.column {
                SealedColumn::Phone => ("users", "phone"),
                _ => ("identities", "session_key"),
            };
            match vault.open(&Cell { table, column, row }, &value.sealed) {
                Ok(plain) => {
                    opens += 1;
                    let n = value.id.as_u128() as u32;
                    if value.id.as_u128() >> 32 != SEEDED >> 32 {
                        continue;
                    }
                    let wanted = match (value.column, back.contains(&n)) {
                        (SealedColumn::SessionKey, false) | (SealedColumn::PreviousSessionKey, true) => {
                            format!("now {n}")
                        }
                        (SealedColumn::SessionKey, true) => continue,
                        (SealedColumn::PreviousSessionKey, false) => format!("before {n}"),
                        (SealedColumn::Phone, _) => format!("+86{n}"),
                    };
                    assert_eq!(String::from_utf8_lossy(&plain), wanted);
                }
                Err(OpenError::UnknownKey(_)) => unknown += 1,
                Err(error) => panic!("{error}"),
            }
        }
        from = page.next;
    }
    (opens, unknown)
}

/// `WXGATE_TEST_PEOPLE` has it done with as many as one likes.
fn people() -> u32 {
    std::env::var("WXGATE_TEST_PEOPLE").ok().map_or(5000, |text| text.parse().unwrap())
}

on_each_database! {
    async fn everything_is_sealed_anew_while_people_log_in_and_after_a_kill_and_nothing_is_lost(kind: Kind) {
        let world = World::with_system_clock(kind, "").await;
        let (people, folder) = (people(), world.folder());
        seed(&world, people).await;
        let thirds = people.div_ceil(3);
        let old = Vault::from_config(&list(&folder, K1).secrets).unwrap();
        rotate(&world);
        assert_eq!(opened(&world, &old, &HashSet::new()).await, (people + 2 * thirds, 0));

        let mut first = Process::start(&folder, &["secrets", "reseal"], &[]);
        first.wait_for("rows");
        let mut back = HashSet::new();
        for n in 0..20 {
            world.login(&format!("new-{}", n % 10)).await;
            world.login(&format!("seed-{}", people - 1 - n)).await;
            back.insert(people - 1 - n);
        }
        first.kill();
        let after_kill = status(&world);
        let (done, left) = (held(&after_kill, "k2"), held(&after_kill, "k1"));
        assert!(done.0 > 0, "{after_kill}");
        assert_eq!(u64::from(people) + 10, done.0 + left.0, "one session_key each: {after_kill}");

        // Again, to its end, with logins beside it.
        let second = tokio::task::spawn_blocking(move || run(&folder, &["secrets", "reseal", "--json"], &[]));
        for n in 0..40 {
            world.login(&format!("new-{}", n % 10)).await;
            world.login(&format!("seed-{}", people / 2 + n)).await;
            back.insert(people / 2 + n);
        }
        let second = second.await.unwrap();
        assert_eq!(second.code, 0, "{second:?}");
        let said: Value = serde_json::from_str(&second.stdout).unwrap();
        assert_eq!((&said["key"], &said["left"], &said["unreadable"]), (&json!("k2"), &json!(0), &json!(0)));
        let now = status(&world);
        assert_eq!(held(&now, "k1"), (0, 0, 0), "{now}");
        assert_eq!(held(&now, "k2").0, u64::from(people) + 10);
        assert_eq!(held(&now, "k2").2, u64::from(thirds));
        let text = secrets(&world, &["status"]);
        assert!(text.code == 0 && text.stdout.contains("k1: nothing is sealed with it"), "{text:?}");

        // The old key goes, and opens nothing any more.
        world.app.reload(&list(&world.folder(), K2)).unwrap();
        let (opens, unknown) = opened(&world, &world.app.rooms.vault, &back).await;
        assert_eq!(unknown, 0);
        assert!(opens >= people + 10 + thirds, "{opens}");
        assert_eq!(opened(&world, &old, &back).await, (0, opens));
        assert_eq!(secrets(&world, &["reseal"]).stdout, "0 values were sealed with k2\n");
    }
}

on_each_database! {
    async fn what_does_not_open_is_named_and_left_and_everything_else_is_done(kind: Kind) {
        let world = World::with_system_clock(kind, "").await;
        seed(&world, 12).await;
        rotate(&world);
        let connection = world.database.connect(&world.folder()).await;
        let hex = |bytes: &str| if kind == Kind::Postgres { format!("'\\x{bytes}'") } else { format!("x'{bytes}'") };
        for sql in [
            // No envelope; and one that belongs to somebody else's row.
            format!("UPDATE identities SET session_key = {} WHERE openid = 'seed-1'", hex("0102")),
            match kind {
                Kind::MariaDb => "UPDATE identities a JOIN identities b ON b.openid = 'seed-4' \
                                  SET a.session_key = b.session_key WHERE a.openid = 'seed-5'".to_owned(),
                _ => "UPDATE identities SET session_key = (SELECT session_key FROM identities WHERE openid = 'seed-4') \
                      WHERE openid = 'seed-5'".to_owned(),
            },
        ] {
            assert_eq!(connection.execute_unprepared(&sql).await.unwrap().rows_affected(), 1);
        }
        let ended = secrets(&world, &["reseal"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, "18 values were sealed with k2\n"), "{ended:?}");
        for said in ["2 values don't open", "00000001: not an envelope", "00000005: altered, cut, or from another row"] {
            assert!(ended.stderr.contains(said), "{said}: {ended:?}");
        }
        assert!(!ended.stderr.contains("seed-"), "no openid is printed: {ended:?}");
        // They stay as they are, and a login mends them.
        let status = secrets(&world, &["status"]);
        assert!(status.code == 1 && status.stderr.contains("1 values are no envelopes"), "{status:?}");
        for openid in ["seed-1", "seed-5"] {
            world.login(openid).await;
        }
        // Each login moved what stood there to the key before it.
        world.clock.turn(Duration::from_secs(1));
        let again = secrets(&world, &["reseal", "--json"]);
        assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap()["unreadable"], 2, "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_listed_nowhere_is_named_with_what_it_costs() {
    let world = World::with_system_clock(Kind::Sqlite, "").await;
    seed(&world, 3).await;
    std::fs::write(world.folder().join("k2.key"), keys::random_base64()).unwrap();
    list(&world.folder(), K2);
    for arguments in [&["status"][..], &["status", "--json"], &["reseal"]] {
        let ended = secrets(&world, arguments);
        assert!(ended.code == 1 && ended.stderr.contains("secrets.column_keys doesn't list"), "{ended:?}");
    }
    assert!(secrets(&world, &["status"]).stderr.contains("k1 (5 values)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_key_comes_with_the_lines_to_paste() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::with_system_clock(Kind::Sqlite, "").await;
    let ended = secrets(&world, &["new"]);
    assert!(ended.code == 0 && ended.stderr.is_empty(), "{ended:?}");
    let file = world.folder().join("keys/column-k2.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(!ended.stdout.contains(key.trim()), "{ended:?}");
    for line in ["[[secrets.column_keys]]", "id = \"k2\"", "file = \"keys/column-k2.key\""] {
        assert!(ended.stdout.contains(line), "{ended:?}");
    }
    let pasted = list(&world.folder(), &format!("{K1}, {{ id = \"k2\", file = \"keys/column-k2.key\" }}"));
    world.app.reload(&pasted).unwrap();
    // A second one doesn't take its name, and nothing is written over.
    let second = secrets(&world, &["new"]);
    assert!(second.stdout.contains("id = \"k3\""), "{second:?}");
    let over = secrets(&world, &["new", "--out", "keys/column-k2.key"]);
    assert!(over.code == 1 && std::fs::read_to_string(&file).unwrap() == key, "{over:?}");
}
