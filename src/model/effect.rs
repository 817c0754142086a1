//! How large a change is: one estimate on one scale, with its interval, its limit and what was taken out of it.
//!
//! Positive values mean that the value went up, whatever is better. Inside the program differences are in base units; a
//! report holds them in the unit of its series.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::Confounder;

/// How a change is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Natural logarithm of after / before; 0 is no change.
    LogRatio,
    /// After - before; 0 is no change.
    Difference,
}

impl Scale {
    /// Tells whether changes are differences in a base unit.
    pub fn is_difference(self) -> bool {
        self == Self::Difference
    }

    /// Returns the level after a change of this size.
    pub fn after(self, before: f64, change: f64) -> f64 {
        match self {
            Self::LogRatio => before * change.exp(),
            Self::Difference => before + change,
        }
    }
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

impl Estimate {
    /// Returns the estimate moved by an exact amount, interval and all.
    pub fn moved(self, by: f64) -> Self {
        Self { value: self.value + by, low: self.low + by, high: self.high + by }
    }

    /// Returns the estimate without an amount that is itself uncertain.
    ///
    /// `error`: half the width of the amount's 95 % interval. The two errors add as independent ones.
    pub fn without(self, amount: f64, error: f64) -> Self {
        let value = self.value - amount;
        let side = |end: f64| (end - self.value).hypot(error);
        Self { value, low: value - side(self.low), high: value + side(self.high) }
    }
}

/// A change with the scale that it is counted on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScaledEstimate {
    /// How the change is counted.
    pub scale: Scale,
    /// The change.
    pub estimate: Estimate,
}

impl ScaledEstimate {
    /// Returns the log ratio, of a change that is one.
    pub fn log_ratio(self) -> Option<Estimate> {
        (self.scale == Scale::LogRatio).then_some(self.estimate)
    }

    /// Returns the difference in the base unit, of a change that is one.
    pub fn difference(self) -> Option<Estimate> {
        (self.scale == Scale::Difference).then_some(self.estimate)
    }
}

/// The change of one series at one deploy.
///
/// Every number of it is on its one scale, so that no reader has to choose between a ratio and a difference. The two
/// fields that are not say so.
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
    /// With a difference: the same change as a log ratio, where the levels allow one. Only to be read: no verdict rests
    /// on it.
    pub secondary_ratio: Option<Estimate>,
    /// `secondary_ratio` before anything was taken out, where something was.
    pub secondary_unadjusted: Option<f64>,
}

/// What was taken out of an effect: `unadjusted` minus all amounts is the estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adjustment {
    /// What explains that part of the change.
    pub confounder: Confounder,
    /// How much of it, on the effect's scale.
    pub amount: f64,
    /// What showed it.
    pub evidence: AdjustmentEvidence,
}

/// What showed that something other than the deploy explains a part of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentEvidence {
    /// Traffic changed at the same deploy.
    Load {
        /// Typical requests of a quarter hour before.
        requests_before: f64,
        /// The same after.
        requests_after: f64,
    },
    /// Services that were not deployed moved alike.
    Fleet(PeerEvidence),
    /// The shares of the operations changed.
    Mix {
        /// Operations that the whole was composed of.
        operations: usize,
    },
    /// An incident, campaign or drill covers the hours, or the change began with it.
    Event {
        /// Id of the event.
        id: String,
    },
}

impl AdjustmentEvidence {
    /// Returns what it is evidence of.
    pub fn confounder(&self) -> Confounder {
        match self {
            Self::Load { .. } => Confounder::Load,
            Self::Fleet(_) => Confounder::Fleet,
            Self::Mix { .. } => Confounder::Mix,
            Self::Event { .. } => Confounder::Event,
        }
    }
}

/// How the services that were not deployed at the time moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerEvidence {
    /// Services that moved as far the same way, by name.
    pub moved: Vec<String>,
    /// Services whose own noise would have shown such a movement, those that moved among them.
    pub looked_at: usize,
}

impl Effect {
    /// Returns an effect of which nothing was taken out.
    pub fn new(scale: Scale, estimate: Estimate, limit: f64, detectable: Option<f64>) -> Self {
        Self {
            scale,
            estimate,
            limit,
            detectable,
            unadjusted: estimate.value,
            adjustments: Vec::new(),
            secondary_ratio: None,
            secondary_unadjusted: None,
        }
    }

    /// Returns the size of the change in limits: 1 is what matters.
    pub fn size_in_limits(&self) -> f64 {
        self.estimate.value.abs() / self.limit
    }

    /// Returns the change with its scale.
    pub fn scaled(&self) -> ScaledEstimate {
        ScaledEstimate { scale: self.scale, estimate: self.estimate }
    }

    /// Returns the log ratio, be it what was judged or only beside it.
    pub fn log_ratio(&self) -> Option<Estimate> {
        self.scaled().log_ratio().or(self.secondary_ratio)
    }

    /// Returns the difference in the base unit, of an effect that is counted so.
    pub fn difference(&self) -> Option<Estimate> {
        self.scaled().difference()
    }

    /// Returns the change before anything was taken out of it, where something was.
    pub fn seen(&self) -> Option<f64> {
        (!self.adjustments.is_empty()).then_some(self.unadjusted)
    }

    /// Records a part of what was seen that the estimate never held.
    pub fn add_seen(&mut self, evidence: AdjustmentEvidence, amount: f64) {
        self.unadjusted += amount;
        self.record(evidence, amount);
    }

    /// Records what was seen where the estimate did not look.
    pub fn replace_seen(&mut self, evidence: AdjustmentEvidence, seen: f64) {
        self.record(evidence, seen - self.unadjusted);
        self.unadjusted = seen;
    }

    fn record(&mut self, evidence: AdjustmentEvidence, amount: f64) {
        self.adjustments.push(Adjustment { confounder: evidence.confounder(), amount, evidence });
    }

    /// Takes an amount out of the estimate.
    ///
    /// `error`: half the width of the amount's 95 % interval. `before`: the level before, of which a difference is a ratio.
    pub fn adjust(&mut self, evidence: AdjustmentEvidence, amount: f64, error: f64, before: Option<f64>) {
        self.estimate = self.estimate.without(amount, error);
        self.record(evidence, amount);
        if self.scale == Scale::Difference {
            self.secondary_unadjusted = self.secondary_unadjusted.or(self.secondary_ratio.map(|ratio| ratio.value));
            let Estimate { value, low, high } = self.estimate;
            let ratio = |before: f64| [value, low, high].map(|change| ratio_of(change, before));
            self.secondary_ratio = before
                .filter(|before| *before > 0.0)
                .map(ratio)
                .filter(|ends| ends.iter().all(|end| end.is_finite()))
                .map(|[value, low, high]| Estimate { value, low, high });
        }
    }

    /// Returns the limit as a log ratio to the level before; infinite where there is none.
    pub fn limit_ratio(&self, before: Option<f64>) -> f64 {
        self.as_ratio(self.limit, before).unwrap_or(f64::INFINITY)
    }

    /// Returns the detectable change as a log ratio to the level before, where there is one.
    pub fn detectable_ratio(&self, before: Option<f64>) -> Option<f64> {
        self.as_ratio(self.detectable?, before)
    }

    fn as_ratio(&self, size: f64, before: Option<f64>) -> Option<f64> {
        match self.scale {
            Scale::LogRatio => Some(size),
            Scale::Difference => before.filter(|before| *before > 0.0).map(|before| ratio_of(size, before)),
        }
    }
}

/// Returns a difference as a log ratio of the level that it leads to and the level before.
fn ratio_of(difference: f64, before: f64) -> f64 {
    (difference / before).ln_1p()
}
