//! Puts the points of a series in order, and settles those that came again.

use rayon::prelude::*;

use crate::model::metric::{Series, SeriesKey, UNITS};

use super::Duplicates;
use super::spill::Points;

/// A finished series, with what was found while its points were put in order.
pub(super) struct Finished {
    pub(super) series: Series,
    pub(super) origins: Vec<u32>,
    pub(super) same: Repeat,
    pub(super) missing: Repeat,
    /// The first time with two different values.
    pub(super) conflict: Option<i64>,
}

/// Points of one series that came again, and the first time at which one did.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Repeat {
    pub(super) count: u64,
    pub(super) first: Option<i64>,
}

impl Repeat {
    fn add(&mut self, time: i64) {
        self.count += 1;
        self.first = self.first.or(Some(time));
    }
}

/// Points of several series that came again.
#[derive(Debug, Default, Clone)]
pub(super) struct Repeats {
    same: KeyedRepeat,
    missing: KeyedRepeat,
}

/// How many points, and the first series and time.
#[derive(Debug, Default, Clone)]
pub(super) struct KeyedRepeat {
    pub(super) count: u64,
    pub(super) first: Option<(SeriesKey, i64)>,
}

type FindRepeat = for<'a> fn(&'a Repeats) -> &'a KeyedRepeat;

/// Reasons to leave a point out that came again.
pub(super) const REPEATS: [(&str, FindRepeat); 2] =
    [("duplicate_same_value", |all| &all.same), ("duplicate_missing_value", |all| &all.missing)];

impl Repeats {
    /// Adds up what was found in series that are sorted by key.
    pub(super) fn of(finished: &[Finished]) -> Self {
        let keyed = |find: fn(&Finished) -> Repeat| KeyedRepeat {
            count: finished.iter().map(|one| find(one).count).sum(),
            first: finished.iter().find_map(|one| Some((one.series.key.clone(), find(one).first?))),
        };
        Self { same: keyed(|one| one.same), missing: keyed(|one| one.missing) }
    }
}

/// Finishes series: key, index of the unit, chunks in the order of rows, origins. Returns them sorted by key.
pub(super) fn all(gathered: Vec<(SeriesKey, usize, Vec<Points>, Vec<u32>)>, duplicates: Duplicates) -> Vec<Finished> {
    let finish = |(key, unit, chunks, origins)| finish_series(key, unit, chunks, origins, duplicates);
    let mut finished: Vec<Finished> = gathered.into_par_iter().map(finish).collect();
    finished.par_sort_unstable_by(|one, other| one.series.key.cmp(&other.series.key));
    finished
}

fn finish_series(
    key: SeriesKey,
    unit: usize,
    chunks: Vec<Points>,
    origins: Vec<u32>,
    duplicates: Duplicates,
) -> Finished {
    let (times, values) = concatenate(chunks);
    let unit = UNITS.get(unit).copied().unwrap_or(UNITS[0]);
    let mut finished = Finished {
        series: Series { key, unit, times, values },
        origins,
        same: Repeat::default(),
        missing: Repeat::default(),
        conflict: None,
    };
    if !finished.series.times.is_sorted_by(|one, other| one < other) {
        put_in_order(&mut finished, duplicates);
    }
    finished
}

fn concatenate(mut chunks: Vec<Points>) -> Points {
    if chunks.len() == 1 {
        return chunks.pop().unwrap_or_default();
    }
    // Chunks of files that follow one another in time are mostly in order already.
    let total = chunks.iter().map(|(times, _)| times.len()).sum();
    let (mut times, mut values) = (Vec::with_capacity(total), Vec::with_capacity(total));
    for (some_times, some_values) in chunks {
        times.extend_from_slice(&some_times);
        values.extend_from_slice(&some_values);
    }
    (times, values)
}

/// Sorts by time, keeping the order of rows at one time, and settles points that came again.
fn put_in_order(finished: &mut Finished, duplicates: Duplicates) {
    let mut points: Vec<(i64, f64)> =
        finished.series.times.iter().copied().zip(finished.series.values.iter().copied()).collect();
    match duplicates {
        Duplicates::LaterWins => points.sort_by_key(|(time, _)| *time),
        // Missing ones last, so that what is counted does not depend on the order of rows.
        Duplicates::Refuse => points.sort_by_key(|(time, value)| (*time, value.is_nan())),
    }
    let mut kept: Vec<(i64, f64)> = Vec::with_capacity(points.len());
    for (time, value) in points {
        match kept.last_mut() {
            Some((last, known)) if *last == time => match duplicates {
                Duplicates::LaterWins => *known = value,
                Duplicates::Refuse => {
                    settle(known, value, time, &mut finished.same, &mut finished.missing, &mut finished.conflict)
                }
            },
            _ => kept.push((time, value)),
        }
    }
    finished.series.times = kept.iter().map(|(time, _)| *time).collect();
    finished.series.values = kept.iter().map(|(_, value)| *value).collect();
}

/// Values that differ by less, relatively, are one value in two units: conversion rounds the last bits.
const ROUNDING: f64 = 1e-12;

fn settle(known: &mut f64, value: f64, time: i64, same: &mut Repeat, missing: &mut Repeat, conflict: &mut Option<i64>) {
    let is_same = (*known - value).abs() <= ROUNDING * known.abs().max(value.abs());
    if is_same || (known.is_nan() && value.is_nan()) {
        same.add(time);
        // The same one of the two, whichever came first.
        *known = known.min(value);
    } else if known.is_nan() || value.is_nan() {
        missing.add(time);
        if known.is_nan() {
            *known = value;
        }
    } else {
        *conflict = conflict.or(Some(time));
    }
}
