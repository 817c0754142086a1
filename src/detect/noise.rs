//! How uncertain each bucket is, and how noise hangs together over time.

use super::calendar::BUCKET;
use crate::stats::autocovariance::{self, TakenOut};
use crate::stats::describe;
use crate::stats::structural::Memory;
use crate::time::HOUR;

/// Median of a squared standard normal.
const MEDIAN_CHI2: f64 = 0.454_936;

/// Residuals are clipped here, in robust standard deviations, before their memory is measured.
const CLIP: f64 = 2.5;

/// The least noise, relative to the spread, that any series is taken to have.
const FLOOR: f64 = 1e-3;

/// The noise of one series.
#[derive(Debug, Clone)]
pub struct Noise {
    /// Variance of the part of each bucket's noise that it shares with no other.
    pub white: Vec<f64>,
    /// The part that lasts.
    pub memory: Memory,
    /// Variance of a typical bucket in all.
    pub variance: f64,
}

/// Measures the noise of residuals about 0.
///
/// `residual`: one a bucket, NaN is missing. `requests`: requests behind each bucket, or empty. `taken`: what was
/// estimated from the same buckets and taken out. `None` when there is too little data (under 12 hours of it) to say
/// anything.
pub fn fit(residual: &[f64], requests: &[f64], taken: &TakenOut) -> Option<Noise> {
    let spread = describe::rough_sd(residual)?;
    let (shape, few) = white_shape(residual, requests);
    // More than half of a constant series is equal; what differs then sets the spread.
    let spread = if spread > 0.0 { spread } else { mean_square(residual).sqrt() };
    let least = (FLOOR * spread).max(1e-6);
    let clipped: Vec<f64> = residual.iter().map(|value| value.clamp(-CLIP * spread, CLIP * spread)).collect();
    let typical = mean_where(&shape, residual);
    let weights: Vec<f64> = shape.iter().map(|shape| 1.0 / (1.0 + few * shape / typical.max(1e-300))).collect();
    let fit = autocovariance::fit_noise(&clipped, &weights, taken)?;
    let weighted_shape = weighted_mean(&shape, &weights, residual).max(1e-300);
    let scale = fit.white_variance / weighted_shape;
    let white: Vec<f64> = shape.iter().map(|shape| (shape * scale).max(least * least)).collect();
    let memory = Memory { fast: (fit.fast_phi, fit.fast_variance), slow: (fit.slow_phi, fit.slow_variance) };
    let variance = mean_where(&white, residual) + fit.fast_variance + fit.slow_variance;
    Some(Noise { white, memory, variance })
}

impl Noise {
    /// Returns how many independent stretches a history of `buckets` holds: its length over the time that the
    /// noise remembers.
    pub fn independent(&self, buckets: usize) -> f64 {
        let correlated = self.memory.fast.1 + self.memory.slow.1;
        if correlated <= 0.0 {
            return buckets as f64;
        }
        let time = |(phi, variance): (f64, f64)| variance * (1.0 + phi) / (1.0 - phi).max(1e-9);
        let integral = (time(self.memory.fast) + time(self.memory.slow)) / correlated;
        buckets as f64 / integral.max(1.0)
    }
}

/// Returns the relative variance of each bucket's own noise, and how much of it comes from few requests (0 to 1).
///
/// A quantile of n requests has a variance in proportion to 1/n. Second differences show how much of the noise of
/// neighbouring buckets does: the constant part and the part that goes with 1/n are told apart by comparing the
/// half of the buckets with more requests with the other half.
fn white_shape(residual: &[f64], requests: &[f64]) -> (Vec<f64>, f64) {
    let even = (vec![1.0; residual.len()], 0.0);
    if requests.len() != residual.len() {
        return even;
    }
    let inverse: Vec<f64> = requests.iter().map(|n| 1.0 / n.max(0.5)).collect();
    let mut pairs: Vec<(f64, f64)> = Vec::with_capacity(residual.len());
    for (values, inverse) in residual.windows(3).zip(inverse.windows(3)) {
        let bend = values[1] - 0.5 * (values[0] + values[2]);
        let few = inverse[1] + 0.25 * (inverse[0] + inverse[2]);
        if bend.is_finite() && few.is_finite() {
            pairs.push((few / 1.5, bend * bend / 1.5));
        }
    }
    if pairs.len() < 96 {
        return even;
    }
    let half = pairs.len() / 2;
    // The value breaks ties, so that the halves do not depend on how the selection runs.
    pairs.select_nth_unstable_by(half, |a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (many, few) = pairs.split_at(half);
    let typical = |part: &[(f64, f64)]| {
        let mut x: Vec<f64> = part.iter().map(|(few, _)| *few).collect();
        let mut y: Vec<f64> = part.iter().map(|(_, square)| *square).collect();
        Some((describe::median_in_place(&mut x)?, describe::median_in_place(&mut y)? / MEDIAN_CHI2))
    };
    let (Some((x0, y0)), Some((x1, y1))) = (typical(many), typical(few)) else { return even };
    let slope = ((y1 - y0) / (x1 - x0).max(1e-300)).max(0.0);
    let constant = (y0 - slope * x0).max(0.0);
    // When the constant part comes out negative all of it goes with 1/n.
    let slope = if constant > 0.0 { slope } else { (y1 / x1).min(y0 / x0) };
    if slope <= 0.0 {
        return even;
    }
    let median_x = 0.5 * (x0 + x1);
    let share = slope * median_x / (slope * median_x + constant).max(1e-300);
    (inverse.iter().map(|inverse| constant + slope * inverse).collect(), share)
}

fn mean_where(values: &[f64], there: &[f64]) -> f64 {
    weighted_mean(values, &[], there)
}

fn weighted_mean(values: &[f64], weights: &[f64], there: &[f64]) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (index, (value, there)) in values.iter().zip(there).enumerate() {
        if !there.is_nan() {
            let weight = weights.get(index).copied().unwrap_or(1.0);
            sum += weight * value;
            total += weight;
        }
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

fn mean_square(values: &[f64]) -> f64 {
    let squares: Vec<f64> = values.iter().map(|value| value * value).collect();
    mean_where(&squares, values)
}

/// Buckets in an hour.
pub const PER_HOUR: usize = (HOUR / BUCKET) as usize;
