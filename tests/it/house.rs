//! The house's rules (docs/architecture.md): imports run downwards, and each outside crate is named in its room only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every Rust file below a folder, with its text.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push((entry.clone(), std::fs::read_to_string(entry).unwrap()));
            }
        }
    }
    found
}

/// The room a file of src/ belongs to.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The names that follow `prefix` in code, comments left out.
fn named<'t>(text: &'t str, prefix: &str) -> BTreeSet<&'t str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let words = code.flat_map(|line| line.match_indices(prefix).map(|(at, _)| &line[at + prefix.len()..]));
    // `use crate::{a, b}` names each of them.
    let words = words.flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split([',', '}']).map(str::trim).collect::<Vec<_>>(),
        None => vec![rest],
    });
    let first = |rest: &'t str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
    words.map(first).filter(|word| !word.is_empty() && *word != "self").collect()
}

#[test]
fn imports_run_downwards_only() {
    const GROUND: &[&str] = &["clock", "document", "error", "config", "secret", "telemetry"];
    const MIDDLE: &[&str] = &["wechat", "tokens", "vault", "store", "throttle", "tls"];
    let all = [GROUND, MIDDLE, &["flows", "app"]].concat();
    for (path, text) in files("src") {
        let room = room(&path);
        let allowed: Vec<&str> = match room.as_str() {
            "main" | "lib" => continue,
            "clock" | "document" | "error" | "secret" => vec![],
            "config" => vec!["clock", "secret"],
            "telemetry" => vec!["clock", "config"],
            "store" => [GROUND, &["vault"]].concat(),
            room if MIDDLE.contains(&room) => GROUND.to_vec(),
            "flows" => [GROUND, MIDDLE].concat(),
            "app" => [GROUND, MIDDLE, &["flows"]].concat(),
            "http" => all.clone(),
            // Re-exports what the fuzz targets run, which stands in the rooms; no other room may name it.
            "fuzzing" | "cli" => [all.as_slice(), &["http"]].concat(),
            other => panic!("a room nobody has planned: {other}"),
        };
        for used in named(&text, "crate::") {
            assert!(used == room || allowed.contains(&used), "{} names crate::{used}", path.display());
        }
    }
}

#[test]
fn each_outside_crate_is_named_in_its_room_only() {
    for (path, text) in files("src") {
        let (room, path) = (room(&path), path.display().to_string());
        let simulator = path.contains("wechat/simulator");
        for (outside, fits) in [
            ("axum::", room == "http" || simulator),
            ("hyper::", simulator || path.ends_with("http/connection.rs")),
            ("tokio_rustls::", room == "tls"),
            ("x509_cert::", room == "tls"),
            ("opentelemetry", path.ends_with("telemetry/exporter.rs")),
            ("metrics::", room == "telemetry"),
            ("sd_notify::", path.ends_with("cli/serve.rs")),
            ("reqwest::", path.ends_with("wechat/client.rs")),
            (
                "moka::",
                ["wechat/codes.rs", "flows/authz.rs", "tokens/verified.rs"]
                    .iter()
                    .any(|file| path.ends_with(file)),
            ),
            ("entity::", room == "store"),
            ("migration::", path.ends_with("cli/migrate.rs")),
            ("sea_orm::", room == "store" || path.ends_with("cli/migrate.rs")),
            ("jsonwebtoken::", room == "tokens"),
            ("clap::", room == "cli"),
            ("clap_complete::", path.ends_with("cli/manual.rs")),
            ("clap_mangen::", path.ends_with("cli/manual.rs")),
            ("icu_casemap::", path.ends_with("flows/username.rs")),
            ("icu_normalizer::", path.ends_with("flows/username.rs")),
            ("argon2::", room == "vault"),
            ("bcrypt::", room == "vault"),
            ("scrypt::", room == "vault"),
            (
                "rustix::",
                room == "vault"
                    || ["cli/descriptors.rs", "http/connection.rs"].iter().any(|file| path.ends_with(file)),
            ),
        ] {
            let named = text.lines().any(|line| {
                let code = line.trim_start();
                !code.starts_with("//")
                    && code
                        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                        .any(|word| word.starts_with(outside))
            });
            assert!(fits || !named, "{path} names {outside}");
        }
    }
}

#[test]
fn verify_and_entity_import_nothing_of_ours() {
    for (path, text) in files("verify/src").into_iter().chain(files("entity/src")) {
        for ours in ["wxgate::", "migration::", "store::"] {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            assert!(!code.clone().any(|line| line.contains(ours)), "{} names {ours}", path.display());
        }
    }
}

#[test]
fn every_module_opens_with_what_it_owns() {
    for (path, text) in ["src", "verify/src", "entity/src", "migration/src"].into_iter().flat_map(files) {
        if path.file_name().unwrap() != "tests.rs" {
            assert!(text.starts_with("//! "), "{} does not open with //!", path.display());
        }
    }
}

#[test]
fn no_second_crypto_stack_is_built() {
    // What is built, rather than what Cargo.lock could turn on.
    let arguments = ["tree", "--workspace", "--locked", "--offline", "--prefix", "none", "--format", "{p}"];
    let tree = std::process::Command::new(env!("CARGO")).args(arguments).output().unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("aws-lc-rs v"), "{tree}");
    for forbidden in ["ring", "openssl", "openssl-sys", "native-tls", "rsa"] {
        assert!(!tree.lines().any(|line| line.split(' ').next() == Some(forbidden)), "{forbidden} is built");
    }
}
