//! Changes that no deploy explains.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Scale};
use super::instant::Span;
use super::words::KINDS;
use crate::model::metric::{Kind, Unit};

/// A change that no deploy explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unattributed {
    /// The service.
    pub service: Arc<str>,
    /// What it was measured on.
    #[schemars(with = "String", extend("enum" = KINDS))]
    pub kind: Kind,
    /// The endpoint, statement or resource.
    pub target: Arc<str>,
    /// The signal.
    pub signal: Arc<str>,
    /// Unit of `delta`.
    #[schemars(with = "String")]
    pub unit: Unit,
    /// A step, or a slow climb or fall.
    #[schemars(with = "String", extend("enum" = ["shift", "drift"]))]
    pub change: Movement,
    /// When it happened; for a drift the span it was seen over.
    pub at: Span,
    /// After / before.
    pub ratio: Option<f64>,
    /// 95 % interval of `ratio`.
    pub ratio_ci: Option<[f64; 2]>,
    /// After - before, for shares near zero.
    pub delta: Option<f64>,
    /// 95 % interval of `delta`.
    pub delta_ci: Option<[f64; 2]>,
    /// Typical level in the week before a step, or in the first week of a drift. Null where nothing is known of it, and in
    /// reports of versions that did not write it.
    #[serde(default)]
    pub before: Option<f64>,
    /// `before` changed by the estimate.
    #[serde(default)]
    pub after: Option<f64>,
    /// Two-sided p of no change.
    pub p_value: Option<f64>,
    /// It is for the worse.
    pub worse: bool,
    /// Index of its series in `series`.
    pub series: usize,
}

/// How a series moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Movement {
    /// A step.
    Shift,
    /// A slow climb or fall over the whole history.
    Drift,
}

impl Unattributed {
    /// Returns the level before it in the base unit.
    pub fn level_before(&self) -> Option<f64> {
        self.before.map(|level| level * self.unit.factor)
    }

    /// Returns the level after it in the base unit.
    pub fn level_after(&self) -> Option<f64> {
        self.after.map(|level| level * self.unit.factor)
    }

    /// Returns its size with its interval.
    pub fn size(&self) -> Change {
        let of = |scale, value: Option<f64>, ci: Option<[f64; 2]>| Change {
            scale,
            value,
            low: ci.map(|ci| ci[0]),
            high: ci.map(|ci| ci[1]),
        };
        match self.delta {
            Some(_) => of(Scale::Difference, self.delta, self.delta_ci),
            None => of(Scale::Ratio, self.ratio, self.ratio_ci),
        }
    }
}
