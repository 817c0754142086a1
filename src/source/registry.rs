//! Everything that other rooms ask about kinds of sources, answered from the list of them.

use serde_json::Value;

use super::descriptor::{Reading, SourceDescriptor, SourceSettings};
use super::{CollectedSource, OpenSource, RecordedSource, SOURCES, SourceError};
use crate::config::{Config, ConfigError, Source};
use crate::model::clock::Clock;
use crate::model::metric::is_known_signal;

/// Returns what is known of a kind of source.
pub fn descriptor(kind: &str) -> Option<&'static SourceDescriptor> {
    SOURCES.iter().copied().find(|descriptor| descriptor.kind == kind)
}

/// Checks the tables of all sources of a config.
///
/// # Errors
/// [`ConfigError`] for an unknown kind, an unknown key, or a value without a meaning.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    config.sources.iter().try_for_each(|source| settings(source).map(drop))
}

/// Returns the checked settings of a source.
///
/// # Errors
/// As [`check`].
pub fn settings(source: &Source) -> Result<Box<dyn SourceSettings>, ConfigError> {
    let Some(descriptor) = descriptor(&source.kind) else {
        let known: Vec<String> = SOURCES.iter().map(|known| format!("`{}`", known.kind)).collect();
        let reason = format!("unknown kind of source {:?}", source.kind);
        return Err(source.table.wrong("kind", reason, format!("choose from {}", known.join(", "))));
    };
    (descriptor.settings)(&source.table).map_err(|error| foreign_key(descriptor, source).unwrap_or(error))
}

/// Explains a key that another kind of source takes.
fn foreign_key(descriptor: &SourceDescriptor, source: &Source) -> Option<ConfigError> {
    let own = keys(descriptor);
    source.table.keys().into_iter().filter(|key| !own.contains(key)).find_map(|key| {
        let takers: Vec<&str> =
            SOURCES.iter().filter(|other| keys(other).contains(&key)).map(|other| other.kind).collect();
        let reason = format!("a source of kind {:?} has no such key", source.kind);
        let help = format!("it goes with {}; leave it out", takers.join(" and "));
        (!takers.is_empty()).then(|| source.table.wrong(&key, reason, help))
    })
}

/// Returns the keys that only one kind of source takes.
fn keys(descriptor: &SourceDescriptor) -> Vec<String> {
    let schema = (descriptor.schema)();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// Returns whether a source is read where it is, at every report; the others are collected into the store.
pub fn is_recorded(source: &Source) -> bool {
    descriptor(&source.kind).is_some_and(|descriptor| descriptor.reading == Reading::InPlace)
}

/// Returns the account that a source asks; empty if it has none.
pub fn account(source: &Source) -> String {
    settings(source).map(|settings| settings.account().to_owned()).unwrap_or_default()
}

/// Opens a source that is asked over the network; `None` for one that is read where it is.
///
/// `clock`: what may be asked follows from the age of a day.
///
/// # Errors
/// A key that is not there, a folder of queries that cannot be read.
pub fn open(config: &Config, source: &Source, clock: Clock) -> Result<Option<CollectedSource>, SourceError> {
    if is_recorded(source) {
        return Ok(None);
    }
    match open_any(config, source, clock)? {
        OpenSource::Collected(opened) => Ok(Some(opened)),
        OpenSource::Recorded(_) => Ok(None),
    }
}

/// Opens a source that is read where it is.
///
/// # Errors
/// Files that are not there, or cannot be read.
pub fn open_recorded(config: &Config, source: &Source) -> Result<Box<dyn RecordedSource>, SourceError> {
    // What is in files does not depend on the time of day.
    match open_any(config, source, Clock::System)? {
        OpenSource::Recorded(opened) => Ok(opened),
        OpenSource::Collected(_) => Err(SourceError::NotRecorded { id: source.id.clone() }),
    }
}

fn open_any(config: &Config, source: &Source, clock: Clock) -> Result<OpenSource, SourceError> {
    let settings =
        settings(source).map_err(|error| SourceError::Config { id: source.id.clone(), source: Box::new(error) })?;
    settings.open(&source.id, config, clock)
}

/// Writes into the config what the users' own queries say about signals; the config's own word wins.
///
/// # Errors
/// A query that has no meaning.
pub fn learn_signals(config: &mut Config) -> Result<(), SourceError> {
    let mut classes_and_polarities = Vec::new();
    for source in &config.sources {
        let settings =
            settings(source).map_err(|error| SourceError::Config { id: source.id.clone(), source: Box::new(error) })?;
        classes_and_polarities.extend(settings.signals(&source.id)?);
    }
    for nature in classes_and_polarities.iter().filter(|nature| !is_known_signal(&nature.signal)) {
        let rule = config.signals.entry(nature.signal.clone()).or_default();
        rule.class.get_or_insert(nature.class);
        rule.better.get_or_insert(nature.better);
    }
    Ok(())
}

/// Returns the word of each kind with the schema of the keys that only it takes.
pub fn schemas() -> Vec<(&'static str, Value)> {
    SOURCES.iter().map(|descriptor| (descriptor.kind, (descriptor.schema)())).collect()
}

/// Returns one `[[source]]` with every key for each kind.
pub fn examples() -> Vec<&'static str> {
    SOURCES.iter().map(|descriptor| descriptor.example).collect()
}

#[cfg(test)]
mod tests;
