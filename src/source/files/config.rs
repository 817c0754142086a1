//! The keys of a `[[source]]` of kind `files`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{ConfigError, EntryTable};

/// Recorded series and events in files.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawFiles {
    /// Patterns of Parquet or CSV files (also gzip), relative to this file. Needed.
    /// Example: `series = ["series/*.parquet"]`
    series: Option<Vec<String>>,
    /// Patterns of JSON-lines or CSV files with deploys and other events, relative to this file.
    /// Default: `[]`. Example: `deploys = ["deploys.jsonl"]`
    deploys: Option<Vec<String>>,
}

/// Which files a source has; patterns as written, relative to the folder of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesSettings {
    /// Patterns of Parquet or CSV files.
    pub series: Vec<String>,
    /// Patterns of JSON-lines or CSV files with deploys and other events.
    pub deploys: Vec<String>,
}

impl FilesSettings {
    /// Checks the table of a source.
    ///
    /// # Errors
    /// [`ConfigError`] for no file at all, or a pattern that is not valid.
    pub fn of(table: &EntryTable) -> Result<Self, ConfigError> {
        let raw: RawFiles = table.read()?;
        Ok(Self {
            series: table.patterns("series", raw.series, true)?,
            deploys: table.patterns("deploys", raw.deploys, false)?,
        })
    }
}
