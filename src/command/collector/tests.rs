//! Laws of collecting: broken off, late, twice at once, day by day – in the end the store is the same.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::model::event::Event;
use crate::model::metric::{Kind, Series, SeriesKey, Unit};
use crate::model::time::{DAY, HOUR};
use crate::source::{
    Checked, Estimate, Estimated, EventBatch, EventSource, SeriesBatch, SeriesSource, SourceCheck, SourceError,
};

/// A source whose values follow from the time alone, and which breaks after some calls.
struct Fake {
    calls: Arc<AtomicI64>,
    breaks_after: i64,
    /// Points come this late.
    late: i64,
    now: i64,
    /// What its clock says; `None` if it says nothing.
    clock: Option<i64>,
    /// Days since 1970 on which it answers without a point.
    empty: Vec<i64>,
    /// Days on which all but the first of its four targets are missing.
    thin: Vec<i64>,
    /// The windows that were requested.
    requested: Arc<Mutex<Vec<Window>>>,
}

impl Fake {
    fn new(now: i64, breaks_after: i64) -> Self {
        Self {
            calls: Arc::default(),
            breaks_after,
            late: 0,
            now,
            clock: None,
            empty: Vec::new(),
            thin: Vec::new(),
            requested: Arc::default(),
        }
    }

    fn call(&self) -> Result<(), SourceError> {
        let is_fine = self.calls.fetch_add(1, Ordering::Relaxed) < self.breaks_after;
        is_fine.then_some(()).ok_or(SourceError::NotBuiltIn { id: "fake".into(), feature: "patience" })
    }
}

#[async_trait]
impl SeriesSource for Fake {
    async fn series(&self, window: Window) -> Result<SeriesBatch, SourceError> {
        self.call()?;
        assert_eq!((window.start % HOUR, window.end % HOUR), (0, 0), "whole hours");
        assert_eq!(window.start.div_euclid(DAY), (window.end - 1).div_euclid(DAY), "one day");
        let one = |target: &str| {
            // A gap an hour long, every day.
            let times: Vec<i64> = (window.start..window.end.min(self.now - self.late))
                .step_by(5 * MINUTE as usize)
                .filter(|at| at.rem_euclid(DAY) / HOUR != 5)
                .collect();
            let values = times.iter().map(|at| (at / MINUTE % 977) as f64).collect();
            let key = SeriesKey {
                service: "api".into(),
                kind: Kind::Operation,
                target: target.into(),
                signal: "latency_p95".into(),
            };
            Series { key, unit: Unit::parse("s").expect("known"), times, values }
        };
        self.requested.lock().expect("whole").push(window);
        let day = window.start.div_euclid(DAY);
        let count = if self.empty.contains(&day) {
            0
        } else if self.thin.contains(&day) {
            1
        } else {
            4
        };
        let targets = ["GET /a", "GET /b", "GET /c", "GET /d"].into_iter().take(count);
        let series: Vec<Series> = targets.map(one).filter(|one| !one.times.is_empty()).collect();
        let rows = series.iter().map(|one| one.times.len() as u64).sum();
        Ok(SeriesBatch { series, rows, diagnostics: Vec::new() })
    }

    fn clock_ms(&self) -> Option<i64> {
        self.clock
    }
}

#[async_trait]
impl EventSource for Fake {
    async fn events(&self, window: Window) -> Result<EventBatch, SourceError> {
        self.call()?;
        let days = window.start.div_euclid(DAY)..=window.end.div_euclid(DAY);
        let event = |day: i64| Event::new(format!("d{day}"), "api", day * DAY + 7 * HOUR);
        let events = days.map(event).filter(|event| window.contains(event.at)).collect();
        Ok(EventBatch { events, diagnostics: Vec::new() })
    }
}

#[async_trait]
impl Estimated for Fake {
    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError> {
        Ok(Estimate { requests: (window.length() / DAY).unsigned_abs(), ..Estimate::default() })
    }
}

#[async_trait]
impl Checked for Fake {
    async fn checks(&self, _now: i64) -> Vec<SourceCheck> {
        Vec::new()
    }
}

const NOW: i64 = 20_000 * DAY + 9 * HOUR + 25 * MINUTE;

fn run(store: &Store, fake: Fake, span: Window) -> SourceOutcome {
    let order = Order { span, now: fake.now, clock: Clock::Fixed(fake.now), pick: Pick::Open, most_requests: None };
    let repaired = store.repair().expect("repaired");
    let scrubber = Scrubber::default();
    let job = job("fake", &scrubber, CollectedSource::whole(fake, 400 * DAY), &repaired, order);
    block_on(collect_source(job, store, order, || ())).expect("runtime")
}

/// What is to be requested.
fn left(store: &Store, now: i64, pick: Pick) -> Vec<DaySlice> {
    missing(&store.catalog(span(9)).expect("read").days("fake"), span(3), now, pick)
}

fn span(days: i64) -> Window {
    Window::new(NOW - days * DAY, NOW)
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&folder.path().join("history")).expect("opened");
    (folder, store)
}

/// Every file of a store with its bytes.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("listed").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).expect("inside").to_owned();
                found.insert(name, std::fs::read(entry.path()).expect("read"));
            }
        }
    }
    found
}

#[test]
fn broken_off_at_any_call_and_gone_on_with_is_as_if_undisturbed() {
    let (whole_folder, whole) = store();
    let calm = run(&whole, Fake::new(NOW, i64::MAX), span(6));
    assert!(calm.failure.is_none() && calm.days == 7 && calm.events == 6, "{calm:?}");
    for calls in 0..8 {
        let (folder, store) = store();
        let broken = run(&store, Fake::new(NOW, calls), span(6));
        assert!(broken.failure.as_ref().is_some_and(|failure| failure.reason().contains("patience")), "{broken:?}");
        assert_eq!(broken.days as i64, (calls - 1).max(0), "what came before is kept");
        let rest = run(&store, Fake::new(NOW, i64::MAX), span(6));
        assert!(rest.failure.is_none());
        assert_eq!(bytes(folder.path()), bytes(whole_folder.path()), "after {calls} calls");
    }
}

#[test]
fn day_by_day_is_one_pull() {
    let (whole_folder, whole) = store();
    run(&whole, Fake::new(NOW, i64::MAX), span(28));
    let (folder, store) = store();
    for day in (0..=27).rev() {
        let now = NOW - day * DAY;
        // Each run sees the last minutes of its day still incomplete.
        let fake = Fake { late: 40 * MINUTE, ..Fake::new(now, i64::MAX) };
        run(&store, fake, Window::new(NOW - 28 * DAY, now));
    }
    run(&store, Fake::new(NOW, i64::MAX), span(28));
    assert_eq!(bytes(folder.path()), bytes(whole_folder.path()));
}

#[test]
fn sealed_days_are_not_asked_again_and_others_are() {
    let (_folder, store) = store();
    run(&store, Fake::new(NOW, i64::MAX), span(3));
    let again = left(&store, NOW, Pick::Open);
    let days: Vec<i64> = again.iter().map(|slice| slice.window.start / HOUR - NOW / HOUR).collect();
    // The first day was not asked from its midnight on, and today is not over.
    assert_eq!(days, [-72, -9]);
    assert!(again.iter().all(|slice| !slice.is_over));
    let soon = missing(&BTreeMap::new(), span(3), 20_000 * DAY + HOUR, Pick::Open);
    assert!(!soon[2].is_over, "an hour after midnight points may still come");
    assert_eq!(left(&store, NOW, Pick::Again).len(), 4);
}

/// The days that are left to request, counted back from the one of [`NOW`].
fn days_left(store: &Store, now: i64) -> Vec<i64> {
    let whole = left_of(store, now).into_iter().filter(|slice| slice.is_over);
    whole.map(|slice| slice.window.start / DAY - 20_000).collect()
}

fn left_of(store: &Store, now: i64) -> Vec<DaySlice> {
    let known = store.catalog(Window::new(0, i64::MAX)).expect("read").days("fake");
    missing(&known, Window::new(20_000 * DAY - 12 * DAY, now), now, Pick::Open)
}

/// Twelve whole days before the one of [`NOW`].
fn twelve() -> Window {
    Window::new(20_000 * DAY - 12 * DAY, NOW)
}

fn day(back: i64) -> i64 {
    20_000 + back
}

/// Checks that days stay open until the source gives them, are requested once a date, and that the user hears of it.
fn heals(broken: impl Fn(i64) -> Fake, days: &[i64]) {
    let (whole_folder, whole) = store();
    run(&whole, Fake::new(NOW + DAY, i64::MAX), Window::new(twelve().start, NOW + DAY));
    let (folder, store) = store();
    let first = run(&store, broken(NOW), twelve());
    let warning = first.warnings.iter().find(|warning| warning.code == "days_open").expect("a warning");
    assert_eq!(warning.count, days.len() as u64, "{warning:?}");
    assert!(warning.example.contains("fortnight collect --again --source fake --since "), "{warning:?}");
    assert_eq!(days_left(&store, NOW + HOUR), [0_i64; 0], "once a date");
    let same_date = run(&store, broken(NOW + HOUR), Window::new(twelve().start, NOW + HOUR));
    assert!(same_date.failure.is_none() && same_date.days == 1, "only today: {same_date:?}");
    // The next day it is still broken; the day after it gives all.
    assert_eq!(days_left(&store, NOW + DAY), [days, &[0]].concat());
    let whole_day = Fake { clock: None, ..broken(NOW + DAY) };
    run(&store, whole_day, Window::new(twelve().start, NOW + DAY));
    let last = Window::new(twelve().start, (NOW + DAY).div_euclid(HOUR) * HOUR);
    let healed = run(&store, Fake::new(NOW + 2 * DAY, i64::MAX), last);
    assert!(healed.warnings.is_empty(), "{healed:?}");
    assert_eq!(days_left(&store, NOW + 2 * DAY), [1], "the running day alone, which the span did not hold whole");
    let points = |store: &Store| {
        let read = store.read(Window::new(0, i64::MAX)).expect("read");
        assert!(read.refused.is_empty());
        read.series.iter().map(|one| one.times.len()).sum::<usize>()
    };
    assert_eq!(points(&store), points(&whole));
    drop((whole_folder, folder));
}

#[test]
fn days_that_came_empty_are_asked_again_until_they_are_whole() {
    heals(|now| Fake { empty: (-5..=-1).map(day).collect(), ..Fake::new(now, i64::MAX) }, &[-5, -4, -3, -2, -1]);
}

#[test]
fn an_empty_day_between_full_ones_is_asked_again() {
    heals(|now| Fake { empty: vec![day(-4)], ..Fake::new(now, i64::MAX) }, &[-4]);
}

#[test]
fn a_day_with_a_quarter_of_its_series_is_asked_again() {
    heals(|now| Fake { thin: vec![day(-3), day(-2)], ..Fake::new(now, i64::MAX) }, &[-3, -2]);
}

#[test]
fn a_new_store_that_gets_nothing_keeps_all_days_open() {
    let days: Vec<i64> = (-12..=-1).collect();
    heals(|now| Fake { empty: (-12..=0).map(day).collect(), ..Fake::new(now, i64::MAX) }, &days);
}

#[test]
fn days_before_the_first_point_end_once_the_source_has_shown_points() {
    let (_folder, store) = store();
    let young = |now| Fake { empty: (-12..=-8).map(day).collect(), ..Fake::new(now, i64::MAX) };
    let first = run(&store, young(NOW), twelve());
    assert_eq!(first.warnings.iter().map(|warning| warning.count).sum::<u64>(), 5);
    let next = run(&store, young(NOW + DAY), Window::new(twelve().start, NOW + DAY));
    assert!(next.warnings.is_empty(), "{next:?}");
    assert_eq!(days_left(&store, NOW + 2 * DAY), [1]);
}

#[test]
fn a_clock_that_is_ahead_asks_for_no_day_to_come_and_seals_none() {
    let (folder, store) = store();
    let ahead = Fake { clock: Some(NOW), ..Fake::new(NOW + 3 * DAY, i64::MAX) };
    let requested = Arc::clone(&ahead.requested);
    let outcome = run(&store, ahead, Window::new(twelve().start, NOW + 3 * DAY));
    let warning = outcome.warnings.iter().find(|warning| warning.code == "clock_ahead").expect("a warning");
    assert_eq!(warning.example, "4320 minutes ahead of the source");
    assert!(requested.lock().expect("whole").iter().all(|window| window.end <= NOW));
    let days = store.catalog(twelve()).expect("read").days("fake");
    assert_eq!(days.len(), 13);
    assert!(matches!(days.last_key_value().expect("days").1, DayState::Begun(_)), "today is not over");
    // With the right clock it goes on as if nothing had happened.
    let (whole_folder, whole) = self::store();
    for store in [&store, &whole] {
        run(store, Fake::new(NOW + DAY, i64::MAX), Window::new(twelve().start, NOW + DAY));
    }
    let (mut one, mut other) = (bytes(folder.path()), bytes(whole_folder.path()));
    let events = Path::new("history/events.2.jsonl");
    // The fake has an event for each day that was in the span.
    assert!(one.remove(events).is_some() && other.remove(events).is_some());
    assert_eq!(one, other);
}

#[test]
fn a_clock_that_is_ahead_of_a_source_without_one_leaves_its_days_open() {
    let (_folder, store) = store();
    // Nothing comes of days that do not exist yet.
    let to_come = Fake { empty: (0..=3).map(day).collect(), ..Fake::new(NOW + 3 * DAY, i64::MAX) };
    run(&store, to_come, Window::new(twelve().start, NOW + 3 * DAY));
    assert_eq!(days_left(&store, NOW + 2 * DAY), [0, 1], "they are asked once they exist");
}

#[test]
fn a_clock_that_is_behind_seals_what_is_over_and_misses_nothing() {
    let (_folder, store) = store();
    let behind = Fake { clock: Some(NOW + 3 * DAY), ..Fake::new(NOW, i64::MAX) };
    let outcome = run(&store, behind, twelve());
    assert!(outcome.warnings.is_empty(), "{outcome:?}");
    assert_eq!(days_left(&store, NOW + 3 * DAY), [0, 1, 2], "with the right clock the rest is asked");
}

#[test]
fn a_damaged_day_is_set_aside_and_asked_again() {
    let (folder, store) = store();
    run(&store, Fake::new(NOW, i64::MAX), twelve());
    let before = bytes(folder.path());
    let (path, mut content) = before
        .iter()
        .find(|(path, _)| path.ends_with("2024-09-29.parquet"))
        .map(|(path, bytes)| (path.clone(), bytes.clone()))
        .expect("a day");
    content[500] ^= 8;
    std::fs::write(folder.path().join(&path), content).expect("written");
    let outcome = run(&store, Fake::new(NOW, i64::MAX), twelve());
    assert_eq!(outcome.days, 2, "the damaged one and today");
    let mut after = bytes(folder.path());
    assert!(after.remove(&path.with_file_name("2024-09-29.damaged.parquet")).is_some());
    assert!(after.remove(&path.with_file_name("2024-09-29.damaged.json")).is_some());
    assert_eq!(after, before);
}

#[test]
fn events_that_were_damaged_are_asked_again_as_far_as_the_source_reaches() {
    let (folder, store) = store();
    run(&store, Fake::new(NOW, i64::MAX), twelve());
    let path = folder.path().join("history/events.2.jsonl");
    let before = std::fs::read(&path).expect("read");
    let mut damaged = before.clone();
    damaged[20] ^= 1;
    std::fs::write(&path, damaged).expect("written");
    run(&store, Fake::new(NOW, i64::MAX), twelve());
    assert_eq!(std::fs::read(&path).expect("read"), before);
}

#[test]
fn gaps_stay_gaps() {
    let (_folder, store) = store();
    run(&store, Fake::new(NOW, i64::MAX), span(2));
    let read = store.read(span(2)).expect("read");
    assert!(read.series.iter().all(|one| one.times.iter().all(|at| at.rem_euclid(DAY) / HOUR != 5)));
}

#[test]
fn two_at_once_do_not_undo_each_other() {
    let (whole_folder, whole) = store();
    run(&whole, Fake::new(NOW, i64::MAX), span(6));
    let (folder, store) = store();
    let store = Arc::new(store);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || run(&store, Fake::new(NOW, i64::MAX), span(6)))
        })
        .collect();
    for thread in threads {
        assert!(thread.join().expect("no panic").failure.is_none());
    }
    assert_eq!(bytes(folder.path()), bytes(whole_folder.path()));
}

#[test]
fn too_many_requests_are_not_begun() {
    let (_folder, store) = store();
    let fake = Fake::new(NOW, i64::MAX);
    let calls = Arc::clone(&fake.calls);
    let order = Order { span: span(20), now: NOW, clock: Clock::Fixed(NOW), pick: Pick::Open, most_requests: Some(3) };
    let scrubber = Scrubber::default();
    let job = job("fake", &scrubber, CollectedSource::whole(fake, 400 * DAY), &Repaired::default(), order);
    let outcome = block_on(collect_source(job, &store, order, || ())).expect("runtime");
    let failure = outcome.failure.expect("refused");
    assert!(failure.reason().ends_with("more than 3") && !failure.help.is_empty(), "{failure:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn a_report_lacks_a_day_until_its_hours_are_there_with_time_to_spare() {
    let today = date_of(NOW);
    let midnight = NOW.div_euclid(DAY) * DAY;
    let part = |from, until, at| DayState::Begun(Answered { from, until, at });
    let known = |state| BTreeMap::from([(today, state)]);
    // The period ends at six o'clock UTC, or within the hour before it.
    for end in [midnight + 6 * HOUR, midnight + 5 * HOUR + 30 * MINUTE] {
        let span = Window::new(midnight, end);
        let lacks = |state| !missing(&known(state), span, NOW, Pick::Lacking).is_empty();
        let is_absent = |state| !crate::command::days::absent(&known(state), span, NOW).is_empty();
        let cases = [
            (part(midnight, midnight + 8 * HOUR, midnight + 8 * HOUR + MINUTE), false, false, "two hours to spare"),
            (
                part(midnight, midnight + 6 * HOUR, midnight + 6 * HOUR + MINUTE),
                true,
                false,
                "points may have come late",
            ),
            (part(midnight, midnight + 6 * HOUR, midnight + 9 * HOUR), false, false, "asked long afterwards"),
            (part(midnight, midnight + 5 * HOUR, midnight + 9 * HOUR), true, true, "an hour is missing"),
            (part(midnight + HOUR, midnight + 9 * HOUR, NOW), true, true, "its first hour is missing"),
            (DayState::UNFINISHED, true, true, "an earlier program did not say"),
            (DayState::Open { requested: Some(today) }, false, false, "requested today, as a whole"),
            (DayState::Open { requested: today.pred_opt() }, true, false, "it has a diagnostic of its own"),
            (DayState::Sealed, false, false, "sealed"),
        ];
        for (state, is_lacking, absent, why) in cases {
            assert_eq!((lacks(state), is_absent(state)), (is_lacking, absent), "{why}");
        }
        assert_eq!(missing(&BTreeMap::new(), span, NOW, Pick::Lacking).len(), 1);
    }
    assert!(missing(&BTreeMap::new(), Window::new(NOW + DAY, NOW + 2 * DAY), NOW, Pick::Lacking).is_empty(), "to come");
}
