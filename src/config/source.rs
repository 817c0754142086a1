//! One `[[source]]` or `[[publish]]` of the file: its id and kind, and the rest of its table as written.
//!
//! This room does not know what kinds of sources and places there are. A kind reads its own table with
//! [`EntryTable::read`] and checks the values with the other methods, which name the key's path, file and line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::Language;
use super::checker::{Checked, Checker};
use super::error::{ConfigError, explain};
use super::place::Places;
use super::raw::{RawPublish, RawSource};
use crate::model::time::MINUTE;

/// A list of tables whose keys depend on their `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct List {
    /// Its name in the file.
    name: &'static str,
    /// Keys that every kind takes; this room reads them.
    common: &'static [&'static str],
}

const SOURCES: List = List { name: "source", common: &["kind", "id", "optional"] };
const TARGETS: List = List { name: "publish", common: &["kind", "id"] };

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
    pub table: EntryTable,
}

/// One place that reports are brought to.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishTarget {
    /// Name in messages.
    pub id: String,
    /// The word after `kind =`; never empty.
    pub kind: String,
    /// The keys that only this kind of place takes, as written.
    pub table: EntryTable,
}

/// The table of one `[[source]]` or `[[publish]]` as written.
#[derive(Clone)]
pub struct EntryTable {
    document: Arc<Document>,
    list: List,
    index: usize,
    folder: PathBuf,
}

/// The text of the file, and where its keys stand.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) text: String,
    pub(super) places: Places,
}

impl EntryTable {
    /// Reads the keys that are not common to all kinds into a struct of optional fields.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`] for a key that the struct does not have; [`ConfigError::Value`] for a wrong type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let explained = |error: toml::de::Error| explain(&error, &self.document.places);
        let root = DeTable::parse(&self.document.text).map_err(explained)?;
        let written = root.get_ref().get(self.list.name).and_then(|list| list.get_ref().get(self.index));
        let Some(mut table) = written.cloned() else {
            return Err(self.checker().wrong(&self.path(), "is missing", ""));
        };
        if let DeValue::Table(table) = table.get_mut() {
            self.list.common.iter().for_each(|key| drop(table.remove(*key)));
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

    /// Checks an address that people open and cuts the slash at its end; without one, it is empty.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for what a browser does not open, and for a password in it.
    pub fn url(&self, key: &str, value: Option<String>) -> Result<String, ConfigError> {
        let Some(value) = value else { return Ok(String::new()) };
        let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.is_empty() || value.chars().any(|c| c.is_whitespace() || c.is_control() || "\"<>|".contains(c)) {
            return Err(self.wrong(key, "is no address that a browser opens", "write https://…"));
        }
        if host.contains('@') || value.contains('?') {
            // It is printed and posted, so nothing that could be a key may be in it.
            return Err(self.wrong(key, "holds a user or a query", "leave out what comes before `@` and after `?`"));
        }
        Ok(value.trim_end_matches('/').to_owned())
    }

    /// Checks the tag of a language.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for a language that the program does not speak.
    pub fn language(&self, key: &str, value: Option<String>) -> Result<Option<Language>, ConfigError> {
        let Some(value) = value else { return Ok(None) };
        match Language::ALL.iter().find(|(tag, _)| *tag == value) {
            Some((_, language)) => Ok(Some(*language)),
            None => Err(self.wrong(key, format!("unknown language {value:?}"), "choose from `en`, `ja`")),
        }
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
        format!("{}[{}]", self.list.name, self.index)
    }

    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path())
    }

    /// Returns what is written, without places.
    fn values(&self) -> toml::Table {
        let root: toml::Table = toml::from_str(&self.document.text).unwrap_or_default();
        let table = root.get(self.list.name).and_then(|list| list.get(self.index)).and_then(toml::Value::as_table);
        let mut table = table.cloned().unwrap_or_default();
        self.list.common.iter().for_each(|key| drop(table.remove(*key)));
        table
    }
}

impl PartialEq for EntryTable {
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values() && self.folder == other.folder
    }
}

impl std::fmt::Debug for EntryTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("EntryTable").field(&self.values()).finish()
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
        let table = EntryTable { document: Arc::clone(document), list: SOURCES, index, folder: folder.to_owned() };
        let ids = sources.iter().map(|source| source.id.as_str()).collect();
        let (id, kind) = named(&table, ids, raw.id, raw.kind, "add kind = \"files\"")?;
        sources.push(Source { id, optional: raw.optional.unwrap_or(false), kind, table });
    }
    Ok(sources)
}

/// Gives each place that reports are brought to an id, and keeps its table.
///
/// # Errors
/// A place without a kind, an id that two places have.
pub(super) fn targets(raw: Vec<RawPublish>, folder: &Path, document: &Arc<Document>) -> Checked<Vec<PublishTarget>> {
    let mut targets: Vec<PublishTarget> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let table = EntryTable { document: Arc::clone(document), list: TARGETS, index, folder: folder.to_owned() };
        let ids = targets.iter().map(|target| target.id.as_str()).collect();
        let (id, kind) = named(&table, ids, raw.id, raw.kind, "add kind = \"folder\"")?;
        targets.push(PublishTarget { id, kind, table });
    }
    Ok(targets)
}

/// Returns id and kind of an entry; without an id, it is the kind, numbered where that is taken.
fn named(
    table: &EntryTable,
    ids: Vec<&str>,
    id: Option<String>,
    kind: Option<String>,
    example: &str,
) -> Checked<(String, String)> {
    let kind = kind.unwrap_or_default();
    if kind.is_empty() {
        return Err(table.wrong("kind", "is missing", example));
    }
    let id = match id {
        Some(id) if id.trim().is_empty() => return Err(table.wrong("id", "is empty", "")),
        Some(id) => id,
        None if ids.contains(&kind.as_str()) => format!("{kind}-{}", ids.len() + 1),
        None => kind.clone(),
    };
    if ids.contains(&id.as_str()) {
        let reason = format!("{id:?} is the id of an earlier {}", table.list.name);
        let help = format!("give each [[{}]] an id of its own", table.list.name);
        return Err(table.wrong("id", reason, help));
    }
    Ok((id, kind))
}
