//! The fuzz target `config`: any text as a configuration.

#![expect(clippy::expect_used, reason = "what is asserted of what was read")]

use std::path::{Component, Path};

use super::layers::merge;
use super::reading::read;
use super::{Config, Layers, inspect};

/// A folder that isn't there.
const NOWHERE: &str = "/nonexistent/wxgate";

/// A wxgate.toml. One that names files anywhere else is read no further than its shape.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let layers = Layers { preset: Some(text.to_owned()), directory: NOWHERE.into(), ..Layers::default() };
    let Ok(tree) = merge(&layers) else { return };
    let (config, problems) = read(tree);
    assert!(config.is_some() || !problems.is_empty(), "refused without a word");
    if config.is_none_or(|config| paths(&config).any(leaves)) {
        return;
    }
    let (config, problems) = inspect(&layers);
    for problem in &problems {
        assert!(!problem.key.is_empty() && !problem.text.is_empty(), "{problem:?}");
    }
    let config = config.expect("it was read before");
    assert!(config.differences(&config).is_empty());
    // What is shown can be read back.
    let shown = Layers { preset: Some(config.show()), ..layers };
    assert!(merge(&shown).is_ok(), "{}", config.show());
}

/// Every file that it names.
fn paths(config: &Config) -> impl Iterator<Item = &Path> {
    let Config { http, database, wechat, tokens, secrets, internal, .. } = config;
    let one = [
        database.url_file.as_deref(),
        secrets.index_key_file.as_deref(),
        http.tls_certificate_file.as_deref(),
        http.tls_key_file.as_deref(),
    ];
    let apps = wechat.apps.iter().map(|app| app.secret_file.as_deref());
    let keys = tokens.keys.iter().flat_map(|key| [Some(key.file.as_path()), key.passphrase_file.as_deref()]);
    let columns = secrets.column_keys.iter().map(|key| key.file.as_deref());
    let bearers = internal.credentials.iter().map(|credential| credential.token_file.as_deref());
    one.into_iter().chain(apps).chain(keys).chain(columns).chain(bearers).flatten()
}

fn leaves(path: &Path) -> bool {
    path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
}
