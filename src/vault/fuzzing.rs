//! The fuzz target `envelope`: any bytes in a sealed column, and sealed ones that were altered.

#![expect(clippy::expect_used, reason = "a target that can't begin has nothing to find")]

use std::sync::LazyLock;

use super::*;

const HERE: Cell<'_> = Cell { table: "identities", column: "session_key", row: &["wx1", "alice"] };
const THERE: Cell<'_> = Cell { row: &["wx1", "bob"], ..HERE };

static VAULT: LazyLock<Vault> = LazyLock::new(vault);

/// Has sealed nothing. A fuzzer sees what is compared, what [`VAULT`] has sealed among it, and puts that into a column by itself.
static STRANGER: LazyLock<Vault> = LazyLock::new(vault);

/// With keys of this run's own, so that nothing in a corpus was sealed by them.
fn vault() -> Vault {
    let key = |id: &str| {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"wxgate/column").extract(&random::bytes::<32>());
        ColumnKey { id: id.to_owned(), secret, check: random::bytes() }
    };
    Vault {
        keys: ArcSwap::from_pointee(vec![key("k1"), key("column-2026_11")]),
        index: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()),
    }
}

/// Bytes as they might stand in a column; and four that say what is done to the rest of them once it is sealed: where a byte is
/// altered and how (2, 1), and how much is cut off (1).
pub fn envelope(data: &[u8]) {
    let stored = Sealed::from_stored(data.to_vec());
    assert!(STRANGER.open(&HERE, &stored).is_err(), "what nobody sealed opens");
    if let Ok(id) = stored.key_id() {
        assert!(crate::config::check::is_name(id), "a key id that no configuration can have");
    }

    let Some((&[high, low, flip, cut], plain)) = data.split_first_chunk::<4>() else { return };
    let whole = VAULT.seal(&HERE, plain).expect("it seals");
    assert_eq!(&**VAULT.open(&HERE, &whole).expect("what was sealed opens"), plain);
    assert!(VAULT.open(&THERE, &whole).is_err(), "it opens in another row");
    let mut bytes = whole.as_bytes().to_vec();
    let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
    bytes[at] ^= flip;
    bytes.truncate(bytes.len() - usize::from(cut) % bytes.len());
    let altered = Sealed::from_stored(bytes);
    assert!(altered == whole || VAULT.open(&HERE, &altered).is_err(), "altered, it opens");
}
