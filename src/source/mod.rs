//! Brings series and events in, exactly, and says what was ignored and why.
//!
//! Read this file first (what a source can do), then `descriptor` (what the program has to know of a kind of source),
//! [`SOURCES`] and `registry` (the list, and everything that other rooms ask of it), and one folder, such as `newrelic`:
//! `mod.rs` (API, limits, quirks, descriptor), `config.rs`, the requests, `parse.rs`. `http` is what sources over HTTP
//! share, `recorded` reads the sources that are files, `clean_names` takes secrets out of names, `waiting` says that an answer is late, `state` how each source fared, `service_map` gives
//! resources their services.
//!
//! A new source is a folder and its two lines here: its module, and its place in [`SOURCES`].
//!
//! A source that fails does not sink the others. No file here prints, writes to the store, or knows a kind of source
//! besides its own.

mod batch;
pub mod clean_names;
pub mod cloudwatch;
pub mod descriptor;
mod error;
pub mod files;
pub mod http;
pub mod newrelic;
mod recorded;
pub mod registry;
pub mod service_map;
mod state;
pub(crate) mod waiting;

use std::sync::Arc;

use async_trait::async_trait;

use crate::format::{InputId, Reader};
use crate::model::time::Window;

pub use batch::{EventBatch, REASONS, SeriesBatch};
pub use clean_names::scrub_events;
pub use descriptor::SourceDescriptor;
pub use error::SourceError;
pub use recorded::{CollectedEvents, RecordedSeries, events};
pub use state::{SourceState, add_states, source_of};

/// Every kind of source, in the order in which help and docs list them.
pub static SOURCES: &[&SourceDescriptor] = &[
    // The default config has the first one switched on.
    &files::DESCRIPTOR,
    &newrelic::DESCRIPTOR,
    &cloudwatch::DESCRIPTOR,
];

/// A source of series that is asked over the network, day by day; the store keeps what it says.
#[async_trait]
pub trait SeriesSource: Send + Sync {
    /// Returns every series of a window.
    ///
    /// `window`: inside one UTC day, from a whole hour to a whole hour, over by the time of asking.
    /// The series are sorted by key, keys are unique, times strictly increasing and inside the window, values
    /// in base units; what was not measured is absent or NaN, never 0.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole. Half of an answer is no answer: it would be kept as all of it.
    async fn series(&self, window: Window) -> Result<SeriesBatch, SourceError>;

    /// Returns the source's clock by its last answer, UTC milliseconds; `None` where it does not say.
    fn clock_ms(&self) -> Option<i64> {
        None
    }
}

/// A source of deploys and other events that is asked over the network.
#[async_trait]
pub trait EventSource: Send + Sync {
    /// Returns the events that began inside a window.
    ///
    /// # Errors
    /// Whatever keeps the answer from being whole.
    async fn events(&self, window: Window) -> Result<EventBatch, SourceError>;
}

/// A source that can say what a window costs.
#[async_trait]
pub trait Estimated: Send + Sync {
    /// Says what asking for a window would take, by harmless calls only.
    ///
    /// # Errors
    /// What has to be known for that cannot be asked.
    async fn estimate(&self, window: Window) -> Result<Estimate, SourceError>;
}

/// A source whose permissions can be tried.
#[async_trait]
pub trait Checked: Send + Sync {
    /// Tries every permission by a harmless call; one check a permission, and whatever else is worth knowing.
    ///
    /// `now`: UTC milliseconds.
    async fn checks(&self, now: i64) -> Vec<SourceCheck>;
}

/// A source that is read where it is, at every report.
pub trait RecordedSource: Send + Sync {
    /// Decodes the points inside the window into a reader, which hands the series out.
    ///
    /// # Errors
    /// The first broken row in the order of files, with its place and reason.
    fn decode(&self, window: Window, reader: &mut Reader) -> Result<InputId, SourceError>;

    /// Reads all events.
    ///
    /// # Errors
    /// An event that cannot be understood; file and line are named.
    fn events(&self) -> Result<EventBatch, SourceError>;
}

/// A source, opened: keys read, nothing asked yet.
pub enum OpenSource {
    /// It is read where it is, at every report.
    Recorded(Box<dyn RecordedSource>),
    /// It is asked by `fortnight collect`, and reports read what the store kept.
    Collected(CollectedSource),
}

/// A source over the network, opened: what it can do. A source of events alone leaves the rest out.
#[derive(Clone, Default)]
pub struct CollectedSource {
    /// Its series, if it has any.
    pub series: Option<Arc<dyn SeriesSource>>,
    /// Its events, if it has any.
    pub events: Option<Arc<dyn EventSource>>,
    /// What asking it takes, if it can say so.
    pub estimated: Option<Arc<dyn Estimated>>,
    /// Its permissions, if it has any.
    pub checked: Option<Arc<dyn Checked>>,
    /// How far back it still answers, milliseconds.
    pub retention_ms: i64,
}

impl CollectedSource {
    /// Makes a source of something that can do everything.
    ///
    /// `retention_ms`: how far back it still answers, milliseconds.
    pub fn whole<T>(source: T, retention_ms: i64) -> Self
    where
        T: SeriesSource + EventSource + Estimated + Checked + 'static,
    {
        let source = Arc::new(source);
        Self {
            series: Some(source.clone()),
            events: Some(source.clone()),
            estimated: Some(source.clone()),
            checked: Some(source),
            retention_ms,
        }
    }

    /// Asks for every series of a window; none from a source of events.
    ///
    /// # Errors
    /// As [`SeriesSource::series`].
    pub async fn series(&self, window: Window) -> Result<SeriesBatch, SourceError> {
        match &self.series {
            Some(source) => source.series(window).await,
            None => Ok(SeriesBatch::default()),
        }
    }

    /// Returns the source's clock by its last answer, UTC milliseconds; `None` where it does not say.
    pub fn clock_ms(&self) -> Option<i64> {
        self.series.as_ref().and_then(|source| source.clock_ms())
    }

    /// Asks for the events that began inside a window; none from a source of series.
    ///
    /// # Errors
    /// As [`EventSource::events`].
    pub async fn events(&self, window: Window) -> Result<EventBatch, SourceError> {
        match &self.events {
            Some(source) => source.events(window).await,
            None => Ok(EventBatch::default()),
        }
    }

    /// Says what asking for a window would take; nothing where the source does not say.
    ///
    /// # Errors
    /// As [`Estimated::estimate`].
    pub async fn estimate(&self, window: Window) -> Result<Estimate, SourceError> {
        match &self.estimated {
            Some(source) => source.estimate(window).await,
            None => Ok(Estimate::default()),
        }
    }

    /// Tries every permission by a harmless call.
    ///
    /// `now`: UTC milliseconds.
    pub async fn checks(&self, now: i64) -> Vec<SourceCheck> {
        match &self.checked {
            Some(source) => source.checks(now).await,
            None => Vec::new(),
        }
    }
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
