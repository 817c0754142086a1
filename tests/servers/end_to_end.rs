//! The whole way of a new team, from `init` to `explain`: CloudWatch in two accounts of MiniStack, New Relic by a server that
//! speaks NerdGraph, a marker of a pipeline. What is in the store is compared point for point with what was planted, and
//! the report has to find both planted steps with their sizes and deploys.
//!
//! `./tests/run --end-to-end` installs what it needs and runs it alone; `--nocapture` shows what was compared.
#![allow(clippy::print_stderr, reason = "what was compared is for whoever looks")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::ministack::{compare, expected, read};
use crate::support::program::{code, command, stderr, stdout};
use crate::support::servers::ministack::{MiniStack, venv};
use crate::support::servers::nerdgraph::{KEY, NerdGraph};
use crate::support::servers::world::World;
use crate::support::servers::{NOW, TODAY, nrql, process};
use fortnight::model::metric::Series;
use fortnight::model::time::{DAY, HOUR, MINUTE, Window};
use fortnight::store::Store;

/// MiniStack forgets points after 14 days by its clock, which begins at [`NOW`].
const FIRST: i64 = TODAY - 13 * DAY;
/// 2026-11-17T02:00:00Z: the deploy of `ledger`, and the step that it brings.
const STEP: i64 = TODAY - 6 * DAY + 2 * HOUR;
/// Days for which New Relic still has minutes, counted back from today.
const FINE_DAYS: i64 = 7;

/// A team's folder, and what its commands need.
struct Team {
    folder: TempDir,
}

impl Team {
    fn run(&self, has_keys: bool, args: &[&str]) -> Output {
        let mut command = command(self.folder.path());
        command.args(args);
        let keys = [
            ("AWS_ACCESS_KEY_ID", "333333333333"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("FORTNIGHT_EXTERNAL_ID", "external-id"),
            ("NEW_RELIC_API_KEY", KEY),
        ];
        process::environment(&mut command, if has_keys { &keys } else { &[] });
        command.env("NO_PROXY", "127.0.0.1").output().expect("runs")
    }

    /// Runs what has to go well; returns what it printed.
    fn told(&self, has_keys: bool, args: &[&str]) -> String {
        let output = self.run(has_keys, args);
        assert_eq!(code(&output), 0, "{args:?}: {}{}", stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// Fills in what `init` left to the team: account numbers and, because the servers are not the vendors', addresses.
    fn fill_in(&self, newrelic: &str, aws: &str) {
        let path = self.folder.path().join("fortnight.toml");
        let mut text = std::fs::read_to_string(&path).expect("written by init");
        let marks = [
            ("account = \"1234567\"", format!("endpoint = \"{newrelic}\"\naccount = \"1\"")),
            ("111122223333", "111111111111".to_owned()),
            ("444455556666", "222222222222".to_owned()),
            ("kind = \"cloudwatch\"", format!("kind = \"cloudwatch\"\nendpoint = \"{aws}\"")),
            ("[judge.limit]", "[judge]\nbaseline_days = 7\n[judge.limit]".to_owned()),
        ];
        for (mark, value) in marks {
            assert!(text.contains(mark), "{mark} is not in {text}");
            text = text.replace(mark, &value);
        }
        std::fs::write(path, text).expect("written");
    }

    fn stored(
        &self,
    ) -> (Vec<Series>, BTreeMap<String, std::collections::BTreeSet<fortnight::model::metric::SeriesKey>>) {
        let store = Store::open(&self.folder.path().join(".fortnight")).expect("opened");
        let history = store.read(Window::new(0, i64::MAX)).expect("read");
        assert!(history.refused.is_empty() && history.left_out.is_empty(), "{:?}", history.refused);
        (history.series, history.sources)
    }
}

/// The points of an account by namespace, metric and dimensions.
type Planted = BTreeMap<(String, String, String), Vec<(i64, f64)>>;

/// Plants two accounts; returns what each has.
fn plant(url: &str, folder: &Path) -> BTreeMap<String, Planted> {
    let file = folder.join("planted.tsv");
    let mut command = Command::new(venv().join("python"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/end_to_end/plant.py")).arg(url);
    command.args([FIRST, TODAY, STEP].map(|at| (at / 1000).to_string())).arg(&file);
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&file)
}

/// The percentiles of every transaction as the world has them, by target, signal and time; a gap is missing.
fn transactions(world: &World, days: std::ops::Range<i64>) -> BTreeMap<(String, String, i64), f64> {
    let mut all = BTreeMap::new();
    for day in days.step_by(DAY as usize) {
        let step = if day < TODAY - FINE_DAYS * DAY { HOUR } else { 5 * MINUTE };
        let end = (day + DAY).min(NOW);
        let text = format!(
            "SELECT percentile(duration, 50, 95, 99) AS 'p' FROM Transaction FACET appName, name \
             SINCE {day} UNTIL {end} TIMESERIES {} minutes LIMIT MAX",
            step / MINUTE
        );
        let query = nrql::parse(&text).expect("in the grammar");
        for row in world.rows(&query) {
            let at = row["beginTimeSeconds"].as_i64().expect("seconds") * 1000;
            for (percent, signal) in [("50", "latency_p50"), ("95", "latency_p95"), ("99", "latency_p99")] {
                if let Some(value) = row["p"][percent].as_f64() {
                    let target = row["name"].as_str().expect("a name").to_owned();
                    all.insert((target, signal.to_owned(), at), value);
                }
            }
        }
    }
    all
}

#[test]
fn from_init_to_explain_with_values_compared_point_for_point() {
    let team = Team { folder: tempfile::tempdir().expect("temporary folder") };
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ministack-end-to-end.log");
    let aws = MiniStack::start_at(&log, "2026-11-23 09:00:00");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let world = World { applications: 2, transactions: 2, otel: 1, routes: 1, now: NOW, ..World::default() };
    let newrelic = runtime.block_on(NerdGraph::start(world.clone()));
    let planted = plant(&aws.url, team.folder.path());

    // Set up: doctor fails on what init left open, and is content afterwards.
    team.told(false, &["init", "--template", "newrelic-cloudwatch", "--tz", "Asia/Tokyo"]);
    assert_eq!(code(&team.run(true, &["doctor", "--offline"])), 1, "placeholders are left");
    team.fill_in(&newrelic.endpoint(), &aws.url);
    let checkup = team.told(true, &["doctor"]);
    for line in ["the key in `NEW_RELIC_API_KEY` is accepted", "credentials: found", "ecs:main/ledger", "alb:cards"] {
        assert!(checkup.contains(line), "no {line:?} in {checkup}");
    }
    let estimate = team.told(true, &["collect", "--dry-run"]);
    for id in ["apm", "aws-app", "aws-card"] {
        assert!(estimate.lines().any(|line| line.starts_with(&format!("{id}\t"))), "{estimate}");
    }

    // Collect, and compare.
    team.told(true, &["collect"]);
    let (series, sources) = team.stored();
    for (id, account) in [("aws-app", "111111111111"), ("aws-card", "222222222222")] {
        let own: Vec<Series> = series.iter().filter(|one| sources[id].contains(&one.key)).cloned().collect();
        let (points, largest) = compare(&own, expected(&planted[account]));
        assert!(points > 10_000, "{points}");
        eprintln!("{id}: {points} points are those that were planted, to {largest:.0e} of each");
    }
    let wanted = transactions(&world, TODAY - 14 * DAY..NOW);
    let mut compared = 0;
    for one in series.iter().filter(|one| one.key.target.starts_with("WebTransaction/")) {
        for (at, value) in one.times.iter().zip(&one.values).filter(|(at, _)| **at >= TODAY - 14 * DAY) {
            let Some(wanted) = wanted.get(&(one.key.target.to_string(), one.key.signal.to_string(), *at)) else {
                assert!(value.is_nan() || !one.key.signal.starts_with("latency_p"), "{} at {at}: {value}", one.key);
                continue;
            };
            assert!((value - wanted).abs() <= 1e-12 * wanted, "{} at {at}: {value}, not {wanted}", one.key);
            compared += 1;
        }
    }
    assert_eq!(compared, wanted.len(), "points are missing");
    eprintln!("apm: {compared} points are those that were planted");

    // A deploy of the pipeline, then the report: from the store, without a key and without a request.
    let at = fortnight::model::time::rfc3339(STEP, chrono_tz::Tz::Asia__Tokyo);
    team.told(false, &["marker", "add", "--service", "ledger", "--revision", "v42", "--at", &at]);
    let requests = newrelic.asked().len();
    let output = team.run(false, &["report"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(newrelic.asked().len(), requests, "the store has it all");
    for name in ["report.html", "report.json", "report.md"] {
        assert!(team.folder.path().join("fortnight-report").join(name).exists(), "{name}");
    }
    let report = std::fs::read(team.folder.path().join("fortnight-report/report.json")).expect("written");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["period"]["from"], "2026-11-09T00:00:00+09:00");
    let findings = report["findings"].as_array().expect("a list");
    let finding = |service: &str, target: &str| {
        let is_it = |one: &&Value| {
            one["service"] == service && one["target"].as_str().is_some_and(|name| name.contains(target))
        };
        findings.iter().find(is_it).unwrap_or_else(|| panic!("{service} {target}: {findings:#?}"))
    };
    for (service, target) in [("ledger", "ecs:main/ledger"), ("app-0", "thing-0")] {
        let found = finding(service, target);
        let ratio = found["ratio"].as_f64().expect("a number");
        assert_eq!(found["verdict"], "worse", "{found:#}");
        assert!((1.4..1.6).contains(&ratio), "planted is 1.5: {found:#}");
        let deploy = found["deploy"].as_str().expect("a deploy");
        let deploys = report["deploys"].as_array().expect("a list");
        let deploy = deploys.iter().find(|one| one["id"] == deploy).expect("of the report");
        assert_eq!(deploy["service"], service, "{deploy}");
        assert_eq!(deploy["revision"], if service == "ledger" { "v42" } else { "1.6923.0" }, "{deploy}");

        // And why: by the command that the report itself names.
        let id = found["id"].as_str().expect("an id");
        let explained = team.told(false, &["explain", id]);
        assert!(explained.contains(target), "{explained}");
        eprintln!("{service}: {target} is {:.0} % worse, as planted, at its deploy", (ratio - 1.0) * 100.0);
    }
}
