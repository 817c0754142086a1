//! A store in one file: what was collected in one account is carried to where reports are made, without any key.
//!
//! ```text
//! events.2.jsonl                     a tar archive, entries sorted by name, without times and owners:
//! series/<source>/2026-11-09.parquet the same store gives the same bytes
//! ```
//!
//! An archive comes from outside. All of it is unpacked beside the store and read once before anything is changed, and it
//! is merged like any other points, so that bringing the same one twice changes nothing. Archives of format 1 have
//! `events.1.jsonl` and lists in `told/` and are read as well.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Builder, EntryType, Header};

use super::encode::DayState;
use super::event_log::{EVENTS, OLD_EVENTS, OLD_LISTS, is_list_name};
use super::layout::{self, SERIES};
use super::segment::{self, Segment};
use super::{Store, StoreError, whole};
use crate::model::metric::Series;
use crate::model::sanitize::escape;

/// No entry may be larger, bytes: a day of ten thousand one-minute series is far below.
const LARGEST_BY: u64 = 4 << 30;

impl Store {
    /// Writes everything into one file, beside its place and renamed.
    ///
    /// # Errors
    /// What cannot be read or written.
    pub fn export(&self, to: &Path) -> Result<(), StoreError> {
        let _lock = self.lock_shared()?;
        let mut files = Vec::new();
        for source in self.entries(&self.folder.join(SERIES))?.into_iter().filter(|path| path.is_dir()) {
            files.extend(self.segments(&source)?.segments.into_iter().map(|segment| segment.path));
        }
        files.extend([EVENTS, OLD_EVENTS].map(|name| self.folder.join(name)));
        files.extend(self.entries(&self.folder.join(OLD_LISTS))?);
        let failed = |source| StoreError::Write { file: to.display().to_string(), source };
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(layout::UNFINISHED).tempfile_in(folder).map_err(failed)?;
        self.pack(files, file.as_file_mut()).map_err(failed)?;
        file.persist(to).map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn pack(&self, mut files: Vec<PathBuf>, out: &mut File) -> io::Result<()> {
        files.sort();
        let mut builder = Builder::new(out);
        for path in files.into_iter().filter(|path| path.is_file()) {
            let name = path.strip_prefix(&self.folder).map_err(io::Error::other)?;
            let mut file = File::open(&path)?;
            let mut header = Header::new_ustar();
            header.set_size(file.metadata()?.len());
            header.set_mode(0o600);
            builder.append_data(&mut header, name, &mut file)?;
        }
        let out = builder.into_inner()?;
        out.flush()?;
        out.sync_all()
    }

    /// Merges an exported store into this one. Returns how many segments were written.
    ///
    /// Where both have a point, the archive's counts.
    ///
    /// # Errors
    /// An archive that is cut off, holds anything but segments and events, or whose files cannot be read: then nothing
    /// was changed. What cannot be written.
    pub fn import(&self, from: &Path) -> Result<usize, StoreError> {
        let name = from.display().to_string();
        let wrong = |reason: String| StoreError::Snapshot { file: name.clone(), reason };
        let unpacked = tempfile::tempdir().map_err(|error| wrong(format!("cannot be unpacked: {error}")))?;
        unpack(from, unpacked.path()).map_err(|error| wrong(error.to_string()))?;
        let other = Store { folder: unpacked.path().to_owned() };
        // Read once before, so that half of an archive never gets in.
        let mut segments = Vec::new();
        let mut sources = other.entries(&unpacked.path().join(SERIES))?;
        sources.sort();
        for folder in sources {
            segments.extend(other.segments(&folder)?.segments);
        }
        for segment in &segments {
            other.points(segment).map_err(|error| match error {
                newer @ StoreError::Newer { .. } => newer,
                error => wrong(format!("holds a part that cannot be read: {error}")),
            })?;
        }
        let log = other.read_log()?;
        if !log.is_whole() {
            return Err(wrong("holds events that cannot be read".to_owned()));
        }
        let mut written = 0;
        for segment in &segments {
            let folder = segment.path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
            let (series, state) = other.points(segment)?;
            written += self.append_to(&folder, &series, &[(segment.day, state)])?.segments;
        }
        let _lock = self.lock()?;
        let mut own = self.read_log()?;
        if own.merge(log) {
            self.write_log(&own)?;
        }
        Ok(written)
    }

    /// Reads one segment.
    fn points(&self, segment: &Segment) -> Result<(Vec<Series>, DayState), StoreError> {
        let opened = segment::open(segment, &self.shown(&segment.path))?;
        Ok((segment::decode(std::slice::from_ref(&opened.file), whole(segment.day))?, opened.state))
    }
}

/// Unpacks an archive whose names are those of a store, into an empty folder.
fn unpack(from: &Path, folder: &Path) -> io::Result<()> {
    let refused = |what: &str| io::Error::other(format!("is no snapshot of a store: {what}"));
    let mut archive = Archive::new(File::open(from)?);
    let mut count = 0;
    for entry in archive.entries()? {
        let entry = entry.map_err(|_| refused("it is cut off or no archive"))?;
        let name = entry.path()?.into_owned();
        let shown = escape(&name.to_string_lossy());
        if entry.header().entry_type() != EntryType::Regular {
            return Err(refused(&format!("`{shown}` is no plain file")));
        }
        if !is_ours(&name) {
            return Err(refused(&format!("`{shown}` is no file of a store")));
        }
        let size = entry.header().size()?;
        if size > LARGEST_BY {
            return Err(refused(&format!("`{shown}` is too large")));
        }
        let path = folder.join(&name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        if io::copy(&mut entry.take(size), &mut File::create_new(&path)?)? != size {
            return Err(refused(&format!("`{shown}` is cut off")));
        }
        count += 1;
    }
    if count == 0 { Err(refused("it holds nothing")) } else { Ok(()) }
}

/// Tells whether a name is one that [`Store::export`] gives.
fn is_ours(name: &Path) -> bool {
    let parts: Option<Vec<String>> = name
        .components()
        .map(|part| match part {
            Component::Normal(part) => part.to_str().map(str::to_owned),
            _ => None,
        })
        .collect();
    match parts.as_deref() {
        Some([events]) => events == EVENTS || events == OLD_EVENTS,
        Some([folder, list]) => folder == OLD_LISTS && is_list_name(list),
        Some([series, source, file]) => {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'%');
            series == SERIES && source.bytes().all(is_name) && layout::parse_name(file).is_some()
        }
        _ => false,
    }
}
