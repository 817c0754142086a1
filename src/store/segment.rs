//! The file format of the store: one Parquet file holds what one source gave for one UTC day.
//!
//! ```text
//! series/<source>/2026-11-09.parquet
//!        │        └─ UTC day of every point in the file
//!        └─ the source's id; signs other than letters, digits, `-` and `_` as %XX
//! ```
//!
//! A day is written anew as a whole and takes the place of what was there in one rename, so the same points give the
//! same bytes however often they came. Earlier programs wrote `2026-11-09.000002.parquet`, of which the highest number
//! holds all that the lower ones do; those are read, and go when their day is written again. A file that cannot be read
//! becomes `2026-11-09.damaged.parquet` before its day is written: it is never overwritten.
//!
//! The columns are the contract's long form, so that any reader of Parquet can use a segment: `unit` is
//! the base unit of the dimension and `value` is in it, exactly as it was in memory. The column
//! `written_unit` keeps the unit that people know. Rows are sorted by series, then time; missing values
//! are NaN. The footer's key [`VERSION_KEY`] holds the format version,
//! [`SEALED_KEY`] that the day was collected whole after it was over.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
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

use crate::format::{RecordedFile, TEXT_COLUMNS, WRITTEN_UNIT};
use crate::model::metric::{Dimension, Series, UNITS};

use super::StoreError;

/// Key of the footer under which the format version stands.
pub(crate) const VERSION_KEY: &str = "fortnight.store";
/// Key of the footer that a sealed day has.
const SEALED_KEY: &str = "fortnight.sealed";
/// Generation of a file without a number: it holds all that the numbered ones do.
const WHOLE: u32 = u32::MAX;
/// The format that this program writes, and the newest that it reads.
pub(crate) const VERSION: u32 = 1;
/// What files are called while they are written.
pub(crate) const UNFINISHED: &str = ".writing-";

/// A segment's place in the order of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) day: NaiveDate,
    pub(crate) generation: u32,
    pub(crate) path: PathBuf,
}

/// Lists the segments of one source's folder in order, and the files that do not belong there.
pub(crate) fn list(folder: &Path) -> io::Result<(Vec<Segment>, Vec<PathBuf>)> {
    let (mut segments, mut foreign) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        match parse_name(&name) {
            Some((day, generation)) => segments.push(Segment { day, generation, path }),
            None => foreign.push(path),
        }
    }
    segments.sort();
    foreign.sort();
    Ok((segments, foreign))
}

pub(crate) fn parse_name(name: &str) -> Option<(NaiveDate, u32)> {
    let stem = name.strip_suffix(".parquet")?;
    let (day, generation) = match stem.split_once('.') {
        Some((day, number)) if number.len() == 6 => (day, number.parse().ok()?),
        Some(_) => return None,
        None => (stem, WHOLE),
    };
    Some((day.parse().ok()?, generation))
}

/// Returns a segment's name.
pub(crate) fn name(day: NaiveDate) -> String {
    format!("{day}.parquet")
}

/// Returns the first free name for a damaged segment of a day.
pub(crate) fn damaged_name(folder: &Path, day: NaiveDate) -> PathBuf {
    let names = (0..)
        .map(|k: u32| if k == 0 { format!("{day}.damaged.parquet") } else { format!("{day}.damaged-{k}.parquet") });
    names.map(|name| folder.join(name)).find(|path| !path.exists()).unwrap_or_else(|| folder.join("damaged"))
}

/// Tells whether a file is a damaged segment that was set aside.
pub(crate) fn is_damaged_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let middle = name.strip_suffix(".parquet").and_then(|stem| stem.split_once('.')).map(|(_, middle)| middle);
    middle.is_some_and(|middle| middle == "damaged" || middle.starts_with("damaged-"))
}

/// Tells whether a day was collected whole after it was over.
pub(crate) fn is_sealed(file: &RecordedFile) -> bool {
    file.footer_text(SEALED_KEY).is_some()
}

/// Turns a source's id into the name of a folder, and different ids into different names.
pub(crate) fn folder_name(source: &str) -> String {
    let mut name = String::new();
    for byte in source.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.is_empty() { "%".to_owned() } else { name }
}

/// Returns the id of the source whose folder has a name; one that [`folder_name`] never gave stands for itself.
pub(crate) fn source_of(folder: &str) -> String {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().filter(|source| folder_name(source) == folder).unwrap_or_else(|| folder.to_owned())
}

/// Opens a segment; `name` is what messages call it.
///
/// # Errors
/// Damaged, written by a newer program, or not written by this program at all.
pub(crate) fn open(path: &Path, name: &str) -> Result<RecordedFile, StoreError> {
    let file = RecordedFile::open(path, name).map_err(StoreError::Segment)?;
    match file.footer_text(VERSION_KEY).map(str::parse::<u32>) {
        Some(Ok(version)) if version > VERSION => Err(StoreError::Newer { file: name.to_owned(), version }),
        Some(Ok(_)) => Ok(file),
        Some(Err(_)) | None => Err(StoreError::Foreign { file: name.to_owned() }),
    }
}

/// Writes a segment whole under another name, then gives it its own.
pub(crate) fn write(folder: &Path, name: &str, series: &[Series], is_sealed: bool) -> Result<(), StoreError> {
    let path = folder.join(name);
    let failed = |source| StoreError::Write { file: path.display().to_string(), source };
    write_whole(folder, name, |file| encode(file, series, VERSION, is_sealed).map_err(io::Error::other)).map_err(failed)
}

/// Writes a file of the store: beside its place, synced, then renamed. Only its owner may read it.
pub(crate) fn write_whole(
    folder: &Path,
    name: &str,
    fill: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> io::Result<()> {
    make_folder(folder)?;
    // `tempfile` gives mode 0600, which the rename keeps.
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name)).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a folder that only its owner may enter, with those above it.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn encode(file: &mut fs::File, series: &[Series], version: u32, is_sealed: bool) -> Result<(), ParquetError> {
    let batch = to_batch(series)?;
    let mut keys = vec![KeyValue::new(VERSION_KEY.to_owned(), version.to_string())];
    keys.extend(is_sealed.then(|| KeyValue::new(SEALED_KEY.to_owned(), "yes".to_owned())));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(keys))
        .build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
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
    fn every_dimension_has_a_base_unit() {
        for unit in UNITS {
            let base = UNITS.iter().find(|known| known.symbol == base_symbol(unit.dimension)).expect("known");
            assert_eq!(base.dimension, unit.dimension);
        }
    }

    #[test]
    fn names_can_be_read_back() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 9).expect("valid");
        assert_eq!(parse_name(&name(day)), Some((day, WHOLE)));
        assert_eq!(parse_name("2026-11-09.000012.parquet"), Some((day, 12)), "as earlier programs wrote it");
        assert_eq!(parse_name("2026-11-09.damaged.parquet"), None);
        assert_eq!(parse_name("notes.txt"), None);
    }

    #[test]
    fn a_source_cannot_leave_the_store() {
        assert_eq!(folder_name("../../etc"), "%2E%2E%2F%2E%2E%2Fetc");
        assert_ne!(folder_name("a/b"), folder_name("a_b"));
        assert_eq!(folder_name(""), "%");
    }

    #[test]
    fn a_folder_tells_its_source() {
        for source in ["aws", "../../etc", "a/b", "a_b", "カード", "%41"] {
            assert_eq!(source_of(&folder_name(source)), source);
        }
        for strange in ["%41", "%zz", "%F", "%FF", "a%"] {
            assert_eq!(source_of(strange), strange, "nothing that this program writes");
        }
    }

    #[test]
    fn a_newer_version_is_told_apart_from_a_foreign_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("x.parquet");
        let mut file = fs::File::create(&path).expect("created");
        encode(&mut file, &[], VERSION + 1, false).expect("written");
        let error = open(&path, "x.parquet").expect_err("newer");
        assert!(matches!(error, StoreError::Newer { version, .. } if version == VERSION + 1));
        assert!(error.help().is_some_and(|help| help.contains("newer fortnight")));
    }
}
