//! Collecting 14 days, 500 metrics of CloudWatch and a team's worth of New Relic, beside curl sending the same requests:
//! memory does not grow with the number of days, and the ratio of both times is printed (`--nocapture`); a busy machine
//! must not fail a test.
//!
//! The servers make each answer once, before anything is measured, so that what is compared is the reading of it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what was measured is for whoever looks")]

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use crate::support::program;
use crate::support::servers::cloudwatch::{CloudWatch, complete, page};
use crate::support::servers::nerdgraph::{KEY, Quick};
use crate::support::servers::world::World;
use crate::support::servers::{NOW, TODAY, process};
use fortnight::config::Config;
use fortnight::model::clock::Clock;
use fortnight::model::time::{DAY, Window};
use fortnight::source::registry;

const METRICS: usize = 500;
const DAYS: i64 = 14;
/// How much more memory 14 days may take than 2, kB.
const MORE_KB: u64 = 20_000;

/// Collects days one after another; returns seconds, points and the most memory taken so far, kB.
async fn collect(url: &str, days: i64) -> (f64, usize, u64) {
    let text = format!("[[source]]\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\nendpoint = \"{url}\"\n");
    let config = Config::parse(&text, Path::new("fortnight.toml")).expect("valid");
    let source = registry::open(&config, &config.sources[0], Clock::Fixed(NOW)).expect("opens").expect("no files");
    let start = Instant::now();
    let mut points = 0;
    for ago in (1..=days).rev() {
        let window = Window::new(TODAY - ago * DAY, TODAY - (ago - 1) * DAY);
        let intake = source.series(window).await.expect("answers");
        points += intake.rows as usize;
    }
    (start.elapsed().as_secs_f64(), points, memory_kb())
}

fn memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}

/// Sends recorded requests with curl, one after another on one connection; returns seconds.
///
/// `headers`: one a line of curl's configuration.
fn bare(folder: &Path, url: &str, headers: &[&str], bodies: &[Vec<u8>]) -> f64 {
    let headers: String = headers.iter().map(|header| format!("header = \"{header}\"\n")).collect();
    let mut config = String::new();
    for (number, body) in bodies.iter().enumerate() {
        let file = folder.join(format!("{number}.body"));
        std::fs::write(&file, body).expect("written");
        let next = if number > 0 { "next\n" } else { "" };
        config.push_str(&format!(
            "{next}url = \"{url}\"\ndata-binary = \"@{}\"\n{headers}output = \"{}\"\nsilent\nfail\n",
            file.display(),
            folder.join(format!("{number}.answer")).display()
        ));
    }
    let path = folder.join("curl.config");
    std::fs::write(&path, config).expect("written");
    let start = Instant::now();
    let status = Command::new("curl").arg("--config").arg(&path).status().expect("curl is installed by tests/run");
    assert!(status.success());
    start.elapsed().as_secs_f64()
}

#[test]
fn collecting_is_bound_by_the_server_and_flat_in_memory() {
    let name = "collecting_is_bound_by_the_server_and_flat_in_memory";
    const URL: &str = "FORTNIGHT_TEST_URL";
    if let Ok(url) = std::env::var(URL) {
        process::run(module_path!(), name, &[], async || {
            let (_, _, two) = collect(&url, 2).await;
            let (seconds, points, fourteen) = collect(&url, DAYS).await;
            println!("measured {seconds} {points} {two} {fourteen}");
        });
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(async {
        let many: Vec<String> =
            (0..METRICS).map(|k| format!("AWS/ECS CPUUtilization ClusterName=main,ServiceName=svc-{k:03}")).collect();
        CloudWatch::start(&many.iter().map(String::as_str).collect::<Vec<_>>()).await
    });
    let made = Mutex::new(std::collections::BTreeMap::new());
    server.answer(move |request, _| {
        let key = (request.start_s, request.queries.len());
        let mut made = made.lock().expect("not poisoned");
        made.entry(key).or_insert_with(|| page(request, &complete(request), None)).clone()
    });
    let url = server.server.uri();
    let keys = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "secret"), (URL, url.as_str())];
    let measured = || {
        let said = process::run(module_path!(), name, &keys, async || {}).expect("outside");
        let line = said.lines().find_map(|line| line.split_once("measured ")).expect("a measurement").1.to_owned();
        line.split(' ').map(|word| word.parse::<f64>().expect("a number")).collect::<Vec<f64>>()
    };
    // Once to make the answers and to learn the requests.
    measured();
    let requests = runtime.block_on(server.server.received_requests()).expect("recorded");
    let data = requests.iter().filter(|request| request.url.path().ends_with("/GetMetricData"));
    let mut bodies: Vec<Vec<u8>> = data.map(|request| request.body.clone()).collect();
    let first = bodies.len() - 2 * DAYS as usize;
    let bodies = bodies.split_off(first);
    let folder = tempfile::tempdir().expect("a folder");
    let service = format!("{url}/service/GraniteServiceVersion20100801/operation/GetMetricData");
    let bare = || bare(folder.path(), &service, &["content-type: application/cbor"], &bodies);
    let curl = bare().min(bare());
    let [seconds, points, two, fourteen] = measured()[..] else { panic!("four numbers") };
    let ratio = seconds / curl;
    eprintln!(
        "{METRICS} metrics, {DAYS} days, {points} points: {seconds:.2} s; curl with the same {} requests: {curl:.2} s; \
         ratio {ratio:.2}; memory after 2 days {:.0} MB, after {DAYS} {:.0} MB",
        bodies.len(),
        two / 1024.0,
        fourteen / 1024.0
    );
    assert!(fourteen < two + MORE_KB as f64, "{two} kB after 2 days, {fourteen} kB after {DAYS}");
}

#[test]
fn collecting_from_new_relic_asks_what_a_bare_client_asks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let world = World { applications: 4, transactions: 10, otel: 1, ..World::default() };
    let now = world.now;
    let server = runtime.block_on(Quick::start(world));
    let collect = || {
        let folder = tempfile::tempdir().expect("a folder");
        let config =
            format!("[[source]]\nkind = \"newrelic\"\naccount = \"1\"\nendpoint = \"{}\"\n", server.endpoint());
        program::write(&folder, "fortnight.toml", &config);
        let since = fortnight::model::time::rfc3339(now - DAYS * DAY, chrono_tz::UTC);
        let mut command = program::command(folder.path());
        command.args(["collect", "--since", &since]).env("NEW_RELIC_API_KEY", KEY).env("NO_PROXY", "127.0.0.1");
        command.env("SOURCE_DATE_EPOCH", (now / 1000).to_string());
        let start = Instant::now();
        let output = command.output().expect("runs");
        (start.elapsed().as_secs_f64(), program::told(&output))
    };
    // Once to make the answers and to learn the requests.
    collect();
    let bodies = server.take();
    let (first, said) = collect();
    let seconds = first.min(collect().0);
    let asked = server.take().len();
    let folder = tempfile::tempdir().expect("a folder");
    let key = format!("api-key: {KEY}");
    let bare = || bare(folder.path(), &server.endpoint(), &["content-type: application/json", &key], &bodies);
    let curl = bare().min(bare());
    let sent = server.take().len();
    eprintln!(
        "New Relic, {DAYS} days: {}; {seconds:.2} s; curl with the same {} requests: {curl:.2} s; ratio {:.2}",
        said.trim().replace('\t', " "),
        bodies.len(),
        seconds / curl
    );
    assert!(bodies.len() > 100, "{} requests", bodies.len());
    assert_eq!((asked, sent), (2 * bodies.len(), 2 * bodies.len()), "both did the same requests, twice");
}
