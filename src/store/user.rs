//! A user as the rest of the gateway sees one, and how to find and change one.

use entity::users;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, EntityTrait as _, FromQueryResult as _, QueryFilter as _, Statement,
};
use uuid::Uuid;

use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::UnionId;
use crate::vault::Sealed;

/// May a user log in?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    Active,
    /// No: an operator said so.
    Disabled,
    /// No: the account is gone.
    Closed,
}

impl Status {
    /// As the column, and `userInfo.status`, write it.
    pub fn number(self) -> i16 {
        match self {
            Self::Active => 0,
            Self::Disabled => 1,
            Self::Closed => 2,
        }
    }

    fn from_number(number: i16) -> Self {
        match number {
            0 => Self::Active,
            2 => Self::Closed,
            // A status from a newer version doesn't let anybody in.
            _ => Self::Disabled,
        }
    }
}

/// What a user says of themselves. Empty: nothing said.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Any Unicode text.
    pub nickname: String,
    /// An https URL.
    pub avatar_url: String,
    /// WeChat's numbering: 0 unknown, 1 male, 2 female.
    pub gender: i16,
    /// As the client gave it.
    pub country: String,
    /// As the client gave it.
    pub province: String,
    /// As the client gave it.
    pub city: String,
    /// As the client gave it.
    pub language: String,
}

/// One user.
#[derive(Clone)]
pub struct User {
    /// The token's `sub`.
    pub id: Uuid,
    /// The person's id across apps; the first user to show it owns it.
    pub unionid: Option<UnionId>,
    /// Where an account is bound.
    pub username: Option<String>,
    /// Sealed for this user's row.
    pub phone: Option<Sealed>,
    /// What they say of themselves.
    pub profile: Profile,
    /// Index into the configured level names.
    pub level: i16,
    /// May they log in.
    pub status: Status,
    /// Tokens issued before then no longer count.
    pub tokens_not_before: Option<Timestamp>,
    /// When they first logged in.
    pub created_at: Timestamp,
    /// Their last login in the app asked for; none: never there.
    pub last_login_at: Option<Timestamp>,
}

impl User {
    pub(super) fn from_row(row: users::Model, last_login_at: Option<i64>) -> Self {
        Self {
            id: row.id,
            unionid: row.unionid.map(UnionId::new),
            username: row.username,
            phone: row.phone.map(Sealed::from_stored),
            profile: Profile {
                nickname: row.nickname,
                avatar_url: row.avatar_url,
                gender: row.gender,
                country: row.country,
                province: row.province,
                city: row.city,
                language: row.language,
            },
            level: row.level,
            status: Status::from_number(row.status),
            tokens_not_before: row.tokens_not_before.map(instant),
            created_at: instant(row.created_at),
            last_login_at: last_login_at.map(instant),
        }
    }
}

/// A stored time. Out of range only if somebody wrote the column by hand; the epoch then.
pub(super) fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// By what a user is found; each has a unique index.
pub(super) enum Lookup<'b> {
    Id(Uuid),
    Username(&'b str),
}

impl Store {
    /// The user of this id, with their last login in `app`.
    pub async fn find_user(&self, id: Uuid, app: &str) -> Result<Option<User>> {
        let found = self.find_row(&Lookup::Id(id), app).await?;
        Ok(found.map(|(row, last_login_at)| User::from_row(row, last_login_at)))
    }

    /// The row, and the last login in `app`.
    pub(super) async fn find_row(
        &self,
        by: &Lookup<'_>,
        app: &str,
    ) -> Result<Option<(users::Model, Option<i64>)>> {
        let (column, value): (_, sea_orm::Value) = match by {
            Lookup::Id(id) => ("id", (*id).into()),
            Lookup::Username(name) => ("username", (*name).into()),
        };
        let backend = self.backend();
        let [first, second] = if backend == sea_orm::DbBackend::Postgres { ["$1", "$2"] } else { ["?", "?"] };
        let sql = format!(
            "SELECT u.*, (SELECT max(i.last_login_at) FROM identities i \
             WHERE i.user_id = u.id AND i.appid = {first}) AS last_login_at FROM users u WHERE u.{column} = {second}"
        );
        let statement = Statement::from_sql_and_values(backend, sql, [app.into(), value]);
        let row = sea_orm::ConnectionTrait::query_one_raw(&self.read(), statement)
            .await
            .map_err(error::unavailable)?;
        row.map(|row| Ok((users::Model::from_query_result(&row, "")?, row.try_get("", "last_login_at")?)))
            .transpose()
            .map_err(error::unavailable)
    }

    /// Writes what changed of what the user says of themselves, and no other column: of two changes at once, neither
    /// takes the other's back. False if the user has closed their account meanwhile: nothing personal comes back.
    pub async fn update_profile(
        &self,
        id: Uuid,
        old: &Profile,
        new: &Profile,
        now: Timestamp,
    ) -> Result<bool> {
        let mut change = users::ActiveModel { updated_at: Set(now.as_millisecond()), ..profile_columns(new) };
        for (column, same) in [
            (&mut change.nickname, old.nickname == new.nickname),
            (&mut change.avatar_url, old.avatar_url == new.avatar_url),
            (&mut change.country, old.country == new.country),
            (&mut change.province, old.province == new.province),
            (&mut change.city, old.city == new.city),
            (&mut change.language, old.language == new.language),
        ] {
            if same {
                *column = NotSet;
            }
        }
        if old.gender == new.gender {
            change.gender = NotSet;
        }
        let written = open_user(id).set(change).exec(&self.write()).await.map_err(error::unavailable)?;
        Ok(written.rows_affected > 0)
    }
}

/// A change of this user, unless the account is closed. (MySQL counts the rows found, as the others do.)
pub(super) fn open_user(id: Uuid) -> sea_orm::UpdateMany<users::Entity> {
    let open = users::Column::Status.ne(Status::Closed.number());
    users::Entity::update_many().filter(users::Column::Id.eq(id)).filter(open)
}

/// No token issued until `now` counts. An end never moves back: two replicas' clocks may differ.
pub(super) fn ends(now: Timestamp) -> Expr {
    let (column, now) = (Expr::col(users::Column::TokensNotBefore), now.as_millisecond());
    CaseStatement::new().case(column.clone().gt(now), column).finally(now).into()
}

/// A row of a user who has said nothing yet.
pub(super) fn new_row(id: Uuid, at: Timestamp) -> users::Model {
    users::Model {
        id,
        unionid: None,
        username: None,
        password_hash: None,
        nickname: String::new(),
        avatar_url: String::new(),
        gender: 0,
        country: String::new(),
        province: String::new(),
        city: String::new(),
        language: String::new(),
        phone: None,
        phone_index: None,
        level: 0,
        status: Status::Active.number(),
        tokens_not_before: None,
        created_at: at.as_millisecond(),
        updated_at: at.as_millisecond(),
    }
}

/// The profile's columns, and none other.
pub(super) fn profile_columns(profile: &Profile) -> users::ActiveModel {
    users::ActiveModel {
        nickname: Set(profile.nickname.clone()),
        avatar_url: Set(profile.avatar_url.clone()),
        gender: Set(profile.gender),
        country: Set(profile.country.clone()),
        province: Set(profile.province.clone()),
        city: Set(profile.city.clone()),
        language: Set(profile.language.clone()),
        ..Default::default()
    }
}
