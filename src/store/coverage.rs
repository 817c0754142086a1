//! When a day is complete.
//!
//! A source that answers without an error may still lack what it usually has: its own intake broke, one of several
//! accounts is empty, a key lost a permission. So a day counts as complete only if it has what the days around it
//! suggest:
//!
//! 1. *Regular* series are those that had points on five of the seven days before; where fewer than five of those days
//!    have points at all, on each of those that have. The day is complete if at least half of them have points.
//! 2. A day without regular series before it – the first of a store, or the first after a long hole – is complete if it
//!    has any point: there is nothing to compare it with.
//! 3. An empty day before the first point of a source is complete once the source has shown points on five of the next
//!    seven days, and has been requested for the day on another date before and was empty then too: nothing was
//!    measured yet. Until then it stays open, because a source that is not set up right looks the same.
//!
//! Whether the day is over, and by whose clock, is not decided here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{NaiveDate, TimeDelta};

use crate::model::metric::{Series, SeriesKey};

use super::encode::DayState;

/// Days before (or after) a day that say what it should have.
const AROUND: i64 = 7;
/// On how many of them a series must have points to be expected.
const REGULAR_ON: usize = 5;

/// The days of one source with the series that have points on each.
#[derive(Debug, Clone, Default)]
pub struct SourceDays {
    numbers: HashMap<SeriesKey, u32>,
    days: BTreeMap<NaiveDate, BTreeSet<u32>>,
    states: BTreeMap<NaiveDate, DayState>,
}

/// How complete a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// It has what can be expected.
    Complete,
    /// Fewer than half of the series that are expected have points.
    Partial {
        /// Expected series that have points.
        present: usize,
        /// Series that are expected.
        expected: usize,
    },
    /// It has no point at all.
    Empty,
}

impl SourceDays {
    /// Adds series that have points on a day.
    pub fn add<'a>(&mut self, day: NaiveDate, keys: impl IntoIterator<Item = &'a SeriesKey>) {
        let known = self.days.entry(day).or_default();
        for key in keys {
            let number = match self.numbers.get(key) {
                Some(number) => *number,
                None => {
                    let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
                    self.numbers.insert(key.clone(), next);
                    next
                }
            };
            known.insert(number);
        }
    }

    /// Adds the series of an answer that have a value.
    pub fn add_series(&mut self, day: NaiveDate, series: &[Series]) {
        let has_value = |one: &&Series| one.values.iter().any(|value| !value.is_nan());
        self.add(day, series.iter().filter(has_value).map(|one| &one.key));
    }

    /// Remembers what is known of a day's completeness.
    pub fn set_state(&mut self, day: NaiveDate, state: DayState) {
        self.states.insert(day, state);
    }

    /// Says how complete a day is.
    ///
    /// `today`: the UTC date of the request.
    pub fn coverage(&self, day: NaiveDate, today: NaiveDate) -> Coverage {
        let none = BTreeSet::new();
        let present = self.days.get(&day).unwrap_or(&none);
        let before = self.around(day, -AROUND..=-1);
        let regular = regular(&before);
        if !regular.is_empty() {
            let (found, expected) = (regular.intersection(present).count(), regular.len());
            return match () {
                () if 2 * found >= expected => Coverage::Complete,
                () if present.is_empty() => Coverage::Empty,
                () => Coverage::Partial { present: found, expected },
            };
        }
        if !present.is_empty() || self.is_before_all(day, today) {
            return Coverage::Complete;
        }
        Coverage::Empty
    }

    /// Tells whether an empty day lies before everything that the source ever had.
    fn is_before_all(&self, day: NaiveDate, today: NaiveDate) -> bool {
        let has_older = self.days.range(..day).any(|(_, series)| !series.is_empty());
        let was_requested = match self.states.get(&day) {
            Some(DayState::Open { requested: Some(date) }) => *date < today,
            _ => false,
        };
        let first = self.days.range(day..).find(|(_, series)| !series.is_empty()).map(|(first, _)| *first);
        let has_shown = first.is_some_and(|first| self.around(first, 0..=AROUND - 1).len() >= REGULAR_ON);
        !has_older && was_requested && has_shown
    }

    /// Returns the series of the days around one that have any.
    fn around(&self, day: NaiveDate, days: std::ops::RangeInclusive<i64>) -> Vec<&BTreeSet<u32>> {
        let series = |away: i64| self.days.get(&day.checked_add_signed(TimeDelta::days(away))?);
        days.filter_map(series).filter(|series| !series.is_empty()).collect()
    }
}

/// Returns the series that are expected by some days.
fn regular(days: &[&BTreeSet<u32>]) -> BTreeSet<u32> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for number in days.iter().flat_map(|series| series.iter()) {
        *counts.entry(*number).or_default() += 1;
    }
    let least = days.len().min(REGULAR_ON);
    counts.into_iter().filter(|(_, count)| *count >= least).map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::Kind;

    fn key(number: usize) -> SeriesKey {
        SeriesKey { service: "a".into(), kind: Kind::Resource, target: format!("t{number}").into(), signal: "x".into() }
    }

    fn date(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).expect("a day")
    }

    /// Days from the first on; each with the numbers of its series.
    fn days(series: &[(usize, usize)]) -> SourceDays {
        let mut days = SourceDays::default();
        for (day, series) in (1..).zip(series) {
            days.add(date(day), (series.0..series.1).map(key).collect::<Vec<_>>().iter());
        }
        days
    }

    fn last(series: &[(usize, usize)]) -> Coverage {
        let count = u32::try_from(series.len()).expect("few");
        days(series).coverage(date(count), date(30))
    }

    #[test]
    fn half_of_the_regular_series_make_a_day() {
        let week = |today| [vec![(0, 10); 7], vec![today]].concat();
        assert_eq!(last(&week((0, 10))), Coverage::Complete);
        assert_eq!(last(&week((5, 20))), Coverage::Complete, "exactly half");
        assert_eq!(last(&week((6, 20))), Coverage::Partial { present: 4, expected: 10 }, "new ones do not stand in");
        assert_eq!(last(&week((0, 0))), Coverage::Empty);
    }

    #[test]
    fn a_series_is_regular_on_five_of_seven_days() {
        // Ten on three days, two on all seven: only the two are expected.
        let days = |often: usize| {
            let some = vec![(0, 12); often];
            let few = vec![(0, 2); 7 - often];
            [few, some, vec![(0, 2)]].concat()
        };
        assert_eq!(last(&days(4)), Coverage::Complete);
        assert_eq!(last(&days(5)), Coverage::Partial { present: 2, expected: 12 });
        assert_eq!(
            last(&[vec![(0, 12); 2], vec![(0, 0); 3], vec![(0, 12); 2], vec![(0, 1)]].concat()),
            Coverage::Partial { present: 1, expected: 12 }
        );
    }

    #[test]
    fn a_young_store_compares_with_what_it_has() {
        assert_eq!(last(&[(0, 3)]), Coverage::Complete, "nothing to compare with");
        assert_eq!(last(&[(0, 0)]), Coverage::Empty, "not set up right looks the same");
        assert_eq!(last(&[(0, 4), (0, 2)]), Coverage::Complete);
        assert_eq!(last(&[(0, 4), (0, 1)]), Coverage::Partial { present: 1, expected: 4 });
        assert_eq!(last(&[(0, 4), (0, 0), (0, 0)]), Coverage::Empty);
    }

    #[test]
    fn empty_days_before_the_first_point_end_once_the_source_has_shown_points() {
        let requested = |day| DayState::Open { requested: Some(date(day)) };
        let mut known = days(&[(0, 0), (0, 2), (0, 2), (0, 2), (0, 2), (0, 2)]);
        assert_eq!(known.coverage(date(1), date(20)), Coverage::Empty, "not requested before");
        known.set_state(date(1), requested(20));
        assert_eq!(known.coverage(date(1), date(20)), Coverage::Empty, "requested on this date");
        assert_eq!(known.coverage(date(1), date(21)), Coverage::Complete);
        let mut young = days(&[(0, 0), (0, 2), (0, 2)]);
        young.set_state(date(1), requested(20));
        assert_eq!(young.coverage(date(1), date(21)), Coverage::Empty, "two days show little");
        let mut hole = days(&[
            (0, 2),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 2),
            (0, 2),
            (0, 2),
            (0, 2),
            (0, 2),
        ]);
        hole.set_state(date(9), requested(20));
        assert_eq!(hole.coverage(date(9), date(21)), Coverage::Empty, "a hole is not the beginning");
    }
}
