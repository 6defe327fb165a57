//! The rules that a type can't hold: what belongs together, and what would only fail later.

use std::collections::HashSet;
use std::time::Duration;

use super::{Config, Problem};

/// The claims that `[tokens] claims` may add.
const CLAIMS: &[&str] = &["nickname", "picture", "preferred_username", "user_level"];

/// Adds every broken rule to `problems`.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let mut rule = |holds: bool, key: &str, text: &str| {
        if !holds {
            problems.push(Problem::new(key, text));
        }
    };

    let http = &config.http;
    rule(
        (1024..=8 << 20).contains(&http.body_limit),
        "http.body_limit",
        "must be between 1024 and 8388608 bytes",
    );
    rule(
        http.listen != http.internal_listen || http.listen.port() == 0,
        "http.internal_listen",
        "is the same as http.listen; the internal side needs an address of its own",
    );

    for (key, span) in [
        ("http.request_timeout", http.request_timeout),
        ("http.header_timeout", http.header_timeout),
        ("http.idle_timeout", http.idle_timeout),
        ("http.drain", http.drain),
    ] {
        rule(span <= Duration::from_secs(3600), key, "must be an hour at the most");
    }
    rule(
        (1..=1_000_000).contains(&http.max_connections),
        "http.max_connections",
        "must be between 1 and 1000000",
    );
    rule(
        http.tls_certificate_file.is_some() == http.tls_key_file.is_some(),
        "http.tls_certificate_file",
        "and http.tls_key_file go together: set both, or neither and let a proxy do TLS",
    );
    let overload = &config.overload;
    rule(
        (1..=1_000_000).contains(&overload.connections_per_address),
        "overload.connections_per_address",
        "must be between 1 and 1000000",
    );
    for (key, most) in [
        ("overload.bearers", overload.bearers),
        ("overload.logins", overload.logins),
        ("overload.passwords", overload.passwords),
        ("overload.decrypts", overload.decrypts),
    ] {
        rule((256..=65_536).contains(&most), key, "must be between 256 and 65536");
    }

    let address = config.database.address.expose();
    let known = ["sqlite://", "postgres://", "postgresql://", "mysql://"];
    rule(
        address.is_empty() || known.iter().any(|scheme| address.starts_with(scheme)),
        "database.url",
        "must start with sqlite://, postgres:// or mysql:// (for MariaDB too)",
    );
    rule(
        !address.contains(":memory:"),
        "database.url",
        "must be a file: a database in memory has no second connection, and is gone with the process",
    );
    rule(config.database.max_connections >= 1, "database.max_connections", "must be at least 1");

    let wechat = &config.wechat;
    rule(
        wechat.base_url.starts_with("https://") || is_loopback_http(&wechat.base_url),
        "wechat.base_url",
        "must be https:// (http:// only for this machine: the AppSecret travels in it)",
    );
    rule(!wechat.base_url.ends_with('/'), "wechat.base_url", "must not end in a slash");
    rule(
        !wechat.base_url.contains(['@', '?', '#', ' ']),
        "wechat.base_url",
        "must be scheme, host and perhaps a path; nothing else",
    );
    rule(wechat.max_concurrent >= 1, "wechat.max_concurrent", "must be at least 1");
    rule(
        wechat.timeout < config.http.request_timeout,
        "wechat.timeout",
        "must be shorter than http.request_timeout, or a slow WeChat is never told apart from a slow gateway",
    );
    rule(
        !wechat.apps.is_empty(),
        "wechat.apps",
        "no mini-program is configured: add [[wechat.apps]] with id and secret_file",
    );

    let tokens = &config.tokens;
    if let Err(text) = bare_origin(&tokens.issuer) {
        rule(false, "tokens.issuer", &text);
    }
    rule(
        !tokens.audience.is_empty() && tokens.audience.iter().all(|name| !name.is_empty()),
        "tokens.audience",
        "must name at least one service",
    );
    rule(tokens.ttl.subsec_nanos() == 0, "tokens.ttl", "must be whole seconds");
    rule(tokens.leeway <= Duration::from_secs(300), "tokens.leeway", "must be 5 minutes or less");
    for claim in &tokens.claims {
        let text = format!("{claim:?} is none of: {}", CLAIMS.join(", "));
        rule(CLAIMS.contains(&claim.as_str()), "tokens.claims", &text);
    }
    rule(!tokens.accept_headers.is_empty(), "tokens.accept_headers", "must name at least one header");
    for name in &tokens.accept_headers {
        let text = format!("{name:?} is no header name");
        let valid =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        rule(valid, "tokens.accept_headers", &text);
    }
    rule(
        !tokens.keys.is_empty(),
        "tokens.keys",
        "no signing key: `wxgate init` writes a configuration with its keys; keys/README.md makes one by hand",
    );

    rule(
        !config.secrets.column_keys.is_empty(),
        "secrets.column_keys",
        "no column key: `wxgate init` writes a configuration with its keys; keys/README.md makes one by hand",
    );

    let accounts = &config.accounts;
    rule(
        (1..=16).contains(&accounts.identities_per_app),
        "accounts.identities_per_app",
        "must be between 1 and 16",
    );
    rule(
        (1..=64).contains(&accounts.shortest_password),
        "accounts.shortest_password",
        "must be between 1 and 64",
    );
    rule(accounts.free_attempts >= 1, "accounts.free_attempts", "must be at least 1");
    rule(
        accounts.account_attempts >= accounts.free_attempts,
        "accounts.account_attempts",
        "must not be less than accounts.free_attempts, or a stranger could hold up an account by a few guesses",
    );
    rule(
        accounts.address_attempts >= accounts.free_attempts,
        "accounts.address_attempts",
        "must not be less than accounts.free_attempts: many people share an address",
    );
    rule((1..=64).contains(&accounts.argon2_passes), "accounts.argon2_passes", "must be between 1 and 64");
    rule((1..=16).contains(&accounts.argon2_lanes), "accounts.argon2_lanes", "must be between 1 and 16");
    rule(
        (8 * accounts.argon2_lanes.clamp(1, 16)..=128 << 10).contains(&accounts.argon2_memory),
        "accounts.argon2_memory",
        "must be between 8 × accounts.argon2_lanes and 131072 (KiB)",
    );
    rule(accounts.hash_threads <= 1024, "accounts.hash_threads", "must be 1024 or less");
    rule((1..=65_536).contains(&accounts.hash_queue), "accounts.hash_queue", "must be between 1 and 65536");
    rule(!accounts.levels.is_empty(), "accounts.levels", "must name level 0 at least");

    distinct(wechat.apps.iter().map(|app| app.id.as_str()), "wechat.apps", "id", problems);
    distinct(
        config.secrets.column_keys.iter().map(|key| key.id.as_str()),
        "secrets.column_keys",
        "id",
        problems,
    );
    distinct(
        config.internal.credentials.iter().map(|c| c.name.as_str()),
        "internal.credentials",
        "name",
        problems,
    );
    bearers(&config.internal.credentials, problems);
}

/// What a service shows: long enough not to be guessed, of characters that a header carries, and its own.
fn bearers(credentials: &[super::Credential], problems: &mut Vec<Problem>) {
    for (index, credential) in credentials.iter().enumerate() {
        let text = credential.bearer.expose();
        // What is missing altogether has been reported where it was read.
        let bad = if text.is_empty() {
            None
        } else if text.len() < 32 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Some("must be 32 characters or more without spaces: `openssl rand -hex 32`".to_owned())
        } else {
            let before = credentials.iter().take(index).find(|other| other.bearer.expose() == text);
            before.map(|other| format!("is {}'s: the log could not tell the two services apart", other.name))
        };
        if let Some(text) = bad {
            problems.push(Problem::new(format!("internal.credentials[{index}].token"), text));
        }
    }
}

/// Names of this list: one of each, in an alphabet that is safe in URLs, logs and envelopes.
fn distinct<'n>(names: impl Iterator<Item = &'n str>, list: &str, field: &str, problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        if !is_name(name) {
            let text = format!("{name:?} must be 1 to 32 of A-Z, a-z, 0-9, _ and -");
            problems.push(Problem::new(format!("{list}[{index}].{field}"), text));
        } else if !seen.insert(name) {
            problems.push(Problem::new(format!("{list}[{index}].{field}"), format!("{name:?} stands twice")));
        }
    }
}

/// 1 to 32 of A-Z, a-z, 0-9, _ and -
pub(crate) fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// An issuer is compared to the byte by every sibling, so it has one form: scheme and host, nothing behind.
pub(crate) fn bare_origin(issuer: &str) -> Result<(), String> {
    const EXAMPLE: &str = "e.g. \"https://auth.example.com\"";
    if issuer.is_empty() {
        return Err(format!("is missing: the gateway's public origin, {EXAMPLE}"));
    }
    if !issuer.starts_with("https://") && !is_loopback_http(issuer) {
        return Err(format!("must be https:// (http:// only for this machine), {EXAMPLE}"));
    }
    let host = issuer.split_once("://").map_or("", |(_, host)| host);
    let bare = !host.is_empty()
        && !host.starts_with(':')
        && host.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']')
        });
    if bare {
        Ok(())
    } else {
        Err(format!("must be a bare origin in lower case, no path and no trailing slash, {EXAMPLE}"))
    }
}

fn is_loopback_http(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or("");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}
