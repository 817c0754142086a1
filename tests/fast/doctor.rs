//! `fortnight doctor`: the checks and what to do about them; and the placebo deploys, their counts and their refusals.

use std::process::Output;

use crate::support::program::{code, run, stderr, stdout, write};
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\ndeploys = [\"deploys.jsonl\"]\n";
const SPAN: [&str; 4] = ["--from", "2026-11-09", "--to", "2026-11-23"];

/// Six weeks from 2026-10-12, hourly, up to 2026-11-23.
const HOURS: i64 = 42 * 24;
const START: i64 = 1_791_763_200;

/// A level with a daily wave and noise that does not repeat.
fn rows(service: &str, target: &str, signal: &str, unit: &str, level: f64, salt: u64) -> String {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    for hour in 0..HOURS {
        let mut noise = 0.0;
        for _ in 0..4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            noise += (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
        }
        let wave = (hour as f64 * std::f64::consts::TAU / 24.0).sin();
        let value = level * (1.0 + 0.2 * wave + 0.03 * noise);
        let target = target.replace('"', "\"\"");
        text.push_str(&format!(
            "{},{service},operation,\"{target}\",{signal},{unit},{value:.4}\n",
            START + hour * 3600
        ));
    }
    text
}

fn with(series: &str, deploys: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    write(&folder, "series.csv", &format!("time,service,kind,target,signal,unit,value\n{series}"));
    write(&folder, "deploys.jsonl", deploys);
    write(&folder, "fortnight.toml", CONFIG);
    folder
}

fn deploy(id: &str, service: &str, at: &str) -> String {
    format!("{{\"id\": \"{id}\", \"service\": \"{service}\", \"at\": \"{at}\"}}\n")
}

/// Two services with latency and traffic.
fn usual() -> TempDir {
    let mut series = String::new();
    for (index, service) in ["api", "web"].into_iter().enumerate() {
        let salt = index as u64 * 10;
        series.push_str(&rows(service, "GET /", "latency_p50", "ms", 80.0, salt + 1));
        series.push_str(&rows(service, "GET /", "latency_p95", "ms", 200.0, salt + 2));
        series.push_str(&rows(service, "GET /", "throughput", "requests/min", 300.0, salt + 3));
    }
    with(&series, &deploy("d1", "api", "2026-11-12T10:00:00Z"))
}

fn placebo(folder: &TempDir, more: &[&str]) -> Output {
    run(folder.path(), &[&["doctor", "--placebo"], &SPAN[..], more].concat())
}

fn check<'a>(checkup: &'a Value, name: &str) -> &'a Value {
    let checks = checkup["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no check {name} in {checkup}"))
}

fn checkup(folder: &TempDir, code_wanted: i32) -> Value {
    let output = run(folder.path(), &[&["doctor", "--json"], &SPAN[..]].concat());
    assert_eq!(code(&output), code_wanted, "{}{}", stdout(&output), stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_healthy_set_up_is_said_to_be_one() {
    let folder = usual();
    let found = checkup(&folder, 0);
    for name in ["config", "source", "period", "history", "deploys", "output", "store"] {
        assert_eq!(check(&found, name)["health"], "ok", "{name}");
    }
    // `web` has no deploy, which may be right.
    assert!(check(&found, "markers")["found"].as_str().expect("text").contains("web"));
    let text = stdout(&run(folder.path(), &[&["doctor"], &SPAN[..]].concat()));
    assert!(text.lines().last().expect("lines").contains("0 failed"), "{text}");
    assert!(text.is_ascii() && text.contains("help: "), "{text}");
}

#[test]
fn nobody_is_asked_for_the_deploys_of_a_database() {
    let folder = usual();
    let series = rows("ledger-db-1", "rds:ledger-db-1", "cpu_utilization", "percent", 35.0, 14);
    let series = series.replace(",operation,", ",resource,");
    write(&folder, "more.csv", &format!("time,service,kind,target,signal,unit,value\n{series}"));
    let config = std::fs::read_to_string(folder.path().join("fortnight.toml")).expect("there");
    write(&folder, "fortnight.toml", &config.replace("\"series.csv\"", "\"series.csv\", \"more.csv\""));
    let found = checkup(&folder, 0);
    let text = |name| check(&found, name)["found"].as_str().expect("text");
    assert!(text("services").contains("ledger-db-1"), "{found}");
    assert!(!text("markers").contains("ledger-db-1") && text("markers").contains("web"), "{found}");
}

#[test]
fn each_thing_that_is_wrong_has_a_line_with_what_to_do() {
    let folder = usual();
    let series = rows("api", "POST /pay", "latency_p95", "ms", 90.0, 5);
    write(&folder, "more.csv", &format!("time,service,kind,target,signal,unit,value\n{series}"));
    write(&folder, "deploys.jsonl", &deploy("d1", "apii", "2026-11-12T10:00:00Z"));
    write(
        &folder,
        "fortnight.toml",
        "[[source]]\nkind = \"files\"\nid = \"all\"\nseries = [\"series.csv\", \"more.csv\"]\ndeploys = [\"deploys.jsonl\"]\n\
         [[source]]\nkind = \"files\"\nid = \"gone\"\nseries = [\"nothing.csv\"]\n[[service]]\nname = \"weeb\"\n[output]\ndir = \"taken\"\n",
    );
    write(&folder, "taken", "");
    let found = checkup(&folder, 1);
    assert_eq!(found["schema"], "fortnight.doctor/1");
    assert_eq!(found["health"], "fail");
    let failed: Vec<&Value> =
        found["checks"].as_array().expect("checks").iter().filter(|check| check["health"] == "fail").collect();
    assert_eq!(failed.len(), 2, "{found}");
    for check in found["checks"].as_array().expect("checks").iter().filter(|check| check["health"] != "ok") {
        assert!(!check["help"].as_array().expect("help").is_empty(), "{check}");
    }
    let markers = check(&found, "names");
    assert!(markers["help"][0].as_str().expect("help").contains("is `apii` the `api`"), "{markers}");
    assert!(check(&found, "owners")["help"][0].as_str().expect("help").contains("`web`"));
    assert!(check(&found, "traffic")["found"].as_str().expect("text").contains("POST /pay"));
    let schema: Value = serde_json::from_slice(&run(folder.path(), &["schema", "doctor"]).stdout).expect("JSON");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&schema["properties"]), keys(&found));
}

#[test]
fn a_period_without_data_names_the_span_to_type() {
    let folder = usual();
    let output = run(folder.path(), &["doctor", "--from", "2025-01-01"]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("type `--from 2026-11-09 --to 2026-11-23`"), "{}", stdout(&output));
    let empty = with("", "");
    assert_eq!(checkup(&empty, 1)["health"], "fail");
}

#[test]
fn placebos_are_counted_and_the_same_every_time() {
    let folder = usual();
    let output = placebo(&folder, &["--json", "--tests", "60"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(outcome["schema"], "fortnight.placebo/1");
    let tests = outcome["total"]["tests"].as_u64().expect("a count");
    assert!(tests >= 60, "{outcome}");
    let by_signal: u64 = outcome["signals"]
        .as_array()
        .expect("signals")
        .iter()
        .map(|one| one["counts"]["tests"].as_u64().expect("a count"))
        .sum();
    assert_eq!(by_signal, tests);
    // Throughput has no bad direction and cannot cry, so it does not dilute the rate.
    assert!(outcome["signals"].as_array().expect("signals").iter().all(|one| one["signal"] != "throughput"));
    let alarms =
        outcome["total"]["worse"].as_u64().expect("a count") + outcome["total"]["better"].as_u64().expect("a count");
    let ends = outcome["total"]["alarms_per_1000_ci"].as_array().expect("an interval");
    let rate = 1000.0 * alarms as f64 / tests as f64;
    assert!(
        ends[0].as_f64().expect("low") <= rate
            && rate <= ends[1].as_f64().expect("high")
            && ends[1].as_f64() > Some(0.0)
    );
    assert!(rate < 50.0, "this noise is calm: {outcome}");
    assert_eq!(output.stdout, placebo(&folder, &["--json", "--tests", "60"]).stdout);
    let schema: Value = serde_json::from_slice(&run(folder.path(), &["schema", "placebo"]).stdout).expect("JSON");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&schema["properties"]), keys(&outcome));
    assert_eq!(keys(&schema["$defs"]["SignalCounts"]["properties"]), keys(&outcome["signals"][0]));
    let text = stdout(&placebo(&folder, &["--rounds", "2"]));
    assert!(text.contains("2 rounds") && text.contains("latency_p95") && text.contains("advice"), "{text}");
    assert_eq!(code(&run(folder.path(), &["doctor", "--tests", "5"])), 2, "without --placebo it means nothing");
}

#[test]
fn a_limit_that_is_too_small_is_raised_and_can_be_pasted() {
    // So noisy that a change of 1 % can never be seen, and calm enough for some limit.
    let folder = usual();
    write(&folder, "fortnight.toml", &format!("[judge.limit]\nrelative = 0.01\nlatency_ms = 0\n{CONFIG}"));
    let text = stdout(&placebo(&folder, &["--tests", "120"]));
    let (_, lines) = text.split_once("# for the config").unwrap_or_else(|| panic!("{text}"));
    let (_, lines) = lines.split_once('\n').expect("lines");
    let table: toml::Table = lines.parse().expect("TOML");
    let signals = table["signal"].as_table().expect("signals");
    for (_, signal) in signals {
        assert!(signal["relative"].as_float().expect("a limit") > 0.01, "{text}");
    }
    write(&folder, "fortnight.toml", &format!("{CONFIG}\n{lines}"));
    let again = placebo(&folder, &["--tests", "120"]);
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert!(!stdout(&again).contains("raise to"), "{}", stdout(&again));
}

#[test]
fn where_no_placebo_fits_no_rate_is_claimed() {
    let dense: String = (9..23)
        .flat_map(|day| [3, 9, 15, 21].map(|hour| (day, hour)))
        .flat_map(|(day, hour)| {
            let at = format!("2026-11-{day:02}T{hour:02}:00:00Z");
            ["api", "web"].map(|service| deploy(&format!("{service}-{day}-{hour}"), service, &at))
        })
        .collect();
    let folder = usual();
    write(&folder, "deploys.jsonl", &dense);
    let output = placebo(&folder, &[]);
    assert_eq!(code(&output), 1);
    assert!(output.stdout.is_empty());
    assert!(
        stderr(&output).contains("failed to place a placebo deploy") && stderr(&output).contains("calmer period"),
        "{}",
        stderr(&output)
    );

    let folder = usual();
    let output = run(folder.path(), &["doctor", "--placebo", "--from", "2026-11-22T20:00:00Z", "--to", "2026-11-23"]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    assert!(stderr(&output).contains("too few hours"), "{}", stderr(&output));

    let output = run(folder.path(), &["doctor", "--placebo", "--from", "2025-01-01"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no source has a point"), "{}", stderr(&output));

    let neutral = with(&rows("api", "GET /", "throughput", "requests/min", 300.0, 3), "");
    let output = placebo(&neutral, &[]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no bad direction"), "{}", stderr(&output));
}

#[test]
fn hostile_names_stay_text() {
    let evil = "GET /\u{1b}[31m\u{202e}\u{7}";
    let mut series = rows("api\u{1b}[2J", evil, "lat\u{202e}ency", "ms", 90.0, 5);
    series.push_str(&rows("quiet\u{7}", evil, "latency_p95", "ms", 90.0, 6));
    let deploys = deploy("placebo-x", "other\u{202e}", "2026-11-12T10:00:00Z");
    let folder = with(&series, &deploys);
    for args in [&["doctor"][..], &["doctor", "--placebo", "--rounds", "2"]] {
        let output = run(folder.path(), &[args, &SPAN[..]].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let text = stdout(&output);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text}");
    }
}

#[test]
fn parts_give_the_same_counts_as_the_whole() {
    let folder = usual();
    // Just above what the least memory holds at once.
    let mut series = String::from("time,service,kind,target,signal,unit,value\n");
    for index in 0..1100 {
        let service = format!("s{:02}", index % 40);
        series.push_str(&rows(&service, &format!("GET /{index}"), "latency_p95", "ms", 90.0, index));
    }
    write(&folder, "series.csv", &series);
    let read = |memory: u32| {
        write(&folder, "fortnight.toml", &format!("memory_mb = {memory}\n{CONFIG}"));
        stdout(&placebo(&folder, &["--json", "--rounds", "1"]))
    };
    let (parts, all) = (read(16), read(1024));
    assert!(parts == all && all.contains("\"rounds\": 1"));
}
