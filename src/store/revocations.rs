//! Whose tokens were ended lately.

use entity::users;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use uuid::Uuid;

use super::user::instant;
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;

impl Store {
    /// The users whose tokens were ended at `since` or later, and until when issued ones ended, in that order.
    pub async fn ended_since(&self, since: Timestamp) -> Result<Vec<(Uuid, Timestamp)>> {
        use users::Column as C;
        let rows: Vec<(Uuid, i64)> = users::Entity::find()
            .select_only()
            .columns([C::Id, C::TokensNotBefore])
            .filter(C::TokensNotBefore.gte(since.as_millisecond()))
            .order_by_asc(C::TokensNotBefore)
            .order_by_asc(C::Id)
            .into_tuple()
            .all(&self.read())
            .await
            .map_err(error::unavailable)?;
        Ok(rows.into_iter().map(|(id, end)| (id, instant(end))).collect())
    }
}
