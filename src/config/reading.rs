//! From a tree of values to a [`Config`], with every mistake reported: when a value doesn't fit, it is noted, taken out,
//! and the rest is read again. Each turn makes the tree smaller or more like the defaults, so that it ends.

use config::{File, FileFormat, Value, ValueKind};
use serde_path_to_error::Segment;

use super::layers::DEFAULTS;
use super::{Config, Problem};

/// Reads what fits, and says what doesn't.
pub(super) fn read(mut tree: Value) -> (Option<Config>, Vec<Problem>) {
    let mut problems = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(tree.clone()) {
            Ok(config) => return (Some(config), problems),
            Err(error) => error,
        };
        let mut path: Vec<Segment> = error.path().iter().cloned().collect();
        let message = error.into_inner().to_string();
        if let Some(field) = unknown_field(&message) {
            // Whether the path names the field itself or the table around it depends on who noticed.
            if !descend(&mut tree, &path).is_some_and(|value| has(value, field)) {
                path.pop();
            }
            path.push(Segment::Map { key: field.to_owned() });
        }
        problems.push(Problem::new(key_of(&path), explain(&message)));
        if !take_out(&mut tree, &path, unknown_field(&message).is_some()) {
            return (None, problems);
        }
    }
}

/// serde's message without the value it met: that may be a secret in the wrong place.
fn explain(message: &str) -> String {
    // The crate says where in the merged tree; our own key says it better.
    let message = message.split(" for key `").next().unwrap_or(message);
    match (message.starts_with("invalid type"), message.rsplit_once("expected ")) {
        (true, Some((_, wanted))) => format!("has the wrong type; wanted is {}", plain(wanted)),
        _ => message.to_owned(),
    }
}

/// serde's words for types, in an operator's.
fn plain(wanted: &str) -> &str {
    match wanted {
        "a sequence" => "a list",
        wanted if wanted.starts_with("struct ") || wanted == "a map" => "a table",
        wanted => wanted,
    }
}

fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

fn key_of(path: &[Segment]) -> String {
    let mut key = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => key.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !key.is_empty() {
                    key.push('.');
                }
                key.push_str(name);
            }
            Segment::Unknown => {}
        }
    }
    key
}

/// Takes a misfit out: a setting falls back to its default, a list's element to an empty table (so that the others keep
/// their places), anything else goes.
fn take_out(tree: &mut Value, path: &[Segment], unknown: bool) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let default = if unknown { None } else { default_of(path) };
    if let Some(default) = default
        && let Some(place) = descend(tree, path)
        && place.kind != default.kind
    {
        *place = default;
        return true;
    }
    let Some(parent) = descend(tree, parents) else { return false };
    match (&mut parent.kind, last) {
        (ValueKind::Table(members), Segment::Map { key }) => members.remove(key).is_some(),
        (ValueKind::Array(items), Segment::Seq { index }) => {
            let Some(item) = items.get_mut(*index) else { return false };
            let empty = ValueKind::Table(config::Map::new());
            // An element that isn't a table even so (a list of names, say) can only go.
            if item.kind == empty || key_of(parents) == "http.trusted_proxies" || is_text_list(parents) {
                items.remove(*index);
            } else {
                item.kind = empty;
            }
            true
        }
        // A list that noticed a misfit without saying where.
        (_, Segment::Unknown) => take_out(tree, parents, false),
        _ => false,
    }
}

/// Lists whose elements are text.
fn is_text_list(path: &[Segment]) -> bool {
    ["tokens.audience", "tokens.claims", "tokens.accept_headers", "accounts.levels"]
        .contains(&key_of(path).as_str())
}

fn default_of(path: &[Segment]) -> Option<Value> {
    let defaults = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    let mut defaults = defaults.build().ok()?.cache;
    descend(&mut defaults, path).cloned()
}

fn has(value: &Value, field: &str) -> bool {
    matches!(&value.kind, ValueKind::Table(members) if members.contains_key(field))
}

fn descend<'v>(mut value: &'v mut Value, path: &[Segment]) -> Option<&'v mut Value> {
    for segment in path {
        value = match (&mut value.kind, segment) {
            (ValueKind::Table(members), Segment::Map { key }) => members.get_mut(key)?,
            (ValueKind::Array(items), Segment::Seq { index }) => items.get_mut(*index)?,
            _ => return None,
        };
    }
    Some(value)
}
