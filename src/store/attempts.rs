//! Wrong passwords, counted for all replicas together. Whether one more may be tried is the caller's to say; here it is
//! said and counted in one transaction, so that sixty-four tries at once are sixty-four tries.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use entity::attempts;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, TransactionTrait as _,
};

use super::user::instant;
use super::{Store, error};
use crate::clock::{Timestamp, after, before};
use crate::error::Result;

/// What is counted: a keyed mark, see `flows::attempts`.
pub type Mark = Vec<u8>;

/// What stands at one mark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Wrong passwords since the last right one, and tries under way.
    pub failures: u32,
    /// When the last of them was.
    pub failed_at: Option<Timestamp>,
    /// When a password was right here.
    pub succeeded_at: Option<Timestamp>,
}

impl Store {
    /// Counts one try at each of `marks`, if `allows` lets it: it sees what stands at each, in their order, and gives the
    /// instant to wait for instead. A wrong password of longer ago than `forget` no longer counts, and its row may go.
    pub async fn charge(
        &self,
        marks: &[Mark],
        forget: Duration,
        now: Timestamp,
        allows: impl Fn(&[Count]) -> Option<Timestamp>,
    ) -> Result<Option<Timestamp>> {
        error::in_rounds(|| self.try_charge(marks, forget, now, &allows)).await
    }

    async fn try_charge(
        &self,
        marks: &[Mark],
        forget: Duration,
        now: Timestamp,
        allows: &impl Fn(&[Count]) -> Option<Timestamp>,
    ) -> std::result::Result<Option<Timestamp>, DbErr> {
        let transaction = self.write.begin().await?;
        let forgotten = before(now, forget).as_millisecond();
        let counts = locked(&transaction, marks, forgotten, now).await?;
        if let Some(until) = allows(&counts) {
            transaction.rollback().await?;
            return Ok(Some(until));
        }
        use attempts::Column as C;
        let stale = Expr::col(C::FailedAt).is_null().or(Expr::col(C::FailedAt).lt(forgotten));
        let more = CaseStatement::new().case(stale, 1).finally(Expr::col(C::Failures).add(1));
        let expires = after(now, forget).as_millisecond();
        let later = Expr::col(C::ExpiresAt).gt(expires);
        let expires = CaseStatement::new().case(later, Expr::col(C::ExpiresAt)).finally(expires);
        attempts::Entity::update_many()
            // First, while `failed_at` still is the old one: MySQL goes from left to right.
            .col_expr(C::Failures, more.into())
            .col_expr(C::FailedAt, Expr::value(now.as_millisecond()))
            .col_expr(C::ExpiresAt, expires.into())
            .filter(C::Mark.is_in(marks.to_vec()))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(None)
    }

    /// The password was right: nothing stands against `cleared` any more, which is remembered for `keep`, and
    /// `taken_back` has one less.
    pub async fn acquit(
        &self,
        cleared: &[Mark],
        taken_back: &[Mark],
        keep: Duration,
        now: Timestamp,
    ) -> Result<()> {
        use attempts::Column as C;
        attempts::Entity::update_many()
            .col_expr(C::Failures, Expr::value(0))
            .col_expr(C::SucceededAt, Expr::value(now.as_millisecond()))
            .col_expr(C::ExpiresAt, Expr::value(after(now, keep).as_millisecond()))
            .filter(C::Mark.is_in(cleared.to_vec()))
            .exec(&self.write)
            .await
            .map_err(error::unavailable)?;
        if !taken_back.is_empty() {
            attempts::Entity::update_many()
                .col_expr(C::Failures, Expr::col(C::Failures).sub(1))
                .filter(C::Mark.is_in(taken_back.to_vec()))
                .filter(C::Failures.gt(0))
                .exec(&self.write)
                .await
                .map_err(error::unavailable)?;
        }
        Ok(())
    }

    /// What stands at one mark.
    pub async fn count(&self, mark: &Mark) -> Result<Count> {
        let row = attempts::Entity::find_by_id(mark.clone()).one(&self.read).await;
        Ok(row.map_err(error::unavailable)?.map_or_else(Count::default, counted))
    }

    /// Forgets what nobody misses: at every thousandth call, and more of it than came since, so that the table stays small
    /// without anybody's job and without a long statement.
    pub async fn tidy_attempts(&self, now: Timestamp) -> Result<()> {
        const EVERY: u32 = 1000;
        const MOST: u64 = 5000;
        static CALLS: AtomicU32 = AtomicU32::new(0);
        if !CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY) {
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
            .all(&self.read)
            .await
            .map_err(error::unavailable)?;
        if gone.is_empty() {
            return Ok(());
        }
        // Still expired: somebody may have come back meanwhile.
        let delete = attempts::Entity::delete_many().filter(C::Mark.is_in(gone)).filter(expired);
        delete.exec(&self.write).await.map(|_| ()).map_err(error::unavailable)
    }
}

/// Makes sure that the rows stand, and locks them: always in one order, so that nobody waits in a circle.
async fn locked(
    transaction: &DatabaseTransaction,
    marks: &[Mark],
    forgotten: i64,
    now: Timestamp,
) -> std::result::Result<Vec<Count>, DbErr> {
    let mut sorted: Vec<&Mark> = marks.iter().collect();
    sorted.sort_unstable();
    let rows = sorted.into_iter().map(|mark| attempts::ActiveModel {
        mark: Set(mark.clone()),
        failures: Set(0),
        failed_at: Set(None),
        succeeded_at: Set(None),
        expires_at: Set(now.as_millisecond()),
    });
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
    let count = |mark: &Mark| {
        let row = found.iter().find(|row| row.mark == *mark)?;
        let mut count = counted(row.clone());
        if row.failed_at.is_some_and(|at| at < forgotten) {
            count.failures = 0;
        }
        Some(count)
    };
    Ok(marks.iter().map(|mark| count(mark).unwrap_or_default()).collect())
}

fn counted(row: attempts::Model) -> Count {
    Count {
        failures: u32::try_from(row.failures).unwrap_or(0),
        failed_at: row.failed_at.map(instant),
        succeeded_at: row.succeeded_at.map(instant),
    }
}
