//! `fortnight publish`, `report --publish`, `due`: what is written where, and what a place that fails does to the others.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::program::{code, command, stderr, stdout, told, write};

const CONFIG: &str = "\
timezone = \"Asia/Tokyo\"
languages = [\"ja\", \"en\"]
[period]
anchor = 2026-11-09
[[source]]
kind = \"files\"
series = [\"series.csv\"]
deploys = [\"deploys.csv\"]
[output]
dir = \"out\"
";

/// Runs at a fixed time, so that what is due does not depend on the day of the test.
fn at(folder: &TempDir, day: &str, args: &[&str]) -> Output {
    let seconds = chrono_seconds(day).to_string();
    command(folder.path()).args(args).env("SOURCE_DATE_EPOCH", seconds).output().expect("runs")
}

fn chrono_seconds(day: &str) -> i64 {
    let date: chrono::NaiveDate = day.parse().expect("a date");
    date.and_hms_opt(3, 0, 0).expect("a time").and_utc().timestamp()
}

/// Six weeks of hourly response times of one service that a deploy on 11 November made slower by a half.
pub fn team(places: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let start = chrono_seconds("2026-10-12") - 3 * 3600 - 9 * 3600;
    let mut text = String::from("time,service,kind,target,signal,unit,value\n");
    for hour in 0..(42 * 24) {
        let at = start + hour * 3600;
        let noise = f64::from(u32::try_from(hour * 7919 % 101).expect("small")) / 101.0;
        let level = if at >= chrono_seconds("2026-11-11") { 150.0 } else { 100.0 };
        let value = level * (1.0 + 0.02 * noise);
        text.push_str(&format!("{},api,operation,GET /a,latency_p95,ms,{value:.3}\n", at * 1000));
        text.push_str(&format!("{},api,operation,GET /a,throughput,requests/min,{:.1}\n", at * 1000, 600.0 + noise));
    }
    write(&folder, "series.csv", &text);
    let deploys = "id,at,kind,service,revision,title,author,url\n\
                   d-1,2026-11-11T12:00:00+09:00,deploy,api,v1,Add a limit,Aya,https://git.example.com/pull/1\n";
    write(&folder, "deploys.csv", deploys);
    write(&folder, "fortnight.toml", &format!("{CONFIG}{places}"));
    folder
}

const SITE: &str = "[[publish]]\nkind = \"folder\"\ndir = \"site\"\nurl = \"https://reports.example.com/p/\"\n";

/// Returns every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let pattern = folder.join("**/*").display().to_string();
    let found = glob::glob(&pattern).expect("a pattern").filter_map(Result::ok).filter(|path| path.is_file());
    found
        .map(|path| {
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            (name, std::fs::read(&path).expect("readable"))
        })
        .collect()
}

fn archive(folder: &TempDir) -> Value {
    serde_json::from_slice(&std::fs::read(folder.path().join("site/index.json")).expect("there")).expect("JSON")
}

#[test]
fn a_report_is_published_whole_with_index_feed_and_digests_and_a_second_time_changes_nothing() {
    let folder = team(SITE);
    let args = ["report", "--if-due", "--publish"];
    let out = told(&at(&folder, "2026-11-23", &args));
    assert!(out.ends_with("https://reports.example.com/p/2026-11-09/report.html\n"), "{out}");
    let before = files(&folder.path().join("site"));
    let names: Vec<&str> = before.keys().map(String::as_str).filter(|name| !name.starts_with('.')).collect();
    assert_eq!(
        names,
        [
            "2026-11-09/SHA256SUMS",
            "2026-11-09/report.html",
            "2026-11-09/report.json",
            "2026-11-09/report.md",
            "feed.xml",
            "index.html",
            "index.json",
            "latest.html"
        ]
    );
    let list = String::from_utf8(before["2026-11-09/SHA256SUMS"].clone()).expect("UTF-8");
    for line in list.lines() {
        let (digest, name) = line.split_once("  ").expect("digest and name");
        let found: String =
            Sha256::digest(&before[&format!("2026-11-09/{name}")]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, digest, "{name}");
    }
    assert_eq!(before["latest.html"], before["2026-11-09/report.html"]);
    // What is published is what was written.
    for name in ["report.html", "report.json", "report.md"] {
        let written = std::fs::read(folder.path().join("out").join(name)).expect("written");
        assert_eq!(before[&format!("2026-11-09/{name}")], written, "{name}");
    }
    let index = String::from_utf8(before["index.html"].clone()).expect("UTF-8");
    assert!(index.contains("2026-11-09/report.html") && index.contains("1サービス中1サービス"), "{index}");
    let feed = String::from_utf8(before["feed.xml"].clone()).expect("UTF-8");
    let entry = archive(&folder)["reports"][0]["findings"][0]["id"].as_str().expect("an id").to_owned();
    assert!(feed.contains(&format!("https://reports.example.com/p/2026-11-09/report.html#{entry}")), "{feed}");

    told(&at(&folder, "2026-11-24", &["publish"]));
    assert_eq!(files(&folder.path().join("site")), before);
    // It is there, so nothing is due and nothing is asked.
    let output = at(&folder, "2026-11-24", &[&args[..], &["--exit-not-due"]].concat());
    assert_eq!((code(&output), stdout(&output)), (6, String::new()), "{}", stderr(&output));
    assert!(stderr(&output).contains("not due: the next period is 2026-11-23 to 2026-12-07"), "{}", stderr(&output));
    assert_eq!(code(&at(&folder, "2026-11-24", &args)), 0);
}

#[test]
fn missed_periods_are_caught_up_the_oldest_first_and_the_newest_is_the_latest() {
    let folder = team(&format!("{SITE}[judge]\nbaseline_days = 7\n"));
    told(&at(&folder, "2026-11-10", &["report", "--if-due", "--publish"]));
    std::fs::remove_dir_all(folder.path().join("out")).expect("a container without a disk");
    let out = told(&at(&folder, "2026-12-08", &["due"]));
    assert!(
        out.starts_with("due      2026-11-09 to 2026-11-23\ndue      2026-11-23 to 2026-12-07\ncoming   2026-12-07"),
        "{out}"
    );
    // The data end with the first of the two: the second cannot be made, and the first is there all the same.
    let output = at(&folder, "2026-12-08", &["report", "--if-due", "--catch-up", "--publish"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let keys: Vec<String> = archive(&folder)["reports"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|report| report["key"].as_str().expect("a key").to_owned())
        .collect();
    assert_eq!(keys, ["2026-10-26", "2026-11-09"]);
    let site = files(&folder.path().join("site"));
    assert_eq!(site["latest.html"], site["2026-11-09/report.html"]);
    // An older report that is published again does not become the latest.
    told(&at(&folder, "2026-12-08", &["publish", "--from-report", "site/2026-10-26"]));
    assert_eq!(files(&folder.path().join("site"))["latest.html"], site["latest.html"]);
}

#[test]
fn a_place_that_fails_does_not_keep_the_others_from_being_served() {
    let broken = "[[publish]]\nkind = \"folder\"\nid = \"broken\"\ndir = \"series.csv/x\"\n";
    let folder = team(&format!("{broken}{SITE}"));
    told(&at(&folder, "2026-11-23", &["report"]));
    let output = at(&folder, "2026-11-23", &["publish"]);
    assert_eq!(code(&output), 1);
    assert_eq!(stdout(&output), "https://reports.example.com/p/2026-11-09/report.html\n");
    let err = stderr(&output);
    assert!(err.contains("serve the place `broken`") && err.contains("fortnight publish --only broken"), "{err}");
    assert!(folder.path().join("site/index.html").is_file());
    // What is due cannot be known while a place cannot be asked.
    assert_eq!(code(&at(&folder, "2026-11-23", &["due"])), 1);
}

#[test]
fn another_period_under_the_same_name_is_never_replaced() {
    let folder = team(SITE);
    told(&at(&folder, "2026-11-23", &["report", "--publish"]));
    let before = files(&folder.path().join("site"));
    let week = ["report", "--from", "2026-11-09", "--to", "2026-11-16", "--publish"];
    let output = at(&folder, "2026-11-23", &week);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("2026-11-09T00:00:00+09:00 to 2026-11-23T00:00:00+09:00"), "{}", stderr(&output));
    assert_eq!(files(&folder.path().join("site")), before);
}

#[test]
fn a_review_is_recorded_with_date_and_digest_once() {
    let folder = team(SITE);
    told(&at(&folder, "2026-11-23", &["report"]));
    // Nobody can have reviewed what is not there.
    let early = at(&folder, "2026-11-23", &["publish", "--reviewed-by", "Aya Sato"]);
    assert!(code(&early) == 1 && stderr(&early).contains("publish it first"), "{}", stderr(&early));
    told(&at(&folder, "2026-11-23", &["publish"]));
    for _ in 0..2 {
        let out = told(&at(&folder, "2026-11-24", &["publish", "--reviewed-by", "Aya <b> Sato"]));
        assert_eq!(out, "folder: 2026-11-09 reviewed by Aya <b> Sato on 2026-11-24T12:00:00+09:00\n");
    }
    let report = &archive(&folder)["reports"][0];
    let lines = report["reviewed"].as_array().expect("a list");
    assert_eq!((lines.len(), &lines[0]["sha256"]), (1, &report["sha256"]));
    let index = std::fs::read_to_string(folder.path().join("site/index.html")).expect("there");
    assert!(index.contains("Aya &#60;b&#62; Sato") || index.contains("Aya &lt;b&gt; Sato"), "{index}");
    assert_eq!(code(&at(&folder, "2026-11-24", &["publish", "--reviewed-by", " "])), 2);
}

#[test]
fn wrong_use_says_what_to_do() {
    let folder = team("");
    told(&at(&folder, "2026-11-23", &["report"]));
    for (args, exit, words) in [
        (&["publish"][..], 2, "[[publish]] with kind = \"folder\""),
        (&["report", "--catch-up"], 2, "--if-due"),
        (&["report", "--if-due", "--from", "2026-11-09"], 2, "cannot be used with"),
    ] {
        let output = at(&folder, "2026-11-23", args);
        assert_eq!(code(&output), exit, "{args:?}");
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
    let folder = team(SITE);
    let output = at(&folder, "2026-11-23", &["publish"]);
    assert!(code(&output) == 1 && stderr(&output).contains("fortnight report"), "{}", stderr(&output));
    let output = at(&folder, "2026-11-23", &["publish", "--only", "bucket"]);
    assert!(code(&output) == 1 || stderr(&output).contains("the config has folder"), "{}", stderr(&output));
    std::fs::create_dir(folder.path().join("site")).expect("a folder");
    std::fs::write(folder.path().join("site/index.json"), "{").expect("written");
    told(&at(&folder, "2026-11-23", &["report"]));
    let output = at(&folder, "2026-11-23", &["publish"]);
    assert!(code(&output) == 1 && stderr(&output).contains("index.json"), "{}", stderr(&output));
    // A dry run writes nothing.
    std::fs::remove_file(folder.path().join("site/index.json")).expect("removed");
    let out = told(&at(&folder, "2026-11-23", &["publish", "--dry-run"]));
    assert!(out.starts_with("folder: 2026-11-09/report.html, ") && out.ends_with("would be new\n"), "{out}");
    assert!(files(&folder.path().join("site")).is_empty());
}
