//! A report requests what its period lacks and nothing else; without keys the store is enough where it has the period.

use std::path::Path;
use std::process::Output;

use crate::support::program::{self, code, command, stderr};
use crate::support::servers::nerdgraph::{KEY, NerdGraph};
use crate::support::servers::world::{DAY, HOUR, World};
use serde_json::Value;
use tempfile::TempDir;

/// The midnight of UTC on Monday 2026-11-23.
const MONDAY: i64 = 1_795_392_000_000;
const MINUTE: i64 = 60_000;

/// Zones with the hours that their clocks are ahead of UTC in November.
const ZONES: [(&str, i64); 9] = [
    ("UTC", 0),
    ("Asia/Tokyo", 9 * 60),
    // Between collecting and reporting the date of UTC changes.
    ("Asia/Singapore", 8 * 60),
    ("Asia/Kolkata", 330),
    ("Asia/Kathmandu", 345),
    ("Pacific/Auckland", 13 * 60),
    ("Europe/Berlin", 60),
    ("America/New_York", -5 * 60),
    ("Pacific/Honolulu", -10 * 60),
];

fn world(now: i64) -> World {
    World { applications: 1, transactions: 1, otel: 0, routes: 1, now, ..World::default() }
}

fn folder(server: &NerdGraph, zone: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let config = format!(
        "timezone = \"{zone}\"\n[period]\ndays = 7\nanchor = \"2026-11-16\"\n[judge]\nbaseline_days = 3\n\
         [[source]]\nid = \"apm\"\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{}\"\nstep_minutes = 60\n",
        server.endpoint()
    );
    program::write(&folder, "fortnight.toml", &config);
    folder
}

/// Runs a command at an hour, with the key or without it.
fn at(now: i64, folder: &Path, has_key: bool, args: &[&str]) -> Output {
    let mut command = command(folder);
    command.args(args).env("SOURCE_DATE_EPOCH", (now / 1000).to_string()).env("NO_PROXY", "127.0.0.1");
    if has_key {
        command.env("NEW_RELIC_API_KEY", KEY);
    }
    command.output().expect("runs")
}

const REPORT: [&str; 7] = ["report", "--fail-on", "partial", "--format", "json", "--out", "out"];

fn source(folder: &Path) -> Value {
    let report = std::fs::read(folder.join("out/report.json")).expect("written");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    report["sources"].as_array().expect("a list").iter().find(|one| one["id"] == "apm").expect("there").clone()
}

/// A server whose clock shows a time, and the runtime that it needs.
fn server(now: i64) -> (tokio::runtime::Runtime, NerdGraph) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let server = runtime.block_on(NerdGraph::start(world(now)));
    (runtime, server)
}

/// The local midnight at which the period ends.
fn midnight(ahead_min: i64) -> i64 {
    MONDAY - ahead_min * MINUTE
}

#[test]
fn after_the_scheduled_collect_a_report_requests_nothing_in_any_zone() {
    for (zone, ahead_min) in ZONES {
        let (collected_at, now) =
            (midnight(ahead_min) + 5 * HOUR + 23 * MINUTE, midnight(ahead_min) + 8 * HOUR + 7 * MINUTE);
        let (_runtime, server) = server(now);
        let folder = folder(&server, zone);
        // The crontab of `init`: collect at 05:23, report on Mondays at 08:07, both by the local clock.
        let collected = at(collected_at, folder.path(), true, &["--quiet", "collect"]);
        assert_eq!(code(&collected), 0, "{zone}: {}", stderr(&collected));
        let before = server.asked().len();
        for has_key in [false, true] {
            let output = at(now, folder.path(), has_key, &REPORT);
            let said = stderr(&output);
            assert_eq!(code(&output), 0, "{zone}, key {has_key}: {said}");
            assert_eq!(server.asked().len(), before, "{zone}: {said}");
            assert!(
                said.contains("nothing requested from apm: the store has all that the report needs"),
                "{zone}: {said}"
            );
            assert!(!said.contains("failed") && !said.contains("NEW_RELIC_API_KEY"), "{zone}: {said}");
            let source = source(folder.path());
            assert_eq!(source["state"], "ok", "{zone}: {source}");
            assert!(!source.to_string().contains("data_until"), "{zone}: {source}");
        }
    }
}

#[test]
fn what_the_store_lacks_is_requested_once_and_printed() {
    let now = MONDAY + 8 * HOUR;
    let (_runtime, server) = server(now);
    let folder = folder(&server, "UTC");
    at(MONDAY - 2 * DAY + 5 * HOUR, folder.path(), true, &["--quiet", "collect"]);
    let before = server.asked().len();
    let output = at(now, folder.path(), true, &REPORT);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("requested from apm: 2 days from 2026-11-21 (UTC) on"), "{}", stderr(&output));
    let since: Vec<i64> = server
        .asked()
        .iter()
        .skip(before)
        .filter(|one| one.nrql.as_ref().is_some_and(|query| query.step.is_some()))
        .filter_map(|one| Some(one.nrql.as_ref()?.since))
        .collect();
    assert!(!since.is_empty() && since.iter().all(|since| *since >= MONDAY - 2 * DAY), "{since:?}");
    let before = server.asked().len();
    assert_eq!(code(&at(now, folder.path(), true, &REPORT)), 0);
    assert_eq!(server.asked().len(), before, "the second report has it all");
}

#[test]
fn without_a_key_days_of_the_period_that_are_missing_are_a_failure_with_the_time_until_which_the_data_go() {
    let now = midnight(9 * 60) + 8 * HOUR;
    let (_runtime, server) = server(now);
    let folder = folder(&server, "Asia/Tokyo");
    // Twenty hours before the end of the period.
    at(midnight(9 * 60) - 20 * HOUR, folder.path(), true, &["--quiet", "collect"]);
    let before = server.asked().len();
    let output = at(now, folder.path(), false, &[&["--quiet"], &REPORT[..]].concat());
    let said = stderr(&output);
    assert_eq!(code(&output), 5, "{said}");
    assert!(said.contains("a source failed") && said.contains("NEW_RELIC_API_KEY"), "{said}");
    assert_eq!(server.asked().len(), before);
    let source = source(folder.path());
    assert_eq!(source["state"], "partial", "{source}");
    let text = source.to_string();
    assert!(text.contains("data_until") && text.contains("2026-11-22T04:00:00+09:00"), "{text}");
    // The same without asking, and with the last word by the page.
    let output = at(now, folder.path(), false, &["report", "--offline", "--format", "md", "--out", "out"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let page = std::fs::read_to_string(folder.path().join("out/report.md")).expect("written");
    assert!(page.contains("2026-11-22T04:00:00+09:00"), "{page}");
}

#[test]
fn days_before_the_period_that_cannot_be_requested_are_a_note_and_no_failure() {
    let now = MONDAY + 8 * HOUR;
    let (_runtime, server) = server(now);
    let folder = folder(&server, "UTC");
    let collected = at(now, folder.path(), true, &["--quiet", "collect", "--since", "2026-11-16"]);
    assert_eq!(code(&collected), 0, "{}", stderr(&collected));
    let output = at(now, folder.path(), false, &REPORT);
    let said = stderr(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(
        said.contains("not requested from apm: ") && said.contains("the store has its data until 2026-11-23T00:00:00"),
        "{said}"
    );
    let source = source(folder.path());
    assert_eq!(source["state"], "ok", "{source}");
    assert!(source.to_string().contains("not_requested"), "{source}");
}

#[test]
fn a_store_that_cannot_be_written_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let now = MONDAY + 8 * HOUR;
    let (_runtime, server) = server(now);
    let folder = folder(&server, "UTC");
    at(now, folder.path(), true, &["--quiet", "collect"]);
    let lock = folder.path().join(".fortnight/lock");
    std::fs::remove_file(&lock).expect("removed");
    std::fs::create_dir(&lock).expect("a folder where the lock belongs, so that root cannot write either");
    std::fs::set_permissions(folder.path().join(".fortnight"), std::fs::Permissions::from_mode(0o500)).expect("set");
    let output = at(now, folder.path(), false, &REPORT);
    let said = stderr(&output);
    std::fs::set_permissions(folder.path().join(".fortnight"), std::fs::Permissions::from_mode(0o700)).expect("set");
    assert_eq!(code(&output), 0, "{said}");
}

#[test]
fn a_first_report_without_data_says_why_nothing_was_requested() {
    let now = MONDAY + 8 * HOUR;
    let (_runtime, server) = server(now);
    let folder = folder(&server, "UTC");
    let output = at(now, folder.path(), false, &[&["--quiet"], &REPORT[..]].concat());
    let said = stderr(&output);
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("NEW_RELIC_API_KEY") && said.contains("nothing is collected yet"), "{said}");
    assert_eq!(said.matches("a source failed").count(), 1, "{said}");
}
