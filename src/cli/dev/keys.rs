//! `dev`'s keys, in `./keys`. Those that the playground adds say in their names from when on they sign, so that the next
//! `wxgate dev` has the same ring.

use std::path::Path;
use std::time::Duration;

use super::super::Failure;
use super::super::files::{private_directory, private_file, random_key, signing_key};
use crate::clock::{Timestamp, after};
use crate::tokens::SLACK;

const FIRST: &str = "dev-signing.pem";
const ADDED: &str = "dev-signing-from-";
/// At the end of the name of one that didn't wait for siblings' caches.
const AT_ONCE: &str = "-at-once";

/// Made once; the next `wxgate dev` finds them, and yesterday's tokens still count.
pub(super) fn make(folder: &Path) -> Result<(), Failure> {
    private_directory(folder)?;
    let missing = |name: &str| Some(folder.join(name)).filter(|path| !path.exists());
    if let Some(path) = missing(FIRST) {
        private_file(&path, &signing_key()?)?;
    }
    for name in ["dev-column.key", "dev-index.key"] {
        if let Some(path) = missing(name) {
            private_file(&path, &random_key())?;
        }
    }
    Ok(())
}

/// One more that signs: at once, or as soon as siblings can have seen it.
pub(super) fn add(folder: &Path, at_once: bool, now: Timestamp, cache: Duration) -> Result<(), Failure> {
    let lead = if at_once {
        Duration::ZERO
    } else {
        cache.saturating_add(SLACK).saturating_add(Duration::from_secs(5))
    };
    // Two in one second would be two keys for one instant.
    let begin = after(now, lead).as_second();
    let suffix = if at_once { AT_ONCE } else { "" };
    private_file(&folder.join(format!("{ADDED}{begin}{suffix}.pem")), &signing_key()?)
}

/// The lines of `tokens.keys`.
pub(super) fn listed(folder: &Path) -> Result<String, Failure> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Failure::Other(format!("the folder {} can't be read: {error}", folder.display())))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut added: Vec<(i64, bool, String)> = names.filter_map(read).collect();
    added.sort();
    let mut lines = format!("{{ file = \"keys/{FIRST}\" }}");
    for (second, at_once, name) in added {
        let Ok(begin) = Timestamp::from_second(second) else { continue };
        lines
            .push_str(&format!(", {{ file = \"keys/{name}\", sign_from = {begin}, emergency = {at_once} }}"));
    }
    Ok(lines)
}

fn read(name: String) -> Option<(i64, bool, String)> {
    let rest = name.strip_prefix(ADDED)?.strip_suffix(".pem")?;
    let (second, at_once) = match rest.strip_suffix(AT_ONCE) {
        Some(second) => (second, true),
        None => (rest, false),
    };
    Some((second.parse().ok()?, at_once, name))
}
