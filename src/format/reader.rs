//! Reads files once and hands their series out shard by shard, within a limit of memory.
//!
//! Row groups and CSV files are decoded in parallel, a few at a time, and joined in the order of files and rows, so that
//! neither the result nor the first error depends on the machine. When the points outgrow the limit they move to a
//! temporary file ([`spill`](super::spill)). Once all files are decoded, every name is known, and the series are divided
//! into shards of whole services, each of which fits the limit. No row is decoded twice, however many shards there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use crate::model::metric::SeriesKey;
use crate::model::time::Window;

use super::chunk::Chunk;
use super::file::RecordedFile;
use super::finish::Repeats;
use super::input::{Input, POINT_BY};
use super::share::Share;
use super::spill::Spill;
use super::{Duplicates, LeftOut, RecordError, Recorded, ShardSeries};

/// Memory of a series besides its points while it is read and judged: keys and lists, bytes. 200,000 series of five points
/// took 1.2 kB each before the judge saw them.
const SERIES_BY: u64 = 2048;

/// Memory of what is known of a series while others are read: its key, unit and place, bytes.
const NAME_BY: u64 = 512;

/// A share of a file with more rows than this is read piece by piece, because it would not fit into memory whole.
const LARGE_ROWS: u64 = 1 << 22;

/// Reads several lots of files and divides their series into shards.
#[derive(Debug)]
pub struct Reader {
    limit_by: u64,
    used_by: u64,
    spill: Option<Spill>,
    inputs: Vec<Input>,
    shards: usize,
}

/// Which files of a [`Reader`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputId(usize);

impl Reader {
    /// Makes a reader that keeps about as many bytes of points in memory.
    pub fn new(limit_by: u64) -> Self {
        Self { limit_by, used_by: 0, spill: None, inputs: Vec::new(), shards: 1 }
    }

    /// Decodes the points of some files inside a window.
    ///
    /// `origins`: of each file the number of what it belongs to; without any, all belong to 0. The order of rows and
    /// files plays no role with [`Duplicates::Refuse`]. A series in several units of one dimension gets the one that
    /// stands first in [`UNITS`](crate::model::metric::UNITS).
    ///
    /// # Errors
    /// The first broken row in the order of files; see the table in the module's documentation.
    pub fn add(
        &mut self,
        files: Vec<RecordedFile>,
        origins: Vec<u32>,
        window: Window,
        duplicates: Duplicates,
    ) -> Result<InputId, RecordError> {
        let before = self.used_by;
        let mut input = Input::new(files, origins, duplicates);
        let decoded = self.decode(&mut input, window);
        if let Err(error) = decoded {
            self.used_by = before;
            return Err(error);
        }
        input.close();
        self.inputs.push(input);
        Ok(InputId(self.inputs.len() - 1))
    }

    fn decode(&mut self, input: &mut Input, window: Window) -> Result<(), RecordError> {
        let files = input.files.clone();
        let work: Vec<(usize, Share)> = files
            .iter()
            .enumerate()
            .flat_map(|(file, recorded)| recorded.shares(window).into_iter().map(move |share| (file, share)))
            .collect();
        let is_large =
            |(file, share): &(usize, Share)| files.get(*file).is_some_and(|file| file.rows_in(*share) > LARGE_ROWS);
        // Each worker holds one decoded row group at most.
        let workers = rayon::current_num_threads().max(1);
        for group in work.chunk_by(|one, other| !is_large(one) && !is_large(other)) {
            match group {
                [only @ (file, share)] if is_large(only) => {
                    let Some(recorded) = files.get(*file) else { continue };
                    recorded.read(*share, window, false, &mut |chunk| self.join(input, chunk, *file))?;
                }
                _ => {
                    for some in group.chunks(workers) {
                        let read = |(file, share): &(usize, Share)| {
                            let mut chunks = Vec::new();
                            let take = &mut |chunk| {
                                chunks.push(chunk);
                                Ok(())
                            };
                            files.get(*file).map_or(Ok(()), |file| file.read(*share, window, false, take))?;
                            Ok(chunks)
                        };
                        let chunks: Vec<Result<Vec<Chunk>, RecordError>> = some.par_iter().map(read).collect();
                        for (chunks, (file, _)) in chunks.into_iter().zip(some) {
                            chunks?.into_iter().try_for_each(|chunk| self.join(input, chunk, *file))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn join(&mut self, input: &mut Input, chunk: Chunk, file: usize) -> Result<(), RecordError> {
        self.used_by += input.join(chunk, file)?;
        // Names stay in memory; points have what is left of the limit, and a quarter of it at least.
        let series = self.inputs.iter().chain([&*input]).map(|input| input.series.len() as u64).sum::<u64>();
        let left_by = self.limit_by.saturating_sub(series * NAME_BY).max(self.limit_by / 4);
        if self.used_by > left_by {
            flush(&mut self.spill, self.inputs.iter_mut().chain([input]))?;
            self.used_by = 0;
        }
        Ok(())
    }

    /// Divides the series into shards of whole services and returns how many there are, at least one.
    ///
    /// `service_of`: the service that a series belongs to. Services follow each other by name, and a shard ends where
    /// the next service would take more memory than the limit; a service that alone takes more is a shard of its own.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn plan(&mut self, service_of: impl Fn(&SeriesKey) -> Arc<str>) -> Result<usize, RecordError> {
        let mut sizes: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for series in self.inputs.iter().flat_map(|input| &input.series) {
            *sizes.entry(service_of(&series.key)).or_default() += SERIES_BY + POINT_BY * series.points;
        }
        let mut shard_of: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let (mut shard, mut filled) = (0, 0);
        for (service, size) in sizes {
            if filled > 0 && filled + size > self.limit_by {
                (shard, filled) = (shard + 1, 0);
            }
            filled += size;
            shard_of.insert(service, shard);
        }
        self.shards = shard + 1;
        if self.shards > 1 {
            flush(&mut self.spill, self.inputs.iter_mut())?;
            self.used_by = 0;
        }
        for input in &mut self.inputs {
            input.shards = vec![Vec::new(); self.shards];
            for (number, series) in (0..).zip(&input.series) {
                let shard = shard_of.get(&service_of(&series.key)).copied().unwrap_or_default();
                if let Some(numbers) = input.shards.get_mut(shard) {
                    numbers.push(number);
                }
            }
        }
        Ok(self.shards)
    }

    /// Takes the series of one shard that some files gave.
    ///
    /// With one shard the points are moved out and are gone afterwards; with several they can be taken again.
    ///
    /// # Errors
    /// Two values of one series at one time, with [`Duplicates::Refuse`]; the temporary file cannot be read.
    pub fn take(&mut self, input: InputId, shard: usize) -> Result<ShardSeries, RecordError> {
        let Some(input) = self.inputs.get_mut(input.0) else { return Ok(ShardSeries::default()) };
        let finished = input.take(shard, self.spill.as_mut())?;
        if let Some((key, time)) = finished.iter().find_map(|one| Some((&one.series.key, one.conflict?))) {
            return Err(input.conflict(key, time)?);
        }
        input.repeats.insert(shard, Repeats::of(&finished));
        let (series, origins) = finished.into_iter().map(|one| (one.series, one.origins)).unzip();
        Ok(ShardSeries { series, origins })
    }

    /// Returns the keys of all series that some files have, and how many points inside the window each has.
    pub fn keys(&self, input: InputId) -> impl Iterator<Item = (&SeriesKey, u64)> {
        let series = self.inputs.get(input.0).into_iter().flat_map(|input| &input.series);
        series.map(|series| (&series.key, series.points))
    }

    /// Returns the number of rows inside the window that some files have.
    pub fn rows(&self, input: InputId) -> u64 {
        self.inputs.get(input.0).map_or(0, |input| input.rows)
    }

    /// Returns what was left out of some files, by reason. Points that came again are counted in the shards that were
    /// taken.
    ///
    /// # Errors
    /// A file cannot be read once more for the place of a point.
    pub fn left_out(&self, input: InputId) -> Result<Vec<LeftOut>, RecordError> {
        self.inputs.get(input.0).map_or(Ok(Vec::new()), Input::left_out)
    }

    /// Returns how many rows were decoded, inside the window or not.
    pub fn decoded_rows(&self) -> u64 {
        self.inputs.iter().map(|input| input.decoded).sum()
    }

    /// Returns how many bytes are in the temporary file.
    pub fn spilled_by(&self) -> u64 {
        self.spill.as_ref().map_or(0, Spill::length)
    }
}

/// Moves all points in memory to the temporary file, which is made when it is first needed.
fn flush<'a>(spill: &mut Option<Spill>, inputs: impl Iterator<Item = &'a mut Input>) -> Result<(), RecordError> {
    let mut file = match spill.take() {
        Some(file) => file,
        None => Spill::new().map_err(RecordError::Temporary)?,
    };
    let flushed = inputs.into_iter().try_for_each(|input| input.flush(&mut file));
    *spill = Some(file);
    flushed.map_err(RecordError::Temporary)
}

/// Reads the points of files inside a window as one.
///
/// # Errors
/// As [`Reader::add`] and [`Reader::take`].
pub fn read(files: &[RecordedFile], window: Window, duplicates: Duplicates) -> Result<Recorded, RecordError> {
    let mut reader = Reader::new(u64::MAX);
    let input = reader.add(files.to_vec(), Vec::new(), window, duplicates)?;
    reader.plan(|key| key.service.clone())?;
    let series = reader.take(input, 0)?.series;
    Ok(Recorded { series, rows: reader.rows(input), left_out: reader.left_out(input)? })
}
