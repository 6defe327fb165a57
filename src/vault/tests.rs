use base64::Engine as _;
use proptest::prelude::*;

use super::*;

const ROW: Cell<'_> = Cell { table: "identities", column: "session_key", row: &["wx1", "alice"] };

fn vault(ids: &[&str]) -> Vault {
    let keys = ids
        .iter()
        .map(|id| {
            // A key that follows from its id, so that two vaults can share one.
            let material: Vec<u8> = (0..32).map(|i| i ^ id.as_bytes()[1]).collect();
            ColumnKey {
                id: (*id).to_owned(),
                secret: hkdf::Salt::new(hkdf::HKDF_SHA256, b"wxgate/column").extract(&material),
                check: [id.as_bytes()[1]; 32],
            }
        })
        .collect();
    Vault { keys: ArcSwap::from_pointee(keys), index: hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]) }
}

#[test]
fn what_was_sealed_opens_in_its_cell_and_in_no_other() {
    let vault = vault(&["k1"]);
    let sealed = vault.seal(&ROW, b"tiihtNczf5v6AKRyjwEUhQ==").unwrap();
    assert_eq!(&**vault.open(&ROW, &sealed).unwrap(), b"tiihtNczf5v6AKRyjwEUhQ==");
    for elsewhere in [
        Cell { row: &["wx1", "bob"], ..ROW },
        Cell { row: &["wx2", "alice"], ..ROW },
        Cell { row: &["wx1alice", ""], ..ROW },
        Cell { row: &["wx1", "alice", ""], ..ROW },
        Cell { column: "previous_session_key", ..ROW },
        Cell { table: "users", ..ROW },
    ] {
        assert_eq!(vault.open(&elsewhere, &sealed), Err(OpenError::Unauthentic));
    }
}

#[test]
fn the_first_key_seals_all_open_and_a_missing_one_is_named() {
    let sealed = vault(&["k1"]).seal(&ROW, b"x").unwrap();
    let rotated = vault(&["k2", "k1"]);
    assert_eq!(&**rotated.open(&ROW, &sealed).unwrap(), b"x");
    let resealed = rotated.seal(&ROW, b"x").unwrap();
    assert_eq!(&resealed.as_bytes()[..4], b"\x01\x02k2");
    assert_eq!(vault(&["k1"]).open(&ROW, &resealed), Err(OpenError::UnknownKey("k2".into())));
}

#[test]
fn the_same_value_seals_differently_and_marks_alike() {
    let vault = vault(&["k1"]);
    assert_ne!(vault.seal(&ROW, b"x").unwrap(), vault.seal(&ROW, b"x").unwrap());
    assert_eq!(vault.mark(&ROW, b"x"), vault.mark(&ROW, b"x"));
    assert_ne!(vault.mark(&ROW, b"x"), vault.mark(&Cell { row: &["wx1", "bob"], ..ROW }, b"x"));
}

#[test]
fn a_key_of_another_length_or_no_base64_or_one_byte_repeated_is_refused_with_the_command_that_makes_one() {
    for bad in ["", "short", &"A".repeat(44), &base64::engine::general_purpose::STANDARD.encode([1; 31])] {
        let text = key_of(bad).unwrap_err();
        assert!(text.contains("openssl rand -base64 32"), "{bad:?}: {text}");
    }
}

proptest! {
    #[test]
    fn every_truncation_and_every_flipped_bit_is_a_clean_error(
        plain in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let vault = vault(&["k1", "k9"]);
        let whole = vault.seal(&ROW, &plain).unwrap();
        let bytes = whole.as_bytes();
        for length in 0..bytes.len() {
            prop_assert!(vault.open(&ROW, &Sealed::from_stored(bytes[..length].to_vec())).is_err());
        }
        let mut flipped = bytes.to_vec();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        prop_assert!(vault.open(&ROW, &Sealed::from_stored(flipped)).is_err());
        prop_assert_eq!(&**vault.open(&ROW, &whole).unwrap(), &plain);
    }

    #[test]
    fn any_bytes_at_all_are_a_clean_error(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(vault(&["k1"]).open(&ROW, &Sealed::from_stored(bytes)).is_err());
    }
}
