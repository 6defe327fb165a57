//! The layers (compiled-in defaults < file < environment) and how they become a [`Config`].
//!
//! The `config` crate does the layering. Ours is that one reading reports every mistake: when a value doesn't fit,
//! it is noted, taken out, and the rest is read again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Value, ValueKind};
use serde_path_to_error::Segment;

use super::{Config, Problem, check, files};

const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Where a configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// Text in TOML below the file's: what `wxgate dev` presets.
    pub preset: Option<String>,
    /// `--config FILE`, or the working directory's wxgate.toml if there is one.
    pub file: Option<PathBuf>,
    /// What paths are relative to when there is no file.
    pub directory: PathBuf,
    /// The environment's variables.
    pub environment: HashMap<String, String>,
}

/// Reads, resolves and checks. `Err` holds every problem found, in the order of the file.
pub fn load(layers: &Layers) -> Result<Config, Vec<Problem>> {
    match inspect(layers) {
        (Some(config), problems) if problems.is_empty() => Ok(config),
        (_, problems) => Err(problems),
    }
}

/// The same, with what could be read in spite of the problems: a key that won't do can then be named along with them.
pub fn inspect(layers: &Layers) -> (Option<Config>, Vec<Problem>) {
    let tree = match merge(layers) {
        Ok(tree) => tree,
        Err(problems) => return (None, problems),
    };
    let (mut config, mut problems) = read(tree);
    if let Some(config) = &mut config {
        let directory = layers.file.as_deref().and_then(Path::parent).unwrap_or(&layers.directory);
        files::resolve(config, directory, &mut problems);
        check::check(config, &mut problems);
    }
    name_variables(&layers.environment, &mut problems);
    (config, sorted(problems))
}

/// Says which variable a problem came from, and finds the ones that miss an underscore.
fn name_variables(environment: &HashMap<String, String>, problems: &mut Vec<Problem>) {
    for problem in problems.iter_mut() {
        let name = format!(
            "WXGATE_{}",
            problem.key.split('[').next().unwrap_or_default().replace('.', "__").to_uppercase()
        );
        if environment.contains_key(&name) {
            problem.text.push_str(&format!(" (from {name})"));
        }
    }
    for name in environment.keys().filter(|name| name.starts_with("WXGATE_") && !name.contains("__")) {
        let rest = name["WXGATE_".len()..].to_lowercase();
        if let Some((section, key)) =
            rest.split_once('_').filter(|(section, _)| DEFAULTS.contains(&format!("\n[{section}]\n")))
        {
            let right = format!("WXGATE_{}__{}", section.to_uppercase(), key.to_uppercase());
            problems.push(Problem::new(
                name,
                format!("is no setting: two underscores stand between section and key, {right}"),
            ));
        }
    }
}

/// By section as the default file has them, then by setting: the same problems are always told alike.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    let section = |problem: &Problem| {
        let name = problem.key.split(['.', '[']).next().unwrap_or_default();
        DEFAULTS.find(&format!("\n[{name}]\n")).unwrap_or(0)
    };
    problems.sort_by_cached_key(|problem| (section(problem), problem.key.clone()));
    problems
}

fn merge(layers: &Layers) -> Result<Value, Vec<Problem>> {
    let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(preset) = &layers.preset {
        builder = builder.add_source(File::from_str(preset, FileFormat::Toml));
    }
    if let Some(path) = &layers.file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Problem::new(path.display().to_string(), format!("can't be read: {error}"))]
        })?;
        // Parsed here as well as in build(), so that the message names the file and the line.
        config::Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build().map_err(
            |error| vec![Problem::new(path.display().to_string(), format!("is not TOML: {error}"))],
        )?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let ours =
        layers.environment.iter().filter(|(name, _)| name.starts_with("WXGATE_") && name.contains("__"));
    // A list is written as TOML writes it; `[::1]:8080` only looks like one.
    let (lists, scalars): (Vec<_>, Vec<_>) = ours.partition(|(_, value)| is_list(value));
    for (name, value) in lists {
        let key = name["WXGATE_".len()..].to_ascii_lowercase().replace("__", ".");
        builder = builder.add_source(File::from_str(&format!("{key} = {value}"), FileFormat::Toml));
    }
    let scalars = scalars.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let environment =
        Environment::with_prefix("WXGATE").prefix_separator("_").separator("__").source(Some(scalars));
    let broken = |error: config::ConfigError| vec![Problem::new("config", error.to_string())];
    let mut below = builder.build().map_err(broken)?;
    give_way(&mut below.cache, &layers.environment);
    let merged =
        config::Config::builder().add_source(below).add_source(environment).build().map_err(broken)?;
    Ok(merged.cache)
}

/// A secret from the environment lies over the file's, whichever of its two forms either has.
fn give_way(below: &mut Value, environment: &HashMap<String, String>) {
    for (section, key) in [("database", "url"), ("secrets", "index_key")] {
        let variable = |key: &str| format!("WXGATE_{}__{}", section.to_uppercase(), key.to_uppercase());
        let both = [key.to_owned(), format!("{key}_file")];
        if both.iter().any(|key| environment.contains_key(&variable(key)))
            && let Some(table) = descend(below, &[Segment::Map { key: section.to_owned() }])
        {
            for key in &both {
                remove(table, key);
            }
        }
    }
}

fn is_list(value: &str) -> bool {
    let layer = File::from_str(&format!("list = {value}"), FileFormat::Toml);
    value.trim_start().starts_with('[') && config::Config::builder().add_source(layer).build().is_ok()
}

/// Reads the tree; takes out what doesn't fit and reads again until the rest fits.
fn read(mut tree: Value) -> (Option<Config>, Vec<Problem>) {
    let mut problems = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(tree.clone()) {
            Ok(config) => return (Some(config), problems),
            Err(error) => error,
        };
        let path: Vec<Segment> = error.path().iter().cloned().collect();
        let text = explain(&path, &error.into_inner().to_string());
        let key = unknown_field(&text).map_or_else(|| key_of(&path), |field| join(&path, field));
        problems.push(Problem::new(key, text.clone()));
        if !take_out(&mut tree, &path, unknown_field(&text)) {
            return (None, problems);
        }
    }
}

/// serde's message, without the value where the value is a secret.
fn explain(path: &[Segment], message: &str) -> String {
    let secret = matches!(path.last(), Some(Segment::Map { key })
        if ["secret", "token", "key", "url", "index_key"].contains(&key.as_str()));
    if secret && message.contains("invalid type") {
        return "must be a string".to_owned();
    }
    // The crate says where in the merged tree; our own key says it better.
    message.split(" for key `").next().unwrap_or(message).to_owned()
}

fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

fn join(path: &[Segment], field: &str) -> String {
    let key = key_of(path);
    // Whether the path names the field itself or the table around it depends on who noticed.
    if key.ends_with(field) || key.is_empty() {
        return if key.is_empty() { field.to_owned() } else { key };
    }
    format!("{key}.{field}")
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

/// Takes a misfit out. A setting that has a default falls back to it, so that it isn't reported as missing too.
fn take_out(tree: &mut Value, path: &[Segment], unknown: Option<&str>) -> bool {
    if let Some(field) = unknown {
        let inside =
            path.iter().position(|s| matches!(s, Segment::Map { key } if key == field)).unwrap_or(path.len());
        return descend(tree, &path[..inside]).is_some_and(|table| remove(table, field));
    }
    let mut defaults =
        match config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml)).build() {
            Ok(defaults) => defaults.cache,
            Err(_) => return false,
        };
    let default = descend(&mut defaults, path).map(|value| value.clone());
    match (descend(tree, path), default) {
        (Some(place), Some(default)) if place.kind != default.kind => {
            *place = default;
            true
        }
        _ => remove_deepest(tree, path),
    }
}

/// Removes the last named thing of the path: a table's member, or an array's element.
fn remove_deepest(tree: &mut Value, path: &[Segment]) -> bool {
    let Some(last) = path.iter().rposition(|s| matches!(s, Segment::Seq { .. } | Segment::Map { .. })) else {
        return false;
    };
    // A member of an array's element: its neighbours can't be read without it, so the element goes.
    let cut = path[..=last].iter().rposition(|s| matches!(s, Segment::Seq { .. })).unwrap_or(last);
    let Some(parent) = descend(tree, &path[..cut]) else { return false };
    match (&mut parent.kind, &path[cut]) {
        (ValueKind::Array(items), Segment::Seq { index }) if *index < items.len() => {
            items.remove(*index);
            true
        }
        (ValueKind::Table(_), Segment::Map { key }) => remove(parent, key),
        _ => false,
    }
}

fn remove(table: &mut Value, field: &str) -> bool {
    match &mut table.kind {
        ValueKind::Table(members) => members.remove(field).is_some(),
        _ => false,
    }
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
