//! Types that can't be printed.
//!
//! Each wraps its text, redacts `Debug` and wipes itself on drop; reading one is a visible call of `expose`. They
//! implement neither `Display` nor `Serialize`, so that a log line, an error or a JSON body can't take one by accident.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the text over.
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretString::from(text.into()))
            }

            /// The text itself: never into a log, an error or an answer.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret! {
    /// A mini-program's AppSecret.
    AppSecret
}
secret! {
    /// The code of wx.login: single use, 5 minutes.
    LoginCode
}
secret! {
    /// WeChat's session_key as it came: base64 of 16 bytes.
    SessionKey
}
secret! {
    /// A user's id in one app. Not a credential, but personal, and whoever pays or sends messages acts on it.
    OpenId
}
secret! {
    /// A person's id across the apps of one Open Platform account.
    UnionId
}
secret! {
    /// Text from the configuration that nobody may read: a key file's content, a database URL with its password.
    ConfigSecret
}
secret! {
    /// A phone number (E.164).
    Phone
}
secret! {
    /// A password as somebody typed it: bytes exactly, never normalized.
    Password
}
secret! {
    /// A password's hash as stored: a PHC string or bcrypt's form.
    PasswordHash
}
secret! {
    /// WeChat's access_token for its server API.
    ServerToken
}
secret! {
    /// An issued access token.
    AccessToken
}

impl SessionKey {
    /// The AES key that the text encodes; none if it is no base64 of 16 bytes.
    pub fn bytes(&self) -> Option<Zeroizing<[u8; 16]>> {
        let bytes = Zeroizing::new(STANDARD.decode(self.expose()).ok()?);
        <[u8; 16]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
    }
}

/// An openid or unionid as WeChat writes them; anything else is not stored (SQL collations disagree about the rest).
pub fn is_wechat_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_type_and_nothing_of_the_text() {
        let shown =
            format!("{:?} {:?}", SessionKey::new("tiihtNczf5v6AKRyjwEUhQ=="), Some(OpenId::new("oGZUI0eg")));
        assert_eq!(shown, "SessionKey(…) Some(OpenId(…))");
    }

    #[test]
    fn only_wechats_alphabet_is_an_id() {
        assert!(is_wechat_id("oGZUI0egBJY1zhBYw2KhdUfwVJJE"));
        for bad in ["", " ", "a ", "a'b", "é", &"x".repeat(65)] {
            assert!(!is_wechat_id(bad), "{bad:?}");
        }
    }
}
