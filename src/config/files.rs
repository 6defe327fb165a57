//! Secrets inline or in a file, and paths relative to the config file.

use std::path::{Path, PathBuf};

use super::{Config, Inline, Problem, TlsFiles, bounded};
use crate::secret::{AppSecret, ConfigSecret};

/// Reads every secret and key file; what can't be read becomes a problem.
pub(super) fn resolve(config: &mut Config, directory: &Path, problems: &mut Vec<Problem>) {
    let mut reader = Reader { directory, problems, files: Vec::new() };

    let database = &mut config.database;
    let inline = database.url.take();
    if let Some(url) = reader.secret("database.url", inline, "url_file", database.url_file.take()) {
        database.address = reader.database(&url);
    }
    for (index, app) in config.wechat.apps.iter_mut().enumerate() {
        let key = format!("wechat.apps[{index}].secret");
        if let Some(text) = reader.secret(&key, app.secret.take(), "secret_file", app.secret_file.take()) {
            app.app_secret = AppSecret::new(text.expose());
        }
    }
    for (index, key) in config.tokens.keys.iter_mut().enumerate() {
        if key.file.as_os_str().is_empty() {
            reader.problem::<()>(
                &format!("tokens.keys[{index}].file"),
                "is missing: a private key in PKCS#8 PEM",
            );
            continue;
        }
        key.file = directory.join(&key.file);
        if !key.revoked
            && let Some(pem) = reader.file(&format!("tokens.keys[{index}].file"), &key.file)
        {
            key.pem = pem;
        }
        let (inline, file) = (key.passphrase.take(), key.passphrase_file.take());
        if !key.revoked && (inline.is_some() || file.is_some()) {
            let name = format!("tokens.keys[{index}].passphrase");
            if let Some(phrase) = reader.secret(&name, inline, "passphrase_file", file) {
                key.phrase = phrase;
            }
        }
    }
    let secrets = &mut config.secrets;
    let index_key = reader.secret(
        "secrets.index_key",
        secrets.index_key.take(),
        "index_key_file",
        secrets.index_key_file.take(),
    );
    if let Some(text) = index_key {
        secrets.index = text;
    }
    for (index, key) in secrets.column_keys.iter_mut().enumerate() {
        let name = format!("secrets.column_keys[{index}].key");
        if let Some(text) = reader.secret(&name, key.key.take(), "file", key.file.take()) {
            key.material = text;
        }
    }
    for (index, credential) in config.internal.credentials.iter_mut().enumerate() {
        let name = format!("internal.credentials[{index}].token");
        let token = reader.secret(&name, credential.token.take(), "token_file", credential.token_file.take());
        if let Some(text) = token {
            credential.bearer = text;
        }
    }
    let http = &mut config.http;
    for path in [&mut http.tls_certificate_file, &mut http.tls_key_file].into_iter().flatten() {
        *path = directory.join(&*path);
    }
    if let (Some(certificate), Some(key)) = (&http.tls_certificate_file, &http.tls_key_file) {
        let files =
            (reader.file("http.tls_certificate_file", certificate), reader.file("http.tls_key_file", key));
        if let (Some(certificate), Some(key)) = files {
            http.tls = Some(TlsFiles { certificate, key });
        }
    }
    if let Some(path) = &mut config.log.audit_file {
        *path = directory.join(&*path);
    }
    config.files = reader.files;
}

struct Reader<'r> {
    directory: &'r Path,
    problems: &'r mut Vec<Problem>,
    files: Vec<PathBuf>,
}

impl Reader<'_> {
    /// The secret from where it was given; exactly one place.
    fn secret(
        &mut self,
        key: &str,
        inline: Option<Inline>,
        file_key: &str,
        file: Option<PathBuf>,
    ) -> Option<ConfigSecret> {
        match (inline, file) {
            (Some(Inline(text)), None) if !text.expose().is_empty() => Some(text),
            (Some(_), None) => self.problem(key, "is empty"),
            (None, Some(path)) => {
                let key = key
                    .rsplit_once('.')
                    .map_or(file_key.to_owned(), |(table, _)| format!("{table}.{file_key}"));
                let path = self.directory.join(path);
                self.file(&key, &path)
            }
            (Some(_), Some(_)) => {
                self.problem(key, &format!("is given twice: keep it or {file_key}, not both"))
            }
            (None, None) => {
                let made =
                    if key.starts_with("secrets.") { "; `wxgate init` makes a set of keys" } else { "" };
                self.problem(key, &format!("is missing: give it, or {file_key}{made}"))
            }
        }
    }

    fn file(&mut self, key: &str, path: &Path) -> Option<ConfigSecret> {
        self.files.push(path.to_owned());
        match bounded::read_text(path) {
            Ok(text) if text.trim().is_empty() => self.problem(key, &format!("{} is empty", path.display())),
            Ok(text) => Some(ConfigSecret::new(text.trim())),
            Err(error) => self.problem(key, &format!("{} can't be read: {error}", path.display())),
        }
    }

    /// SQLite's path relative to the config file, as every path; other addresses as they are.
    fn database(&self, url: &ConfigSecret) -> ConfigSecret {
        let Some(rest) = url.expose().strip_prefix("sqlite:") else { return url.clone() };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, "mode=rwc"));
        ConfigSecret::new(format!("sqlite://{}?{query}", self.directory.join(path).display()))
    }

    fn problem<T>(&mut self, key: &str, text: &str) -> Option<T> {
        self.problems.push(Problem::new(key, text));
        None
    }
}
