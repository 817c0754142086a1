//! What every kind of source owes: checked keys, a schema, an example, docs. Loops over the list.

use std::path::Path;

use super::*;
use crate::config::ConfigError;
use crate::source::cloudwatch::CloudWatchSettings;
use crate::source::files::FilesSettings;

fn parse(text: &str) -> Result<Config, ConfigError> {
    let config = Config::parse(text, Path::new("team/fortnight.toml"))?;
    check(&config)?;
    Ok(config)
}

#[test]
fn the_commented_file_is_the_default() {
    let least = "[[source]]\nkind = \"files\"\nseries = [\"series.parquet\"]\n";
    let (default, least) = (parse(&default_config()).expect("valid"), parse(least).expect("valid"));
    let settings = |config: &Config| FilesSettings::of(&config.sources[0].table).expect("valid");
    assert_eq!(settings(&default), settings(&least));
    let (mut one, mut other) = (default.sources, least.sources);
    assert_eq!((one.len(), &one[0].id, one[0].optional), (1, &other[0].id, other[0].optional));
    one.clear();
    other.clear();
    assert_eq!(Config { sources: one, ..default }, Config { sources: other, ..least });
}

#[test]
fn the_commented_file_has_every_key_and_its_examples_are_valid() {
    let default = default_config();
    let whole: String = default
        .lines()
        .map(|line| match line.strip_prefix('#') {
            // "#key" is an example to switch on, "# text" is talk.
            Some(example) if !example.starts_with(' ') => format!("{example}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = parse(&whole).expect("examples are valid");
    assert_eq!((config.services.len(), config.holidays.len(), config.signals.len()), (1, 1, 1));
    let written: toml::Table = toml::from_str(&whole).expect("valid");

    let schema = config_schema();
    let mut missing = Vec::new();
    compare(&schema, &schema, &toml::Value::Table(written), "", &mut missing);
    assert!(missing.is_empty(), "not in default.toml: {missing:?}");
}

/// Collects the keys of a schema that a file lacks, following references, lists and named tables.
fn compare(
    root: &serde_json::Value,
    schema: &serde_json::Value,
    written: &toml::Value,
    path: &str,
    missing: &mut Vec<String>,
) {
    for key in ["$ref", "anyOf", "oneOf", "items", "additionalProperties"] {
        let Some(inner) = schema.get(key) else { continue };
        match (inner, written) {
            (serde_json::Value::String(name), _) => {
                let target = root.pointer(name.trim_start_matches('#')).expect("reference");
                compare(root, target, written, path, missing);
            }
            (serde_json::Value::Array(choices), _) => {
                choices.iter().for_each(|choice| compare(root, choice, written, path, missing));
            }
            (_, toml::Value::Array(items)) if key == "items" => {
                // Not every kind takes every key: one of the examples must have it.
                let mut lacking = items.iter().map(|item| {
                    let mut missing = Vec::new();
                    compare(root, inner, item, path, &mut missing);
                    missing
                });
                let first = lacking.next().unwrap_or_default();
                missing
                    .extend(lacking.fold(first, |all, one| all.into_iter().filter(|key| one.contains(key)).collect()));
            }
            (_, toml::Value::Table(table)) if key == "additionalProperties" => {
                table.values().for_each(|value| compare(root, inner, value, path, missing));
            }
            _ => {}
        }
    }
    let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) else { return };
    for (name, inner) in properties {
        assert!(inner.get("description").is_some(), "{path}.{name} has no description");
        match written.get(name) {
            Some(value) => compare(root, inner, value, &format!("{path}.{name}"), missing),
            None => missing.push(format!("{path}.{name}")),
        }
    }
}

#[test]
fn keys_of_a_source_without_a_meaning_are_refused_with_key_and_line() {
    for (text, start) in [
        ("kind = \"file\"", "fortnight.toml:2: `source[0].kind`: unknown kind"),
        ("kind = \"files\"\nseries = []", "fortnight.toml:3: `source[0].series`: names no file"),
        ("kind = \"files\"", "fortnight.toml:1: `source[0].series`: names no file"),
        ("kind = \"files\"\nseries = [\"a**b\"]", "fortnight.toml:3: `source[0].series[0]`"),
        (
            "kind = \"files\"\nseries = [\n\"a\",\n7]",
            "fortnight.toml:5: `source[0].series[1]`: invalid type: integer `7`",
        ),
        ("kind = \"files\"\nserie = [\"a\"]", "fortnight.toml:3: `source[0].serie`: there is no such key"),
        ("kind = \"newrelic\"\naccount = \"x\"", "fortnight.toml:3: `source[0].account`: \"x\" is no number"),
        ("kind = \"newrelic\"\naccount = \"1\"\nendpoint = \"http://a\"", "fortnight.toml:4: `source[0].endpoint`"),
        ("kind = \"cloudwatch\"", "fortnight.toml:1: `source[0].regions`: names no region"),
        ("kind = \"cloudwatch\"\nregions = [\"a\"]\nstep_minutes = 7", "fortnight.toml:4: `source[0].step_minutes`"),
    ] {
        let error = parse(&format!("[[source]]\n{text}\n")).expect_err(text).to_string();
        assert!(error.contains(start), "{text}\n gave {error}\n not {start}");
    }
    let error = parse("[[source]]\nkind = \"files\"\nserie = [\"a\"]\n").expect_err("mistyped");
    assert_eq!(error.help().as_deref(), Some("did you mean `series`?"));
}

#[test]
fn the_second_source_is_checked_with_its_own_place() {
    let text = "[[source]]\nkind = \"files\"\nseries = [\"a\"]\n\n[[source]]\nkind = \"newrelic\"\naccount = \"1\"\nregion = \"uk\"\n";
    let error = parse(text).expect_err("no such region").to_string();
    assert!(error.contains("fortnight.toml:8: `source[1].region`: unknown region \"uk\""), "{error}");
}

#[test]
fn a_service_tag_is_one_key_or_a_list_of_them() {
    let keys = |value: &str| {
        let text = format!("[[source]]\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\n{value}");
        let config = Config::parse(&text, Path::new("team/fortnight.toml")).expect("valid");
        CloudWatchSettings::of(&config.sources[0].table).map(|settings| settings.service_tag)
    };
    assert_eq!(keys("").expect("valid"), [""; 0]);
    assert_eq!(keys("service_tag = \"Service\"").expect("valid"), ["Service"]);
    assert_eq!(keys("service_tag = [\"Service\", \"app:name\"]").expect("valid"), ["Service", "app:name"]);
    let long = format!("service_tag = \"{}\"", "x".repeat(129));
    for (value, words) in [
        ("service_tag = \"\"", "fortnight.toml:4: `source[0].service_tag`: the tag is empty"),
        ("service_tag = []", "fortnight.toml:4: `source[0].service_tag`: 0 tags are not from 1 to 10"),
        ("service_tag = [\"a\", \" \"]", "fortnight.toml:4: `source[0].service_tag[1]`: the tag is empty"),
        ("service_tag = [\"a\", \"a\"]", "`source[0].service_tag[1]`: \"a\" is listed twice"),
        ("service_tag = \"a\\u0007\"", "`source[0].service_tag`: a tag has at most 128 characters"),
        (&long, "`source[0].service_tag`: a tag has at most 128 characters"),
        ("service_tag = true", "`source[0].service_tag`: expected a tag, found boolean"),
    ] {
        let error = keys(value).expect_err(value);
        assert!(error.to_string().contains(words), "{value} gave {error}");
    }
    let elsewhere = "[[source]]\nkind = \"files\"\nseries = [\"a\"]\nservice_tag = \"Service\"";
    let error = parse(elsewhere).expect_err("files have no tags");
    assert!(
        error.to_string().contains("`source[0].service_tag`: a source of kind \"files\" has no such key"),
        "{error}"
    );
    assert_eq!(error.help().expect("help"), "it goes with cloudwatch; leave it out");
}

#[test]
fn every_kind_has_a_name_of_its_own_and_valid_texts() {
    let mut kinds: Vec<&str> = SOURCES.iter().map(|descriptor| descriptor.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), SOURCES.len());
    for descriptor in SOURCES {
        let kind = descriptor.kind;
        assert!(!kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{kind}");
        for text in [descriptor.example, descriptor.setup.section] {
            let config = parse(text).unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert!(config.sources.iter().all(|source| source.kind == kind), "{kind}");
            assert_eq!(is_recorded(&config.sources[0]), descriptor.reading == Reading::InPlace);
        }
        let variables = parse(descriptor.setup.section).expect("valid");
        let variables = settings(&variables.sources[0]).expect("valid").variables();
        let names: Vec<&str> = variables.iter().map(|variable| variable.name.as_str()).collect();
        let secrets: Vec<&str> = descriptor.setup.secrets.iter().map(|secret| secret.variable).collect();
        assert_eq!(names, secrets, "{kind}: what `init` says to export is what `doctor` looks for");
    }
}

#[test]
fn the_docs_have_the_row_of_each_kind() {
    let text = include_str!("../../../docs/collect.md");
    for descriptor in SOURCES {
        let Some(row) = descriptor.docs else { continue };
        let line = format!("| `{}` | {} | {} |\n", descriptor.kind, row.needs, row.place);
        assert!(text.contains(&line), "docs/collect.md lacks: {line}");
    }
}
