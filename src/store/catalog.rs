//! What a store holds, known without decoding a point: which series, which days, how many rows, of which source.
//!
//! A catalog is put together from the footers of the segments each time it is needed, after each segment was compared
//! with its digest. It has no file of its own, so it cannot be out of step with the segments: not after a kill, and not
//! when two collectors write at once. Only segments of format 1, which have no list of series, are decoded for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use rayon::prelude::*;

use crate::format::RecordedFile;
use crate::model::metric::SeriesKey;
use crate::model::time::Window;

use super::coverage::SourceDays;
use super::encode::DayState;
use super::segment::{self, Opened, Segment};
use super::{EVER, SERIES, Store, StoreError, aside, layout, whole};

/// The days and series of a store.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Each key once, in the order in which it came.
    keys: Vec<SeriesKey>,
    days: Vec<CatalogDay>,
    /// Segments that are not what was written, and files that do not belong to the store.
    pub refused: Vec<StoreError>,
}

/// What one source gave for one day.
#[derive(Debug)]
struct CatalogDay {
    source: String,
    day: NaiveDate,
    state: DayState,
    /// Numbers of keys, each with its points that have a value.
    series: Vec<(u32, u32)>,
    file: RecordedFile,
}

/// A segment of one source, as it was found.
pub(super) struct Found {
    pub(super) source: String,
    pub(super) segment: Segment,
    pub(super) opened: Result<Opened, StoreError>,
}

impl Store {
    /// Returns what the store holds on the days that touch a window.
    ///
    /// # Errors
    /// A folder that cannot be listed, a segment by a newer program. Damaged and foreign files do not stop the rest:
    /// they are in [`Catalog::refused`].
    pub fn catalog(&self, window: Window) -> Result<Catalog, StoreError> {
        let _lock = self.lock_shared()?;
        self.catalog_locked(window)
    }

    /// As [`Self::catalog`], for a caller that has the lock.
    pub(super) fn catalog_locked(&self, window: Window) -> Result<Catalog, StoreError> {
        let (found, strange) = self.find(window)?;
        Catalog::of(found, strange)
    }

    /// Opens all segments that touch a window and compares each with its digest. Returns them by source, then day, and
    /// the files that were set aside or do not belong there.
    pub(super) fn find(&self, window: Window) -> Result<(Vec<Found>, Vec<StoreError>), StoreError> {
        let (mut segments, mut strange) = (Vec::new(), Vec::new());
        let mut sources = self.entries(&self.folder.join(SERIES))?;
        sources.sort();
        for folder in sources {
            if !folder.is_dir() {
                strange.push(StoreError::Foreign { file: self.shown(&folder) });
                continue;
            }
            let listing = self.segments(&folder)?;
            segments.extend(listing.segments.into_iter().filter(|segment| whole(segment.day).overlaps(window)));
            let aside =
                |path: &std::path::PathBuf| StoreError::SetAside { file: self.shown(path), held: aside::held(path) };
            strange.extend(listing.set_aside.iter().map(aside));
            strange.extend(listing.foreign.iter().map(|path| StoreError::Foreign { file: self.shown(path) }));
        }
        let open = |segment: Segment| {
            let opened = segment::open(&segment, &self.shown(&segment.path));
            Found { source: layout::source_of_segment(&segment.path), segment, opened }
        };
        Ok((segments.into_par_iter().map(open).collect(), strange))
    }
}

impl Catalog {
    /// Puts the catalog together; `strange`: files that do not belong there.
    pub(super) fn of(found: Vec<Found>, strange: Vec<StoreError>) -> Result<Self, StoreError> {
        let mut catalog = Self { refused: strange, ..Self::default() };
        let mut numbers: HashMap<SeriesKey, u32> = HashMap::new();
        for Found { source, segment, opened } in found {
            let Opened { file, state, index, .. } = match opened {
                Ok(opened) => opened,
                Err(error @ StoreError::Newer { .. }) => return Err(error),
                Err(error) => {
                    catalog.refused.push(error);
                    continue;
                }
            };
            let mut series = Vec::new();
            for (key, points) in index.series() {
                let next = u32::try_from(catalog.keys.len()).unwrap_or(u32::MAX);
                let number = *numbers.entry(key.clone()).or_insert(next);
                if number == next {
                    catalog.keys.push(key);
                }
                series.push((number, points));
            }
            catalog.days.push(CatalogDay { source, day: segment.day, state, series, file });
        }
        Ok(catalog)
    }

    /// Returns the days that a source has, and of each whether more is expected. Damaged days are not there.
    pub fn days(&self, source: &str) -> BTreeMap<NaiveDate, DayState> {
        self.days_of(source, EVER).map(|day| (day.day, day.state)).collect()
    }

    /// Returns the ids of all sources that have a segment, sorted.
    pub fn sources(&self) -> BTreeSet<&str> {
        self.days.iter().map(|day| day.source.as_str()).collect()
    }

    /// Returns how many rows a source has on the days that touch a window, and how many series on the last of them that
    /// has any.
    pub fn point_count(&self, source: &str, window: Window) -> (u64, usize) {
        let rows = self.days_of(source, window).map(|day| day.file.rows_estimate()).sum();
        let last = self.days_of(source, window).filter(|day| day.file.rows_estimate() > 0).last();
        (rows, last.map_or(0, |day| day.series.len()))
    }

    /// Returns the number of rows of all sources.
    pub fn rows(&self) -> u64 {
        self.days.iter().map(|day| day.file.rows_estimate()).sum()
    }

    /// Returns the key of every series, each once.
    pub fn keys(&self) -> impl Iterator<Item = &SeriesKey> {
        self.keys.iter()
    }

    /// Returns what is needed to say whether a day of a source is complete.
    pub fn source_days(&self, source: &str) -> SourceDays {
        let mut days = SourceDays::default();
        for day in self.days_of(source, EVER) {
            let keys = day.series.iter().filter(|(_, points)| *points > 0).map(|(number, _)| *number);
            days.add(day.day, keys.filter_map(|number| self.keys.get(number as usize)));
            days.set_state(day.day, day.state);
        }
        days
    }

    /// Returns the files with the points, of each the number of its source, and the sources.
    ///
    /// Later files win: where two sources have the same series and time, the one whose id comes first in the alphabet.
    pub fn files(&self) -> (Vec<RecordedFile>, Vec<u32>, Vec<String>) {
        let sources: Vec<String> = self.sources().into_iter().map(str::to_owned).collect();
        let (mut files, mut origins) = (Vec::new(), Vec::new());
        for (number, source) in sources.iter().enumerate().rev() {
            for day in self.days_of(source, EVER) {
                files.push(day.file.clone());
                origins.push(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        (files, origins, sources)
    }

    fn days_of<'a>(&'a self, source: &'a str, window: Window) -> impl Iterator<Item = &'a CatalogDay> {
        self.days.iter().filter(move |day| day.source == source && whole(day.day).overlaps(window))
    }
}
