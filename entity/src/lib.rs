//! wxgate's tables as SeaORM entities: columns and their types, nothing else.
//!
//! Conventions that hold in every table:
//! - **Times** are `i64` milliseconds since the Unix epoch (UTC). A number means the same on SQLite, PostgreSQL
//!   and MySQL: no session time zone, no rounding to seconds, no year 2038.
//! - **Sealed** columns (`session_key`, `phone`, …) hold the envelope that `wxgate::vault` documents, never text.
//! - **Ids** are UUIDv7: unique without asking anybody, and close together in the index when made together.
//!
//! Only `wxgate::store` names these types; the rest of the gateway speaks in `store::User`.

pub mod attempts;
pub mod identities;
pub mod imports;
pub mod users;
