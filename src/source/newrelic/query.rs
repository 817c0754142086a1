//! Query text is data: loads `queries/<source>/*` and the user's own folder, fills placeholders, refuses unknown ones.
//!
//! # A query file
//!
//! ```text
//! -- id: apm_operations                  unique over all files
//! -- about: what it gives                optional
//! -- use: series                         or `versions`: which versions ran when
//! -- applications: apm                   or `otel`, or `none`: what {applications} holds
//! -- service: appName                    the facet that names the service; `… by |` when it holds several
//! -- kind: operation                     or datastore, resource
//! -- target: {name}                      made of facets
//! -- grain: step                         the width of the configuration; or `hour`
//! -- longest: 6 hours                    optional: the longest window of one request
//! -- split: name                         optional: the facet by which a truncated answer is taken apart
//! -- top: 50                             optional: the text takes only so many facets, on purpose
//! -- signal: latency_p95 = p.95; unit s; class latency; better lower; absent unknown
//! SELECT percentile(duration, 95) AS 'p' FROM … WHERE appName IN ({applications}){narrow} FACET appName, name
//! SINCE {since} UNTIL {until} TIMESERIES {step} LIMIT MAX
//! ```
//!
//! A signal is a column, a part of a column (`p.95`), or a column divided by another or by `seconds`, the width of a
//! bucket. `absent zero` says that a column without a value, in a bucket that has the divisor, is nothing rather
//! than unknown; anything else that is absent is a gap.

use std::path::PathBuf;

use crate::model::metric::{Class, Kind, Polarity, Unit};

/// One query with what its header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Unique over all files.
    pub id: String,
    /// File and line of the id, for messages.
    pub place: String,
    /// What it is for.
    pub purpose: Purpose,
    /// What `{applications}` holds.
    pub applications: Applications,
    /// The facet that names the service.
    pub service: String,
    /// What separates several services in that facet.
    pub service_separator: Option<String>,
    /// What the series are measured on.
    pub kind: Kind,
    /// The series' target with facets in braces.
    pub target: String,
    /// Always whole hours, whatever the configuration says.
    pub is_hourly: bool,
    /// The longest window of one request, milliseconds.
    pub longest_ms: Option<i64>,
    /// The facet by which an answer that is too large is taken apart.
    pub split: Option<String>,
    /// How many facets the text takes on purpose.
    pub top: Option<usize>,
    /// What the columns mean; empty for versions.
    pub signals: Vec<Signal>,
    /// The text with its placeholders, in one line.
    pub text: String,
}

/// What a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Points of series.
    Series,
    /// Versions with their first and last sight.
    Versions,
}

/// Which names `{applications}` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Applications {
    /// Those of APM agents.
    Apm,
    /// Services that speak OpenTelemetry.
    Otel,
    /// No such placeholder.
    None,
}

/// One signal of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The contract's name, or one of the user's.
    pub name: String,
    /// The column.
    pub column: String,
    /// The part of a column that is an object: a percentile's number.
    pub part: Option<f64>,
    /// What it is divided by.
    pub divisor: Divisor,
    /// Unit of the result.
    pub unit: Unit,
    /// Golden signal.
    pub class: Class,
    /// Which way is better.
    pub better: Polarity,
    /// No value in a bucket that has the divisor means 0.
    pub is_zero_when_absent: bool,
}

/// What a column is divided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Divisor {
    /// Nothing.
    One,
    /// The width of the bucket in seconds.
    Seconds,
    /// Another column; a quotient by nothing is a gap.
    Column(String),
}

/// What is wrong with the query files. Every text names file and line.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The folder or a file cannot be read.
    #[error("{}: the queries cannot be read", path.display())]
    Read {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds no query.
    #[error("{}: no file ends in `.nrql`", .0.display())]
    Empty(PathBuf),
    /// Something in a file has no meaning.
    #[error("{place}: {reason}")]
    Wrong {
        /// `folder/file.nrql:3`.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

impl QueryError {
    /// Returns what to do next.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Read { .. } | Self::Empty(_) => {
                Some("`queries` in the configuration names a folder with files that end in `.nrql`".to_owned())
            }
            Self::Wrong { .. } => Some("what a query file holds is told in queries/README.md".to_owned()),
        }
    }
}
