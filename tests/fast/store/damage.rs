//! Bits that turn, lines that go, and stores that earlier programs wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::NaiveDate;
use fortnight::model::event::Event;
use fortnight::store::{DayState, Store, StoreError};

use super::{EVER, event, files, plain, read, segments, series, store};
use fortnight::model::metric::Series;
use fortnight::model::time::{DAY, HOUR};

/// Single bits that are turned, each on a fresh copy.
const FLIPS: u64 = 200;

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(1970, 1, day).expect("a day")
}

/// Three days of three series, and events.
fn fill(store: &Store) {
    for day in 0..3 {
        let points =
            |salt: i64| (0..24).map(|k| (day * DAY + k * HOUR, (k * 37 + salt) as f64 / 7.0)).collect::<Vec<_>>();
        let all = [series("a", "ms", &points(1)), series("b", "percent", &points(0)), series("c", "bytes", &points(3))];
        let day = date(u32::try_from(day).expect("small") + 1);
        store.append("apm", &all, &[(day, DayState::Sealed)]).expect("written");
    }
    let event = |id: usize| Event { at: 1_000 + id as i64, until: None, ..event(&format!("e{id}"), "ä title") };
    store.append_events_of("apm", &(0..20).map(event).collect::<Vec<_>>()).expect("written");
    store.append_events(&[event(99)]).expect("written");
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).expect("inside"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        fs::copy(path, target).expect("copied");
    }
}

/// All that can be read of a store, and whether something is said to be wrong with it.
fn content(folder: &Path) -> (Vec<Series>, Vec<Event>, bool) {
    let store = Store::open(folder).expect("opened");
    let (history, events) = (store.read(EVER).expect("read"), store.events().expect("read"));
    let is_noticed = !history.refused.is_empty() || !events.refused.is_empty();
    (history.series, events.events, is_noticed)
}

#[test]
fn every_turned_bit_is_noticed_and_costs_its_own_day_or_line_alone() {
    let (folder, whole) = store();
    fill(&whole);
    let root = folder.path().join("history");
    let (series, events, is_noticed) = content(&root);
    assert!(!is_noticed);
    let paths: Vec<_> = files(&root).into_iter().filter(|path| !path.ends_with("lock")).collect();
    assert_eq!(paths.len(), 4, "three segments and the events");
    let mut state = 20_261_126_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for flip in 0..FLIPS {
        let place = tempfile::tempdir().expect("temporary folder");
        copy(&root, place.path());
        let path = place.path().join(paths[random(paths.len())].strip_prefix(&root).expect("inside"));
        let mut bytes = fs::read(&path).expect("read");
        let bit = random(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).expect("written");
        let what = format!("flip {flip}: bit {bit} of {}", path.display());
        let (left, left_events, is_noticed) = content(place.path());
        assert!(is_noticed, "{what}");
        if path.extension().is_some_and(|end| end == "jsonl") {
            assert_eq!(plain(&left), plain(&series), "{what}");
            assert!(left_events.len() >= events.len() - 2, "{what}: a turned line end joins two lines");
            assert!(left_events.iter().all(|event| events.contains(event)), "{what}");
        } else {
            assert_eq!(left_events, events, "{what}");
            let points: usize = left.iter().map(|one| one.times.len()).sum();
            assert_eq!(points, 2 * 3 * 24, "{what}: the other days are read");
        }
        // Repaired, its day is open again, and nothing more is wrong but what was set aside.
        let store = Store::open(place.path()).expect("opened");
        let repaired = store.repair().expect("repaired");
        assert!(repaired.lacks_events || repaired.damaged.len() == 1, "{what}");
        if let Some(StoreError::Damaged { id, day, .. }) = repaired.damaged.first() {
            assert_eq!(id, "apm");
            assert!(!repaired.catalog.days("apm").contains_key(day), "{what}");
        }
        if repaired.lacks_events {
            assert!(store.repair().expect("repaired").lacks_events, "{what}: until they are requested");
            store.set_events_requested().expect("noted");
        }
        let again = store.repair().expect("repaired");
        assert!(again.damaged.is_empty() && !again.lacks_events, "{what}");
        let aside = |error: &StoreError| matches!(error, StoreError::SetAside { .. });
        assert!(store.read(EVER).expect("read").refused.iter().all(aside), "{what}");
        assert!(store.events().expect("read").refused.iter().all(aside), "{what}");
    }
}

#[test]
fn a_damaged_segment_is_set_aside_with_a_note_of_what_it_held() {
    let (folder, store) = store();
    fill(&store);
    let path = segments(&folder).remove(1);
    let mut bytes = fs::read(&path).expect("read");
    bytes[100] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let refused = store.read(EVER).expect("read").refused;
    let [error] = refused.as_slice() else { panic!("{refused:?}") };
    let said = error.to_string();
    for part in ["1970-01-02.parquet", "72 points of 3 series", "`apm`", "1970-01-02"] {
        assert!(said.contains(part), "{said}");
    }
    let diagnostic = error.diagnostic();
    assert_eq!(
        (diagnostic.code.as_str(), diagnostic.causes.as_slice()),
        ("segment_damaged", &["its digest differs".to_owned()][..])
    );
    assert!(path.exists(), "reading moves nothing");
    store.repair().expect("repaired");
    let aside = path.with_file_name("1970-01-02.damaged.parquet");
    assert_eq!(fs::read(&aside).expect("there"), bytes, "as it was found");
    let note = fs::read_to_string(aside.with_extension("json")).expect("a note");
    assert!(note.contains("72 points of 3 series") && note.contains("its digest differs"), "{note}");
    let refused = store.read(EVER).expect("read").refused;
    assert!(refused[0].to_string().contains("set aside; it held 72 points of 3 series of source `apm`"), "{refused:?}");
    // The day comes again whole.
    let points: Vec<(i64, f64)> = (0..24).map(|k| (DAY + k * HOUR, 1.0)).collect();
    store.append("apm", &[series("a", "ms", &points)], &[(date(2), DayState::Sealed)]).expect("written");
    assert_eq!(store.catalog(EVER).expect("read").days("apm").len(), 3);
}

#[test]
fn damaged_lines_of_events_are_set_aside_and_the_others_stay() {
    let (folder, store) = store();
    fill(&store);
    let path = folder.path().join("history/events.2.jsonl");
    let text = fs::read_to_string(&path).expect("read");
    let before = store.events().expect("read").events;
    let broken = text.replacen("\"e3\"", "\"e4\"", 1);
    fs::write(&path, &broken).expect("written");
    let found = store.events().expect("read");
    assert_eq!(found.events.len(), before.len() - 1);
    assert!(matches!(found.refused.as_slice(), [StoreError::DamagedEvents { lines: 1, .. }]), "{:?}", found.refused);
    assert!(store.repair().expect("repaired").lacks_events, "they are requested again");
    let aside = fs::read_to_string(path.with_file_name("events.damaged.jsonl")).expect("there");
    assert_eq!((aside.lines().count(), aside.contains("\"e4\"")), (1, true), "{aside}");
    // A whole line that goes missing is noticed as well.
    let text = fs::read_to_string(&path).expect("read");
    let fewer: Vec<&str> = text.lines().enumerate().filter(|(row, _)| *row != 2).map(|(_, line)| line).collect();
    fs::write(&path, fewer.join("\n")).expect("written");
    assert!(matches!(store.events().expect("read").refused.first(), Some(StoreError::EventsCutOff { .. })));
}

#[test]
fn the_catalog_says_what_a_store_holds() {
    let (_folder, store) = store();
    fill(&store);
    store.append("other", &[series("z", "ms", &[(0, 1.0), (HOUR, f64::NAN)])], &[]).expect("written");
    let catalog = store.catalog(EVER).expect("read");
    assert_eq!(catalog.sources().into_iter().collect::<Vec<_>>(), ["apm", "other"]);
    assert_eq!(catalog.rows(), 3 * 3 * 24 + 2);
    assert_eq!(catalog.point_count("apm", fortnight::model::time::Window::new(0, 2 * DAY)), (2 * 3 * 24, 3));
    let targets: BTreeSet<&str> = catalog.keys().map(|key| &*key.target).collect();
    assert_eq!(targets.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "z"]);
    let read: BTreeSet<_> = read(&store).into_iter().map(|one| one.key).collect();
    assert!(catalog.keys().all(|key| read.contains(key)) && read.len() == 4);
}

/// Unpacks what an earlier program wrote.
fn old_store(folder: &Path) {
    let bytes: &[u8] = include_bytes!("../../fixtures/store-1.tar");
    tar::Archive::new(bytes).unpack(folder).expect("unpacked");
}

/// Checks that nothing of the store of format 1 is lost.
fn is_whole(store: &Store) {
    let history = store.read(EVER).expect("read");
    assert!(history.refused.is_empty(), "{:?}", history.refused);
    assert_eq!(history.series.len(), 3);
    assert_eq!(history.series.iter().map(|one| one.times.len()).sum::<usize>(), 216);
    let first = &history.series[0];
    assert_eq!((&*first.key.target, first.unit.symbol), ("GET /v1/cards/{id}", "ms"));
    assert!((first.values[0] - 0.1295).abs() < 1e-12, "120.5 + 9 ms");
    assert_eq!(history.series.iter().flat_map(|one| &one.values).filter(|value| value.is_nan()).count(), 2);
    let events = store.events().expect("read");
    let ids: Vec<&str> = events.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["d1", "by-hand", "d2"]);
    assert_eq!(events.events[2].title, "カード");
    assert_eq!(
        events.event_sources.get("apm").map(|ids| ids.iter().cloned().collect::<Vec<_>>()),
        Some(vec!["d1".to_owned(), "d2".to_owned()])
    );
    let days: Vec<DayState> = store.catalog(EVER).expect("read").days("apm").into_values().collect();
    assert_eq!(days, [DayState::Sealed, DayState::UNFINISHED, DayState::UNFINISHED]);
}

#[test]
fn a_store_of_format_1_is_read_and_brought_into_the_current_format() {
    let place = tempfile::tempdir().expect("temporary folder");
    old_store(place.path());
    let numbered = place.path().join("series/apm/2026-11-10.000002.parquet");
    fs::rename(place.path().join("series/apm/2026-11-10.parquet"), &numbered).expect("renamed");
    let store = Store::open(place.path()).expect("opened");
    is_whole(&store);
    assert!(place.path().join("told").exists(), "reading changes nothing");
    let repaired = store.repair().expect("repaired");
    assert_eq!((repaired.migrated, repaired.damaged.len(), repaired.lacks_events), (3, 0, false));
    is_whole(&store);
    assert!(!numbered.exists() && !place.path().join("told").exists() && !place.path().join("events.1.jsonl").exists());
    assert_eq!(store.repair().expect("repaired").migrated, 0, "once");
    // From now on every bit counts.
    let path = place.path().join("series/apm/2026-11-11.parquet");
    let mut bytes = fs::read(&path).expect("read");
    bytes[500] ^= 4;
    fs::write(&path, bytes).expect("written");
    assert_eq!(store.read(EVER).expect("read").refused.len(), 1);
}

#[test]
fn a_snapshot_of_format_1_is_imported() {
    let (folder, store) = store();
    let snapshot = folder.path().join("old.tar");
    fs::write(&snapshot, include_bytes!("../../fixtures/store-1.tar")).expect("written");
    for _ in 0..2 {
        store.import(&snapshot).expect("imported");
        is_whole(&store);
    }
    assert_eq!(store.repair().expect("repaired").migrated, 0, "it came in the current format");
}
