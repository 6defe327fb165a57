//! The vault: sealed columns and password hashes.
//!
//! Owns the column keys, the envelope, the threads that hash, and the random numbers. Refuses to know what it seals for: a
//! caller names the [`Cell`] (table, column, row), and a ciphertext opens in that cell and in no other. Refuses to know
//! whose password it is.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::{Problem, Secrets};

mod envelope;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod password;
pub mod random;
mod stored_hash;

pub use envelope::{Malformed, Sealed};
pub use password::{HashError, Hashing, Passwords, Place, Verdict};
pub use stored_hash::{Unusable, accepted};

/// Where a sealed value lives. The row is named by what can't change in it: for an identity its appid and openid.
#[derive(Clone, Copy)]
pub struct Cell<'c> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's identity.
    pub row: &'c [&'c str],
}

impl Cell<'_> {
    /// The cell's name as bytes, no two cells alike: each part behind its length.
    fn name(&self) -> Vec<u8> {
        let mut name = b"wxgate/v1".to_vec();
        for part in [self.table, self.column].iter().chain(self.row) {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part.as_bytes());
        }
        name
    }
}

/// Why a sealed value doesn't open. Says nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// Not an envelope.
    Malformed(Malformed),
    /// Sealed with a key that isn't configured (any more).
    UnknownKey(String),
    /// Altered, cut, or moved here from another cell.
    Unauthentic,
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "not an envelope: {why}"),
            Self::UnknownKey(id) => {
                write!(f, "sealed with column key {id:?}, which secrets.column_keys doesn't list")
            }
            Self::Unauthentic => f.write_str("altered, cut, or from another row"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Seals and opens columns. Clone-free: one for the process.
pub struct Vault {
    /// The first seals, all open; swapped as a whole.
    keys: ArcSwap<Vec<ColumnKey>>,
    index: hmac::Key,
}

/// A list of column keys that may follow the one in force.
pub struct NextKeys(Vec<ColumnKey>);

struct ColumnKey {
    id: String,
    secret: hkdf::Prk,
    /// Tells whether two lists mean the same key by one id.
    check: [u8; 32],
}

impl Vault {
    /// From `[secrets]`; every key that doesn't do is a problem.
    pub fn from_config(secrets: &Secrets) -> Result<Self, Vec<Problem>> {
        let (keys, mut problems) = column_keys(secrets);
        let index = match secrets.index.expose() {
            "" => None,
            text => key_of(text).map_err(|text| problems.push(Problem::new("secrets.index_key", text))).ok(),
        };
        match index {
            Some(secret) if problems.is_empty() => Ok(Self {
                keys: ArcSwap::from_pointee(keys),
                index: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            }),
            _ => Err(problems),
        }
    }

    /// Another list of column keys, if it may follow the one in force. A key that nobody knew can't seal at once: another
    /// replica, which reloads a little later, couldn't open it.
    pub fn next(&self, secrets: &Secrets) -> Result<NextKeys, Vec<Problem>> {
        let (keys, mut problems) = column_keys(secrets);
        let known = self.keys.load();
        for (at, key) in keys.iter().enumerate() {
            let name = format!("secrets.column_keys[{at}]");
            match known.iter().find(|old| old.id == key.id) {
                Some(old) if old.check != key.check => {
                    let text = format!("{:?} is another key than before: a new key takes a new id", key.id);
                    problems.push(Problem::new(format!("{name}.key"), text));
                }
                None if at == 0 => {
                    let text = format!(
                        "{:?} is new and would seal at once: list it behind the first until every replica has it, \
                         then move it up",
                        key.id
                    );
                    problems.push(Problem::new(name, text));
                }
                _ => {}
            }
        }
        if keys.is_empty() && problems.is_empty() {
            problems.push(Problem::new("secrets.column_keys", "no column key"));
        }
        if problems.is_empty() { Ok(NextKeys(keys)) } else { Err(problems) }
    }

    /// Seals and opens with these from now on.
    pub fn adopt(&self, next: NextKeys) {
        self.keys.store(Arc::new(next.0));
    }

    /// Seals with the first key.
    ///
    /// # Errors
    /// Only where no key is configured or the cryptographic library fails; neither happens after start-up.
    pub fn seal(&self, cell: &Cell<'_>, plain: &[u8]) -> Result<Sealed, aws_lc_rs::error::Unspecified> {
        let keys = self.keys.load();
        let key = keys.first().ok_or(aws_lc_rs::error::Unspecified)?;
        let name = cell.name();
        let nonce: [u8; envelope::NONCE] = random::bytes();
        let mut body = plain.to_vec();
        cell_key(key, &name)?.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&name),
            &mut body,
        )?;
        Ok(envelope::write(&key.id, &nonce, &body))
    }

    /// The ids of the keys, in the order of the configuration: the first seals.
    pub fn key_ids(&self) -> Vec<String> {
        self.keys.load().iter().map(|key| key.id.clone()).collect()
    }

    /// Whether it is sealed with the key that seals now.
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        let keys = self.keys.load();
        keys.first().is_some_and(|key| sealed.key_id().is_ok_and(|id| id == key.id))
    }

    /// Opens with whichever key sealed it.
    pub fn open(&self, cell: &Cell<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let envelope = envelope::read(sealed).map_err(OpenError::Malformed)?;
        let keys = self.keys.load();
        let key = keys.iter().find(|key| key.id == envelope.key_id);
        let key = key.ok_or_else(|| OpenError::UnknownKey(envelope.key_id.to_owned()))?;
        let name = cell.name();
        let mut body = Zeroizing::new(envelope.body.to_vec());
        let plain = cell_key(key, &name)
            .and_then(|key| {
                let nonce = Nonce::assume_unique_for_key(envelope.nonce);
                key.open_in_place(nonce, Aad::from(&name), &mut body).map(|plain| plain.len())
            })
            .map_err(|_| OpenError::Unauthentic)?;
        body.truncate(plain);
        Ok(body)
    }

    /// A keyed mark of `plain` in this cell: equal for equal values, and telling nothing without the index key.
    pub fn mark(&self, cell: &Cell<'_>, plain: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.index);
        context.update(&cell.name());
        context.update(plain);
        context.sign().as_ref()[..16].to_vec()
    }
}

/// The configured keys that do, and what is wrong with the others.
fn column_keys(secrets: &Secrets) -> (Vec<ColumnKey>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut keys = Vec::new();
    // What is missing altogether has been reported where it was read.
    let given = secrets.column_keys.iter().enumerate().filter(|(_, key)| !key.material.expose().is_empty());
    for (at, key) in given {
        match key_of(key.material.expose()) {
            Ok(secret) => {
                let mut check = [0; 32];
                check.copy_from_slice(digest(&SHA256, &secret).as_ref());
                // RFC 5869: extract once, expand per cell.
                let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"wxgate/column").extract(&secret);
                keys.push(ColumnKey { id: key.id.clone(), secret, check });
            }
            Err(text) => problems.push(Problem::new(format!("secrets.column_keys[{at}].key"), text)),
        }
    }
    (keys, problems)
}

/// The AES key of one cell (RFC 5869 expand). Random 96-bit nonces are good for 2³² messages a key (NIST SP 800-38D
/// §8.3), which a busy gateway would use up in weeks; with a key a cell the bound is a cell's, and never reached.
fn cell_key(key: &ColumnKey, name: &[u8]) -> Result<LessSafeKey, aws_lc_rs::error::Unspecified> {
    let info = [name];
    let material = key.secret.expand(&info, &AES_256_GCM)?;
    Ok(LessSafeKey::new(UnboundKey::from(material)))
}

/// 32 bytes in base64.
fn key_of(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let wanted = "must be 32 random bytes in base64: `openssl rand -base64 32`";
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| wanted.to_owned())?);
    if bytes.len() != 32 {
        return Err(format!("holds {} bytes; {wanted}", bytes.len()));
    }
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err(format!("is one byte repeated; {wanted}"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
