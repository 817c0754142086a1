//! The events of a store, each with the sources that reported it, and a digest for every line.
//!
//! ```text
//! events.2.jsonl        events in the contract's form, a JSON object a line, by time, then id
//! events.damaged.jsonl  lines that were not what had been written, as they were found
//! events.lacking        empty; there from the moment at which such lines are set aside until all sources were requested
//!                       for their events again
//! ```
//!
//! A line ends with `"sum"`, the first 16 characters of the SHA-256 of what comes before it. The last line says how many
//! events there are and has a sum over all sums, so that a lost line is noticed as well. A damaged line stops none of
//! the others. Before the file is written again such lines are copied to `events.damaged.jsonl`.
//!
//! An event that no source reported was recorded by a person. Format 1 (`events.1.jsonl`) had no digests, and kept the
//! reporting sources in lists of their own (`told/<source>.jsonl`). It is read, and written anew as format 2.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value};

use crate::format;
use crate::model::event::{Event, scrub};
use crate::model::scrub::Scrubber;

use super::damaged_line::{DamagedLine, named};
use super::digest;
use super::layout::{DAMAGED_EVENTS as DAMAGED, LACKING_EVENTS, source_of, write_whole};
use super::{Store, StoreError};

/// The events' file; the number is the format version.
pub(super) const EVENTS: &str = "events.2.jsonl";
/// The events' file of format 1.
pub(super) const OLD_EVENTS: &str = "events.1.jsonl";
/// Folder of the lists of format 1.
pub(super) const OLD_LISTS: &str = "told";
/// Characters of a line's digest.
const SUM: usize = 16;
/// What comes before it.
const SUM_KEY: &str = ",\"sum\":\"";

/// The events of a store.
#[derive(Debug, Default)]
pub struct StoredEvents {
    /// Sorted by time, then id; unique ids.
    pub events: Vec<Event>,
    /// Of each source the ids of the events that it reported.
    pub event_sources: BTreeMap<String, BTreeSet<String>>,
    /// Damaged lines, and what was set aside before.
    pub refused: Vec<StoreError>,
}

/// The content of the events' file.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    events: BTreeMap<String, Entry>,
    /// Lines that cannot be read.
    pub(super) damaged: Vec<DamagedLine>,
    /// Events that the last line counts, if it is there.
    counted: Option<usize>,
    is_old: bool,
    /// It was not whole when it was read.
    has_lost: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    event: Event,
    sources: BTreeSet<String>,
}

impl EventLog {
    /// Adds events; one whose id is there already is replaced. Returns how many were new or different.
    fn add(&mut self, events: &[Event], source: Option<&str>) -> (usize, bool) {
        let (mut changed, mut is_new_source) = (0, false);
        for event in events {
            let known = self.events.get(&event.id);
            let mut sources = known.map(|entry| entry.sources.clone()).unwrap_or_default();
            is_new_source |= source.is_some_and(|source| sources.insert(source.to_owned()));
            changed += usize::from(known.is_none_or(|entry| entry.event != *event));
            self.events.insert(event.id.clone(), Entry { event: event.clone(), sources });
        }
        (changed, is_new_source)
    }

    /// Adds another store's events; where both have one, the other's counts. Returns whether anything changed.
    pub(super) fn merge(&mut self, other: Self) -> bool {
        let mut has_changed = false;
        for (id, mut entry) in other.events {
            if let Some(known) = self.events.get(&id) {
                entry.sources.extend(known.sources.iter().cloned());
            }
            has_changed |= self.events.get(&id) != Some(&entry);
            self.events.insert(id, entry);
        }
        has_changed
    }

    /// Returns whether nothing is damaged or missing.
    pub(super) fn is_whole(&self) -> bool {
        self.damaged.is_empty() && (self.is_old || self.counted == Some(self.events.len()))
    }

    /// Reads a line; the reason if it is not what was written.
    fn read_line(&mut self, line: &[u8], sums: &mut String) -> Result<(), String> {
        let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8")?;
        let parts = text.strip_suffix("\"}").and_then(|text| text.rsplit_once(SUM_KEY));
        let (body, sum) = parts.ok_or("has no digest")?;
        if let Some(count) = body.strip_prefix("{\"events\":") {
            if digest::short(format!("{body}{sums}").as_bytes(), SUM) == sum {
                self.counted = Some(count.parse().map_err(|_| "counts no events")?);
            }
            return Ok(());
        }
        if digest::short(body.as_bytes(), SUM) != sum {
            return Err("its digest differs".to_owned());
        }
        let mut fields: Map<String, Value> =
            serde_json::from_str(&format!("{body}}}")).map_err(|_| "is not a JSON object")?;
        let sources = fields.remove("sources").and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
        let event = format::events::of_fields(fields)?;
        sums.push_str(sum);
        self.events.insert(event.id.clone(), Entry { event, sources });
        Ok(())
    }

    /// Returns the file's bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut entries: Vec<&Entry> = self.events.values().collect();
        entries.sort_by(|one, other| (one.event.at, &one.event.id).cmp(&(other.event.at, &other.event.id)));
        let (mut text, mut sums) = (String::new(), String::new());
        for entry in entries {
            let line = format::events::to_line(&entry.event);
            let mut body = line.strip_suffix('}').unwrap_or(&line).to_owned();
            if !entry.sources.is_empty() {
                body.push_str(&format!(",\"sources\":{}", Value::from_iter(entry.sources.iter().cloned())));
            }
            let sum = digest::short(body.as_bytes(), SUM);
            text.push_str(&format!("{body}{SUM_KEY}{sum}\"}}\n"));
            sums.push_str(&sum);
        }
        let last = format!("{{\"events\":{}", self.events.len());
        let sum = digest::short(format!("{last}{sums}").as_bytes(), SUM);
        text.push_str(&format!("{last}{SUM_KEY}{sum}\"}}\n"));
        text.into_bytes()
    }
}

impl Store {
    /// Adds events that a person recorded; an event whose id is there already is replaced. Returns how many were new or
    /// different.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn append_events(&self, events: &[Event]) -> Result<usize, StoreError> {
        self.add_events(events, None)
    }

    /// Adds events that a source reported, as [`Self::append_events`] does.
    ///
    /// # Errors
    /// As [`Self::append_events`].
    pub fn append_events_of(&self, source: &str, events: &[Event]) -> Result<usize, StoreError> {
        self.add_events(events, Some(source))
    }

    fn add_events(&self, events: &[Event], source: Option<&str>) -> Result<usize, StoreError> {
        let _lock = self.lock()?;
        let mut log = self.read_log()?;
        let mut events = events.to_vec();
        scrub(&mut events, &Scrubber::default());
        let (changed, is_new_source) = log.add(&events, source);
        if changed > 0 || is_new_source || (log.is_old && !log.events.is_empty()) {
            self.write_log(&log)?;
        }
        Ok(changed)
    }

    /// Reads all events.
    ///
    /// # Errors
    /// A file that cannot be read. Damaged lines do not stop the others: they are in [`StoredEvents::refused`].
    pub fn events(&self) -> Result<StoredEvents, StoreError> {
        let _lock = self.lock_shared()?;
        let log = self.read_log()?;
        let mut stored = StoredEvents { refused: self.refused_events(&log), ..StoredEvents::default() };
        let entries = log.events.into_values().map(|entry| (entry.event, entry.sources));
        let (mut events, sources): (Vec<Event>, Vec<_>) = entries.unzip();
        // Stores of 0.1.0 kept events as they came.
        scrub(&mut events, &Scrubber::default());
        for (event, sources) in events.into_iter().zip(sources) {
            for source in sources {
                stored.event_sources.entry(source).or_default().insert(event.id.clone());
            }
            stored.events.push(event);
        }
        format::events::sort(&mut stored.events);
        Ok(stored)
    }

    fn refused_events(&self, log: &EventLog) -> Vec<StoreError> {
        let mut refused = self.damage(log);
        if refused.is_empty() && self.lacks_events() {
            refused.push(StoreError::EventsLacking { folder: self.shown(&self.folder) });
        }
        let aside = self.folder.join(DAMAGED);
        let lines = fs::read(&aside).map_or(0, |bytes| lines(&bytes).count());
        if lines > 0 {
            refused.push(StoreError::SetAside { file: self.shown(&aside), held: format!("{lines} lines of events") });
        }
        refused
    }

    /// Returns what is damaged or missing in the events' file, each line with its number and the reason.
    fn damage(&self, log: &EventLog) -> Vec<StoreError> {
        let path = self.folder.join(if log.is_old { OLD_EVENTS } else { EVENTS });
        let file = self.shown(&path);
        if !log.damaged.is_empty() {
            let named = named(&log.damaged, &path);
            return vec![StoreError::DamagedEvents { file, lines: log.damaged.len(), named }];
        }
        match log.is_whole() {
            true => Vec::new(),
            false => vec![StoreError::EventsCutOff { file, found: log.events.len() }],
        }
    }

    /// Sets damaged lines aside and brings the file into the current format. Returns what was damaged or missing.
    pub(super) fn repair_events(&self) -> Result<Vec<StoreError>, StoreError> {
        let log = self.read_log()?;
        if log.is_old && log.events.is_empty() && log.damaged.is_empty() {
            return Ok(Vec::new());
        }
        if log.is_old || !log.is_whole() {
            self.write_log(&log)?;
        }
        Ok(self.damage(&log))
    }

    /// Returns whether events were lost, whose sources may still have them.
    pub(super) fn lacks_events(&self) -> bool {
        self.folder.join(LACKING_EVENTS).exists()
    }

    /// Notes that all sources were requested again for the events that were lost.
    ///
    /// # Errors
    /// The note that they are lacking cannot be removed.
    pub fn set_events_requested(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let path = self.folder.join(LACKING_EVENTS);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Write { file: self.shown(&path), source: error })
            }
            _ => Ok(()),
        }
    }

    /// Removes the events that were over before a time. Whoever calls has the lock.
    pub(super) fn prune_events(&self, before: i64) -> Result<(), StoreError> {
        let mut log = self.read_log()?;
        let count = log.events.len();
        log.events.retain(|_, entry| entry.event.window().end >= before);
        if log.events.len() < count { self.write_log(&log) } else { Ok(()) }
    }

    /// Reads the events' file of any format. Whoever calls has a lock.
    pub(super) fn read_log(&self) -> Result<EventLog, StoreError> {
        let mut log = EventLog::default();
        let path = self.folder.join(EVENTS);
        let Some(bytes) = self.read_if_there(&path)? else { return self.read_old_log() };
        let mut sums = String::new();
        for line in numbered(&bytes) {
            if let Err(reason) = log.read_line(line.1, &mut sums) {
                log.damaged.push(DamagedLine::new(line, &path, reason));
            }
        }
        log.has_lost = !log.is_whole();
        Ok(log)
    }

    fn read_old_log(&self) -> Result<EventLog, StoreError> {
        let mut log = EventLog { is_old: true, ..EventLog::default() };
        let old = self.folder.join(OLD_EVENTS);
        let bytes = self.read_if_there(&old)?.unwrap_or_default();
        for line in numbered(&bytes) {
            let fields = serde_json::from_slice(line.1).map_err(|_| "is not a JSON object".to_owned());
            match fields.and_then(format::events::of_fields) {
                Ok(event) => {
                    log.add(&[event], None);
                }
                Err(reason) => log.damaged.push(DamagedLine::new(line, &old, reason)),
            }
        }
        for path in self.entries(&self.folder.join(OLD_LISTS))? {
            let source = source_of(&path.file_stem().unwrap_or_default().to_string_lossy());
            let bytes = self.read_if_there(&path)?.unwrap_or_default();
            for line in numbered(&bytes) {
                match serde_json::from_slice::<String>(line.1) {
                    // An id that is on a list and not among the events was lost in between; it is requested again.
                    Ok(id) => {
                        if let Some(entry) = log.events.get_mut(&id) {
                            entry.sources.insert(source.clone());
                        }
                    }
                    Err(_) => log.damaged.push(DamagedLine::new(line, &path, "is no id")),
                }
            }
        }
        log.has_lost = !log.is_whole();
        Ok(log)
    }

    /// Writes the events, after what was damaged among them is safe. Whoever calls has the lock.
    pub(super) fn write_log(&self, log: &EventLog) -> Result<(), StoreError> {
        if log.has_lost {
            // Before the file is whole again, so that a run that ends here is not the last to know.
            self.write_file(LACKING_EVENTS, &[])?;
        }
        if !log.damaged.is_empty() {
            let mut aside = self.read_if_there(&self.folder.join(DAMAGED))?.unwrap_or_default();
            // A run that was killed right after this may have copied them already.
            let known: BTreeSet<Vec<u8>> = lines(&aside).map(<[u8]>::to_vec).collect();
            for line in log.damaged.iter().filter(|line| !known.contains(&line.bytes)) {
                aside.extend_from_slice(&line.bytes);
                aside.push(b'\n');
            }
            self.write_file(DAMAGED, &aside)?;
        }
        self.write_file(EVENTS, &log.bytes())?;
        let failed = |file: &Path| {
            let file = self.shown(file);
            move |source| StoreError::Write { file, source }
        };
        let (events, lists) = (self.folder.join(OLD_EVENTS), self.folder.join(OLD_LISTS));
        if events.exists() {
            fs::remove_file(&events).map_err(failed(&events))?;
        }
        if lists.exists() {
            fs::remove_dir_all(&lists).map_err(failed(&lists))?;
        }
        Ok(())
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        write_whole(&self.folder, name, |file| file.write_all(bytes))
            .map_err(|source| StoreError::Write { file: self.shown(&self.folder.join(name)), source })
    }

    fn read_if_there(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { folder: self.shown(path), source }),
        }
    }
}

/// Returns the lines of a file that hold anything, with their numbers from 0 on.
fn numbered(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty())
}

/// Returns the lines of a file that hold anything.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    numbered(bytes).map(|(_, line)| line)
}

/// Returns whether a name is one that a list of format 1 may have.
pub(super) fn is_list_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'%');
    name.strip_suffix(".jsonl").is_some_and(|source| !source.is_empty() && source.bytes().all(is_known))
}
