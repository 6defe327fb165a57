//! A WeChat identity: who somebody is to one app, and the session_key of their last login there.

use sea_orm::entity::prelude::*;

/// One user in one app; unique by (appid, openid).
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identities")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose identity this is.
    pub user_id: Uuid,
    /// The user's how-manieth identity in this app, from 0; unique by (user, app, slot), which is what bounds how many
    /// identities an account takes in.
    pub slot: i16,
    /// The mini-program; compared byte for byte.
    pub appid: String,
    /// The user's id in that app; compared byte for byte.
    pub openid: String,
    /// The person's id across apps, where WeChat gave one.
    pub unionid: Option<String>,
    /// Sealed: WeChat's session_key of the last login.
    pub session_key: Vec<u8>,
    /// Keyed mark of the session_key in this row: tells "the same key again" from "a new key" inside the
    /// login's one statement, where two envelopes of one key never look alike.
    pub session_key_tag: Vec<u8>,
    /// When this session_key was first seen.
    pub session_key_at: i64,
    /// The session_key before this one: the envelope moves here as it is, so it opens in the cell `session_key`.
    pub previous_session_key: Option<Vec<u8>>,
    /// When this identity last logged in.
    pub last_login_at: i64,
    /// From which address.
    pub last_login_ip: String,
    /// How often it has logged in.
    pub login_count: i64,
    /// When it first logged in.
    pub created_at: i64,
}

/// An identity belongs to a user.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The user behind the identity.
    #[sea_orm(belongs_to = "super::users::Entity", from = "Column::UserId", to = "super::users::Column::Id")]
    Users,
}

impl Related<super::users::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Users.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    /// The ids of ours and nothing else: openid, unionid and address are personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("identities::Model")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}
