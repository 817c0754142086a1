//! A slow change over the whole history: a straight climb or fall, weighed against steps.

use super::noise::{self, Noise};
use super::steps::{self, Change, Clarity, Search};
use crate::detect::input::calendar::PER_HOUR;
use crate::detect::input::load::Behind;
use crate::stats::structural::{Scan, Scratch, Step};
use crate::stats::{describe, slope};

/// A slow change over the whole history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Change from the first to the last day, on the series' scale.
    pub total: f64,
    /// Its standard error.
    pub error: f64,
    /// Buckets from the first to the last day.
    span: f64,
}

impl Drift {
    /// Returns the climb at each of `count` buckets, 0 in the middle.
    pub fn of(&self, count: usize) -> Vec<f64> {
        let middle = count as f64 / 2.0;
        (0..count).map(|bucket| self.total / self.span * (bucket as f64 - middle)).collect()
    }
}

/// A series with a drift taken out.
pub struct Straight {
    /// What was taken out.
    pub drift: Drift,
    /// What is left.
    pub residual: Vec<f64>,
    /// Its noise.
    pub noise: Noise,
    /// Its steps.
    pub changes: Vec<Change>,
    /// The step at every bucket, knowing those.
    pub profile: Vec<Step>,
}

fn days_span(first: f64, last: f64) -> f64 {
    (last - first) * (24 * PER_HOUR) as f64
}

/// A history shorter than this shows no drift, in days.
const LEAST_DRIFT_DAYS: f64 = 10.0;

/// How much rarer a drift is than a step at some deploy, before looking at the data.
const DRIFT_ODDS: f64 = 20.0;

/// A drift is considered from this many standard errors on.
const LEAST_DRIFT_Z: f64 = 4.0;

/// Finds a straight climb or fall over the whole history that explains the series better than steps alone.
///
/// # Source
/// Both models are compared by log-likelihood less half the logarithm of the number of buckets for every number
/// they estimate (G. Schwarz, Annals of Statistics 6 (1978), 461–464): a step costs its moment and its size; a
/// drift as much, and the odds against it. The slope is Theil and Sen's on daily medians.
pub fn find(
    search: &Search<'_>,
    known: &[Change],
    behind: Option<&Behind>,
    clarity: Clarity,
    scratch: &mut Scratch,
) -> Option<Straight> {
    let Search { residual, moments, jumps } = *search;
    let mut thinned: Vec<f64> = Vec::new();
    let mut days: Vec<(f64, f64)> = Vec::new();
    for (day, values) in residual.chunks(24 * PER_HOUR).enumerate() {
        if values.iter().filter(|value| value.is_finite()).count() >= 6 * PER_HOUR {
            // Neighbours say nearly the same.
            thinned.clear();
            thinned.extend(values.iter().step_by(3).filter(|value| value.is_finite()));
            days.push((day as f64, describe::median_of_few(&thinned)));
        }
    }
    days.retain(|(_, level)| level.is_finite());
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return None };
    let slope = slope::theil_sen(&days).filter(|_| last.0 - first.0 >= LEAST_DRIFT_DAYS)?;
    let total = slope * (last.0 - first.0);
    let beside: Vec<f64> = days.iter().map(|(day, level)| level - slope * day).collect();
    let scatter = describe::robust_sd(&beside).unwrap_or(f64::INFINITY);
    if total.abs() < LEAST_DRIFT_Z * scatter * (12.0 / days.len() as f64).sqrt() {
        return None;
    }
    let mut drift = Drift { total, error: f64::INFINITY, span: days_span(first.0, last.0) };
    let climb = drift.of(residual.len());
    let straight: Vec<f64> = residual.iter().zip(&climb).map(|(value, climb)| value - climb).collect();
    // Each model with its own noise: a climb that is not taken out passes for noise that lasts for days.
    let calmer = noise::beside(&straight, &[], behind)?;
    let search = Search { residual: &straight, moments, jumps };
    let (other, _) = search.find(scratch, &calmer, clarity);
    let calmer = noise::beside(&straight, &steps::steps_of(&other), behind)?;
    let present = straight.iter().filter(|value| value.is_finite()).count();
    drift.error = (12.0 * calmer.variance / calmer.independent(present)).sqrt();
    if total.abs() < LEAST_DRIFT_Z * drift.error {
        return None;
    }
    let steps = steps::steps_of(known);
    let noise = noise::beside(residual, &steps, behind)?;
    let penalty = 0.5 * (residual.len() as f64).ln();
    let fit_of = |scratch: &mut Scratch, noise: &Noise, values: &[f64], changes: &[Change]| {
        Scan::run(scratch, values, &noise.white_noise_variance, noise.memory, &steps::steps_of(changes)).fit()
            - 2.0 * penalty * changes.len() as f64
    };
    // Any single step at a deploy rivals the drift, accepted or not: half of it would pass for a climb.
    let rival = {
        let scan = Scan::run(scratch, residual, &noise.white_noise_variance, noise.memory, &steps);
        let free =
            moments.iter().map(|moment| moment.to).filter(|at| !steps.iter().any(|step| step.abs_diff(*at) < PER_HOUR));
        free.map(|at| scan.step(at).z().powi(2) / 2.0).filter(|gain| gain.is_finite()).fold(0.0, f64::max)
    };
    let with_steps = fit_of(scratch, &noise, residual, known);
    let with_steps = with_steps.max(with_steps + rival - 2.0 * penalty);
    let with_drift = fit_of(scratch, &calmer, &straight, &other) - 2.0 * penalty - DRIFT_ODDS.ln();
    if with_drift <= with_steps {
        return None;
    }
    let (changes, profile) = search.find(scratch, &calmer, clarity);
    Some(Straight { drift, residual: straight, noise: calmer, changes, profile })
}
