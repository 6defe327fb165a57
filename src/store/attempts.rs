//! Wrong passwords, counted for all replicas together. What a count becomes is the caller's to say; here it is said and
//! written in one transaction, so that sixty-four tries at once are sixty-four tries.

use std::sync::atomic::Ordering;

use entity::attempts;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, TransactionTrait as _,
};

use super::user::instant;
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;

/// What is counted: a keyed mark, see `flows::attempts`.
pub type Mark = Vec<u8>;

/// What stands at one mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Wrong passwords, and tries under way.
    pub failures: u32,
    /// When the first of them was.
    pub since: Option<Timestamp>,
    /// When the last of them was.
    pub failed_at: Option<Timestamp>,
    /// When a password was right here.
    pub succeeded_at: Option<Timestamp>,
    /// From when on nobody misses this.
    pub expires_at: Timestamp,
}

impl Store {
    /// What stands at each of `marks`, in their order.
    pub async fn counts(&self, marks: &[Mark]) -> Result<Vec<Count>> {
        let found = attempts::Entity::find().filter(attempts::Column::Mark.is_in(marks.to_vec()));
        Ok(in_order(marks, &found.all(&self.read()).await.map_err(error::unavailable)?))
    }

    /// Makes of what stands at each of `marks` what `change` says, and gives what stood there; if it says an error, nothing
    /// is changed.
    pub async fn recount<E>(
        &self,
        marks: &[Mark],
        change: impl Fn(&[Count]) -> std::result::Result<Vec<Count>, E>,
    ) -> Result<std::result::Result<Vec<Count>, E>> {
        error::in_rounds(|| self.try_recount(marks, &change)).await
    }

    async fn try_recount<E>(
        &self,
        marks: &[Mark],
        change: &impl Fn(&[Count]) -> std::result::Result<Vec<Count>, E>,
    ) -> std::result::Result<std::result::Result<Vec<Count>, E>, DbErr> {
        let transaction = self.write().begin().await?;
        let before = locked(&transaction, marks).await?;
        let after = match change(&before) {
            Ok(after) => after,
            Err(refused) => {
                transaction.rollback().await?;
                return Ok(Err(refused));
            }
        };
        for (mark, count) in marks.iter().zip(&after) {
            let update = attempts::Entity::update_many().set(columns(count));
            update.filter(attempts::Column::Mark.eq(mark.clone())).exec(&transaction).await?;
        }
        transaction.commit().await?;
        Ok(Ok(before))
    }

    /// Forgets what nobody misses: at every thousandth call, and more of it than came since, so that the table stays small
    /// without anybody's job and without a long statement.
    pub async fn tidy_attempts(&self, now: Timestamp) -> Result<()> {
        const EVERY: u32 = 1000;
        const MOST: u64 = 5000;
        if !self.tidied.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY) {
            return Ok(());
        }
        use attempts::Column as C;
        let expired = C::ExpiresAt.lt(now.as_millisecond());
        let gone: Vec<Mark> = attempts::Entity::find()
            .select_only()
            .column(C::Mark)
            .filter(expired.clone())
            .limit(MOST)
            .into_tuple()
            .all(&self.read())
            .await
            .map_err(error::unavailable)?;
        if gone.is_empty() {
            return Ok(());
        }
        // Still expired: somebody may have come back meanwhile.
        let delete = attempts::Entity::delete_many().filter(C::Mark.is_in(gone)).filter(expired);
        delete.exec(&self.write()).await.map(|_| ()).map_err(error::unavailable)
    }
}

/// Makes sure that the rows stand, and locks them: always in one order, so that nobody waits in a circle.
async fn locked(transaction: &DatabaseTransaction, marks: &[Mark]) -> std::result::Result<Vec<Count>, DbErr> {
    let mut sorted: Vec<&Mark> = marks.iter().collect();
    sorted.sort_unstable();
    let rows = sorted
        .into_iter()
        .map(|mark| attempts::ActiveModel { mark: Set(mark.clone()), ..columns(&Count::default()) });
    attempts::Entity::insert_many(rows)
        .on_conflict_do_nothing_on([attempts::Column::Mark])
        .exec_without_returning(transaction)
        .await?;
    let found = attempts::Entity::find()
        .filter(attempts::Column::Mark.is_in(marks.to_vec()))
        .order_by_asc(attempts::Column::Mark)
        .lock_exclusive()
        .all(transaction)
        .await?;
    Ok(in_order(marks, &found))
}

fn in_order(marks: &[Mark], found: &[attempts::Model]) -> Vec<Count> {
    let count = |mark: &Mark| found.iter().find(|row| row.mark == *mark).map(counted);
    marks.iter().map(|mark| count(mark).unwrap_or_default()).collect()
}

fn counted(row: &attempts::Model) -> Count {
    Count {
        failures: u32::try_from(row.failures).unwrap_or(0),
        since: row.since.map(instant),
        failed_at: row.failed_at.map(instant),
        succeeded_at: row.succeeded_at.map(instant),
        expires_at: instant(row.expires_at),
    }
}

fn columns(count: &Count) -> attempts::ActiveModel {
    let millis = |at: Option<Timestamp>| Set(at.map(Timestamp::as_millisecond));
    attempts::ActiveModel {
        failures: Set(i32::try_from(count.failures).unwrap_or(i32::MAX)),
        since: millis(count.since),
        failed_at: millis(count.failed_at),
        succeeded_at: millis(count.succeeded_at),
        expires_at: Set(count.expires_at.as_millisecond()),
        ..Default::default()
    }
}
