//! Values that TOML has no type for: spans of time, offsets, secrets, small choices.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::secret::{AppSecret, ConfigSecret};

/// A secret that stands in the configuration itself.
#[derive(Debug, Clone)]
pub struct Inline(pub ConfigSecret);

impl<'de> Deserialize<'de> for Inline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(ConfigSecret::new(text)))
    }
}

/// `[tokens] typ`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TokenType {
    /// What nearly every verifier takes.
    #[serde(rename = "JWT")]
    Jwt,
    /// RFC 9068's own.
    #[serde(rename = "at+jwt")]
    AtJwt,
}

impl TokenType {
    /// As the header writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::AtJwt => "at+jwt",
        }
    }
}

/// `[log] level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Only what needs somebody.
    Error,
    /// And what may.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
    /// And every step.
    Trace,
}

impl Level {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// `[log] format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One object a line.
    Json,
}

impl LogFormat {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// `"90s"`, `"5m"`, `"2h"`, `"1h 30m"`: longer than nothing.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span: SignedDuration = text
        .parse()
        .map_err(|_| D::Error::custom(format!("{text:?} is no duration; write \"90s\", \"5m\" or \"2h\"")))?;
    match Duration::try_from(span) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err(D::Error::custom(format!("{text:?} must be longer than nothing"))),
    }
}

/// `"+08:00"`, `"-05:30"`, `"+00:00"`.
pub(super) fn offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Offset, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_offset(&text).ok_or_else(|| {
        D::Error::custom(format!("{text:?} is no offset from UTC; write \"+08:00\" or \"-05:30\""))
    })
}

fn parse_offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

pub(super) fn unset() -> ConfigSecret {
    ConfigSecret::new(String::new())
}

pub(super) fn unset_app_secret() -> AppSecret {
    AppSecret::new(String::new())
}
