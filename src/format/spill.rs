//! Points that do not fit into memory wait in a temporary file, service by service.
//!
//! The file has no name and goes with the process. Each flush writes the points of one service next to each other, so
//! that a shard reads what it needs and nothing else:
//!
//! ```text
//! record = series u32 · points u32 · form u8 · times · values     little-endian
//! times  = first i64 · step i64 (form 1), or one i64 a point (form 0)
//! values = one f64 a point
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

/// Times in milliseconds and values of one series, in the order of rows.
pub(super) type Points = (Vec<i64>, Vec<f64>);

/// Bytes that are written at once.
const BUFFER_BY: usize = 1 << 20;

/// A stretch of the file with the points of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    start: u64,
    length: u64,
    /// Which flush wrote it, from 1; later ones have later rows.
    pub(super) flush: u32,
}

/// The temporary file.
#[derive(Debug)]
pub(super) struct Spill {
    file: File,
    length: u64,
}

impl Spill {
    /// Makes the file in the system's folder for temporary files.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, length: 0 })
    }

    /// Returns its size, bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes the points of one service: numbers of series, each with its points.
    pub(super) fn write<'a>(
        &mut self,
        flush: u32,
        series: impl IntoIterator<Item = (u32, &'a [Points])>,
    ) -> io::Result<Extent> {
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut out = Counted { out: BufWriter::with_capacity(BUFFER_BY, &self.file), written: 0 };
        for (number, chunks) in series {
            for (times, values) in chunks {
                write_record(&mut out, number, times, values)?;
            }
        }
        out.out.flush()?;
        let length = out.written;
        drop(out);
        let extent = Extent { start: self.length, length, flush };
        self.length += length;
        Ok(extent)
    }

    /// Reads a stretch, and hands each series' number with its points to `take` if `is_wanted` says so.
    pub(super) fn read(
        &mut self,
        extent: Extent,
        is_wanted: impl Fn(u32) -> bool,
        mut take: impl FnMut(u32, Points),
    ) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(extent.start))?;
        let mut bytes = Vec::with_capacity(usize::try_from(extent.length).unwrap_or_default());
        Read::by_ref(&mut self.file).take(extent.length).read_to_end(&mut bytes)?;
        let mut rest = Cursor(&bytes);
        while !rest.0.is_empty() {
            let number = u32::from_le_bytes(rest.array()?);
            let count = u32::from_le_bytes(rest.array()?) as usize;
            let [form] = rest.array()?;
            let times_by = if form == 1 { 16 } else { 8 * count };
            let (times, values) = (rest.bytes(times_by)?, rest.bytes(8 * count)?);
            if is_wanted(number) {
                let values = words(values).map(f64::from_le_bytes).collect();
                take(number, (read_times(form, times, count), values));
            }
        }
        Ok(())
    }
}

fn write_record(out: &mut impl Write, number: u32, times: &[i64], values: &[f64]) -> io::Result<()> {
    // A chunk has far fewer points than a `u32` can count.
    let count = u32::try_from(times.len()).map_err(io::Error::other)?;
    out.write_all(&number.to_le_bytes())?;
    out.write_all(&count.to_le_bytes())?;
    match step(times) {
        Some((first, step)) => {
            out.write_all(&[1])?;
            out.write_all(&first.to_le_bytes())?;
            out.write_all(&step.to_le_bytes())?;
        }
        None => {
            out.write_all(&[0])?;
            times.iter().try_for_each(|time| out.write_all(&time.to_le_bytes()))?;
        }
    }
    values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}

/// Returns the first time and the step of times that are evenly spaced; `None` for others.
fn step(times: &[i64]) -> Option<(i64, i64)> {
    let first = *times.first()?;
    let step = times.get(1).map_or(Some(0), |second| second.checked_sub(first))?;
    let is_even = |pair: &[i64]| matches!(pair, [one, next] if next.checked_sub(*one) == Some(step));
    times.windows(2).all(is_even).then_some((first, step))
}

fn read_times(form: u8, bytes: &[u8], count: usize) -> Vec<i64> {
    let mut numbers = words(bytes).map(i64::from_le_bytes);
    if form != 1 {
        return numbers.collect();
    }
    let (first, step) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    (0..count).map(|index| first.wrapping_add(step.wrapping_mul(index as i64))).collect()
}

fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 8]> {
    bytes.chunks_exact(8).filter_map(|word| word.try_into().ok())
}

/// What is left of a stretch.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn bytes(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.bytes(N)?.try_into().map_err(io::Error::other)
    }
}

/// Counts what is written.
struct Counted<W> {
    out: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut spill = Spill::new().expect("made");
        let even: Points = ((0..100).map(|k| k * 60_000 - 7).collect(), (0..100).map(f64::from).collect());
        let uneven: Points = (vec![5, 3, i64::MAX, i64::MIN], vec![f64::NAN, -0.0, 1e300, 7.0]);
        let single: Points = (vec![42], vec![1.0]);
        let lists = [vec![even.clone(), single.clone()], vec![uneven.clone()]];
        let first = spill.write(1, [(7, lists[0].as_slice()), (9, lists[1].as_slice())]).expect("written");
        let second = spill.write(2, [(7, std::slice::from_ref(&single))]).expect("written");
        let mut found: Vec<(u32, String)> = Vec::new();
        for extent in [first, second] {
            spill.read(extent, |_| true, |number, points| found.push((number, format!("{points:?}")))).expect("read");
        }
        let wanted = [(7, &even), (7, &single), (9, &uneven), (7, &single)];
        assert_eq!(found, wanted.map(|(number, points)| (number, format!("{points:?}"))));
        assert!(spill.length() < 8 * 110 + 8 * 4 * 2 + 8 * 20, "even times take no space");
        let mut some = Vec::new();
        spill.read(first, |number| number == 9, |number, _| some.push(number)).expect("read");
        assert_eq!(some, [9]);
    }
}
