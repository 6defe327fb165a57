//! One identity: whose session_key, and its change.

use entity::identities;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use uuid::Uuid;

use super::user::instant;
use super::{Store, error};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::{OpenId, UnionId};
use crate::vault::Sealed;

/// A user in one app.
pub struct Identity {
    /// Ours.
    pub id: Uuid,
    /// WeChat's.
    pub openid: OpenId,
    /// Of the last login, or of a reset since.
    pub session_key: Sealed,
    /// Its keyed mark.
    pub session_key_tag: Vec<u8>,
    /// When that one was first seen.
    pub session_key_at: Timestamp,
    /// The one before it.
    pub previous_session_key: Option<Sealed>,
}

/// How a user has come: one of their identities, without its keys.
pub struct Came {
    /// The mini-program's appid.
    pub app: String,
    /// WeChat's id of them there.
    pub openid: OpenId,
    /// WeChat's id of them across apps, where it said one.
    pub unionid: Option<UnionId>,
    /// The first time.
    pub created_at: Timestamp,
    /// The last time.
    pub last_login_at: Timestamp,
}

impl Identity {
    fn from_row(row: identities::Model) -> Self {
        Self {
            id: row.id,
            openid: OpenId::new(row.openid),
            session_key: Sealed::from_stored(row.session_key),
            session_key_tag: row.session_key_tag,
            session_key_at: instant(row.session_key_at),
            previous_session_key: row.previous_session_key.map(Sealed::from_stored),
        }
    }
}

impl Store {
    /// The user's identity in this app: the one of this id, or, if none is named, the one that logged in last.
    pub async fn find_identity(&self, user: Uuid, app: &str, id: Option<Uuid>) -> Result<Option<Identity>> {
        let row = identities::Entity::find()
            .filter(identities::Column::UserId.eq(user))
            .filter(identities::Column::Appid.eq(app))
            .apply_if(id, |query, id| query.filter(identities::Column::Id.eq(id)))
            .order_by_desc(identities::Column::LastLoginAt)
            .one(&self.read())
            .await
            .map_err(error::unavailable)?;
        Ok(row.map(Identity::from_row))
    }

    /// The identities of a user, by app.
    pub async fn identities_of(&self, user: Uuid) -> Result<Vec<Came>> {
        let rows = identities::Entity::find()
            .filter(identities::Column::UserId.eq(user))
            .order_by_asc(identities::Column::Appid)
            .all(&self.read())
            .await
            .map_err(error::unavailable)?;
        let came = rows.into_iter().map(|row| Came {
            app: row.appid,
            openid: OpenId::new(row.openid),
            unionid: row.unionid.map(UnionId::new),
            created_at: instant(row.created_at),
            last_login_at: instant(row.last_login_at),
        });
        Ok(came.collect())
    }

    /// Whose this openid in this app is.
    pub async fn find_by_openid(&self, app: &str, openid: &OpenId) -> Result<Option<Uuid>> {
        identities::Entity::find()
            .select_only()
            .column(identities::Column::UserId)
            .filter(identities::Column::Appid.eq(app))
            .filter(identities::Column::Openid.eq(openid.expose()))
            .into_tuple()
            .one(&self.read())
            .await
            .map_err(error::unavailable)
    }

    /// The identity of this openid in this app.
    pub async fn find_openid(&self, app: &str, openid: &OpenId) -> Result<Option<Identity>> {
        let row = identities::Entity::find()
            .filter(identities::Column::Appid.eq(app))
            .filter(identities::Column::Openid.eq(openid.expose()))
            .one(&self.read())
            .await
            .map_err(error::unavailable)?;
        Ok(row.map(Identity::from_row))
    }

    /// A new session_key that no login brought; `old`, if it still is the current one, becomes the previous. If it isn't,
    /// a login was faster, and its key is the newer.
    pub async fn replace_session_key(
        &self,
        old: &Identity,
        key: &Sealed,
        tag: &[u8],
        now: Timestamp,
    ) -> Result<()> {
        use identities::Column as C;
        identities::Entity::update_many()
            // First, while the column still holds the old one: MySQL goes from left to right.
            .col_expr(C::PreviousSessionKey, Expr::col(C::SessionKey))
            .col_expr(C::SessionKey, Expr::value(key.as_bytes().to_vec()))
            .col_expr(C::SessionKeyTag, Expr::value(tag.to_vec()))
            .col_expr(C::SessionKeyAt, Expr::value(now.as_millisecond()))
            .filter(C::Id.eq(old.id))
            .filter(C::SessionKeyTag.eq(old.session_key_tag.clone()))
            .exec(&self.write())
            .await
            .map(|_| ())
            .map_err(error::unavailable)
    }
}
