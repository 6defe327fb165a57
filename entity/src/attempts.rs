//! Wrong passwords, counted by keyed marks: nobody reads from this table which name was tried, or from where, and a name
//! that belongs to nobody is counted like any other.

use sea_orm::entity::prelude::*;

/// One mark: a name from an address, a name, or an address.
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    /// Keyed mark of what is counted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mark: Vec<u8>,
    /// Wrong passwords since the last right one.
    pub failures: i32,
    /// When the first of them was.
    pub since: Option<i64>,
    /// When the last of them was.
    pub failed_at: Option<i64>,
    /// When a password was right.
    pub succeeded_at: Option<i64>,
    /// From when on nobody misses this row.
    pub expires_at: i64,
}

/// Marks belong to nobody.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
