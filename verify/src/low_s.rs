//! One ES256 signature for one token: of the two forms that ECDSA lets pass, (r, s) and (r, n − s), only the one with the
//! smaller s counts.
//!
//! Anybody can turn one form into the other without the key, so a token would have two texts, and a list of texts that were
//! seen or ended could be walked around. The gateway signs in the smaller form; other verifiers take either. Whoever signs tokens for
//! tests with a library of their own gets either form, and brings it into this one by [`lower`].

/// The order n of the curve P-256 (SEC 2 §2.4.2), most significant byte first.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// n ÷ 2, rounded down.
const HALF: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde,
    0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// Whether this ES256 signature (r, then s, 32 bytes each: RFC 7518 §3.4) is in the form that counts.
pub fn is_low(signature: &[u8]) -> bool {
    signature.len() == 64 && signature[32..] <= HALF[..]
}

/// Brings an ES256 signature that holds into that form. Of any other length it is left as it is.
pub fn lower(signature: &mut [u8]) {
    if signature.len() != 64 || is_low(signature) {
        return;
    }
    // n − s by hand: one subtraction is no reason for a library of big numbers. A signature is public, so its time may be
    // seen.
    let mut borrow = false;
    for (digit, order) in signature[32..].iter_mut().zip(ORDER).rev() {
        let (difference, under) = order.overflowing_sub(*digit);
        let (difference, under_again) = difference.overflowing_sub(u8::from(borrow));
        *digit = difference;
        borrow = under || under_again;
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    };

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the library signs with its own randomness")]
    #[test]
    fn of_a_hundred_signatures_each_still_holds_when_lowered_and_about_half_were_changed() {
        let rng = SystemRandom::new();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref()).unwrap();
        let mut changed = 0;
        for message in 0_u8..100 {
            let mut signature = key.sign(&rng, &[message]).unwrap().as_ref().to_vec();
            changed += usize::from(!is_low(&signature));
            lower(&mut signature);
            assert!(is_low(&signature));
            public.verify_sig(&[message], &signature).unwrap();
        }
        assert!((10..90).contains(&changed), "{changed}");
    }

    #[test]
    fn the_half_of_the_order_is_the_last_low_one() {
        let with = |s: [u8; 32]| [[1; 32], s].concat();
        let mut above = HALF;
        above[31] += 1;
        assert!(is_low(&with(HALF)) && !is_low(&with(above)));
        let mut lowered = with(above);
        lower(&mut lowered);
        assert_eq!(lowered, with(HALF), "n is odd, so n − (half + 1) is the half");
        assert!(!is_low(&[0; 63]) && !is_low(&[0; 65]) && !is_low(&[]));
    }
}
