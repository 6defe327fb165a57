//! Encrypted PKCS#8 (RFC 5958 §3): PBES2 with PBKDF2 and AES-CBC, which is what openssl writes (RFC 8018 §6.2).
//!
//! The structure is read by the `pkcs8` crate; deriving and decrypting is aws-lc's, because the crate's own would bring a
//! second implementation of AES.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Decode as _;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{EncryptionScheme as Cipher, Kdf, Pbkdf2Prf};
use zeroize::Zeroizing;

/// What is read, and how to come by it.
const WANTED: &str =
    "wanted is PBES2 with PBKDF2 and AES-CBC: `openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW`";

/// Far more than anybody uses, and still seconds: a mistyped file doesn't keep the gateway from starting for hours.
const MOST_ROUNDS: u32 = 10_000_000;

/// The PKCS#8 inside.
pub(super) fn open(der: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| unreadable())?;
    let EncryptionScheme::Pbes2(scheme) = &info.encryption_algorithm else { return Err(unreadable()) };
    let Kdf::Pbkdf2(derivation) = &scheme.kdf else { return Err(unreadable()) };
    let prf = match derivation.prf {
        Pbkdf2Prf::HmacWithSha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Pbkdf2Prf::HmacWithSha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Pbkdf2Prf::HmacWithSha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Pbkdf2Prf::HmacWithSha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err(unreadable()),
    };
    let (cipher, length, iv): (&'static Algorithm, _, _) = match scheme.encryption {
        Cipher::Aes128Cbc { iv } => (&AES_128, 16, iv),
        Cipher::Aes192Cbc { iv } => (&AES_192, 24, iv),
        Cipher::Aes256Cbc { iv } => (&AES_256, 32, iv),
        _ => return Err(unreadable()),
    };
    if derivation.key_length.is_some_and(|said| usize::from(said) != length) {
        return Err(unreadable());
    }
    let rounds = NonZeroU32::new(derivation.iteration_count).ok_or_else(unreadable)?;
    if rounds.get() > MOST_ROUNDS {
        return Err(format!("its passphrase takes {rounds} rounds, more than {MOST_ROUNDS}; {WANTED}"));
    }
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(prf, rounds, derivation.salt.as_bytes(), passphrase.as_bytes(), &mut key);

    let mut content = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
    let plain = UnboundCipherKey::new(cipher, &key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|key| {
            key.decrypt(&mut content, DecryptionContext::Iv128(FixedLength::from(iv))).map(|p| p.len())
        })
        // CBC tells a wrong key by its padding, and once in 256 times not even by that: what comes out then is no key.
        .map_err(|_| "its passphrase doesn't open it".to_owned())?;
    content.truncate(plain);
    Ok(content)
}

fn unreadable() -> String {
    format!("is encrypted in a way that isn't read; {WANTED}")
}
