//! `floor`: the work of a login with nothing around it: one call to WeChat, one sealed value, one statement, one signature.
//! No checks, no log, no metrics, no errors worth the name. What a gateway costs more than this is ours to explain.
//!
//! ADDRESS, WECHAT (base address), DATABASE (as wxgate's `database.url`, already migrated)

#![expect(clippy::disallowed_methods, reason = "the floor has no rooms to ask for time and randomness")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

enum Database {
    Postgres(sqlx::PgPool),
    Mysql(sqlx::MySqlPool),
    Sqlite(sqlx::SqlitePool),
}

struct Floor {
    database: Database,
    wechat: String,
    http: reqwest::Client,
    seal: LessSafeKey,
    mark: hmac::Key,
    sign: EcdsaKeyPair,
}

#[derive(Deserialize)]
struct Login {
    code: String,
}

#[derive(Deserialize)]
struct Session {
    openid: String,
    session_key: String,
}

/// What is written of one login.
struct Touch {
    openid: String,
    key: Vec<u8>,
    tag: Vec<u8>,
    at: i64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let database = std::env::var("DATABASE")?;
    let database = if let Some(file) = database.strip_prefix("sqlite://") {
        let options = SqliteConnectOptions::new()
            .filename(file.split('?').next().unwrap_or(file))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        Database::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?)
    } else if database.starts_with("mysql") {
        let pool = sqlx::mysql::MySqlPoolOptions::new().max_connections(16).test_before_acquire(false);
        Database::Mysql(pool.connect(&database).await?)
    } else {
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(16).test_before_acquire(false);
        Database::Postgres(pool.connect(&database).await?)
    };
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let floor = Arc::new(Floor {
        database,
        wechat: std::env::var("WECHAT")?,
        http: reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?,
        seal: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32])?),
        mark: hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]),
        sign: key,
    });
    let router = Router::new()
        .route("/v1/login", post(login))
        .route("/hello", get(async || "hello"))
        .with_state(floor);
    let listener = tokio::net::TcpListener::bind(std::env::var("ADDRESS")?).await?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}

async fn login(State(floor): State<Arc<Floor>>, Json(login): Json<Login>) -> Result<Json<Value>, StatusCode> {
    floor.login(&login.code).await.map(Json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

impl Floor {
    async fn login(&self, code: &str) -> Result<Value, Failure> {
        let url = format!("{}/sns/jscode2session", self.wechat);
        let query =
            [("appid", "wx1"), ("secret", "s"), ("js_code", code), ("grant_type", "authorization_code")];
        let bytes = self.http.get(url).query(&query).send().await?.bytes().await?;
        let session: Session = serde_json::from_slice(&bytes)?;

        let at = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let mut nonce = [0; 12];
        aws_lc_rs::rand::fill(&mut nonce)?;
        let mut sealed = session.session_key.clone().into_bytes();
        self.seal.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(session.openid.as_bytes()),
            &mut sealed,
        )?;
        let key = [b"\x01\x02k1".as_slice(), &nonce, &sealed].concat();
        let tag = hmac::sign(&self.mark, session.session_key.as_bytes()).as_ref()[..16].to_vec();
        let (user, nickname) = self.write(Touch { openid: session.openid, key, tag, at }).await?;

        let second = at / 1000;
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"floor","typ":"JWT"}"#);
        let claims = json!({ "iss": "http://127.0.0.1", "sub": user, "aud": "api", "iat": second, "exp": second + 7200,
                             "jti": user, "client_id": "wx0123456789abcdef", "auth_time": second });
        let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.sign.sign(&SystemRandom::new(), message.as_bytes())?;
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        Ok(json!({ "token": token, "expiresIn": 7200, "userInfo": { "userId": user, "nickName": nickname } }))
    }

    /// Of somebody who is known. The statement is wxgate's for one login.
    async fn write(&self, touch: Touch) -> Result<(Uuid, String), Failure> {
        const SET: &str = "SET previous_session_key = CASE WHEN session_key_tag = {1} THEN previous_session_key ELSE session_key END, \
             session_key = {2}, session_key_tag = {1}, last_login_at = {3}, login_count = login_count + 1 \
             WHERE appid = 'wx0123456789abcdef' AND openid = {4}";
        let numbered = |mark: &str| SET.replace('{', mark).replace('}', "");
        let Touch { openid, key, tag, at } = touch;
        match &self.database {
            Database::Postgres(pool) => {
                let sql = format!(
                    "WITH touched AS (UPDATE identities {} RETURNING user_id) \
                     SELECT u.* FROM touched JOIN users u ON u.id = touched.user_id",
                    numbered("$")
                );
                let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tag).bind(key).bind(at).bind(openid);
                let row = query.fetch_one(pool).await?;
                Ok((row.get("id"), row.get("nickname")))
            }
            Database::Sqlite(pool) => {
                let sql = format!("UPDATE identities {} RETURNING user_id", numbered("?"));
                let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tag).bind(key).bind(at).bind(openid);
                let user: Uuid = query.fetch_one(pool).await?.get("user_id");
                let row = sqlx::query("SELECT * FROM users WHERE id = ?").bind(user).fetch_one(pool).await?;
                Ok((user, row.get("nickname")))
            }
            Database::Mysql(pool) => {
                let sql = format!("UPDATE identities {SET}");
                let sql = ["{1}", "{2}", "{3}", "{4}"].iter().fold(sql, |sql, name| sql.replace(name, "?"));
                let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&tag).bind(key).bind(&tag);
                query.bind(at).bind(&openid).execute(pool).await?;
                let sql = "SELECT u.* FROM identities i JOIN users u ON u.id = i.user_id \
                           WHERE i.appid = 'wx0123456789abcdef' AND i.openid = ?";
                let row = sqlx::query(sql).bind(openid).fetch_one(pool).await?;
                Ok((row.get("id"), row.get("nickname")))
            }
        }
    }
}
