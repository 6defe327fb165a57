//! The sealed cells by their names: what was sealed under one opens under no other, so each name stands once.

use crate::vault::Cell;

/// An identity's session_key. The one before it was sealed as the current one, and is opened as such.
pub(super) fn session_key<'c>(app_and_openid: &'c [&'c str; 2]) -> Cell<'c> {
    Cell { table: "identities", column: "session_key", row: app_and_openid }
}

/// A user's phone number.
pub(super) fn phone<'c>(user: &'c [&'c str; 1]) -> Cell<'c> {
    Cell { table: "users", column: "phone", row: user }
}
