//! The layers: compiled-in defaults < preset < file < environment. The `config` crate does the layering; ours is what
//! it can't know: that a secret has two forms, and which variable was meant.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Value, ValueKind};

use super::reading::read;
use super::{Config, Problem, bounded, check, files};

pub(super) const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Secrets that a table holds inline or as a file: whichever form a layer gives lies over both of the layers below.
const TWO_FORMS: [(&str, [&str; 2]); 2] =
    [("database", ["url", "url_file"]), ("secrets", ["index_key", "index_key_file"])];

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
        Err(problem) => return (None, vec![problem]),
    };
    let (mut config, mut problems) = read(tree);
    if let Some(config) = &mut config {
        let directory = layers.file.as_deref().and_then(Path::parent).unwrap_or(&layers.directory);
        let mut more = Vec::new();
        files::resolve(config, directory, &mut more);
        check::check(config, &mut more);
        // What was taken out because it couldn't be read isn't reported as missing as well.
        more.retain(|problem| !problems.iter().any(|known| is_about(problem, known)));
        problems.extend(more);
    }
    name_variables(&layers.environment, &mut problems);
    (config, sorted(problems))
}

/// Whether `problem` is about the setting of `known`, or about something inside it.
fn is_about(problem: &Problem, known: &Problem) -> bool {
    problem
        .key
        .strip_prefix(known.key.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

pub(super) fn merge(layers: &Layers) -> Result<Value, Problem> {
    let mut merged = toml(DEFAULTS, "the defaults")?;
    if let Some(preset) = &layers.preset {
        merged = over(merged, toml(preset, "the preset")?)?;
    }
    if let Some(path) = &layers.file {
        let name = path.display().to_string();
        let text = bounded::read_text(path)
            .map_err(|error| Problem::new(&name, format!("can't be read: {error}")))?;
        merged = over(merged, toml(&text, &name)?)?;
    }
    for (name, value) in ours(&layers.environment).filter(|(_, value)| is_list(value)) {
        let key = name["WXGATE_".len()..].to_ascii_lowercase().replace("__", ".");
        merged = over(merged, toml(&format!("{key} = {value}"), name)?)?;
    }
    let scalars = ours(&layers.environment).filter(|(_, value)| !is_list(value));
    let scalars = scalars.map(|(name, value)| (name.clone(), value.clone())).collect();
    let environment =
        Environment::with_prefix("WXGATE").prefix_separator("_").separator("__").source(Some(scalars));
    over(merged, build(config::Config::builder().add_source(environment), "the environment")?)
        .map(|merged| merged.cache)
}

/// `upper` over `lower`, with the two forms of a secret counted as one setting.
fn over(mut lower: config::Config, mut upper: config::Config) -> Result<config::Config, Problem> {
    for (section, forms) in TWO_FORMS {
        let gives = table(&mut upper.cache, section)
            .is_some_and(|table| forms.iter().any(|form| table.contains_key(*form)));
        if gives && let Some(table) = table(&mut lower.cache, section) {
            for form in forms {
                table.remove(form);
            }
        }
    }
    build(config::Config::builder().add_source(lower).add_source(upper), "the configuration")
}

fn table<'v>(tree: &'v mut Value, section: &str) -> Option<&'v mut config::Map<String, Value>> {
    let ValueKind::Table(sections) = &mut tree.kind else { return None };
    match &mut sections.get_mut(section)?.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

fn toml(text: &str, name: &str) -> Result<config::Config, Problem> {
    build(config::Config::builder().add_source(File::from_str(text, FileFormat::Toml)), name)
}

/// The library's message shows the line that it couldn't read, and that may be the one with the secret: ours keeps the
/// place and the rule, which stand in its first and its last line.
fn build(
    builder: config::ConfigBuilder<config::builder::DefaultState>,
    name: &str,
) -> Result<config::Config, Problem> {
    builder.build().map_err(|error| {
        let text = error.to_string();
        let place =
            text.lines().next().and_then(|line| line.split(" at ").nth(1)).unwrap_or("an unknown place");
        let rule = text.lines().last().filter(|line| !line.contains('=')).unwrap_or_default();
        Problem::new(name, format!("can't be read as TOML at {place}: {rule}"))
    })
}

/// The variables that are settings: WXGATE_SECTION__KEY.
fn ours(environment: &HashMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    environment.iter().filter(|(name, _)| is_setting(name))
}

fn is_setting(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    plain && name.starts_with("WXGATE_") && name.contains("__")
}

/// A list is written as TOML writes it; `[::1]:8080` only looks like one.
fn is_list(value: &str) -> bool {
    value.trim_start().starts_with('[') && toml(&format!("list = {value}"), "").is_ok()
}

/// Says which variable a problem came from, and finds the ones that were meant to be settings.
fn name_variables(environment: &HashMap<String, String>, problems: &mut Vec<Problem>) {
    for problem in problems.iter_mut() {
        let key = problem.key.split('[').next().unwrap_or_default();
        let name = format!("WXGATE_{}", key.replace('.', "__").to_uppercase());
        if environment.contains_key(&name) {
            problem.text.push_str(&format!(" (from {name})"));
        }
    }
    let sections: Vec<&str> =
        DEFAULTS.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')).collect();
    for (name, value) in environment {
        let rest = name.strip_prefix("WXGATE_").unwrap_or_default().to_lowercase();
        let section = rest.split('_').next().unwrap_or_default();
        if !sections.contains(&section) {
            continue;
        }
        if value.contains(char::REPLACEMENT_CHARACTER) {
            problems.push(Problem::new(name, "is not UTF-8 text"));
        } else if !is_setting(name) {
            let key = rest[section.len()..].trim_start_matches('_').to_uppercase();
            let right =
                format!("WXGATE_{}__{}", section.to_uppercase(), if key.is_empty() { "KEY" } else { &key });
            let text = format!("is no setting: two underscores stand between section and key, {right}");
            problems.push(Problem::new(name, text));
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
