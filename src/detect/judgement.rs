//! What detection says about a report: the result of the judge, in memory and by index.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::fingerprint::FindingFingerprint;
use crate::model::effect::{Effect, Scale, ScaledEstimate};
use crate::model::event::DeployGroup;
use crate::model::metric::{Class, Polarity, SeriesKey, Unit};
use crate::model::missing;
use crate::model::time::Window;
use crate::model::verdict::{Confounder, Reason, Verdict};

/// The shape of a change over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// Still there at the end of the data.
    Sustained,
    /// Went away at `until` (UTC ms); `by` is the deploy group that took it back, if one did.
    Recovered {
        /// When the old level was back.
        until: i64,
        /// Index into [`Judgement::groups`]; set by [`merge`](super::merge).
        #[serde(skip)]
        by: Option<usize>,
    },
    /// Bad only in the first minutes after the deploy.
    Burst,
    /// Only the high percentiles moved.
    TailOnly,
    /// The new level was reached bit by bit.
    Gradual {
        /// From when on the new level stood, UTC ms.
        until: i64,
    },
    /// The old level held on for a while after the deploy.
    Delayed {
        /// By when it was given up, UTC ms.
        until: i64,
    },
}

impl Pattern {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sustained => "sustained",
            Self::Recovered { .. } => "recovered",
            Self::Gradual { .. } => "gradual",
            Self::Delayed { .. } => "delayed",
            Self::Burst => "burst",
            Self::TailOnly => "tail_only",
        }
    }
}

/// One series against one deploy group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Index into [`Judgement::series`]; set by [`merge`](super::merge).
    #[serde(skip)]
    pub series: usize,
    /// Index into [`Judgement::groups`]; set by [`merge`](super::merge).
    #[serde(skip)]
    pub group: usize,
    /// The verdict.
    pub verdict: Verdict,
    /// With [`Verdict::Explained`]: by what.
    pub explained_by: Option<Confounder>,
    /// Shape of the change, if there is one.
    pub pattern: Option<Pattern>,
    /// Typical level before, base unit; `None` without data.
    pub before: Option<f64>,
    /// Typical level after, base unit: `before` changed by the estimate.
    pub after: Option<f64>,
    /// The change beyond time of day and load, if there is an estimate.
    pub effect: Option<Effect>,
    /// A bad spell right after the deploy, if there was one.
    pub burst: Option<Burst>,
    /// Two-sided p of no change.
    pub p_value: Option<f64>,
    /// p after control of the false discovery rate over the report.
    pub q_value: Option<f64>,
    /// Share of the compared hours that had data.
    pub coverage: f64,
    /// The hours compared before the deploy.
    pub before_window: Window,
    /// The hours compared after it.
    pub after_window: Window,
    /// When the change began, as an interval, if one was located.
    pub onset: Option<Window>,
    /// Share of the blame that falls on this group when a change was located near it, 0 to 1.
    pub blame: Option<f64>,
    /// Seconds of waiting added so far (negative: saved), for latency of operations with known traffic.
    pub cost_s: Option<f64>,
    /// When a fresh deploy can be judged, with [`Verdict::TooEarly`], UTC ms.
    pub ready_at: Option<i64>,
    /// What keeps the estimate from being a claim of absence, if anything does.
    pub reason: Option<Reason>,
    /// What the verdict rests on.
    pub evidence: Evidence,
}

/// A bad spell that begins with a deploy and is soon over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// When it was over, UTC ms.
    pub until: i64,
    /// How far the values lay beyond the usual.
    pub size: f64,
    /// How `size` is counted: as the comparison's effect.
    pub scale: Scale,
    /// Probability of as much at a moment without a deploy.
    pub p_value: f64,
    /// Seconds of waiting it added, for latency of operations with known traffic.
    pub cost_s: Option<f64>,
}

/// A fact that fits or does not fit a finding. Never a claim of cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Time in the database per request moved alike.
    DatabaseTime(Fit),
    /// Traffic moved.
    Traffic(Fit),
    /// The processor of the service became busier.
    Processor(Fit),
    /// Errors moved.
    Errors(Fit),
}

/// Whether a hint fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It moved in the direction that would explain the finding.
    Fits,
    /// It did not move, or moved the other way.
    DoesNotFit,
    /// Its own evidence settles nothing.
    CannotTell,
}

/// One target of a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The comparison that tells it best, as an index into [`Judgement::comparisons`].
    pub lead: usize,
    /// Every comparison of the target at this group that moved, the lead included.
    pub members: Vec<usize>,
    /// The lead's verdict.
    pub verdict: Verdict,
    /// Seconds of waiting added (negative: saved).
    pub cost_s: f64,
    /// Requests that failed more (negative: fewer), of error signals whose traffic is known.
    pub failed: Option<f64>,
}

/// What the report tells: one change at one deploy group, with every target that it moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Stable id, `F-` and six hexadecimal digits: made of the fingerprint and the start of the deploy group.
    pub id: String,
    /// What is the same when the trouble comes back at another deploy.
    pub fingerprint: FindingFingerprint,
    /// Index into [`Judgement::groups`].
    pub group: usize,
    /// [`Verdict::Worse`], [`Verdict::PossiblyWorse`], [`Verdict::Better`], [`Verdict::Explained`]; with
    /// [`Pattern::Burst`] the verdict on what lasts.
    pub verdict: Verdict,
    /// The comparison that tells it best, as an index into [`Judgement::comparisons`]: of the first target.
    pub lead: usize,
    /// The targets that moved, the worst first; behind operations the datastores that moved with them.
    pub targets: Vec<Target>,
    /// Every comparison of every target that moved.
    pub members: Vec<usize>,
    /// Shape of the change.
    pub pattern: Option<Pattern>,
    /// Facts beside it, each with the comparison that shows it.
    pub hints: Vec<(Hint, usize)>,
    /// Seconds of waiting added to all targets (negative: saved); what datastores add is part of it, not more.
    pub cost_s: f64,
    /// Requests of all targets that failed more (negative: fewer), where any of it is known.
    pub failed: Option<f64>,
    /// The hours in which users felt it: from the deploy until the old level was back, or to the end of the period.
    pub felt: Window,
}

/// What changed with no deploy near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnattributedKind {
    /// A step.
    Shift,
    /// A slow climb or fall over the whole history.
    Drift,
}

/// A change that no deploy explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unattributed {
    /// Index into [`Judgement::series`]; set by [`merge`](super::merge).
    #[serde(skip)]
    pub series: usize,
    /// Step or drift.
    pub kind: UnattributedKind,
    /// When it happened (interval); for a drift the span it was seen over.
    pub at: Window,
    /// The change: a log ratio, for shares near zero a difference.
    pub change: ScaledEstimate,
    /// The level before it in the base unit, where the judge knows it exactly: the share of requests that failed.
    pub before: Option<f64>,
    /// Two-sided p.
    pub p_value: f64,
    /// It is for the worse.
    pub is_worse: bool,
}

/// How often the judge cries when nothing was deployed, measured on the same data.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Audit {
    /// Placebo deploys judged.
    pub tests: usize,
    /// Alarms among them.
    pub false_alarms: usize,
    /// Alarms of the report that must be expected to be false: the larger of what the placebos say and of what the
    /// false discovery rate allows.
    pub expected_false: f64,
    /// The p below which a comparison could become an alarm here.
    pub p_threshold: f64,
}

/// One series as the report draws it: hourly, in base units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesSummary {
    /// What it is of.
    pub key: SeriesKey,
    /// The input's unit.
    pub unit: Unit,
    /// Golden signal.
    pub class: Class,
    /// Which way it gets worse.
    pub direction: Polarity,
    /// Typical step between points, milliseconds.
    pub step_ms: i64,
    /// Start of the first hour in which anything is known, UTC ms, a whole hour. The lists end with the last such hour.
    pub start: i64,
    /// Typical value of each hour (median of its points; for errors, requests-weighted mean); NaN is missing.
    #[serde(with = "missing::list")]
    pub hourly: Vec<f32>,
    /// Largest value of each hour; NaN is missing.
    #[serde(with = "missing::list")]
    pub hourly_max: Vec<f32>,
    /// Requests in each hour, where the target's traffic is known; empty otherwise.
    #[serde(with = "missing::list")]
    pub requests: Vec<f32>,
    /// Share of the period's points that were there.
    pub coverage: f64,
    /// Typical level in the period; NaN without data.
    #[serde(with = "missing")]
    pub level: f64,
    /// Typical level in the period before; NaN without data.
    #[serde(with = "missing")]
    pub level_before: f64,
    /// Change of the period against the span of the same length before it, hour of week matched.
    pub change: Option<ScaledEstimate>,
    /// Largest value in the period, and when.
    pub peak: Option<(f64, i64)>,
    /// Requests × mean (or median) latency over the period, seconds; for latency of operations and datastores.
    pub total_time_s: Option<f64>,
    /// What speaks against its unit. Nothing is said of its changes then.
    pub doubt: Option<UnitDoubt>,
}

/// Why the values of a series are probably not what its unit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnitDoubt {
    /// From one moment on they are larger or smaller by the factor between two units.
    Factor {
        /// The factor, such as 1,000.
        factor: u32,
        /// They became larger.
        up: bool,
        /// The first point in the other unit, UTC ms.
        at: i64,
    },
    /// They count from the start of a process on, not in an interval.
    Counter,
    /// So many shares are above 1 that the others are hardly shares: per cent.
    AboveOne,
}

impl SeriesSummary {
    /// Returns whether the values inside a window may be of another unit than the rest, or of another than they say.
    pub fn is_doubtful(&self, window: Window) -> bool {
        match self.doubt {
            Some(UnitDoubt::Factor { at, .. }) => window.contains(at),
            Some(_) => true,
            None => false,
        }
    }
}

/// Everything that detection found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The period that was judged.
    pub period: Window,
    /// Deploy groups of the period over all services, by time, numbered from 1.
    pub groups: Vec<DeployGroup>,
    /// Every series, ordered by key.
    pub series: Vec<SeriesSummary>,
    /// Every series × deploy group of its service in the period, ordered by series, then group.
    pub comparisons: Vec<Comparison>,
    /// What the report tells: worse by cost, then possibly worse, better, explained.
    pub findings: Vec<Finding>,
    /// Changes with no deploy near, largest first.
    pub elsewhere: Vec<Unattributed>,
    /// The placebo audit.
    pub audit: Audit,
}
