//! Every row is decoded once, and the report is the same, however many shards there are.

use std::path::Path;

use super::super::judge;
use super::*;
use crate::model::metric::{Kind, Unit};
use crate::model::time::HOUR;
use crate::render::terminal::Style;
use crate::review::to_json;

/// Midnight of a Monday.
const START: i64 = 20_003 * DAY;
/// Services with a series each in the file, and as many hosts in the store.
const SERVICES: usize = 60;
const TALK: Ui = Ui {
    summary: false,
    as_record: false,
    progress: false,
    style: Style { colour: false, signs: false },
    colour_data: false,
    signs_data: false,
};

fn hours() -> impl Iterator<Item = i64> {
    (0..5 * 24).map(|hour| START + hour * HOUR)
}

/// Writes three days and two days of hours: services in a file whose rows jump between services, hosts in the store.
fn write(folder: &Path) -> u64 {
    let mut text = String::from("time,service,kind,target,signal,unit,value\n");
    let mut rows = 0;
    for at in hours() {
        for service in 0..SERVICES {
            let value = 100 + (at / HOUR * 7 + service as i64 * 13) % 23 + if at > START + 3 * DAY { 40 } else { 0 };
            text.push_str(&format!("{at},svc-{service:02},operation,GET /a,latency_p95,ms,{value}\n"));
            rows += 1;
        }
    }
    std::fs::write(folder.join("series.csv"), text).expect("written");
    let deploys = (0..SERVICES).map(|service| {
        format!("{{\"id\":\"d{service}\",\"service\":\"svc-{service:02}\",\"at\":{}}}\n", (START + 3 * DAY) / 1000)
    });
    std::fs::write(folder.join("deploys.jsonl"), deploys.collect::<String>()).expect("written");
    let host = |service: usize| {
        let key = SeriesKey {
            service: format!("host-{service:02}").into(),
            kind: Kind::Resource,
            target: format!("ec2:host-{service:02}").into(),
            signal: "cpu_utilization".into(),
        };
        let times: Vec<i64> = hours().collect();
        let values = times.iter().map(|at| (at / HOUR % 19) as f64 / 40.0).collect();
        Series { key, unit: Unit::parse("percent").expect("known"), times, values }
    };
    let hosts: Vec<Series> = (0..SERVICES).map(host).collect();
    rows += hosts.iter().map(|one| one.times.len() as u64).sum::<u64>();
    Store::open(&folder.join(".fortnight")).expect("opened").append("aws", &hosts, &[]).expect("written");
    rows
}

fn config(folder: &Path, more: &str) -> Config {
    let text = format!(
        "[period]\ndays = 2\n[judge]\nbaseline_days = 3\n[[source]]\nkind = \"files\"\nseries = [\"series.csv\"]\n\
         deploys = [\"deploys.jsonl\"]\n{more}"
    );
    Config::parse(&text, &folder.join("fortnight.toml")).expect("valid")
}

fn period() -> Window {
    Window::new(START + 3 * DAY, START + 5 * DAY)
}

/// Judges everything with a limit of memory, and returns the shards and the report's bytes.
fn report(config: &Config, rows: u64, memory_by: u64) -> (usize, Vec<u8>) {
    let config = Config { memory_by, ..config.clone() };
    let mut history = History::open(&config, period(), &TALK).expect("opened");
    let shards = history.shards();
    let mut points = 0;
    history
        .read(&TALK, |series| {
            points += series.iter().map(|one| one.times.len() as u64).sum::<u64>();
            Ok(())
        })
        .expect("read");
    assert_eq!((history.rows.reader.decoded_rows(), points), (rows, rows), "with {shards} shards");
    assert_eq!(history.rows.reader.spilled_by() > 0, shards > 1);
    let review = judge(&config, period(), &TALK).expect("judged").review(&config).expect("built");
    (shards, to_json(&review).expect("rendered"))
}

#[test]
fn rows_are_decoded_once_and_the_report_is_the_same_for_1_3_and_50_shards() {
    // With a map, hosts belong to services whose names come much earlier or later in the alphabet.
    let map: String = (0..SERVICES)
        .map(|service| {
            let owner = (service * 7) % SERVICES;
            format!("[[service]]\nname = \"svc-{owner:02}\"\nresources = [\"host-{service:02}\"]\n")
        })
        .collect();
    for more in ["", map.as_str()] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let rows = write(folder.path());
        let config = config(folder.path(), more);
        let (one, whole) = report(&config, rows, 1 << 30);
        assert_eq!(one, 1);
        let text = String::from_utf8_lossy(&whole).into_owned();
        assert!(text.contains("\"comparisons\"") && text.contains("svc-59"));
        let mut seen = Vec::new();
        // A series takes about 4 kB; the limit leaves room for a third or a fiftieth of them.
        for memory_by in [170_000, 8_000] {
            let (shards, bytes) = report(&config, rows, memory_by);
            assert!(bytes == whole, "another report with {shards} shards");
            seen.push(shards);
        }
        assert!((3..=4).contains(&seen[0]) && seen[1] >= 50, "{seen:?}");
    }
}

#[test]
fn a_point_that_comes_again_is_counted_alike_in_few_and_many_shards() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = write(folder.path());
    let path = folder.path().join("series.csv");
    let text = std::fs::read_to_string(&path).expect("read");
    let again: String = text.lines().skip(1).step_by(977).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, format!("{text}{again}")).expect("written");
    let config = config(folder.path(), "");
    let states = |memory_by: u64| {
        let config = Config { memory_by, ..config.clone() };
        let mut history = History::open(&config, period(), &TALK).expect("opened");
        history.read(&TALK, |_| Ok(())).expect("read");
        history.sources
    };
    let (one, many) = (states(1 << 30), states(8_000));
    assert_eq!(one, many);
    let note = one.iter().flat_map(|state| &state.diagnostics).find(|note| note.code == "duplicate_same_value");
    assert_eq!(note.map(|note| note.count), Some(again.lines().count() as u64));
    assert!(rows > 0);
}
