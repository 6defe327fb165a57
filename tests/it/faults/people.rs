//! Who logs in during a fault, what they were answered, and whether it holds afterwards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::home::{Home, Replica, tail};
use crate::world::{APP, APP_SECRET, Kind, OTHER_APP};

/// What a client was answered and keeps.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) openid: String,
    pub(super) user: String,
    pub(super) token: String,
}

/// Everybody who ever pressed wx.login here. Every eighth has two apps, which only their unionid connects.
#[derive(Default)]
pub(super) struct People {
    born: AtomicU64,
    /// Whom the gateway said a person is.
    users: Mutex<HashMap<u64, String>>,
    sessions: Mutex<Vec<Session>>,
    codes: Mutex<HashSet<String>>,
}

/// Somebody's phone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    number: u64,
    pub(super) app: &'static str,
}

impl Person {
    pub(super) fn openid(self) -> String {
        format!("openid-of-{}{}", self.number, if self.app == APP { "" } else { "-elsewhere" })
    }

    pub(super) fn unionid(self) -> Option<String> {
        self.has_two_apps().then(|| format!("unionid-of-{}", self.number))
    }

    fn has_two_apps(self) -> bool {
        self.number.is_multiple_of(8)
    }
}

impl People {
    /// Who has never been here.
    pub(super) fn somebody_new(&self) -> Person {
        Person { number: self.born.fetch_add(1, Ordering::SeqCst), app: APP }
    }

    /// Who may have been, by any of their apps.
    pub(super) fn somebody(&self) -> Person {
        let born = self.born.load(Ordering::SeqCst).max(1);
        let person = Person { number: super::random(born), app: APP };
        let elsewhere = person.has_two_apps() && super::random(2) == 0;
        Person { app: if elsewhere { OTHER_APP } else { APP }, ..person }
    }

    pub(super) fn pressed(&self, code: &str) {
        self.codes.lock().unwrap().insert(code.to_owned());
    }

    /// Keeps what was answered; else what is wrong with it.
    pub(super) fn came(&self, person: Person, answer: &Value) -> Result<(), String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (user, token) = (text(&answer["userInfo"]["userId"]), text(&answer["token"]));
        let known = self.users.lock().unwrap().entry(person.number).or_insert(user.clone()).clone();
        if known != user || token.is_empty() {
            return Err(format!("{person:?} was {known} and is {user}"));
        }
        self.sessions.lock().unwrap().push(Session { openid: person.openid(), user, token });
        Ok(())
    }

    /// A session that somebody has.
    pub(super) fn any_session(&self) -> Option<Session> {
        let sessions = self.sessions.lock().unwrap();
        let length = u64::try_from(sessions.len()).unwrap();
        (length > 0).then(|| sessions[usize::try_from(super::random(length)).unwrap()].clone())
    }

    /// All that were answered.
    pub(super) fn sessions(&self) -> Vec<Session> {
        self.sessions.lock().unwrap().clone()
    }

    /// Every token that anybody was answered belongs to a user who is there, by the table and by `/v1/me`; the table holds
    /// nobody else's loose ends, and is sound. `from`: the sessions that haven't been asked for before.
    pub(super) async fn all_exist(&self, home: &Home, replica: &Replica, from: usize) {
        let id = match home.database.kind {
            Kind::Postgres => "replace(u.id::text, '-', '')",
            Kind::Sqlite | Kind::MariaDb => "lower(hex(u.id))",
        };
        let sql = format!(
            "SELECT i.openid AS openid, {id} AS id FROM identities i JOIN users u ON u.id = i.user_id WHERE u.status = 0"
        );
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = home.rows(&sql).await;
        let there: HashMap<String, String> =
            rows.iter().map(|row| (text(&row["openid"]), text(&row["id"]))).collect();
        let sessions = self.sessions();
        for session in &sessions {
            let id = session.user.replace('-', "");
            assert_eq!(there.get(&session.openid), Some(&id), "{}", session.openid);
        }
        // By their last token.
        let new = sessions.iter().skip(from);
        let last: BTreeMap<&str, &Session> = new.map(|session| (session.user.as_str(), session)).collect();
        for (user, session) in last {
            let mut me = replica.me(&session.token).await;
            // A connection that the fault has hung may still be waited for, for some seconds.
            for _ in 0..20 {
                if !me.is(503) {
                    break;
                }
                me = replica.me(&session.token).await;
            }
            assert_eq!(me.status(200).json()["userId"], user);
        }
        let loose = "SELECT 'a user nobody can be' AS loose FROM users u \
                     LEFT JOIN identities i ON i.user_id = u.id WHERE i.id IS NULL AND u.status = 0 \
                     UNION ALL SELECT 'an identity of nobody' FROM identities i \
                     LEFT JOIN users u ON i.user_id = u.id WHERE u.id IS NULL";
        assert_eq!(home.rows(loose).await, Vec::<Value>::new());
        is_sound(home).await;
    }

    /// What a process printed holds nothing of anybody: no openid, code, session_key, token, AppSecret; and no panic.
    pub(super) fn nothing_is_said(&self, home: &Home, printed: &str) {
        for marked in ["openid-of", "unionid-of", "eyJ", APP_SECRET, "PRIVATE KEY", "a panic;", "panicked"] {
            let line = printed.lines().find(|line| line.contains(marked));
            assert_eq!(line, None, "{marked} is in the log");
        }
        let codes = self.codes.lock().unwrap();
        let words = printed.split(|c: char| !c.is_ascii_alphanumeric());
        let said: Vec<&str> = words.filter(|word| codes.contains(*word)).collect();
        assert!(said.is_empty(), "codes are in the log: {}", tail(printed));
        for key in home.wechat.session_keys().iter().rev().take(200) {
            assert!(!printed.contains(key.as_str()), "a session_key is in the log");
        }
    }
}

/// By the database's own checks.
async fn is_sound(home: &Home) {
    match home.database.kind {
        Kind::Sqlite => {
            let checked = home.rows("PRAGMA integrity_check").await;
            assert_eq!(checked, [serde_json::json!({ "integrity_check": "ok" })]);
            assert_eq!(home.rows("PRAGMA foreign_key_check").await, Vec::<Value>::new());
        }
        Kind::Postgres => {
            // It comes with PostgreSQL's package.
            let connection = home.database.connect(&home.data).await;
            let made = "CREATE EXTENSION IF NOT EXISTS amcheck";
            sea_orm::ConnectionTrait::execute_unprepared(&connection, made).await.unwrap();
            connection.close().await.unwrap();
            let indexes = "SELECT c.relname::text AS name, bt_index_check(c.oid, true)::text AS sound \
                           FROM pg_class c JOIN pg_am a ON a.oid = c.relam \
                           WHERE a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace";
            assert!(home.rows(indexes).await.len() >= 6);
            let heaps = "SELECT msg FROM verify_heapam('users') UNION ALL SELECT msg FROM verify_heapam('identities')";
            assert_eq!(home.rows(heaps).await, Vec::<Value>::new());
        }
        Kind::MariaDb => {
            for row in home.rows("CHECK TABLE users, identities EXTENDED").await {
                assert_eq!(row["Msg_text"], "OK", "{row}");
            }
        }
    }
}
