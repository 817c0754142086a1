//! The file format of the store: one Parquet file holds what one source gave for one UTC day.
//!
//! ```text
//! series/<source>/2026-11-09.parquet          UTC day of every point in the file
//!                 2026-11-09.damaged.parquet  a file that was not what had been written, with
//!                 2026-11-09.damaged.json     what it held
//! ```
//!
//! `<source>` is the source's id; characters other than letters, digits, `-` and `_` are written as `%XX`. A day is written
//! anew as a whole and takes the place of what was there in one rename, so the same points give the same bytes however
//! often they came.
//!
//! The columns are the contract's long form, so that any reader of Parquet can use a segment: `unit` is the base unit of
//! the dimension and `value` is in it, exactly as it was in memory. The column `written_unit` keeps the unit that people
//! know. Rows are sorted by series, then time; missing values are NaN. The footer has these keys:
//!
//! | key | value |
//! | --- | --- |
//! | `fortnight.store` | the format version |
//! | `fortnight.sealed` | `yes`: nothing more is expected for the day |
//! | `fortnight.requested` | the UTC date of the last request for a day that was over and stayed open |
//! | `fortnight.answered` | the part of the day that the source answered for, and when: three numbers, UTC milliseconds |
//! | `fortnight.series` | the series with their numbers of points, see [`Index`] |
//! | `fortnight.sha256` | the digest of the file, see [`digest`](super::digest) |
//!
//! Format 1 had neither index nor digest, and once numbered its files (`2026-11-09.000002.parquet`; the highest number
//! holds all that the lower ones do). Such files are read, and written anew by the next `collect`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::format::{Duplicates, RecordError, RecordedFile, read};
use crate::model::metric::Series;
use crate::model::time::Window;

use super::digest::{self, Check};
use super::encode::{
    ANSWERED_KEY, Answered, DayState, INDEX_KEY, REQUESTED_KEY, SEALED_KEY, VERSION, VERSION_KEY, encode,
};
use super::index::Index;
use super::layout::{is_damaged, is_note, parse_name, source_of_segment, write_whole};
use super::{EVER, StoreError};

/// A segment's place in the order of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    pub(super) day: NaiveDate,
    pub(super) generation: u32,
    pub(super) path: PathBuf,
}

/// A segment whose content is what was written, as far as its digest says.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) file: RecordedFile,
    pub(super) state: DayState,
    /// It has format 1.
    pub(super) is_old: bool,
    pub(super) index: Index,
}

/// The files in the folder of one source.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// In order of days, then generations.
    pub(super) segments: Vec<Segment>,
    /// Damaged segments that were set aside.
    pub(super) set_aside: Vec<PathBuf>,
    /// Files that do not belong there.
    pub(super) foreign: Vec<PathBuf>,
}

/// Lists the folder of one source.
pub(super) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || is_note(&path) {
            continue;
        }
        match parse_name(&name) {
            Some((day, generation)) => listing.segments.push(Segment { day, generation, path }),
            None if is_damaged(&path) => listing.set_aside.push(path),
            None => listing.foreign.push(path),
        }
    }
    listing.segments.sort();
    listing.set_aside.sort();
    listing.foreign.sort();
    Ok(listing)
}

/// Opens a segment and compares it with its digest; `name` is what messages call it.
///
/// # Errors
/// Damaged, written by a newer program, or not written by this program at all.
pub(super) fn open(segment: &Segment, name: &str) -> Result<Opened, StoreError> {
    let io = |source| StoreError::Segment(RecordError::Io { file: name.to_owned(), source });
    let damaged = |held: String, source| {
        let (file, id, day) = (name.to_owned(), source_of_segment(&segment.path), segment.day);
        StoreError::Damaged { file, id, day, held, source }
    };
    let check = digest::check(&mut fs::File::open(&segment.path).map_err(io)?).map_err(io)?;
    let opened = RecordedFile::open(&segment.path, name);
    if check == Check::Differs {
        let held = opened.map_or_else(|_| "an unknown number of points".to_owned(), |file| held(&file));
        return Err(damaged(held, "its digest differs".into()));
    }
    let file = opened.map_err(|error| damaged("an unknown number of points".to_owned(), Box::new(error)))?;
    let version = file.footer_text(VERSION_KEY).and_then(|text| text.parse::<u32>().ok());
    match version {
        None => return Err(StoreError::Foreign { file: name.to_owned() }),
        Some(version) if version > VERSION => return Err(StoreError::Newer { file: name.to_owned(), version }),
        Some(1) if check == Check::Absent => {}
        Some(_) if check == Check::Absent => return Err(damaged(held(&file), "its digest is missing".into())),
        Some(_) => {}
    }
    let is_old = version == Some(1);
    let index = match is_old {
        // Without a digest only decoding shows whether the points can be read.
        true => decode(std::slice::from_ref(&file), EVER).map(|series| Index::of(&series)),
        false => Ok(file.footer_text(INDEX_KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()),
    };
    let index = index.map_err(|error| damaged(held(&file), error.into()))?;
    let requested = file.footer_text(REQUESTED_KEY).and_then(|text| text.parse().ok());
    let is_sealed = file.footer_text(SEALED_KEY).is_some();
    let answered = file.footer_text(ANSWERED_KEY).and_then(Answered::parse);
    let state = match answered {
        _ if is_sealed => DayState::Sealed,
        Some(answered) if requested.is_none() => DayState::Begun(answered),
        _ => DayState::Open { requested },
    };
    Ok(Opened { file, state, is_old, index })
}

/// Says what a segment holds, by its footer alone.
fn held(file: &RecordedFile) -> String {
    let index: Option<Index> = file.footer_text(INDEX_KEY).and_then(|text| serde_json::from_str(text).ok());
    match index.map(|index| index.size()) {
        Some((series, points)) => format!("{points} points of {series} series"),
        None => format!("{} points", file.rows_estimate()),
    }
}

/// Writes a segment whole under another name, then gives it its own.
pub(super) fn write(folder: &Path, name: &str, series: &[Series], state: DayState) -> Result<(), StoreError> {
    let path = folder.join(name);
    let failed = |source| StoreError::Write { file: path.display().to_string(), source };
    write_whole(folder, name, |file| encode(file, series, VERSION, state)).map_err(failed)
}

/// Reads segments in order, later ones winning.
pub(super) fn decode(files: &[RecordedFile], window: Window) -> Result<Vec<Series>, StoreError> {
    read(files, window, Duplicates::LaterWins).map(|read| read.series).map_err(StoreError::Segment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::WHOLE;

    #[test]
    fn a_newer_version_is_told_apart_from_a_foreign_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("x.parquet");
        let mut file = fs::File::options().read(true).write(true).create_new(true).open(&path).expect("created");
        encode(&mut file, &[], VERSION + 1, DayState::Sealed).expect("written");
        let segment = Segment { day: NaiveDate::MIN, generation: WHOLE, path };
        let error = open(&segment, "x.parquet").expect_err("newer");
        assert!(matches!(error, StoreError::Newer { version, .. } if version == VERSION + 1));
        assert!(error.help().is_some_and(|help| help.contains("newer fortnight")));
    }
}
