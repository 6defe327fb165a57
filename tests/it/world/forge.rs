//! Signs what a test wants signed, true or false, with the gateway's own key or a stranger's.

#![expect(clippy::disallowed_methods, reason = "the library signs with its own randomness")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Without padding, as a JWS has it.
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The first two parts.
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()))
}

/// One of the first two parts of a token, read.
pub(crate) fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

/// A P-256 key.
pub(crate) struct Ec(EcdsaKeyPair);

impl Ec {
    pub(crate) fn new(pem: &str) -> Self {
        let der = pem::parse(pem).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.contents()).unwrap())
    }

    /// r and s, in the form that the gateway takes.
    pub(crate) fn signature(&self, message: &str) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        let mut signature = signature.as_ref().to_vec();
        verify::low_s::lower(&mut signature);
        signature
    }

    /// The message with its signature.
    pub(crate) fn signed(&self, message: &str) -> String {
        format!("{message}.{}", base64url(self.signature(message)))
    }

    /// A token that says this.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        self.signed(&message(header, claims))
    }

    /// Whether a token carries a signature of this key.
    pub(crate) fn signed_it(&self, token: &str) -> bool {
        let Some((message, signature)) = token.rsplit_once('.') else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.public()).unwrap();
        public.verify_sig(message.as_bytes(), &signature).is_ok()
    }

    /// The point, 65 bytes: 4, x, y.
    pub(crate) fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }
}

/// An RSA key.
pub(crate) struct Rsa(RsaKeyPair);

impl Rsa {
    pub(crate) fn new(pem: &str) -> Self {
        Self(RsaKeyPair::from_pkcs8(pem::parse(pem).unwrap().contents()).unwrap())
    }

    /// The message with its signature by PKCS#1 v1.5.
    pub(crate) fn signed(&self, message: &str) -> String {
        self.signed_as(&RSA_PKCS1_SHA256, message)
    }

    /// The message with its signature by PSS.
    pub(crate) fn signed_pss(&self, message: &str) -> String {
        self.signed_as(&RSA_PSS_SHA256, message)
    }

    fn signed_as(&self, encoding: &'static dyn RsaEncoding, message: &str) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", base64url(signature))
    }
}
