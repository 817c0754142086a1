//! How the verdict of a finding came about: everything that it was made of, so that a reader can check it.
//!
//! [`make()`] gathers it from the judgement and writes an [`Explanation`], which is part of the document. The page's folded
//! block and `fortnight explain` both lay out this one, so they cannot differ. Numbers are in the series' own unit; every
//! key is always there, and what is not known is `null`.

mod hours;
mod lead;
mod make;
mod rivals;

pub(crate) use make::make;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Scale};
use super::instant::{Instant, Span};
use crate::model::metric::{Class, Polarity, Unit};

/// How the verdict of a finding's leading comparison came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// What was measured.
    pub inputs: Inputs,
    /// The hours before the deploy.
    pub before: Side,
    /// The hours after it.
    pub after: Side,
    /// The deploy and its settling: between the two, left out of both.
    pub settling: Span,
    /// The change with its 95 % interval, beyond what time of day and load explain, as measured.
    pub estimate: Option<Change>,
    /// The change that matters here, and where it comes from.
    pub limit: Option<Limit>,
    /// The smallest change that would have been found with 80 % power, on the estimate's scale.
    pub detectable: Option<f64>,
    /// Two-sided p of no change.
    pub p_value: Option<f64>,
    /// p after control of the false discovery rate over the report.
    pub q_value: Option<f64>,
    /// The false discovery rate that the report keeps.
    pub false_discovery: f64,
    /// Share of the compared quarter hours that had data.
    pub coverage: Option<f64>,
    /// When the change began, if it was located.
    pub onset: Option<Span>,
    /// Share of the blame that falls on this deploy (group), 0 to 1.
    pub blame: Option<f64>,
    /// Other deploys (groups) that the same change may belong to, with their shares.
    pub other_deploys: Vec<OtherDeploy>,
    /// Share of the blame that falls on no deploy of the period.
    pub blame_elsewhere: Option<f64>,
    /// The line of the verdict table that fits.
    pub rule: Option<Rule>,
    /// What else could explain the change, and what was found about it.
    pub rivals: Vec<RivalCheck>,
    /// Facts beside the finding, never a claim of cause.
    pub facts: Vec<Fact>,
    /// Every comparison that moved with it, the leading one included.
    pub signals: Vec<Signal>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Inputs {
    /// Golden signal of the series.
    pub class: Class,
    /// Which way it gets better.
    pub better: Polarity,
    /// Typical seconds between points.
    pub step_s: f64,
    /// Id of the source that the series came from; empty where several had it, or where that is not known.
    pub source: Option<String>,
}

/// The hours on one side of the deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// The stretch that is compared.
    pub span: Span,
    /// Why the stretch begins (before) or ends (after) where it does.
    pub bound: Bound,
    /// Id of the deploy whose change bounds it, if one does.
    pub bound_deploy: Option<String>,
    /// Hours of the stretch.
    pub hours: f64,
    /// Hours that entered the comparison.
    pub used: f64,
    /// Hours that did not, by reason.
    pub left_out: Vec<LeftOut>,
    /// Local dates in the stretch that were treated as Sundays.
    pub as_sunday: Vec<Holiday>,
    /// Requests behind the hours used, where traffic is known.
    pub requests: Option<f64>,
    /// How the typical values of the hours used are spread; null under five hours.
    pub values: Option<Spread>,
}

/// Why a compared stretch goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The history that the report reads begins here.
    History,
    /// The series has no earlier point.
    FirstData,
    /// The period ends here.
    PeriodEnd,
    /// Another change of the series was located here.
    Change,
}

/// Hours that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub hours: f64,
    /// Ids of the events or deploys.
    pub ids: Vec<String>,
    /// Their titles, where they have one.
    pub titles: Vec<String>,
}

/// Why hours were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No data.
    Gap,
    /// Inside an incident.
    Incident,
    /// Inside a campaign.
    Campaign,
    /// Inside a drill.
    Drill,
    /// Inside a deploy or its settling.
    Deploy,
}

/// A local date that counts as Sunday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holiday {
    /// The date.
    #[schemars(extend("format" = "date"))]
    pub date: String,
    /// Its name, may be empty.
    pub name: String,
}

/// How the typical values of single hours are spread; the time of day is not taken out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Hours.
    pub n: usize,
    /// 5 of 100 hours lie below.
    pub p5: f64,
    /// A quarter lies below.
    pub p25: f64,
    /// Half lies below.
    pub median: f64,
    /// Three quarters lie below.
    pub p75: f64,
    /// 95 of 100 hours lie below.
    pub p95: f64,
    /// Hours in each of equal bins from `bins_from` to `bins_to`; what lies outside counts in the bins at the ends.
    pub bins: Vec<usize>,
    /// Lower end of the first bin, the same on both sides of the deploy.
    pub bins_from: f64,
    /// Upper end of the last bin.
    pub bins_to: f64,
}

/// The change that matters, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// The limit, on the estimate's scale: a ratio above 1, or a difference.
    pub value: f64,
    /// Which of the two was the larger: both must be exceeded.
    pub from: LimitFrom,
    /// The relative limit, 0.1 for 10 %.
    pub relative: f64,
    /// Key of the config that it comes from.
    pub relative_key: String,
    /// The absolute limit in the series' unit; null where there is none.
    pub absolute: Option<f64>,
    /// Key of the config that it comes from.
    pub absolute_key: Option<String>,
}

/// Which limit decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitFrom {
    /// The relative one.
    Relative,
    /// The absolute one.
    Absolute,
}

/// A deploy (group) that the same change may belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherDeploy {
    /// Number of the group on the page.
    pub number: usize,
    /// Ids of its deploys.
    pub deploys: Vec<String>,
    /// When it began, RFC 3339.
    pub at: Instant,
    /// Its share of the blame.
    pub blame: f64,
}

/// The line of the verdict table that fits, with the numbers put in. All of them are **in the bad direction**: above
/// 1 (a ratio) or 0 (a difference) is worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// The verdict of the first line that fits: estimate, interval and limit alone.
    pub line: String,
    /// Its condition.
    pub condition: String,
    /// The estimate.
    pub e: Option<f64>,
    /// Lower end of its interval.
    pub l: Option<f64>,
    /// Upper end of its interval.
    pub u: Option<f64>,
    /// The limit; a gain of the same size is 1 / limit, or - limit.
    pub limit: Option<f64>,
    /// The verdict that the comparison got in the end.
    pub verdict: String,
    /// Why the alarm of the line was taken back.
    pub taken_back: Vec<TakenBack>,
}

/// Why an alarm was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TakenBack {
    /// It does not stand out among all comparisons of the report.
    FalseDiscovery,
    /// It was not located at this deploy.
    Location,
    /// Something else explains it.
    Explained,
}

/// Something else that could explain the change, and what was found about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RivalCheck {
    /// What it is.
    pub rival: RivalKind,
    /// Whether it explains the change.
    pub answer: Answer,
    /// `load`: the ratio before the load was taken out. `drift`: the drift over the whole history.
    pub plain: Option<f64>,
    /// `load`: the ratio that is left. `low_traffic`: requests a minute in the typical hour.
    pub left: Option<f64>,
    /// `fleet`: other services that moved. `event`: events that touch the hours. `deploys`: other deploys in question.
    /// `by_itself`: false alarms of the placebo audit.
    pub count: Option<usize>,
    /// `fleet`: other services looked at. `by_itself`: placebo tests of the report.
    pub of: Option<usize>,
    /// `by_itself`: share of the blame on moments without a deploy.
    pub share: Option<f64>,
    /// Names that belong to it: events, services, deploys.
    pub names: Vec<String>,
}

/// What could explain a change besides the deploy's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RivalKind {
    /// More or fewer requests.
    Load,
    /// Other services moved alike.
    Fleet,
    /// Another mix of requests.
    Mix,
    /// An incident, campaign or drill.
    Event,
    /// Other deploys.
    Deploys,
    /// A slow drift.
    Drift,
    /// It moved by itself.
    ByItself,
    /// Too few requests.
    LowTraffic,
}

impl RivalKind {
    /// Returns the word of the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Fleet => "fleet",
            Self::Mix => "mix",
            Self::Event => "event",
            Self::Deploys => "deploys",
            Self::Drift => "drift",
            Self::ByItself => "by_itself",
            Self::LowTraffic => "low_traffic",
        }
    }
}

/// Whether a rival explains the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It does.
    Explains,
    /// It explains a part of what was seen; the rest is the estimate.
    Partly,
    /// It cannot be ruled out.
    Perhaps,
    /// It was taken out before the comparison.
    TakenOut,
    /// It does not.
    No,
    /// Nothing is known about it.
    CannotTell,
    /// It is not looked at for such a series.
    NotChecked,
}

impl Answer {
    /// Returns the word of the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explains => "explains",
            Self::Partly => "partly",
            Self::Perhaps => "perhaps",
            Self::TakenOut => "taken_out",
            Self::No => "no",
            Self::CannotTell => "cannot_tell",
            Self::NotChecked => "not_checked",
        }
    }
}

/// A fact beside a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What was looked at.
    #[schemars(extend("enum" = ["database_time", "traffic", "processor", "errors"]))]
    pub fact: String,
    /// Whether it moved in the direction that would explain the finding.
    #[schemars(extend("enum" = ["fits", "does_not_fit", "cannot_tell"]))]
    pub fit: String,
    /// What it was measured on.
    pub target: String,
    /// The signal.
    pub signal: String,
    /// Unit of a difference.
    pub unit: String,
    /// Its change at the same deploy.
    pub change: Option<Change>,
    /// Its level before, in `unit`. Null in reports of versions that did not write it.
    #[serde(default)]
    pub before: Option<f64>,
}

impl Fact {
    /// Returns the level before in the base unit.
    pub fn level_before(&self, unit: Unit) -> Option<f64> {
        self.before.map(|level| level * unit.factor)
    }
}

/// A comparison that moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// The endpoint, statement or resource.
    pub target: String,
    /// The signal.
    pub signal: String,
    /// Unit of the levels and of a difference.
    pub unit: String,
    /// Which way it gets better.
    pub better: Polarity,
    /// Typical level before.
    pub before: Option<f64>,
    /// Typical level after.
    pub after: Option<f64>,
    /// The change.
    pub change: Option<Change>,
    /// The verdict.
    pub verdict: String,
}
