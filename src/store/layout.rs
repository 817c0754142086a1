//! Names of folders and files, and how a file takes its place.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::Path;

use chrono::NaiveDate;

/// Damaged lines of the events.
pub(super) const DAMAGED_EVENTS: &str = "events.damaged.jsonl";
/// Is there while events were lost that no source was requested for again.
pub(super) const LACKING_EVENTS: &str = "events.lacking";
/// Folder of the segments, in the store and in a snapshot.
pub(super) const SERIES: &str = "series";
/// Generation of a file without a number: it holds all that the numbered ones do.
pub(super) const WHOLE: u32 = u32::MAX;
/// What files are called while they are written.
pub(super) const UNFINISHED: &str = ".writing-";

/// Returns the day and the generation of a segment by its name.
pub(super) fn parse_name(name: &str) -> Option<(NaiveDate, u32)> {
    let stem = name.strip_suffix(".parquet")?;
    let (day, generation) = match stem.split_once('.') {
        Some((day, number)) if number.len() == 6 => (day, number.parse().ok()?),
        Some(_) => return None,
        None => (stem, WHOLE),
    };
    Some((day.parse().ok()?, generation))
}

/// Returns a segment's name.
pub(super) fn name(day: NaiveDate) -> String {
    format!("{day}.parquet")
}

/// Turns a source's id into the name of a folder, and different ids into different names.
pub(super) fn folder_name(source: &str) -> String {
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
pub(super) fn source_of(folder: &str) -> String {
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

/// Returns the id of the source that a segment is of, by the folder that it is in.
pub(super) fn source_of_segment(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    source_of(&folder.to_string_lossy())
}

/// Returns whether a file is a damaged segment that was set aside.
pub(super) fn is_damaged(path: &Path) -> bool {
    damaged_stem(path, ".parquet").is_some()
}

/// Returns whether a file is the note beside a damaged segment.
pub(super) fn is_note(path: &Path) -> bool {
    damaged_stem(path, ".json").is_some()
}

fn damaged_stem(path: &Path, end: &str) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let (_, middle) = name.strip_suffix(end)?.split_once('.')?;
    (middle == "damaged" || middle.starts_with("damaged-")).then(|| middle.to_owned())
}

/// Writes a file of the store: beside its place, synced, then renamed. Only its owner may read it.
pub(super) fn write_whole(
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
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
