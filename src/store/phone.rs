//! The phone's two columns: sealed, and the blind index that finds it.

use entity::users;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use uuid::Uuid;

use super::user::open_user;
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::{Code, Result};
use crate::vault::Sealed;

impl Store {
    /// Writes a user's phone, unless they have closed their account meanwhile (false); 409 if another user has it.
    pub async fn set_phone(&self, id: Uuid, phone: &Sealed, index: &[u8], now: Timestamp) -> Result<bool> {
        let change = users::ActiveModel {
            phone: Set(Some(phone.as_bytes().to_vec())),
            phone_index: Set(Some(index.to_vec())),
            updated_at: Set(now.as_millisecond()),
            ..Default::default()
        };
        match open_user(id).set(change).exec(&self.write()).await {
            Ok(written) => Ok(written.rows_affected > 0),
            Err(error) if error::is_taken(&error) => Err(Code::PhoneTaken.into()),
            Err(error) => Err(error::unavailable(error)),
        }
    }

    /// Whose phone this is.
    pub async fn find_by_phone(&self, index: &[u8]) -> Result<Option<Uuid>> {
        users::Entity::find()
            .select_only()
            .column(users::Column::Id)
            .filter(users::Column::PhoneIndex.eq(index.to_vec()))
            .into_tuple()
            .one(&self.read())
            .await
            .map_err(error::unavailable)
    }
}
