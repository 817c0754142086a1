//! Series to the bytes of a segment.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::format::{TEXT_COLUMNS, WRITTEN_UNIT};
use crate::model::metric::{Dimension, Series, UNITS};

use super::digest;
use super::index::Index;

/// The format that this program writes, and the newest that it reads.
pub(super) const VERSION: u32 = 2;
/// Key of the footer under which the format version stands.
pub(super) const VERSION_KEY: &str = "fortnight.store";
/// Key of the footer that a sealed day has.
pub(super) const SEALED_KEY: &str = "fortnight.sealed";
/// Key of the footer of a day that was over when it was requested, and stayed open.
pub(super) const REQUESTED_KEY: &str = "fortnight.requested";
/// Key of the footer of a day that was not over when it was requested: from when, until when, and when that was.
pub(super) const ANSWERED_KEY: &str = "fortnight.answered";
/// Key of the footer under which the list of series is kept.
pub(super) const INDEX_KEY: &str = "fortnight.series";

/// What is known of the completeness of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayState {
    /// More may come. `requested`: the UTC date of the last request after the day was over, if there was one.
    Open {
        /// The UTC date of the last request after the day was over.
        requested: Option<NaiveDate>,
    },
    /// The source answered for a part of the day.
    Begun(Answered),
    /// Nothing more is expected.
    Sealed,
}

/// The part of a day that a source answered for. All times are UTC milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answered {
    /// Where the part begins.
    pub from: i64,
    /// Where it ends; not included.
    pub until: i64,
    /// When the source was asked for it.
    pub at: i64,
}

impl Answered {
    /// Returns what both parts are together: where they do not touch, the later request alone counts.
    fn with(self, newer: Self) -> Self {
        if newer.from > self.until || self.from > newer.until {
            return newer;
        }
        let is_within = newer.from <= self.from && self.until <= newer.until;
        let at = if is_within { newer.at } else { self.at.min(newer.at) };
        Self { from: self.from.min(newer.from), until: self.until.max(newer.until), at }
    }

    /// Reads `1795392000000 1795413600000 1795413900000`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(|word| word.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Self { from: next()?, until: next()?, at: next()? })
    }
}

impl DayState {
    /// A day that was not requested after it was over.
    pub const UNFINISHED: Self = Self::Open { requested: None };

    /// Returns what is known of a day after another answer.
    ///
    /// A day that was sealed stays sealed, and one that was requested whole does not go back to a part of it.
    pub(super) fn after(self, newer: Self) -> Self {
        match (self, newer) {
            (Self::Sealed, _) | (_, Self::Open { requested: None }) => self,
            (Self::Open { requested: Some(_) }, Self::Begun(_)) => self,
            (Self::Begun(known), Self::Begun(newer)) => Self::Begun(known.with(newer)),
            (_, newer) => newer,
        }
    }
}

/// Writes a whole segment into a file that is open for reading and writing.
pub(super) fn encode(file: &mut fs::File, series: &[Series], version: u32, state: DayState) -> io::Result<()> {
    let batch = to_batch(series).map_err(io::Error::other)?;
    let index = serde_json::to_string(&Index::of(series))?;
    let key = |name: &str, value: String| KeyValue::new(name.to_owned(), value);
    let mut keys = vec![key(VERSION_KEY, version.to_string())];
    match state {
        DayState::Sealed => keys.push(key(SEALED_KEY, "yes".to_owned())),
        DayState::Open { requested } => keys.extend(requested.map(|day| key(REQUESTED_KEY, day.to_string()))),
        DayState::Begun(Answered { from, until, at }) => keys.push(key(ANSWERED_KEY, format!("{from} {until} {at}"))),
    }
    keys.extend([key(INDEX_KEY, index), key(digest::KEY, digest::BLANK.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(keys))
        .build();
    let write = |file: &mut fs::File| -> Result<(), ParquetError> {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    };
    write(file).map_err(io::Error::other)?;
    digest::stamp(file)
}

fn to_batch(series: &[Series]) -> Result<RecordBatch, ParquetError> {
    let total = series.iter().map(|one| one.times.len()).sum();
    let mut texts: [TextBuilder; TEXT_COLUMNS.len() + 1] = Default::default();
    let (mut times, mut values) = (Vec::with_capacity(total), Vec::with_capacity(total));
    for one in series {
        times.extend_from_slice(&one.times);
        values.extend_from_slice(&one.values);
        let words = [
            &one.key.service,
            one.key.kind.as_str(),
            &one.key.target,
            &one.key.signal,
            base_symbol(one.unit.dimension),
            one.unit.symbol,
        ];
        for (column, word) in texts.iter_mut().zip(words) {
            column.push(word, one.times.len());
        }
    }
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC"));
    let mut columns = vec![("time", time)];
    for (name, column) in TEXT_COLUMNS.into_iter().chain([WRITTEN_UNIT]).zip(texts) {
        columns.push((name, column.finish()?));
    }
    columns.push(("value", Arc::new(Float64Array::from(values))));
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// One text column while it is built.
#[derive(Default)]
struct TextBuilder {
    codes: Vec<i32>,
    words: Vec<String>,
    known: HashMap<String, i32>,
}

impl TextBuilder {
    fn push(&mut self, word: &str, rows: usize) {
        let code = match self.known.get(word) {
            Some(code) => *code,
            None => {
                let code = i32::try_from(self.words.len()).unwrap_or(i32::MAX);
                self.words.push(word.to_owned());
                self.known.insert(word.to_owned(), code);
                code
            }
        };
        self.codes.resize(self.codes.len() + rows, code);
    }

    fn finish(self) -> Result<ArrayRef, ParquetError> {
        let words: ArrayRef = Arc::new(StringArray::from(self.words));
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(self.codes), words)?))
    }
}

/// Returns the unit whose factor is 1.
fn base_symbol(dimension: Dimension) -> &'static str {
    let is_base = |factor: f64| factor.total_cmp(&1.0).is_eq();
    let base = UNITS.iter().find(|unit| unit.dimension == dimension && is_base(unit.factor));
    base.map_or("count", |unit| unit.symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_day_that_touch_are_one_and_others_are_not() {
        let part = |from, until, at| Answered { from, until, at };
        let both = |one: Answered, other: Answered| one.with(other);
        assert_eq!(both(part(0, 6, 7), part(0, 9, 10)), part(0, 9, 10), "asked anew as a whole");
        assert_eq!(both(part(0, 6, 7), part(6, 9, 10)), part(0, 9, 7), "the first part is as old as it was");
        assert_eq!(both(part(0, 6, 7), part(8, 9, 10)), part(8, 9, 10), "nobody asked for what lies between");
        assert_eq!(Answered::parse("0 6 7"), Some(part(0, 6, 7)));
        assert_eq!(Answered::parse("0 6"), None);
        assert_eq!(Answered::parse(""), None);
    }

    #[test]
    fn every_dimension_has_a_base_unit() {
        for unit in UNITS {
            let base = UNITS.iter().find(|known| known.symbol == base_symbol(unit.dimension)).expect("known");
            assert_eq!(base.dimension, unit.dimension);
        }
    }
}
