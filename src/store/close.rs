//! Ending users: closing one, and merging one into another. Each is one transaction.

use std::collections::HashSet;

use entity::{identities, users};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    TransactionTrait as _,
};
use uuid::Uuid;

use super::user::{Profile, Status, profile_columns};
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::vault::Sealed;

/// Which two users become one.
pub struct Merge {
    /// Who stays.
    pub into: Uuid,
    /// Who goes.
    pub from: Uuid,
    /// `from`'s phone as it was read …
    pub phone_was: Option<Sealed>,
    /// … and sealed for `into`.
    pub phone: Option<Sealed>,
    /// When.
    pub now: Timestamp,
}

/// What came of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// It is done.
    Done,
    /// There is no active user of this id.
    Missing(Uuid),
    /// `from`'s phone changed meanwhile: look again.
    Changed,
    /// Both have an account with a password: a person must choose.
    BothBound,
    /// Both have an identity in one app: they may be two people.
    SameApp,
}

/// So often a lost tie is run again.
const ROUNDS: usize = 8;

impl Store {
    /// Erases what is personal, frees the identities, and lets no token of before count.
    pub async fn close_user(&self, id: Uuid, now: Timestamp) -> Result<()> {
        for _ in 0..ROUNDS {
            match self.try_close(id, now).await {
                Err(error) if error::is_tie(&error) => {}
                outcome => return outcome.map_err(error::unavailable),
            }
        }
        Err(crate::error::Code::Busy.into())
    }

    async fn try_close(&self, id: Uuid, now: Timestamp) -> std::result::Result<(), DbErr> {
        let transaction = self.write.begin().await?;
        // The user first, as a login does: two that take the rows in one order never wait for each other.
        users::Entity::update_many()
            .set(erased(now))
            .filter(users::Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        identities::Entity::delete_many()
            .filter(identities::Column::UserId.eq(id))
            .exec(&transaction)
            .await?;
        transaction.commit().await
    }

    /// Moves `from`'s identities, and what `into` hasn't got, to `into`; `from` is closed.
    pub async fn merge_users(&self, merge: &Merge) -> Result<Merged> {
        for _ in 0..ROUNDS {
            match self.try_merge(merge).await {
                Err(error) if error::is_tie(&error) => {}
                outcome => return outcome.map_err(error::unavailable),
            }
        }
        Err(crate::error::Code::Busy.into())
    }

    async fn try_merge(&self, merge: &Merge) -> std::result::Result<Merged, DbErr> {
        let transaction = self.write.begin().await?;
        let merged = merge_in(&transaction, merge).await?;
        match merged {
            Merged::Done => transaction.commit().await?,
            _ => transaction.rollback().await?,
        }
        Ok(merged)
    }
}

async fn merge_in(transaction: &DatabaseTransaction, merge: &Merge) -> std::result::Result<Merged, DbErr> {
    let Some(into) = active(transaction, merge.into).await? else { return Ok(Merged::Missing(merge.into)) };
    let Some(from) = active(transaction, merge.from).await? else { return Ok(Merged::Missing(merge.from)) };
    if into.id == from.id {
        return Ok(Merged::Missing(from.id));
    }
    if from.phone.as_deref() != merge.phone_was.as_ref().map(Sealed::as_bytes) {
        return Ok(Merged::Changed);
    }
    if into.username.is_some() && from.username.is_some() {
        return Ok(Merged::BothBound);
    }
    let apps = async |user: Uuid| -> std::result::Result<HashSet<String>, DbErr> {
        let found =
            identities::Entity::find().filter(identities::Column::UserId.eq(user)).all(transaction).await?;
        Ok(found.into_iter().map(|identity| identity.appid).collect())
    };
    if !apps(into.id).await?.is_disjoint(&apps(from.id).await?) {
        return Ok(Merged::SameApp);
    }
    // `from` lets go of what is unique before `into` takes it.
    let by_id = |id: Uuid| users::Entity::update_many().filter(users::Column::Id.eq(id));
    by_id(from.id).set(erased(merge.now)).exec(transaction).await?;
    by_id(into.id).set(enriched(into, from, merge)).exec(transaction).await?;
    identities::Entity::update_many()
        .set(identities::ActiveModel { user_id: Set(merge.into), ..Default::default() })
        .filter(identities::Column::UserId.eq(merge.from))
        .exec(transaction)
        .await?;
    Ok(Merged::Done)
}

async fn active(
    transaction: &DatabaseTransaction,
    id: Uuid,
) -> std::result::Result<Option<users::Model>, DbErr> {
    use sea_orm::QuerySelect as _;
    let user = users::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    Ok(user.filter(|user| user.status == Status::Active.number()))
}

/// A user of whom nothing personal is left; the id stays, because siblings may have stored it.
fn erased(now: Timestamp) -> users::ActiveModel {
    users::ActiveModel {
        unionid: Set(None),
        username: Set(None),
        password_hash: Set(None),
        phone: Set(None),
        phone_index: Set(None),
        status: Set(Status::Closed.number()),
        tokens_not_before: Set(Some(now.as_millisecond())),
        updated_at: Set(now.as_millisecond()),
        ..profile_columns(&Profile::default())
    }
}

/// What `into` has stays; what it hasn't comes from `from`.
fn enriched(into: users::Model, from: users::Model, merge: &Merge) -> users::ActiveModel {
    let over = |mine: String, theirs: String| if mine.is_empty() { theirs } else { mine };
    let takes_phone = into.phone.is_none();
    let profile = Profile {
        nickname: over(into.nickname, from.nickname),
        avatar_url: over(into.avatar_url, from.avatar_url),
        gender: if into.gender == 0 { from.gender } else { into.gender },
        country: over(into.country, from.country),
        province: over(into.province, from.province),
        city: over(into.city, from.city),
        language: over(into.language, from.language),
    };
    let phone = merge.phone.as_ref().map(|sealed| sealed.as_bytes().to_vec());
    users::ActiveModel {
        unionid: Set(into.unionid.or(from.unionid)),
        username: Set(into.username.or(from.username)),
        password_hash: Set(into.password_hash.or(from.password_hash)),
        phone: Set(if takes_phone { phone } else { into.phone }),
        phone_index: Set(if takes_phone { from.phone_index } else { into.phone_index }),
        level: Set(into.level.max(from.level)),
        updated_at: Set(merge.now.as_millisecond()),
        ..profile_columns(&profile)
    }
}
