use proptest::prelude::*;

use super::*;
use crate::vault::{Unusable, accepted};

/// What [`FOREIGN`] are hashes of.
const TYPED: &str = "p@ss word 密码";
/// One of each kind, made elsewhere.
const FOREIGN: [&str; 9] = include!("../../../tests/vectors/password_hashes.in");

fn passwords(memory_kib: u32, threads: usize, queue: usize) -> Passwords {
    Passwords::start(&Hashing { memory_kib, passes: 1, lanes: 1, threads, queue }).unwrap()
}

async fn verify(passwords: &Passwords, typed: &str, stored: Option<&str>) -> Verdict {
    let place = passwords.admit().unwrap();
    passwords.verify(place, Password::new(typed), stored.map(PasswordHash::new)).await.unwrap()
}

#[tokio::test]
async fn a_hash_of_every_kind_is_right_for_its_password_and_for_no_other_and_is_renewed() {
    let passwords = passwords(128, 1, 1);
    for stored in FOREIGN {
        assert!(
            matches!(verify(&passwords, "p@ss word 密碼", Some(stored)).await, Verdict::Wrong),
            "{stored}"
        );
        let Verdict::Outdated(renewed) = verify(&passwords, TYPED, Some(stored)).await else {
            panic!("{stored}")
        };
        assert!(renewed.expose().starts_with("$argon2id$v=19$m=128,t=1,p=1$"));
        assert!(matches!(verify(&passwords, TYPED, Some(renewed.expose())).await, Verdict::Right));
        assert!(matches!(verify(&passwords, "", Some(renewed.expose())).await, Verdict::Wrong));
    }
}

#[tokio::test]
async fn a_hash_of_today_is_right_and_two_hashes_of_one_password_differ() {
    let passwords = passwords(64, 1, 1);
    let hash = async || passwords.hash(passwords.admit().unwrap(), Password::new(TYPED)).await.unwrap();
    let (one, two) = (hash().await, hash().await);
    assert_ne!(one.expose(), two.expose());
    assert!(matches!(verify(&passwords, TYPED, Some(one.expose())).await, Verdict::Right));
}

#[tokio::test]
async fn nobodys_password_is_wrong_and_a_broken_hash_is_told() {
    let passwords = passwords(64, 1, 1);
    assert!(matches!(verify(&passwords, TYPED, None).await, Verdict::Wrong));
    for stored in ["", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ", "password"] {
        let verdict = verify(&passwords, TYPED, Some(stored)).await;
        assert!(matches!(verdict, Verdict::Unusable(Unusable::Unknown)), "{stored:?}");
    }
}

#[tokio::test]
async fn a_hash_that_wants_more_memory_than_a_thread_has_is_checked_all_the_same() {
    let passwords = passwords(8, 2, 2);
    assert!(matches!(verify(&passwords, TYPED, Some(FOREIGN[0])).await, Verdict::Outdated(_)));
}

#[test]
fn bombs_are_refused_by_what_they_say_before_anything_is_computed() {
    let salt_and_hash = "OZTTcPWbXOQnXyCDcreQww$hXU1ruW/gG44eoPXcVH0g/AmbkWtxfHyBBi9ppfi7B4";
    for bomb in [
        "$argon2id$v=19$m=1048576,t=1,p=1$",
        "$argon2id$v=19$m=131072,t=9,p=1$",
        "$argon2id$v=19$m=4294967295,t=4294967295,p=1$",
        "$argon2id$v=19$m=1024,t=1,p=17$",
        "$scrypt$ln=18,r=8,p=1$",
        "$scrypt$ln=63,r=8,p=1$",
        "$scrypt$ln=300,r=4294967295,p=4294967295$",
        "$scrypt$ln=10,r=8,p=65536$",
        "$pbkdf2-sha256$i=2000001$",
    ] {
        let hash = PasswordHash::new(format!("{bomb}{salt_and_hash}"));
        assert_eq!(accepted(&hash), Err(Unusable::TooCostly), "{bomb}");
    }
    assert_eq!(accepted(&PasswordHash::new(FOREIGN[3].replace("$04$", "$15$"))), Err(Unusable::TooCostly));
    for fine in ["$argon2id$v=19$m=65536,t=3,p=4$", "$scrypt$ln=16,r=8,p=1$", "$pbkdf2-sha512$i=210000$"] {
        assert_eq!(accepted(&PasswordHash::new(format!("{fine}{salt_and_hash}"))), Ok(()), "{fine}");
    }
}

#[test]
fn what_is_no_hash_is_refused_by_name_of_what_would_be_one() {
    for bad in [
        "",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$2b$04$short",
        "$2b$04$bxAf/BwKYfi.kxjAk07DGfeMY9OPxmavFjNhEBX3z.hcO8zFwFrUC",
        "$2x$04$bxAf/BwKYfi.kxjAk07DGeeMY9OPxmavFjNhEBX3z.hcO8zFwFrUC",
        "$argon2id$v=19$m=64,t=1$FsgyKRXoB6GKiRhwkaF48g$x2iZ/N4xFaFtUtqVYl/UZXurfD/11JMqxEaKzlLnot4",
        "$argon2id$v=18$m=64,t=1,p=1$FsgyKRXoB6GKiRhwkaF48g$x2iZ/N4xFaFtUtqVYl/UZXurfD/11JMqxEaKzlLnot4",
        "$pbkdf2-sha256$i=0,l=32$q0r3GpcwfceEpRrAlA59lw$2bciQSmATakbdQaRf51l20vunuvXmJ+FiZLdGs/xQwo",
        "$pbkdf2-sha256$i=1000,l=20$q0r3GpcwfceEpRrAlA59lw$2bciQSmATakbdQaRf51l20vunuvXmJ+FiZLdGs/xQwo",
        "$md5$a$b",
    ] {
        let why = accepted(&PasswordHash::new(bad)).unwrap_err();
        assert!(why == Unusable::Unknown && why.to_string().contains("bcrypt"), "{bad}");
    }
}

#[test]
fn debug_shows_nothing_of_a_password_or_a_hash() {
    let passwords = passwords(64, 1, 1);
    let outdated = Verdict::Outdated(PasswordHash::new(FOREIGN[0]));
    let shown = format!(
        "{:?} {:?} {outdated:?} {:?}",
        Password::new(TYPED),
        PasswordHash::new(FOREIGN[0]),
        passwords.admit()
    );
    assert!(!shown.contains("p@ss") && !shown.contains("$argon2"), "{shown}");
}

#[tokio::test]
async fn the_queue_is_full_at_its_end_and_places_come_back_also_where_nobody_waits_any_more() {
    let passwords = passwords(64, 1, 1);
    let (one, two) = (passwords.admit().unwrap(), passwords.admit().unwrap());
    assert!(passwords.admit().is_none(), "a thread and one that waits");
    drop(passwords.verify(one, Password::new(TYPED), None));
    // Begun and left: the work is done or skipped, and its place comes back with it.
    let mut left = Box::pin(passwords.verify(two, Password::new(TYPED), None));
    tokio::select! { biased; _ = left.as_mut() => {}, () = std::future::ready(()) => {} }
    drop(left);
    verify_until_free(&passwords).await;
}

/// Both places, once whatever stood before is done: the one thread does them in order.
async fn verify_until_free(passwords: &Passwords) {
    assert!(matches!(verify(passwords, TYPED, None).await, Verdict::Wrong));
    let places = [passwords.admit(), passwords.admit()];
    assert!(places.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_job_that_panics_ends_itself_and_no_thread() {
    let passwords = passwords(64, 1, 1);
    let broken = passwords.run(passwords.admit().unwrap(), |_| panic!("on purpose")).await;
    assert_eq!(broken, Err::<(), _>(HashError));
    assert!(matches!(verify(&passwords, TYPED, Some(FOREIGN[0])).await, Verdict::Right));
}

/// Field 19 of /proc/thread-self/stat (proc_pid_stat(5)), counted behind the name's closing bracket.
fn nice() -> i32 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn only_the_threads_that_hash_give_way() {
    let passwords = passwords(64, 1, 1);
    let there = passwords.run(passwords.admit().unwrap(), |_| nice()).await.unwrap();
    assert_eq!((there, nice()), (nice() + 10, std::thread::spawn(nice).join().unwrap()));
}

proptest! {
    #[test]
    fn any_text_at_all_is_taken_or_refused(text in "\\PC{0,80}|\\$(argon2id|scrypt|pbkdf2-sha256|2b)\\$[ -~]{0,80}") {
        let _ = accepted(&PasswordHash::new(text));
    }
}
