//! Values that TOML has no type for: spans of time, offsets, secrets, small choices.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use jiff::SignedDuration;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::clock::Timestamp;
use crate::secret::{AppSecret, ConfigSecret};

/// A secret that stands in the configuration itself.
#[derive(Debug, Clone)]
pub struct Inline(pub ConfigSecret);

impl<'de> Deserialize<'de> for Inline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(ConfigSecret::new(text)))
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$each])* $variant,)*
        }

        impl $name {
            /// As the configuration writes it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            /// serde's own message would name our types; this one names the choices.
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match String::deserialize(deserializer)?.as_str() {
                    $($text => Ok(Self::$variant),)*
                    other => Err(D::Error::custom(format!("{other:?} is none of: {}", [$($text),*].join(", ")))),
                }
            }
        }
    };
}

choice! {
    /// `[tokens] typ`
    TokenType {
        /// What nearly every verifier takes.
        Jwt = "JWT",
        /// RFC 9068's own.
        AtJwt = "at+jwt",
    }
}

choice! {
    /// `[log] level`
    Level {
        /// Only what needs somebody.
        Error = "error",
        /// And what may.
        Warn = "warn",
        /// And what happened.
        Info = "info",
        /// And how.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }
}

choice! {
    /// `[log] format`
    LogFormat {
        /// For a person.
        Text = "text",
        /// One object a line.
        Json = "json",
    }
}

/// `"127.0.0.1:8080"`, `"[::1]:8080"`
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let address = text.parse();
    address.map_err(|_| {
        D::Error::custom(format!("{text:?} is no address; write \"127.0.0.1:8080\" or \"[::]:8080\""))
    })
}

/// `"10.0.0.0/8"`, `"10.0.0.1"`
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    let network = |text: &String| {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| {
            D::Error::custom(format!("{text:?} is no network; write \"10.0.0.0/8\" or \"10.0.0.1\""))
        })
    };
    list.iter().map(network).collect()
}

/// Nothing here is measured in more; and sums of spans and instants stay inside what can be counted.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// `"90s"`, `"5m"`, `"2h"`, `"1h 30m"`: longer than nothing.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span: SignedDuration = text
        .parse()
        .map_err(|_| D::Error::custom(format!("{text:?} is no duration; write \"90s\", \"5m\" or \"2h\"")))?;
    match Duration::try_from(span) {
        Ok(span) if !span.is_zero() && span <= LONGEST => Ok(span),
        _ => Err(D::Error::custom(format!("{text:?} must be longer than nothing and 30 days at the most"))),
    }
}

/// As [`span`], and `"0s"` for none.
pub(super) fn perhaps_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.filter(|span| *span <= LONGEST)
        .ok_or_else(|| D::Error::custom(format!("{text:?} is no duration; write \"5s\", or \"0s\" for none")))
}

/// `2026-12-01T00:00:00Z`
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let instant = text.parse().map(Some);
    instant.map_err(|_| D::Error::custom(format!("{text:?} is no instant; write 2026-12-01T00:00:00Z")))
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
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
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
