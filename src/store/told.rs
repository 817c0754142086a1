//! Which events each source told.
//!
//! ```text
//! told/<source>.jsonl    ids of events, a JSON string a line, sorted; <source> as the folder of its series
//! ```
//!
//! Events of all sources stand in one file, and an id names the kind of its source at best. These lists only count:
//! an event that is on none of them was written down by people, or kept before there were such lists.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Store, StoreError, segment};
use crate::model::event::Event;

/// Folder of the lists, in the store and in an archive.
pub(super) const FOLDER: &str = "told";

impl Store {
    /// Adds events that a source told, as [`Store::append_events`] does, and remembers that it did.
    ///
    /// # Errors
    /// As [`Store::append_events`].
    pub fn append_events_of(&self, source: &str, events: &[Event]) -> Result<usize, StoreError> {
        let _lock = self.lock()?;
        // First the list: what is on it and not among the events is asked again, and a missing line would stay so.
        let ids = events.iter().map(|event| event.id.clone()).collect();
        self.add_told(&name(source), ids)?;
        self.add_events(events)
    }

    /// Returns the ids of all events that a source told.
    ///
    /// # Errors
    /// A list that cannot be read or holds something else.
    pub fn told(&self, source: &str) -> Result<BTreeSet<String>, StoreError> {
        let _lock = self.lock_shared()?;
        self.read_told(&self.folder.join(FOLDER).join(name(source)))
    }

    /// Returns all lists, each with its file's name.
    pub(super) fn all_told(&self) -> Result<Vec<(String, BTreeSet<String>)>, StoreError> {
        let mut files = self.entries(&self.folder.join(FOLDER))?;
        files.sort();
        let named = |path: PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Ok((name, self.read_told(&path)?))
        };
        files.into_iter().map(named).collect()
    }

    /// Adds ids to a list by the name of its file. Whoever calls has the lock.
    pub(super) fn add_told(&self, name: &str, ids: BTreeSet<String>) -> Result<(), StoreError> {
        let path = self.folder.join(FOLDER).join(name);
        let mut all = self.read_told(&path)?;
        let before = all.len();
        all.extend(ids);
        if all.len() == before { Ok(()) } else { self.write_told(name, &all) }
    }

    /// Takes ids off all lists that are not among some events. Whoever calls has the lock.
    pub(super) fn keep_told(&self, events: &[Event]) -> Result<(), StoreError> {
        let left: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
        for (name, ids) in self.all_told()? {
            let kept: BTreeSet<String> = ids.iter().filter(|id| left.contains(id.as_str())).cloned().collect();
            if kept.len() < ids.len() {
                self.write_told(&name, &kept)?;
            }
        }
        Ok(())
    }

    fn write_told(&self, name: &str, ids: &BTreeSet<String>) -> Result<(), StoreError> {
        let folder = self.folder.join(FOLDER);
        let text: String = ids.iter().map(|id| format!("{}\n", serde_json::Value::from(id.as_str()))).collect();
        segment::write_whole(&folder, name, |file| file.write_all(text.as_bytes()))
            .map_err(|source| StoreError::Write { file: self.shown(&folder.join(name)), source })
    }

    fn read_told(&self, path: &Path) -> Result<BTreeSet<String>, StoreError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(source) => return Err(StoreError::Read { folder: self.shown(path), source }),
        };
        let foreign = |_| StoreError::Foreign { file: self.shown(path) };
        text.lines().map(|line| serde_json::from_str(line).map_err(foreign)).collect()
    }
}

/// Returns the name of a source's list.
fn name(source: &str) -> String {
    format!("{}.jsonl", segment::folder_name(source))
}

/// Tells whether a name is one that a list may have.
pub(super) fn is_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'%');
    name.strip_suffix(".jsonl").is_some_and(|source| !source.is_empty() && source.bytes().all(is_known))
}
