//! Everything that other rooms ask about kinds of places, answered from the list of them.

use serde_json::Value;

use super::descriptor::{OpenTarget, TargetDescriptor, TargetSettings};
use super::{PublishError, TARGETS};
use crate::config::{Config, ConfigError, PublishTarget};

/// Returns what is known of a kind of place.
pub fn descriptor(kind: &str) -> Option<&'static TargetDescriptor> {
    TARGETS.iter().copied().find(|descriptor| descriptor.kind == kind)
}

/// Checks the tables of all places of a config.
///
/// # Errors
/// [`ConfigError`] for an unknown kind, an unknown key, or a value without a meaning.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    config.targets.iter().try_for_each(|target| settings(target).map(drop))
}

/// Returns the checked settings of a place.
///
/// # Errors
/// As [`check`].
pub fn settings(target: &PublishTarget) -> Result<Box<dyn TargetSettings>, ConfigError> {
    let Some(descriptor) = descriptor(&target.kind) else {
        let known: Vec<String> = TARGETS.iter().map(|known| format!("`{}`", known.kind)).collect();
        let reason = format!("unknown kind of place {:?}", target.kind);
        return Err(target.table.wrong("kind", reason, format!("choose from {}", known.join(", "))));
    };
    (descriptor.settings)(&target.table)
}

/// Returns whether a target keeps files; the others take messages.
pub fn is_place(target: &PublishTarget) -> bool {
    descriptor(&target.kind).is_some_and(|descriptor| descriptor.keeps_files)
}

/// Opens a place.
///
/// # Errors
/// As [`TargetSettings::open`].
pub fn open(config: &Config, target: &PublishTarget) -> Result<OpenTarget, PublishError> {
    let settings =
        settings(target).map_err(|error| PublishError::Config { id: target.id.clone(), source: Box::new(error) })?;
    settings.open(&target.id, config)
}

/// Returns the word of each kind with the schema of the keys that only it takes.
pub fn schemas() -> Vec<(&'static str, Value)> {
    TARGETS.iter().map(|descriptor| (descriptor.kind, (descriptor.schema)())).collect()
}

/// Returns one `[[publish]]` with every key for each kind.
pub fn examples() -> Vec<&'static str> {
    TARGETS.iter().map(|descriptor| descriptor.example).collect()
}

#[cfg(test)]
mod tests;
