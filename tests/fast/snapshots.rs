//! What people read, held word by word: help, terminal, Markdown and the page, in both languages.
//!
//! After a wanted change: `INSTA_UPDATE=always cargo test --release --test fast snapshots`, then read `git diff`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::support::program::{command, stderr, stdout, write};
use crate::support::{page, redact::redact};

/// The report of the sample data, made once, with what the run printed.
static DEMO: LazyLock<(TempDir, String)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("temporary folder");
    let printed = printed(folder.path(), &["demo", "--out", "demo"]);
    (folder, printed)
});

/// Runs the program on a terminal of 80 columns; returns exit code and both streams.
fn printed(folder: &Path, args: &[&str]) -> String {
    let mut command = command(folder);
    command.args(args).env("COLUMNS", "80").env("SOURCE_DATE_EPOCH", "1795392000");
    let output: Output = command.output().expect("runs");
    let code = output.status.code().expect("not killed");
    let mut text = format!("$ fortnight {}\n{}", args.join(" "), stdout(&output));
    for line in stderr(&output).lines() {
        let _ = writeln!(text, "stderr: {line}");
    }
    redact(&format!("{text}exit code {code}"), folder)
}

fn file(name: &str) -> String {
    let (folder, _) = &*DEMO;
    let text = std::fs::read_to_string(folder.path().join("demo").join(name)).expect("written");
    redact(&text, folder.path())
}

/// One endpoint and its traffic, hourly over four weeks; a deploy in the middle of the period makes it slower.
fn small() -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut series = String::from("time,service,kind,target,signal,unit,value\n");
    for hour in 0..672_i64 {
        let at = 1_795_392_000 - (672 - hour) * 3600;
        let slower = if hour >= 504 { 40 } else { 0 };
        let _ = writeln!(series, "{at},api,operation,GET /,latency_p95,ms,{}", 100 + hour % 7 + slower);
        let _ = writeln!(series, "{at},api,operation,GET /,throughput,requests/min,{}", 600 + hour % 24 * 10);
    }
    let deploy = r#"{"id":"api-7","service":"api","at":"2026-11-16T00:00:00Z","title":"Sort by <date> & amount"}"#;
    write(&folder, "series.csv", &series);
    write(&folder, "deploys.jsonl", deploy);
    let config = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\ndeploys = [\"deploys.jsonl\"]\n";
    write(&folder, "fortnight.toml", config);
    folder
}

/// Every command's help; the global options, the same for all, once.
#[test]
fn help_of_every_command() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let whole = printed(folder.path(), &["--help"]);
    let global = part(&whole, "Global options:", "Examples:").to_owned();
    assert!(global.contains("--config"), "{whole}");
    let listed = part(&whole, "Commands:\n", "\n\n");
    let commands: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 10, "{commands:?}");
    let mut text = whole.clone();
    for name in commands {
        let help = printed(folder.path(), &[name, "--help"]).replace(global.trim_end(), "[global options]");
        let _ = write!(text, "\n\n{help}");
    }
    insta::assert_snapshot!(text);
}

fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let text = text.find(from).map_or("", |start| &text[start..]);
    text.find(to).map_or(text, |end| &text[..end])
}

#[test]
fn demo_on_a_terminal() {
    insta::assert_snapshot!(DEMO.1);
}

#[test]
fn demo_as_markdown() {
    insta::assert_snapshot!(file("report.md"));
}

#[test]
fn demo_as_a_page_in_english() {
    insta::assert_snapshot!(page::text(&file("report.html"), "en"));
}

#[test]
fn demo_as_a_page_in_japanese() {
    insta::assert_snapshot!(page::text(&file("report.html"), "ja"));
}

#[test]
fn first_finding_of_the_demo_in_full() {
    let (folder, _) = &*DEMO;
    for language in ["en", "ja"] {
        let text = printed(folder.path(), &["explain", "1", "--from-report", "demo/report.json", "--lang", language]);
        insta::assert_snapshot!(format!("first_finding_of_the_demo_in_full_{language}"), text);
    }
}

#[test]
fn doctor_on_a_small_team() {
    let folder = small();
    insta::assert_snapshot!(printed(folder.path(), &["doctor"]));
}

#[test]
fn report_of_a_small_team() {
    let folder = small();
    insta::assert_snapshot!("report_of_a_small_team_terminal", printed(folder.path(), &["report", "--out", "out"]));
    let html = std::fs::read_to_string(folder.path().join("out/report.html")).expect("written");
    let html = redact(&html, folder.path());
    insta::assert_snapshot!("report_of_a_small_team_page", page::text(&html, "en"));
    // The markup itself of a card's head and charts: a change of any tag, class or coordinate is seen here.
    let card = part(&html, "<article", "<details").replace("><", ">\n<");
    insta::assert_snapshot!("report_of_a_small_team_markup_of_a_card", card);
}

#[test]
fn wrong_use_says_what_to_do() {
    let folder = tempfile::tempdir().expect("temporary folder");
    write(&folder, "fortnight.toml", "[[source]]\nkind = \"files\"\nseries = [\"*.csv\"]\n");
    write(&folder, "wrong.toml", "[[source]]\nkind = \"prometeus\"\n");
    let calls: [&[&str]; 6] = [
        &["report"],
        &["report", "-c", "wrong.toml"],
        &["report", "-c", "none.toml"],
        &["report", "--form", "html"],
        &["report", "--from", "x"],
        &["explain", "1"],
    ];
    let all: Vec<String> = calls.iter().map(|args| printed(folder.path(), args)).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}
