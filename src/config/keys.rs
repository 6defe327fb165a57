//! What we sign and seal with: `[tokens]` and `[secrets]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Inline, TokenType, values};
use crate::clock::Timestamp;
use crate::secret::ConfigSecret;

/// `[tokens]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// `iss`: a bare origin.
    pub issuer: String,
    /// `aud`.
    pub audience: Vec<String>,
    /// How long a token counts.
    #[serde(deserialize_with = "values::span")]
    pub ttl: Duration,
    /// How far clocks may be apart.
    #[serde(deserialize_with = "values::span")]
    pub leeway: Duration,
    /// The header's `typ`.
    pub typ: TokenType,
    /// How long siblings may keep the published keys.
    #[serde(deserialize_with = "values::span")]
    pub verifier_cache: Duration,
    /// Claims beyond RFC 9068's.
    pub claims: Vec<String>,
    /// Where a token may come in.
    pub accept_headers: Vec<String>,
    /// The signing keys.
    pub keys: Vec<TokenKey>,
}

/// `[[tokens.keys]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// PKCS#8 PEM.
    #[serde(default)]
    pub file: PathBuf,
    /// From when on it signs; none: from the beginning.
    #[serde(default, deserialize_with = "values::instant")]
    pub sign_from: Option<Timestamp>,
    /// Out at once; its file is no longer read, so that a stolen key can be deleted.
    #[serde(default)]
    pub revoked: bool,
    /// It may sign before siblings' caches can have seen it.
    #[serde(default)]
    pub emergency: bool,
    pub(crate) passphrase: Option<Inline>,
    pub(crate) passphrase_file: Option<PathBuf>,
    /// What the file holds.
    #[serde(skip, default = "values::unset")]
    pub pem: ConfigSecret,
    /// What opens an encrypted one; empty: it isn't.
    #[serde(skip, default = "values::unset")]
    pub phrase: ConfigSecret,
}

/// `[secrets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    pub(super) index_key: Option<Inline>,
    pub(super) index_key_file: Option<PathBuf>,
    /// The keys of the sealed columns; the first seals.
    pub column_keys: Vec<ColumnKey>,
    /// The blind index's key, base64.
    #[serde(skip, default = "values::unset")]
    pub index: ConfigSecret,
}

/// `[[secrets.column_keys]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnKey {
    /// The name that stands in every envelope it sealed.
    #[serde(default)]
    pub id: String,
    pub(super) key: Option<Inline>,
    pub(super) file: Option<PathBuf>,
    /// The key, base64.
    #[serde(skip, default = "values::unset")]
    pub material: ConfigSecret,
}
