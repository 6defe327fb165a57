//! Writing key files: for the owner alone, and never over one that stands.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Failure;
use crate::clock::{self, Timestamp};
use crate::tls::Tls;
use crate::tokens;
use crate::vault::random;

/// A new signing key (P-256, PKCS#8 PEM).
pub(super) fn signing_key() -> Result<Zeroizing<String>, Failure> {
    tokens::generate_key()
        .ok_or_else(|| Failure::Other("no signing key can be made: the system's randomness failed".into()))
}

/// 32 random bytes in base64, for a column key or the index key.
pub(super) fn random_key() -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(random::bytes::<32>()) + "\n")
}

/// A folder that only its owner may enter; one that stands is left as it is.
pub(super) fn private_directory(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Failure::Other(format!("the folder {} can't be made: {error}", path.display())))
}

/// Those that others than the owner and its group may read, or others than the owner may change.
pub(super) fn loose(paths: &[PathBuf]) -> Vec<&Path> {
    let open = |path: &&PathBuf| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o027 != 0)
    };
    paths.iter().filter(open).map(PathBuf::as_path).collect()
}

/// Says in the log which of these secrets are [`loose`].
pub(super) fn warn_of_loose(paths: &[PathBuf]) {
    for path in loose(paths) {
        tracing::warn!(file = %path.display(), "others can read or change this secret: chmod 600");
    }
}

/// Says in the log that the gateway's certificate ends before whoever renews it should have done so.
pub(super) fn warn_of_end(tls: Option<&Tls>, now: Timestamp) {
    let ends = tls.and_then(Tls::ends);
    if let Some(ends) = ends.filter(|ends| *ends < clock::after(now, SOON)) {
        tracing::warn!(
            %ends,
            "the TLS certificate ends soon, or has ended: put a new one in http.tls_certificate_file; it is taken within seconds"
        );
    }
}

/// Three weeks: who renews a month before the end has failed for nine days.
const SOON: Duration = Duration::from_secs(21 * 86_400);

/// A new file that only its owner may read.
pub(super) fn private_file(path: &Path, content: &str) -> Result<(), Failure> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        Failure::Other(format!("{} can't be written: {error}", path.display()))
    })
}
