//! One recorded file: what it is, by its first bytes and not by its name.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::chunk::Chunk;
use super::parquet::Table;
use super::share::Share;
use super::text::{open, text_reader};
use super::{RecordError, csv};
use crate::model::time::Window;

/// Bytes of a typical CSV line, for estimates: a time, five short texts and a number.
const CSV_LINE_BY: u64 = 80;
/// How much smaller gzip makes such lines.
const GZIP_RATIO: u64 = 10;

/// A file of series, opened far enough to know its form and size.
#[derive(Debug, Clone)]
pub struct RecordedFile {
    pub(crate) path: PathBuf,
    /// The name in messages.
    pub(crate) name: String,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Parquet(Table),
    Csv { size_by: u64, is_gzip: bool },
}

impl RecordedFile {
    /// Opens a Parquet or CSV file (plain or gzip), and reads a Parquet file's footer.
    ///
    /// `name` is what messages call it.
    ///
    /// # Errors
    /// No such file, no byte in it, a damaged Parquet footer, a missing or unfit column.
    pub fn open(path: &Path, name: &str) -> Result<Self, RecordError> {
        let mut file = open(path, name)?;
        let io = |source| RecordError::Io { file: name.to_owned(), source };
        let size_by = file.metadata().map_err(io)?.len();
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(4).read_to_end(&mut magic).map_err(io)?;
        let form = match magic.as_slice() {
            [] => return Err(RecordError::Empty { file: name.to_owned() }),
            b"PAR1" => {
                file.rewind().map_err(io)?;
                Form::Parquet(Table::open(&file, name)?)
            }
            [0x1f, 0x8b, ..] => Form::Csv { size_by, is_gzip: true },
            _ => Form::Csv { size_by, is_gzip: false },
        };
        Ok(Self { path: path.to_owned(), name: name.to_owned(), form })
    }

    /// Returns the number of rows: exact for Parquet, from the size for CSV.
    pub fn rows_estimate(&self) -> u64 {
        match &self.form {
            Form::Parquet(table) => table.rows(),
            Form::Csv { size_by, is_gzip: false } => size_by / CSV_LINE_BY,
            Form::Csv { size_by, is_gzip: true } => size_by.saturating_mul(GZIP_RATIO) / CSV_LINE_BY,
        }
    }

    /// Returns a text of the Parquet footer; `None` for other forms and missing keys.
    pub(crate) fn footer_text(&self, key: &str) -> Option<&str> {
        match &self.form {
            Form::Parquet(table) => table.footer_text(key),
            Form::Csv { .. } => None,
        }
    }

    /// Tells whether the file is Parquet.
    pub(crate) fn is_parquet(&self) -> bool {
        matches!(self.form, Form::Parquet(_))
    }

    /// Splits the file into shares that may hold something of a window, in the order of rows.
    pub(crate) fn shares(&self, window: Window) -> Vec<Share> {
        match &self.form {
            Form::Parquet(table) => table.row_groups(window),
            Form::Csv { .. } => vec![Share::All],
        }
    }

    /// Returns about how many rows a share has.
    pub(crate) fn rows_in(&self, share: Share) -> u64 {
        match share {
            Share::RowGroup { rows, .. } => rows,
            Share::All => self.rows_estimate(),
        }
    }

    /// Reads one share, and hands its rows to `take` some at a time, at least once.
    pub(crate) fn read(
        &self,
        share: Share,
        window: Window,
        traces: bool,
        take: &mut dyn FnMut(Chunk) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let chunk = || Chunk::new(window, traces);
        // Each share has a file handle of its own: handles that were cloned share one position.
        match (&self.form, share) {
            (Form::Parquet(table), Share::RowGroup { index, first_row, .. }) => {
                table.read(open(&self.path, &self.name)?, &self.name, (index, first_row), &chunk, take)
            }
            _ => csv::read(text_reader(&self.path, &self.name)?, &self.name, &chunk, take),
        }
    }
}
