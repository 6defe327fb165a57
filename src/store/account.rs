//! Accounts: a username and a password's hash on a user's row.

use entity::users;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::user::{Lookup, Status, User, ends, new_row, open_user};
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::{Code, Result};
use crate::secret::PasswordHash;

/// A user who can log in by password.
#[derive(Clone)]
pub struct Account {
    /// Who.
    pub user: User,
    /// What their password is checked against.
    pub hash: PasswordHash,
}

/// What came of giving a user an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It is theirs.
    Done,
    /// They have one already, or have closed theirs meanwhile.
    Refused,
}

impl Store {
    /// The account of this name (normalized), its user with their last login in `app`.
    pub async fn find_account(&self, username: &str, app: &str) -> Result<Option<Account>> {
        let found = self.find_row(&Lookup::Username(username), app).await?;
        Ok(found.and_then(|(row, last_login_at)| {
            let hash = PasswordHash::new(row.password_hash.clone()?);
            Some(Account { user: User::from_row(row, last_login_at), hash })
        }))
    }

    /// Makes a user of this name and password, without an identity; 409 if somebody has the name.
    pub async fn create_account(
        &self,
        id: Uuid,
        username: &str,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<User> {
        let row = users::Model {
            username: Some(username.to_owned()),
            password_hash: Some(hash.expose().to_owned()),
            ..new_row(id, now)
        };
        let user = User::from_row(row.clone(), None);
        match users::Entity::insert(users::ActiveModel::from(row)).exec_without_returning(&self.write()).await
        {
            Ok(_) => Ok(user),
            Err(error) if error::is_taken(&error) => Err(Code::UsernameTaken.into()),
            Err(error) => Err(error::unavailable(error)),
        }
    }

    /// Gives a user who has none an account; 409 if somebody has the name.
    pub async fn give_account(
        &self,
        id: Uuid,
        username: &str,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Given> {
        let change = users::ActiveModel {
            username: Set(Some(username.to_owned())),
            password_hash: Set(Some(hash.expose().to_owned())),
            updated_at: Set(now.as_millisecond()),
            ..Default::default()
        };
        match open_user(id).set(change).filter(users::Column::Username.is_null()).exec(&self.write()).await {
            Ok(written) if written.rows_affected > 0 => Ok(Given::Done),
            Ok(_) => Ok(Given::Refused),
            Err(error) if error::is_taken(&error) => Err(Code::UsernameTaken.into()),
            Err(error) => Err(error::unavailable(error)),
        }
    }

    /// The same password, hashed anew; nothing if it was changed meanwhile.
    pub async fn rehash(&self, id: Uuid, old: &PasswordHash, new: &PasswordHash) -> Result<()> {
        let change =
            users::ActiveModel { password_hash: Set(Some(new.expose().to_owned())), ..Default::default() };
        let unchanged = users::Column::PasswordHash.eq(old.expose());
        let written = open_user(id).set(change).filter(unchanged).exec(&self.write()).await;
        written.map(|_| ()).map_err(error::unavailable)
    }

    /// Another password, and no token of before counts; false if `old` is no longer the one, or there is no account.
    pub async fn set_password(
        &self,
        id: Uuid,
        old: Option<&PasswordHash>,
        new: &PasswordHash,
        now: Timestamp,
    ) -> Result<bool> {
        let change = users::ActiveModel {
            password_hash: Set(Some(new.expose().to_owned())),
            updated_at: Set(now.as_millisecond()),
            ..Default::default()
        };
        let mut update = open_user(id)
            .set(change)
            .col_expr(users::Column::TokensNotBefore, ends(now))
            .filter(users::Column::Username.is_not_null());
        if let Some(old) = old {
            update = update.filter(users::Column::PasswordHash.eq(old.expose()));
        }
        let written = update.exec(&self.write()).await.map_err(error::unavailable)?;
        Ok(written.rows_affected > 0)
    }

    /// No token issued until `end` counts.
    pub async fn end_tokens(&self, id: Uuid, end: Timestamp) -> Result<()> {
        let update = open_user(id).col_expr(users::Column::TokensNotBefore, ends(end));
        update.exec(&self.write()).await.map(|_| ()).map_err(error::unavailable)
    }

    /// Another level. False if they have closed their account.
    pub async fn set_level(&self, id: Uuid, level: i16, now: Timestamp) -> Result<bool> {
        let now = now.as_millisecond();
        let change = users::ActiveModel { level: Set(level), updated_at: Set(now), ..Default::default() };
        let written = open_user(id).set(change).exec(&self.write()).await.map_err(error::unavailable)?;
        Ok(written.rows_affected > 0)
    }

    /// Lets a user in, or keeps them out; kept out, no token of before counts. False if they have closed their account.
    pub async fn set_disabled(&self, id: Uuid, disabled: bool, now: Timestamp) -> Result<bool> {
        let status = if disabled { Status::Disabled } else { Status::Active };
        let change = users::ActiveModel {
            status: Set(status.number()),
            updated_at: Set(now.as_millisecond()),
            ..Default::default()
        };
        let mut update = open_user(id).set(change);
        if disabled {
            update = update.col_expr(users::Column::TokensNotBefore, ends(now));
        }
        let written = update.exec(&self.write()).await.map_err(error::unavailable)?;
        Ok(written.rows_affected > 0)
    }
}
