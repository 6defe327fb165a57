//! How far the import of a file of accounts has come: written in the transaction that writes the accounts.

use sea_orm::entity::prelude::*;

/// One file, known by its content.
#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "imports")]
pub struct Model {
    /// SHA-256 of the file.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: Vec<u8>,
    /// Records done, of whatever outcome.
    pub records: i64,
    /// Accounts made.
    pub imported: i64,
    /// Records refused.
    pub refused: i64,
    /// Whether the end was reached.
    pub finished: bool,
    /// When this row last changed.
    pub updated_at: i64,
}

/// A file belongs to nobody.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
