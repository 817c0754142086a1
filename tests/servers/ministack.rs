//! Two weeks of one-minute points of 600 metrics in two accounts, put into somebody else's server by another client,
//! collected by assuming a role in each account, and compared point for point with what was put.
//!
//! Every minute of all of them takes twelve minutes and 7 GB in the server. Therefore ten metrics have every minute, and
//! the others twenty minutes of each day; `FORTNIGHT_EVERY_MINUTE=1` puts every minute of all 600.
//!
//! And resources that Amazon's own client made and tagged there, found by the ARNs that the server gave them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what was measured is for whoever looks")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::support::servers::ministack::{MiniStack, venv};
use crate::support::servers::{NOW, TODAY, process};
use fortnight::config::Config;
use fortnight::model::clock::Clock;
use fortnight::model::metric::Series;
use fortnight::model::time::{DAY, MINUTE, Window};
use fortnight::source::registry;

const DAYS: i64 = 14;
/// Width of the buckets in the config's default, seconds.
const BUCKET_S: i64 = 300;

/// An account's number as the access key is MiniStack's way to say who asks.
const VARIABLES: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "333333333333"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("FORTNIGHT_TEST_EXTERNAL_ID", "external-id"),
];

/// The variable that has every minute of all metrics put.
const EVERY_MINUTE: &str = "FORTNIGHT_EVERY_MINUTE";

/// What was put of one metric: seconds and value.
pub type Points = Vec<(i64, f64)>;

/// A series by service, target and signal.
pub type Key = (String, String, String);

pub fn read(path: &Path) -> BTreeMap<String, BTreeMap<(String, String, String), Points>> {
    let mut put: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
    for line in std::fs::read_to_string(path).expect("what was put").lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let [account, namespace, name, dimensions, points] = words[..] else { panic!("{line}") };
        let point = |word: &str| {
            let (at, value) = word.split_once(':').expect("time:value");
            (at.parse().expect("seconds"), value.parse().expect("a number"))
        };
        let points: Points = points.split_whitespace().map(point).collect();
        put.entry(account.into()).or_default().insert((namespace.into(), name.into(), dimensions.into()), points);
    }
    put
}

/// Puts points into buckets.
fn buckets(points: &[(i64, f64)]) -> BTreeMap<i64, Vec<f64>> {
    let mut buckets: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (at, value) in points {
        buckets.entry(at.div_euclid(BUCKET_S) * BUCKET_S).or_default().push(*value);
    }
    buckets
}

fn each(points: &[(i64, f64)], statistic: impl Fn(&[f64]) -> f64) -> BTreeMap<i64, f64> {
    buckets(points).into_iter().map(|(at, values)| (at, statistic(&values))).collect()
}

fn sum(values: &[f64]) -> f64 {
    values.iter().sum()
}

fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

/// Interpolates between the two nearest ranks, as MiniStack does.
fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, part) = (rank.floor() as usize, rank.fract());
    let next = sorted[(low + 1).min(sorted.len() - 1)];
    sorted[low] + part * (next - sorted[low])
}

/// Computes every series that the lists make of what was put, by hand.
pub fn expected(put: &BTreeMap<(String, String, String), Points>) -> BTreeMap<Key, BTreeMap<i64, f64>> {
    let mut all = BTreeMap::new();
    for ((namespace, name, dimensions), points) in put {
        let values: Vec<&str> = dimensions.split(',').filter_map(|pair| Some(pair.split_once('=')?.1)).collect();
        let (service, target) = match namespace.as_str() {
            "AWS/ApplicationELB" => {
                let name = values[0].split('/').nth(1).expect("app/name/hash");
                (name.to_owned(), format!("alb:{name}"))
            }
            "AWS/ECS" => (values[1].to_owned(), format!("ecs:{}/{}", values[0], values[1])),
            "AWS/RDS" => (values[0].to_owned(), format!("rds:{}", values[0])),
            _ => (values[0].to_owned(), format!("lambda:{}", values[0])),
        };
        let mut add = |signal: &str, series: BTreeMap<i64, f64>| {
            all.insert((service.clone(), target.clone(), signal.to_owned()), series);
        };
        let beside = |other: &str| {
            let key = (namespace.clone(), other.to_owned(), dimensions.clone());
            each(put.get(&key).map_or(&[][..], Vec::as_slice), sum)
        };
        let scaled = |factor: f64| each(points, |values| mean(values) * factor);
        let latencies = |factor: f64| {
            [("latency_p50", 50.0), ("latency_p95", 95.0), ("latency_p99", 99.0)]
                .map(|(signal, percent)| (signal, each(points, |values| percentile(values, percent) * factor)))
        };
        // A share is known wherever there was something to fail; what is silent did not fail.
        let share = |failed: &BTreeMap<i64, f64>, all: &BTreeMap<i64, f64>| -> BTreeMap<i64, f64> {
            let times = failed.keys().chain(all.keys());
            let of = |list: &BTreeMap<i64, f64>, at: &i64| list.get(at).copied().unwrap_or(0.0);
            times.map(|at| (*at, of(failed, at) / of(failed, at).max(of(all, at)))).collect()
        };
        match (namespace.as_str(), name.as_str()) {
            (_, "RequestCount") => {
                add("throughput", each(points, |values| sum(values) / BUCKET_S as f64));
                add("error_rate", share(&beside("HTTPCode_Target_5XX_Count"), &each(points, sum)));
            }
            (_, "Invocations") => {
                add("throughput", each(points, |values| sum(values) / BUCKET_S as f64));
                add("error_rate", share(&beside("Errors"), &each(points, sum)));
                add("throttle_rate", each(points, |_| 0.0));
            }
            (_, "TargetResponseTime" | "Duration") => {
                let factor = if name == "Duration" { 1e-3 } else { 1.0 };
                latencies(factor).into_iter().for_each(|(signal, series)| add(signal, series));
                add("latency_mean", scaled(factor));
            }
            (_, "CPUUtilization") => add("cpu_utilization", scaled(0.01)),
            (_, "MemoryUtilization") => add("memory_utilization", scaled(0.01)),
            (_, "DatabaseConnections") => add("connections", scaled(1.0)),
            (_, "ReadLatency") => add("read_latency", scaled(1.0)),
            (_, "WriteLatency") => add("write_latency", scaled(1.0)),
            (_, "CommitLatency") => add("commit_latency", scaled(1e-3)),
            (_, "FreeableMemory") => {
                add("free_memory", each(points, |values| values.iter().copied().fold(f64::INFINITY, f64::min)));
            }
            (_, "DiskQueueDepth") => add("queue_length", scaled(1.0)),
            (_, "DBLoad") => add("db_load", scaled(1.0)),
            (_, "ConcurrentExecutions") => {
                add("concurrency", each(points, |values| values.iter().copied().fold(f64::MIN, f64::max)));
            }
            _ => {}
        }
    }
    all
}

/// `more`: further lines of each source.
fn config(url: &str, more: &str) -> Config {
    let source = |name: &str, account: &str| {
        format!(
            "[[source]]\nid = \"{name}\"\nkind = \"cloudwatch\"\nregions = [\"eu-west-1\"]\nendpoint = \"{url}\"\n\
             role_arn = \"arn:aws:iam::{account}:role/fortnight-read\"\nexternal_id_env = \"FORTNIGHT_TEST_EXTERNAL_ID\"\n{more}"
        )
    };
    let text = source("app", "111111111111") + &source("card", "222222222222");
    Config::parse(&text, Path::new("fortnight.toml")).expect("valid")
}

/// Tells how many points were compared, and the largest share by which one differs.
pub fn compare(found: &[Series], expected: BTreeMap<Key, BTreeMap<i64, f64>>) -> (usize, f64) {
    let mut expected = expected;
    let (mut points, mut largest) = (0, 0.0_f64);
    let mut collected: BTreeMap<Key, BTreeMap<i64, f64>> = BTreeMap::new();
    for series in found {
        let key = (series.key.service.to_string(), series.key.target.to_string(), series.key.signal.to_string());
        let values = series.times.iter().map(|at| at / 1000).zip(series.values.iter().copied());
        collected.entry(key).or_default().extend(values);
    }
    assert_eq!(collected.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, values) in collected {
        let wanted = expected.remove(&key).expect("the same keys");
        assert_eq!(values.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{key:?}");
        for ((at, is), wanted) in values.iter().zip(wanted.values()) {
            // Sums are added in another order here; nothing else may differ.
            let off = (is - wanted).abs();
            assert!(off <= 1e-12 * wanted.abs(), "{key:?} at {at}: {is}, not {wanted}");
            if off > 0.0 {
                largest = largest.max(off / wanted.abs());
            }
        }
        points += values.len();
    }
    (points, largest)
}

#[test]
fn two_accounts_come_back_point_for_point() {
    let name = "two_accounts_come_back_point_for_point";
    let said = process::run(module_path!(), name, &VARIABLES, async || {
        let folder = tempfile::tempdir().expect("a folder");
        let start = Instant::now();
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ministack.log");
        let server = MiniStack::start(&log);
        let first = TODAY - DAYS * DAY;
        let file = folder.path().join("put.tsv");
        let mut put = Command::new(venv().join("python"));
        put.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/ministack/put.py"));
        put.arg(&server.url).arg((first / 1000).to_string()).arg(&file);
        if std::env::var(EVERY_MINUTE).is_ok_and(|word| word == "1") {
            put.arg("all");
        }
        let output = put.output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let was_put = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        println!("put {was_put} points: {:.0} s", start.elapsed().as_secs_f64());

        let put = read(&file);
        assert_eq!(put.values().map(BTreeMap::len).sum::<usize>(), 600);
        let config = config(&server.url, "");
        let start = Instant::now();
        for (number, account) in ["111111111111", "222222222222"].into_iter().enumerate() {
            let source =
                registry::open(&config, &config.sources[number], Clock::Fixed(NOW)).expect("opens").expect("no files");
            let mut found = Vec::new();
            for day in 0..DAYS {
                let window = Window::new(first + day * DAY, first + (day + 1) * DAY);
                let intake = source.series(window).await.expect("answers");
                assert!(intake.series.iter().all(|series| {
                    series.times.iter().all(|time| window.contains(*time) && time % (5 * MINUTE) == 0)
                        && series.times.windows(2).all(|pair| pair[0] < pair[1])
                }));
                found.extend(intake.series);
            }
            let seconds = start.elapsed().as_secs_f64();
            let (points, largest) = compare(&found, expected(&put[account]));
            println!("account {account}: {points} points are the same, to {largest:.0e} of each, after {seconds:.0} s");
        }
        println!("MiniStack took {} MB", server.memory_kb().unwrap_or(0) / 1024);
    });
    if let Some(said) = said {
        let told = said.lines().filter(|line| line.contains("points") || line.contains("MiniStack took"));
        told.for_each(|line| eprintln!("{line}"));
    }
}

#[test]
fn resources_are_found_by_the_tags_that_another_client_gave_them() {
    let name = "resources_are_found_by_the_tags_that_another_client_gave_them";
    process::run(module_path!(), name, &VARIABLES, async || {
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ministack-tags.log");
        let server = MiniStack::start(&log);
        let window = Window::new(TODAY - 2 * DAY, TODAY - DAY);
        let mut made = Command::new(venv().join("python"));
        made.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/ministack/tags.py"));
        let output =
            made.args([&server.url, "222222222222", &(window.start / 1000 + 3600).to_string()]).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let wanted: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('\t')).collect();
        assert_eq!(wanted.len(), 5);

        let config = config(&server.url, "service_tag = \"Service\"\n");
        let services = async |number: usize| {
            let source =
                registry::open(&config, &config.sources[number], Clock::Fixed(NOW)).expect("opens").expect("no files");
            let intake = source.series(window).await.expect("answers");
            assert_eq!(intake.diagnostics, []);
            let pairs =
                intake.series.iter().map(|series| (series.key.target.to_string(), series.key.service.to_string()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let found = services(1).await;
        assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
        for (target, service) in &found {
            let named = if wanted[&**target] == "-" { "untagged" } else { wanted[&**target] };
            assert_eq!(service, named, "{target}");
        }
        assert!(services(0).await.is_empty(), "the other account has none of them");
    });
}
