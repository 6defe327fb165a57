//! Accounts as a whole: closing one's own, and merging two that are one person.

use uuid::Uuid;

use super::Rooms;
use super::phone;
use crate::error::Result;
use crate::store::{Merge, Merged, User};

/// Erases the person, frees their identities, and ends their tokens. The next login is a new user.
pub async fn close(rooms: &Rooms, user: &User) -> Result<()> {
    rooms.store.close_user(user.id, rooms.now()).await?;
    tracing::info!(target: "wxgate::audit", event = "close", user = %user.id, "a user closed their account");
    Ok(())
}

/// Moves everything of `from` to `into` and closes `from`. What `into` has already stays as it is.
pub async fn merge(rooms: &Rooms, into: Uuid, from: Uuid) -> Result<Merged> {
    let mut merged = Merged::Changed;
    while merged == Merged::Changed {
        // The phone is sealed for its user's row: it moves by being opened here and sealed there.
        let phone_was = rooms.store.find_user(from, "").await?.and_then(|user| user.phone);
        let phone = match &phone_was {
            Some(sealed) => Some(phone::seal(rooms, into, &phone::open(rooms, from, sealed)?)?),
            None => None,
        };
        merged = rooms.store.merge_users(&Merge { into, from, phone_was, phone, now: rooms.now() }).await?;
    }
    if merged == Merged::Done {
        tracing::info!(target: "wxgate::audit", event = "merge", %into, %from, "two users were merged");
    }
    Ok(merged)
}
