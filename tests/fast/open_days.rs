//! Whole runs against a source that answers and gives nothing: its days stay open until they are whole.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::program::{self, command, stderr, stdout};
use crate::support::servers::nerdgraph::{KEY, NerdGraph, answered};
use crate::support::servers::world::{DAY, HOUR, World};
use serde_json::{Value, json};

/// 2026-11-23T06:00:00Z
const MORNING: i64 = 1_795_392_000_000 + 6 * HOUR;

/// Runs a command at an hour; returns what it printed, and what it said besides.
fn at(now: i64, folder: &Path, args: &[&str]) -> (String, String) {
    let mut command = command(folder);
    command.args(args).env("NEW_RELIC_API_KEY", KEY).env("SOURCE_DATE_EPOCH", (now / 1000).to_string());
    let output = command.env("NO_PROXY", "127.0.0.1").output().expect("runs");
    (stdout(&output), stderr(&output))
}

#[test]
fn one_of_two_accounts_that_gives_nothing_is_asked_again_until_its_days_are_whole() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let world = |now: i64| World { applications: 2, transactions: 2, otel: 0, now, ..World::default() };
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let empty = MORNING.div_euclid(DAY) * DAY - 5 * DAY..MORNING.div_euclid(DAY) * DAY;
    let before = move |asked: &crate::support::servers::nerdgraph::Asked| {
        let query = asked.nrql.as_ref()?;
        let is_empty = broken.load(Ordering::Relaxed) && empty.contains(&query.since);
        is_empty.then(|| answered(json!([]), query, &[]))
    };
    let well = runtime.block_on(NerdGraph::start(world(MORNING)));
    // Its clock goes on, for the day after.
    let ill = runtime.block_on(NerdGraph::start_with(world(MORNING + DAY), Box::new(before)));
    let source = |id: &str, endpoint: String| {
        format!(
            "[[source]]\nid = \"{id}\"\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{endpoint}\"\nstep_minutes = 60\n"
        )
    };
    let config = format!(
        "[period]\ndays = 7\nanchor = \"2026-11-16\"\n[judge]\nbaseline_days = 7\n{}{}",
        source("well", well.endpoint()),
        source("ill", ill.endpoint())
    );
    let folder = tempfile::tempdir().expect("temporary folder");
    program::write(&folder, "fortnight.toml", &config);
    let (printed, said) = at(MORNING, folder.path(), &["collect"]);
    assert!(printed.contains("ill\t") && !printed.contains("ill\t0 days"), "{printed}");
    let again = "fortnight collect --again --source ill --since 2026-11-18T00:00:00Z --until 2026-11-23T00:00:00Z";
    assert!(said.contains(again) && said.contains("2026-11-18") && !said.contains("--source well"), "{said}");

    // The report and doctor list the days with the command; nothing is asked twice on one date.
    let requests = ill.asked().len();
    let (_, said) = at(MORNING + HOUR, folder.path(), &["report", "--out", "out", "--format", "json"]);
    let report = std::fs::read(folder.path().join("out/report.json")).unwrap_or_else(|_| panic!("{said}"));
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let ill_source =
        report["sources"].as_array().expect("a list").iter().find(|one| one["id"] == "ill").expect("there");
    assert!(ill_source.to_string().contains("days_open") && ill_source.to_string().contains(again), "{ill_source}");
    let asked: Vec<i64> = ill.asked().iter().skip(requests).filter_map(|one| Some(one.nrql.as_ref()?.since)).collect();
    let today = MORNING.div_euclid(DAY) * DAY;
    assert!(asked.iter().all(|since| *since >= today || *since < today - 5 * DAY), "{asked:?}");
    let (printed, _) = at(MORNING + HOUR, folder.path(), &["doctor", "--offline"]);
    assert!(printed.contains("open, because the source gave nothing or little: 2026-11-18"), "{printed}");
    assert!(printed.contains(again), "{printed}");

    is_broken.store(false, Ordering::Relaxed);
    let (_, said) = at(MORNING + DAY, folder.path(), &["collect"]);
    assert!(!said.contains("--again"), "{said}");
    let (printed, _) = at(MORNING + DAY, folder.path(), &["doctor", "--offline"]);
    assert!(!printed.contains("open, because"), "{printed}");
}
