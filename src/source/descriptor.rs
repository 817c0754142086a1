//! What the program has to know of a kind of source: everything that config checks, help, docs, `init`, `doctor`,
//! `collect` and the contract tests ask is here, as data.

use std::path::Path;

use serde_json::Value;

use super::{OpenSource, SourceError};
use crate::config::{Config, ConfigError, EntryTable};
use crate::model::clock::Clock;
use crate::model::metric::{Class, Polarity};

/// One kind of source.
pub struct SourceDescriptor {
    /// The word after `kind =` in the config.
    pub kind: &'static str,
    /// What it is, a few words without a full stop.
    pub about: &'static str,
    /// Its row in the table of `docs/collect.md`; `None` while it is experimental.
    pub docs: Option<DocsRow>,
    /// What it can show, so that a report can say what is missing without it.
    pub gives: &'static [Gives],
    /// Whether it is read where it is, or collected.
    pub reading: Reading,
    /// One `[[source]]` with every key and a comment where a key needs one, for the default config.
    pub example: &'static str,
    /// What `init` writes for it.
    pub setup: Setup,
    /// Returns the JSON Schema of the keys that only it takes.
    pub schema: fn() -> Value,
    /// Checks the keys that only it takes.
    pub settings: fn(&EntryTable) -> Result<Box<dyn SourceSettings>, ConfigError>,
}

/// What a source can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Response times, requests and failures of services and endpoints.
    Operations,
    /// Time in databases.
    Datastores,
    /// Machines, containers, queues, load balancers.
    Resources,
    /// Deploys and other changes.
    Deploys,
}

impl Gives {
    /// Returns the word of the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Datastores => "datastores",
            Self::Resources => "resources",
            Self::Deploys => "deploys",
        }
    }
}

/// Where a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Where it is, at every report.
    InPlace,
    /// Over the network by `fortnight collect`; reports read the store.
    Collected,
}

/// What the docs say that a source needs. Markdown.
#[derive(Debug, Clone, Copy)]
pub struct DocsRow {
    /// Keys, roles, permissions.
    pub needs: &'static str,
    /// Where the program looks for them.
    pub place: &'static str,
}

/// What `init` writes for a source.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Its `[[source]]` with an introduction, for `fortnight.toml`.
    pub section: &'static str,
    /// Files besides the config, such as access policies.
    pub files: &'static [SetupFile],
    /// Environment variables that hold its secrets.
    pub secrets: &'static [SetupSecret],
    /// Steps of a GitHub workflow that has to sign in first; empty for none.
    pub github_steps: &'static str,
}

/// A file that `init` writes.
#[derive(Debug, Clone, Copy)]
pub struct SetupFile {
    /// Its path in the folder.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// An environment variable that has to be set before the source can be asked.
#[derive(Debug, Clone, Copy)]
pub struct SetupSecret {
    /// Its name.
    pub variable: &'static str,
    /// How its value begins, and where to read more: what follows `export NAME=`.
    pub hint: &'static str,
}

/// An environment variable that the settings of a source name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it holds, such as `the external id of the role`.
    pub holds: &'static str,
}

/// What a query of the user's own says about a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalNature {
    /// The signal's name.
    pub signal: String,
    /// Golden signal.
    pub class: Class,
    /// Which way is better.
    pub better: Polarity,
}

/// The settings of one source, checked.
pub trait SourceSettings: Send + Sync {
    /// Returns the account that it asks, for `--account`; empty if it has none.
    fn account(&self) -> &str {
        ""
    }

    /// Returns the account that the resources of its series run in; empty if unknown.
    fn resource_account(&self) -> &str {
        ""
    }

    /// Returns the environment variables that have to be set.
    fn variables(&self) -> Vec<Variable> {
        Vec::new()
    }

    /// Returns the keys that still hold what `init` and the examples write, each with its value.
    fn placeholders(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Returns the folder with queries of the user's own.
    fn queries(&self) -> Option<&Path> {
        None
    }

    /// Returns what the user's own queries say about signals.
    ///
    /// # Errors
    /// A query that has no meaning.
    fn signals(&self, _id: &str) -> Result<Vec<SignalNature>, SourceError> {
        Ok(Vec::new())
    }

    /// Says what to check when the source has no series.
    fn help_if_empty(&self) -> &'static str {
        "check the keys of the source in the config"
    }

    /// Opens the source: reads keys and queries, asks nothing.
    ///
    /// `id`: the source's id, for messages. `clock`: what may be asked follows from the age of a day.
    ///
    /// # Errors
    /// A key that is not in the environment, queries or files that cannot be read.
    fn open(&self, id: &str, config: &Config, clock: Clock) -> Result<OpenSource, SourceError>;
}
