//! Closing a user, in one transaction.

use entity::{identities, users};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, TransactionTrait as _,
};
use uuid::Uuid;

use super::user::{Profile, Status, ends, profile_columns};
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;

impl Store {
    /// Erases what is personal, frees the identities, and lets no token of before count.
    pub async fn close_user(&self, id: Uuid, now: Timestamp) -> Result<()> {
        error::in_rounds(|| self.try_close(id, now)).await
    }

    async fn try_close(&self, id: Uuid, now: Timestamp) -> std::result::Result<(), DbErr> {
        let transaction = self.write().begin().await?;
        // The user first, as a login does: two that take the rows in one order never wait for each other.
        users::Entity::update_many()
            .set(erased(now))
            .col_expr(users::Column::TokensNotBefore, ends(now))
            .filter(users::Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        identities::Entity::delete_many()
            .filter(identities::Column::UserId.eq(id))
            .exec(&transaction)
            .await?;
        transaction.commit().await
    }
}

/// A user of whom nothing personal is left; the id stays, because siblings may have stored it.
pub(super) fn erased(now: Timestamp) -> users::ActiveModel {
    users::ActiveModel {
        unionid: Set(None),
        username: Set(None),
        password_hash: Set(None),
        phone: Set(None),
        phone_index: Set(None),
        status: Set(Status::Closed.number()),
        updated_at: Set(now.as_millisecond()),
        ..profile_columns(&Profile::default())
    }
}
