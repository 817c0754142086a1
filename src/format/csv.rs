//! Long-form CSV: commas, a header in any order, quotes as in RFC 4180, LF or CRLF, with or without a
//! byte order mark.

use std::io::Read;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::file::read_error;
use super::piece::{COLUMNS, Column, Piece, Rows};
use super::{Fault, LONGEST_TEXT_BY, RecordError, TEXT_COLUMNS, Words, parse_time, shown};

/// Lines handed over at once.
const BATCH_ROWS: usize = 8192;

/// Reads a whole CSV file into a piece.
pub(crate) fn read(input: Box<dyn Read>, name: &str, piece: &mut Piece) -> Result<(), RecordError> {
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
    let mut lines = Lines::default();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| failure(name, error))? {
        let row = record.position().map_or(0, csv::Position::line);
        let broken = |fault| RecordError::Row { file: name.to_owned(), row, fault };
        let field = |at: usize| record.get(at).unwrap_or_default();
        lines.times.push(time_of(field(time)).map_err(broken)?);
        lines.values.push(number_of(field(value)).map_err(broken)?);
        lines.numbers.push(row);
        for ((column, at), title) in lines.columns.iter_mut().zip(texts).zip(TEXT_COLUMNS) {
            column.push(field(at), title, &mut piece.words).map_err(broken)?;
        }
        if lines.times.len() >= BATCH_ROWS {
            lines.hand_over(name, piece)?;
        }
    }
    lines.hand_over(name, piece)
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
    fn hand_over(&mut self, name: &str, piece: &mut Piece) -> Result<(), RecordError> {
        let mut columns = [Column { codes: &[], ids: &[] }; COLUMNS];
        for (column, text) in columns.iter_mut().zip(&self.columns) {
            *column = Column { codes: &text.codes, ids: &text.ids };
        }
        let rows = Rows { first: 0, numbers: &self.numbers, times: &self.times, values: &self.values, columns };
        piece.absorb(&rows).map_err(|broken| RecordError::Row {
            file: name.to_owned(),
            row: broken.row,
            fault: broken.fault,
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
    fn push(&mut self, field: &[u8], title: &'static str, words: &mut Words) -> Result<(), Fault> {
        let code = match self.last_code {
            Some(code) if self.last == field => code,
            _ => self.look_up(field, title, words)?,
        };
        self.codes.push(code);
        Ok(())
    }

    fn look_up(&mut self, field: &[u8], title: &'static str, words: &mut Words) -> Result<i32, Fault> {
        if field.len() > LONGEST_TEXT_BY {
            return Err(Fault::TooLong(title));
        }
        let id = words.id(std::str::from_utf8(field).map_err(|_| Fault::NotUtf8(title))?);
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

fn time_of(field: &[u8]) -> Result<i64, Fault> {
    let text = std::str::from_utf8(field).map_err(|_| Fault::NotUtf8("time"))?;
    parse_time(text).ok_or_else(|| Fault::UnparsableTime(shown(text)))
}

fn number_of(field: &[u8]) -> Result<f64, Fault> {
    let text = std::str::from_utf8(field).map_err(|_| Fault::NotUtf8("value"))?.trim();
    if let Ok(number) = text.parse::<f64>() {
        return Ok(number);
    }
    let is_missing = ["", "null", "none", "n/a", "na", "-"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_missing { Ok(f64::NAN) } else { Err(Fault::NotANumber(shown(text))) }
}

/// Turns an error of the CSV reader into one with file and line.
pub(crate) fn failure(name: &str, error: csv::Error) -> RecordError {
    let row = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(source) => read_error(name, source),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let fault = Fault::Fields { found: len, wanted: expected_len };
            RecordError::Row { file: name.to_owned(), row, fault }
        }
        other => RecordError::Damaged { file: name.to_owned(), source: format!("{other:?}").into() },
    }
}
