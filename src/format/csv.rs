//! Long-form CSV: commas, a header in any order, quotes as in RFC 4180, LF or CRLF, with or without a
//! byte order mark.

use std::io::Read;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::chunk::{COLUMNS, Chunk, Column, Rows};
use super::interner::Interner;
use super::text::read_error;
use super::{LONGEST_TEXT_BY, RecordError, RowError, TEXT_COLUMNS, parse_time};
use crate::model::scrub::excerpt;

/// Lines handed over at once.
const BATCH_ROWS: usize = 8192;

/// Reads a CSV file and hands its lines to `take` as one or more chunks.
pub(crate) fn read(
    input: Box<dyn Read>,
    name: &str,
    new_chunk: &dyn Fn() -> Chunk,
    take: &mut dyn FnMut(Chunk) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    let mut reader = ReaderBuilder::new().has_headers(true).flexible(false).from_reader(input);
    let header = reader.byte_headers().map_err(|error| failure(name, error))?.clone();
    let find = |column: &'static str| {
        let at = header.iter().position(|title| title.trim_ascii() == column.as_bytes());
        at.ok_or_else(|| RecordError::MissingColumn { file: name.to_owned(), column })
    };
    let (time, value) = (find("time")?, find("value")?);
    let mut texts = [0; TEXT_COLUMNS.len()];
    for (at, column) in texts.iter_mut().zip(TEXT_COLUMNS) {
        *at = find(column)?;
    }
    let (mut lines, mut chunk) = (Lines::default(), new_chunk());
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| failure(name, error))? {
        let row = record.position().map_or(0, csv::Position::line);
        let broken = |error| RecordError::Row { file: name.to_owned(), row, error };
        let field = |at: usize| record.get(at).unwrap_or_default();
        lines.times.push(time_of(field(time)).map_err(broken)?);
        lines.values.push(number_of(field(value)).map_err(broken)?);
        lines.numbers.push(row);
        for ((column, at), title) in lines.columns.iter_mut().zip(texts).zip(TEXT_COLUMNS) {
            column.push(field(at), title, &mut chunk.texts).map_err(broken)?;
        }
        if lines.times.len() >= BATCH_ROWS {
            lines.hand_over(name, &mut chunk)?;
            if chunk.is_full() {
                take(std::mem::replace(&mut chunk, new_chunk()))?;
                lines = Lines::default();
            }
        }
    }
    lines.hand_over(name, &mut chunk)?;
    take(chunk)
}

/// Lines that were read and not yet handed over.
#[derive(Default)]
struct Lines {
    times: Vec<i64>,
    values: Vec<f64>,
    numbers: Vec<u64>,
    columns: [TextColumn; TEXT_COLUMNS.len()],
}

impl Lines {
    fn hand_over(&mut self, name: &str, chunk: &mut Chunk) -> Result<(), RecordError> {
        let mut columns = [Column { codes: &[], ids: &[] }; COLUMNS];
        for (column, text) in columns.iter_mut().zip(&self.columns) {
            *column = Column { codes: &text.codes, ids: &text.ids };
        }
        let rows = Rows { first: 0, numbers: &self.numbers, times: &self.times, values: &self.values, columns };
        chunk.absorb(&rows).map_err(|broken| RecordError::Row {
            file: name.to_owned(),
            row: broken.row,
            error: broken.error,
        })?;
        self.times.clear();
        self.values.clear();
        self.numbers.clear();
        self.columns.iter_mut().for_each(|column| column.codes.clear());
        Ok(())
    }
}

/// One text column: codes count its different texts in the order in which they came.
#[derive(Default)]
struct TextColumn {
    codes: Vec<i32>,
    ids: Vec<u32>,
    known: std::collections::HashMap<u32, i32>,
    /// Neighbouring lines mostly say the same, so the last text is compared before it is looked up.
    last: Vec<u8>,
    last_code: Option<i32>,
}

impl TextColumn {
    fn push(&mut self, field: &[u8], title: &'static str, texts: &mut Interner) -> Result<(), RowError> {
        let code = match self.last_code {
            Some(code) if self.last == field => code,
            _ => self.look_up(field, title, texts)?,
        };
        self.codes.push(code);
        Ok(())
    }

    fn look_up(&mut self, field: &[u8], title: &'static str, texts: &mut Interner) -> Result<i32, RowError> {
        if field.len() > LONGEST_TEXT_BY {
            return Err(RowError::TooLong(title));
        }
        let id = texts.id(std::str::from_utf8(field).map_err(|_| RowError::NotUtf8(title))?);
        let next = i32::try_from(self.ids.len()).unwrap_or(-1);
        let code = *self.known.entry(id).or_insert(next);
        if code == next {
            self.ids.push(id);
        }
        self.last.clear();
        self.last.extend_from_slice(field);
        self.last_code = Some(code);
        Ok(code)
    }
}

fn time_of(field: &[u8]) -> Result<i64, RowError> {
    let text = std::str::from_utf8(field).map_err(|_| RowError::NotUtf8("time"))?;
    parse_time(text).ok_or_else(|| RowError::UnparsableTime(excerpt(text)))
}

fn number_of(field: &[u8]) -> Result<f64, RowError> {
    let text = std::str::from_utf8(field).map_err(|_| RowError::NotUtf8("value"))?.trim();
    if let Ok(number) = text.parse::<f64>() {
        return Ok(number);
    }
    let is_missing = ["", "null", "none", "n/a", "na", "-"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_missing { Ok(f64::NAN) } else { Err(RowError::NotANumber(excerpt(text))) }
}

/// Turns an error of the CSV reader into one with file and line.
pub(crate) fn failure(name: &str, error: csv::Error) -> RecordError {
    let row = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(source) => read_error(name, source),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let error = RowError::Fields { found: len, wanted: expected_len };
            RecordError::Row { file: name.to_owned(), row, error }
        }
        other => RecordError::Damaged { file: name.to_owned(), source: format!("{other:?}").into() },
    }
}
