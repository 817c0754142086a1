//! The local history: what is written is what is read, and nothing is lost when a file is broken.

mod damage;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fortnight::format::merge;
use fortnight::model::event::{Event, EventKind};
use fortnight::model::metric::{Kind, Series, SeriesKey, UNITS, Unit};
use fortnight::model::time::{DAY, HOUR, Window};
use fortnight::store::{DayState, Store, StoreError};
use proptest::prelude::*;
use tempfile::TempDir;

const EVER: Window = Window { start: i64::MIN, end: i64::MAX };

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&folder.path().join("history")).expect("opened");
    (folder, store)
}

fn series(target: &str, unit: &str, points: &[(i64, f64)]) -> Series {
    Series {
        key: SeriesKey { service: "cards".into(), kind: Kind::Operation, target: target.into(), signal: "x".into() },
        unit: Unit::parse(unit).expect("known"),
        times: points.iter().map(|(time, _)| *time).collect(),
        values: points.iter().map(|(_, value)| *value).collect(),
    }
}

fn read(store: &Store) -> Vec<Series> {
    let history = store.read(EVER).expect("read");
    assert!(history.refused.is_empty(), "{:?}", history.refused);
    history.series
}

/// Every file of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn segments(folder: &TempDir) -> Vec<PathBuf> {
    files(folder.path()).into_iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect()
}

fn event(id: &str, title: &str) -> Event {
    Event {
        until: Some(1_794_213_000_999),
        revision: "abc".into(),
        title: title.into(),
        author: "お名前".into(),
        kind: EventKind::Config,
        ..Event::new(id, "cards", 1_794_213_000_123)
    }
}

#[test]
fn a_store_that_is_not_there_is_empty() {
    let (folder, store) = store();
    assert!(read(&store).is_empty());
    assert!(store.events().expect("read").events.is_empty());
    assert!(files(folder.path()).is_empty(), "reading makes no folder");
}

#[test]
fn late_points_replace_and_days_are_kept_apart() {
    let (folder, store) = store();
    let first = [series("a", "ms", &[(0, 1.0), (HOUR, 2.0), (DAY, 3.0)])];
    assert_eq!(store.append("files", &first, &[]).expect("written").segments, 2);
    assert_eq!(store.append("files", &first, &[]).expect("written").segments, 0, "nothing new");
    let late = [series("a", "ms", &[(HOUR, 20.0), (2 * HOUR, 30.0)])];
    assert_eq!(store.append("files", &late, &[]).expect("written").segments, 1);
    assert_eq!(read(&store), [series("a", "ms", &[(0, 1.0), (HOUR, 20.0), (2 * HOUR, 30.0), (DAY, 3.0)])]);
    let names: Vec<String> =
        segments(&folder).iter().map(|path| path.file_name().expect("named").to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["1970-01-01.parquet", "1970-01-02.parquet"]);
    let window = store.read(Window::new(HOUR, DAY)).expect("read");
    assert_eq!(window.series[0].times, [HOUR, 2 * HOUR]);
}

#[test]
fn a_signal_may_get_another_meaning() {
    let (_folder, store) = store();
    store.append("files", &[series("a", "count", &[(0, 1.0)])], &[]).expect("written");
    store.append("files", &[series("a", "ms", &[(DAY, 2.0)])], &[]).expect("written");
    assert_eq!(read(&store), [series("a", "ms", &[(DAY, 2.0)])]);
    let left_out = store.read(EVER).expect("read").left_out;
    assert_eq!((left_out[0].reason, left_out[0].count), ("other_dimension", 1));
}

#[test]
fn sources_do_not_overwrite_each_other() {
    let (_folder, store) = store();
    store.append("b/../c", &[series("a", "ms", &[(0, 2.0), (1, 3.0)])], &[]).expect("written");
    store.append("a", &[series("a", "ms", &[(0, 1.0)])], &[]).expect("written");
    assert_eq!(read(&store), [series("a", "ms", &[(0, 1.0), (1, 3.0)])]);
}

#[test]
fn broken_and_foreign_files_are_refused_by_name_and_the_rest_is_read() {
    let (folder, store) = store();
    let points: Vec<(i64, f64)> = (0..3000).map(|k| (k * 60_000, k as f64)).collect();
    store.append("files", &[series("a", "ms", &points)], &[]).expect("written");
    let paths = segments(&folder);
    let whole = fs::read(&paths[0]).expect("read");
    let stray = paths[0].with_file_name("1970-01-04.000001.parquet");
    for broken in [&whole[..whole.len() / 2], &whole[..0], b"something else"] {
        fs::write(&paths[0], broken).expect("written");
        fs::write(&stray, "time,service,kind,target,signal,unit,value\n").expect("written");
        let history = store.read(EVER).expect("read");
        let told: Vec<String> = history.refused.iter().map(|error| format!("{error:?}")).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(["1970-01-01.parquet", "1970-01-04"].iter().all(|name| told.concat().contains(name)), "{told:?}");
        assert_eq!(history.series[0].times.len(), 3000 - 1440, "the other days are there");
        assert_eq!(fs::read(&paths[0]).expect("read"), broken, "nothing was touched");
    }
    let mut pages = whole;
    let footer = pages.len() * 3 / 4;
    pages[4..footer].fill(0xff);
    fs::write(&paths[0], pages).expect("written");
    let history = store.read(EVER).expect("read");
    assert_eq!(history.refused.len(), 2, "a whole footer does not make whole pages");
    assert_eq!(history.series[0].times.len(), 3000 - 1440);
    fs::remove_file(&stray).expect("removed");
    let written = store.append("files", &[series("a", "ms", &points[..10])], &[]).expect("written");
    assert_eq!((written.segments, written.refused.len()), (1, 1));
    let aside = paths[0].with_file_name("1970-01-01.damaged.parquet");
    assert!(aside.exists(), "the damaged segment stays for its owner to look at");
    let history = store.read(EVER).expect("read");
    assert_eq!(history.refused.len(), 1);
    assert!(history.refused[0].to_string().contains("1970-01-01.damaged.parquet: was damaged and set aside"));
    assert_eq!(history.series[0].times.len(), 3000 - 1440 + 10);
}

#[test]
fn numbered_segments_of_earlier_programs_are_read_and_go_when_their_day_is_written() {
    let (folder, store) = store();
    store.append("files", &[series("a", "ms", &[(0, 1.0), (HOUR, 2.0)])], &[]).expect("written");
    let path = segments(&folder).remove(0);
    let numbered = path.with_file_name("1970-01-01.000003.parquet");
    fs::rename(&path, &numbered).expect("renamed");
    assert_eq!(read(&store), [series("a", "ms", &[(0, 1.0), (HOUR, 2.0)])]);
    store.append("files", &[series("a", "ms", &[(HOUR, 3.0)])], &[]).expect("written");
    assert!(path.exists() && !numbered.exists());
    assert_eq!(read(&store), [series("a", "ms", &[(0, 1.0), (HOUR, 3.0)])]);
}

#[test]
fn a_seal_comes_with_its_day_and_stays() {
    let (_folder, store) = store();
    let day = |day| chrono::NaiveDate::from_ymd_opt(1970, 1, day).expect("valid");
    let (open, sealed) = (DayState::UNFINISHED, DayState::Sealed);
    let requested = |date| DayState::Open { requested: Some(day(date)) };
    let days = |source: &str| store.catalog(EVER).expect("read").days(source);
    let points = [series("a", "ms", &[(0, 1.0), (DAY, 2.0)])];
    assert_eq!(store.append("s", &points, &[]).expect("written").segments, 2);
    assert_eq!(days("s"), [(day(1), open), (day(2), open)].into());
    let written = store.append("s", &points, &[(day(1), sealed), (day(3), requested(4))]).expect("written");
    assert_eq!(written.segments, 2, "a seal on a day that stays, and a day without a point");
    assert_eq!(store.read(EVER).expect("read").left_out, [], "a day without a point is no damage");
    assert_eq!(days("s"), [(day(1), sealed), (day(2), open), (day(3), requested(4))].into());
    assert_eq!(store.append("s", &points, &[]).expect("written").segments, 0, "nothing new, and nothing unsealed");
    assert_eq!(store.append("s", &[], &[(day(1), requested(9))]).expect("written").segments, 0, "sealed stays sealed");
    assert_eq!(store.append("s", &[], &[(day(3), requested(5))]).expect("written").segments, 1, "requested again");
    assert_eq!(store.prune(day(2)).expect("pruned"), 1);
    assert_eq!(days("s"), [(day(2), open), (day(3), requested(5))].into());
    assert!(days("other").is_empty());
}

#[test]
fn a_store_goes_elsewhere_in_one_file_and_comes_twice_without_harm() {
    let (_folder, one) = store();
    one.append("s", &[series("a", "ms", &[(0, 1.0), (DAY, 2.0)])], &[]).expect("written");
    one.append_events(&[event("e1", "x")]).expect("written");
    let place = tempfile::tempdir().expect("temporary folder");
    let snapshot = place.path().join("cards.tar");
    one.export(&snapshot).expect("exported");
    let first = fs::read(&snapshot).expect("read");
    one.export(&snapshot).expect("exported");
    assert_eq!(fs::read(&snapshot).expect("read"), first, "the same bytes");
    let (_other, two) = store();
    two.append("s", &[series("a", "ms", &[(DAY, 3.0), (2 * DAY, 4.0)])], &[]).expect("written");
    for _ in 0..2 {
        two.import(&snapshot).expect("imported");
        assert_eq!(read(&two), [series("a", "ms", &[(0, 1.0), (DAY, 2.0), (2 * DAY, 4.0)])]);
        assert_eq!(two.events().expect("read").events, [event("e1", "x")]);
    }
}

#[test]
fn each_source_knows_the_events_that_it_told() {
    let (folder, one) = store();
    let ids = |store: &Store, source: &str| {
        let sources = store.events().expect("read").event_sources;
        sources.get(source).cloned().unwrap_or_default().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(one.append_events_of("a/b", &[event("e1", "x"), event("\n\"", "x")]).expect("written"), 2);
    assert_eq!(one.append_events_of("apm", &[event("e1", "x")]).expect("written"), 0, "both told it, it is one");
    one.append_events(&[event("by hand", "x")]).expect("written");
    assert_eq!(ids(&one, "a/b"), ["\n\"", "e1"]);
    assert_eq!((ids(&one, "apm"), ids(&one, "nobody")), (vec!["e1".to_owned()], Vec::new()));
    let snapshot = folder.path().join("x.tar");
    one.export(&snapshot).expect("exported");
    let (_other, two) = store();
    two.append_events_of("apm", &[event("e2", "x")]).expect("written");
    for _ in 0..2 {
        two.import(&snapshot).expect("imported");
        assert_eq!((ids(&two, "apm"), ids(&two, "a/b").len()), (vec!["e1".to_owned(), "e2".to_owned()], 2));
    }
    two.prune(chrono::NaiveDate::from_ymd_opt(2030, 1, 1).expect("a day")).expect("pruned");
    assert!(ids(&two, "apm").is_empty() && two.events().expect("read").events.is_empty());
}

#[test]
fn a_snapshot_that_is_none_changes_nothing() {
    let (_folder, one) = store();
    one.append("s", &[series("a", "ms", &[(0, 1.0)])], &[]).expect("written");
    let place = tempfile::tempdir().expect("temporary folder");
    let snapshot = place.path().join("x.tar");
    one.export(&snapshot).expect("exported");
    let whole = fs::read(&snapshot).expect("read");
    let mut hostile: Vec<(&str, Vec<u8>)> = vec![("cut off", whole[..700].to_vec()), ("no archive", b"hello".to_vec())];
    for (what, name, kind) in [
        ("a way out", "series/s/../../../1970-01-01.parquet", tar::EntryType::Regular),
        ("absolute", "/series/s/1970-01-01.parquet", tar::EntryType::Regular),
        ("a link", "series/s/1970-01-01.parquet", tar::EntryType::Symlink),
        ("a foreign name", "series/s/notes.txt", tar::EntryType::Regular),
        ("a foreign content", "series/s/1970-01-01.parquet", tar::EntryType::Regular),
        ("broken events", "events.2.jsonl", tar::EntryType::Regular),
        ("broken events of format 1", "events.1.jsonl", tar::EntryType::Regular),
        ("a broken list", "told/s.jsonl", tar::EntryType::Regular),
        ("a list of a foreign name", "told/s.txt", tar::EntryType::Regular),
    ] {
        let mut header = tar::Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(5);
        header.set_mode(0o600);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, &b"hello"[..]).expect("written");
        hostile.push((what, builder.into_inner().expect("whole")));
    }
    let (other, two) = store();
    for (what, bytes) in hostile {
        fs::write(&snapshot, bytes).expect("written");
        let error = two.import(&snapshot).expect_err(what);
        assert!(error.to_string().contains("x.tar"), "{what}: {error}");
        assert!(files(other.path()).iter().all(|path| path.ends_with("lock")), "{what} left something");
    }
}

#[test]
fn a_newer_format_is_refused_with_advice() {
    let (folder, store) = store();
    store.append_events(&[event("e1", "x")]).expect("written");
    let events = files(folder.path()).into_iter().find(|path| path.ends_with("events.2.jsonl")).expect("there");
    fs::rename(&events, events.with_file_name("events.3.jsonl")).expect("renamed");
    let error = Store::open(&folder.path().join("history")).expect_err("refused");
    assert!(matches!(error, StoreError::Newer { version: 3, .. }));
    assert!(error.to_string().contains("has store format 3, this program knows up to 2"));
    assert!(error.help().is_some_and(|help| help.contains("newer fortnight")));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look_inside() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, store) = store();
    store.append("files", &[series("a", "ms", &[(0, 1.0)])], &[]).expect("written");
    store.append_events(&[event("e1", "x")]).expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    for path in files(folder.path()) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let mut above = path.parent();
        while let Some(parent) = above.filter(|parent| *parent != folder.path()) {
            assert_eq!(mode(parent), 0o700, "{}", parent.display());
            above = parent.parent();
        }
    }
}

#[test]
fn unfinished_files_are_cleared_and_never_read() {
    let (folder, store) = store();
    store.append("files", &[series("a", "ms", &[(0, 1.0)])], &[]).expect("written");
    let left = segments(&folder)[0].with_file_name(".writing-x");
    fs::write(&left, "half").expect("written");
    assert_eq!(read(&store).len(), 1);
    store.append("files", &[], &[]).expect("written");
    assert!(!left.exists());
}

#[test]
fn events_are_kept_and_replaced_by_id() {
    let (_folder, store) = store();
    assert_eq!(store.append_events(&[event("b", "one"), event("a", "\"two\"\n")]).expect("written"), 2);
    assert_eq!(store.append_events(&[event("b", "three"), event("a", "\"two\"\n")]).expect("written"), 1);
    assert_eq!(store.events().expect("read").events, [event("a", "\"two\"\n"), event("b", "three")]);
}

fn points() -> impl Strategy<Value = BTreeMap<(u8, u8, i64), f64>> {
    let time = (-3 * DAY..3 * DAY).prop_map(|time| time - time.rem_euclid(HOUR / 2));
    let value = prop_oneof![9 => 0.0..1.0_f64, 1 => Just(f64::NAN)];
    prop::collection::btree_map((0..3_u8, 0..UNITS.len() as u8, time), value, 0..80)
}

fn all_series(points: &BTreeMap<(u8, u8, i64), f64>) -> Vec<Series> {
    let mut found: Vec<Series> = Vec::new();
    for ((service, unit, time), value) in points {
        let unit = UNITS[usize::from(*unit)];
        let key = SeriesKey {
            service: format!("s{service}").into(),
            kind: Kind::Resource,
            target: "t \u{0} \"x\"".into(),
            signal: unit.symbol.into(),
        };
        match found.iter_mut().find(|series| series.key == key) {
            Some(series) => {
                series.times.push(*time);
                series.values.push(*value);
            }
            None => found.push(Series { key, unit, times: vec![*time], values: vec![*value] }),
        }
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    found
}

/// Compares with missing values equal to each other.
fn plain(series: &[Series]) -> String {
    format!("{series:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_read(first in points(), second in points()) {
        let (_folder, store) = store();
        let (older, newer) = (all_series(&first), all_series(&second));
        store.append("files", &older, &[]).expect("written");
        prop_assert_eq!(plain(&read(&store)), plain(&older));
        store.append("files", &newer, &[]).expect("written");
        let mut both = first;
        both.extend(second);
        prop_assert_eq!(plain(&read(&store)), plain(&all_series(&both)));
        prop_assert_eq!(plain(&merge(newer, older)), plain(&all_series(&both)));
    }
}
