//! Stored password hashes: what kind one is, what checking it costs, and the check itself.
//!
//! Every cost is bounded before anything is computed, so that an imported hash can't be a bomb. Argon2, scrypt and PBKDF2
//! come as PHC strings, bcrypt in its own form.

use std::fmt;
use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

use crate::secret::{Password, PasswordHash};

/// As the column holds them.
const LONGEST: usize = 512;
const MIB: u64 = 1 << 20;
/// What checking a hash may take in memory.
const MOST_MEMORY: u64 = 128 * MIB;
/// What it may take in memory, passes and lanes together: a second or two of work.
const MOST_WORK: u64 = 1024 * MIB;

/// Why a hash can't be used. Says nothing of the hash itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Of no kind that is known here, or broken.
    Unknown,
    /// Would take more memory or time than is allowed.
    TooCostly,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => {
                "is no argon2, scrypt or pbkdf2-sha256/-sha512 hash in PHC form, nor a bcrypt hash ($2a$, $2b$, $2y$)"
            }
            Self::TooCostly => {
                "costs more than is allowed here: 128 MiB of memory, bcrypt cost 14, 2000000 rounds of PBKDF2"
            }
        })
    }
}

impl std::error::Error for Unusable {}

/// Whether a hash can be used here.
///
/// # Errors
/// What is wrong with it.
pub fn accepted(hash: &PasswordHash) -> Result<(), Unusable> {
    StoredHash::read(hash).map(|_| ())
}

/// A hash, read and bounded.
pub(super) enum StoredHash {
    Argon2 { algorithm: Algorithm, version: Version, params: Params, salt: phc::Salt, hash: phc::Output },
    Bcrypt(PasswordHash),
    Scrypt { params: scrypt::Params, memory: u64, salt: phc::Salt, hash: phc::Output },
    Pbkdf2 { algorithm: pbkdf2::Algorithm, rounds: NonZeroU32, salt: phc::Salt, hash: phc::Output },
}

impl StoredHash {
    pub(super) fn read(hash: &PasswordHash) -> Result<Self, Unusable> {
        let text = hash.expose();
        if text.len() > LONGEST {
            return Err(Unusable::Unknown);
        }
        if let Some(rest) = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| text.strip_prefix(prefix)) {
            return bcrypt(hash, rest);
        }
        let phc = phc::PasswordHash::new(text).map_err(|_| Unusable::Unknown)?;
        match phc.algorithm.as_str() {
            "argon2id" => argon2(Algorithm::Argon2id, phc),
            "argon2i" => argon2(Algorithm::Argon2i, phc),
            "argon2d" => argon2(Algorithm::Argon2d, phc),
            "scrypt" => scrypt(phc),
            "pbkdf2-sha256" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, phc),
            "pbkdf2-sha512" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, phc),
            _ => Err(Unusable::Unknown),
        }
    }

    /// What the check takes, in bytes.
    pub(super) fn memory(&self) -> u64 {
        match self {
            Self::Argon2 { params, .. } => params.block_count() as u64 * Block::SIZE as u64,
            Self::Scrypt { memory, .. } => *memory,
            Self::Bcrypt(_) | Self::Pbkdf2 { .. } => 0,
        }
    }

    /// Whether this is what a hash made today looks like.
    pub(super) fn is_current(&self, today: &Params) -> bool {
        match self {
            Self::Argon2 {
                algorithm: Algorithm::Argon2id, version: Version::V0x13, params, hash, ..
            } => {
                let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
                costs(params) == costs(today) && hash.len() == super::password::OUTPUT
            }
            _ => false,
        }
    }

    /// Whether `password` is the one. `blocks` is argon2's memory, used if it is large enough. Errors say that the library
    /// refused what [`Self::read`] took.
    pub(super) fn matches(&self, password: &Password, blocks: &mut [Block]) -> Result<bool, Unusable> {
        let password = password.expose().as_bytes();
        let (expected, mut found) = match self {
            Self::Bcrypt(hash) => {
                // As every bcrypt does: 72 bytes of a password count.
                return bcrypt::verify(password, hash.expose()).map_err(|_| Unusable::Unknown);
            }
            Self::Argon2 { hash, .. } | Self::Scrypt { hash, .. } | Self::Pbkdf2 { hash, .. } => {
                (hash.as_bytes(), Zeroizing::new(vec![0; hash.len()]))
            }
        };
        match self {
            Self::Bcrypt(_) => {}
            Self::Argon2 { algorithm, version, params, salt, .. } => {
                derive(*algorithm, *version, params, password, salt.as_ref(), &mut found, blocks)?;
            }
            Self::Scrypt { params, salt, .. } => {
                scrypt::scrypt(password, salt.as_ref(), params, &mut found).map_err(|_| Unusable::Unknown)?;
            }
            Self::Pbkdf2 { algorithm, rounds, salt, .. } => {
                pbkdf2::derive(*algorithm, *rounds, salt.as_ref(), password, &mut found);
            }
        }
        Ok(aws_lc_rs::constant_time::verify_slices_are_equal(expected, &found).is_ok())
    }
}

/// Argon2 (RFC 9106) in `blocks`, or, if they are too few, in blocks of its own.
pub(super) fn derive(
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
    blocks: &mut [Block],
) -> Result<(), Unusable> {
    let argon2 = Argon2::new(algorithm, version, params.clone());
    let derived = match blocks.get_mut(..params.block_count()) {
        Some(blocks) => argon2.hash_password_into_with_memory(password, salt, out, blocks),
        None => {
            let mut own = vec![Block::default(); params.block_count()];
            argon2.hash_password_into_with_memory(password, salt, out, &mut own)
        }
    };
    derived.map_err(|_| Unusable::Unknown)
}

fn bounded(memory: u64, work: u64) -> Result<(), Unusable> {
    if memory > MOST_MEMORY || work > MOST_WORK { Err(Unusable::TooCostly) } else { Ok(()) }
}

fn parts(phc: &phc::PasswordHash) -> Result<(phc::Salt, phc::Output), Unusable> {
    phc.salt.zip(phc.hash).ok_or(Unusable::Unknown)
}

/// The parameter of this name; nothing else may stand beside those that are `known`.
fn costs<const N: usize>(phc: &phc::PasswordHash, known: [&str; N]) -> Result<[Option<u32>; N], Unusable> {
    if phc.params.iter().any(|(name, _)| !known.contains(&name.as_str())) {
        return Err(Unusable::Unknown);
    }
    Ok(known.map(|name| phc.params.get_decimal(name)))
}

fn argon2(algorithm: Algorithm, phc: phc::PasswordHash) -> Result<StoredHash, Unusable> {
    let (salt, hash) = parts(&phc)?;
    let [Some(memory), Some(passes), Some(lanes)] = costs(&phc, ["m", "t", "p"])? else {
        return Err(Unusable::Unknown);
    };
    let bytes = u64::from(memory) * 1024;
    bounded(bytes, bytes.saturating_mul(passes.into()))?;
    if lanes > 16 {
        return Err(Unusable::TooCostly);
    }
    // Without a version it is the first one (RFC 9106 came with 0x13).
    let version = Version::try_from(phc.version.unwrap_or(0x10)).map_err(|_| Unusable::Unknown)?;
    let params = Params::new(memory, passes, lanes, Some(hash.len())).map_err(|_| Unusable::Unknown)?;
    Ok(StoredHash::Argon2 { algorithm, version, params, salt, hash })
}

fn scrypt(phc: phc::PasswordHash) -> Result<StoredHash, Unusable> {
    let (salt, hash) = parts(&phc)?;
    let [Some(log_n), Some(r), Some(p)] = costs(&phc, ["ln", "r", "p"])? else {
        return Err(Unusable::Unknown);
    };
    let n = 1_u64.checked_shl(log_n).filter(|_| log_n < 40).ok_or(Unusable::TooCostly)?;
    let row = 128 * u64::from(r);
    let memory = n.saturating_mul(row).saturating_add(row.saturating_mul(p.into()));
    bounded(memory, n.saturating_mul(row).saturating_mul(p.into()))?;
    let log_n = u8::try_from(log_n).map_err(|_| Unusable::TooCostly)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| Unusable::Unknown)?;
    Ok(StoredHash::Scrypt { params, memory, salt, hash })
}

fn pbkdf2(algorithm: pbkdf2::Algorithm, phc: phc::PasswordHash) -> Result<StoredHash, Unusable> {
    let (salt, hash) = parts(&phc)?;
    let [Some(rounds), length] = costs(&phc, ["i", "l"])? else { return Err(Unusable::Unknown) };
    if rounds > 2_000_000 {
        return Err(Unusable::TooCostly);
    }
    if length.is_some_and(|length| length as usize != hash.len()) {
        return Err(Unusable::Unknown);
    }
    let rounds = NonZeroU32::new(rounds).ok_or(Unusable::Unknown)?;
    Ok(StoredHash::Pbkdf2 { algorithm, rounds, salt, hash })
}

/// Two digits of cost, $, 22 characters of salt and 31 of hash.
fn bcrypt(hash: &PasswordHash, rest: &str) -> Result<StoredHash, Unusable> {
    let (cost, body) = rest.split_once('$').ok_or(Unusable::Unknown)?;
    let digits = cost.len() == 2 && cost.bytes().all(|b| b.is_ascii_digit());
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
    // The library is strict about the last bits of salt and hash; what it would refuse at a login is refused here.
    let whole = hash.expose().parse::<bcrypt::HashParts>().is_ok();
    if !digits || body.len() != 53 || !body.bytes().all(plain) || !whole {
        return Err(Unusable::Unknown);
    }
    match cost.parse() {
        Ok(4..=14) => Ok(StoredHash::Bcrypt(hash.clone())),
        Ok(15_u32..) => Err(Unusable::TooCostly),
        _ => Err(Unusable::Unknown),
    }
}
