//! Whole runs of `collect`: what comes from sources is kept, carried elsewhere and judged there.

mod common;

use std::path::Path;

use common::{code, run, stderr, told};
use fortnight::sample;
use serde_json::Value;
use tempfile::TempDir;

/// The sample data in a folder of their own.
fn with_sample() -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, bytes) in sample::FILES {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    }
    folder
}

/// The sample's config with another source than its files.
fn config_with(source: &str) -> String {
    let (_, text) = sample::FILES.iter().find(|(name, _)| *name == sample::CONFIG).expect("there");
    let text = std::str::from_utf8(text).expect("UTF-8");
    let mut table: toml::Table = text.parse().expect("TOML");
    table.remove("source");
    format!("{table}\n{source}")
}

const PERIOD: [&str; 4] = ["--from", "2026-11-09", "--to", "2026-11-23"];

/// Reports on the sample's fortnight; returns `report.json`.
fn report(folder: &Path, more: &[&str]) -> Value {
    let args = [&["report", "--format", "json", "--out", "out"][..], &PERIOD, more].concat();
    told(&run(folder, &args));
    serde_json::from_slice(&std::fs::read(folder.join("out/report.json")).expect("written")).expect("JSON")
}

#[test]
fn a_store_carried_elsewhere_gives_the_same_verdicts_without_the_sources() {
    let here = with_sample();
    let direct = report(here.path(), &[]);
    let listed = told(&run(&here, &["collect", "--export", "cards.tar"]));
    assert_eq!(listed.lines().last(), Some("cards.tar"));
    let there = tempfile::tempdir().expect("temporary folder");
    std::fs::copy(here.path().join("cards.tar"), there.path().join("cards.tar")).expect("carried");
    // The key of the account is not there, and nothing asks for it.
    let account = "[[source]]\nkind = \"newrelic\"\naccount = \"1\"\nkey_env = \"NO_SUCH_KEY\"\n";
    std::fs::write(there.path().join("fortnight.toml"), config_with(account)).expect("written");
    for _ in 0..2 {
        told(&run(&there, &["collect", "--import", "cards.tar"]));
        let carried = report(there.path(), &["--offline"]);
        for part in ["comparisons", "elsewhere", "deploys", "audit"] {
            assert!(carried[part] == direct[part], "{part}");
        }
    }
}

#[test]
fn a_source_that_cannot_be_asked_leaves_the_report_standing() {
    let here = with_sample();
    let files = "[[source]]\nkind = \"files\"\nseries = [\"series.parquet\"]\ndeploys = [\"deploys.jsonl\"]\n";
    let account = "[[source]]\nkind = \"newrelic\"\naccount = \"1\"\nkey_env = \"NO_SUCH_KEY\"\n";
    std::fs::write(here.path().join("fortnight.toml"), config_with(&format!("{files}{account}"))).expect("written");
    let judged = report(here.path(), &[]);
    assert!(judged["findings"].as_array().is_some_and(|findings| findings.len() > 3));
    let state = |id: &str| {
        let sources = judged["sources"].as_array().expect("a list");
        sources.iter().find(|source| source["id"] == id).expect("there").clone()
    };
    assert_eq!(state("newrelic")["state"], "failed", "{}", state("newrelic"));
    assert!(state("newrelic")["errors"].to_string().contains("NO_SUCH_KEY"), "{}", state("newrelic"));
    assert_eq!(state("files")["state"], "ok");
    let args = [&["report", "--fail-on", "partial"][..], &PERIOD].concat();
    assert_eq!(code(&run(&here, &args)), 5);
    // Collecting says what failed, and keeps what the others gave.
    let output = run(&here, &["collect"]);
    let talk = stderr(&output);
    assert_eq!(code(&output), 1, "{talk}");
    assert!(talk.contains("NO_SUCH_KEY") && talk.contains("what was collected is kept"), "{talk}");
    assert!(here.path().join(".fortnight/series/files").exists());
}

#[test]
fn what_is_typed_wrongly_is_told() {
    let here = with_sample();
    for (args, said) in [
        (&["collect", "--source", "apm"][..], "no source is called \"apm\""),
        (&["collect", "--account", "cards"], "no source has the account \"cards\""),
        (&["collect", "--import", "none.tar"], "none.tar"),
        (&["collect", "--import", "series.parquet"], "is no snapshot of a store"),
        (&["collect", "--since", "tomorrow"], "neither a date nor RFC 3339"),
    ] {
        let output = run(&here, args);
        assert!(code(&output) > 0 && stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    }
    assert!(!here.path().join(".fortnight/series").exists(), "nothing was collected");
}
