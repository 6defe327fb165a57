//! Finding the one user whom an operator means.

use uuid::Uuid;

use super::username::Username;
use super::{Rooms, phone};
use crate::error::Result;
use crate::secret::{OpenId, Phone};

/// What an operator has of somebody.
pub enum Named {
    /// Our id, the token's `sub`.
    Id(Uuid),
    /// The name they log in by.
    Username(Username),
    /// Their phone number, found by the blind index.
    Phone(Phone),
    /// WeChat's id of them in that app.
    OpenId(String, OpenId),
}

/// The user's id, if there is one. Each is found by an index.
pub async fn find(rooms: &Rooms, named: &Named) -> Result<Option<Uuid>> {
    let store = &rooms.store;
    match named {
        Named::Id(id) => Ok(store.find_user(*id, "").await?.map(|user| user.id)),
        Named::Username(name) => {
            Ok(store.find_account(name.as_str(), "").await?.map(|account| account.user.id))
        }
        Named::Phone(number) => phone::find(rooms, number).await,
        Named::OpenId(app, openid) => store.find_by_openid(app, openid).await,
    }
}

/// A phone number as people write one: with `+` and the country's code, or eleven digits of China's; blanks and hyphens
/// between them don't count.
pub fn phone_of(text: &str) -> Option<Phone> {
    let plain: String = text.trim().chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match plain.strip_prefix('+') {
        Some(rest) if digits(rest, 4..=19) => Some(Phone::new(plain)),
        None if digits(&plain, 11..=11) && plain.starts_with('1') => Some(Phone::new(format!("+86{plain}"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_its_owner_sees_it_and_in_full() {
        for (written, number) in [
            ("13800138000", "+8613800138000"),
            (" 138 0013-8000 ", "+8613800138000"),
            ("+8613800138000", "+8613800138000"),
            ("+852 5123 4567", "+85251234567"),
        ] {
            assert_eq!(phone_of(written).unwrap().expose(), number, "{written:?}");
        }
        for bad in ["", "+", "1380013800", "8613800138000", "+86x", "23800138000", "++8613800138000"] {
            assert!(phone_of(bad).is_none(), "{bad:?}");
        }
    }
}
