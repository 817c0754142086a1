//! The settings that a reader of the report needs: languages, limits, holidays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::explanation::Holiday;
use crate::config::Language;

/// What the report was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Languages of the page; the first is shown first.
    #[schemars(with = "Vec<String>")]
    pub languages: Vec<Language>,
    /// Length of a period in days.
    pub period_days: u32,
    /// The false discovery rate that the report keeps.
    pub false_discovery: f64,
    /// The change that matters: relative and absolute must both be exceeded.
    pub limit: Limits,
    /// How many days before the period are used as baseline at most.
    pub baseline_days: u32,
    /// Deploys closer than this are judged as one group, seconds.
    pub group_s: f64,
    /// Left out after a deploy while caches fill, seconds.
    pub settle_s: f64,
    /// Data needed after a deploy before it is judged, seconds.
    pub min_after_s: f64,
    /// Share of the compared hours that must hold data.
    pub min_coverage: f64,
    /// Local dates that are treated as Sundays, from the first compared hour to the end of the period.
    pub holidays: Vec<Holiday>,
}

/// The smallest change that matters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Relative change, 0.1 for 10 %.
    pub relative: f64,
    /// Absolute change of a latency, milliseconds.
    pub latency_ms: f64,
    /// Absolute change of a share of errors, 0.001 for 0.1 percentage points.
    pub error_share: f64,
    /// Absolute change of a utilisation, percentage points.
    pub utilization_points: f64,
}
