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

    /// Returns whether it is one of the two alarms.
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

/// Why a comparison whose level did not change is no proof that nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Many values are zero, so the level says nothing of the mean.
    MostlyZero,
    /// A change with no deploy of its own began within a day after this deploy.
    LaterChange,
    /// The values after the deploy climb towards the limit or beyond it.
    Slope,
    /// Harm at some hours of the day or week cannot be ruled out.
    SomeHours,
    /// Too few of the usual hours of the week have passed since the deploy.
    FewHours,
    /// Harm under some load cannot be ruled out.
    UnderLoad,
    /// Short bad spells became more frequent.
    Spells,
    /// The values are rounded so coarsely that a change may hide in the rounding.
    Rounded,
    /// Most of the traffic was gone after the deploy.
    TrafficLost,
    /// The values are probably not of the unit that they are said to be.
    Units,
    /// There is no data before the deploy.
    New,
    /// There is no data after the deploy.
    Gone,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::MostlyZero,
        Self::LaterChange,
        Self::Slope,
        Self::SomeHours,
        Self::FewHours,
        Self::UnderLoad,
        Self::Spells,
        Self::Rounded,
        Self::TrafficLost,
        Self::Units,
        Self::New,
        Self::Gone,
    ];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MostlyZero => "mostly_zero",
            Self::LaterChange => "later_change",
            Self::Slope => "slope",
            Self::SomeHours => "some_hours",
            Self::FewHours => "few_hours",
            Self::UnderLoad => "under_load",
            Self::Spells => "spells",
            Self::Rounded => "rounded",
            Self::TrafficLost => "traffic_lost",
            Self::Units => "units",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}
