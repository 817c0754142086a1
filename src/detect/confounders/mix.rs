//! Changes of a whole service that its mix of requests explains: more of the slow ones came, none became slower.
//!
//! A service as a whole has a series only if the source gives one: an operation named `*`, or named as its service.
//! What it should have done is put together from the other operations. Each half-hour of a workday or weekend day is
//! composed of their levels before the deploy, once with the shares of requests before it and once with those after:
//! the difference is the mix. Means are composed of means and failures of failures; percentiles are read off the mixture
//! of the operations' distributions, each taken as straight between its own percentiles on a normal scale.

use crate::detect::evidence::MixCheck;
use crate::detect::input::calendar::{Calendar, SLOTS};
use crate::detect::input::requests::Input;
use crate::detect::judgement::Comparison;
use crate::model::effect::{AdjustmentEvidence, Scale};
use crate::model::metric::{Class, Kind, Polarity, Series, SeriesKey};
use crate::model::time::Window;
use crate::stats::{describe, distribution};

/// Share of the whole's requests that its operations must account for.
const LEAST_COVER: f64 = 0.8;

/// Steps of halving in which a percentile of a mixture is found: to a millionth of the range.
const HALVINGS: usize = 40;

/// The series of one service, with what belongs to each by index.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// Sorted by key.
    pub series: &'a [Series],
    /// Class and direction of each.
    pub classes_and_polarities: &'a [(Class, Polarity)],
    /// Each on the grid.
    pub inputs: &'a [Input],
    /// Buckets that are left out.
    pub masked: &'a [bool],
}

impl Service<'_> {
    /// Returns the buckets of a window that are not left out.
    fn buckets(&self, window: Window, calendar: &Calendar) -> impl Iterator<Item = usize> {
        let masked = |bucket: &usize| self.masked.get(*bucket).copied().unwrap_or(false);
        (calendar.bucket(window.start)..calendar.bucket_from(window.end)).filter(move |bucket| !masked(bucket))
    }
}

/// An operation that is a part of the whole.
struct Part<'a> {
    requests: &'a [f64],
    /// Level before the deploy, or since where it is new: one value, or points of its distribution.
    level: Level,
    /// Change that was found in it at the deploy, on the scale of the whole's comparison.
    change: f64,
}

/// A level, as it is composed.
enum Level {
    /// A mean or a share.
    Mean(f64),
    /// Points (normal score, log of the value) of a distribution, at least two, rising.
    Points(Vec<(f64, f64)>),
}

/// Finds changes of the whole that its mix explains. `comparisons`: of this service, sorted or not.
pub fn explain(service: &Service<'_>, calendar: &Calendar, comparisons: &mut [Comparison]) {
    for index in 0..comparisons.len() {
        let key = &service.series[comparisons[index].series].key;
        if !key.is_whole_service() || !comparisons[index].is_located_change() {
            continue;
        }
        let composed = compose_mix(service, calendar, comparisons, index);
        comparisons[index].evidence.mix =
            composed.as_ref().map_or(MixCheck::CannotTell, |mix| MixCheck::Composed(mix.amount));
        if let Some(Mix { amount, operations, .. }) = composed.filter(|mix| mix.explains) {
            let whole = &mut comparisons[index];
            let change = |whole: &Comparison| Some(whole.effect.as_ref()?.log_ratio()?.value.exp_m1());
            let seen = change(whole);
            let direction = service.classes_and_polarities[whole.series].1;
            whole.adjust(AdjustmentEvidence::Mix { operations }, amount, 0.0, direction);
            // Nobody waited longer for what was always slow: only what is left cost anything.
            whole.cost_s = whole.cost_s.zip(change(whole)).zip(seen).map(|((cost, left), seen)| cost * left / seen);
        }
    }
}

/// What the mix of requests did to a whole.
struct Mix {
    /// How far it moved the whole, on the scale of its comparison.
    amount: f64,
    /// Operations that the whole was composed of.
    operations: usize,
    /// It explains the change of the whole, and no operation does.
    explains: bool,
}

/// Returns how much the mix moved the whole; `None` if that cannot be said, as an operation changed itself or the
/// operations are not the whole.
fn compose_mix(service: &Service<'_>, calendar: &Calendar, comparisons: &[Comparison], index: usize) -> Option<Mix> {
    let whole = &comparisons[index];
    let class = service.classes_and_polarities[whole.series].0;
    let effect = whole.effect.as_ref()?;
    let (estimate, limit) = (effect.estimate, effect.limit);
    let is_share = class == Class::Errors;
    if !(is_share || class == Class::Latency && effect.scale == Scale::LogRatio) {
        return None;
    }
    let parts = parts(service, comparisons, whole, calendar, estimate.value)?;
    let windows = [whole.before_window, whole.after_window];
    let sides = windows.map(|window| sums(service, &parts, window, calendar));
    covers(service, whole, &sides, calendar).then_some(())?;
    let rank = percentile(&service.series[whole.series].key.signal);
    let composed = |requests: &[f64], share: f64| compose(&parts, requests, rank, is_share, share);
    let difference = |now: Option<f64>, then: Option<f64>| {
        let (now, then) = (now?, then?);
        Some(if is_share { now - then } else { (now / then).ln() })
    };
    let (mut mix, mut weight) = (0.0, 0.0);
    for slot in 0..2 * SLOTS {
        let [before, after] = [0, 1].map(|side: usize| sides[side].iter().map(|part| part[slot]).collect::<Vec<f64>>());
        let requests: f64 = after.iter().sum();
        if before.iter().sum::<f64>() > 0.0
            && requests > 0.0
            && let Some(moved) = difference(composed(&after, 0.0), composed(&before, 0.0))
        {
            mix += requests * moved;
            weight += requests;
        }
    }
    let mix = (weight > 0.0).then(|| mix / weight).filter(|mix| mix.is_finite())?;
    let all: Vec<f64> = sides[1].iter().map(|part| part.iter().sum()).collect();
    let within = difference(composed(&all, 1.0), composed(&all, 0.0))?;
    let most = mix.abs() > 0.5 * estimate.value.abs() && mix * estimate.value > 0.0;
    let explains = most && (estimate.value - mix).abs() < limit && within.abs() < limit;
    Some(Mix { amount: mix, operations: parts.len(), explains })
}

/// Returns the operations of the whole; `None` if there are fewer than two, or one of them moved the same way itself.
fn parts<'a>(
    service: &Service<'a>,
    comparisons: &[Comparison],
    whole: &Comparison,
    calendar: &Calendar,
    change: f64,
) -> Option<Vec<Part<'a>>> {
    let signal = &*service.series[whole.series].key.signal;
    let is_part = |key: &SeriesKey| key.kind == Kind::Operation && !key.is_whole_service() && &*key.signal == signal;
    // What a load balancer counts before the application is no further part.
    let keys = service.series.iter().map(|series| &series.key);
    let innermost = keys.filter(|key| is_part(key)).map(SeriesKey::front).min()?;
    let mut parts = Vec::new();
    for (index, series) in service.series.iter().enumerate() {
        let is_part = is_part(&series.key) && series.key.front() == innermost;
        let requests = service.inputs[index].requests.as_slice();
        if !is_part || requests.is_empty() {
            continue;
        }
        let own = comparisons.iter().find(|other| other.series == index && other.group == whole.group);
        if let Some(own) = own
            && own.is_located_change()
            && own.estimate().is_some_and(|estimate| estimate.value * change > 0.0)
        {
            return None;
        }
        let moved = own.and_then(Comparison::estimate).map_or(0.0, |estimate| estimate.value);
        if let Some(level) = level(service, index, whole, calendar) {
            parts.push(Part { requests, level, change: moved });
        }
    }
    (parts.len() >= 2).then_some(parts)
}

/// Returns the level of one part: before the deploy, or after it where it is new.
fn level(service: &Service<'_>, index: usize, whole: &Comparison, calendar: &Calendar) -> Option<Level> {
    let key = &service.series[index].key;
    let typical = |index: usize| {
        let values = |window: Window| {
            let input = &service.inputs[index];
            let buckets = service.buckets(window, calendar);
            let kept: Vec<f64> = buckets.filter_map(|bucket| input.grid.value.get(bucket).copied()).collect();
            // Rare failures have a median of 0 whatever their share.
            let is_share = service.classes_and_polarities[index].0 == Class::Errors;
            let level = if is_share { mean(&kept) } else { describe::median(&kept) }?;
            Some(if input.grid.scale == Scale::LogRatio { level.exp() } else { level })
        };
        values(whole.before_window).or_else(|| values(whole.after_window))
    };
    if percentile(&key.signal).is_none() {
        return typical(index).map(Level::Mean);
    }
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (other, series) in service.series.iter().enumerate() {
        if series.key.kind == key.kind
            && series.key.target == key.target
            && let Some(share) = percentile(&series.key.signal)
            && let Some(value) = typical(other).filter(|value| *value > 0.0)
        {
            points.push((distribution::quantile(share, f64::INFINITY), value.ln()));
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rises = points.windows(2).all(|pair| pair[1].0 > pair[0].0 && pair[1].1 > pair[0].1);
    (points.len() >= 2 && rises).then_some(Level::Points(points))
}

fn mean(values: &[f64]) -> Option<f64> {
    let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Returns the share of requests that a percentile's name speaks of.
fn percentile(signal: &str) -> Option<f64> {
    let digits = signal.strip_prefix("latency_p")?;
    let number: f64 = digits.parse().ok()?;
    let share = number / 10_f64.powi(i32::try_from(digits.len().max(2)).ok()?);
    (share > 0.0 && share < 1.0).then_some(share)
}

/// Sums the requests of each part by half-hour of a workday or weekend day.
fn sums(service: &Service<'_>, parts: &[Part<'_>], window: Window, calendar: &Calendar) -> Vec<[f64; 2 * SLOTS]> {
    let buckets = || service.buckets(window, calendar);
    let sum = |part: &Part<'_>| {
        let mut sums = [0.0; 2 * SLOTS];
        for bucket in buckets() {
            let weekend = usize::from(calendar.day.get(bucket).is_some_and(|day| *day >= 5));
            let slot = calendar.slot.get(bucket).map_or(0, |slot| usize::from(*slot) % SLOTS);
            let n = part.requests.get(bucket).copied().filter(|n| n.is_finite()).unwrap_or(0.0);
            sums[weekend * SLOTS + slot] += n;
        }
        sums
    };
    parts.iter().map(sum).collect()
}

/// Tells whether the parts account for the whole's own requests on both sides, as far as those are known.
fn covers(service: &Service<'_>, whole: &Comparison, sides: &[Vec<[f64; 2 * SLOTS]>; 2], calendar: &Calendar) -> bool {
    let own = &service.inputs[whole.series].requests;
    let windows = [whole.before_window, whole.after_window];
    windows.iter().zip(sides).all(|(window, side)| {
        let known = service.buckets(*window, calendar).filter_map(|bucket| own.get(bucket));
        let all: f64 = known.filter(|n| n.is_finite()).sum();
        side.iter().flatten().sum::<f64>() >= LEAST_COVER * all
    })
}

/// Composes a value of the whole from its parts; `share` of each part's own change is added to its level.
///
/// `rank`: the percentile as a share, or a mean. `is_share`: the values are shares, whose changes are differences.
fn compose(parts: &[Part<'_>], requests: &[f64], rank: Option<f64>, is_share: bool, share: f64) -> Option<f64> {
    let total: f64 = requests.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let Some(rank) = rank else {
        let sum: f64 = parts
            .iter()
            .zip(requests)
            .map(|(part, n)| match &part.level {
                Level::Mean(level) if is_share => n * (level + share * part.change),
                Level::Mean(level) => n * level * (share * part.change).exp(),
                Level::Points(_) => 0.0,
            })
            .sum();
        return Some(sum / total);
    };
    let below = |log: f64| {
        let shares = parts.iter().zip(requests).map(|(part, n)| match &part.level {
            Level::Points(points) => {
                n * distribution::lower_tail(score(points, log - share * part.change), f64::INFINITY)
            }
            Level::Mean(_) => 0.0,
        });
        shares.sum::<f64>() / total
    };
    // Every part's own percentile bounds that of the mixture.
    let own = |part: &Part<'_>| match &part.level {
        Level::Points(points) => value(points, distribution::quantile(rank, f64::INFINITY)) + share * part.change,
        Level::Mean(_) => f64::NAN,
    };
    let (mut low, mut high) =
        parts.iter().map(own).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if below(middle) < rank {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some((0.5 * (low + high)).exp())
}

/// Returns the two points that a straight line is drawn through at `at`, by the first (or second) coordinate.
fn segment(points: &[(f64, f64)], at: f64, by: fn(&(f64, f64)) -> f64) -> [(f64, f64); 2] {
    let last = points.len().saturating_sub(2);
    let index = points.iter().skip(1).position(|point| at <= by(point)).unwrap_or(last).min(last);
    [points[index], points[index + 1]]
}

fn score(points: &[(f64, f64)], log: f64) -> f64 {
    let [a, b] = segment(points, log, |point| point.1);
    a.0 + (log - a.1) * (b.0 - a.0) / (b.1 - a.1)
}

fn value(points: &[(f64, f64)], score: f64) -> f64 {
    let [a, b] = segment(points, score, |point| point.0);
    a.1 + (score - a.0) * (b.1 - a.1) / (b.0 - a.0)
}
