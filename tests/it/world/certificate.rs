//! Certificates for a gateway that speaks TLS itself.

use std::path::Path;
use std::process::Command;

/// A certificate of its own for this name, as `tls/fullchain.pem` and `tls/privkey.pem`.
pub(crate) fn certify(folder: &Path, name: &str) {
    std::fs::create_dir_all(folder.join("tls")).unwrap();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-keyout", "privkey.pem", "-out", "fullchain.pem"])
        .current_dir(folder.join("tls"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}
