//! Why a run ends, and with which exit code.

use anyhow::anyhow;

use crate::config::ConfigError;
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::publish::PublishError;
use crate::store::StoreError;

/// The exit codes that other programs rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Could not do the work.
    Failed = 1,
    /// Wrong use or invalid config.
    Usage = 2,
    /// A regression at or above `--fail-on`.
    Regression = 3,
    /// Not enough evidence, with `--strict`.
    NotEnough = 4,
    /// Report written, but a source failed, with `--fail-on partial`.
    Partial = 5,
    /// Nothing is due, with `--exit-not-due`.
    NotDue = 6,
}

/// Why the work was not done, and what to do next.
#[derive(Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What happened; its words continue "failed to …".
    pub error: anyhow::Error,
    /// What to do next, one a line.
    pub help: Vec<String>,
}

impl Failure {
    /// Makes a failure of the one who typed.
    pub(super) fn usage(reason: impl Into<String>, help: impl Into<String>) -> Self {
        let help = Some(help.into()).filter(|help| !help.is_empty()).into_iter().collect();
        Self { exit: Exit::Usage, error: anyhow!(reason.into()), help }
    }
}

impl Failure {
    /// Returns it as a diagnostic, for a run that goes on without what failed.
    pub(super) fn diagnostic(&self, stage: Stage, subject: &str) -> Diagnostic {
        let reason = std::io::Error::other(format!("{:#}", self.error));
        Diagnostic { help: self.help.clone(), ..Diagnostic::of_error(stage, subject, &reason) }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::Failed, error, help: Vec::new() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let help = error.help().into_iter().collect();
        Self { exit: Exit::Usage, error: anyhow!(error).context("read the config"), help }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let help = error.help().into_iter().collect();
        Self { exit: Exit::Failed, error: anyhow!(error).context("use the store"), help }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let help = error.help().into_iter().collect();
        Self { exit: Exit::Failed, error: anyhow!(error), help }
    }
}
