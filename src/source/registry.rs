//! What a source is that answers over the network, and the list of them.
//!
//! Sources in files are read where they are, at every report ([`files`](super::files)). A source of this kind
//! is asked day by day and what it says is kept in the store, because it forgets; reports read the store.

use async_trait::async_trait;

use crate::config::{Config, Source as SourceConfig, SourceKind};
use crate::model::clock::Clock;
use crate::model::time::Window;

use super::{Events, Intake, SourceError};

/// One account of a service that measures, opened: keys read, nothing asked yet.
#[async_trait]
pub trait Source: Send + Sync {
    /// Asks for every series of a window.
    ///
    /// `window`: inside one UTC day, from a whole hour to a whole hour, over by the time of asking.
    /// The series are sorted by key, keys are unique, times strictly increasing and inside the window, values
    /// in base units; what was not measured is absent or NaN, never 0.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole. Half of an answer is no answer: it would be kept as all of it.
    async fn series(&self, window: Window) -> Result<Intake, SourceError>;

    /// Asks for the deploys and other events that began inside a window.
    ///
    /// # Errors
    /// As [`Self::series`].
    async fn events(&self, window: Window) -> Result<Events, SourceError>;

    /// Says what asking for a window would take, by harmless calls only.
    ///
    /// # Errors
    /// What has to be known for that cannot be asked.
    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError>;

    /// Tries every permission by a harmless call; one check a permission, and whatever else is worth knowing.
    ///
    /// `now`: UTC milliseconds.
    async fn checks(&self, now: i64) -> Vec<SourceCheck>;

    /// Returns how far back the source still answers, milliseconds.
    fn reach_ms(&self) -> i64;
}

/// What collecting a window takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Estimate {
    /// Requests to the source.
    pub requests: u64,
    /// Series that are asked for.
    pub series: u64,
    /// Price by the vendor's list, US dollars; `None` when requests cost nothing.
    pub cost_usd: Option<f64>,
    /// What will be asked, one a line, so that users can try it by hand; holds no secret.
    pub asks: Vec<String>,
}

/// What one look at a source found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCheck {
    /// What was looked at, a stable word such as `key` or `cloudwatch:GetMetricData`.
    pub name: String,
    /// How it is.
    pub health: SourceHealth,
    /// What was found, one line.
    pub found: String,
    /// What to do, one a line; empty when all is well.
    pub help: Vec<String>,
}

/// How a thing that was looked at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceHealth {
    /// As it should be.
    Ok,
    /// The report goes on, with less.
    Warn,
    /// Nothing comes of it.
    Fail,
}

/// Opens a source that is asked over the network; `None` for files, which are read where they are.
///
/// `clock`: what may be asked follows from the age of a day.
///
/// # Errors
/// A key that is not there, a folder of queries that cannot be read.
pub fn open(config: &Config, source: &SourceConfig, clock: Clock) -> Result<Option<Box<dyn Source>>, SourceError> {
    match &source.kind {
        SourceKind::Files { .. } => Ok(None),
        SourceKind::NewRelic(settings) => super::newrelic::open(config, source, settings).map(Some),
        #[cfg(feature = "aws")]
        SourceKind::CloudWatch(settings) => super::cloudwatch::open(config, source, settings, clock).map(Some),
        #[cfg(not(feature = "aws"))]
        SourceKind::CloudWatch(_) => Err(SourceError::NotBuiltIn { id: source.id.clone(), feature: "aws" }),
    }
}
