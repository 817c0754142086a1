//! What every kind of source owes: checked keys, an example, docs. Loops over the list.

use std::path::Path;

use super::*;
use crate::config::ConfigError;
use crate::source::cloudwatch::CloudWatchSettings;

fn parse(text: &str) -> Result<Config, ConfigError> {
    let config = Config::parse(text, Path::new("team/fortnight.toml"))?;
    check(&config)?;
    Ok(config)
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
