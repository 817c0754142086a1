//! One `[[source]]` of the file: its id and kind, and the rest of its table as written.
//!
//! This room does not know what kinds of sources there are. A kind reads its own table with [`SourceTable::read`] and
//! checks the values with the other methods, which name the key's path, file and line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::checker::{Checked, Checker};
use super::error::{ConfigError, explain};
use super::place::Places;
use super::raw::RawSource;
use crate::model::time::MINUTE;

/// Keys that every kind of source takes; this room reads them.
const COMMON_KEYS: [&str; 3] = ["kind", "id", "optional"];

/// One source of series and events.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Name in messages and in the report.
    pub id: String,
    /// The report goes on without it.
    pub optional: bool,
    /// The word after `kind =`; never empty.
    pub kind: String,
    /// The keys that only this kind of source takes, as written.
    pub table: SourceTable,
}

/// The table of one `[[source]]` as written.
#[derive(Clone)]
pub struct SourceTable {
    document: Arc<Document>,
    index: usize,
    folder: PathBuf,
}

/// The text of the file, and where its keys stand.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) text: String,
    pub(super) places: Places,
}

impl SourceTable {
    /// Reads the keys that are not common to all sources into a struct of optional fields.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] for a key that the struct does not have; [`ConfigError::Value`] for a wrong type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let explained = |error: toml::de::Error| explain(&error, &self.document.places);
        let root = DeTable::parse(&self.document.text).map_err(explained)?;
        let written = root.get_ref().get("source").and_then(|list| list.get_ref().get(self.index));
        let Some(mut table) = written.cloned() else {
            return Err(self.checker().wrong(&self.path(), "is missing", ""));
        };
        if let DeValue::Table(table) = table.get_mut() {
            COMMON_KEYS.iter().for_each(|key| drop(table.remove(*key)));
        }
        T::deserialize(ValueDeserializer::from(table)).map_err(explained)
    }

    /// Returns the keys that are set, besides the common ones.
    pub fn keys(&self) -> Vec<String> {
        self.values().keys().cloned().collect()
    }

    /// Makes an error about a key of this table.
    ///
    /// `key`: the key, or an item of it, such as `resources[1]`.
    pub fn wrong(&self, key: &str, reason: impl Into<String>, help: impl Into<String>) -> ConfigError {
        self.checker().wrong(&self.at(key), reason, help)
    }

    /// Checks a list of patterns; `needed`: an empty one is an error.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for a blank pattern, or one that is not valid.
    pub fn patterns(&self, key: &str, list: Option<Vec<String>>, needed: bool) -> Result<Vec<String>, ConfigError> {
        self.checker().patterns(&self.at(key), list, needed)
    }

    /// Checks a list of patterns; without one, all names match.
    ///
    /// # Errors
    /// As [`Self::patterns`].
    pub fn patterns_or_all(&self, key: &str, list: Option<Vec<String>>) -> Result<Vec<String>, ConfigError> {
        match self.patterns(key, list, false)? {
            list if list.is_empty() => Ok(vec!["*".to_owned()]),
            list => Ok(list),
        }
    }

    /// Checks the width of a bucket and returns it in milliseconds; without one, five minutes.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for a width that sources do not have.
    pub fn step_ms(&self, key: &str, minutes: Option<i64>) -> Result<i64, ConfigError> {
        match minutes.unwrap_or(5) {
            minutes @ (1 | 5 | 15 | 30 | 60) => Ok(minutes * MINUTE),
            other => Err(self.wrong(key, format!("{other} is none of the widths"), "choose from 1, 5, 15, 30, 60")),
        }
    }

    /// Checks a folder and returns it relative to the config's.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for a blank path.
    pub fn folder(&self, key: &str, value: Option<String>) -> Result<Option<PathBuf>, ConfigError> {
        match value {
            Some(value) => Ok(Some(self.folder.join(self.checker().path(&self.at(key), Some(value), "")?))),
            None => Ok(None),
        }
    }

    /// Checks an address: plain HTTP only to the machine itself, because a key goes with every request.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else.
    pub fn endpoint(&self, key: &str, value: Option<String>) -> Result<Option<String>, ConfigError> {
        let Some(value) = value else { return Ok(None) };
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let is_local = local.iter().any(|start| {
            value
                .strip_prefix(start)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':') || rest.starts_with('/'))
        });
        if value.starts_with("https://") || is_local {
            return Ok(Some(value));
        }
        Err(self.wrong(key, format!("{value:?} is no address"), "write https://…; http:// only to 127.0.0.1"))
    }

    /// Checks the name of an environment variable; the value itself never stands in the file.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for anything else; the text is not repeated.
    pub fn variable(&self, key: &str, value: Option<String>) -> Result<Option<String>, ConfigError> {
        let Some(value) = value else { return Ok(None) };
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if value.is_empty() || !value.bytes().all(fits) {
            // What stands here may be the secret itself, so it is not repeated.
            let help = "write the variable's name in capitals, and put the secret into the environment";
            return Err(self.wrong(key, "is not the name of an environment variable", help));
        }
        Ok(Some(value))
    }

    fn checker(&self) -> Checker<'_> {
        Checker { places: &self.document.places }
    }

    fn path(&self) -> String {
        format!("source[{}]", self.index)
    }

    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path())
    }

    /// Returns what is written, without places.
    fn values(&self) -> toml::Table {
        let root: toml::Table = toml::from_str(&self.document.text).unwrap_or_default();
        let table = root.get("source").and_then(|list| list.get(self.index)).and_then(toml::Value::as_table);
        let mut table = table.cloned().unwrap_or_default();
        COMMON_KEYS.iter().for_each(|key| drop(table.remove(*key)));
        table
    }
}

impl PartialEq for SourceTable {
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values() && self.folder == other.folder
    }
}

impl std::fmt::Debug for SourceTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("SourceTable").field(&self.values()).finish()
    }
}

/// Gives each source an id, and keeps its table.
///
/// # Errors
/// No source, a source without a kind, an id that two sources have.
pub(super) fn sources(raw: Vec<RawSource>, folder: &Path, document: &Arc<Document>) -> Checked<Vec<Source>> {
    let checker = Checker { places: &document.places };
    if raw.is_empty() {
        let example = "add [[source]] with kind = \"files\" and series = [\"series.parquet\"]";
        return Err(checker.wrong("source", "there is no source to read", example));
    }
    let mut sources: Vec<Source> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let table = SourceTable { document: Arc::clone(document), index, folder: folder.to_owned() };
        let kind = raw.kind.unwrap_or_default();
        if kind.is_empty() {
            return Err(table.wrong("kind", "is missing", "add kind = \"files\""));
        }
        let id = match raw.id {
            Some(id) if id.trim().is_empty() => return Err(table.wrong("id", "is empty", "")),
            Some(id) => id,
            None if sources.iter().any(|source| source.id == kind) => format!("{kind}-{}", sources.len() + 1),
            None => kind.clone(),
        };
        if sources.iter().any(|other| other.id == id) {
            let reason = format!("{id:?} is the id of an earlier source");
            return Err(table.wrong("id", reason, "give each source an id of its own"));
        }
        sources.push(Source { id, optional: raw.optional.unwrap_or(false), kind, table });
    }
    Ok(sources)
}
