//! What a reader should know of the input before the findings: whole runs over files with a slip in them.

use std::fmt::Write as _;

use chrono_tz::Tz;
use fortnight::model::time::{self, DAY, HOUR, MINUTE, Window};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{code, run, stderr, stdout, write};
use crate::support::series::{Change, Spec, four_weeks, instant};

/// A folder with series of four weeks and deploys.
struct Bench {
    folder: TempDir,
    rows: String,
    deploys: String,
    zone: &'static str,
}

impl Bench {
    fn new() -> Self {
        let rows = "time,service,kind,target,signal,unit,value\n".to_owned();
        Self { folder: tempfile::tempdir().expect("folder"), rows, deploys: String::new(), zone: "UTC" }
    }

    /// Adds a series every quarter of an hour. `shape`: what is written for an instant and its true value in the unit.
    fn series(mut self, spec: Spec, shape: impl Fn(i64, f64) -> Option<f64>) -> Self {
        let (history, _) = four_weeks();
        let made = Spec { step: 15 * MINUTE, ..spec }.make(history, Tz::UTC, None);
        let key = &made.key;
        for (at, value) in made.times.iter().zip(&made.values) {
            if let Some(value) = shape(*at, value / made.unit.factor) {
                let (service, target, signal) = (&key.service, &key.target, &key.signal);
                let unit = made.unit.symbol;
                writeln!(self.rows, "{at},{service},operation,{target},{signal},{unit},{value}").expect("fits");
            }
        }
        self
    }

    fn deploy(mut self, id: &str, service: &str, at: i64) -> Self {
        writeln!(self.deploys, r#"{{"id":"{id}","service":"{service}","at":{at}}}"#).expect("fits");
        self
    }

    /// Returns the report, and what the terminal shows in a language.
    fn report(&self, language: &str) -> (Value, String) {
        let (_, period) = four_weeks();
        let date = |at| time::local(at, Tz::UTC).format("%Y-%m-%d").to_string();
        let config = format!(
            "languages = [\"{language}\"]\ntimezone = \"{}\"\n[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n\
             deploys = [\"deploys.jsonl\"]\n",
            self.zone
        );
        write(&self.folder, "fortnight.toml", &config);
        write(&self.folder, "series.csv", &self.rows);
        write(&self.folder, "deploys.jsonl", &self.deploys);
        let (from, to) = (date(period.start), date(period.end));
        let asked = ["report", "--from", &from, "--to", &to, "--format", "json,html", "--out", "out"];
        let output = run(&self.folder, &asked);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        (serde_json::from_str(&self.written("json")).expect("JSON"), stderr(&output))
    }

    /// Returns the report in one of its forms.
    fn written(&self, form: &str) -> String {
        let files = std::fs::read_dir(self.folder.path().join("out")).expect("written").flatten();
        let path = files.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == form));
        std::fs::read_to_string(path.expect("there")).expect("UTF-8")
    }

    fn doctor(&self) -> String {
        stdout(&run(&self.folder, &["doctor"]))
    }
}

fn period() -> Window {
    four_weeks().1
}

fn start() -> i64 {
    four_weeks().0.start
}

/// Latency of an endpoint, 40 ms and more.
fn latency(target: &str, signal: &str, level: f64, seed: u64) -> Spec {
    Spec { season: 0.2, ..Spec::new(["pay", target, signal], "ms", level, seed) }
}

fn kinds(report: &Value) -> Vec<&str> {
    report["notices"].as_array().expect("a list").iter().map(|one| one["kind"].as_str().expect("a word")).collect()
}

/// One line, whatever the width of the terminal.
fn joined(out: &str) -> String {
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn seconds_in_a_column_of_milliseconds_are_asked_about_and_no_improvement() {
    let at = instant(start(), 18, 11);
    for (rises, divisor) in [(false, 1000.0), (true, 0.001)] {
        let slip = |now: i64, value: f64| Some(if now >= at { value / divisor } else { value });
        let bench = Bench::new()
            .series(latency("POST /charge", "latency_p95", 130.0, 1), slip)
            .series(latency("GET /charge", "latency_p95", 48.0, 2), slip)
            .deploy("d-1", "pay", at)
            .deploy("d-2", "pay", at + 3 * DAY);
        let (report, out) = bench.report("en");
        assert_eq!(report["findings"], Value::Array(Vec::new()), "{out}");
        assert_eq!(kinds(&report), ["unit_factor"]);
        let [notice] = report["notices"].as_array().expect("a list").as_slice() else { panic!("one notice") };
        assert_eq!((&notice["factor"], &notice["series"], &notice["up"]), (&1000.into(), &2.into(), &rises.into()));
        assert_eq!(notice["at"], "2026-10-23T11:00:00Z");
        for comparison in report["comparisons"].as_array().expect("a list") {
            // The later deploy's baseline ends at the earlier one's step, so it may be judged.
            let is_spanned = comparison["before_window"]["from"].as_str() < Some("2026-10-23T11:00:00Z");
            if is_spanned {
                assert_eq!((&comparison["verdict"], &comparison["reason"]), (&"inconclusive".into(), &"units".into()));
            }
            assert_ne!(comparison["verdict"], "better");
            assert_ne!(comparison["verdict"], "worse");
        }
        assert!(joined(&out).contains("1,000 times as"), "{out}");
        assert!(joined(&out).contains("Are they still in ms?"), "{out}");
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    }
}

#[test]
fn an_endpoint_that_really_became_a_hundred_times_slower_is_worse() {
    let at = instant(start(), 18, 11);
    let slow = Change::Step { at, factor: 60.0 };
    let bench = Bench::new()
        .series(Spec { changes: vec![slow], ..latency("POST /charge", "latency_p95", 13.0, 1) }, |_, value| Some(value))
        .series(latency("GET /charge", "latency_p95", 48.0, 2), |_, value| Some(value))
        .series(latency("GET /list", "latency_p95", 48.0, 3), |_, value| Some(value))
        .deploy("d-1", "pay", at);
    let (report, out) = bench.report("en");
    assert_eq!(report["findings"][0]["verdict"], "worse", "{out}");
    assert!(kinds(&report).is_empty(), "{out}");
}

#[test]
fn a_running_counter_and_per_cent_under_ratio_get_no_verdict() {
    let at = instant(start(), 18, 11);
    let total = std::cell::Cell::new((0_i64, 0.0));
    let counter = |now: i64, value: f64| {
        let (restarts, sum) = total.get();
        let is_restart = now >= at && restarts == 0;
        let sum = if is_restart { value } else { sum + value };
        total.set((restarts + i64::from(is_restart), sum));
        Some(sum)
    };
    let counted = Spec::new(["pay", "GET /x", "http_requests_total"], "count", 1000.0, 1);
    let bench = Bench::new()
        .series(counted, counter)
        .series(Spec { noise: 0.3, ..Spec::new(["pay", "GET /y", "error_rate"], "ratio", 0.8, 2) }, |_, value| {
            Some(value)
        })
        .series(latency("GET /y", "latency_p95", 40.0, 3), |_, value| Some(value))
        .deploy("d-1", "pay", at);
    let (report, out) = bench.report("en");
    assert_eq!(kinds(&report), ["counter", "above_one"], "{out}");
    assert_eq!(report["findings"], Value::Array(Vec::new()), "{out}");
    for comparison in report["comparisons"].as_array().expect("a list") {
        let is_doubted = comparison["signal"] != "latency_p95";
        assert_eq!(comparison["reason"] == "units", is_doubted, "{comparison}");
        assert_eq!(comparison["verdict"] == "no_material_change", !is_doubted, "{comparison}");
    }
}

#[test]
fn deploys_that_match_nothing_are_named_with_what_may_be_meant() {
    let bench = Bench::new()
        .series(latency("GET /x", "latency_p95", 40.0, 1), |_, value| Some(value))
        .deploy("far", "pay", time::parse_instant("2031-01-01", Tz::UTC).expect("date"))
        .deploy("old", "pay", time::parse_instant("2019-01-01", Tz::UTC).expect("date"))
        .deploy("a", "Pay", instant(start(), 18, 11))
        .deploy("b", "billing", instant(start(), 18, 12));
    let (report, out) = bench.report("en");
    assert_eq!(kinds(&report), ["unknown_service", "unknown_service", "future_deploys", "other_times"]);
    for words in
        ["1 deploy names Pay", "Is pay meant?", "1 deploy names billing", "far at Wed 2031-01-01", "2019-01-01"]
    {
        assert!(joined(&out).contains(words), "{words}: {out}");
    }
    bench.report("ja");
    assert!(bench.written("html").contains("のことではありませんか"), "the page says it too");
    let doctor = bench.doctor();
    for words in ["billing", "is `Pay` the `pay` of the series?", "2031"] {
        assert!(joined(&doctor).contains(words), "{words}: {doctor}");
    }
}

#[test]
fn a_change_to_the_minute_nine_hours_beside_its_deploy_asks_for_the_time_zone() {
    let at = instant(start(), 18, 11);
    let slow = Change::Step { at, factor: 1.5 };
    let bench = |deploy: i64| {
        Bench::new()
            .series(Spec { changes: vec![slow], ..latency("GET /x", "latency_p95", 40.0, 1) }, |_, value| Some(value))
            .series(Spec { changes: vec![slow], ..latency("GET /y", "latency_p95", 60.0, 2) }, |_, value| Some(value))
            .deploy("d-1", "pay", deploy)
    };
    let (report, out) = bench(at + 9 * HOUR).report("en");
    assert_eq!(kinds(&report), ["hours_off"], "{out}");
    assert_eq!(report["notices"][0]["hours"], -9);
    for beside in [at + 9 * HOUR + 25 * MINUTE, at + 40 * HOUR] {
        let (report, out) = bench(beside).report("en");
        assert!(kinds(&report).is_empty(), "{out}");
    }
}

#[test]
fn what_is_new_gone_or_renamed_is_said_so() {
    let at = instant(start(), 18, 11);
    let kept = |keep: fn(i64, i64) -> bool| move |now: i64, value: f64| keep(now, at).then_some(value);
    let old: fn(i64, i64) -> bool = |now, at| now < at;
    let young: fn(i64, i64) -> bool = |now, at| now >= at;
    let bench = Bench::new()
        .series(latency("GET /v1/users", "latency_p95", 40.0, 1), kept(old))
        .series(latency("GET /v2/users", "latency_p95", 60.0, 2), kept(young))
        .series(latency("GET /new", "latency_p95", 60.0, 3), kept(young))
        .series(latency("GET /gone", "latency_p95", 60.0, 4), kept(old))
        .series(latency("GET /stays", "latency_p95", 60.0, 5), |_, value| Some(value))
        .deploy("d-1", "pay", at);
    let (report, out) = bench.report("en");
    assert_eq!(kinds(&report), ["renamed", "new", "gone"], "{out}");
    let renamed = &report["notices"][0];
    assert_eq!((&renamed["from"], &renamed["to"]), (&"GET /v1/users".into(), &"GET /v2/users".into()));
    assert_eq!(
        (&report["notices"][1]["first"], &report["notices"][2]["first"]),
        (&"GET /new".into(), &"GET /gone".into())
    );
    for comparison in report["comparisons"].as_array().expect("a list") {
        let reason = match comparison["target"].as_str().expect("a name") {
            "GET /v1/users" | "GET /gone" => Value::from("gone"),
            "GET /v2/users" | "GET /new" => Value::from("new"),
            _ => Value::Null,
        };
        assert_eq!(comparison["reason"], reason, "{comparison}");
    }
    assert!(period().contains(at));
}

#[test]
fn a_quiet_input_has_no_notice() {
    let bench = Bench::new()
        .series(latency("GET /x", "latency_p95", 40.0, 1), |_, value| Some(value))
        .series(Spec::new(["pay", "GET /x", "error_rate"], "ratio", 0.01, 2), |_, value| Some(value))
        // Called once a day: no end and no beginning of an endpoint.
        .series(latency("GET /rare", "latency_p95", 40.0, 3), |now, value| (now % DAY < HOUR).then_some(value))
        .deploy("d-1", "pay", instant(start(), 18, 11))
        .deploy("other-fortnight", "pay", instant(start(), 2, 11));
    let (report, out) = bench.report("en");
    assert!(kinds(&report).is_empty(), "{out}");
}

#[test]
fn traffic_or_data_that_end_with_a_deploy_are_said_first() {
    let at = instant(start(), 20, 11);
    let traffic = |service: &str, seed: u64| Spec {
        season: 0.2,
        ..Spec::new([service, "POST /hook", "throughput"], "requests/min", 180.0, seed)
    };
    let slower = |service: &str, seed: u64| Spec {
        season: 0.2,
        ..Spec::new([service, "POST /hook", "latency_p95"], "ms", 130.0, seed)
    };
    let bench = Bench::new()
        .series(traffic("faint", 1), |now, value| Some(if now >= at { value * 0.03 } else { value }))
        .series(slower("faint", 2), |_, value| Some(value))
        .series(traffic("zero", 3), |now, value| Some(if now >= at { 0.0 } else { value }))
        .series(slower("gone", 4), |now, value| (now < at).then_some(value))
        .series(traffic("gone", 5), |now, value| (now < at).then_some(value))
        .series(traffic("well", 6), |_, value| Some(value))
        .deploy("faint-1", "faint", at)
        .deploy("zero-1", "zero", at + 60_000)
        .deploy("gone-1", "gone", at - 10 * MINUTE)
        .deploy("well-1", "well", at);
    let (report, out) = bench.report("en");
    let lost: Vec<&str> = kinds(&report).into_iter().take_while(|kind| *kind == "traffic_lost").collect();
    assert_eq!(lost.len(), 3, "{:#}", report["notices"]);
    assert!(!kinds(&report).contains(&"gone"), "what is lost is not only gone");
    let out = joined(&out);
    for said in
        ["faint has hardly any traffic", "zero has hardly any traffic", "POST /hook of gone has no data since deploy #"]
    {
        assert!(out.contains(said), "{said} is not in {out}");
    }
    assert!(!out.contains("of well"), "{out}");
    let page = bench.written("html");
    assert!(page.contains("3 services lost traffic or data at a deploy: faint, gone, zero."), "the headline");
    assert!(!page.contains("Nothing became materially worse"));
    bench.report("ja");
    assert!(bench.written("html").contains("3サービスのリクエストまたはデータが失われました"));
}
