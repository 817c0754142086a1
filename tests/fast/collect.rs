//! Whole runs of `collect`: what comes from sources is kept, carried elsewhere and judged there.

use std::path::Path;

use crate::support::program::{self, code, command, run, stderr, stdout, told};
use crate::support::servers::nerdgraph::{KEY, NerdGraph};
use crate::support::servers::world::{DAY, HOUR, World};
use fortnight::command::sample;
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
        // The account is the config's only source, and nothing came from it.
        let brought = carried["sources"].as_array().expect("a list").iter().find(|source| source["id"] == "recorded");
        assert!(brought.is_some_and(|files| files["rows"].as_u64() > Some(1000)), "{}", carried["sources"]);
        for report in [&direct, &carried] {
            let findings = report["findings"].as_array().expect("a list");
            assert!(!findings.is_empty());
            for finding in findings {
                assert_eq!(finding["explanation"]["inputs"]["source"], "recorded", "{}", finding["id"]);
            }
        }
    }
}

/// The morning after the second fortnight, 2026-11-23T06:00:00Z.
const MORNING: i64 = 1_795_392_000_000 + 6 * HOUR;
/// Two fortnights: the one that is reported on, and the one that it is compared with.
const DAYS: i64 = 28;

/// Runs a command at an hour, against the local server.
fn at(now: i64, folder: &Path, args: &[&str]) -> String {
    let mut command = command(folder);
    command.args(args).env("NEW_RELIC_API_KEY", KEY).env("SOURCE_DATE_EPOCH", (now / 1000).to_string());
    let output = command.env("NO_PROXY", "127.0.0.1").output().expect("runs");
    for said in [told(&output), stderr(&output)] {
        assert!(!said.contains(KEY), "the key is said: {said}");
    }
    stdout(&output)
}

/// Searches every file below a folder for the key.
fn no_key_in(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    let mut searched = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("listed").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).expect("read");
            let is_there = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
            assert!(!is_there, "the key is in {}", entry.path().display());
            searched += 1;
        }
    }
    assert!(searched > 20, "{searched} files");
}

#[test]
fn two_fortnights_day_by_day_give_the_verdicts_of_one_pull() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let world = World { applications: 2, transactions: 2, otel: 1, routes: 1, now: MORNING, ..World::default() };
    let server = runtime.block_on(NerdGraph::start(world));
    // By the hour, as New Relic gives the older days of one pull: by five minutes it would not be the same data.
    let config = format!(
        "[period]\nanchor = \"2026-11-09\"\n[judge]\nbaseline_days = 14\n\
         [[source]]\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{}\"\nstep_minutes = 60\n",
        server.endpoint()
    );
    let [daily, whole] = [0, 1].map(|_| tempfile::tempdir().expect("temporary folder"));
    for folder in [&daily, &whole] {
        program::write(folder, "fortnight.toml", &config);
    }
    // The first run fetches what its report would need; each later one the day that is over and the hours so far.
    for day in (0..DAYS).rev() {
        at(MORNING - day * DAY, daily.path(), &["collect", "-q"]);
    }
    let said = at(MORNING, whole.path(), &["collect", "-vv"]);
    let words: Vec<&str> = said.split_whitespace().collect();
    let [_, _, "days", _, "points", events, "new", "events"] = words[..] else { panic!("{said}") };
    assert_ne!(events, "0");
    let [daily, whole] = [&daily, &whole].map(|folder| {
        at(MORNING, folder.path(), &["report", "--offline", "--out", "out"]);
        no_key_in(folder.path());
        let report: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("out/report.json")).expect("written"))
                .expect("JSON");
        report
    });
    assert!(whole["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "nothing to tell");
    assert!(whole["sources"][0]["events"].as_u64().is_some_and(|events| events > 0), "{}", whole["sources"]);
    for part in ["period", "deploys", "comparisons", "findings", "elsewhere", "audit"] {
        assert!(!daily[part].is_null(), "{part}");
        let of = |report: &Value| report[part].as_array().cloned().unwrap_or_else(|| vec![report[part].clone()]);
        let (daily, whole) = (of(&daily), of(&whole));
        assert_eq!(daily.len(), whole.len(), "{part}");
        for (daily, whole) in daily.iter().zip(&whole) {
            assert_eq!(daily, whole, "{part}");
        }
    }
}

#[test]
fn each_of_several_sources_of_one_kind_counts_its_own_events() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let world = World { transactions: 1, otel: 0, now: MORNING, ..World::default() };
    let started =
        |applications, account| runtime.block_on(NerdGraph::start(World { applications, account, ..world.clone() }));
    let (small, large) = (started(1, 1), started(3, 2));
    let folder = tempfile::tempdir().expect("temporary folder");
    let account = |id: &str, number: u8, server: &NerdGraph| {
        let endpoint = server.endpoint();
        format!(
            "[[source]]\nid = \"{id}\"\nkind = \"newrelic\"\naccount = \"{number}\"\nendpoint = \"{endpoint}\"\nstep_minutes = 60\n"
        )
    };
    let files = |id: &str| {
        format!("[[source]]\nid = \"{id}\"\nkind = \"files\"\nseries = [\"none.csv\"]\ndeploys = [\"{id}.jsonl\"]\n")
    };
    let config = [account("small", 1, &small), account("large", 2, &large), files("one"), files("two")].concat();
    let config = format!("[period]\nanchor = \"2026-11-09\"\n[judge]\nbaseline_days = 2\n{config}");
    program::write(&folder, "fortnight.toml", &config);
    let event = |id: u8| format!("{{\"id\":\"{id}\",\"service\":\"app-0\",\"at\":\"2026-11-1{id}T00:00:00Z\"}}\n");
    program::write(&folder, "none.csv", "time,service,kind,target,signal,unit,value\n");
    program::write(&folder, "one.jsonl", &event(1));
    program::write(&folder, "two.jsonl", &[event(2), event(3)].concat());
    at(MORNING, folder.path(), &["collect", "-q"]);
    at(MORNING, folder.path(), &["report", "--offline", "--format", "json", "--out", "out"]);
    let report: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("out/report.json")).expect("written")).expect("JSON");
    let events = |id: &str| {
        let sources = report["sources"].as_array().expect("a list");
        sources.iter().find(|source| source["id"] == id).and_then(|source| source["events"].as_u64()).expect("a number")
    };
    assert_eq!([events("one"), events("two")], [1, 2]);
    assert!(events("small") > 0 && events("large") > events("small"), "{}", report["sources"]);
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

#[test]
fn a_dry_run_gives_the_estimates_of_the_others_when_one_fails() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let world = World { applications: 1, transactions: 1, otel: 0, now: MORNING, ..World::default() };
    let server = runtime.block_on(NerdGraph::start(world));
    let folder = tempfile::tempdir().expect("temporary folder");
    let config = |optional: bool| {
        format!(
            "[[source]]\nid = \"broken\"\nkind = \"newrelic\"\naccount = \"2\"\nkey_env = \"NO_SUCH_KEY\"\noptional = {optional}\n\
             [[source]]\nid = \"well\"\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{}\"\nstep_minutes = 60\n",
            server.endpoint()
        )
    };
    let dry_run = |more: &[&str]| {
        let mut command = command(folder.path());
        command.args(["--quiet", "collect", "--dry-run", "--since", "2026-11-22"]).args(more);
        command.env("NEW_RELIC_API_KEY", KEY).env("SOURCE_DATE_EPOCH", (MORNING / 1000).to_string());
        command.env("NO_PROXY", "127.0.0.1").output().expect("runs")
    };
    for (optional, more, expected) in [(true, &[][..], 0), (true, &["--fail-on", "partial"], 5), (false, &[], 1)] {
        program::write(&folder, "fortnight.toml", &config(optional));
        let output = dry_run(more);
        let (printed, said) = (stdout(&output), stderr(&output));
        assert_eq!(code(&output), expected, "{said}");
        assert!(printed.contains("broken\tno estimate") && printed.contains("well\t2 days\t"), "{printed}");
        assert!(said.contains("NO_SUCH_KEY"), "{said}");
        assert!(!folder.path().join(".fortnight/series").exists(), "nothing is collected");
    }
}
