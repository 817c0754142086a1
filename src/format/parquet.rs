//! Long-form Parquet: keeps text as dictionary codes, so that a row costs five comparisons of integers,
//! and reads only the contract's columns of the row groups whose times touch the window.

use std::borrow::Cow;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::statistics::Statistics;

use crate::model::time::Window;

use super::chunk::{Broken, COLUMNS, Chunk, Column, Rows};
use super::interner::{ABSENT, Interner};
use super::share::Share;
use super::{RecordError, RowError, TEXT_COLUMNS, WRITTEN_UNIT, whole_time};

/// Rows decoded at once: large enough to spread the cost of a batch, small enough for the cache.
const BATCH_ROWS: usize = 32_768;

/// A Parquet file's footer and where the contract's columns are.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    metadata: ArrowReaderMetadata,
    time: usize,
    value: usize,
    texts: [usize; TEXT_COLUMNS.len()],
    written_unit: Option<usize>,
}

impl Table {
    /// Reads the footer and checks the columns.
    pub(crate) fn open(file: &File, name: &str) -> Result<Self, RecordError> {
        // The schema that Arrow writers embed is skipped: the columns' own types say all that is needed.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let plain = ArrowReaderMetadata::load(file, options).map_err(|source| damaged(name, source))?;
        check_places(&plain, file).map_err(|reason| damaged(name, reason))?;
        let fields = plain.schema().fields().clone();
        let find = |column: &'static str| {
            let at = fields.iter().position(|field| field.name() == column);
            at.ok_or_else(|| RecordError::MissingColumn { file: name.to_owned(), column })
        };
        let (time, value) = (find("time")?, find("value")?);
        check_type(name, &fields, time, "time", "a timestamp or whole seconds or milliseconds", is_time)?;
        check_type(name, &fields, value, "value", "numbers", is_number)?;
        let mut texts = [0; TEXT_COLUMNS.len()];
        for (at, column) in texts.iter_mut().zip(TEXT_COLUMNS) {
            *at = find(column)?;
            check_type(name, &fields, *at, column, "text", is_text)?;
        }
        let written_unit = fields.iter().position(|field| field.name() == WRITTEN_UNIT && is_text(field.data_type()));
        let coded: Vec<Field> = fields
            .iter()
            .enumerate()
            .map(|(at, field)| {
                if !texts.contains(&at) && written_unit != Some(at) {
                    return field.as_ref().clone();
                }
                let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(field.data_type().clone()));
                field.as_ref().clone().with_data_type(codes)
            })
            .collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(coded)));
        let metadata =
            ArrowReaderMetadata::try_new(plain.metadata().clone(), options).map_err(|source| damaged(name, source))?;
        Ok(Self { metadata, time, value, texts, written_unit })
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or_default()
    }

    /// Returns a key-value text of the footer.
    pub(crate) fn footer_text(&self, key: &str) -> Option<&str> {
        let pairs = self.metadata.metadata().file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// Returns the row groups whose times may touch the window.
    pub(crate) fn row_groups(&self, window: Window) -> Vec<Share> {
        let mut first_row = 1;
        let mut shares = Vec::new();
        for (index, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let rows = u64::try_from(group.num_rows()).unwrap_or_default();
            let may_touch = self.span(index).is_none_or(|(low, high)| low < window.end && high >= window.start);
            if may_touch {
                shares.push(Share::RowGroup { index, first_row, rows });
            }
            first_row += rows;
        }
        shares
    }

    /// Returns the first and last time of a row group, UTC milliseconds, if its statistics tell.
    fn span(&self, group: usize) -> Option<(i64, i64)> {
        let DataType::Timestamp(unit, _) = self.metadata.schema().fields().get(self.time)?.data_type() else {
            return None;
        };
        let leaf = self.leaf(self.time)?;
        let Statistics::Int64(limits) =
            self.metadata.metadata().row_groups().get(group)?.columns().get(leaf)?.statistics()?
        else {
            return None;
        };
        Some((milliseconds(*limits.min_opt()?, unit), milliseconds(*limits.max_opt()?, unit)))
    }

    /// Returns the leaf column of a field at the root, which differs once a nested column comes before it.
    fn leaf(&self, root: usize) -> Option<usize> {
        let schema = self.metadata.parquet_schema();
        (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root)
    }

    /// Reads one row group, by its index and first row, and hands its rows to `take` as one or more chunks.
    pub(crate) fn read(
        &self,
        file: File,
        name: &str,
        (group, first_row): (usize, u64),
        new_chunk: &dyn Fn() -> Chunk,
        take: &mut dyn FnMut(Chunk) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let roots = self.texts.iter().copied().chain([self.time, self.value]).chain(self.written_unit);
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|source| damaged(name, source))?;
        let mut texts: [TextState; COLUMNS] = Default::default();
        let mut row = first_row;
        let mut chunk = new_chunk();
        for batch in Guarded(Some(reader)) {
            let batch = batch.map_err(|reason| damaged(name, reason))?;
            take_batch(&batch, row, &mut texts, &mut chunk).map_err(|broken| RecordError::Row {
                file: name.to_owned(),
                row: broken.row,
                error: broken.error,
            })?;
            row += batch.num_rows() as u64;
            if chunk.is_full() {
                take(std::mem::replace(&mut chunk, new_chunk()))?;
                texts = Default::default();
            }
        }
        take(chunk)
    }
}

type Reason = Box<dyn std::error::Error + Send + Sync>;

/// Checks what the decoder takes for granted about a footer: that columns lie inside the file.
fn check_places(metadata: &ArrowReaderMetadata, file: &File) -> Result<(), Reason> {
    let size = file.metadata()?.len();
    for group in metadata.metadata().row_groups() {
        let mut are_inside = group.num_rows() >= 0;
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let end = start.checked_add(column.compressed_size()).and_then(|end| u64::try_from(end).ok());
            are_inside &= start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end <= size);
        }
        if !are_inside {
            return Err("a column lies outside of the file".into());
        }
    }
    Ok(())
}

/// Batches of a decoder that may panic on bytes that were changed after they were written.
struct Guarded(Option<ParquetRecordBatchReader>);

impl Iterator for Guarded {
    type Item = Result<RecordBatch, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.0.as_mut()?;
        // After a panic the reader is in no known state, so it is dropped and never used again.
        let Ok(batch) = std::panic::catch_unwind(AssertUnwindSafe(|| reader.next())) else {
            self.0 = None;
            return Some(Err("the decoder gave up".into()));
        };
        Some(batch?.map_err(Into::into))
    }
}

/// Hands one batch to the chunk.
fn take_batch(
    batch: &RecordBatch,
    first: u64,
    texts: &mut [TextState; COLUMNS],
    chunk: &mut Chunk,
) -> Result<(), Broken> {
    let no_time = |row: usize| Broken { row: first + row as u64, error: RowError::UnparsableTime(String::new()) };
    let time = batch.column_by_name("time").ok_or_else(|| no_time(0))?;
    if let Some(row) = first_null(time) {
        return Err(no_time(row));
    }
    let times = times(time);
    let values = batch.column_by_name("value").map_or(Cow::Borrowed(&[][..]), numbers);
    let names = TEXT_COLUMNS.into_iter().chain([WRITTEN_UNIT]);
    for (state, name) in texts.iter_mut().zip(names) {
        if let Some(array) = batch.column_by_name(name) {
            let broken = |row: usize| Broken { row: first + row as u64, error: RowError::NotUtf8(name) };
            state.load(array, &mut chunk.texts).map_err(broken)?;
        }
    }
    chunk.absorb(&Rows {
        first,
        numbers: &[],
        times: &times,
        values: &values,
        columns: texts.each_ref().map(|state| Column { codes: &state.codes, ids: &state.ids }),
    })
}

/// A text column between batches: its dictionary is looked at once, not once a batch.
#[derive(Default)]
struct TextState {
    dictionary: Option<ArrayRef>,
    ids: Vec<u32>,
    codes: Vec<i32>,
}

impl TextState {
    /// Takes the codes of a batch; fails with the first row whose text is not UTF-8.
    fn load(&mut self, array: &ArrayRef, interner: &mut Interner) -> Result<(), usize> {
        self.codes.clear();
        let Some(coded) = array.as_dictionary_opt::<arrow_array::types::Int32Type>() else { return Ok(()) };
        let keys = coded.keys();
        if keys.null_count() == 0 {
            self.codes.extend_from_slice(keys.values());
        } else {
            self.codes.extend(keys.iter().map(|code| code.unwrap_or(-1)));
        }
        let values = coded.values();
        if self.dictionary.as_ref().is_some_and(|known| Arc::ptr_eq(known, values)) {
            return Ok(());
        }
        self.ids.clear();
        for code in 0..values.len() {
            let id = match text_at(values, code) {
                Ok(text) => text.map_or(ABSENT, |text| interner.id(text)),
                Err(()) => return Err(self.codes.iter().position(|used| *used == code as i32).unwrap_or_default()),
            };
            self.ids.push(id);
        }
        self.dictionary = Some(values.clone());
        Ok(())
    }
}

/// Returns a text of a dictionary; `None` where it is null, an error where it is not UTF-8.
fn text_at(values: &ArrayRef, index: usize) -> Result<Option<&str>, ()> {
    if values.is_null(index) {
        return Ok(None);
    }
    if let Some(texts) = values.as_string_opt::<i32>() {
        return Ok(Some(texts.value(index)));
    }
    match values.as_binary_opt::<i32>() {
        Some(bytes) => std::str::from_utf8(bytes.value(index)).map(Some).map_err(|_| ()),
        None => Ok(None),
    }
}

fn first_null(array: &ArrayRef) -> Option<usize> {
    if array.null_count() == 0 { None } else { (0..array.len()).find(|row| array.is_null(*row)) }
}

/// Returns times as UTC milliseconds; borrowed where they are that already.
fn times(array: &ArrayRef) -> Cow<'_, [i64]> {
    fn scaled<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef, unit: TimeUnit) -> Cow<'_, [i64]> {
        Cow::Owned(array.as_primitive::<T>().values().iter().map(|time| milliseconds(*time, &unit)).collect())
    }
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            Cow::Borrowed(array.as_primitive::<TimestampMillisecondType>().values())
        }
        DataType::Timestamp(TimeUnit::Second, _) => scaled::<TimestampSecondType>(array, TimeUnit::Second),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            scaled::<TimestampMicrosecondType>(array, TimeUnit::Microsecond)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => scaled::<TimestampNanosecondType>(array, TimeUnit::Nanosecond),
        DataType::Int64 => {
            Cow::Owned(array.as_primitive::<Int64Type>().values().iter().map(|number| whole_time(*number)).collect())
        }
        DataType::UInt64 => Cow::Owned(
            array
                .as_primitive::<UInt64Type>()
                .values()
                .iter()
                .map(|number| i64::try_from(*number).map_or(i64::MAX, whole_time))
                .collect(),
        ),
        DataType::UInt32 => Cow::Owned(
            array.as_primitive::<UInt32Type>().values().iter().map(|number| whole_time(i64::from(*number))).collect(),
        ),
        DataType::Int32 => Cow::Owned(
            array.as_primitive::<Int32Type>().values().iter().map(|number| whole_time(i64::from(*number))).collect(),
        ),
        _ => Cow::Borrowed(&[]),
    }
}

fn milliseconds(time: i64, unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => time.saturating_mul(1000),
        TimeUnit::Millisecond => time,
        TimeUnit::Microsecond => time.div_euclid(1000),
        TimeUnit::Nanosecond => time.div_euclid(1_000_000),
    }
}

/// Returns values as floats, NaN where they are null; borrowed where nothing has to change.
fn numbers(array: &ArrayRef) -> Cow<'_, [f64]> {
    fn floats<T: ArrowPrimitiveType>(array: &ArrayRef, convert: impl Fn(T::Native) -> f64) -> Cow<'_, [f64]> {
        let values = array.as_primitive::<T>();
        if values.null_count() == 0 {
            return Cow::Owned(values.values().iter().map(|value| convert(*value)).collect());
        }
        Cow::Owned(values.iter().map(|value| value.map_or(f64::NAN, &convert)).collect())
    }
    match array.data_type() {
        DataType::Float64 if array.null_count() == 0 => Cow::Borrowed(array.as_primitive::<Float64Type>().values()),
        DataType::Float64 => floats::<Float64Type>(array, |value| value),
        DataType::Float32 => floats::<Float32Type>(array, f64::from),
        DataType::Int8 => floats::<Int8Type>(array, f64::from),
        DataType::Int16 => floats::<Int16Type>(array, f64::from),
        DataType::Int32 => floats::<Int32Type>(array, f64::from),
        DataType::Int64 => floats::<Int64Type>(array, |value| value as f64),
        DataType::UInt8 => floats::<UInt8Type>(array, f64::from),
        DataType::UInt16 => floats::<UInt16Type>(array, f64::from),
        DataType::UInt32 => floats::<UInt32Type>(array, f64::from),
        DataType::UInt64 => floats::<UInt64Type>(array, |value| value as f64),
        DataType::Decimal128(_, scale) => {
            let divisor = 10_f64.powi(i32::from(*scale));
            floats::<Decimal128Type>(array, |value| value as f64 / divisor)
        }
        // A column of nulls only, as some writers make for a series without any value.
        _ => Cow::Owned(vec![f64::NAN; array.len()]),
    }
}

fn is_time(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..) | DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::UInt64)
}

fn is_number(kind: &DataType) -> bool {
    kind.is_integer()
        || matches!(kind, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) | DataType::Null)
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::Binary)
}

fn check_type(
    file: &str,
    fields: &arrow_schema::Fields,
    at: usize,
    column: &'static str,
    wanted: &'static str,
    fits: impl Fn(&DataType) -> bool,
) -> Result<(), RecordError> {
    match fields.get(at) {
        Some(field) if fits(field.data_type()) => Ok(()),
        field => Err(RecordError::ColumnType {
            file: file.to_owned(),
            column,
            found: field.map_or_else(String::new, |field| field.data_type().to_string()),
            wanted,
        }),
    }
}

fn damaged(name: &str, source: impl Into<Reason>) -> RecordError {
    RecordError::Damaged { file: name.to_owned(), source: source.into() }
}
