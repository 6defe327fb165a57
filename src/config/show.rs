//! The configuration in force, as TOML without its secrets.

use std::fmt::Write as _;
use std::time::Duration;

use super::Config;

impl Config {
    /// As `wxgate config show` prints it. Written out by hand rather than serialized: what isn't listed here can't
    /// be shown.
    pub fn show(&self) -> String {
        let mut out = String::new();
        let mut line = |text: String| out.push_str(&(text + "\n"));
        let (http, database, wechat, tokens) = (&self.http, &self.database, &self.wechat, &self.tokens);
        line("[http]".into());
        line(format!("listen = \"{}\"", http.listen));
        line(format!("internal_listen = \"{}\"", http.internal_listen));
        line(format!("trusted_proxies = {}", list(http.trusted_proxies.iter().map(ToString::to_string))));
        line(format!("request_timeout = {}", span(http.request_timeout)));
        line(format!("header_timeout = {}", span(http.header_timeout)));
        line(format!("idle_timeout = {}", span(http.idle_timeout)));
        line(format!("max_connections = {}", http.max_connections));
        line(format!("drain = {}", span(http.drain)));
        line(format!("body_limit = {}", http.body_limit));
        for (name, path) in [("certificate", &http.tls_certificate_file), ("key", &http.tls_key_file)] {
            if let Some(path) = path {
                line(format!("tls_{name}_file = {}", text(path.display().to_string())));
            }
        }
        line(format!("utc_offset = \"{}\"", offset(http.utc_offset)));
        line("\n[database]".into());
        line(format!("url = {}", text(without_password(database.address.expose()))));
        line(format!("migrate_on_start = {}", database.migrate_on_start));
        line(format!("max_connections = {}", database.max_connections));
        line(format!("acquire_timeout = {}", span(database.acquire_timeout)));
        line("\n[wechat]".into());
        line(format!("base_url = {}", text(&wechat.base_url)));
        line(format!("connect_timeout = {}", span(wechat.connect_timeout)));
        line(format!("timeout = {}", span(wechat.timeout)));
        line(format!("max_concurrent = {}", wechat.max_concurrent));
        line(format!("max_waiting = {}", wechat.max_waiting));
        line(format!("previous_session_key = {}", span(wechat.previous_session_key)));
        line(format!("watermark_max_age = {}", span(wechat.watermark_max_age)));
        line(format!("decrypts_per_minute = {}", wechat.decrypts_per_minute));
        line(format!("server_calls_per_minute = {}", wechat.server_calls_per_minute));
        for app in &wechat.apps {
            line(format!("[[wechat.apps]]\nid = {}\nsecret = \"(redacted)\"", text(&app.id)));
        }
        line("\n[tokens]".into());
        line(format!("issuer = {}", text(&tokens.issuer)));
        line(format!("audience = {}", list(tokens.audience.iter().cloned())));
        line(format!("ttl = {}", span(tokens.ttl)));
        line(format!("leeway = {}", span(tokens.leeway)));
        line(format!("typ = {}", text(tokens.typ.as_str())));
        line(format!("verifier_cache = {}", span(tokens.verifier_cache)));
        line(format!("claims = {}", list(tokens.claims.iter().cloned())));
        line(format!("accept_headers = {}", list(tokens.accept_headers.iter().cloned())));
        for key in &tokens.keys {
            line(format!("[[tokens.keys]]\nfile = {}", text(key.file.display().to_string())));
            if !key.phrase.expose().is_empty() {
                line("passphrase = \"(redacted)\"".into());
            }
            if let Some(instant) = key.sign_from {
                line(format!("sign_from = {instant}"));
            }
            line(format!("revoked = {}\nemergency = {}", key.revoked, key.emergency));
        }
        line("\n[secrets]\nindex_key = \"(redacted)\"".into());
        for key in &self.secrets.column_keys {
            line(format!("[[secrets.column_keys]]\nid = {}\nkey = \"(redacted)\"", text(&key.id)));
        }
        line("\n[accounts]".into());
        let accounts = &self.accounts;
        line(format!("registration = {}", accounts.registration));
        line(format!("registrations_per_minute = {}", accounts.registrations_per_minute));
        line(format!("passwords_per_minute = {}", accounts.passwords_per_minute));
        line(format!("identities_per_app = {}", accounts.identities_per_app));
        line(format!("shortest_password = {}", accounts.shortest_password));
        line(format!("free_attempts = {}", accounts.free_attempts));
        line(format!("account_attempts = {}", accounts.account_attempts));
        line(format!("address_attempts = {}", accounts.address_attempts));
        line(format!("longest_wait = {}", span(accounts.longest_wait)));
        line(format!("argon2_memory = {}", accounts.argon2_memory));
        line(format!("argon2_passes = {}", accounts.argon2_passes));
        line(format!("argon2_lanes = {}", accounts.argon2_lanes));
        line(format!("hash_threads = {}", accounts.hash_threads));
        line(format!("hash_queue = {}", accounts.hash_queue));
        line(format!("levels = {}", list(accounts.levels.iter().cloned())));
        line("\n[overload]".into());
        let overload = &self.overload;
        line(format!("bearers = {}", overload.bearers));
        line(format!("logins = {}", overload.logins));
        line(format!("passwords = {}", overload.passwords));
        line(format!("decrypts = {}", overload.decrypts));
        line(format!("requests_per_address = {}", overload.requests_per_address));
        line(format!("connections_per_address = {}", overload.connections_per_address));
        line(format!("logins_per_app = {}", overload.logins_per_app));
        line("\n[internal]".into());
        for credential in &self.internal.credentials {
            line(format!(
                "[[internal.credentials]]\nname = {}\ntoken = \"(redacted)\"",
                text(&credential.name)
            ));
        }
        line("\n[log]".into());
        line(format!(
            "level = {}\nformat = {}",
            text(self.log.level.as_str()),
            text(self.log.format.as_str())
        ));
        line(format!("access = {}", self.log.access));
        if let Some(path) = &self.log.audit_file {
            line(format!("audit_file = {}", text(path.display().to_string())));
        }
        out
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.map(|item| text(&item)).collect::<Vec<_>>().join(", "))
}

/// As TOML writes it, which is as JSON does, but for one letter.
fn text(value: impl AsRef<str>) -> String {
    serde_json::Value::from(value.as_ref()).to_string().replace('\u{7f}', "\\u007f")
}

fn span(span: Duration) -> String {
    let span = jiff::SignedDuration::try_from(span).unwrap_or(jiff::SignedDuration::MAX);
    format!("\"{span:#}\"")
}

fn offset(offset: jiff::tz::Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = write!(text, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
    text
}

/// The database's address with its password, and with anything that could hold one, taken out.
fn without_password(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    if scheme == "sqlite" {
        return address.to_owned();
    }
    // From the last @: a password that isn't percent-encoded may hold anything else.
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => {
            (format!("{}:(redacted)@", login.split(':').next().unwrap_or_default()), place)
        }
        None => (String::new(), rest),
    };
    let (place, query) = place.split_once('?').map_or((place, ""), |(place, _)| (place, "?(redacted)"));
    let port = place.split('/').next().unwrap_or_default().rsplit_once(':').map_or("", |(_, port)| port);
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return format!("{scheme}://(redacted)");
    }
    format!("{scheme}://{login}{place}{query}")
}
