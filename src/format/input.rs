//! The points of some files while they are gathered, series by series.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;

use crate::model::metric::SeriesKey;
use crate::model::time::Window;

use super::chunk::{self, Chunk, add_unit, count};
use super::file::RecordedFile;
use super::finish::{self, Repeats};
use super::spill::{Extent, Points, Spill};
use super::{Duplicates, LeftOut, RecordError};

/// Memory of a point: a time and a value, bytes.
pub(super) const POINT_BY: u64 = 16;
/// Memory of a chunk of points besides them: two lists and what the allocator adds, bytes.
const CHUNK_BY: u64 = 96;

/// The points of some files.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) files: Vec<RecordedFile>,
    /// Of each file the number of its origin, such as a source.
    origins: Vec<u32>,
    pub(super) duplicates: Duplicates,
    pub(super) series: Vec<Gathering>,
    places: HashMap<SeriesKey, u32>,
    /// Rows inside the window.
    pub(super) rows: u64,
    /// Rows that were decoded, inside the window or not.
    pub(super) decoded: u64,
    /// Of each file as `decoded`.
    seen: HashMap<usize, u64>,
    left_out: Vec<(&'static str, u64, String)>,
    /// Where the points of each service are in the temporary file.
    extents: BTreeMap<Arc<str>, Vec<Extent>>,
    flushes: u32,
    /// Of each shard the numbers of its series.
    pub(super) shards: Vec<Vec<u32>>,
    /// Points that came again, by shard.
    pub(super) repeats: BTreeMap<usize, Repeats>,
}

/// A series while it is gathered.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) key: SeriesKey,
    /// Units that it was written in: index into [`UNITS`](crate::model::metric::UNITS), with the file and row where each
    /// came first.
    units: Vec<(usize, (u32, u64))>,
    chunks: Vec<Points>,
    /// Where the chunks came from, in the order of files.
    origins: Vec<u32>,
    /// Points that count, in memory or not.
    pub(super) points: u64,
    /// What flushes up to this one wrote counts no longer.
    void_until: u32,
}

impl Input {
    pub(super) fn new(files: Vec<RecordedFile>, origins: Vec<u32>, duplicates: Duplicates) -> Self {
        Self {
            files,
            origins,
            duplicates,
            series: Vec::new(),
            places: HashMap::new(),
            rows: 0,
            decoded: 0,
            seen: HashMap::new(),
            left_out: Vec::new(),
            extents: BTreeMap::new(),
            flushes: 0,
            shards: Vec::new(),
            repeats: BTreeMap::new(),
        }
    }

    /// Joins the next chunk of a file. Returns by how many bytes the memory grew.
    pub(super) fn join(&mut self, chunk: Chunk, file: usize) -> Result<u64, RecordError> {
        self.rows += chunk.rows;
        self.decoded += chunk.seen;
        *self.seen.entry(file).or_default() += chunk.seen;
        for (reason, rows, first) in &chunk.left_out {
            count(&mut self.left_out, reason, *rows, place(&self.files, file, *first));
        }
        let mut grown = 0;
        for points in chunk.series.into_iter().filter(|points| !points.times.is_empty()) {
            grown += POINT_BY * points.times.len() as u64 + CHUNK_BY;
            self.add(points, file)?;
        }
        Ok(grown)
    }

    fn add(&mut self, points: chunk::Points, file: usize) -> Result<(), RecordError> {
        let chunk::Points { key, units, mut times, mut values, .. } = points;
        times.shrink_to_fit();
        values.shrink_to_fit();
        let next = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
        let number = *self.places.entry(key.clone()).or_insert(next);
        if number == next {
            self.series.push(Gathering {
                key,
                // Nearly every series has one of each.
                units: Vec::with_capacity(1),
                chunks: Vec::with_capacity(1),
                origins: Vec::with_capacity(1),
                points: 0,
                void_until: 0,
            });
        }
        let Some(gathering) = self.series.get_mut(number as usize) else { return Ok(()) };
        let file_number = u32::try_from(file).unwrap_or(u32::MAX);
        for (unit, row) in units {
            let Err(error) = add_unit(&gathering.key, &mut gathering.units, unit, (file_number, row)) else { continue };
            if self.duplicates == Duplicates::Refuse {
                return Err(RecordError::Row { file: name(&self.files, file), row, error });
            }
            // What was kept under this name measured something else; the later meaning stands.
            count(&mut self.left_out, "other_dimension", gathering.points, place(&self.files, file, row));
            gathering.chunks.clear();
            gathering.points = 0;
            gathering.void_until = self.flushes;
            gathering.units = vec![(unit, (file_number, row))];
            gathering.origins.clear();
        }
        gathering.points += times.len() as u64;
        gathering.chunks.push((times, values));
        let origin = self.origins.get(file).copied().unwrap_or_default();
        if gathering.origins.last() != Some(&origin) {
            gathering.origins.push(origin);
        }
        Ok(())
    }

    /// Gives back what is only needed while chunks come in, and notes recorded files that hold a header and nothing else.
    /// Row groups that were passed over hold something. In a store such a file is a day on which a source had nothing.
    pub(super) fn close(&mut self) {
        self.places = HashMap::new();
        if self.duplicates == Duplicates::LaterWins {
            return;
        }
        for (index, file) in self.files.iter().enumerate() {
            let rows =
                if file.is_parquet() { file.rows_estimate() } else { self.seen.get(&index).copied().unwrap_or(0) };
            if rows == 0 {
                count(&mut self.left_out, "no_rows", 1, file.name.clone());
            }
        }
    }

    /// Writes all points that are in memory to the temporary file, service by service.
    pub(super) fn flush(&mut self, spill: &mut Spill) -> io::Result<()> {
        self.flushes += 1;
        let mut filled: Vec<(u32, &mut Gathering)> =
            (0..).zip(&mut self.series).filter(|(_, gathering)| !gathering.chunks.is_empty()).collect();
        filled.sort_by(|(_, one), (_, other)| one.key.service.cmp(&other.key.service));
        for group in filled.chunk_by_mut(|(_, one), (_, other)| one.key.service == other.key.service) {
            let Some(service) = group.first().map(|(_, first)| first.key.service.clone()) else { continue };
            let records = group.iter().map(|(number, gathering)| (*number, gathering.chunks.as_slice()));
            let extent = spill.write(self.flushes, records)?;
            self.extents.entry(service).or_default().push(extent);
            group.iter_mut().for_each(|(_, gathering)| gathering.chunks = Vec::new());
        }
        Ok(())
    }

    /// Takes the series of a shard, put in order. What was in memory is moved out; what is in the file can be read again.
    pub(super) fn take(
        &mut self,
        shard: usize,
        spill: Option<&mut Spill>,
    ) -> Result<Vec<finish::Finished>, RecordError> {
        let numbers = self.shards.get(shard).cloned().unwrap_or_default();
        let mut chunks: Vec<Vec<Points>> = numbers.iter().map(|_| Vec::new()).collect();
        if let Some(spill) = spill.filter(|_| !self.extents.is_empty()) {
            let slots: HashMap<u32, usize> = numbers.iter().copied().zip(0..).collect();
            let services = numbers.iter().filter_map(|number| self.series.get(*number as usize));
            let services: std::collections::BTreeSet<&Arc<str>> = services.map(|series| &series.key.service).collect();
            for extent in services.into_iter().filter_map(|service| self.extents.get(service)).flatten() {
                let is_wanted = |number: u32| {
                    let gathering = self.series.get(number as usize);
                    slots.contains_key(&number) && gathering.is_some_and(|series| extent.flush > series.void_until)
                };
                let take = |number: u32, points: Points| {
                    if let Some(chunks) = slots.get(&number).and_then(|slot| chunks.get_mut(*slot)) {
                        chunks.push(points);
                    }
                };
                spill.read(*extent, is_wanted, take).map_err(RecordError::Temporary)?;
            }
        }
        let mut gathered = Vec::with_capacity(numbers.len());
        for (number, mut chunks) in numbers.into_iter().zip(chunks) {
            let Some(gathering) = self.series.get_mut(number as usize) else { continue };
            chunks.append(&mut gathering.chunks);
            let unit = gathering.units.iter().map(|(unit, _)| *unit).min().unwrap_or_default();
            gathered.push((gathering.key.clone(), unit, chunks, gathering.origins.clone()));
        }
        Ok(finish::all(gathered, self.duplicates))
    }

    /// Returns what was left out so far, with the points that came again in the shards that were taken.
    pub(super) fn left_out(&self) -> Result<Vec<LeftOut>, RecordError> {
        let mut left_out = self.left_out.clone();
        for (reason, find) in finish::REPEATS {
            let all = self.repeats.values().map(find);
            let total: u64 = all.clone().map(|repeat| repeat.count).sum();
            if let Some((key, time)) = all.filter_map(|repeat| repeat.first.as_ref()).min() {
                let places = self.locate(key, *time)?;
                let example = places.get(1).or(places.first()).cloned().unwrap_or_default();
                count(&mut left_out, reason, total, example);
            }
        }
        let made = left_out.into_iter().map(|(reason, count, example)| LeftOut { reason, count, example });
        let mut left_out: Vec<LeftOut> = made.collect();
        left_out.sort();
        Ok(left_out)
    }

    /// Makes the error for two values at one time.
    pub(super) fn conflict(&self, key: &SeriesKey, time: i64) -> Result<RecordError, RecordError> {
        let places = self.locate(key, time)?;
        let at = |index: usize| places.get(index).cloned().unwrap_or_default();
        let time = crate::model::time::rfc3339(time, chrono_tz::UTC);
        Ok(RecordError::Conflict { first: at(0), second: at(1), key: super::shown_key(key), time })
    }

    /// Reads the files once more for the places of a point: two at most.
    ///
    /// Rows of points are not kept while reading, which would add half to the memory for the sake of a message.
    fn locate(&self, key: &SeriesKey, time: i64) -> Result<Vec<String>, RecordError> {
        let narrow = Window::new(time, time.saturating_add(1));
        let mut places = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            for share in file.shares(narrow) {
                file.read(share, narrow, true, &mut |chunk| {
                    let rows = chunk.series.iter().filter(|points| points.key == *key).flat_map(|points| &points.rows);
                    places.extend(rows.map(|row| place(&self.files, index, *row)));
                    Ok(())
                })?;
                if places.len() >= 2 {
                    places.truncate(2);
                    return Ok(places);
                }
            }
        }
        Ok(places)
    }
}

fn name(files: &[RecordedFile], file: usize) -> String {
    files.get(file).map_or_else(String::new, |file| file.name.clone())
}

fn place(files: &[RecordedFile], file: usize, row: u64) -> String {
    format!("{}:{row}", name(files, file))
}
