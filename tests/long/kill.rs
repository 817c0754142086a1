//! A collector that is killed at any moment loses nothing, and the next one completes what it began.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{command, told};
use crate::support::servers::nerdgraph::{KEY, NerdGraph};
use crate::support::servers::world::{DAY, HOUR, World};
use fortnight::model::time::Window;
use fortnight::store::Store;

/// Collectors that are killed.
const KILLS: u64 = 200;
/// Of them one after the other on the same store, before one is left alone.
const ON_ONE_STORE: u64 = 5;
/// Nine in the morning, so that the last day is not over.
const NOW: i64 = 1_795_392_000_000 + 9 * HOUR;

fn collect(folder: &Path) -> Command {
    let mut command = command(folder);
    command.args(["collect", "-q"]).env("NEW_RELIC_API_KEY", KEY).env("SOURCE_DATE_EPOCH", (NOW / 1000).to_string());
    command.env("NO_PROXY", "127.0.0.1");
    command
}

fn folder(endpoint: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let config = format!(
        "[period]\ndays = 1\n[judge]\nbaseline_days = 2\n\
         [[source]]\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{endpoint}\"\nstep_minutes = 60\n"
    );
    std::fs::write(folder.path().join("fortnight.toml"), config).expect("written");
    folder
}

/// Every file of the store with its bytes.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = folder.join(".fortnight");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("listed").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(&root).expect("inside").to_owned();
                found.insert(name, std::fs::read(entry.path()).expect("read"));
            }
        }
    }
    found
}

/// The points that a store holds, which must be readable as a whole.
fn points(folder: &Path) -> usize {
    let store = Store::open(&folder.join(".fortnight")).expect("opened");
    let history = store.read(Window::new(0, NOW + DAY)).expect("read");
    assert!(history.refused.is_empty(), "{:?}", history.refused);
    store.events().expect("events");
    history.series.iter().map(|series| series.times.len()).sum()
}

#[test]
fn killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let world = World { applications: 2, transactions: 2, otel: 0, now: NOW, ..World::default() };
    let server = runtime.block_on(NerdGraph::start(world));
    let whole = folder(&server.endpoint());
    let begun = Instant::now();
    told(&collect(whole.path()).output().expect("runs"));
    let takes = begun.elapsed();
    let (wanted, all) = (bytes(whole.path()), points(whole.path()));
    assert!(all > 100, "{all} points");

    let mut state = 20_261_123_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut cut_short = 0;
    for _ in 0..KILLS / ON_ONE_STORE {
        let folder = folder(&server.endpoint());
        let mut before = 0;
        for _ in 0..ON_ONE_STORE {
            let mut child =
                collect(folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
            let moment = Instant::now() + takes.mul_f64(random());
            // Killed at its moment, or done before.
            while Instant::now() < moment && child.try_wait().expect("waited").is_none() {
                std::thread::sleep(Duration::from_micros(200));
            }
            child.kill().expect("killed");
            cut_short += usize::from(!child.wait().expect("ended").success());
            let now = points(folder.path());
            assert!(now >= before, "{now} points of {before} are left");
            before = now;
        }
        told(&collect(folder.path()).output().expect("runs"));
        assert!(bytes(folder.path()) == wanted, "another store than undisturbed");
    }
    assert!(cut_short > 50, "only {cut_short} of {KILLS} were cut short");
}
