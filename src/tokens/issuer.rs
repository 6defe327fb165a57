//! Writes tokens: RFC 9068's claims, signed by the key of the hour.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use uuid::Uuid;
use verify::{Audience, Claims};

use super::key::SigningKey;
use crate::clock::Timestamp;
use crate::config;
use crate::secret::AccessToken;

/// Whom a token is about.
pub struct Subject<'s> {
    /// Our user id.
    pub user: Uuid,
    /// The mini-program's appid.
    pub app: &'s str,
    /// For the claim `sid`.
    pub identity: Option<Uuid>,
    /// Whether they came by password, for the claim `amr`.
    pub by_password: bool,
    /// For the claim `nickname`.
    pub nickname: &'s str,
    /// For the claim `picture`.
    pub picture: &'s str,
    /// For the claim `preferred_username`.
    pub username: Option<&'s str>,
    /// For the claim `user_level`.
    pub level: i64,
}

/// A token and how long it counts.
pub struct Issued {
    /// The compact JWS.
    pub token: AccessToken,
    /// The claim `exp`.
    pub expires: Timestamp,
    /// Seconds from its issue to `exp`.
    pub expires_in: i64,
}

/// Signing failed: no key, or the cryptographic library refused. Neither happens with a checked ring.
#[derive(Debug)]
pub struct CannotSign;

/// What of `[tokens]` goes into every token.
pub(super) struct Issuer {
    issuer: String,
    audience: Audience,
    ttl: i64,
    typ: &'static str,
    nickname: bool,
    picture: bool,
    username: bool,
    level: bool,
}

#[derive(Serialize)]
struct Header<'h> {
    alg: &'h str,
    kid: &'h str,
    typ: &'h str,
}

impl Issuer {
    pub(super) fn new(config: &config::Tokens) -> Self {
        let has = |claim: &str| config.claims.iter().any(|each| each == claim);
        Self {
            issuer: config.issuer.clone(),
            audience: Audience::of(&config.audience),
            ttl: i64::try_from(config.ttl.as_secs()).unwrap_or(i64::MAX),
            typ: config.typ.as_str(),
            nickname: has("nickname"),
            picture: has("picture"),
            username: has("preferred_username"),
            level: has("user_level"),
        }
    }

    pub(super) fn ttl(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.ttl.unsigned_abs())
    }

    pub(super) fn issue(
        &self,
        key: &SigningKey,
        subject: &Subject<'_>,
        jti: Uuid,
        now: Timestamp,
    ) -> Result<Issued, CannotSign> {
        // Whole seconds, floored: verifiers disagree about fractions, and a token must not be from the future.
        let iat = now.as_millisecond().div_euclid(1000);
        let exp = iat.saturating_add(self.ttl);
        let some = |wanted: bool, text: &str| (wanted && !text.is_empty()).then(|| text.to_owned());
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: subject.user.to_string(),
            aud: self.audience.clone(),
            iat,
            exp,
            jti: jti.to_string(),
            client_id: subject.app.to_owned(),
            auth_time: iat,
            amr: subject.by_password.then(|| vec!["pwd".to_owned()]),
            sid: subject.identity.map(|id| id.to_string()),
            nickname: some(self.nickname, subject.nickname),
            picture: some(self.picture, subject.picture),
            preferred_username: subject.username.and_then(|name| some(self.username, name)),
            user_level: self.level.then_some(subject.level),
        };
        let header = Header { alg: key.alg(), kid: key.kid(), typ: self.typ };
        let mut token = part(&header)?;
        token.push('.');
        token.push_str(&part(&claims)?);
        let signature = key.sign(token.as_bytes()).ok_or(CannotSign)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        let expires = Timestamp::from_second(exp).map_err(|_| CannotSign)?;
        Ok(Issued { token: AccessToken::new(token), expires, expires_in: self.ttl })
    }
}

fn part(value: &impl Serialize) -> Result<String, CannotSign> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).map_err(|_| CannotSign)?))
}
