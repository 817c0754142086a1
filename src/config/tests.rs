//! What the config must refuse, and how it says so.

use super::*;
use crate::model::time::{HOUR, MINUTE};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("team/fortnight.toml"))
}

const SOURCE: &str = "[[source]]\nkind = \"files\"\nseries = [\"series.parquet\"]\n";

/// Returns message and help of a file that must be refused; `text` goes before the source.
fn refused(text: &str) -> (String, String) {
    let error = parse(&format!("{text}\n{SOURCE}")).expect_err("must be refused");
    (error.to_string(), error.help().unwrap_or_default())
}

#[test]
fn the_least_config_has_the_defaults_of_the_contract() {
    let config = parse(SOURCE).expect("valid");
    assert_eq!(config.zone, chrono_tz::UTC);
    assert_eq!((config.period.anchor.to_string().as_str(), config.period.days), ("2026-01-05", 14));
    let judge = config.judge;
    assert!((judge.false_discovery - 0.05).abs() < 1e-12);
    assert!((judge.limit.relative - 0.10).abs() < 1e-12);
    assert!((judge.limit.latency_s - 0.005).abs() < 1e-12);
    assert!((judge.limit.error_share - 0.001).abs() < 1e-12);
    assert!((judge.limit.utilization - 0.05).abs() < 1e-12);
    assert_eq!((judge.group_ms, judge.settle_ms, judge.min_after_ms), (30 * MINUTE, 15 * MINUTE, 6 * HOUR));
    assert_eq!(config.output.folder, Path::new("team/fortnight-report"));
    assert_eq!(config.sources.first().map(|source| source.id.as_str()), Some("files"));
}

#[test]
fn an_unknown_key_is_refused_with_place_and_suggestion() {
    let (message, help) = refused("[judge.limit]\nrelatve = 0.2");
    assert_eq!(message, "team/fortnight.toml:2: `judge.limit.relatve`: there is no such key");
    assert_eq!(help, "did you mean `relative`?");
    let (message, help) = refused("[zzz]\na = 1");
    assert!(message.contains("fortnight.toml:1: `zzz`"), "{message}");
    assert!(help.contains("timezone"), "{help}");
}

#[test]
fn values_without_a_meaning_are_refused_with_key_and_line() {
    let cases = [
        ("[judge]\nbaseline_days = \"four\"", "fortnight.toml:2: `judge.baseline_days`"),
        ("[judge]\nlimit = 3", "`judge.limit`: invalid type: integer `3`, expected a table"),
        ("languages = \"ja\"", "`languages`: invalid type: string \"ja\", expected a list"),
        ("[judge]\nfalse_discovery = 0", "fortnight.toml:2: `judge.false_discovery`"),
        ("[judge]\nfalse_discovery = nan", "fortnight.toml:2: `judge.false_discovery`"),
        ("[judge.limit]\nrelative = 10", "fortnight.toml:2: `judge.limit.relative`"),
        ("[judge.limit]\nlatency_ms = inf", "fortnight.toml:2: `judge.limit.latency_ms`"),
        ("[period]\n\nanchor = \"monday\"", "fortnight.toml:3: `period.anchor`"),
        ("[period]\ndays = 0", "fortnight.toml:2: `period.days`"),
        ("[output]\nformats = []", "fortnight.toml:2: `output.formats`: the list is empty"),
        ("[output]\nformats = [\"html\",\n \"pdf\"]", "fortnight.toml:3: `output.formats[1]`"),
        ("languages = [\"ja\", \"ja\"]", "fortnight.toml:1: `languages[1]`"),
        ("version = 2", "fortnight.toml:1: `version`"),
        ("memory_mb = 0", "fortnight.toml:1: `memory_mb`"),
        ("[signal.heap]\nabsolute = 1", "fortnight.toml:2: `signal.heap.absolute`: a limit without its unit"),
        ("[signal.heap]\nabsolute = 1\nunit = \"msec\"", "fortnight.toml:3: `signal.heap.unit`: unknown unit"),
        ("[signal.heap]\nclass = \"speed\"", "fortnight.toml:2: `signal.heap.class`"),
        ("[[source]]\nseries = [\"a\"]", "fortnight.toml:1: `source[0].kind`: is missing"),
        ("[[source]]\nkind = 7", "fortnight.toml:2: `source[0].kind`: invalid type"),
        ("[[service]]\nowner = \"a\"", "fortnight.toml:1: `service[0].name`: is missing"),
        ("[calendar]\nholidays = { 2026-13-01 = \"x\" }", "fortnight.toml:2: `calendar.holidays.2026-13-01`"),
        ("[calendar]\nholidays = [2026-11-23, 7]", "fortnight.toml:2: `calendar.holidays[1]`"),
        (
            "[[source]]\nkind = \"files\"\nid = \"a\"\nseries = [\"a\"]\n[[source]]\nid = \"a\"\nkind = \"files\"\nseries = [\"b\"]",
            "fortnight.toml:6: `source[1].id`",
        ),
    ];
    for (text, start) in cases {
        let (message, _) = refused(text);
        assert!(message.contains(start), "{text}\n gave {message}\n not {start}");
    }
}

#[test]
fn a_mistyped_zone_gets_a_suggestion() {
    assert_eq!(refused("timezone = \"Asia/Tokio\"").1, "did you mean `Asia/Tokyo`?");
    assert!(refused("timezone = \"+09:00\"").1.contains("IANA"));
}

#[test]
fn a_file_without_a_source_is_refused() {
    let error = parse("version = 1\n").expect_err("no source");
    assert!(error.to_string().contains("no source"), "{error}");
}

#[test]
fn text_that_is_no_toml_names_its_line() {
    let error = parse("version = 1\n[judge\n").expect_err("syntax");
    assert!(error.to_string().starts_with("team/fortnight.toml:2:"), "{error}");
    for text in ["\u{0}", "= 1", "[[", "a = \"\\ud800\"", "\u{feff}x = 1"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn units_of_signal_limits_become_base_units() {
    let config =
        parse(&format!("[signal.render]\nabsolute = 50\nunit = \"ms\"\nrelative = 0.2\n{SOURCE}")).expect("valid");
    let (relative, absolute) = config.limit("render", crate::model::metric::Class::Latency);
    assert!((relative - 0.2).abs() < 1e-12 && (absolute - 0.05).abs() < 1e-12);
}

#[test]
fn holidays_are_a_table_or_a_list() {
    let table = parse(&format!("[calendar]\nholidays = {{ 2026-11-23 = \"Labour\" }}\n{SOURCE}")).expect("valid");
    let list = parse(&format!("[calendar]\nholidays = [2026-11-23, \"2026-12-31\"]\n{SOURCE}")).expect("valid");
    assert_eq!(table.holidays.values().collect::<Vec<_>>(), ["Labour"]);
    assert_eq!(list.holidays.len(), 2);
}
