//! Why a source cannot give what it has: one type for all kinds, which keeps the kind's own error as its cause.

use crate::config::ConfigError;
use crate::format::RecordError;
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::secret::SecretError;

/// Why a source cannot give what it has.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A pattern cannot be understood.
    #[error("source `{id}`: pattern `{pattern}` is not valid")]
    Pattern {
        /// The source.
        id: String,
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: glob::PatternError,
    },
    /// No file is called like this.
    #[error("source `{id}`: no file matches `{pattern}`")]
    NoMatch {
        /// The source.
        id: String,
        /// The pattern as written.
        pattern: String,
    },
    /// A folder on the way cannot be listed.
    #[error("source `{id}`: pattern `{pattern}` leads to a folder that cannot be read")]
    Folder {
        /// The source.
        id: String,
        /// The pattern as written.
        pattern: String,
        /// What the system said.
        #[source]
        source: glob::GlobError,
    },
    /// This build leaves the source out.
    #[error("source `{id}`: this build was made without the feature `{feature}`")]
    NotBuiltIn {
        /// The source.
        id: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// It has no files: reports read it from the store.
    #[error("source `{id}`: is not read where it is")]
    NotRecorded {
        /// The source.
        id: String,
    },
    /// The key is not in the environment.
    #[error("source `{id}`")]
    Secret {
        /// The source.
        id: String,
        /// Which variable.
        #[source]
        source: SecretError,
    },
    /// The keys of its table in the config have no meaning.
    #[error("source `{id}`")]
    Config {
        /// The source.
        id: String,
        /// Which key.
        #[source]
        source: Box<ConfigError>,
    },
    /// Its queries have no meaning, or it cannot be asked, or it did not answer as it should.
    #[error("source `{id}`{}", account_of(account))]
    Vendor {
        /// The source.
        id: String,
        /// The account, if messages name it; else empty.
        account: String,
        /// What is wrong, in the words of the kind of source.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do next.
        help: Option<String>,
    },
    /// A file is broken.
    #[error("source `{id}`")]
    Record {
        /// The source.
        id: String,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
}

impl SourceError {
    /// Returns the source that it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Pattern { id, .. }
            | Self::NoMatch { id, .. }
            | Self::Folder { id, .. }
            | Self::NotBuiltIn { id, .. }
            | Self::NotRecorded { id }
            | Self::Secret { id, .. }
            | Self::Config { id, .. }
            | Self::Vendor { id, .. }
            | Self::Record { id, .. } => id,
        }
    }

    /// Returns it as a diagnostic, with its causes and what to do next.
    pub fn diagnostic(&self) -> Diagnostic {
        let help = self.help().into_iter().collect();
        Diagnostic { help, ..Diagnostic::of_error(Stage::Source, self.id(), self) }
    }

    /// Returns what to do next.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Pattern { .. } => {
                Some("`*`, `?`, `[…]` and `**` are special; write `[*]` for a star itself".to_owned())
            }
            Self::NoMatch { .. } => Some("patterns start at the folder of the configuration file".to_owned()),
            Self::Folder { .. } | Self::NotRecorded { .. } => None,
            Self::NotBuiltIn { feature, .. } => {
                Some(format!("install it with `cargo install --path . --features {feature}`"))
            }
            Self::Secret { source, .. } => Some(source.help()),
            Self::Config { source, .. } => source.help(),
            Self::Vendor { help, .. } => help.clone(),
            Self::Record { source, .. } => source.help(),
        }
    }
}

fn account_of(account: &str) -> String {
    if account.is_empty() { String::new() } else { format!(", account {account}") }
}
