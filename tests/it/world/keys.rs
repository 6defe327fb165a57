//! Keys for a test: made at once, thrown away with it.

#![expect(clippy::disallowed_methods, reason = "the library makes keys with its own randomness")]

use std::path::Path;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;

/// `first.pem`, `column.key`, `index.key`
pub(crate) fn write(folder: &Path) {
    std::fs::write(folder.join("first.pem"), p256()).unwrap();
    for name in ["column.key", "index.key"] {
        std::fs::write(folder.join(name), random_base64()).unwrap();
    }
}

pub(crate) fn random_base64() -> String {
    base64::engine::general_purpose::STANDARD.encode(wxgate::vault::random::bytes::<32>())
}

pub(crate) fn p256() -> String {
    let rng = aws_lc_rs::rand::SystemRandom::new();
    pem(EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap().as_ref())
}

pub(crate) fn ed25519() -> String {
    pem(Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap().as_ref())
}

pub(crate) fn rsa() -> String {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
    pem(der.as_ref())
}

fn pem(der: &[u8]) -> String {
    pem::encode(&pem::Pem::new("PRIVATE KEY", der))
}
