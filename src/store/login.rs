//! A login, written: the cheapest statement each database has for a returning user, two inserts for a new one, and
//! constraints that decide every race.

use entity::{identities, users};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    TransactionTrait as _,
};
use uuid::Uuid;

use batch::{Outcome, Touch};
use firsts::Fresh;
use statements::values;

use super::gather::Unwritten;
use super::user::{Profile, Status, User, new_row};
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::{OpenId, UnionId};
use crate::telemetry;
use crate::vault::Sealed;

pub(super) mod batch;
pub(super) mod firsts;
mod statements;

/// What a login brings.
pub struct Login<'l> {
    /// The mini-program.
    pub app: &'l str,
    /// Who it was.
    pub openid: &'l OpenId,
    /// Who it is across apps.
    pub unionid: Option<&'l UnionId>,
    /// Sealed for this row.
    pub session_key: Sealed,
    /// The session_key's keyed mark.
    pub session_key_tag: Vec<u8>,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub ip: std::net::IpAddr,
    /// Ids for the rows of a first login.
    pub new_ids: (Uuid, Uuid),
    /// The profile of a first login.
    pub profile: &'l Profile,
}

/// What a login came to.
pub struct LoggedIn {
    /// The user it is.
    pub user: User,
    /// By which of their identities.
    pub identity: Uuid,
    /// Whether this very login made the user.
    pub is_new: bool,
}

/// How often a lost race is run again. Every loss means that somebody else's row now stands, so that the next round
/// finds it; more than this is a fault of ours.
const ROUNDS: usize = 16;

/// What the first login's inserts came to.
enum First {
    Made(Box<User>),
    /// Somebody's row stands where ours would; look again.
    Lost,
}

impl Store {
    /// Writes the login and returns whose it is; a new user where there was none. It shares its commit with the logins that
    /// come at the same time, and is on the disk when this returns.
    pub async fn upsert_login(&self, login: &Login<'_>) -> Result<LoggedIn> {
        match self.touches.written(touch(login)).await {
            Ok(Outcome::Written(Some((user, identity)))) if user.status != Status::Closed => {
                return Ok(LoggedIn { user, identity, is_new: false });
            }
            Ok(Outcome::Written(None)) => {
                let user = new_user(login);
                let fresh = fresh(login, &user);
                match self.firsts.written(fresh).await {
                    Ok(Outcome::Written(())) => {
                        let user = User::from_row(user, Some(login.at.as_millisecond()));
                        return Ok(LoggedIn { user, identity: login.new_ids.1, is_new: true });
                    }
                    Ok(Outcome::Failed(error)) => return Err(error),
                    Ok(Outcome::Alone) => {}
                    Err(unwritten) => return Err(failed(unwritten)),
                }
            }
            Ok(Outcome::Failed(error)) => return Err(error),
            // Its user has closed their account since, or the database refused one of the batch.
            Ok(_) => {}
            Err(unwritten) => return Err(failed(unwritten)),
        }
        telemetry::went_alone();
        self.upsert_alone(login).await
    }

    /// The same by itself, however many rounds of a race it takes.
    async fn upsert_alone(&self, login: &Login<'_>) -> Result<LoggedIn> {
        for _ in 0..ROUNDS {
            match self.returning_login(login).await {
                // Closed between a login's look and its write: the identity is freed, as closing does.
                Ok(Some((user, _))) if user.status == Status::Closed => {
                    self.free_identity(login, user.id).await?;
                }
                Ok(Some((user, identity))) => return Ok(LoggedIn { user, identity, is_new: false }),
                Ok(None) => {}
                Err(error) if error::is_tie(&error) => continue,
                Err(error) => return Err(error::unavailable(error)),
            }
            match self.first_login(login).await {
                Ok(First::Made(user)) => {
                    return Ok(LoggedIn { user: *user, identity: login.new_ids.1, is_new: true });
                }
                Ok(First::Lost) => {}
                Err(error) if error::is_tie(&error) => {}
                Err(error) => return Err(error::unavailable(error)),
            }
        }
        Err(Error::from(Code::Busy).because("a login lost every round of a race"))
    }

    async fn free_identity(&self, login: &Login<'_>, closed: Uuid) -> Result<()> {
        use identities::Column as C;
        identities::Entity::delete_many()
            .filter(C::Appid.eq(login.app))
            .filter(C::Openid.eq(login.openid.expose()))
            .filter(C::UserId.eq(closed))
            .exec(&self.write())
            .await
            .map(|_| ())
            .map_err(error::unavailable)
    }

    /// Updates the identity, if there is one, and reads its user.
    async fn returning_login(&self, login: &Login<'_>) -> std::result::Result<Option<(User, Uuid)>, DbErr> {
        Ok(batch::touch_each_once(&self.write(), &[&touch(login)]).await?.remove(&0))
    }

    /// Makes user and identity together, or finds that somebody was faster.
    async fn first_login(&self, login: &Login<'_>) -> std::result::Result<First, DbErr> {
        let row = new_user(login);
        let made = User::from_row(row.clone(), Some(login.at.as_millisecond()));
        let transaction = self.write().begin().await?;
        let users =
            users::Entity::insert(users::ActiveModel::from(row)).exec_without_returning(&transaction).await;
        if let Err(error) = users {
            transaction.rollback().await?;
            // The one unique value a new user brings is its unionid: its owner takes the identity.
            return if error::is_taken(&error) { self.adopt(login).await } else { Err(error) };
        }
        let identity = identities::Entity::insert(new_identity(login, login.new_ids.0, 0, 1));
        match identity.exec_without_returning(&transaction).await {
            Ok(_) => transaction.commit().await.map(|()| First::Made(Box::new(made))),
            Err(error) => {
                transaction.rollback().await?;
                if error::is_taken(&error) { Ok(First::Lost) } else { Err(error) }
            }
        }
    }

    /// Another app's login of a person we know: the identity joins the user who owns the unionid.
    async fn adopt(&self, login: &Login<'_>) -> std::result::Result<First, DbErr> {
        let Some(unionid) = login.unionid else { return Ok(First::Lost) };
        let owner = users::Entity::find()
            .filter(users::Column::Unionid.eq(unionid.expose()))
            .one(&self.write())
            .await?;
        let Some(owner) = owner else { return Ok(First::Lost) };
        if owner.status == Status::Closed.number() {
            // Nobody closed holds on to what is unique: the next round makes a new user.
            let change = users::ActiveModel { unionid: Set(None), ..Default::default() };
            let closed = users::Column::Status.eq(Status::Closed.number());
            users::Entity::update_many()
                .set(change)
                .filter(users::Column::Id.eq(owner.id))
                .filter(closed)
                .exec(&self.write())
                .await?;
            return Ok(First::Lost);
        }
        // Behind those that the owner has in this app; WeChat gives a person one, so there hardly ever is any.
        let last = identities::Entity::find()
            .filter(identities::Column::UserId.eq(owner.id))
            .filter(identities::Column::Appid.eq(login.app))
            .order_by_desc(identities::Column::Slot)
            .one(&self.write())
            .await?;
        let slot = last.map_or(0, |identity| identity.slot.saturating_add(1));
        let identity = identities::Entity::insert(new_identity(login, owner.id, slot, 0));
        match identity.exec_without_returning(&self.write()).await {
            Ok(_) => {}
            Err(error) if error::is_taken(&error) => {}
            Err(error) => return Err(error),
        }
        // Whichever login made the identity, the next round finds it.
        Ok(First::Lost)
    }
}

fn failed(unwritten: Unwritten) -> Error {
    match unwritten {
        Unwritten::Full => Error::from(Code::Busy).because("more logins wait for the database than may"),
        Unwritten::Late => Error::from(Code::StoreUnavailable)
            .because("the database takes seconds to write a batch of logins"),
        Unwritten::Lost => Error::from(Code::Internal).because("the batch that it was written with panicked"),
    }
}

fn fresh(login: &Login<'_>, user: &users::Model) -> Fresh {
    Fresh {
        app: login.app.to_owned(),
        openid: login.openid.expose().to_owned(),
        identity: new_identity(login, user.id, 0, 1),
        user: user.clone(),
    }
}

fn touch(login: &Login<'_>) -> Touch {
    Touch {
        app: login.app.to_owned(),
        openid: login.openid.expose().to_owned(),
        at: login.at.as_millisecond(),
        values: values(login),
    }
}

fn new_user(login: &Login<'_>) -> users::Model {
    let profile = login.profile.clone();
    users::Model {
        unionid: login.unionid.map(|id| id.expose().to_owned()),
        nickname: profile.nickname,
        avatar_url: profile.avatar_url,
        gender: profile.gender,
        country: profile.country,
        province: profile.province,
        city: profile.city,
        language: profile.language,
        ..new_row(login.new_ids.0, login.at)
    }
}

/// `count`: 1 for the login that makes it; 0 where the next round's update counts.
fn new_identity(login: &Login<'_>, user: Uuid, slot: i16, count: i64) -> identities::ActiveModel {
    let at = login.at.as_millisecond();
    identities::ActiveModel {
        id: Set(login.new_ids.1),
        user_id: Set(user),
        slot: Set(slot),
        appid: Set(login.app.to_owned()),
        openid: Set(login.openid.expose().to_owned()),
        unionid: Set(login.unionid.map(|id| id.expose().to_owned())),
        session_key: Set(login.session_key.as_bytes().to_vec()),
        session_key_tag: Set(login.session_key_tag.clone()),
        session_key_at: Set(at),
        previous_session_key: Set(None),
        last_login_at: Set(at),
        last_login_ip: Set(login.ip.to_string()),
        login_count: Set(count),
        created_at: Set(at),
    }
}
