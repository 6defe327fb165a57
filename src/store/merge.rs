//! Two users become one: because an operator says so, or because somebody has proven both (a WeChat login and an account).
//! One transaction; the constraint on (user, app, slot) decides who was first.

use std::collections::HashSet;

use entity::{identities, users};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    QuerySelect as _, TransactionTrait as _,
};
use uuid::Uuid;

use super::close::erased;
use super::user::{Profile, Status, ends, profile_columns};
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::PasswordHash;
use crate::vault::Sealed;

/// Which two users become one.
pub struct Merge {
    /// Who stays.
    pub into: Uuid,
    /// Who goes.
    pub from: Uuid,
    /// Why, and so by which rules.
    pub by: By,
    /// `from`'s phone as it was read …
    pub phone_was: Option<Sealed>,
    /// … and sealed for `into`.
    pub phone: Option<Sealed>,
    /// When.
    pub now: Timestamp,
}

/// Who wants the merge.
#[derive(Debug, Clone)]
pub enum By {
    /// An operator, who has looked at both.
    Operator,
    /// The person themselves, who has proven `into`'s password: `from` is a WeChat user without an account, and nothing
    /// of it may be lost.
    Binding {
        /// How many identities in one app an account takes in.
        identities_per_app: i16,
        /// The hash that the password was right for: if it is another now, it was changed meanwhile.
        proven: PasswordHash,
    },
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
    /// `into`'s password was changed meanwhile: it isn't proven any more.
    Unproven,
    /// Both have an account with a password: a person must choose.
    BothBound,
    /// Both have an identity in one app: they may be two people, and the account has room for one.
    SameApp,
    /// Both have a phone number: one would be lost.
    TwoPhones,
}

impl Store {
    /// Moves `from`'s identities, and what `into` hasn't got, to `into`; `from` is closed.
    pub async fn merge_users(&self, merge: &Merge) -> Result<Merged> {
        error::in_rounds(|| self.try_merge(merge)).await
    }

    async fn try_merge(&self, merge: &Merge) -> std::result::Result<Merged, DbErr> {
        let transaction = self.write().begin().await?;
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
    if let Some(refused) = rules(&into, &from, &merge.by) {
        return Ok(refused);
    }
    // `from` lets go of what is unique before `into` takes it.
    let by_id = |id: Uuid| users::Entity::update_many().filter(users::Column::Id.eq(id));
    by_id(from.id)
        .set(erased(merge.now))
        .col_expr(users::Column::TokensNotBefore, ends(merge.now))
        .exec(transaction)
        .await?;
    by_id(into.id).set(enriched(into, from, merge)).exec(transaction).await?;
    let moved = match &merge.by {
        By::Operator => move_all(transaction, merge).await?,
        By::Binding { identities_per_app, .. } => move_each(transaction, merge, *identities_per_app).await?,
    };
    Ok(if moved { Merged::Done } else { Merged::SameApp })
}

fn rules(into: &users::Model, from: &users::Model, by: &By) -> Option<Merged> {
    match by {
        By::Operator if into.username.is_some() && from.username.is_some() => Some(Merged::BothBound),
        By::Operator => None,
        By::Binding { .. } if from.username.is_some() => Some(Merged::BothBound),
        By::Binding { proven, .. } if into.password_hash.as_deref() != Some(proven.expose()) => {
            Some(Merged::Unproven)
        }
        By::Binding { .. } if into.phone.is_some() && from.phone.is_some() => Some(Merged::TwoPhones),
        By::Binding { .. } => None,
    }
}

/// All of them, unless both users are in one app.
async fn move_all(transaction: &DatabaseTransaction, merge: &Merge) -> std::result::Result<bool, DbErr> {
    let apps = async |user: Uuid| -> std::result::Result<HashSet<String>, DbErr> {
        let found = of_user(transaction, user).await?;
        Ok(found.into_iter().map(|identity| identity.appid).collect())
    };
    if !apps(merge.into).await?.is_disjoint(&apps(merge.from).await?) {
        return Ok(false);
    }
    identities::Entity::update_many()
        .set(identities::ActiveModel { user_id: Set(merge.into), ..Default::default() })
        .filter(identities::Column::UserId.eq(merge.from))
        .exec(transaction)
        .await?;
    Ok(true)
}

/// Each into the first slot that the constraint lets it have; without one for all of them, none.
async fn move_each(
    transaction: &DatabaseTransaction,
    merge: &Merge,
    slots: i16,
) -> std::result::Result<bool, DbErr> {
    'identities: for identity in of_user(transaction, merge.from).await? {
        for slot in 0..slots {
            // PostgreSQL ends a transaction at its first error; a savepoint confines it.
            let try_one = transaction.begin().await?;
            let there =
                identities::ActiveModel { user_id: Set(merge.into), slot: Set(slot), ..Default::default() };
            let update = identities::Entity::update_many().set(there);
            match update.filter(identities::Column::Id.eq(identity.id)).exec(&try_one).await {
                Ok(_) => {
                    try_one.commit().await?;
                    continue 'identities;
                }
                Err(error) if error::is_taken(&error) => try_one.rollback().await?,
                Err(error) => return Err(error),
            }
        }
        return Ok(false);
    }
    Ok(true)
}

/// The user's identities.
pub(super) async fn of_user(
    transaction: &DatabaseTransaction,
    user: Uuid,
) -> std::result::Result<Vec<identities::Model>, DbErr> {
    identities::Entity::find().filter(identities::Column::UserId.eq(user)).all(transaction).await
}

/// The user's row, locked; none if they may not log in.
pub(super) async fn active(
    transaction: &DatabaseTransaction,
    id: Uuid,
) -> std::result::Result<Option<users::Model>, DbErr> {
    let user = users::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    Ok(user.filter(|user| user.status == Status::Active.number()))
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
