//! What every kind of place owes, and what the commented config owes to sources and places alike.

use std::path::Path;

use super::*;
use crate::config::{ConfigError, schema};
use crate::source::files::FilesSettings;
use crate::source::registry as sources;

fn parse(text: &str) -> Result<Config, ConfigError> {
    let config = Config::parse(text, Path::new("team/fortnight.toml"))?;
    sources::check(&config)?;
    check(&config)?;
    Ok(config)
}

fn default_config() -> String {
    schema::default_toml(&sources::examples(), &examples())
}

fn config_schema() -> Value {
    schema::schema(&sources::schemas(), &schemas())
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
fn every_kind_of_place_has_a_name_of_its_own_and_a_valid_example() {
    let mut kinds: Vec<&str> = TARGETS.iter().map(|descriptor| descriptor.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), TARGETS.len());
    for descriptor in TARGETS {
        let source = "[[source]]\nkind = \"files\"\nseries = [\"a\"]\n";
        let config = parse(&format!("{source}{}", descriptor.example)).expect(descriptor.kind);
        assert!(config.targets.iter().all(|target| target.kind == descriptor.kind), "{}", descriptor.kind);
    }
}

#[test]
fn keys_of_a_place_without_a_meaning_are_refused_with_key_and_line() {
    for (text, start) in [
        ("kind = \"dir\"", "fortnight.toml:5: `publish[0].kind`: unknown kind of place"),
        ("kind = \"folder\"", "fortnight.toml:4: `publish[0].dir`: is missing"),
        ("kind = \"folder\"\ndir = \" \"", "fortnight.toml:6: `publish[0].dir`"),
        ("kind = \"folder\"\ndirs = \"a\"", "fortnight.toml:6: `publish[0].dirs`: there is no such key"),
        ("kind = \"folder\"\ndir = \"a\"\nurl = \"ftp://a\"", "fortnight.toml:7: `publish[0].url`"),
        ("kind = \"folder\"\ndir = \"a\"\nurl = \"https://u:secret@a\"", "`publish[0].url`: holds a user or a query"),
        (
            "kind = \"folder\"\ndir = \"a\"\nurl = \"https://a/?sig=secret\"",
            "`publish[0].url`: holds a user or a query",
        ),
        ("kind = \"object_store\"", "`publish[0].bucket`: is missing"),
        ("kind = \"object_store\"\nbucket = \"https://a\"", "`publish[0].bucket`: begins with none of s3://"),
        ("kind = \"object_store\"\nbucket = \"s3://\"", "`publish[0].bucket`: names no bucket"),
        ("kind = \"object_store\"\nbucket = \"s3://a/b/../c\"", "`publish[0].bucket`: \"b/../c\" is no prefix"),
        ("kind = \"object_store\"\nbucket = \"gs://a\"\nregion = \"x\"", "`publish[0].region`: goes with s3:// only"),
        ("kind = \"object_store\"\nbucket = \"s3://a\"\nendpoint = \"http://x\"", "`publish[0].endpoint`"),
    ] {
        let source = "[[source]]\nkind = \"files\"\nseries = [\"a\"]\n[[publish]]\n";
        let error = parse(&format!("{source}{text}\n")).expect_err(text).to_string();
        assert!(error.contains(start), "{text}\n gave {error}\n not {start}");
        assert!(!error.contains("secret"), "{error}");
    }
}
