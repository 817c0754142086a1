//! Opening files, and text that may be packed.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::RecordError;

/// Opens a file; `name` is what messages call it.
pub(super) fn open(path: &Path, name: &str) -> Result<File, RecordError> {
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
