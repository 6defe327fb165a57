//! A WeChat identity leaves the account that it is bound to, and becomes a user of its own again.

use entity::{identities, users};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    TransactionTrait as _,
};
use uuid::Uuid;

use super::merge::{active, of_user};
use super::user::{User, ends, new_row};
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;

/// Which identity leaves, and whereto.
pub struct Unbind {
    /// The account's user.
    pub user: Uuid,
    /// Which of their identities.
    pub identity: Uuid,
    /// The id of the user it becomes.
    pub new_user: Uuid,
    /// When.
    pub now: Timestamp,
}

impl Store {
    /// Makes the new user. The identities of the same person in other apps go along, and so does the person's unionid;
    /// everything else is the account's and stays. No token of the account's from before counts. None if there is nothing
    /// to unbind.
    pub async fn unbind(&self, unbind: &Unbind) -> Result<Option<User>> {
        error::in_rounds(|| self.try_unbind(unbind)).await
    }

    async fn try_unbind(&self, unbind: &Unbind) -> std::result::Result<Option<User>, DbErr> {
        let transaction = self.write().begin().await?;
        let user = unbind_in(&transaction, unbind).await?;
        match user {
            Some(_) => transaction.commit().await?,
            None => transaction.rollback().await?,
        }
        Ok(user)
    }
}

async fn unbind_in(
    transaction: &DatabaseTransaction,
    unbind: &Unbind,
) -> std::result::Result<Option<User>, DbErr> {
    let Some(account) = active(transaction, unbind.user).await? else { return Ok(None) };
    let all = of_user(transaction, unbind.user).await?;
    let mine = all.iter().find(|identity| identity.id == unbind.identity);
    let (Some(mine), Some(_)) = (mine, &account.username) else { return Ok(None) };
    // One person's identities in several apps are known by their unionid.
    let same_person = |other: &identities::Model| {
        other.id == mine.id || (mine.unionid.is_some() && other.unionid == mine.unionid)
    };
    let leaving: Vec<Uuid> = all.iter().filter(|other| same_person(other)).map(|other| other.id).collect();
    let takes_unionid = mine.unionid.is_some() && account.unionid == mine.unionid;

    let mut change =
        users::ActiveModel { updated_at: Set(unbind.now.as_millisecond()), ..Default::default() };
    if takes_unionid {
        change.unionid = Set(None);
    }
    users::Entity::update_many()
        .set(change)
        .col_expr(users::Column::TokensNotBefore, ends(unbind.now))
        .filter(users::Column::Id.eq(account.id))
        .exec(transaction)
        .await?;
    let row = users::Model {
        unionid: mine.unionid.clone().filter(|_| takes_unionid),
        ..new_row(unbind.new_user, unbind.now)
    };
    let user = User::from_row(row.clone(), Some(mine.last_login_at));
    users::Entity::insert(users::ActiveModel::from(row)).exec_without_returning(transaction).await?;
    identities::Entity::update_many()
        .set(identities::ActiveModel { user_id: Set(unbind.new_user), ..Default::default() })
        .filter(identities::Column::Id.is_in(leaving))
        .exec(transaction)
        .await?;
    Ok(Some(user))
}
