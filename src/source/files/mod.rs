//! The source kind `files`: recorded series in Parquet or CSV and events in JSON lines or CSV.
//!
//! What a file looks like and what happens to broken rows: [`format`](crate::format). This folder knows
//! where files are: patterns relative to the configuration's folder (`*`, `?`, `[…]`, `**`), each of which
//! must match a file. A file that two patterns match is read once. A file whose name is the pattern itself
//! is taken as it stands, even when its name holds a bracket.

mod config;

use std::path::{Path, PathBuf};

use super::batch::counted;
use super::descriptor::{DocsRow, Gives, Reading, Setup, SourceDescriptor, SourceSettings};
use super::{EventBatch, OpenSource, RecordedSource, SourceError};
use crate::config::Config;
use crate::format::{self, Duplicates, InputId, Reader, RecordError, RecordedFile};
use crate::model::clock::Clock;
use crate::model::time::Window;

pub use config::FilesSettings;

/// What the program has to know of this kind.
pub static DESCRIPTOR: SourceDescriptor = SourceDescriptor {
    kind: "files",
    about: "Recorded series in Parquet or CSV",
    docs: Some(DocsRow { needs: "to read the files", place: "nothing else is looked for" }),
    gives: &[Gives::Operations, Gives::Datastores, Gives::Resources, Gives::Deploys],
    reading: Reading::InPlace,
    example: include_str!("example.toml"),
    setup: Setup {
        section: include_str!("../../../templates/init/files/section.toml"),
        files: &[],
        secrets: &[],
        github_steps: "",
    },
    schema: || schemars::schema_for!(config::RawFiles).to_value(),
    settings: |table| Ok(Box::new(FilesSettings::of(table)?)),
};

impl SourceSettings for FilesSettings {
    fn help_if_empty(&self) -> &'static str {
        "check `series` of the source: its files hold no point"
    }

    fn open(&self, id: &str, config: &Config, _clock: Clock) -> Result<OpenSource, SourceError> {
        Ok(OpenSource::Recorded(Box::new(FilesSource::open(&config.folder, id, self)?)))
    }
}

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
    pub fn open(folder: &Path, id: &str, settings: &FilesSettings) -> Result<Self, SourceError> {
        let opened = find(folder, id, &settings.series)?
            .iter()
            .map(|(path, name)| RecordedFile::open(path, name))
            .collect::<Result<_, _>>()
            .map_err(|error| record(id, error))?;
        let events = find(folder, id, &settings.deploys)?;
        Ok(Self { id: id.to_owned(), series: opened, events })
    }
}

impl RecordedSource for FilesSource {
    fn decode(&self, window: Window, reader: &mut Reader) -> Result<InputId, SourceError> {
        reader.add(self.series.clone(), Vec::new(), window, Duplicates::Refuse).map_err(|error| record(&self.id, error))
    }

    fn events(&self) -> Result<EventBatch, SourceError> {
        let read = format::events::read(&self.events).map_err(|error| record(&self.id, error))?;
        let diagnostics = read.repeated.map(|(count, first)| counted(&self.id, "duplicate_event", count, first));
        Ok(EventBatch { events: read.events, diagnostics: diagnostics.into_iter().collect() })
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
        let name = crate::model::sanitize::escape(&path.strip_prefix(folder).unwrap_or(&path).to_string_lossy());
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
