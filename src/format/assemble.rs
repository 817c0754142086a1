//! Joins pieces into series: shares of files are read in parallel, a few at a time, and joined in the
//! order of files and rows, so that neither the result nor the first error depends on the machine.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::model::metric::{Series, SeriesKey, UNITS};
use crate::model::time::Window;

use super::file::Share;
use super::piece::{Piece, Points, add_unit, count};
use super::{Duplicates, LeftOut, RecordError, Recorded, RecordedFile, Wanted, shown_key};

/// Reads the wanted points of files as one.
///
/// The order of rows and files plays no role with [`Duplicates::Refuse`]. A series in several units of
/// one dimension gets the one that stands first in [`UNITS`].
///
/// # Errors
/// The first broken row in the order of files; see the table in the module's documentation.
pub fn read(files: &[RecordedFile], wanted: Wanted, duplicates: Duplicates) -> Result<Recorded, RecordError> {
    let work: Vec<(usize, Share)> = files
        .iter()
        .enumerate()
        .flat_map(|(file, recorded)| recorded.shares(wanted).into_iter().map(move |share| (file, share)))
        .collect();
    let mut gathered = Gathered::default();
    // Each worker holds one decoded row group at most; the rest of the memory is the series themselves.
    for some in work.chunks(rayon::current_num_threads().max(1)) {
        let pieces: Vec<Result<Piece, RecordError>> = some
            .par_iter()
            .map(|(file, share)| match files.get(*file) {
                Some(recorded) => recorded.read(*share, wanted, false),
                None => Ok(Piece::new(wanted, false)),
            })
            .collect();
        for (piece, (file, _)) in pieces.into_iter().zip(some) {
            gathered.join(piece?, *file, files, duplicates)?;
        }
    }
    gathered.note_empty_files(files, wanted);
    gathered.finish(files, wanted, duplicates)
}

/// A series while it is gathered.
struct Gathering {
    key: SeriesKey,
    /// Index into [`UNITS`], with the file and row where it came first.
    units: Vec<(usize, (usize, u64))>,
    chunks: Vec<(Vec<i64>, Vec<f64>)>,
    /// Where the chunks came from, in the order of files.
    files: Vec<usize>,
}

#[derive(Default)]
struct Gathered {
    series: Vec<Gathering>,
    places: HashMap<SeriesKey, usize>,
    rows: u64,
    /// Rows of each file, wanted or not.
    seen: HashMap<usize, u64>,
    left_out: Vec<(&'static str, u64, String)>,
}

impl Gathered {
    fn join(
        &mut self,
        piece: Piece,
        file: usize,
        files: &[RecordedFile],
        duplicates: Duplicates,
    ) -> Result<(), RecordError> {
        self.rows += piece.rows;
        *self.seen.entry(file).or_default() += piece.seen;
        for (reason, rows, first) in &piece.left_out {
            count(&mut self.left_out, reason, *rows, place(files, file, *first));
        }
        for points in piece.series.into_iter().filter(|points| !points.times.is_empty()) {
            self.add(points, file, files, duplicates)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        points: Points,
        file: usize,
        files: &[RecordedFile],
        duplicates: Duplicates,
    ) -> Result<(), RecordError> {
        let Points { key, units, mut times, mut values, .. } = points;
        times.shrink_to_fit();
        values.shrink_to_fit();
        let index = *self.places.entry(key.clone()).or_insert(self.series.len());
        if index == self.series.len() {
            self.series.push(Gathering { key, units: Vec::new(), chunks: Vec::new(), files: Vec::new() });
        }
        let Some(gathering) = self.series.get_mut(index) else { return Ok(()) };
        for (unit, row) in units {
            let Err(fault) = add_unit(&gathering.key, &mut gathering.units, unit, (file, row)) else { continue };
            if duplicates == Duplicates::Refuse {
                return Err(RecordError::Row { file: name(files, file), row, fault });
            }
            // What was kept under this name measured something else; the later meaning stands.
            let lost: usize = gathering.chunks.drain(..).map(|(times, _)| times.len()).sum();
            count(&mut self.left_out, "other_dimension", lost as u64, place(files, file, row));
            gathering.units = vec![(unit, (file, row))];
            gathering.files.clear();
        }
        gathering.chunks.push((times, values));
        if gathering.files.last() != Some(&file) {
            gathering.files.push(file);
        }
        Ok(())
    }

    /// Notes files that hold a header and nothing else. Row groups that were passed over hold something.
    fn note_empty_files(&mut self, files: &[RecordedFile], wanted: Wanted) {
        if wanted.part.index != 0 {
            return;
        }
        for (index, file) in files.iter().enumerate() {
            let rows =
                if file.is_parquet() { file.rows_estimate() } else { self.seen.get(&index).copied().unwrap_or(0) };
            if rows == 0 {
                count(&mut self.left_out, "no_rows", 1, file.name.clone());
            }
        }
    }

    fn finish(self, files: &[RecordedFile], wanted: Wanted, duplicates: Duplicates) -> Result<Recorded, RecordError> {
        let Self { series, places, rows, mut left_out, .. } = self;
        drop(places);
        let mut finished: Vec<Finished> =
            series.into_par_iter().map(|gathering| finish_series(gathering, duplicates)).collect();
        finished.par_sort_unstable_by(|one, other| one.series.key.cmp(&other.series.key));
        if let Some((key, time)) = finished.iter().find_map(|one| Some((&one.series.key, one.conflict?))) {
            return Err(conflict(files, wanted, key, time)?);
        }
        for (reason, find) in REPEATS {
            let total: u64 = finished.iter().map(|one| find(one).count).sum();
            let first = finished.iter().find_map(|one| Some((&one.series.key, find(one).first?)));
            if let Some((key, time)) = first {
                let places = locate(files, wanted, key, time)?;
                let example = places.get(1).or(places.first()).cloned().unwrap_or_default();
                count(&mut left_out, reason, total, example);
            }
        }
        let mut left_out: Vec<LeftOut> =
            left_out.into_iter().map(|(reason, count, example)| LeftOut { reason, count, example }).collect();
        left_out.sort();
        let (series, files) = finished.into_iter().map(|one| (one.series, one.files)).unzip();
        Ok(Recorded { series, files, rows, left_out })
    }
}

/// A finished series, with what was found while its points were put in order.
struct Finished {
    series: Series,
    files: Vec<usize>,
    same: Repeat,
    missing: Repeat,
    /// The first time with two different values.
    conflict: Option<i64>,
}

/// Points that came again, and the first time at which one did.
#[derive(Default, Clone, Copy)]
struct Repeat {
    count: u64,
    first: Option<i64>,
}

impl Repeat {
    fn add(&mut self, time: i64) {
        self.count += 1;
        self.first = self.first.or(Some(time));
    }
}

type FindRepeat = fn(&Finished) -> Repeat;
const REPEATS: [(&str, FindRepeat); 2] =
    [("duplicate_same_value", |one| one.same), ("duplicate_missing_value", |one| one.missing)];

fn finish_series(gathering: Gathering, duplicates: Duplicates) -> Finished {
    let Gathering { key, units, chunks, files } = gathering;
    let unit = units.iter().map(|(unit, _)| *unit).min().unwrap_or_default();
    let (times, values) = concatenate(chunks);
    let unit = UNITS.get(unit).copied().unwrap_or(UNITS[0]);
    let mut finished = Finished {
        series: Series { key, unit, times, values },
        files,
        same: Repeat::default(),
        missing: Repeat::default(),
        conflict: None,
    };
    if !finished.series.times.is_sorted_by(|one, other| one < other) {
        put_in_order(&mut finished, duplicates);
    }
    finished
}

fn concatenate(mut chunks: Vec<(Vec<i64>, Vec<f64>)>) -> (Vec<i64>, Vec<f64>) {
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

/// Makes the error for two values at one time.
fn conflict(files: &[RecordedFile], wanted: Wanted, key: &SeriesKey, time: i64) -> Result<RecordError, RecordError> {
    let places = locate(files, wanted, key, time)?;
    let at = |index: usize| places.get(index).cloned().unwrap_or_default();
    let time = crate::model::time::rfc3339(time, chrono_tz::UTC);
    Ok(RecordError::Conflict { first: at(0), second: at(1), key: shown_key(key), time })
}

/// Reads the files once more for the places of a point: two at most.
///
/// Rows of points are not kept while reading, which would add half to the memory for the sake of a message.
fn locate(files: &[RecordedFile], wanted: Wanted, key: &SeriesKey, time: i64) -> Result<Vec<String>, RecordError> {
    let narrow = Wanted { window: Window::new(time, time.saturating_add(1)), part: wanted.part };
    let mut places = Vec::new();
    for (index, file) in files.iter().enumerate() {
        for share in file.shares(narrow) {
            let piece = file.read(share, narrow, true)?;
            let rows = piece.series.iter().filter(|points| points.key == *key).flat_map(|points| &points.rows);
            places.extend(rows.map(|row| place(files, index, *row)));
            if places.len() >= 2 {
                places.truncate(2);
                return Ok(places);
            }
        }
    }
    Ok(places)
}

fn name(files: &[RecordedFile], file: usize) -> String {
    files.get(file).map_or_else(String::new, |file| file.name.clone())
}

fn place(files: &[RecordedFile], file: usize, row: u64) -> String {
    format!("{}:{row}", name(files, file))
}
