//! `fortnight deploy`: what it says of one deploy, where it reads it from, and how it exits.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{code, command, run, stderr, stdout, told, write};
use crate::support::servers::raw::Raw;

const FROM: [&str; 2] = ["--from-report", "fortnight-report"];

fn demo() -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    told(&run(folder.path(), &["demo", "--format", "html,json"]));
    folder
}

fn ask(folder: &TempDir, args: &[&str]) -> (i32, String, String) {
    let output = run(folder.path(), &[&["deploy"], args, &FROM].concat());
    (code(&output), stdout(&output), stderr(&output))
}

/// The config of the sample data.
fn sample() -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample-data/fortnight.toml").display().to_string()
}

#[test]
fn the_exit_code_is_the_answer() {
    let folder = demo();
    for (args, exit) in [
        // It made authorizations slower.
        (&["card-api-1842"][..], 3),
        (&["fd5f234e"], 3),
        (&["#1842"], 3),
        (&["25"], 3),
        (&["card-api-1842", "--fail-on", "never"], 0),
        // Everything is ruled out.
        (&["card-api-1840"], 0),
        (&["card-api-1840", "--strict"], 0),
        // Some checks of it are open.
        (&["latest", "--service", "card-api"], 0),
        (&["latest", "--service", "card-api", "--strict"], 4),
        // Nothing of it can be judged yet.
        (&["latest"], 4),
        (&["latest", "--strict"], 4),
        (&["no-such-deploy"], 1),
        (&["latest", "--service", "no-such-service"], 1),
        (&["latest", "--wait", "soon"], 2),
        (&["latest", "--wait", "2h"], 2),
        (&[], 2),
    ] {
        let (found, out, err) = ask(&folder, args);
        assert_eq!(found, exit, "{args:?}\n{out}{err}");
        // An error prints nothing that reads as an answer.
        assert_eq!(out.is_empty(), [1, 2].contains(&exit), "{args:?}\n{out}{err}");
    }
}

#[test]
fn an_unknown_name_gives_the_nearest() {
    let folder = demo();
    let (_, _, err) = ask(&folder, &["card-api-1844"]);
    assert!(err.contains("has no such deploy") && err.contains("did you mean `card-api-184"), "{err}");
    assert!(err.contains("the latest are notification-424 (eb3f2f5)"), "{err}");
    let (_, _, err) = ask(&folder, &["latest", "--service", "card_api"]);
    assert!(err.contains("did you mean `card-api`?"), "{err}");
    let (_, _, err) = ask(&folder, &["card-api-18"]);
    assert!(err.contains("`fortnight deploy card-api-1826 --service card-api`"), "{err}");
}

#[test]
fn it_fits_the_terminal_and_speaks_the_language_asked_for() {
    let folder = demo();
    let (_, english, _) = ask(&folder, &["card-api-1842"]);
    for part in [
        "card-api  #25 card-api-1842 fd5f234  ",
        "Worse: 4 of 32 checks became worse at this deploy.",
        "[WORSE]      POST /v1/authorizations  p95 response time\n             223 -> 284 ms  +27% [+26 to +28%]",
        "10% ruled out",
        "about 25 h of added waiting so far",
        "fortnight explain F-",
    ] {
        assert!(english.contains(part), "{part:?} is not in\n{english}");
    }
    assert!(english.lines().all(|line| line.chars().count() <= 80), "{english}");
    assert!(english.is_ascii(), "{english}");
    let (_, japanese, _) = ask(&folder, &["card-api-1842", "--lang", "ja"]);
    assert!(japanese.contains("32項目中4項目がこのデプロイで悪化しました"), "{japanese}");
    let (exit, quiet, err) = ask(&folder, &["card-api-1842", "--quiet"]);
    assert_eq!((exit, quiet.lines().count(), err.as_str()), (3, 1, ""), "{quiet}");
    let (_, all, _) = ask(&folder, &["card-api-1842", "--all"]);
    assert_eq!(all.matches("[no change]").count(), 28, "{all}");
    let coloured = run(folder.path(), &[&["deploy", "card-api-1842", "--color", "always"], &FROM[..]].concat());
    let coloured = stdout(&coloured);
    assert!(coloured.contains("\u{1b}[1;31m[WORSE]"), "{coloured}");
}

#[test]
fn its_json_follows_its_schema_and_holds_the_reports_own_checks() {
    let folder = demo();
    let (_, out, _) = ask(&folder, &["card-api-1842", "--json"]);
    let one: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(one["schema"], "fortnight.deploy/1");
    assert_eq!((&one["verdict"], &one["is_judged"]), (&Value::from("worse"), &Value::from(true)));
    let report = std::fs::read(folder.path().join("fortnight-report/report.json")).expect("written");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let own = |list: &Value| -> Vec<Value> {
        let all = list.as_array().expect("a list");
        let mut own: Vec<Value> = all.iter().filter(|one| one["deploy"] == "card-api-1842").cloned().collect();
        own.sort_by_key(|one| one["series"].as_u64());
        own
    };
    assert_eq!(own(&one["comparisons"]), own(&report["comparisons"]));
    assert_eq!(own(&one["findings"]), own(&report["findings"]));
    let schema: Value = serde_json::from_str(&told(&run(folder.path(), &["schema", "deploy"]))).expect("JSON");
    let listed: Vec<&String> = schema["properties"].as_object().expect("properties").keys().collect();
    assert_eq!(listed, one.as_object().expect("an object").keys().collect::<Vec<_>>());
}

#[test]
fn a_published_report_answers_without_a_config_or_key() {
    let folder = demo();
    let (_, from_file, _) = ask(&folder, &["card-api-1842", "--json"]);
    let body = std::fs::read(folder.path().join("fortnight-report/report.json")).expect("written");
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let server = Raw::start([head.as_bytes(), &body].concat());
    let empty = tempfile::tempdir().expect("temporary folder");
    for page in ["/2026-11-09/report.json?signature=secret", "/2026-11-09/", "/latest.html"] {
        let address = format!("{}{page}", server.url);
        let output = run(empty.path(), &["deploy", "card-api-1842", "--json", "--from-report", &address]);
        assert_eq!((code(&output), stdout(&output)), (3, from_file.clone()), "{page}");
    }
    assert_eq!(server.count(), 3);
}

#[test]
fn an_address_that_does_not_answer_with_a_report_is_an_error_without_its_secrets() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (answer, word) in [
        ("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "403"),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://login.example.invalid/\r\nContent-Length: 0\r\n\r\n",
            "login.example",
        ),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 15\r\n\r\n<html>hi</html>", "<html>hi"),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", "its schema"),
    ] {
        let server = Raw::start(answer.as_bytes().to_vec());
        let address = format!("{}/report.json?signature=hush", server.url.replace("http://", "http://user:hush@"));
        let output = run(folder.path(), &["deploy", "latest", "--from-report", &address]);
        let talk = stderr(&output);
        assert_eq!((code(&output), stdout(&output)), (1, String::new()), "{talk}");
        assert!(talk.contains(word) && !talk.contains("hush"), "{word}: {talk}");
    }
}

#[test]
fn without_a_report_it_judges_the_data_as_they_are() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let config = sample();
    // Long after the data end: the hours to come are no gaps.
    let output = command(folder.path())
        .env("SOURCE_DATE_EPOCH", "1797000000")
        .args(["-c", &config, "deploy", "card-api-1842", "--offline", "--json"])
        .output()
        .expect("runs");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let one: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let worse: Vec<&Value> =
        one["comparisons"].as_array().expect("a list").iter().filter(|c| c["verdict"] == "worse").collect();
    assert!(
        worse.iter().any(|c| c["target"] == "POST /v1/authorizations" && c["signal"] == "latency_p95"),
        "{worse:?}"
    );
    assert!(worse.iter().all(|c| c["deploy"] == "card-api-1842"), "{worse:?}");
    assert_eq!(one["period"]["to"], "2026-11-23T00:00:00+09:00");
}

/// A folder with forty days of one endpoint, and one deploy. `SOURCE_DATE_EPOCH` of a run: [`END_S`].
fn small(service: &str, at: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let series: String = (0..24 * 40)
        .map(|hour| format!("{},api,operation,GET /,latency_p95,ms,{}\n", START_S + hour * 3600, 100 + hour % 5))
        .collect();
    write(&folder, "a.csv", &format!("time,service,kind,target,signal,unit,value\n{series}"));
    let deploy = format!("{{\"id\":\"d1\",\"service\":\"{service}\",\"at\":\"{at}\"}}\n");
    write(&folder, "d.jsonl", &deploy);
    write(&folder, "fortnight.toml", "[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\ndeploys = [\"d.jsonl\"]\n");
    folder
}

/// 2026-11-19T00:00:00Z.
const START_S: i64 = 1_795_046_400;
const END_S: i64 = START_S + 40 * 86_400;

fn at_the_end(folder: &TempDir, args: &[&str]) -> (i32, String, String) {
    let now = END_S.to_string();
    let output = command(folder.path()).env("SOURCE_DATE_EPOCH", now).args(args).output().expect("runs");
    (code(&output), stdout(&output), stderr(&output))
}

#[test]
fn waiting_says_for_what_and_ends_with_the_time() {
    let folder = small("api", "2026-12-28T23:00:00Z");
    let began = std::time::Instant::now();
    let (exit, out, err) = at_the_end(&folder, &["deploy", "d1", "--wait", "3s"]);
    assert_eq!(exit, 4, "{out}{err}");
    assert!(err.contains("waiting: 1 of 1 checks of d1 come too early, the last can be judged from 12-29"), "{err}");
    assert!(out.contains("Too early") && !out.contains("ruled out"), "{out}");
    assert!(began.elapsed().as_secs() >= 2, "it did not wait");
    let began = std::time::Instant::now();
    let settled = small("api", "2026-12-20T12:00:00Z");
    let (exit, out, err) = at_the_end(&settled, &["deploy", "d1", "--wait", "1h"]);
    assert_eq!(exit, 0, "{out}{err}");
    assert!(!err.contains("waiting") && began.elapsed().as_secs() < 60, "{err}");
}

#[test]
fn a_deploy_of_a_service_without_data_is_no_success() {
    let folder = small("other", "2026-12-10T00:00:00Z");
    let (exit, out, err) = at_the_end(&folder, &["deploy", "d1"]);
    assert_eq!((exit, out.as_str()), (4, ""), "{err}");
    assert!(err.contains("no series of its service has data") && err.contains("api"), "{err}");
}
