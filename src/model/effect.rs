//! How large a change is: one estimate on one scale, with its interval, its limit and what was taken out of it.
//!
//! Positive values of an [`Effect`] mean that the value went up, whatever is better. Inside the program differences are
//! in base units; a report holds them in the unit of its series.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::Confounder;

/// How a change is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Natural logarithm of after / before; 0 is no change.
    LogRatio,
    /// After - before; 0 is no change.
    Difference,
}

/// An estimate with its 95 % interval, **as measured**: positive means the value went up, whatever is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Best estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The change of one series at one deploy.
///
/// Every number of it is on its one scale, so that no reader has to choose between a ratio and a difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// How the change is counted.
    pub scale: Scale,
    /// The change beyond what time of day, load and other confounders explain.
    pub estimate: Estimate,
    /// The change that matters, above 0; infinite when none could.
    pub limit: f64,
    /// The smallest change that would have been found with 80 % power.
    pub detectable: Option<f64>,
    /// The change before anything was taken out of it; equal to the estimate's value where nothing was.
    pub unadjusted: f64,
    /// What was taken out, in order.
    pub adjustments: Vec<Adjustment>,
}

/// What was taken out of an effect: `unadjusted` minus all amounts is the estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adjustment {
    /// What explains that part of the change.
    pub confounder: Confounder,
    /// How much of it, on the effect's scale.
    pub amount: f64,
}
