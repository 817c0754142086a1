//! The demo tells its stories, each with the right verdict, deploy and direction, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn demo(out: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_fortnight")).args(["demo", "--out"]).arg(out).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout).expect("paths are text");
    assert!(paths.lines().all(|path| Path::new(path).is_file()), "{paths}");
}

fn read(out: &Path, name: &str) -> String {
    std::fs::read_to_string(out.join(name)).expect("written")
}

fn stories() -> Vec<Value> {
    serde_json::from_str(include_str!("../../sample-data/stories.json")).expect("stories parse")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The targets and signals that a story says change: its own, and its members'.
fn told(story: &Value) -> Vec<(String, String, f64)> {
    let own = std::iter::once(story).chain(story["members"].as_array().into_iter().flatten());
    own.flat_map(|part| {
        let signals = part["signals"].as_object().expect("signals");
        signals
            .iter()
            .map(|(name, ratio)| (text(part, "target").to_owned(), name.clone(), ratio.as_f64().expect("a ratio")))
    })
    .collect()
}

#[test]
fn every_story_is_told_and_nothing_else() {
    let folder = tempfile::tempdir().expect("temporary folder");
    demo(folder.path());
    let report: Value = serde_json::from_str(&read(folder.path(), "report.json")).expect("report parses");
    let (html, markdown) = (read(folder.path(), "report.html"), read(folder.path(), "report.md"));
    let comparisons = report["comparisons"].as_array().expect("comparisons");
    let findings = report["findings"].as_array().expect("findings");
    let mut alarms = BTreeSet::new();

    for story in stories() {
        let id = text(&story, "id");
        match text(&story, "verdict") {
            "elsewhere" => {
                let found = report["elsewhere"].as_array().expect("elsewhere");
                assert_eq!(found.len(), 1, "{id}: {found:?}");
                assert_eq!((text(&found[0], "target"), text(&found[0], "change")), (text(&story, "target"), "shift"));
                assert!(found[0]["worse"] == true);
            }
            "too_early" => {
                let fresh = comparisons.iter().filter(|c| c["deploy"] == story["deploy"]);
                assert!(fresh.clone().count() > 10 && fresh.clone().all(|c| c["verdict"] == "too_early"), "{id}");
                continue;
            }
            "explained" => {
                let finding = findings.iter().find(|f| f["deploy"] == story["deploy"]).expect("a finding");
                assert_eq!((text(finding, "verdict"), text(finding, "target")), ("explained", text(&story, "target")));
                for c in comparisons.iter().filter(|c| c["target"] == story["target"] && c["deploy"] == story["deploy"])
                {
                    if text(c, "signal").starts_with("latency") {
                        assert_eq!(text(c, "explained_by"), "load", "{id}: {c}");
                        let plain = c["plain_ratio"].as_f64().expect("the effect as users see it");
                        assert!((plain / 1.154 - 1.0).abs() < 0.05, "{id}: {plain}");
                    }
                }
            }
            verdict => {
                let of = |key: &str| {
                    let is_own = |f: &&Value| f[key] == story["deploy"] && f["target"] == story["target"];
                    findings.iter().find(is_own)
                };
                match (of("deploy"), of("by")) {
                    (Some(finding), _) => {
                        assert_eq!(text(finding, "verdict"), verdict, "{id}");
                        assert_eq!(text(finding, "pattern"), text(&story, "pattern"), "{id}");
                        assert_eq!(text(finding, "by"), text(&story, "by"), "{id}");
                    }
                    // A repair is told as the end of what it repaired.
                    (None, Some(repaired)) => {
                        assert_eq!((verdict, text(repaired, "pattern")), ("better", "recovered"), "{id}");
                    }
                    (None, None) => panic!("{id} is not told"),
                }
                for (target, signal, ratio) in told(&story) {
                    let c = comparisons
                        .iter()
                        .find(|c| c["target"] == *target && c["signal"] == *signal && c["deploy"] == story["deploy"])
                        .expect("compared");
                    if (ratio - 1.0).abs() < 0.001 {
                        assert_eq!(text(c, "verdict"), "no_material_change", "{id} {signal}");
                        continue;
                    }
                    assert_eq!(text(c, "verdict"), verdict, "{id} {target} {signal}");
                    let got = c["ratio"].as_f64().expect("a ratio");
                    assert!((got / ratio - 1.0).abs() < 0.06, "{id} {target} {signal}: {got} is not {ratio}");
                    alarms.insert((text(c, "deploy").to_owned(), target, signal));
                }
            }
        }
        for (form, page) in [("html", &html), ("md", &markdown)] {
            assert!(page.contains(text(&story, "target")), "{id} is not in the {form}");
        }
    }
    for c in comparisons.iter().filter(|c| matches!(text(c, "verdict"), "worse" | "better")) {
        let key = (text(c, "deploy").to_owned(), text(c, "target").to_owned(), text(c, "signal").to_owned());
        assert!(alarms.contains(&key), "nobody told {key:?}");
    }
    let slower = findings.iter().find(|f| text(f, "target") == "POST /v1/authorizations").expect("told");
    let database =
        slower["hints"].as_array().expect("hints").iter().find(|h| h["hint"] == "database_time").expect("a hint");
    assert_eq!(text(database, "fit"), "fits", "the database time explains the slowdown");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    demo(one.path());
    demo(two.path());
    for name in ["report.html", "report.json", "report.md"] {
        assert!(read(one.path(), name) == read(two.path(), name), "{name} differs");
    }
}

#[test]
fn the_written_document_renders_to_the_same_bytes() {
    use fortnight::config::Language;
    use fortnight::render::{html, markdown, terminal, view};
    use fortnight::review::{Review, to_json};

    let folder = tempfile::tempdir().expect("folder");
    let output = Command::new(env!("CARGO_BIN_EXE_fortnight"))
        .args(["demo", "--out"])
        .arg(folder.path())
        .output()
        .expect("runs");
    let json = read(folder.path(), "report.json");
    let review: Review = serde_json::from_str(&json).expect("the document reads back");
    assert!(to_json(&review).expect("written") == json.as_bytes(), "report.json differs");
    let page = view::build(&review);
    assert!(html::render(&page).expect("rendered") == read(folder.path(), "report.html"), "report.html differs");
    assert!(markdown::render(&page) == read(folder.path(), "report.md"), "report.md differs");
    let style = terminal::Style { colour: false, signs: false };
    let summary = terminal::summary(&review, Language::En, style);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with(&summary), "{summary}");
}

#[test]
fn the_sample_data_is_also_a_config() {
    let out = tempfile::tempdir().expect("temporary folder");
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-data/fortnight.toml");
    let status = Command::new(env!("CARGO_BIN_EXE_fortnight"))
        .args(["report", "--from", "2026-11-09", "--to", "2026-11-23", "--fail-on", "worse", "-c"])
        .arg(config)
        .arg("--out")
        .arg(out.path())
        .status()
        .expect("runs");
    assert_eq!(status.code(), Some(3), "the stories hold regressions");
    assert!(out.path().join("report.json").is_file());
}
