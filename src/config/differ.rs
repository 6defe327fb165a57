//! In what two configurations differ, by the settings' names.

use config::{File, FileFormat};
use serde_json::{Map, Value};

use super::Config;

impl Config {
    /// The settings that differ in `next`; what is secret is compared as well, and never named but by its setting. Signing
    /// keys and column keys aside: those have a reload of their own.
    pub fn differences(&self, next: &Self) -> Vec<String> {
        let mut named = Vec::new();
        let (ours, theirs) = (self.shown(), next.shown());
        for (section, values) in &ours {
            let (Some(ours), Some(theirs)) =
                (values.as_object(), theirs.get(section).and_then(Value::as_object))
            else {
                continue;
            };
            let names = ours.keys().chain(theirs.keys().filter(|name| !ours.contains_key(*name)));
            let differ = names.filter(|name| ours.get(*name) != theirs.get(*name));
            named.extend(differ.map(|name| format!("{section}.{name}")));
        }
        named.retain(|name| name != "tokens.keys" && name != "secrets.column_keys");
        // A certificate is taken anew with them; only whether there is one waits.
        if self.http.tls.is_some() == next.http.tls.is_some() {
            named.retain(|name| !name.starts_with("http.tls_"));
        }
        let secrets = self.secret_settings().into_iter().zip(next.secret_settings());
        for ((name, ours), (_, theirs)) in secrets {
            if ours != theirs && !named.iter().any(|known| known == name) {
                named.push(name.to_owned());
            }
        }
        named
    }

    /// What isn't secret, read back from what is printed, so that no setting can be left out here.
    fn shown(&self) -> Map<String, Value> {
        let text = File::from_str(&self.show(), FileFormat::Toml);
        let shown =
            config::Config::builder().add_source(text).build().and_then(config::Config::try_deserialize);
        shown.unwrap_or_default()
    }

    fn secret_settings(&self) -> [(&'static str, Vec<&str>); 4] {
        [
            ("database.url", vec![self.database.address.expose()]),
            ("wechat.apps", self.wechat.apps.iter().map(|app| app.app_secret.expose()).collect()),
            ("secrets.index_key", vec![self.secrets.index.expose()]),
            (
                "internal.credentials",
                self.internal.credentials.iter().map(|each| each.bearer.expose()).collect(),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Layers, load};

    #[test]
    fn what_differs_is_named_also_where_it_is_secret_and_never_quoted() {
        let config = |more: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            let key = folder.path().join("key.pem");
            std::fs::write(&key, "anything").unwrap();
            let text = format!(
                "[database]\nurl = \"postgres://u:{}@db/wxgate\"\n[http]\nbody_limit = {}\n[[wechat.apps]]\n\
                 id = \"wx0123456789abcdef\"\nsecret = \"{}\"\n[tokens]\nissuer = \"https://a.example\"\n\
                 [[tokens.keys]]\nfile = {key:?}\n[secrets]\nindex_key = \"{}\"\n[[secrets.column_keys]]\n\
                 id = \"k1\"\nkey = \"{}\"\n[[internal.credentials]]\nname = \"ops\"\ntoken = \"{}\"\n",
                of(more, "password"),
                if more.iter().any(|(name, _)| *name == "limit") { 70_000 } else { 65_536 },
                of(more, "appsecret"),
                of(more, "index"),
                of(more, "column"),
                of(more, "credential"),
            );
            let file = folder.path().join("wxgate.toml");
            std::fs::write(&file, text).unwrap();
            load(&Layers { file: Some(file), ..Layers::default() }).unwrap()
        };
        let before = config(&[]);
        let mut named = before.clone();
        named.accounts.levels = vec!["❤\u{fe0f} VIP \u{7f}\"".into()];
        assert_eq!(named.differences(&named), [""; 0], "what is shown can be read back");
        assert_eq!(named.differences(&before), ["accounts.levels"]);
        for (name, wanted) in [
            ("password", vec!["database.url"]),
            ("limit", vec!["http.body_limit"]),
            ("appsecret", vec!["wechat.apps"]),
            ("index", vec!["secrets.index_key"]),
            ("credential", vec!["internal.credentials"]),
            // A reload takes it.
            ("column", vec![]),
        ] {
            assert_eq!(before.differences(&config(&[(name, "another")])), wanted, "{name}");
        }
    }

    fn of(more: &[(&str, &str)], name: &str) -> String {
        let said = more.iter().find(|(given, _)| *given == name);
        format!("{}-{name}-0123456789-0123456789-0123456789", said.map_or("one", |(_, value)| value))
    }
}
