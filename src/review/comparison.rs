//! One series against one deploy (group): what the judge says, with every number that it rests on.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::Scale;
use super::instant::{Instant, Span};
use super::words::{KINDS, PATTERNS, Pattern, VERDICTS};
use crate::model::effect::{self, Estimate};
use crate::model::metric::{Kind, SeriesKey, Unit};
use crate::model::verdict::{Confounder, Reason, Verdict};

/// One series against one deploy (group).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The service.
    pub service: Arc<str>,
    /// What it was measured on.
    #[schemars(with = "String", extend("enum" = KINDS))]
    pub kind: Kind,
    /// The endpoint, statement or resource.
    pub target: Arc<str>,
    /// The signal.
    pub signal: Arc<str>,
    /// Unit of `before`, `after`, `delta` and `limit_delta`.
    #[schemars(with = "String")]
    pub unit: Unit,
    /// Id of the deploy (of a group: its first).
    pub deploy: Option<Arc<str>>,
    /// Ids of the group's deploys.
    #[schemars(with = "Vec<String>")]
    pub deploy_group: Arc<[Arc<str>]>,
    /// The verdict.
    #[schemars(with = "String", extend("enum" = VERDICTS))]
    pub verdict: Verdict,
    /// With `explained`: by what.
    #[schemars(with = "Option<String>", extend("enum" = ["load", "fleet", "mix", "event", null]))]
    pub explained_by: Option<Confounder>,
    /// Shape of the change.
    #[schemars(with = "Option<String>", extend("enum" = PATTERNS))]
    pub pattern: Option<Pattern>,
    /// With `recovered` and `burst`: when the old level was back; with `gradual` and `delayed`: when the new one was there.
    pub until: Option<Instant>,
    /// With `recovered`: id of the deploy that took it back, if one did.
    pub by: Option<Arc<str>>,
    /// Typical level before, in the hours compared.
    pub before: Option<f64>,
    /// Typical level after, in the hours compared.
    pub after: Option<f64>,
    /// After / before as measured, beyond what the time of day explains.
    pub ratio: Option<f64>,
    /// 95 % interval of `ratio`.
    pub ratio_ci: Option<[f64; 2]>,
    /// The same ratio before what explains it was taken out, where that was done.
    pub plain_ratio: Option<f64>,
    /// After - before, for shares near zero.
    pub delta: Option<f64>,
    /// 95 % interval of `delta`.
    pub delta_ci: Option<[f64; 2]>,
    /// The same of `delta`.
    pub plain_delta: Option<f64>,
    /// With `burst`: how bad it was.
    pub burst: Option<Burst>,
    /// The change that would matter here, as a ratio above 1; null when none could.
    pub limit: Option<f64>,
    /// The change that would matter as a difference, with `delta`.
    pub limit_delta: Option<f64>,
    /// The smallest ratio that would have been found with 80 % power.
    pub detectable: Option<f64>,
    /// Two-sided p of no change.
    pub p_value: Option<f64>,
    /// p after control of the false discovery rate.
    pub q_value: Option<f64>,
    /// Share of the compared hours that had data.
    pub coverage: Option<f64>,
    /// When the change began, if it was located.
    pub onset: Option<Span>,
    /// Share of the blame that falls on this deploy, 0 to 1.
    pub blame: Option<f64>,
    /// Added milliseconds times requests, for latency; negative is saved.
    pub cost_ms: Option<f64>,
    /// With `too_early`: when it can be judged.
    pub ready_at: Option<Instant>,
    /// The hours compared before the deploy.
    pub before_window: Span,
    /// The hours compared after it.
    pub after_window: Span,
    /// Index of its series in `series`.
    pub series: usize,
    /// Number of its deploy group, as in `groups`.
    pub number: usize,
    /// With `inconclusive` and `no_data`: what keeps the estimate from being a claim that nothing happened.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// With `no_material_change` and `not_worse`: the spans of time for which that holds.
    #[serde(default)]
    pub covers: Vec<Span>,
    /// On which of the two scales it was judged: `ratio` with `limit`, or `delta` with `limit_delta`.
    pub scale: Option<Scale>,
    /// With the scale `difference`: the smallest difference that would have been found with 80 % power.
    pub detectable_delta: Option<f64>,
}

/// A bad spell right after a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Burst {
    /// Its level / the usual.
    pub ratio: Option<f64>,
    /// Its level - the usual, for shares near zero.
    pub delta: Option<f64>,
    /// Probability of as much at a moment without a deploy.
    pub p_value: Option<f64>,
}

/// What a verdict was made of: log ratios, or differences in the base unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Which of the two.
    pub scale: effect::Scale,
    /// The change with its interval, as measured; what is not known is NaN.
    pub estimate: Estimate,
    /// The change that matters, above 0; infinite when none could.
    pub limit: f64,
    /// The smallest change that would have been found with 80 % power.
    pub detectable: Option<f64>,
}

/// What users saw, where that is not what was judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// How it is counted.
    pub scale: Scale,
    /// Its size: a log ratio, or a difference in the base unit.
    pub size: f64,
    /// The level while it lasted, in the base unit.
    pub after: Option<f64>,
    /// It was a spell right after the deploy; otherwise something else explains it.
    pub is_burst: bool,
}

impl Comparison {
    /// Returns what the series is of.
    pub fn key(&self) -> SeriesKey {
        SeriesKey {
            service: self.service.clone(),
            kind: self.kind,
            target: self.target.clone(),
            signal: self.signal.clone(),
        }
    }

    /// Returns the numbers that the verdict was made of, on the one scale of them.
    ///
    /// This is the only place that chooses between the two scales for a reader.
    pub fn judged(&self) -> Option<Judged> {
        let scale = self.scale?;
        let (value, interval, limit, detectable) = match scale {
            Scale::Ratio => (self.ratio, self.ratio_ci, self.limit, self.detectable),
            Scale::Difference => (self.delta, self.delta_ci, self.limit_delta, self.detectable_delta),
        };
        let read = |value| scale.read(value, self.unit);
        let low = read(interval.map(|ci| ci[0]));
        let high = read(interval.map(|ci| ci[1]));
        Some(Judged {
            scale: scale.of_effect(),
            estimate: Estimate { value: read(value), low, high },
            limit: limit.map_or(f64::INFINITY, |limit| read(Some(limit))),
            detectable: detectable.map(|size| read(Some(size))).filter(|size| size.is_finite()),
        })
    }

    /// Returns a level in the base unit.
    pub fn level_before(&self) -> Option<f64> {
        self.before.map(|level| level * self.unit.factor)
    }

    /// Returns a level in the base unit.
    pub fn level_after(&self) -> Option<f64> {
        self.after.map(|level| level * self.unit.factor)
    }

    /// Returns whether only the time right after the deploy was bad.
    pub fn is_burst(&self) -> bool {
        self.pattern == Some(Pattern::Burst) && !self.verdict.is_alarm()
    }

    /// Returns what was seen of a burst, or of a change that something else explains. Every other change was judged as
    /// it was seen.
    pub fn seen(&self) -> Option<Seen> {
        let pick = |ratio: Option<f64>, delta: Option<f64>| match (delta, ratio) {
            (Some(delta), _) => Some((Scale::Difference, Scale::Difference.read(Some(delta), self.unit))),
            (None, Some(ratio)) => Some((Scale::Ratio, Scale::Ratio.read(Some(ratio), self.unit))),
            (None, None) => None,
        };
        let (found, is_burst) = match (self.burst, self.pattern, self.verdict) {
            (Some(burst), Some(Pattern::Burst), _) => (pick(burst.ratio, burst.delta), true),
            (.., Verdict::Explained) => (pick(self.plain_ratio, self.plain_delta), false),
            _ => return None,
        };
        let (scale, size) = found.filter(|(_, size)| size.is_finite())?;
        let after = self.level_before().map(|before| match scale {
            Scale::Ratio => before * size.exp(),
            Scale::Difference => before + size,
        });
        Some(Seen { scale, size, after, is_burst })
    }
}
