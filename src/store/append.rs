//! Writing days, and removing old ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::NaiveDate;

use crate::format::merge;
use crate::model::metric::Series;
use crate::model::time::DAY;

use super::encode::DayState;
use super::layout::{self, SERIES};
use super::segment::{self, Segment};
use super::{Store, StoreError, aside, whole};

/// What was written.
#[derive(Debug, Default)]
pub struct Appended {
    /// Segments written; days that brought nothing new are not written again.
    pub segments: usize,
    /// Points in them, those of before included.
    pub points: u64,
    /// Segments of the same days that were damaged and are set aside.
    pub refused: Vec<StoreError>,
}

/// What comes to one day of one source.
struct Newer {
    series: Vec<Series>,
    state: DayState,
}

impl Store {
    /// Adds the series of a source: one segment for each UTC day that has something new.
    ///
    /// `series`: sorted by key, times strictly increasing. Where a point is there already, the new one replaces it, also
    /// by a missing value. `states`: what is known of the completeness of days by now; it comes with the points in one
    /// rename. A day that was sealed stays sealed.
    ///
    /// # Errors
    /// [`StoreError::Locked`] after ten seconds; what cannot be written; a segment by a newer program.
    pub fn append(
        &self,
        source: &str,
        series: &[Series],
        states: &[(NaiveDate, DayState)],
    ) -> Result<Appended, StoreError> {
        self.append_to(&layout::folder_name(source), series, states)
    }

    /// As [`Self::append`], to a source by the name of its folder.
    pub(super) fn append_to(
        &self,
        name: &str,
        series: &[Series],
        states: &[(NaiveDate, DayState)],
    ) -> Result<Appended, StoreError> {
        let _lock = self.lock()?;
        let folder = self.folder.join(SERIES).join(name);
        let segments = self.segments(&folder)?.segments;
        let mut appended = Appended::default();
        for day in days(series).into_iter().chain(states.iter().map(|(day, _)| *day)).collect::<BTreeSet<_>>() {
            let older: Vec<&Segment> = segments.iter().filter(|segment| segment.day == day).collect();
            let state =
                states.iter().find(|(known, _)| *known == day).map_or(DayState::UNFINISHED, |(_, state)| *state);
            self.append_day(&folder, day, &older, Newer { series: of_day(series, day), state }, &mut appended)?;
        }
        Ok(appended)
    }

    fn append_day(
        &self,
        folder: &Path,
        day: NaiveDate,
        older: &[&Segment],
        newer: Newer,
        appended: &mut Appended,
    ) -> Result<(), StoreError> {
        let (mut readable, mut files, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
        let (mut was, mut is_current) = (DayState::UNFINISHED, true);
        for segment in older {
            let opened = segment::open(segment, &self.shown(&segment.path));
            match opened {
                Ok(opened) => {
                    was = was.max(opened.state);
                    is_current &= !opened.is_old;
                    files.push(opened.file);
                    readable.push(*segment);
                }
                Err(error) if error.is_damage() => damaged.push((*segment, error)),
                Err(error) => return Err(error),
            }
        }
        let known = segment::decode(&files, whole(day))?;
        let state = was.after(newer.state);
        let merged = merge(newer.series, known.clone());
        let name = layout::name(day);
        let is_there = older.iter().map(|segment| &segment.path).eq([&folder.join(&name)]);
        if damaged.is_empty() && is_there && is_current && state == was && same(&merged, &known) {
            return Ok(());
        }
        // What could not be read stays for its owner to look at.
        for (segment, error) in damaged {
            let failed = |source| StoreError::Write { file: self.shown(&segment.path), source };
            aside::set_aside(folder, segment, &error).map_err(failed)?;
            appended.refused.push(error);
        }
        segment::write(folder, &name, &merged, state)?;
        appended.segments += 1;
        appended.points += merged.iter().map(|series| series.times.len() as u64).sum::<u64>();
        // The new file holds all of those with numbers.
        for segment in readable.iter().filter(|segment| segment.path.file_name() != Some(name.as_ref())) {
            let failed = |source| StoreError::Write { file: self.shown(&segment.path), source };
            fs::remove_file(&segment.path).map_err(failed)?;
        }
        Ok(())
    }

    /// Removes what is older than a day: segments, and events that were over before it. Returns how many segments went.
    ///
    /// # Errors
    /// As [`Self::append`]; what cannot be removed.
    pub fn prune(&self, before: NaiveDate) -> Result<usize, StoreError> {
        let _lock = self.lock()?;
        let mut removed = 0;
        for source in self.entries(&self.folder.join(SERIES))?.iter().filter(|source| source.is_dir()) {
            for segment in self.segments(source)?.segments.into_iter().filter(|segment| segment.day < before) {
                let failed = |source| StoreError::Write { file: self.shown(&segment.path), source };
                fs::remove_file(&segment.path).map_err(failed)?;
                removed += 1;
            }
        }
        self.prune_events(whole(before).start)?;
        Ok(removed)
    }
}

/// Returns the UTC days that series have points on; points outside of what dates can say are passed over.
fn days(series: &[Series]) -> BTreeSet<NaiveDate> {
    let mut days = BTreeSet::new();
    for one in series {
        let mut rest = one.times.as_slice();
        while let Some(first) = rest.first() {
            let day = first.div_euclid(DAY);
            if let Some(date) = chrono::DateTime::from_timestamp_millis(*first) {
                days.insert(date.date_naive());
            }
            let end = rest.partition_point(|time| time.div_euclid(DAY) <= day);
            rest = rest.get(end..).unwrap_or_default();
        }
    }
    days
}

/// Cuts one day out of series.
fn of_day(series: &[Series], day: NaiveDate) -> Vec<Series> {
    let window = whole(day);
    let cut = series.iter().filter_map(|one| {
        let start = one.times.partition_point(|time| *time < window.start);
        let end = one.times.partition_point(|time| *time < window.end);
        let times = one.times.get(start..end)?.to_vec();
        let values = one.values.get(start..end)?.to_vec();
        (!times.is_empty()).then(|| Series { key: one.key.clone(), unit: one.unit, times, values })
    });
    cut.collect()
}

/// Returns whether two lists hold the same points; a missing value equals a missing value.
fn same(one: &[Series], other: &[Series]) -> bool {
    let same_values = |one: &[f64], other: &[f64]| {
        one.len() == other.len()
            && one.iter().zip(other).all(|(a, b)| a.total_cmp(b).is_eq() || (a.is_nan() && b.is_nan()))
    };
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.key == other.key
                && one.unit == other.unit
                && one.times == other.times
                && same_values(&one.values, &other.values)
        })
}
