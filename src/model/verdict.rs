//! What the judge says of one series at one deploy: the words of the contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The contract's verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An alarm: became worse at this deploy by more than the limit.
    Worse,
    /// Became worse beyond noise, but not surely by what matters or not surely here.
    PossiblyWorse,
    /// An alarm in the good direction.
    Better,
    /// Harm and gain of the size that matters are both ruled out.
    NoMaterialChange,
    /// Harm of the size that matters is ruled out.
    NotWorse,
    /// The evidence settles nothing.
    Inconclusive,
    /// Changed, but something other than the deploy explains it.
    Explained,
    /// The deploy is too fresh.
    TooEarly,
    /// Too little data to judge.
    NoData,
}

impl Verdict {
    /// Every verdict, the worst first.
    pub const ALL: [Self; 9] = [
        Self::Worse,
        Self::PossiblyWorse,
        Self::Better,
        Self::NoMaterialChange,
        Self::NotWorse,
        Self::Explained,
        Self::Inconclusive,
        Self::TooEarly,
        Self::NoData,
    ];

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::PossiblyWorse => "possibly_worse",
            Self::Better => "better",
            Self::NoMaterialChange => "no_material_change",
            Self::NotWorse => "not_worse",
            Self::Inconclusive => "inconclusive",
            Self::Explained => "explained",
            Self::TooEarly => "too_early",
            Self::NoData => "no_data",
        }
    }

    /// Tells whether it is one of the two alarms.
    pub fn is_alarm(self) -> bool {
        matches!(self, Self::Worse | Self::Better)
    }
}

/// What explains a change other than the deploy's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confounder {
    /// It moved along its load curve.
    Load,
    /// Siblings that were not deployed moved alike.
    Fleet,
    /// The mix of requests changed, no endpoint did.
    Mix,
    /// An incident, campaign or drill covers the hours.
    Event,
}

impl Confounder {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Fleet => "fleet",
            Self::Mix => "mix",
            Self::Event => "event",
        }
    }
}
