//! One recorded file: what it is, by its first bytes and not by its name.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::parquet::Table;
use super::piece::Piece;
use super::{RecordError, Wanted, csv};

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

/// A share of the work on a file: a row group with its first row, or all of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share {
    RowGroup { index: usize, first_row: u64 },
    All,
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

    /// Splits the file into shares that may hold something wanted, in the order of rows.
    pub(crate) fn shares(&self, wanted: Wanted) -> Vec<Share> {
        match &self.form {
            Form::Parquet(table) => table.row_groups(wanted.window),
            Form::Csv { .. } => vec![Share::All],
        }
    }

    /// Reads one share.
    pub(crate) fn read(&self, share: Share, wanted: Wanted, traces: bool) -> Result<Piece, RecordError> {
        let mut piece = Piece::new(wanted, traces);
        // Each share has a file handle of its own: handles that were cloned share one position.
        match (&self.form, share) {
            (Form::Parquet(table), Share::RowGroup { index, first_row }) => {
                table.read(open(&self.path, &self.name)?, &self.name, index, first_row, &mut piece)?;
            }
            _ => csv::read(text_reader(&self.path, &self.name)?, &self.name, &mut piece)?,
        }
        Ok(piece)
    }
}

fn open(path: &Path, name: &str) -> Result<File, RecordError> {
    File::open(path).map_err(|source| RecordError::Io { file: name.to_owned(), source })
}

/// Opens a text file, unpacking it when its first bytes are those of gzip.
pub(crate) fn text_reader(path: &Path, name: &str) -> Result<Box<dyn Read>, RecordError> {
    const BUFFER_BY: usize = 1 << 17;
    let mut file = open(path, name)?;
    let io = |source| RecordError::Io { file: name.to_owned(), source };
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(2).read_to_end(&mut magic).map_err(io)?;
    file.rewind().map_err(io)?;
    let plain = BufReader::with_capacity(BUFFER_BY, file);
    if magic == [0x1f, 0x8b] {
        return Ok(Box::new(MultiGzDecoder::new(plain)));
    }
    Ok(Box::new(plain))
}

/// Tells a damaged gzip stream from a file that cannot be read.
pub(crate) fn read_error(name: &str, source: std::io::Error) -> RecordError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let file = name.to_owned();
    match source.kind() {
        InvalidData | InvalidInput | UnexpectedEof => RecordError::Damaged { file, source: Box::new(source) },
        _ => RecordError::Io { file, source },
    }
}
