//! `wxgate init`: a production configuration and its keys.

use std::path::{Path, PathBuf};

use clap::Args;

use super::files::{private_directory, private_file, random_key, signing_key};
use super::{Failure, Outcome, clock};
use crate::config::check;

#[derive(Args)]
pub(super) struct Options {
    /// Where to write; made if it isn't there
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// The gateway's public origin, e.g. https://auth.example.com
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The mini-program's AppID
    #[arg(long, value_name = "APPID")]
    appid: Option<String>,
}

pub(super) fn run(options: &Options) -> Outcome {
    if let Some(appid) = &options.appid
        && !check::is_name(appid)
    {
        return Err(Failure::Other(format!("--appid {appid:?} is no AppID")));
    }
    if let Some(issuer) = &options.issuer {
        check::bare_origin(issuer).map_err(|text| Failure::Other(format!("--issuer {issuer:?} {text}")))?;
    }
    let month = clock().now().strftime("%Y-%m").to_string();
    let appid = options.appid.as_deref().unwrap_or("wx0123456789abcdef");
    let keys = options.dir.join("keys");
    let config = options.dir.join("wxgate.toml");
    let signing = keys.join(format!("{month}.pem"));
    let column = keys.join("column-k1.key");
    let index = keys.join("index.key");
    let secret = keys.join(format!("{appid}.secret"));

    let standing: Vec<String> = [&config, &signing, &column, &index]
        .iter()
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    if !standing.is_empty() {
        return Err(Failure::Other(format!(
            "nothing was written: {} already there. Keys and configurations are never overwritten; \
             use --dir for another folder.",
            standing.join(", ")
        )));
    }

    private_directory(&keys)?;
    private_file(&signing, &signing_key()?)?;
    private_file(&column, &random_key())?;
    private_file(&index, &random_key())?;
    if !secret.exists() {
        private_file(&secret, "")?;
    }
    private_file(&config, &text(options.issuer.as_deref().unwrap_or(""), appid, &month))?;
    report(options, &config, &signing, &secret);
    Ok(())
}

fn text(issuer: &str, appid: &str, month: &str) -> String {
    format!(
        r#"# wxgate's configuration, written by `wxgate init`. What isn't set here has its default;
# config.default.toml explains every setting, `wxgate config show` prints what is in force.

[http]
listen = "127.0.0.1:8080"          # behind a proxy that speaks TLS
internal_listen = "127.0.0.1:9090"
trusted_proxies = ["127.0.0.1/32"] # whose X-Forwarded-For counts

[database]
# Or postgres://…, mysql://…; as that holds a password, better url_file = "keys/database.url".
url = "sqlite://data/wxgate.sqlite?mode=rwc"

[[wechat.apps]]
id = "{appid}"
# The AppSecret, from mp.weixin.qq.com:
secret_file = "keys/{appid}.secret"

[tokens]
# The gateway's public origin, e.g. "https://auth.example.com":
issuer = "{issuer}"
# Your services:
audience = ["api"]

[[tokens.keys]]
file = "keys/{month}.pem"

[secrets]
# Keep it for ever: phones are found by it.
index_key_file = "keys/index.key"

[[secrets.column_keys]]
id = "k1"
# Without it the sealed columns are lost: back it up.
file = "keys/column-k1.key"

[log]
format = "json"
"#
    )
}

fn report(options: &Options, config: &Path, signing: &Path, secret: &Path) {
    println!("written, readable by you alone:");
    println!("  {}", config.display());
    println!("  {}  (signs the tokens)", signing.display());
    println!(
        "  {} and index.key  (seal the columns: back them up)",
        options.dir.join("keys/column-k1.key").display()
    );
    println!("\nnow:");
    let mut step = 1;
    let mut say = |text: String| {
        println!("  {step}. {text}");
        step += 1;
    };
    if options.appid.is_none() {
        say(format!("set wechat.apps.id and its secret_file in {}", config.display()));
    }
    say(format!("put the AppSecret into {}", secret.display()));
    if options.issuer.is_none() {
        say(format!("set tokens.issuer in {} to the gateway's public origin", config.display()));
    }
    say(format!("wxgate --config {} config check", config.display()));
    say(format!("wxgate --config {} serve", config.display()));
}
