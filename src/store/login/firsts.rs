//! First logins of one batch, made by one commit.

use std::collections::HashSet;

use entity::{identities, users};
use sea_orm::{
    ColumnTrait as _, DatabaseConnection, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    TransactionTrait as _,
};

use super::batch::{Outcome, failed, steadily};

/// A first login's rows.
pub(in super::super) struct Fresh {
    pub(super) app: String,
    pub(super) openid: String,
    pub(super) user: users::Model,
    pub(super) identity: identities::ActiveModel,
}

/// Makes users and identities together. Whose unionid is somebody's already, or whose openid comes twice, goes alone. If a
/// row is refused, its half of the batch is halved until it stands by itself: it costs its neighbours a few commits, and not
/// each of them one of their own.
pub(in super::super) async fn make(database: DatabaseConnection, fresh: Vec<Fresh>) -> Vec<Outcome<()>> {
    let mut outcomes: Vec<_> = fresh.iter().map(|_| Outcome::Alone).collect();
    let new = match steadily(|| strangers(&database, &fresh)).await {
        Ok(new) => new,
        Err(error) => return fresh.iter().map(|_| failed(&error)).collect(),
    };
    let mut parts = vec![new];
    while let Some(mut part) = parts.pop() {
        match steadily(|| make_all(&database, &part)).await {
            Ok(()) => part.iter().for_each(|(at, _)| outcomes[*at] = Outcome::Written(())),
            Err(error) => match failed(&error) {
                Outcome::Alone if part.len() > 1 => {
                    parts.push(part.split_off(part.len() / 2));
                    parts.push(part);
                }
                outcome => part.iter().for_each(|(at, _)| outcomes[*at] = outcome.clone()),
            },
        }
    }
    outcomes
}

/// Those that are new as far as can be seen, each once, with their places; in one order everywhere, so that two batches don't
/// wait for each other.
async fn strangers<'f>(
    database: &DatabaseConnection,
    fresh: &'f [Fresh],
) -> Result<Vec<(usize, &'f Fresh)>, DbErr> {
    let unionids: Vec<&str> = fresh.iter().filter_map(|fresh| fresh.user.unionid.as_deref()).collect();
    let mut known: HashSet<String> = HashSet::new();
    if !unionids.is_empty() {
        let select = users::Entity::find().select_only().column(users::Column::Unionid);
        let owned = select.filter(users::Column::Unionid.is_in(super::batch::rounded(&unionids)));
        known.extend(owned.into_tuple::<Option<String>>().all(database).await?.into_iter().flatten());
    }
    let mut openids = HashSet::with_capacity(fresh.len());
    let mut new: Vec<_> = fresh.iter().enumerate().collect();
    new.retain(|(_, fresh)| {
        // Also the second of one unionid in this very batch.
        let owned = fresh.user.unionid.as_ref().is_some_and(|unionid| !known.insert(unionid.clone()));
        !owned && openids.insert((&fresh.app, &fresh.openid))
    });
    new.sort_by_key(|(_, fresh)| (&fresh.app, &fresh.openid));
    Ok(new)
}

async fn make_all(database: &DatabaseConnection, fresh: &[(usize, &Fresh)]) -> Result<(), DbErr> {
    if fresh.is_empty() {
        return Ok(());
    }
    let transaction = database.begin().await?;
    let made = async {
        // As their identities stand in the order of what they may collide on.
        let mut users: Vec<&users::Model> = fresh.iter().map(|(_, fresh)| &fresh.user).collect();
        users.sort_by_key(|user| &user.unionid);
        for some in powers(&users) {
            let rows = some.iter().map(|user| users::ActiveModel::from((*user).clone()));
            users::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        }
        for some in powers(fresh) {
            let rows = some.iter().map(|(_, fresh)| fresh.identity.clone());
            identities::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        }
        Ok(())
    }
    .await;
    match made {
        Ok(()) => transaction.commit().await,
        Err(error) => {
            // What failed is worth more than that there was nothing left to roll back: SQLite may have done so by itself.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// In pieces of powers of two: so few lengths, so few statements that each connection keeps prepared.
fn powers<T>(mut list: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = list.len().checked_ilog2().map(|power| 1 << power)?;
        let (piece, rest) = list.split_at_checked(length)?;
        list = rest;
        Some(piece)
    })
}
