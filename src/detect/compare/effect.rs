//! One series against one deploy group: levels, estimate, interval, limit and what the rule says of them.

use super::verdict;
use crate::detect::attribution::transition::TransitionKind;
use crate::detect::evidence::{AttributionEvidence, Bound, Evidence, GroupKey};
use crate::detect::input::calendar::{BUCKET, PER_HOUR};
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::input::grid::Covered;
use crate::detect::input::requests::Input;
use crate::detect::input::usual_hours::UsualHours;
use crate::detect::judgement::{Comparison, Pattern};
use crate::detect::model::error_rates::ErrorRateModel;
use crate::detect::model::series_model::LevelModel;
use crate::detect::model::steps::{self, Change};
use crate::model::effect::{Effect, Estimate, Scale, ScaledEstimate};
use crate::model::metric::{Class, Polarity};
use crate::model::time::Window;
use crate::model::verdict::{Reason, Verdict};
use crate::stats::structural::Step;
use crate::stats::{describe, distribution};

/// An interval that reaches this many times further than the series itself is no estimate.
const NO_IDEA: f64 = 20.0;

/// Power at which the detectable change is stated.
const POWER: f64 = 0.8;

/// How much larger a change must be because, as long as it is not accepted, a part of it passes for noise and for the
/// usual course.
///
/// Calibrated by `tests/long/simulation.rs` (2026-11-23): a step of the detectable size is seen in 82 of 100 cases.
const POWER_INFLATION: f64 = 1.4;

/// How much wider the error of an accepted step is than the model says: moment, usual course and noise were chosen by the
/// same values.
///
/// Calibrated by `tests/long/simulation.rs` (2026-11-23): a step of exactly the limit is called harmless in 1.9 %.
const SELECTION_INFLATION: f64 = 1.16;

/// The points of Student's t that a series needs again and again.
#[derive(Debug, Clone, Copy)]
pub struct Points {
    /// Degrees of freedom.
    pub df: f64,
    /// 97.5 % point.
    pub interval: f64,
    /// Standard errors that a change needs to be found with 80 % power.
    pub detectable: f64,
}

impl Points {
    /// Looks the points up.
    pub fn new(df: f64) -> Self {
        let interval = distribution::quantile(0.975, df);
        Self { df, interval, detectable: POWER_INFLATION * (interval + distribution::quantile(POWER, df)) }
    }
}

/// What is the same for every comparison of a series.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Index of the series.
    pub series: usize,
    /// Golden signal.
    pub class: Class,
    /// Which way it gets worse.
    pub direction: Polarity,
    /// Relative limit.
    pub relative: f64,
    /// Absolute limit, base unit; 0 if there is none.
    pub absolute: f64,
    /// Values as they are on the grid (base unit), NaN is missing.
    pub raw: &'a [f64],
    /// Requests of each bucket, or empty.
    pub requests: &'a [f64],
    /// The most by which rounding may move a level, base unit.
    pub rounding: f64,
    /// Which buckets have data.
    pub covered: &'a Covered,
    /// Which buckets should have data.
    pub usual: &'a UsualHours,
}

/// Where a comparison stands in time.
#[derive(Debug, Clone, Copy)]
pub struct ComparisonWindow<'a> {
    /// Index of the group among those of the service.
    pub group: usize,
    /// The group's buckets.
    pub moment: DeployWindow,
    /// Accepted steps of the series.
    pub changes: &'a [Change],
    /// Whole length of the grid.
    pub len: usize,
    /// The keys of the service's groups.
    pub keys: &'a [GroupKey],
}

impl ComparisonWindow<'_> {
    /// Returns the change that ended the level before the one before the deploy.
    fn previous(&self) -> Option<&Change> {
        self.changes.iter().filter(|change| change.at < self.moment.to).max_by_key(|change| change.at)
    }

    /// Returns the change that ends the level after the deploy.
    pub fn next(&self) -> Option<&Change> {
        self.changes.iter().find(|change| change.at > self.moment.to)
    }

    /// Returns the bucket where the compared hours before the deploy begin.
    pub fn begin(&self) -> usize {
        self.previous().map_or(0, |change| change.at)
    }

    /// Returns the bucket where the compared hours after the deploy end.
    pub fn end(&self) -> usize {
        self.next().map_or(self.len, |change| change.at)
    }

    /// Returns why the compared hours begin and end where they do; `first`: the series' first bucket.
    fn bounds(&self, first: usize) -> [Bound; 2] {
        let change = |change: &Change| Bound::Change(change.group.and_then(|group| self.keys.get(group).cloned()));
        let before = match self.previous() {
            Some(previous) if previous.at >= first => change(previous),
            // An hour is the grid of what is shown: a series that begins within it was there from the beginning.
            _ if first <= PER_HOUR => Bound::Grid,
            _ => Bound::FirstData,
        };
        [before, self.next().map_or(Bound::Grid, change)]
    }

    /// Returns where a change near this group may belong.
    fn attribution(&self, change: &Change) -> AttributionEvidence {
        let groups: Vec<(GroupKey, f64)> =
            change.blame.iter().filter_map(|(group, share)| Some((self.keys.get(*group)?.clone(), *share))).collect();
        let unattributed = 1.0 - groups.iter().map(|(_, share)| share).sum::<f64>();
        AttributionEvidence { groups, unattributed: unattributed.max(0.0) }
    }

    /// Returns the step that was accepted at this group.
    fn accepted(&self) -> Option<&Change> {
        self.changes.iter().find(|change| change.group == Some(self.group))
    }

    /// Returns how much of the blame for a step near it falls on this group, and where that step lies.
    fn blame(&self) -> Option<(f64, &Change)> {
        self.changes
            .iter()
            .flat_map(|change| change.blame.iter().map(move |(group, share)| (*group, *share, change)))
            .filter(|(group, ..)| *group == self.group)
            .map(|(_, share, change)| (share, change))
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// Returns a comparison of which nothing is known yet but the compared hours and their coverage.
pub fn blank(subject: &Subject<'_>, place: &ComparisonWindow<'_>, at: impl Fn(usize) -> i64) -> Comparison {
    // A series is not missing before its first point.
    let first = subject.raw.iter().position(|value| value.is_finite()).unwrap_or(0);
    let (begin, end) = (place.begin().max(first.min(place.moment.from)), place.end());
    let (until, since) = (place.moment.from.max(begin), place.moment.to.min(end));
    let before = subject.raw.get(begin..until).unwrap_or(&[]);
    let there = subject.covered.between(begin, until) + subject.covered.between(since, end);
    let buckets = (until - begin) + (end - since);
    Comparison {
        series: subject.series,
        group: place.group,
        verdict: Verdict::NoData,
        explained_by: None,
        pattern: None,
        before: describe::median(before),
        after: None,
        effect: None,
        burst: None,
        p_value: None,
        q_value: None,
        coverage: if buckets > 0 { there / buckets as f64 } else { 0.0 },
        before_window: Window::new(at(begin), at(until)),
        after_window: Window::new(at(since), at(end)),
        onset: None,
        blame: None,
        cost_s: None,
        ready_at: None,
        reason: None,
        evidence: Evidence { bounds: place.bounds(first), ..Evidence::default() },
    }
}

/// Compares a series judged by its level.
pub fn level(
    subject: &Subject<'_>,
    place: &ComparisonWindow<'_>,
    input: &Input,
    track: &LevelModel,
    step: Step,
    points: &Points,
    blank: Comparison,
) -> Comparison {
    let mut comparison = blank;
    let Some(before) = comparison.before else { return comparison };
    if steps::covers(place.changes, place.moment.to) {
        // The level was on its way because of an earlier deploy: the data cannot separate the two.
        comparison.verdict = Verdict::Inconclusive;
        return comparison;
    }
    let chosen = if place.accepted().is_some() { SELECTION_INFLATION } else { 1.0 };
    let error = step.variance.sqrt() * track.inflation * chosen;
    if !error.is_finite() || error <= 0.0 {
        return comparison;
    }
    let mut estimate = interval(step, error, points);
    // Between two steps with hardly any data there is no level to compare with.
    if points.interval * error > NO_IDEA * (track.spread() + step.size.abs()).max(1e-12) {
        comparison.verdict = Verdict::Inconclusive;
        return comparison;
    }
    comparison.p_value = Some(track.p_value(step, points.df));
    mark(&mut comparison, place, &mut estimate, |change| {
        interval(change.step, change.step.variance.sqrt() * track.inflation, points)
    });
    let reach = points.detectable * error;
    let scale = input.grid.scale;
    let limit = limit(subject, scale, before);
    let after = scale.after(before, estimate.value);
    // No straight line may lead a count or a share below nothing.
    let is_signed = subject.raw.iter().any(|value| *value < 0.0);
    comparison.after = Some(if is_signed { after } else { after.max(0.0) });
    // A bias does not average away: it is added to both ends, once for each side of the deploy.
    let rounding = match scale {
        Scale::LogRatio => (2.0 * subject.rounding / before.max(f64::MIN_POSITIVE)).ln_1p(),
        Scale::Difference => 2.0 * subject.rounding,
    };
    let unrounded = verdict::rule(estimate, limit, subject.direction);
    estimate.low -= rounding;
    estimate.high += rounding;
    if matches!(unrounded, Verdict::NoMaterialChange | Verdict::NotWorse)
        && verdict::rule(estimate, limit, subject.direction) == Verdict::Inconclusive
    {
        comparison.reason = Some(Reason::Rounded);
    }
    if scale == Scale::LogRatio && subject.class == Class::Latency && !subject.requests.is_empty() {
        comparison.cost_s = Some(cost(subject, place, before * estimate.value.exp_m1()));
    }
    comparison.effect = Some(Effect::new(scale, estimate, limit, Some(reach)));
    comparison.rule(subject.direction);
    comparison.evidence.drift = track.drift.map(|drift| {
        let half = points.interval * drift.error;
        let estimate = Estimate { value: drift.total, low: drift.total - half, high: drift.total + half };
        ScaledEstimate { scale, estimate }
    });
    comparison
}

/// Compares a share judged by counts.
pub fn share(
    subject: &Subject<'_>,
    place: &ComparisonWindow<'_>,
    track: &ErrorRateModel,
    normal: &Points,
    blank: Comparison,
) -> Comparison {
    let mut comparison = blank;
    let Some(step) = track.step(place.moment.to) else { return comparison };
    let [before, after] = step.shares;
    let limit = subject.absolute.max(subject.relative * before);
    let mut estimate = Estimate { value: after - before, low: step.difference[0], high: step.difference[1] };
    comparison.before = Some(before);
    comparison.p_value = Some(step.p_value);
    mark(&mut comparison, place, &mut estimate, |change| {
        track.step(change.at).map_or(estimate_of_nothing(), |step| Estimate {
            value: step.shares[1] - step.shares[0],
            low: step.difference[0],
            high: step.difference[1],
        })
    });
    comparison.after = Some((before + estimate.value).max(0.0));
    let reach = (step.difference[1] - step.difference[0]) / (2.0 * normal.interval) * normal.detectable;
    let ratio = [after / before, step.ratio[0], step.ratio[1]].map(f64::ln);
    let is_known = ratio.iter().all(|value| value.is_finite());
    let [value, low, high] = ratio;
    comparison.effect = Some(Effect {
        secondary_ratio: is_known.then_some(Estimate { value, low, high }),
        ..Effect::new(Scale::Difference, estimate, limit, Some(reach))
    });
    comparison.rule(subject.direction);
    comparison
}

/// The share of a change that must be undone for it to be over.
const UNDONE: f64 = 0.67;

fn estimate_of_nothing() -> Estimate {
    Estimate { value: 0.0, low: 0.0, high: 0.0 }
}

fn interval(step: Step, error: f64, points: &Points) -> Estimate {
    let half = points.interval * error;
    Estimate { value: step.size, low: step.size - half, high: step.size + half }
}

/// Writes the blame and the onset; a deploy that may be the cause of a step told at its neighbour keeps an interval
/// that reaches to that step, so that it is never proven fine.
fn mark(
    comparison: &mut Comparison,
    place: &ComparisonWindow<'_>,
    estimate: &mut Estimate,
    of: impl Fn(&Change) -> Estimate,
) {
    let Some((share, change)) = place.blame() else { return };
    comparison.blame = Some(share);
    comparison.evidence.attribution = Some(place.attribution(change));
    let onset = change.onset;
    let span = |bucket: usize| comparison.after_window.start + (bucket as i64 - place.moment.to as i64) * BUCKET;
    comparison.onset = Some(Window::new(span(onset.0), span(onset.1 + 1)));
    if place.accepted().is_none() {
        let other = of(change);
        estimate.low = estimate.low.min(other.low);
        estimate.high = estimate.high.max(other.high);
    } else {
        comparison.pattern = Some(match undone(change, place.changes) {
            Some(last) => Pattern::Recovered { until: span(last.at), by: last.group },
            None => match change.transition {
                Some(way) if way.kind == TransitionKind::Delayed => Pattern::Delayed { until: span(way.end) },
                Some(way) => Pattern::Gradual { until: span(way.end) },
                None => Pattern::Sustained,
            },
        });
    }
}

/// Returns the later step with which a change is taken back: by then at least two thirds of it are undone. A step that
/// goes beyond the old level has taken the change back all the more.
fn undone<'a>(change: &Change, changes: &'a [Change]) -> Option<&'a Change> {
    let mut left = change.step.size;
    changes.iter().filter(|next| next.at > change.at).find(|next| {
        left += next.step.size;
        left / change.step.size <= 1.0 - UNDONE
    })
}

/// Returns the change of a level that matters, on a scale: relative and absolute limit must both be exceeded.
pub fn limit(subject: &Subject<'_>, scale: Scale, level: f64) -> f64 {
    match scale {
        Scale::LogRatio => limit_log(subject, level),
        Scale::Difference => limit_difference(subject, level),
    }
}

/// The relative limit is taken of the level or, where that is about 0, of the typical size of the series' values.
fn limit_difference(subject: &Subject<'_>, level: f64) -> f64 {
    let sizes =
        subject.raw.iter().filter(|value| value.is_finite()).fold((0.0, 0.0), |(s, c), v| (s + v.abs(), c + 1.0));
    let typical = if sizes.1 > 0.0 { sizes.0 / sizes.1 } else { 0.0 };
    (subject.relative * level.abs().max(typical)).max(subject.absolute)
}

fn limit_log(subject: &Subject<'_>, before: f64) -> f64 {
    let absolute = if before > 0.0 { (subject.absolute / before).ln_1p() } else { f64::INFINITY };
    subject.relative.ln_1p().max(absolute)
}

/// Returns the added seconds so far: added time of a request × requests after the deploy.
fn cost(subject: &Subject<'_>, place: &ComparisonWindow<'_>, added_s: f64) -> f64 {
    let after = subject.requests.get(place.moment.to.min(place.end())..place.end()).unwrap_or(&[]);
    added_s * after.iter().filter(|n| n.is_finite()).sum::<f64>()
}

/// Hours with data that each side of a comparison needs at the least.
pub const LEAST_HOURS: usize = 2;

/// Buckets in a day.
const DAY: usize = 24 * PER_HOUR;

/// Returns whether both sides hold enough data: hours at all, and the configured share of the day or the week next to
/// the deploy, of those hours in which the series usually has data. A series may be younger than the history and may end
/// before the period does.
///
/// `wait`: the hours that the configuration wants after a deploy; fewer than [`LEAST_HOURS`] suffice where it wants fewer.
pub fn has_data(subject: &Subject<'_>, place: &ComparisonWindow<'_>, min_coverage: f64, wait: f64) -> bool {
    let enough = |begin: usize, end: usize, hours: f64| {
        let there = subject.covered.between(begin, end);
        there >= (hours * PER_HOUR as f64).max(1.0) && there >= min_coverage * subject.usual.between(begin, end)
    };
    let least = LEAST_HOURS as f64;
    let DeployWindow { from, to } = place.moment;
    let side = |span: usize| {
        let after = enough(to.min(place.len), (to + span).min(place.len), least.min(wait));
        (enough(from.saturating_sub(span), from, least), after)
    };
    let ((day_before, day_after), (week_before, week_after)) = (side(DAY), side(7 * DAY));
    (day_before || week_before) && (day_after || week_after)
}
