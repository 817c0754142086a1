//! The document in the middle: what was found in a period, with its evidence. Its serialised form *is* `report.json`.
//!
//! `build` turns the judge's result into a [`Review`] and is the only place that does; numbers are rounded there, so that
//! what is read back equals what was built. Page, Markdown, terminal, `explain` and exit codes read only the document.
//!
//! Read `comparison`, `finding`, `deploy`, `series`, then `build`, `chapter` (what is shown) and `explanation`; `write`,
//! `read`, `pick` and `deploy_name` know the file and what is in it by name; `one_deploy` is one deploy of it, `archive` what is kept of many. `placebo` holds the
//! other document, that of `doctor --placebo`.
//!
//! This room must not choose words, colours or formats of numbers (`render` does), and must not judge (`detect` does).

pub mod archive;
mod audit;
mod build;
mod change;
pub mod chapter;
mod comparison;
mod deploy;
mod deploy_name;
pub mod explanation;
mod finding;
mod instant;
mod lookup;
pub mod notice;
pub mod one_deploy;
mod pick;
pub mod placebo;
pub mod read;
mod rounding;
#[cfg(test)]
pub(crate) mod sample;
mod series;
pub mod service;
mod settings;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod unattributed;
mod words;
mod write;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

pub use archive::{Archive, ArchivedReport, Reviewed, Told};
pub use audit::{Audit, CheckCounts, Counts, FindingCounts};
pub use build::{Input, build};
pub use change::{Change, Scale};
pub use comparison::{Burst, Comparison, Judged, Seen};
pub use deploy::{Deploy, Event, Group};
pub use deploy_name::{DeployMiss, DeployNames, pick_deploy};
pub use finding::{Finding, Fit, Hint, HintKind, Target, Topic};
pub use instant::{Instant, Span};
pub use notice::Notice;
pub use one_deploy::OneDeploy;
pub use pick::Miss;
pub use series::{Hours, Peak, Series};
pub use service::{Pooled, Service};
pub use settings::{Limits, Settings};
pub use source::{Note, Source, SourceHealth};
pub use unattributed::{Movement, Unattributed};
pub use words::Pattern;
pub use write::to_json;

use crate::model::diagnostic::Diagnostic;

/// Name and version of the format; a change that breaks readers gets a new number.
pub const SCHEMA: &str = "fortnight.report/1";

/// Returns the JSON Schema of the report.
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Review>().to_value()
}

/// What became worse relative to which deploy in one period, and how sure that is.
///
/// Every key is always there; what is not known is null, and so is a number without a finite value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "fortnight report")]
pub struct Review {
    /// Name and version of this format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// The window that was judged.
    pub period: Period,
    /// When the report was made, RFC 3339; the period's end unless told otherwise.
    pub generated_at: Instant,
    /// Heading of the report, empty for none.
    pub title: String,
    /// How each source fared.
    pub sources: Vec<Source>,
    /// What a reader should know of the input before the findings.
    #[serde(default)]
    pub notices: Vec<Notice>,
    /// Every judged deploy of the period, by time.
    pub deploys: Vec<Deploy>,
    /// What was found: worse by cost, then possibly worse, better, explained.
    pub findings: Vec<Finding>,
    /// Changes with no deploy near.
    #[serde(rename = "elsewhere")]
    pub unattributed: Vec<Unattributed>,
    /// The false-alarm rate at times without a deploy, measured on the same data.
    pub audit: Audit,
    /// How many findings there are, and how many checks are behind them.
    pub counts: Counts,
    /// What the report was made with.
    pub settings: Settings,
    /// Deploys as they are judged: close ones together.
    pub groups: Vec<Group>,
    /// Incidents, campaigns and drills of the compared hours.
    pub events: Vec<Event>,
    /// Every service with a series, by name.
    pub services: Vec<Service>,
    /// What was wrong with the input.
    pub diagnostics: Vec<Diagnostic>,
    /// Every series, by service, kind, target and signal.
    pub series: Vec<Series>,
    /// Every series against every deploy (group) of its service.
    pub comparisons: Vec<Comparison>,
}

/// A half-open window `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Period {
    /// First instant inside, RFC 3339.
    pub from: Instant,
    /// First instant outside, RFC 3339.
    pub to: Instant,
    /// IANA name of the report's time zone.
    pub timezone: String,
}
