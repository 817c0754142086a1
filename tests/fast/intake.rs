//! Whole reads of small files: what arrives, what is left out, what is refused and with which words.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use fortnight::format::{Reader, events};
use fortnight::model::diagnostic::{Diagnostic, Stage};
use fortnight::model::event::{Event, EventKind, Origin};
use fortnight::model::metric::Series;
use fortnight::model::time::{HOUR, Window};
use fortnight::source::files::{FilesSettings, FilesSource};
use fortnight::source::{RecordedSource, SeriesBatch, SourceError};
use proptest::prelude::*;
use tempfile::TempDir;

const EVER: Window = Window { start: i64::MIN, end: i64::MAX };
const HEADER: &str = "time,service,kind,target,signal,unit,value\n";

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn open(folder: &Path, series: &[&str], deploys: &[&str]) -> Result<FilesSource, SourceError> {
    let list = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    FilesSource::open(folder, "recorded", &FilesSettings { series: list(series), deploys: list(deploys) })
}

fn read(folder: &Path, patterns: &[&str]) -> Result<SeriesBatch, SourceError> {
    in_shards(&open(folder, patterns, &[])?, EVER, u64::MAX).map(|(batch, _)| batch)
}

/// Reads all of a source within a limit of memory. Returns also into how many shards it was divided.
fn in_shards(source: &FilesSource, window: Window, memory_by: u64) -> Result<(SeriesBatch, usize), SourceError> {
    let failed = |source| SourceError::Record { id: "recorded".to_owned(), source };
    let mut reader = Reader::new(memory_by);
    let input = source.decode(window, &mut reader)?;
    let shards = reader.plan(|key| key.service.clone()).map_err(failed)?;
    let mut batch = SeriesBatch { rows: reader.rows(input), ..SeriesBatch::default() };
    for shard in 0..shards {
        batch.series.extend(reader.take(input, shard).map_err(failed)?.series);
    }
    let counted = |left: fortnight::format::LeftOut| {
        Diagnostic::counted(Stage::Source, "recorded", left.reason, left.count, left.example)
    };
    batch.diagnostics = reader.left_out(input).map_err(failed)?.into_iter().map(counted).collect();
    Ok((batch, shards))
}

fn read_text(text: impl AsRef<[u8]>) -> Result<SeriesBatch, SourceError> {
    let folder = folder();
    fs::write(folder.path().join("s.csv"), text).expect("written");
    read(folder.path(), &["s.csv"])
}

/// One CSV line of a latency.
fn line(time: impl std::fmt::Display, value: impl std::fmt::Display) -> String {
    format!("{time},cards,operation,GET /v1/cards,latency_p95,ms,{value}\n")
}

/// The whole chain of an error's words.
fn told(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        write!(text, ": {deeper}").expect("fits");
        cause = deeper.source();
    }
    text
}

fn refusal(text: impl AsRef<[u8]>) -> String {
    told(&read_text(text).expect_err("refused"))
}

fn note<'a>(intake: &'a SeriesBatch, reason: &str) -> Option<(u64, &'a str)> {
    let note = intake.diagnostics.iter().find(|note| note.code == reason)?;
    Some((note.count, note.example.as_str()))
}

#[test]
fn broken_rows_are_refused_with_file_line_and_reason() {
    let good = line(1_794_182_400, 5);
    let row = |text: &str| format!("{HEADER}{good}{text}\n");
    let cases = [
        ("1794182700,cards,operation,t,x,msec,5", "s.csv:3: unknown unit `msec`"),
        ("yesterday,cards,operation,t,x,ms,5", "s.csv:3: unparsable time `yesterday`"),
        ("2026-11-09T00:00:00,cards,operation,t,x,ms,5", "s.csv:3: unparsable time `2026-11-09T00:00:00`"),
        (",cards,operation,t,x,ms,5", "s.csv:3: unparsable time ``"),
        ("1794182700,cards,endpoint,t,x,ms,5", "s.csv:3: unknown kind `endpoint`"),
        ("1794182700,,operation,t,x,ms,5", "s.csv:3: empty service"),
        ("1794182700,cards,operation,,x,ms,5", "s.csv:3: empty target"),
        ("1794182700,cards,operation,t,,ms,5", "s.csv:3: empty signal"),
        ("1794182700,cards,operation,t,x,ms,fast", "s.csv:3: value `fast` is not a number"),
        ("1794182700,cards,operation,t,x,ms,\"1,5\"", "s.csv:3: value `1,5` is not a number"),
        ("1794182700,cards,operation,t,x,ms", "s.csv:3: 6 fields, the header has 7"),
        (
            "1794182700,cards,operation,GET /v1/cards,latency_p95,bytes,5",
            "s.csv:3: unit `bytes` for `cards · GET /v1/cards · latency_p95`, which was in `ms`",
        ),
    ];
    for (text, reason) in cases {
        assert_eq!(refusal(row(text)), format!("source `recorded`: {reason}"), "{text}");
    }
    let unknown = read_text(row(cases[0].0)).expect_err("refused");
    assert!(unknown.help().is_some_and(|help| help.contains("known units are s, ms")));
    let long = row(&format!("1794182700,cards,operation,{},x,ms,5", "t".repeat(70_000)));
    assert_eq!(refusal(long), "source `recorded`: s.csv:3: target longer than 65536 bytes");
    let mut bytes = row("1794182700,cards,operation,\u{1},x,ms,5").into_bytes();
    bytes.iter_mut().filter(|byte| **byte == 1).for_each(|byte| *byte = 0xff);
    assert_eq!(refusal(bytes), "source `recorded`: s.csv:3: target is not valid UTF-8");
}

#[test]
fn values_that_make_no_sense_are_missing_and_counted() {
    let mut text = HEADER.to_owned();
    for (second, unit, value) in [
        (0, "ms", "-5"),
        (1, "ms", "NaN"),
        (2, "ms", ""),
        (3, "ms", "inf"),
        (4, "ms", "n/a"),
        (5, "percent", "100"),
        (6, "percent", "100.1"),
        (7, "ratio", "-0.1"),
        (8, "requests/min", "-1"),
        (9, "count", "-1"),
    ] {
        writeln!(text, "{},a,resource,t,of_{unit},{unit},{value}", 1_794_182_400 + second).expect("fits");
    }
    // A container may use more than it reserved.
    writeln!(text, "1794182410,a,resource,t,cpu_utilization,percent,180").expect("fits");
    let intake = read_text(text).expect("read");
    assert_eq!(note(&intake, "negative_latency"), Some((1, "s.csv:2")));
    assert_eq!(note(&intake, "share_above_one"), Some((1, "s.csv:8")));
    assert_eq!(note(&intake, "negative_share"), Some((1, "s.csv:9")));
    assert_eq!(note(&intake, "negative_rate"), Some((1, "s.csv:10")));
    assert_eq!(intake.diagnostics.len(), 4);
    let of = |signal: &str| {
        let series = intake.series.iter().find(|series| &*series.key.signal == signal).expect("there");
        series.values.clone()
    };
    assert!(of("of_ms").iter().all(|value| value.is_nan()));
    assert_eq!(of("of_ms").len(), 5);
    assert_eq!(of("of_percent").first(), Some(&1.0));
    assert_eq!(of("of_count"), [-1.0]);
    assert_eq!(of("cpu_utilization"), [1.8]);
}

#[test]
fn points_that_come_again_are_counted_or_refused() {
    let twice = format!("{HEADER}{}{}{}", line(60, 5), line(120, 6), line(60, 5));
    let intake = read_text(&twice).expect("read");
    assert_eq!(note(&intake, "duplicate_same_value"), Some((1, "s.csv:4")));
    assert_eq!(intake.series[0].times, [60_000, 120_000]);
    let gap = format!("{HEADER}{}{}", line(60, ""), line(60, 5));
    let intake = read_text(&gap).expect("read");
    assert_eq!(note(&intake, "duplicate_missing_value"), Some((1, "s.csv:3")));
    assert_eq!(intake.series[0].values, [0.005]);
    let other = format!("{HEADER}{}{}{}", line(120, 6), line(60, 5), line(60, 7));
    assert_eq!(
        refusal(&other),
        "source `recorded`: s.csv:4: another value for `cards · GET /v1/cards · latency_p95` \
         at 1970-01-01T00:01:00Z than at s.csv:3"
    );
}

#[test]
fn units_of_one_dimension_are_converted() {
    let row = |time: u32, unit: &str, value: &str| format!("{time},a,operation,t,x,{unit},{value}\n");
    let one = read_text(format!("{HEADER}{}{}", row(60, "ms", "250"), row(120, "s", "0.5"))).expect("read");
    let other = read_text(format!("{HEADER}{}{}", row(120, "s", "0.5"), row(60, "ms", "250"))).expect("read");
    assert_eq!(one.series[0].values, [0.25, 0.5]);
    assert_eq!(one.series, other.series);
    // 1001 ms and 1.001 s differ in the last bit once converted, and are the same measurement.
    let both = [row(60, "ms", "1001"), row(60, "s", "1.001")];
    let one = read_text(format!("{HEADER}{}{}", both[0], both[1])).expect("read");
    let other = read_text(format!("{HEADER}{}{}", both[1], both[0])).expect("read");
    assert_eq!(one.series, other.series);
    assert_eq!(note(&one, "duplicate_same_value"), Some((1, "s.csv:3")));
}

#[test]
fn marks_ends_quotes_and_column_order_do_not_matter() {
    let plain = read_text(format!("{HEADER}{}{}", line(60, 5), line(120, 6))).expect("read");
    let odd = "\u{feff}\"value\",unit,extra,signal,target,kind,service,time\r\n\
               5,ms,\"a \"\"b\"\"\r\nc\",latency_p95,\"GET /v1/cards\",operation,cards,1970-01-01T00:01:00Z\r\n\
               6,ms,,latency_p95,GET /v1/cards,operation,cards,120000000000\r\n";
    let odd = read_text(odd.replace("120000000000", "1970-01-01T09:02:00+09:00")).expect("read");
    assert_eq!(plain.series, odd.series);
}

#[test]
fn hostile_names_are_data() {
    let name = format!("a\u{202e}b\u{0}<script>{}", "é".repeat(5000));
    let intake = read_text(format!("{HEADER}60,\"{name}\",operation,t,x,ms,5\n")).expect("read");
    assert_eq!(&*intake.series[0].key.service, name);
}

#[test]
fn files_with_little_or_nothing_in_them() {
    assert_eq!(refusal(""), "source `recorded`: s.csv: the file is empty");
    assert_eq!(refusal("time,service\n"), "source `recorded`: s.csv: column `value` is missing");
    let header = read_text(HEADER).expect("read");
    assert!(header.series.is_empty());
    assert_eq!(note(&header, "no_rows"), Some((1, "s.csv")));
    let one = read_text(format!("{HEADER}{}", line(60, 5).trim_end())).expect("read");
    assert_eq!((one.series.len(), one.series[0].times.len(), one.rows), (1, 1, 1));
}

#[test]
fn packed_and_cut_off_files() {
    let folder = folder();
    let text = format!("{HEADER}{}", (0..2000).map(|k| line(60 * (k + 1), k)).collect::<String>());
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).expect("packed");
    let packed = packer.finish().expect("packed");
    fs::write(folder.path().join("a.csv.gz"), &packed).expect("written");
    assert_eq!(read(folder.path(), &["a.csv.gz"]).expect("read").series, read_text(&text).expect("read").series);
    fs::write(folder.path().join("b.csv.gz"), &packed[..packed.len() / 2]).expect("written");
    let error = told(&read(folder.path(), &["b.csv.gz"]).expect_err("refused"));
    assert!(error.starts_with("source `recorded`: b.csv.gz: cut off or damaged"), "{error}");
    fs::write(folder.path().join("c.parquet"), b"PAR1 and then nothing that makes sense").expect("written");
    let error = told(&read(folder.path(), &["c.parquet"]).expect_err("refused"));
    assert!(error.starts_with("source `recorded`: c.parquet: cut off or damaged"), "{error}");
}

#[test]
fn patterns_find_files_and_each_file_once() {
    let root = folder();
    let folder = root.path().join("odd [name]");
    fs::create_dir_all(folder.join("2026")).expect("made");
    fs::write(folder.join("2026/a.csv"), format!("{HEADER}{}", line(60, 5))).expect("written");
    fs::write(folder.join("2026/b[1].csv"), format!("{HEADER}{}", line(120, 6))).expect("written");
    let intake = read(&folder, &["2026/*.csv", "**/a.csv", "2026/b[1].csv"]).expect("read");
    assert_eq!(intake.series[0].times, [60_000, 120_000]);
    assert!(intake.diagnostics.is_empty());
    let error = read(&folder, &["2026/*.csv", "2027/*.csv"]).expect_err("refused");
    assert_eq!(told(&error), "source `recorded`: no file matches `2027/*.csv`");
    assert!(matches!(read(&folder, &["a***"]), Err(SourceError::Pattern { .. })));
}

#[test]
fn a_window_is_half_open() {
    let folder = folder();
    let text = format!("{HEADER}{}", (1..=10).map(|k| line(60 * k, k)).collect::<String>());
    fs::write(folder.path().join("s.csv"), text).expect("written");
    let files = open(folder.path(), &["s.csv"], &[]).expect("opened");
    let intake = in_shards(&files, Window::new(120_000, 300_000), u64::MAX).expect("read").0;
    assert_eq!(intake.series[0].times, [120_000, 180_000, 240_000]);
    assert_eq!(intake.rows, 3);
    assert!(in_shards(&files, Window::new(0, 60_000), u64::MAX).expect("read").0.series.is_empty());
}

#[test]
fn the_days_of_daylight_saving_are_as_long_as_they_are() {
    // Berlin, 25 October 2026: the hour from 02:00 comes twice, told apart by its offset.
    let times = ["01:00:00+02:00", "02:00:00+02:00", "02:00:00+01:00", "03:00:00+01:00"];
    let text: String = times.iter().map(|time| line(format!("2026-10-25T{time}"), 5)).collect();
    let intake = read_text(format!("{HEADER}{text}")).expect("read");
    let steps: Vec<i64> = intake.series[0].times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps, [HOUR, HOUR, HOUR]);
}

#[test]
fn steps_may_change_and_gaps_stay_gaps() {
    let times = [0, 60, 120, 420, 720, 86_400, 90_000];
    let text: String = times.iter().map(|time| line(time, 5)).collect();
    let intake = read_text(format!("{HEADER}{text}")).expect("read");
    assert_eq!(intake.series[0].times, times.map(|time| time * 1000));
}

#[test]
fn events_are_read_from_both_forms() {
    let folder = folder();
    let lines = "\u{feff}{\"id\":\"d1\",\"service\":\"cards\",\"at\":\"2026-11-09T10:00:00Z\",\"revision\":\"abc\",\"other\":[1]}\n\
                 \n\
                 {\"id\":\"i1\",\"at\":1794213000,\"until\":1794216600000,\"kind\":\"incident\",\"title\":null}\r\n\
                 {\"id\":\"d1\",\"service\":\"cards\",\"at\":\"2026-11-09T19:00:00+09:00\",\"revision\":\"abc\"}\n";
    fs::write(folder.path().join("a.jsonl"), lines).expect("written");
    fs::write(folder.path().join("b.csv"), "at,id,service,title\n1794200000,d0,cards,\"Fix, at last\"\n")
        .expect("written");
    fs::write(folder.path().join("c.jsonl"), "").expect("written");
    let files = open(folder.path(), &[], &["*.jsonl", "b.csv"]).expect("opened");
    let read = files.events().expect("read");
    let ids: Vec<&str> = read.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["d0", "i1", "d1"]);
    assert_eq!(read.events[0].title, "Fix, at last");
    assert_eq!((read.events[1].kind, read.events[1].service.as_str()), (EventKind::Incident, "*"));
    assert_eq!(read.events[1].window().length(), HOUR);
    assert_eq!(
        (read.diagnostics[0].code.as_str(), read.diagnostics[0].example.as_str()),
        ("duplicate_event", "a.jsonl:4")
    );
}

#[test]
fn an_event_keeps_its_origin_and_an_older_one_gets_that_of_its_id() {
    let of = |id: &str, origin: Origin| Event { origin, ..Event::new(id, "api", 1_794_213_000_000) };
    let written = [
        of("m-1", Origin::Reported),
        of("newrelic:7", Origin::Tracked("apm".into())),
        of("pager:9", Origin::Tracked("pager".into())),
        of("seen", Origin::Inferred),
        // As a version wrote them that knew no origin.
        of("newrelic:8", Origin::Tracked("newrelic".into())),
        of("inferred:x", Origin::Inferred),
    ];
    let folder = folder();
    let lines: String = written.iter().map(|event| events::to_line(event) + "\n").collect();
    assert_eq!(lines.matches("origin").count(), 3, "only where the id does not say it: {lines}");
    fs::write(folder.path().join("a.jsonl"), lines).expect("written");
    let read = open(folder.path(), &[], &["a.jsonl"]).expect("opened").events().expect("read").events;
    for event in written {
        assert!(read.contains(&event), "{event:?} in {read:?}");
    }
}

#[test]
fn broken_events_are_refused_with_file_line_and_reason() {
    let good = "{\"id\":\"d1\",\"service\":\"cards\",\"at\":1794213000}\n";
    let cases = [
        ("{\"id\":\"d2\",\"at\":1794213000}", "`service` is missing"),
        ("{\"id\":\"d2\",\"service\":\"*\",\"at\":1794213000}", "a deploy belongs to one service, not `*`"),
        ("{\"service\":\"a\",\"at\":1794213000}", "`id` is missing"),
        ("{\"id\":\"d2\",\"service\":\"a\"}", "`at` is missing"),
        ("{\"id\":7,\"service\":\"a\",\"at\":1}", "not an event: invalid type: integer `7`, expected a string"),
        ("{\"id\":\"d2\",\"service\":\"a\",\"at\":\"noon\"}", "`at` \"noon\" is not a time"),
        ("{\"id\":\"d2\",\"service\":\"a\",\"at\":100,\"until\":99}", "`until` 1970-01-01T00:01:39Z is before `at`"),
        (
            "{\"id\":\"d2\",\"service\":\"a\",\"at\":1,\"kind\":\"party\"}",
            "unknown kind `party`; kinds are deploy, incident",
        ),
        (
            "{\"id\":\"d2\",\"service\":\"a\",\"at\":1,\"origin\":\"rumour\"}",
            "unknown origin `rumour`; write `reported`, `tracked:SOURCE` or `inferred`",
        ),
        ("{\"id\":\"d1\",\"service\":\"b\",\"at\":1794213000}", "event `d1` differs from the one at d.jsonl:1"),
        ("{\"id\":\"d2\"", "not an event: EOF while parsing an object"),
    ];
    for (text, reason) in cases {
        let folder = folder();
        fs::write(folder.path().join("d.jsonl"), format!("{good}{text}\n")).expect("written");
        let files = open(folder.path(), &[], &["d.jsonl"]).expect("opened");
        let error = told(&files.events().expect_err("refused"));
        assert!(error.starts_with(&format!("source `recorded`: d.jsonl:2: {reason}")), "{error}");
    }
}

/// Points of a few series, each time once a series.
fn rows() -> impl Strategy<Value = Vec<(usize, i64, Option<u32>)>> {
    prop::collection::btree_map((0..6_usize, 0..200_i64), prop::option::of(0..1000_u32), 0..150)
        .prop_map(|points| points.into_iter().map(|((series, time), value)| (series, time, value)).collect())
}

fn text_of(rows: &[(usize, i64, Option<u32>)]) -> String {
    let mut text = HEADER.to_owned();
    for (series, time, value) in rows {
        let value = value.map_or(String::new(), |value| value.to_string());
        writeln!(text, "{},s{},operation,t{series},x,ms,{value}", time * 60, series % 3).expect("fits");
    }
    text
}

type PlainPoints = Vec<(i64, Option<u64>)>;

/// Series in a form where a missing value equals a missing value.
fn plain(series: &[Series]) -> Vec<(String, PlainPoints)> {
    let point = |(time, value): (&i64, &f64)| (*time, (!value.is_nan()).then_some(value.to_bits()));
    series
        .iter()
        .map(|one| (format!("{:?}", one.key), one.times.iter().zip(&one.values).map(point).collect()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_rows_does_not_matter(sorted in rows(), mixed in Just(()).prop_perturb(|(), rng| rng), split in 0..150_usize) {
        let mut rng = mixed;
        let mut shuffled = sorted.clone();
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, rng.random_range(0..=last));
        }
        let expected = read_text(text_of(&sorted)).expect("read");
        let folder = folder();
        let (one, other) = shuffled.split_at(split.min(shuffled.len()));
        fs::write(folder.path().join("1.csv"), text_of(one)).expect("written");
        fs::write(folder.path().join("2.csv"), text_of(other)).expect("written");
        let found = read(folder.path(), &["*.csv"]).expect("read");
        prop_assert_eq!(plain(&found.series), plain(&expected.series));
        prop_assert!(found.series.is_sorted_by(|one, other| one.key < other.key));
    }

    #[test]
    fn shards_together_are_the_whole(sorted in rows(), memory_by in 0..40_000_u64) {
        let folder = folder();
        fs::write(folder.path().join("s.csv"), text_of(&sorted)).expect("written");
        let files = open(folder.path(), &["s.csv"], &[]).expect("opened");
        let (whole, one) = in_shards(&files, EVER, u64::MAX).expect("read");
        let (found, shards) = in_shards(&files, EVER, memory_by).expect("read");
        prop_assert!(one == 1 && shards >= 1);
        prop_assert_eq!(plain(&found.series), plain(&whole.series));
        prop_assert_eq!((found.rows, found.diagnostics), (whole.rows, whole.diagnostics));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), as_gzip in any::<bool>(), as_csv in any::<bool>()) {
        let mut text = if as_csv { HEADER.as_bytes().to_vec() } else { Vec::new() };
        if as_gzip {
            text = vec![0x1f, 0x8b, 8, 0];
        }
        text.extend(bytes);
        drop(read_text(&text));
    }
}
