//! The envelope of a sealed column:
//!
//! ```text
//! 1 byte   version, 0x01
//! 1 byte   length of the key id, 1 to 32
//! n bytes  key id, ASCII
//! 12 bytes nonce, random
//! rest     AES-256-GCM ciphertext and its 16-byte tag
//! ```
//!
//! The AES key is HKDF-SHA256 of the column key for this cell, and the AAD is the cell's name (table, column, row):
//! see `vault`. Lengths are checked before anything is cut.

use std::fmt;

const VERSION: u8 = 1;
/// Of the nonce.
pub(super) const NONCE: usize = 12;
const TAG: usize = 16;
const LONGEST_ID: usize = 32;

/// A sealed value: what a sealed column may hold. Only the vault makes one from plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// As it came from the database.
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The id of the key that it says it was sealed with.
    pub fn key_id(&self) -> Result<&str, Malformed> {
        read(self).map(|envelope| envelope.key_id)
    }

    /// As it goes to the database.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Which rule of the envelope is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than the shortest envelope, or than its own key id says.
    TooShort,
    /// A version this program doesn't know: written by a newer one, or not an envelope at all.
    Version,
    /// A key id of no length, too long, or not in the alphabet.
    KeyId,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "too short",
            Self::Version => "unknown version",
            Self::KeyId => "bad key id",
        })
    }
}

/// An envelope's parts.
pub(super) struct Envelope<'e> {
    pub(super) key_id: &'e str,
    pub(super) nonce: [u8; NONCE],
    pub(super) body: &'e [u8],
}

pub(super) fn write(key_id: &str, nonce: &[u8; NONCE], body: &[u8]) -> Sealed {
    debug_assert!((1..=LONGEST_ID).contains(&key_id.len()), "the configuration checks ids");
    let mut bytes = Vec::with_capacity(2 + key_id.len() + NONCE + body.len());
    // The configuration holds ids to 32 bytes.
    bytes.extend_from_slice(&[VERSION, key_id.len() as u8]);
    bytes.extend_from_slice(key_id.as_bytes());
    bytes.extend_from_slice(nonce);
    bytes.extend_from_slice(body);
    Sealed(bytes)
}

pub(super) fn read(sealed: &Sealed) -> Result<Envelope<'_>, Malformed> {
    let (&version, rest) = sealed.0.split_first().ok_or(Malformed::TooShort)?;
    if version != VERSION {
        return Err(Malformed::Version);
    }
    let (&length, rest) = rest.split_first().ok_or(Malformed::TooShort)?;
    let length = usize::from(length);
    if !(1..=LONGEST_ID).contains(&length) {
        return Err(Malformed::KeyId);
    }
    let (key_id, rest) = rest.split_at_checked(length).ok_or(Malformed::TooShort)?;
    let key_id = std::str::from_utf8(key_id).map_err(|_| Malformed::KeyId)?;
    if !key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(Malformed::KeyId);
    }
    let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or(Malformed::TooShort)?;
    if body.len() < TAG {
        return Err(Malformed::TooShort);
    }
    Ok(Envelope { key_id, nonce: *nonce, body })
}
