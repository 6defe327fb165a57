//! Configuration: layers, files, and every problem at once with its key and what would be right.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use wxgate::app::App;
use wxgate::clock::{Clock, SystemClock};
use wxgate::config::{self, Config, Layers};

use crate::world::{Loaded, keys};

/// A configuration that does, in a folder of its own.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    keys::write(folder.path());
    std::fs::write(folder.path().join("app.secret"), "inner-app-secret\n").unwrap();
    let toml = r#"
        [[wechat.apps]]
        id = "wx0123456789abcdef"
        secret_file = "app.secret"
        [tokens]
        issuer = "https://auth.example.com"
        [[tokens.keys]]
        file = "first.pem"
        [secrets]
        index_key_file = "index.key"
        [[secrets.column_keys]]
        id = "k1"
        file = "column.key"
    "#;
    std::fs::write(folder.path().join("wxgate.toml"), toml).unwrap();
    folder
}

fn load(folder: &Path, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let environment: HashMap<_, _> =
        environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let layers = Layers { file: Some(folder.join("wxgate.toml")), environment, ..Layers::default() };
    config::load(&layers).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
    let folder = folder();
    let plain = load(folder.path(), &[]).unwrap();
    assert_eq!(
        (plain.tokens.ttl.as_secs(), plain.tokens.audience.as_slice()),
        (7200, ["api".to_owned()].as_slice())
    );
    assert_eq!(plain.wechat.apps[0].app_secret.expose(), "inner-app-secret");
    let config = load(
        folder.path(),
        &[
            ("WXGATE_TOKENS__TTL", "90m"),
            ("WXGATE_TOKENS__AUDIENCE", r#"["api", "shop"]"#),
            ("WXGATE_HTTP__LISTEN", "[::1]:8443"),
            ("WXGATE_HTTP__BODY_LIMIT", "2048"),
            ("WXGATE_DATABASE__MIGRATE_ON_START", "false"),
            ("WXGATE_DATABASE__URL", "postgres://u:0123@h/db"),
            ("WXGATE_WECHAT__APPS", r#"[{ id = "wx1", secret = "0123" }]"#),
            ("WXGATE_TEST_POSTGRES", "not ours: no section"),
        ],
    )
    .unwrap();
    assert_eq!((config.tokens.ttl.as_secs(), config.tokens.audience.len()), (5400, 2));
    assert_eq!((config.http.listen.to_string(), config.http.body_limit), ("[::1]:8443".into(), 2048));
    assert!(!config.database.migrate_on_start);
    assert_eq!(config.database.address.expose(), "postgres://u:0123@h/db");
    assert_eq!(config.wechat.apps[0].app_secret.expose(), "0123");
}

#[test]
fn a_secret_in_the_environment_lies_over_the_files_in_either_form() {
    let folder = folder();
    let other = keys::random_base64();
    let config = load(folder.path(), &[("WXGATE_SECRETS__INDEX_KEY", &other)]).unwrap();
    assert_eq!(config.secrets.index.expose(), other);
    std::fs::write(folder.path().join("url"), "mysql://u@h/db\n").unwrap();
    let config = load(folder.path(), &[("WXGATE_DATABASE__URL_FILE", "url")]).unwrap();
    assert_eq!(config.database.address.expose(), "mysql://u@h/db");
}

#[test]
fn a_variable_that_is_no_setting_is_named() {
    let folder = folder();
    let variables = [
        ("WXGATE_HTTP_LISTEN", "127.0.0.1:1"),
        ("WXGATE_TOKENS__TTLL", "1h"),
        ("WXGATE_TOKENS__TTL", "soon"),
    ];
    let problems = load(folder.path(), &variables).unwrap_err();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    WXGATE_HTTP_LISTEN: is no setting: two underscores stand between section and key, WXGATE_HTTP__LISTEN
    tokens.ttl: "soon" is no duration; write "90s", "5m" or "2h" (from WXGATE_TOKENS__TTL)
    tokens.ttll: unknown field `ttll`, expected one of `issuer`, `audience`, `ttl`, `leeway`, `typ`, `verifier_cache`, `claims`, `accept_headers`, `keys` (from WXGATE_TOKENS__TTLL)
    "#);
}

/// Secrets in the wrong place, half a quote, a missing brace: what is said of them never quotes them.
#[test]
fn no_mistake_in_a_configuration_prints_a_secret() {
    let folder = folder();
    let mut said = String::new();
    for text in [
        "[[wechat.apps]]\nid = \"wx1\"\nsecret = \"LEAK",
        "[database]\nurl = postgres://u:LEAK@h/db",
        "database = \"postgres://u:LEAK@h/db\"",
        "secrets = \"LEAK\"",
        "[secrets]\ncolumn_keys = [\"LEAK\"]",
        "[secrets]\nindex_key = [\"LEAK\"]",
        "[internal]\ncredentials = [\"LEAK\", { name = \"pay\", token = [\"LEAK\"] }]",
        "[tokens]\nkeys = [\"LEAK\"]\nttl = [\"LEAK\"]",
    ] {
        std::fs::write(folder.path().join("wxgate.toml"), text).unwrap();
        said.push_str(&load(folder.path(), &[]).unwrap_err().join("\n"));
    }
    std::fs::write(folder.path().join("wxgate.toml"), "").unwrap();
    for (name, value) in [
        ("WXGATE_WECHAT__APPS", "[{ id = \"wx1\", secret = \"LEAK\" ]"),
        ("WXGATE_WECHAT__APPS", "wx1:LEAK"),
        ("WXGATE_SECRETS__COLUMN_KEYS", "LEAK"),
        ("WXGATE_WECHAT__APPS!", "[{ id = \"wx1\", secret = \"LEAK\" }]"),
        ("WXGATE_DATABASE", "postgres://u:LEAK@h/db"),
    ] {
        let problems = load(folder.path(), &[(name, value)]).unwrap_err().join("\n");
        assert!(problems.contains(name), "{name} is not named: {problems}");
        said.push_str(&problems);
    }
    assert!(!said.contains("LEAK"), "{said}");
    for (url, shown) in [
        ("postgres://u:LE?AK@h/db", "postgres://u:(redacted)@h/db"),
        ("mysql://u:LE#AK@h:3306/db?password=LEAK", "mysql://u:(redacted)@h:3306/db?(redacted)"),
        ("postgres://u:LEAK", "postgres://(redacted)"),
        ("postgres://h:5432/db", "postgres://h:5432/db"),
    ] {
        let (config, _) = config::inspect(&Layers {
            environment: [("WXGATE_DATABASE__URL".to_owned(), url.to_owned())].into(),
            ..Layers::default()
        });
        assert!(config.unwrap().show().contains(&format!("url = {shown:?}")), "{url}");
    }
}

#[test]
fn a_bad_element_of_a_list_is_told_once_by_its_own_place() {
    let problems = Loaded::from(
        r#"
        http = { http = 3, listen = 8080 }
        wechat.apps = [{ id = 7, secret = "s" }, 3, { id = "wx3", secret = "s", extra = 1 }]
        tokens.issuer = "https://auth.example.com"
        tokens.audience = ["api", ["x"]]
        tokens.keys = [{ sign_from = "soon", file = "no/such.pem" }, { file = [] }]
        secrets = { index_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", column_keys = ["k1"] }
        "#,
    )
    .unwrap_err();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    http.http: unknown field `http`, expected one of `listen`, `internal_listen`, `trusted_proxies`, `request_timeout`, `header_timeout`, `idle_timeout`, `max_connections`, `drain`, `tls_certificate_file`, `tls_key_file`, `body_limit`, `utc_offset`
    http.listen: "8080" is no address; write "127.0.0.1:8080" or "[::]:8080"
    wechat.apps[1]: has the wrong type; wanted is a table
    wechat.apps[2].extra: unknown field `extra`, expected one of `id`, `secret`, `secret_file`
    tokens.audience[1]: has the wrong type; wanted is a string
    tokens.keys[0].file: no/such.pem can't be read: No such file or directory (os error 2)
    tokens.keys[0].sign_from: "soon" is no instant; write 2026-12-01T00:00:00Z
    tokens.keys[1].file: has the wrong type; wanted is a string
    secrets.column_keys[0]: has the wrong type; wanted is a table
    "#);
}

#[test]
fn a_revoked_keys_file_may_be_deleted() {
    let folder = folder();
    let keys = r#"[{ file = "first.pem" }, { file = "stolen.pem", revoked = true }]"#;
    let config = load(folder.path(), &[("WXGATE_TOKENS__KEYS", keys)]).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    App::check(&config, &clock).unwrap();
}

#[test]
fn paths_are_relative_to_the_config_file() {
    let folder = folder();
    let config = load(folder.path(), &[]).unwrap();
    assert_eq!(config.tokens.keys[0].file, folder.path().join("first.pem"));
    let wanted = format!("sqlite://{}?mode=rwc", folder.path().join("data/wxgate.sqlite").display());
    assert_eq!(config.database.address.expose(), wanted);
}

#[test]
fn every_problem_is_listed_at_once_with_its_key_and_what_would_be_right() {
    let problems = Loaded::from(
        r#"
        extra = 1
        [http]
        listen = "8080"
        timeout = "5s"
        trusted_proxies = ["10.0.0.0/8", "somewhere"]
        [wechat]
        timeout = "soon"
        base_url = "http://api.weixin.qq.com/"
        apps = [{ id = "wx 1", secret = "s" }, { id = "wx2", secret = "s", secret_file = "f" }, { id = "wx2" }]
        [tokens]
        issuer = "https://auth.example.com/"
        audience = []
        typ = "jwt"
        claims = ["nickname", "phone"]
        keys = [{ file = "no/such.pem", sign_form = 2026-12-01T00:00:00Z }]
        [secrets]
        column_keys = [{ id = "k1", file = "no/such.key" }]
        [accounts]
        argon2_memory = 4
        account_attempts = 2
        [log]
        level = "verbose"
        "#,
    )
    .unwrap_err();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    extra: unknown field `extra`, expected one of `http`, `database`, `wechat`, `tokens`, `secrets`, `accounts`, `overload`, `internal`, `log`
    http.listen: "8080" is no address; write "127.0.0.1:8080" or "[::]:8080"
    http.timeout: unknown field `timeout`, expected one of `listen`, `internal_listen`, `trusted_proxies`, `request_timeout`, `header_timeout`, `idle_timeout`, `max_connections`, `drain`, `tls_certificate_file`, `tls_key_file`, `body_limit`, `utc_offset`
    http.trusted_proxies: "somewhere" is no network; write "10.0.0.0/8" or "10.0.0.1"
    wechat.apps[0].id: "wx 1" must be 1 to 32 of A-Z, a-z, 0-9, _ and -
    wechat.apps[1].secret: is given twice: keep it or secret_file, not both
    wechat.apps[2].id: "wx2" stands twice
    wechat.apps[2].secret: is missing: give it, or secret_file
    wechat.base_url: must be https:// (http:// only for this machine: the AppSecret travels in it)
    wechat.base_url: must not end in a slash
    wechat.timeout: "soon" is no duration; write "90s", "5m" or "2h"
    tokens.audience: must name at least one service
    tokens.claims: "phone" is none of: nickname, picture, preferred_username, user_level
    tokens.issuer: must be a bare origin in lower case, no path and no trailing slash, e.g. "https://auth.example.com"
    tokens.keys[0].file: no/such.pem can't be read: No such file or directory (os error 2)
    tokens.keys[0].sign_form: unknown field `sign_form`, expected one of `file`, `sign_from`, `revoked`, `emergency`, `passphrase`, `passphrase_file`
    tokens.typ: "jwt" is none of: JWT, at+jwt
    secrets.column_keys[0].file: no/such.key can't be read: No such file or directory (os error 2)
    secrets.index_key: is missing: give it, or index_key_file; `wxgate init` makes a set of keys
    accounts.account_attempts: must not be less than accounts.free_attempts, or a stranger could hold up an account by a few guesses
    accounts.argon2_memory: must be between 8 × accounts.argon2_lanes and 131072 (KiB)
    log.level: "verbose" is none of: error, warn, info, debug, trace
    "#);
}

#[test]
fn nobody_silent_is_kept_for_longer_than_an_hour_whatever_is_set() {
    let folder = folder();
    let silent = [
        ("WXGATE_HTTP__REQUEST_TIMEOUT", "2h"),
        ("WXGATE_HTTP__HEADER_TIMEOUT", "2h"),
        ("WXGATE_HTTP__IDLE_TIMEOUT", "61m"),
        ("WXGATE_HTTP__DRAIN", "2h"),
        ("WXGATE_OVERLOAD__CONNECTIONS_PER_ADDRESS", "0"),
    ];
    insta::assert_snapshot!(load(folder.path(), &silent).unwrap_err().join("\n"), @r"
    http.drain: must be an hour at the most (from WXGATE_HTTP__DRAIN)
    http.header_timeout: must be an hour at the most (from WXGATE_HTTP__HEADER_TIMEOUT)
    http.idle_timeout: must be an hour at the most (from WXGATE_HTTP__IDLE_TIMEOUT)
    http.request_timeout: must be an hour at the most (from WXGATE_HTTP__REQUEST_TIMEOUT)
    overload.connections_per_address: must be between 1 and 1000000 (from WXGATE_OVERLOAD__CONNECTIONS_PER_ADDRESS)
    ");
}

#[test]
fn an_empty_configuration_says_what_it_takes_and_which_command_makes_it() {
    let problems = Loaded::from("").unwrap_err();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    wechat.apps: no mini-program is configured: add [[wechat.apps]] with id and secret_file
    tokens.issuer: is missing: the gateway's public origin, e.g. "https://auth.example.com"
    tokens.keys: no signing key: `wxgate init` writes a configuration with its keys; keys/README.md makes one by hand
    secrets.column_keys: no column key: `wxgate init` writes a configuration with its keys; keys/README.md makes one by hand
    secrets.index_key: is missing: give it, or index_key_file; `wxgate init` makes a set of keys
    "#);
}

#[test]
fn keys_that_will_not_do_are_named_with_the_command_that_mends_them() {
    let folder = folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("column.key", "dG9vIHNob3J0");
    write("index.key", "no base64!");
    let tag = |tag: &str| pem::encode(&pem::Pem::new(tag, b"whatever".as_slice()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut said = String::new();
    for (pem, what) in [
        (tag("EC PRIVATE KEY"), "SEC1"),
        (tag("PUBLIC KEY"), "public"),
        (tag("ENCRYPTED PRIVATE KEY"), "encrypted"),
        (tag("PRIVATE KEY"), "garbage in PEM"),
        ("garbage".to_owned(), "garbage"),
        (keys::p256()[..100].to_owned(), "cut short"),
    ] {
        write("first.pem", &pem);
        let config = load(folder.path(), &[]).unwrap();
        let problems = App::check(&config, &clock).unwrap_err();
        assert_eq!(problems.len(), 3, "{what}: {problems:?}");
        let text = problems.iter().find(|problem| problem.key.starts_with("tokens")).unwrap().to_string();
        said.push_str(&format!("{what}: {}\n", text.replace(&folder.path().display().to_string(), "")));
    }
    insta::assert_snapshot!(said, @r#"
    SEC1: tokens.keys[0].file: /first.pem: is in the old form; `openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW` makes PKCS#8 of it
    public: tokens.keys[0].file: /first.pem: is a public key; wanted is a private key in PKCS#8 PEM, P-256, Ed25519 or RSA of 2048 bits or more
    encrypted: tokens.keys[0].file: /first.pem: is encrypted: give its passphrase_file beside it
    garbage in PEM: tokens.keys[0].file: /first.pem: this key is of a kind or size that isn't supported; wanted is a private key in PKCS#8 PEM, P-256, Ed25519 or RSA of 2048 bits or more
    garbage: tokens.keys[0].file: /first.pem: is no PEM that can be read; wanted is a private key in PKCS#8 PEM, P-256, Ed25519 or RSA of 2048 bits or more
    cut short: tokens.keys[0].file: /first.pem: is no PEM that can be read; wanted is a private key in PKCS#8 PEM, P-256, Ed25519 or RSA of 2048 bits or more
    "#);
    // The good kinds are read.
    for pem in [keys::p256(), keys::ed25519(), keys::rsa()] {
        write("first.pem", &pem);
        let problems = App::check(&load(folder.path(), &[]).unwrap(), &clock).unwrap_err();
        assert!(problems.iter().all(|problem| problem.key.starts_with("secrets")), "{problems:?}");
    }
}

#[test]
fn what_is_shown_holds_every_setting_and_no_secret() {
    let folder = folder();
    let config = load(
        folder.path(),
        &[
            (
                "WXGATE_DATABASE__URL",
                "postgres://user:pass-word-1@db.internal/wxgate?sslpassword=pass-word-2",
            ),
            (
                "WXGATE_INTERNAL__CREDENTIALS",
                r#"[{ name = "pay", token = "pay-token-0123456789abcdef0123456789" }]"#,
            ),
        ],
    )
    .unwrap();
    let shown = config.show();
    let column = std::fs::read_to_string(folder.path().join("column.key")).unwrap();
    for secret in ["pass-word", "inner-app-secret", "pay-token", &column, "PRIVATE"] {
        assert!(!shown.contains(secret) && !format!("{config:?}").contains(secret), "{secret} is shown");
    }
    // Every key of the defaults stands in it, and what it prints is TOML.
    let defaults = include_str!("../../config.default.toml");
    let keys = defaults
        .lines()
        // Those that may be left out altogether are shown where they are set.
        .filter(|line| {
            !["sign_from", "passphrase", "# tls_", "# audit_file"].iter().any(|name| line.contains(name))
        })
        .filter_map(|line| line.split_once(" = ").map(|(key, _)| key.trim_start_matches("# ")));
    for key in keys.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
        let key = key.trim_end_matches("_file");
        assert!(
            shown.contains(&format!("{key} = ")) || shown.contains(&format!(".{key}]]")),
            "{key} is not shown:\n{shown}"
        );
    }
    config_rs(&shown);
}

fn config_rs(toml: &str) {
    let file = ::config::File::from_str(toml, ::config::FileFormat::Toml);
    ::config::Config::builder().add_source(file).build().unwrap();
}
