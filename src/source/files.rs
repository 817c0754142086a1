//! The source kind `files`: recorded series in Parquet or CSV and events in JSON lines or CSV.
//!
//! What a file looks like and what happens to broken rows: [`recorded`](crate::format). This file knows
//! where files are: patterns relative to the configuration's folder (`*`, `?`, `[…]`, `**`), each of which
//! must match a file. A file that two patterns match is read once. A file whose name is the pattern itself
//! is taken as it stands, even when its name holds a bracket.

use std::path::{Path, PathBuf};

use crate::config::{Source, SourceKind};
use crate::format::{self, Duplicates, RecordError, RecordedFile, Wanted};
use crate::model::time::Window;

use super::{Events, Intake, Note, Part, SourceError, note};

/// Recorded files of one source, found and opened.
#[derive(Debug, Clone)]
pub struct FilesSource {
    id: String,
    series: Vec<RecordedFile>,
    events: Vec<(PathBuf, String)>,
}

impl FilesSource {
    /// Finds the files of a source and reads the footers of Parquet files.
    ///
    /// `folder`: where the patterns start.
    ///
    /// # Errors
    /// A pattern that matches nothing or is not valid; a file that is empty, damaged or lacks a column.
    pub fn open(folder: &Path, source: &Source) -> Result<Self, SourceError> {
        let none = Vec::new();
        let (series, deploys) = match &source.kind {
            SourceKind::Files { series, deploys } => (series, deploys),
            SourceKind::NewRelic(_) | SourceKind::CloudWatch(_) => (&none, &none),
        };
        let id = source.id.clone();
        let opened = find(folder, &id, series)?
            .iter()
            .map(|(path, name)| RecordedFile::open(path, name))
            .collect::<Result<_, _>>()
            .map_err(|error| record(&id, error))?;
        let events = find(folder, &id, deploys)?;
        Ok(Self { id, series: opened, events })
    }

    /// Reads all events.
    ///
    /// # Errors
    /// An event that cannot be understood, or an id with two contents; file and line are named.
    pub fn events(&self) -> Result<Events, SourceError> {
        let read = format::events::read(&self.events).map_err(|error| record(&self.id, error))?;
        let notes = read.repeated.map(|(count, first)| note(&self.id, "duplicate_event", count, first));
        Ok(Events { events: read.events, notes: notes.into_iter().collect() })
    }

    /// Returns the number of rows: exact for Parquet, from the size for CSV.
    pub fn rows_estimate(&self) -> u64 {
        self.series.iter().map(RecordedFile::rows_estimate).sum()
    }

    /// Reads the points of one part inside the window, as series sorted by key.
    ///
    /// # Errors
    /// The first broken row in the order of files, with its place and reason.
    pub fn series(&self, part: Part, window: Window) -> Result<Intake, SourceError> {
        let read = format::read(&self.series, Wanted { window, part }, Duplicates::Refuse)
            .map_err(|error| record(&self.id, error))?;
        let notes: Vec<Note> =
            read.left_out.into_iter().map(|left| note(&self.id, left.reason, left.count, left.example)).collect();
        Ok(Intake { series: read.series, rows: read.rows, notes })
    }
}

fn record(id: &str, source: RecordError) -> SourceError {
    SourceError::Record { id: id.to_owned(), source }
}

/// Expands patterns, sorted and each file once, with the name that messages use.
fn find(folder: &Path, id: &str, patterns: &[String]) -> Result<Vec<(PathBuf, String)>, SourceError> {
    let mut found = Vec::new();
    for pattern in patterns {
        let before = found.len();
        let literal = folder.join(pattern);
        if literal.is_file() {
            found.push(literal);
        } else {
            found.extend(expand(folder, id, pattern)?);
        }
        if found.len() == before {
            return Err(SourceError::NoMatch { id: id.to_owned(), pattern: pattern.clone() });
        }
    }
    found.sort();
    found.dedup();
    let named = |path: PathBuf| {
        let name = format::escaped(&path.strip_prefix(folder).unwrap_or(&path).to_string_lossy());
        (path, name)
    };
    Ok(found.into_iter().map(named).collect())
}

fn expand(folder: &Path, id: &str, pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let (id, written) = (id.to_owned(), pattern.to_owned());
    // The folder's own name is no pattern, whatever signs are in it.
    let base = glob::Pattern::escape(&folder.to_string_lossy());
    let is_whole = base.is_empty() || Path::new(pattern).is_absolute();
    let whole = if is_whole { pattern.to_owned() } else { format!("{base}/{pattern}") };
    let paths = match glob::glob(&whole) {
        Ok(paths) => paths,
        Err(source) => return Err(SourceError::Pattern { id, pattern: written, source }),
    };
    let mut files = Vec::new();
    for path in paths {
        match path {
            Ok(path) if path.is_file() => files.push(path),
            Ok(_) => {}
            Err(source) => return Err(SourceError::Folder { id, pattern: written, source }),
        }
    }
    Ok(files)
}
