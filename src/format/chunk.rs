//! Rows into points: checks each run of rows of one series and appends it. One [`Chunk`] holds what a row group or some
//! lines of a CSV file gave; chunks are filled in parallel and joined in order afterwards.

use std::collections::HashMap;

use crate::model::metric::{Allowed, Kind, SeriesKey, UNITS, Unit};
use crate::model::time::Window;

use super::interner::{ABSENT, Interner};
use super::{LONGEST_TEXT_BY, RowError, TEXT_COLUMNS, TIME_LIMITS, shown_key};
use crate::model::scrub::excerpt;

/// Rows of a full chunk: what most writers of Parquet put into a row group.
const FULL_ROWS: u64 = 1 << 20;

/// Text columns: the contract's five, and [`super::WRITTEN_UNIT`].
pub(crate) const COLUMNS: usize = TEXT_COLUMNS.len() + 1;

/// One text column of some rows: codes into a list of word ids.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a> {
    /// One a row; negative or out of range is an absent text. Empty when the column is not there.
    pub(crate) codes: &'a [i32],
    /// Word id of each code.
    pub(crate) ids: &'a [u32],
}

impl Column<'_> {
    fn id(&self, row: usize) -> u32 {
        let code = self.codes.get(row).and_then(|code| usize::try_from(*code).ok());
        code.and_then(|code| self.ids.get(code)).copied().unwrap_or(ABSENT)
    }

    /// Returns where the run of equal codes from `start` ends, at most `end`.
    fn run_end(&self, start: usize, end: usize) -> usize {
        let Some(codes) = self.codes.get(start..end) else { return end };
        let Some(first) = codes.first() else { return end };
        let mut length = 0;
        // Blocks are compared without a branch a row, which the compiler turns into vector instructions.
        for block in codes.chunks(64) {
            if block.iter().fold(true, |same, code| same & (code == first)) {
                length += block.len();
            } else {
                length += block.iter().take_while(|code| *code == first).count();
                break;
            }
        }
        start + length
    }
}

/// Some neighbouring rows of one file.
pub(crate) struct Rows<'a> {
    /// Number of the first row, from 1; `numbers` goes before it.
    pub(crate) first: u64,
    /// Row numbers where they do not simply count up (CSV lines); empty otherwise.
    pub(crate) numbers: &'a [u64],
    /// UTC milliseconds.
    pub(crate) times: &'a [i64],
    /// Values as written.
    pub(crate) values: &'a [f64],
    /// Texts.
    pub(crate) columns: [Column<'a>; COLUMNS],
}

impl Rows<'_> {
    fn number(&self, index: usize) -> u64 {
        self.numbers.get(index).copied().unwrap_or(self.first + index as u64)
    }
}

/// What is wrong with a row, and which one.
pub(crate) struct Broken {
    pub(crate) row: u64,
    pub(crate) error: RowError,
}

/// Points of one series within a chunk, in the order of rows.
pub(crate) struct Points {
    pub(crate) key: SeriesKey,
    /// Units that it was written in: index into [`UNITS`] and the first row. Never empty.
    pub(crate) units: Vec<(usize, u64)>,
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
    /// Row of each point, only when a chunk traces.
    pub(crate) rows: Vec<u64>,
}

/// What one row group or CSV file gave.
pub(crate) struct Chunk {
    window: Window,
    traces: bool,
    pub(crate) texts: Interner,
    slots: HashMap<[u32; COLUMNS], Slot>,
    places: HashMap<SeriesKey, usize>,
    pub(crate) series: Vec<Points>,
    /// Rows inside the window.
    pub(crate) rows: u64,
    /// Rows in the file, wanted or not.
    pub(crate) seen: u64,
    /// Reason, count, first row.
    pub(crate) left_out: Vec<(&'static str, u64, u64)>,
}

/// Where a run of rows with the same six texts goes: to a series, after multiplication.
#[derive(Clone, Copy)]
struct Slot {
    series: usize,
    factor: f64,
    allowed: Allowed,
}

impl Chunk {
    /// Makes an empty chunk; one that traces keeps the row of each point.
    pub(crate) fn new(window: Window, traces: bool) -> Self {
        Self {
            window,
            traces,
            texts: Interner::default(),
            slots: HashMap::new(),
            places: HashMap::new(),
            series: Vec::new(),
            rows: 0,
            seen: 0,
            left_out: Vec::new(),
        }
    }

    /// Tells whether it holds so much that the next rows belong into another one.
    pub(crate) fn is_full(&self) -> bool {
        self.seen >= FULL_ROWS
    }

    /// Takes rows in; all slices of `rows` are of one length.
    pub(crate) fn absorb(&mut self, rows: &Rows<'_>) -> Result<(), Broken> {
        let total = rows.times.len().min(rows.values.len());
        self.seen += total as u64;
        let mut start = 0;
        while start < total {
            let end = rows.columns.iter().fold(total, |end, column| column.run_end(start, end));
            self.take_run(rows, start, end)?;
            start = end;
        }
        Ok(())
    }

    /// Takes in rows `start..end`, which have the same texts.
    fn take_run(&mut self, rows: &Rows<'_>, start: usize, end: usize) -> Result<(), Broken> {
        let (Some(times), Some(values)) = (rows.times.get(start..end), rows.values.get(start..end)) else {
            return Ok(());
        };
        let window = self.window;
        let (low, high) =
            times.iter().fold((i64::MAX, i64::MIN), |(low, high), time| (low.min(*time), high.max(*time)));
        if high < window.start || low >= window.end {
            return Ok(());
        }
        let Slot { series, factor, allowed } = self.slot(rows, start)?;
        if let Some(index) = times.iter().position(|time| window.contains(*time) && !is_possible(*time)) {
            let text = times.get(index).map_or(String::new(), i64::to_string);
            return Err(Broken { row: rows.number(start + index), error: RowError::UnparsableTime(text) });
        }
        let Some(points) = self.series.get_mut(series) else { return Ok(()) };
        let before = points.values.len();
        let is_inside = window.start <= low && high < window.end;
        if is_inside {
            points.times.extend_from_slice(times);
            points.values.extend(values.iter().map(|value| value * factor));
        } else {
            for (time, value) in times.iter().zip(values).filter(|(time, _)| window.contains(**time)) {
                points.times.push(*time);
                points.values.push(value * factor);
            }
        }
        let added = points.values.get_mut(before..).unwrap_or_default();
        self.rows += added.len() as u64;
        let is_clean = added.iter().fold(true, |clean, value| clean & allowed.holds(*value));
        if is_clean && !self.traces {
            return Ok(());
        }
        let inside = times.iter().enumerate().filter(|(_, time)| window.contains(**time));
        for ((index, _), value) in inside.zip(added) {
            let row = rows.number(start + index);
            if self.traces {
                points.rows.push(row);
            }
            if !allowed.holds(*value) {
                if let Some(reason) = allowed.reason(*value) {
                    count(&mut self.left_out, reason, 1, row);
                }
                *value = f64::NAN;
            }
        }
        Ok(())
    }

    /// Finds or makes the slot for the texts of a row.
    fn slot(&mut self, rows: &Rows<'_>, index: usize) -> Result<Slot, Broken> {
        let ids = std::array::from_fn(|column| rows.columns.get(column).map_or(ABSENT, |column| column.id(index)));
        if let Some(slot) = self.slots.get(&ids) {
            return Ok(*slot);
        }
        let row = rows.number(index);
        let slot = self.make_slot(ids, row).map_err(|error| Broken { row, error })?;
        self.slots.insert(ids, slot);
        Ok(slot)
    }

    fn make_slot(&mut self, ids: [u32; COLUMNS], row: u64) -> Result<Slot, RowError> {
        let [service, kind, target, signal, unit, written] = ids.map(|id| self.texts.text(id));
        for (text, column) in [&service, &kind, &target, &signal, &unit].into_iter().zip(TEXT_COLUMNS) {
            if text.len() > LONGEST_TEXT_BY {
                return Err(RowError::TooLong(column));
            }
            if text.is_empty() && matches!(column, "service" | "target" | "signal") {
                return Err(RowError::Empty(column));
            }
        }
        let kind = Kind::parse(&kind).ok_or_else(|| RowError::UnknownKind(excerpt(&kind)))?;
        let parsed = Unit::parse(&unit).ok_or_else(|| RowError::UnknownUnit(excerpt(&unit)))?;
        // A segment's unit is the base unit; the one that people wrote stands beside it.
        let named = Unit::parse(&written).filter(|named| named.dimension == parsed.dimension).unwrap_or(parsed);
        let key = SeriesKey { service, kind, target, signal };
        let allowed = Allowed::of(parsed.dimension, &key.signal);
        let index = UNITS.iter().position(|known| known.symbol == named.symbol).unwrap_or_default();
        let series = self.place(key);
        if let Some(points) = self.series.get_mut(series) {
            add_unit(&points.key, &mut points.units, index, row)?;
        }
        Ok(Slot { series, factor: parsed.factor, allowed })
    }

    fn place(&mut self, key: SeriesKey) -> usize {
        *self.places.entry(key.clone()).or_insert_with(|| {
            self.series.push(Points {
                key,
                units: Vec::new(),
                times: Vec::new(),
                values: Vec::new(),
                rows: Vec::new(),
            });
            self.series.len() - 1
        })
    }
}

fn is_possible(time: i64) -> bool {
    (TIME_LIMITS.0..=TIME_LIMITS.1).contains(&time)
}

/// Adds a unit to those that a series was written in; they must all measure the same.
pub(crate) fn add_unit<R: Copy>(
    key: &SeriesKey,
    units: &mut Vec<(usize, R)>,
    unit: usize,
    row: R,
) -> Result<(), RowError> {
    if units.iter().any(|(known, _)| *known == unit) {
        return Ok(());
    }
    let dimension = |index: usize| UNITS.get(index).map(|unit| unit.dimension);
    let symbol = |index: usize| UNITS.get(index).map_or("", |unit| unit.symbol);
    if let Some((first, _)) = units.first().filter(|(first, _)| dimension(*first) != dimension(unit)) {
        return Err(RowError::OtherDimension { key: shown_key(key), unit: symbol(unit), before: symbol(*first) });
    }
    units.push((unit, row));
    Ok(())
}

/// Counts rows that were left out, keeping the first example of each reason.
pub(crate) fn count<E>(left_out: &mut Vec<(&'static str, u64, E)>, reason: &'static str, rows: u64, example: E) {
    match left_out.iter_mut().find(|(known, ..)| *known == reason) {
        Some((_, total, _)) => *total += rows,
        None => left_out.push((reason, rows, example)),
    }
}
