//! The claims of an access token: RFC 9068's, and those that the gateway's configuration adds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a token says. Times are whole seconds since the Unix epoch (RFC 7519, NumericDate).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The gateway's public origin.
    pub iss: String,
    /// The user's id at the gateway (UUIDv7): the same whatever app they come from.
    pub sub: String,
    /// Whom the token is for.
    pub aud: Audience,
    /// When it was issued.
    pub iat: i64,
    /// From when on it no longer counts.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
    /// The mini-program's appid (RFC 9068 §2.2).
    pub client_id: String,
    /// When the user logged in.
    pub auth_time: i64,
    /// By which WeChat identity the user came (our id of it), where they have an account: that may have several in an app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// How they proved who they are, where it wasn't WeChat: `["pwd"]` for a password (RFC 8176).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// By configuration: the nickname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// By configuration: the avatar's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// By configuration: the username, where an account is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// By configuration: the user's level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_level: Option<i64>,
}

impl Claims {
    /// When it was issued, in milliseconds since the Unix epoch: its `jti` is a UUIDv7 (RFC 9562 §5.7), which says it, where
    /// `iat` is floored to the second. So a login right after everything was ended counts, and a token of right before
    /// doesn't.
    pub fn issued_millis(&self) -> i64 {
        let jti: Option<Uuid> = self.jti.parse().ok();
        let instant = jti.filter(|jti| jti.get_version_num() == 7).and_then(|jti| jti.get_timestamp());
        instant.map_or(self.iat.saturating_mul(1000), |instant| {
            let (seconds, nanos) = instant.to_unix();
            i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000) + i64::from(nanos / 1_000_000)
        })
    }
}

/// `aud`: one name as a plain string, several as an array (RFC 7519 §4.1.3). Several verifiers refuse an array of
/// one, so one name is never written so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// The usual case.
    One(String),
    /// More than one service.
    Many(Vec<String>),
}

impl Audience {
    /// From a list of names, in the form that travels best.
    pub fn of(names: &[String]) -> Self {
        match names {
            [one] => Self::One(one.clone()),
            many => Self::Many(many.to_vec()),
        }
    }

    /// Whether `name` is among them.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|each| each == name),
        }
    }
}
