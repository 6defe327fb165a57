//! A user's unionid, where a login brings one that the user hasn't got.

use entity::users;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use uuid::Uuid;

use super::user::open_user;
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::UnionId;

/// What came of claiming a unionid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is this user's.
    Ours,
    /// It is that user's: two users that turn out to be one person.
    Anothers(Uuid),
    /// Nobody's: this user has another unionid, or has closed their account meanwhile.
    Nobodys,
}

impl Store {
    /// The first user to show a unionid owns it; the constraint decides.
    pub async fn claim_unionid(&self, id: Uuid, unionid: &UnionId, now: Timestamp) -> Result<Claimed> {
        use users::Column as C;
        let change = users::ActiveModel {
            unionid: Set(Some(unionid.expose().to_owned())),
            updated_at: Set(now.as_millisecond()),
            ..Default::default()
        };
        let unclaimed = open_user(id).set(change).filter(C::Unionid.is_null());
        match unclaimed.exec(&self.write()).await {
            Ok(_) => {}
            Err(error) if error::is_taken(&error) => {}
            Err(error) => return Err(error::unavailable(error)),
        }
        let owner = users::Entity::find().select_only().column(C::Id).filter(C::Unionid.eq(unionid.expose()));
        let owner: Option<Uuid> = owner.into_tuple().one(&self.write()).await.map_err(error::unavailable)?;
        Ok(match owner {
            Some(owner) if owner == id => Claimed::Ours,
            Some(owner) => Claimed::Anothers(owner),
            None => Claimed::Nobodys,
        })
    }
}
