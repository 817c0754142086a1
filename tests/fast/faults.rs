//! What happens when something breaks: the lines of `docs/faults.md` that no other test has, by whole runs of the program.

mod disk;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{self, code, command, stderr, stdout};
use crate::support::servers::nerdgraph::{KEY, NerdGraph};
use crate::support::servers::process;
use crate::support::servers::raw::Raw;
use crate::support::servers::world::{HOUR, World};
use tempfile::TempDir;

/// Eight o'clock of UTC on Monday 2026-11-23.
const NOW: i64 = 1_795_392_000_000 + 8 * HOUR;

/// A server of NerdGraph with its runtime, and a folder whose config names it.
struct Bench {
    _runtime: tokio::runtime::Runtime,
    server: NerdGraph,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let world = World { applications: 1, transactions: 1, otel: 0, routes: 1, now: NOW, ..World::default() };
        let server = runtime.block_on(NerdGraph::start(world));
        let folder = tempfile::tempdir().expect("temporary folder");
        program::write(&folder, "fortnight.toml", &config(&server.endpoint()));
        Self { _runtime: runtime, server, folder }
    }

    /// Another folder with the same config.
    fn other(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        program::write(&folder, "fortnight.toml", &config(&self.server.endpoint()));
        folder
    }

    fn run(&self, args: &[&str]) -> Output {
        prepared(self.folder.path(), args).output().expect("runs")
    }

    fn store(&self, name: &str) -> PathBuf {
        self.folder.path().join(".fortnight").join(name)
    }
}

fn config(endpoint: &str) -> String {
    format!(
        "[period]\ndays = 7\nanchor = \"2026-11-16\"\n[judge]\nbaseline_days = 3\n\
         [[source]]\nid = \"apm\"\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{endpoint}\"\nstep_minutes = 60\n"
    )
}

/// A command by the clock of the tests, with the key.
fn prepared(folder: &Path, args: &[&str]) -> Command {
    let mut command = command(folder);
    command.args(args).env("SOURCE_DATE_EPOCH", (NOW / 1000).to_string());
    command.env("NO_PROXY", "127.0.0.1").env("NEW_RELIC_API_KEY", KEY);
    command
}

/// Every file below a folder with its bytes; the lock is left out.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if !entry.path().ends_with("lock") {
                let name = entry.path().strip_prefix(folder).expect("inside").to_owned();
                found.insert(name, std::fs::read(entry.path()).expect("read"));
            }
        }
    }
    found
}

const REPORT: [&str; 5] = ["report", "--format", "json", "--out", "out"];

#[test]
fn a_server_that_hangs_is_announced_within_a_minute_with_what_is_waited_for() {
    let silent = Raw::silent();
    let source = |kind: &str| match kind {
        "newrelic" => format!("account = \"1\"\nendpoint = \"{}/graphql\"\n", silent.url),
        _ => format!("regions = [\"eu-west-1\"]\nendpoint = \"{}\"\n", silent.url),
    };
    let run = |kind: &str| {
        let folder = tempfile::tempdir().expect("temporary folder");
        program::write(&folder, "fortnight.toml", &format!("[[source]]\nkind = \"{kind}\"\n{}", source(kind)));
        let mut command = prepared(folder.path(), &["collect", "--since", "2026-11-22"]);
        process::environment(&mut command, &[("AWS_ACCESS_KEY_ID", "AKIAX"), ("AWS_SECRET_ACCESS_KEY", "x")]);
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut child = command.stdout(Stdio::null()).stderr(log).spawn().expect("started");
        let begun = Instant::now();
        let said = || std::fs::read_to_string(folder.path().join("log")).expect("read");
        while !said().contains("no answer yet") && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(200));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        said()
    };
    std::thread::scope(|scope| {
        let runs = ["newrelic", "cloudwatch"].map(|kind| scope.spawn(move || run(kind)));
        let [newrelic, cloudwatch] = runs.map(|run| run.join().expect("ran"));
        assert!(newrelic.contains("waiting_for=NerdGraph of account 1: "), "{newrelic}");
        assert!(cloudwatch.contains("waiting_for=eu-west-1: cloudtrail:LookupEvents"), "{cloudwatch}");
    });
}

#[test]
fn a_redirect_is_an_error_and_the_key_does_not_follow_it() {
    let elsewhere = Raw::start(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_vec());
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}/graphql\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.url
    );
    let redirecting = Raw::start(answer.into_bytes());
    for (kind, keys) in [("newrelic", "account = \"1\""), ("cloudwatch", "regions = [\"eu-west-1\"]")] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let text = format!("[[source]]\nkind = \"{kind}\"\n{keys}\nendpoint = \"{}\"\n", redirecting.url);
        program::write(&folder, "fortnight.toml", &text);
        let mut command = prepared(folder.path(), &["collect", "--since", "2026-11-22"]);
        process::environment(&mut command, &[("AWS_ACCESS_KEY_ID", "AKIAX"), ("AWS_SECRET_ACCESS_KEY", "x")]);
        let output = command.output().expect("runs");
        let said = stderr(&output);
        assert_eq!(code(&output), 1, "{kind}: {said}");
        assert!(said.contains("302") && said.contains("help: "), "{kind}: {said}");
        assert_eq!(elsewhere.count(), 0, "{kind}");
    }
}

#[test]
fn a_key_that_may_not_read_the_account_is_an_error_that_says_so() {
    let bench = Bench::new();
    let path = bench.folder.path().join("fortnight.toml");
    let answer = r#"{"data":null,"errors":[{"message":"not yours","extensions":{"errorClass":"FORBIDDEN"}}]}"#;
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    let raw = Raw::start(text.into_bytes());
    std::fs::write(path, config(&format!("{}/graphql", raw.url))).expect("written");
    let output = bench.run(&["collect"]);
    let said = stderr(&output);
    assert_eq!(code(&output), 1, "{said}");
    assert!(said.contains("refuses (FORBIDDEN): not yours") && said.contains("may the key's owner read"), "{said}");
}

#[test]
fn two_collectors_at_once_leave_the_store_of_one() {
    let bench = Bench::new();
    let alone = bench.other();
    assert_eq!(code(&prepared(alone.path(), &["-q", "collect"]).output().expect("runs")), 0);
    let children = [0, 1].map(|_| {
        let mut command = prepared(bench.folder.path(), &["-q", "collect"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started")
    });
    for child in children {
        let output = child.wait_with_output().expect("ended");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    assert!(bytes(&bench.store("")) == bytes(&alone.path().join(".fortnight")), "another store");
}

#[test]
fn a_damaged_day_fails_no_report_and_comes_again() {
    let bench = Bench::new();
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    let whole = bytes(&bench.store(""));
    let path = bench.store("series/apm/2026-11-20.parquet");
    let mut content = std::fs::read(&path).expect("read");
    content[200] ^= 1;
    std::fs::write(&path, &content).expect("written");
    // Offline the day is missing, and named with what it held; online it is requested.
    let output = bench.run(&[&REPORT[..], &["--offline", "--fail-on", "partial"]].concat());
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    let report = std::fs::read_to_string(bench.folder.path().join("out/report.json")).expect("written");
    assert!(
        report.contains("2026-11-20.parquet: damaged; it held ") && report.contains("of source `apm` on 2026-11-20")
    );
    let output = bench.run(&[&REPORT[..], &["--fail-on", "partial"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mut after = bytes(&bench.store(""));
    assert_eq!(after.remove(Path::new("series/apm/2026-11-20.damaged.parquet")), Some(content), "kept as it was found");
    assert!(after.remove(Path::new("series/apm/2026-11-20.damaged.json")).is_some());
    assert!(after == whole, "the day came again as it was");
}

#[test]
fn a_damaged_line_of_events_stops_nothing_and_is_named_by_its_number_and_reason() {
    let bench = Bench::new();
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    let add = |revision: &str| {
        let at = "2026-11-20T03:00:00Z";
        bench.run(&["marker", "add", "--service", "app-0", "--revision", revision, "--id", revision, "--at", at])
    };
    for revision in ["one", "two", "three"] {
        assert_eq!(code(&add(revision)), 0);
    }
    let path = bench.store("events.2.jsonl");
    let text = std::fs::read_to_string(&path).expect("read");
    let row = text.lines().position(|line| line.contains("\"two\"")).expect("there");
    let spoil = || {
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, text.replacen("\"revision\":\"two\"", "\"revision\":\"twO\"", 1)).expect("written");
    };
    spoil();
    let place = format!("events.2.jsonl: damaged: line {}: its digest differs", row + 1);
    // The report reads the others, and names the line.
    let output = bench.run(&[&REPORT[..], &["--offline"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains(&place), "{}", stderr(&output));
    let report = std::fs::read_to_string(bench.folder.path().join("out/report.json")).expect("written");
    assert!(report.contains(&place) && report.contains("\"three\""), "the others are read");
    // A marker can still be listed and added, and the line is set aside as it was.
    let output = bench.run(&["marker", "list"]);
    assert!(code(&output) == 0 && stderr(&output).contains(&place), "{}", stderr(&output));
    assert!(stdout(&output).contains("three") && !stdout(&output).contains("\ttwO\t"));
    let output = add("four");
    assert!(code(&output) == 0 && stderr(&output).contains(&place), "{}", stderr(&output));
    let aside = std::fs::read_to_string(bench.store("events.damaged.jsonl")).expect("set aside");
    assert!(aside.contains("\"revision\":\"twO\"") && aside.lines().count() == 1, "{aside}");
    // Mended by hand it comes back by the command that doctor and the report name.
    let output = bench.run(&["doctor", "--offline"]);
    let import = "fortnight marker import .fortnight/events.damaged.jsonl";
    assert!(stdout(&output).contains(import) || stderr(&output).contains(import), "{}", stdout(&output));
    let output = bench.run(&["marker", "import", ".fortnight/events.damaged.jsonl"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let listed = stdout(&bench.run(&["marker", "list"]));
    assert!(["one", "twO", "three", "four"].iter().all(|revision| listed.contains(revision)), "{listed}");
    // Collecting names the line as well, and sets it aside.
    std::fs::remove_file(bench.store("events.damaged.jsonl")).expect("removed");
    let text = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, text.replacen("\"revision\":\"four\"", "\"revision\":\"fOur\"", 1)).expect("written");
    let output = bench.run(&["collect"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("its digest differs"), "{}", stderr(&output));
    assert!(bench.store("events.damaged.jsonl").exists());
}

#[test]
fn lost_events_are_requested_until_their_source_could_answer() {
    let bench = Bench::new();
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    let path = bench.store("events.2.jsonl");
    let before = std::fs::read(&path).expect("read");
    let mut damaged = before.clone();
    damaged[20] ^= 1;
    std::fs::write(&path, damaged).expect("written");
    // Without the key the line is set aside, and the source cannot be requested.
    let mut command = prepared(bench.folder.path(), &["-q", "collect"]);
    assert_eq!(code(&command.env_remove("NEW_RELIC_API_KEY").output().expect("runs")), 1);
    assert_ne!(std::fs::read(&path).expect("read"), before);
    // Until then a report says that events may be missing.
    let output = bench.run(&[&REPORT[..], &["--offline", "--fail-on", "partial"]].concat());
    assert!(code(&output) == 5 && stderr(&output).contains("events were lost"), "{}", stderr(&output));
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    assert_eq!(std::fs::read(&path).expect("read"), before, "all events are back");
    assert!(!bench.store("events.lacking").exists());
}

/// Kills commands at moments that are spread over their time; returns how many were cut short.
///
/// `args`: of a round; the first is left to end by itself.
fn killed(bench: &Bench, args: impl Fn(u32) -> Vec<String>, check: impl Fn()) -> u32 {
    const ROUNDS: u32 = 24;
    let run = |round: u32| {
        let args = args(round);
        let mut command = prepared(bench.folder.path(), &args.iter().map(String::as_str).collect::<Vec<_>>());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started")
    };
    let begun = Instant::now();
    assert!(run(0).wait().expect("ended").success());
    let takes = begun.elapsed();
    let mut cut_short = 0;
    for round in 1..=ROUNDS {
        let mut child = run(round);
        let moment = Instant::now() + takes.mul_f64(f64::from(round) / f64::from(ROUNDS));
        while Instant::now() < moment && child.try_wait().expect("waited").is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().expect("killed");
        cut_short += u32::from(!child.wait().expect("ended").success());
        check();
    }
    cut_short
}

#[test]
fn a_report_that_is_killed_leaves_the_old_files_or_the_new_ones_and_the_store_as_it_was() {
    let bench = Bench::new();
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    let store = bytes(&bench.store(""));
    let args = |_| ["report", "--offline", "--quiet", "--out", "out"].map(str::to_owned).to_vec();
    let out = bench.folder.path().join("out");
    let cut_short = killed(&bench, args, || {
        assert!(bytes(&bench.store("")) == store, "the store changed");
        for name in ["report.html", "report.json", "report.md"] {
            let text = std::fs::read_to_string(out.join(name)).expect("the file of before, or the new one");
            let is_whole = match name {
                "report.html" => text.trim_end().ends_with("</html>"),
                "report.json" => serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                _ => text.ends_with('\n'),
            };
            assert!(is_whole, "{name} is cut off");
        }
    });
    assert!(cut_short > 5, "only {cut_short} were cut short");
    assert_eq!(code(&bench.run(&["report", "--offline", "--quiet", "--out", "out"])), 0);
}

#[test]
fn a_marker_that_is_killed_is_there_or_not_and_takes_no_other_along() {
    let bench = Bench::new();
    let first = ["marker", "add", "--service", "a", "--id", "first", "--at", "2026-11-20T03:00:00Z"];
    assert_eq!(code(&bench.run(&first)), 0);
    let add = |round: u32| {
        let id = format!("next-{round}");
        ["marker", "add", "--service", "a", "--id", &id, "--at", "2026-11-21T03:00:00Z"].map(str::to_owned).to_vec()
    };
    let seen = std::cell::Cell::new(0);
    let cut_short = killed(&bench, add, || {
        let output = bench.run(&["marker", "list"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let listed = stdout(&output);
        assert!(listed.contains("first") && listed.contains("next-0"), "{listed}");
        assert!(!stderr(&output).contains("damaged"), "{}", stderr(&output));
        let count = listed.lines().count();
        assert!(count == seen.get() || count == seen.get() + 1 || seen.get() == 0, "{count} after {}", seen.get());
        seen.set(count);
    });
    assert!(cut_short > 3, "only {cut_short} were cut short");
    let output = bench.run(&["marker", "add", "--service", "a", "--id", "last", "--at", "2026-11-21T03:00:00Z"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let left = bytes(&bench.store(""));
    assert!(left.keys().all(|name| !name.to_string_lossy().contains(".writing-")), "what was cut short is cleared");
}

/// Days are a unit of the store: what a killed collector kept is whole days.
#[test]
fn a_collector_that_is_killed_goes_on_and_ends_with_the_same_store() {
    let bench = Bench::new();
    let whole = bench.other();
    let begun = Instant::now();
    assert_eq!(code(&prepared(whole.path(), &["-q", "collect"]).output().expect("runs")), 0);
    let takes = begun.elapsed();
    for round in 1..8 {
        let mut command = prepared(bench.folder.path(), &["-q", "collect"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
        std::thread::sleep(takes.mul_f64(f64::from(round) / 8.0));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let output = bench.run(&["doctor", "--offline"]);
        assert!(!stdout(&output).contains("damaged"), "{}", stdout(&output));
    }
    assert_eq!(code(&bench.run(&["-q", "collect"])), 0);
    assert!(bytes(&bench.store("")) == bytes(&whole.path().join(".fortnight")), "another store than undisturbed");
}
