//! What the program has to know of a kind of place.

use serde_json::Value;

use super::channel::Channel;
use super::{Place, PublishError};
use crate::config::{Config, ConfigError, EntryTable};

/// One kind of place.
pub struct TargetDescriptor {
    /// The word after `kind =` in the config.
    pub kind: &'static str,
    /// What it is, a few words without a full stop.
    pub about: &'static str,
    /// It keeps files; otherwise it takes messages.
    pub keeps_files: bool,
    /// One `[[publish]]` with every key, for the default config.
    pub example: &'static str,
    /// Returns the JSON Schema of the keys that only it takes.
    pub schema: fn() -> Value,
    /// Checks the keys that only it takes.
    pub settings: fn(&EntryTable) -> Result<Box<dyn TargetSettings>, ConfigError>,
}

/// The settings of one place, checked.
pub trait TargetSettings: Send + Sync {
    /// Returns the address under which people open the place, without a slash at its end; empty if it has none.
    fn url(&self) -> &str {
        ""
    }

    /// Returns the environment variables that have to be set.
    fn variables(&self) -> Vec<String> {
        Vec::new()
    }

    /// Opens it. Nothing is asked over the network yet, but for keys.
    ///
    /// `id`: for messages.
    ///
    /// # Errors
    /// A key that is not there, a client that cannot be made.
    fn open(&self, id: &str, config: &Config) -> Result<OpenTarget, PublishError>;
}

/// An opened place.
pub enum OpenTarget {
    /// Keeps files.
    Place(Box<dyn Place>),
    /// Takes messages.
    Channel(Box<dyn Channel>),
}
