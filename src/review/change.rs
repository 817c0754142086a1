//! Changes of the document: a ratio or a difference in the unit of the series, and the one place where a change
//! becomes an [`Effect`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rounding::finite;
use crate::model::effect::{self, Estimate};
use crate::model::metric::Unit;

/// How a change is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// After / before; 1 is no change.
    Ratio,
    /// After - before in the series' unit; 0 is no change.
    Difference,
}

impl From<effect::Scale> for Scale {
    fn from(scale: effect::Scale) -> Self {
        match scale {
            effect::Scale::LogRatio => Self::Ratio,
            effect::Scale::Difference => Self::Difference,
        }
    }
}

impl Scale {
    /// Returns a value of the judge's scale (log ratio, or difference in the base unit) as the document has it.
    pub fn written(self, value: f64, unit: Unit) -> Option<f64> {
        match self {
            Self::Ratio => finite(value.exp()),
            Self::Difference => finite(value / unit.factor),
        }
    }

    /// Returns a value of the document on the judge's scale; NaN for one that is not known.
    ///
    /// The opposite of [`written`](Self::written): a ratio gives its logarithm, a difference its base unit.
    pub fn read(self, value: Option<f64>, unit: Unit) -> f64 {
        match (value, self) {
            (Some(value), Self::Ratio) => value.ln(),
            (Some(value), Self::Difference) => value * unit.factor,
            (None, _) => f64::NAN,
        }
    }

    /// Returns the scale of [`Effect`](effect::Effect) that it is.
    pub fn of_effect(self) -> effect::Scale {
        match self {
            Self::Ratio => effect::Scale::LogRatio,
            Self::Difference => effect::Scale::Difference,
        }
    }
}

/// A change with its 95 % interval, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// How it is counted.
    pub scale: Scale,
    /// Best estimate; null if it has no finite value.
    pub value: Option<f64>,
    /// Lower end of the interval; null if it is open.
    pub low: Option<f64>,
    /// Upper end of the interval; null if it is open.
    pub high: Option<f64>,
}

impl Change {
    /// Writes an estimate of the judge, which is on a log scale or in the base unit.
    pub fn new(scale: Scale, estimate: Estimate, unit: Unit) -> Self {
        let written = |value| scale.written(value, unit);
        Self { scale, value: written(estimate.value), low: written(estimate.low), high: written(estimate.high) }
    }

    /// Makes a change without an interval.
    pub fn point(scale: Scale, value: Option<f64>) -> Self {
        Self { scale, value, low: None, high: None }
    }

    /// Returns the estimate as log ratios or in the base unit; what is not known is NaN.
    pub fn estimate(self, unit: Unit) -> Estimate {
        let read = |value| self.scale.read(value, unit);
        Estimate { value: read(self.value), low: read(self.low), high: read(self.high) }
    }
}
