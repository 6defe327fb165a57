//! One signing key: read from PEM, tested, and parsed once.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use zeroize::Zeroizing;

use super::encrypted;
use crate::secret::ConfigSecret;

const WANTED: &str = "wanted is a private key in PKCS#8 PEM, P-256, Ed25519 or RSA of 2048 bits or more";

/// A key that can sign, with its public half as siblings see it.
pub(super) struct SigningKey {
    pair: Pair,
    algorithm: Algorithm,
    kid: String,
    jwk: Jwk,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// Reads, derives the public half, and proves on a trial message that the halves belong together. `passphrase` opens an
    /// encrypted one, and is empty for any other.
    pub(super) fn from_pem(pem: &ConfigSecret, passphrase: &ConfigSecret) -> Result<Self, String> {
        let block = pem::parse(pem.expose()).map_err(|_| format!("is no PEM that can be read; {WANTED}"))?;
        let tag = block.tag().to_owned();
        let content = Zeroizing::new(block.into_contents());
        let der = match (tag.as_str(), passphrase.expose()) {
            ("PRIVATE KEY", "") => content,
            ("PRIVATE KEY", _) => {
                return Err("is not encrypted, so it needs no passphrase: encrypt it \
                            (`openssl pkcs8 -topk8 -in FILE -out NEW`) or take the passphrase off these lines"
                    .to_owned());
            }
            ("ENCRYPTED PRIVATE KEY", phrase) if !phrase.is_empty() => encrypted::open(&content, phrase)?,
            (other, _) => return Err(complaint(other)),
        };
        let (pair, algorithm, public) = read(&der)?;
        let mut jwk = Jwk::from_decoding_key(&public, Some(algorithm)).map_err(|_| WANTED.to_owned())?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| WANTED.to_owned())?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let key = Self { pair, algorithm, kid, jwk };
        key.self_test()?;
        Ok(key)
    }

    /// RFC 7638's SHA-256 thumbprint of the public half.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, with `alg`, `use` and `kid`.
    pub(super) fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The header's `alg`.
    pub(super) fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// The signature over `message` in JWS form. Not through jsonwebtoken: it parses the private key again at every
    /// signature, which costs more than the signature does.
    #[expect(clippy::disallowed_methods, reason = "ECDSA's and RSA's API wants the library's own")]
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&rng, message).ok().map(|signature| {
                let mut signature = signature.as_ref().to_vec();
                verify::low_s::lower(&mut signature);
                signature
            }),
            Pair::Ed(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature).ok().map(|()| signature)
            }
        }
    }

    fn self_test(&self) -> Result<(), String> {
        const TRIAL: &[u8] = b"wxgate";
        let signature = self.sign(TRIAL).ok_or("it can't sign")?;
        let public = DecodingKey::from_jwk(&self.jwk).map_err(|_| "its public half can't be read")?;
        match jsonwebtoken::crypto::verify(&URL_SAFE_NO_PAD.encode(signature), TRIAL, &public, self.algorithm)
        {
            Ok(true) => Ok(()),
            _ => Err("its public half doesn't verify what it signs".to_owned()),
        }
    }
}

/// The key pair, its algorithm, and its public half.
fn read(der: &[u8]) -> Result<(Pair, Algorithm, DecodingKey), String> {
    if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
        let public = DecodingKey::from_ec_der(pair.public_key().as_ref());
        return Ok((Pair::Ec(pair), Algorithm::ES256, public));
    }
    // openssl writes Ed25519 keys without the public half, which the checking reader wants.
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
        let public = DecodingKey::from_ed_der(pair.public_key().as_ref());
        return Ok((Pair::Ed(pair), Algorithm::EdDSA, public));
    }
    if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
        let public = DecodingKey::from_rsa_der(pair.public_key().as_ref());
        return Ok((Pair::Rsa(Box::new(pair)), Algorithm::RS256, public));
    }
    Err(format!("this key is of a kind or size that isn't supported; {WANTED}"))
}

/// What the PEM is instead, and how to make it right.
fn complaint(tag: &str) -> String {
    match tag {
        "ENCRYPTED PRIVATE KEY" => "is encrypted: give its passphrase_file beside it".into(),
        "EC PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PARAMETERS" => {
            "is in the old form; `openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW` makes PKCS#8 of it".into()
        }
        "PUBLIC KEY" => format!("is a public key; {WANTED}"),
        "CERTIFICATE" => format!("is a certificate; {WANTED}"),
        _ => format!("is no private key; {WANTED}"),
    }
}

/// A new P-256 key as PKCS#8 PEM.
#[expect(clippy::disallowed_methods, reason = "the library's API wants its own")]
pub(crate) fn generate() -> Option<Zeroizing<String>> {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
    Some(Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref()))))
}
