//! One series of the period: its level, its change against the period before, and what charts draw of it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Change;
use super::instant::Instant;
use super::words::KINDS;
use crate::model::metric::{Class, Kind, Polarity, SeriesKey, Unit};

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// The service.
    pub service: Arc<str>,
    /// What it was measured on.
    #[schemars(with = "String", extend("enum" = KINDS))]
    pub kind: Kind,
    /// The endpoint, statement or resource.
    pub target: Arc<str>,
    /// The signal.
    pub signal: Arc<str>,
    /// Unit of every value.
    #[schemars(with = "String")]
    pub unit: Unit,
    /// Golden signal.
    pub class: Class,
    /// Which way it gets better.
    pub better: Polarity,
    /// Typical seconds between points.
    pub step_s: Option<f64>,
    /// Account that it runs in; empty if unknown.
    pub account: Arc<str>,
    /// Share of the period's points that were there.
    pub coverage: Option<f64>,
    /// Typical level in the period.
    pub level: Option<f64>,
    /// Typical level in the period before.
    pub level_before: Option<f64>,
    /// Change of the period against the span of the same length before it, hour of week matched.
    pub change: Option<Change>,
    /// Largest value in the period, and when.
    pub peak: Option<Peak>,
    /// Of a resource with a limit: hours of the period in which it came to 90 % of the limit or more. Null for everything
    /// else, and in reports of versions that did not write it.
    #[serde(default)]
    pub hours_near_limit: Option<usize>,
    /// Requests × latency over the period, seconds; for latency of operations and datastores.
    pub total_time_s: Option<f64>,
    /// Requests in the period, where traffic is known.
    pub requests: Option<f64>,
    /// The period in 56 equal steps, the largest hourly value of each; where a table draws it.
    pub line: Option<Vec<Option<f64>>>,
    /// Typical value of each hour of the whole history; where a chart draws it.
    pub hours: Option<Hours>,
    /// Largest value of each hour of the period; where a chart draws it.
    pub peaks: Option<Hours>,
}

/// A largest value, and when it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Peak {
    /// The value.
    pub value: f64,
    /// Start of its interval.
    pub at: Instant,
}

/// Values hour by hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hours {
    /// Start of the first hour.
    pub from: Instant,
    /// One value an hour; null is missing.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// Returns what it is of.
    pub fn key(&self) -> SeriesKey {
        SeriesKey {
            service: self.service.clone(),
            kind: self.kind,
            target: self.target.clone(),
            signal: self.signal.clone(),
        }
    }

    /// Returns the parts that name its target; series of one target are neighbours in the list.
    pub fn of_target(&self) -> (&str, Kind, &str) {
        (&self.service, self.kind, &self.target)
    }

    /// Returns the order of the list.
    pub fn order(&self) -> (&str, Kind, &str, &str) {
        (&self.service, self.kind, &self.target, &self.signal)
    }

    /// Returns whether its target is its service as a whole.
    pub fn is_whole_service(&self) -> bool {
        self.key().is_whole_service()
    }

    /// Returns a value of it in the base unit; NaN for one that is missing.
    pub fn base(&self, value: Option<f64>) -> f64 {
        value.map_or(f64::NAN, |value| value * self.unit.factor)
    }
}
