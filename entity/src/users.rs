//! A person (or a business account) as siblings know it: `id` is the token's `sub`.

use sea_orm::entity::prelude::*;

/// One user.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// UUIDv7, the token's `sub`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The person's id across the apps of one Open Platform account; the first user to show it owns it.
    #[sea_orm(unique)]
    pub unionid: Option<String>,
    /// NFKC, case-folded.
    #[sea_orm(unique)]
    pub username: Option<String>,
    /// A PHC string, or bcrypt's form until the next right password.
    pub password_hash: Option<String>,
    /// What the person calls themselves; any Unicode text.
    pub nickname: String,
    /// An https URL, or empty.
    pub avatar_url: String,
    /// WeChat's numbering: 0 unknown, 1 male, 2 female.
    pub gender: i16,
    /// As the client gave it, or empty.
    pub country: String,
    /// As the client gave it, or empty.
    pub province: String,
    /// As the client gave it, or empty.
    pub city: String,
    /// As the client gave it (`zh_CN`), or empty.
    pub language: String,
    /// Sealed.
    pub phone: Option<Vec<u8>>,
    /// Keyed blind index of the phone number.
    #[sea_orm(unique)]
    pub phone_index: Option<Vec<u8>>,
    /// Index into the configured level names.
    pub level: i16,
    /// 0 active, 1 disabled, 2 closed.
    pub status: i16,
    /// Tokens issued before this instant no longer count.
    pub tokens_not_before: Option<i64>,
    /// When the first login happened.
    pub created_at: i64,
    /// When a column of this row last changed.
    pub updated_at: i64,
}

/// Users have identities, one for each app they came through.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The user's WeChat identities.
    #[sea_orm(has_many = "super::identities::Entity")]
    Identities,
}

impl Related<super::identities::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Identities.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    /// The id and nothing else: the rest is personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("users::Model").field("id", &self.id).finish_non_exhaustive()
    }
}
