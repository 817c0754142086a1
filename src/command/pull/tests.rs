//! Laws of collecting: broken off, late, twice at once, day by day – in the end the store is the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::format::Part;
use crate::model::event::Event;
use crate::model::metric::{Kind, Series, SeriesKey, Unit};
use crate::model::time::MINUTE;
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
}

impl Fake {
    fn new(now: i64, breaks_after: i64) -> Self {
        Self { calls: Arc::default(), breaks_after, late: 0, now }
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
        let series: Vec<Series> =
            ["GET /a", "GET /b"].map(one).into_iter().filter(|one| !one.times.is_empty()).collect();
        let rows = series.iter().map(|one| one.times.len() as u64).sum();
        Ok(SeriesBatch { series, rows, diagnostics: Vec::new() })
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

fn run(store: &Store, fake: Fake, span: Window) -> Pulled {
    let pieces = missing(&store.days("fake").expect("read"), span, fake.now, false);
    let fake = CollectedSource::whole(fake, 400 * DAY);
    block_on(pull("fake", &fake, &pieces, store, None, || ())).expect("runtime")
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
    let again = missing(&store.days("fake").expect("read"), span(3), NOW, false);
    let days: Vec<i64> = again.iter().map(|piece| piece.window.start / HOUR - NOW / HOUR).collect();
    // The first day was not asked from its midnight on, and today is not over.
    assert_eq!(days, [-72, -9]);
    assert!(again.iter().all(|piece| !piece.is_last));
    let soon = missing(&BTreeMap::new(), span(3), 20_000 * DAY + HOUR, false);
    assert!(!soon[2].is_last, "an hour after midnight points may still come");
    assert_eq!(missing(&store.days("fake").expect("read"), span(3), NOW, true).len(), 4);
}

#[test]
fn gaps_stay_gaps() {
    let (_folder, store) = store();
    run(&store, Fake::new(NOW, i64::MAX), span(2));
    let read = store.read(span(2), Part::WHOLE).expect("read");
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
    let pieces = missing(&BTreeMap::new(), span(20), NOW, false);
    let fake = Fake::new(NOW, i64::MAX);
    let calls = Arc::clone(&fake.calls);
    let fake = CollectedSource::whole(fake, 400 * DAY);
    let pulled = block_on(pull("fake", &fake, &pieces, &store, Some(3), || ())).expect("runtime");
    let failure = pulled.failure.expect("refused");
    assert!(failure.reason().ends_with("more than 3") && !failure.help.is_empty(), "{failure:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}
