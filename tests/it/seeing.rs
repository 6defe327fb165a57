//! What an operator sees: the dashboard, the alert rules and the runbook name what src/ has, all of it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use wxgate::error::Code;

const DASHBOARD: &str = "deploy/grafana/wxgate.json";
const RULES: &str = "deploy/prometheus/wxgate.rules.yaml";
const RUNBOOK: &str = "docs/operate.md";

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file below a folder but tests, with its text.
fn sources(folder: PathBuf) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.push((path, code));
            }
        }
    }
    found
}

/// The metrics that src/telemetry* names, each with its kind where the macro stands before the name.
fn metrics() -> BTreeMap<String, Option<&'static str>> {
    let mut named: BTreeMap<String, Option<&'static str>> = BTreeMap::new();
    let files = sources(at("src/telemetry")).into_iter().map(|(_, text)| text);
    for text in files.chain([read("src/telemetry.rs")]) {
        for (start, _) in ["\"wxgate_", "\"process_"].iter().flat_map(|begin| text.match_indices(begin)) {
            let Some(name) = text[start + 1..].split('"').next().filter(|name| is_name(name)) else {
                continue;
            };
            let before = text[..start].trim_end();
            let kind = ["counter", "gauge", "histogram"].into_iter();
            let kind = kind.clone().find(|kind| before.ends_with(&format!("{kind}!(")));
            let known = named.entry(name.to_owned()).or_default();
            *known = known.or(kind);
        }
    }
    named
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The words of a text that could name a series; a colon is part of a recorded one's name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
        .map(|word| word.trim_matches(':'))
}

/// Whether a series of this name exists: a histogram's have a suffix, the others' haven't.
fn exists(metrics: &BTreeMap<String, Option<&str>>, series: &str) -> bool {
    let suffixes = ["_bucket", "_sum", "_count"].into_iter();
    let histogram =
        suffixes.filter_map(|suffix| series.strip_suffix(suffix)).find_map(|name| metrics.get(name));
    match (metrics.get(series), histogram) {
        (Some(kind), _) => *kind != Some("histogram"),
        (None, Some(kind)) => kind.is_none_or(|kind| kind == "histogram"),
        (None, None) => false,
    }
}

#[test]
fn every_series_on_the_dashboard_and_in_the_rules_is_one_that_src_names() {
    let metrics = metrics();
    for path in [DASHBOARD, RULES] {
        let text = read(path);
        let series = words(&text).filter(|word| word.starts_with("wxgate_") || word.starts_with("process_"));
        let missing: BTreeSet<&str> = series.filter(|series| !exists(&metrics, series)).collect();
        assert!(missing.is_empty(), "{path} names series that nobody makes: {missing:?}");
    }
}

#[test]
fn every_recorded_series_that_is_used_is_recorded_and_the_other_way_round() {
    let rules = read(RULES);
    let recorded: BTreeSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let lines = rules.lines().filter(|line| !line.contains("- record: ") && !line.trim().starts_with('#'));
    let used: BTreeSet<&str> = lines.flat_map(words).filter(|word| word.contains(":wxgate_")).collect();
    assert_eq!(used, recorded);
}

#[test]
fn the_runbooks_tables_have_every_metric_and_every_name_in_it_is_a_metric() {
    let (metrics, text) = (metrics(), read(RUNBOOK));
    let table = section(&text, "# Every metric");
    let listed: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let named: BTreeSet<&str> = metrics.keys().map(String::as_str).collect();
    assert_eq!(listed, named, "left: {RUNBOOK}'s table, right: src/telemetry*");
    for (name, kind) in &metrics {
        let row = table.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
        assert!(kind.is_none_or(|kind| row.contains(&format!("| {kind} |"))), "{row}");
    }
    for word in words(&text).filter(|word| word.starts_with("wxgate_") && word.len() > "wxgate_".len()) {
        assert!(metrics.contains_key(word) || exists(&metrics, word), "{RUNBOOK} names {word}");
    }
}

#[test]
fn what_the_rules_call_our_failure_is_what_the_log_calls_an_error() {
    let ours: BTreeSet<&str> =
        Code::ALL.iter().filter(|code| code.is_for_the_operator()).map(|code| code.as_str()).collect();
    for path in [DASHBOARD, RULES] {
        let text = read(path).replace("\\\"", "\"");
        let lists: Vec<&str> =
            text.split("outcome=~\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(!lists.is_empty(), "{path}");
        for list in lists {
            assert_eq!(list.split('|').collect::<BTreeSet<_>>(), ours, "{path}");
        }
    }
}

/// GitHub's anchors of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) else { continue };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        assert!(found.insert(anchor), "two headings are alike: {line}");
    }
    found
}

#[test]
fn every_way_into_the_runbook_leads_to_a_heading_of_it() {
    let runbook = read(RUNBOOK);
    let anchors = anchors(&runbook);
    let prefix = format!("{RUNBOOK}#");
    for (path, prefix) in [(DASHBOARD, prefix.as_str()), (RULES, prefix.as_str()), (RUNBOOK, "](#")] {
        let text = read(path);
        let ways: BTreeSet<&str> = text.split(prefix).skip(1).map(first_word).collect();
        assert!(!ways.is_empty(), "{path}");
        for way in ways {
            assert!(anchors.contains(way), "{path} leads to #{way}, which is no heading of {RUNBOOK}");
        }
    }
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').next().unwrap()
}

#[test]
fn every_alert_says_what_happened_what_to_do_first_and_where_to_read_on() {
    let rules = read(RULES);
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        for wanted in ["summary: ", "description: ", "runbook_url: docs/operate.md#", "severity: "] {
            assert_eq!(alert.matches(wanted).count(), 1, "{name}: {wanted}");
        }
    }
    // The reason of its numbers stands above each.
    let lines: Vec<&str> = rules.lines().collect();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.trim().starts_with("- alert: ")) {
        assert!(lines[number - 1].trim().starts_with('#'), "{line}");
    }
}

#[test]
fn every_panel_says_what_to_do_and_asks_the_datasource_that_is_chosen() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    for panel in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 40), "{title}");
        let targets = panel["targets"].as_array().unwrap().iter();
        for datasource in targets.map(|target| &target["datasource"]).chain([&panel["datasource"]]) {
            assert_eq!(datasource["uid"], "${datasource}", "{title}");
        }
    }
}

/// The part of a page below a heading, up to the next of its rank.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{heading} is missing"));
    let rest = &text[start + heading.len() + 2..];
    rest.find("\n# ").map_or(rest, |end| &rest[..end])
}

/// The literals of a macro call, up to its closing parenthesis; `text` begins behind the opening one.
fn literals(text: &str) -> Vec<String> {
    let (mut found, mut depth, mut chars) = (Vec::new(), 1, text.chars());
    while let Some(c) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => break,
            ')' => depth -= 1,
            '"' => {
                let mut literal = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match (c, c == '\\') {
                        (_, true) => literal.push(chars.next().unwrap()),
                        (c, false) => literal.push(c),
                    }
                }
                // A line that goes on in the next one.
                let lines = literal.split('\n').enumerate();
                found.push(lines.map(|(n, line)| if n == 0 { line } else { line.trim_start() }).collect());
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_warning_and_every_error_in_src_stands_in_the_runbook() {
    let text = read(RUNBOOK);
    let rows: Vec<&str> = section(&text, "# Every log line that wants a person")
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    let mut seen = 0;
    for (path, code) in sources(at("src")) {
        for (level, call) in [("ERROR", "tracing::error!("), ("WARN", "tracing::warn!(")] {
            for (start, _) in code.match_indices(call) {
                let message = literals(&code[start + call.len()..]).pop().unwrap_or_default();
                // Cut where a value stands in it.
                let pieces: Vec<&str> = message
                    .split('{')
                    .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest))
                    .collect();
                let level = format!("| {level} |");
                let stands = rows.iter().any(|row| {
                    row.starts_with(&level) && pieces.iter().all(|piece| row.contains(piece.trim()))
                });
                assert!(stands, "{}: {level} {message}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen} found: is the macro called otherwise now?");
}
