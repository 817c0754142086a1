//! How uncertain each bucket is, and how noise hangs together over time.

use crate::detect::input::calendar::SLOTS;
use crate::detect::input::load::Behind;
use crate::stats::autocovariance::{self, TakenOut};
use crate::stats::describe;
use crate::stats::structural::Ar1Pair;

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
    pub white_noise_variance: Vec<f64>,
    /// The part that lasts.
    pub memory: Ar1Pair,
    /// Variance of a typical bucket in all.
    pub variance: f64,
}

/// Measures the noise of residuals about 0.
///
/// `residual`: one a bucket, NaN is missing. `behind`: the requests behind each bucket, where they matter. `taken`: what was
/// estimated from the same buckets and taken out. `None` when there is too little data (under 12 hours of it) to say
/// anything.
pub fn fit(residual: &[f64], behind: Option<&Behind>, taken: &TakenOut) -> Option<Noise> {
    let spread = describe::rough_sd(residual)?;
    let shape = behind.and_then(|behind| white_shape(residual, behind));
    let (shape, few) = shape.unwrap_or_else(|| (vec![1.0; residual.len()], 0.0));
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
    let memory = Ar1Pair { fast: (fit.fast_phi, fit.fast_variance), slow: (fit.slow_phi, fit.slow_variance) };
    let variance = mean_where(&white, residual) + fit.fast_variance + fit.slow_variance;
    Some(Noise { white_noise_variance: white, memory, variance })
}

/// Returns the level of each bucket: the median of the stretch between the first buckets of new levels.
pub fn levels(value: &[f64], steps: &[usize]) -> Vec<f64> {
    let mut levels = vec![0.0; value.len()];
    let mut begin = 0;
    for end in steps.iter().copied().chain([value.len()]) {
        let end = end.min(value.len());
        let level = describe::rough_median(value.get(begin..end).unwrap_or(&[])).unwrap_or(0.0);
        if let Some(stretch) = levels.get_mut(begin..end) {
            stretch.fill(level);
        }
        begin = end;
    }
    levels
}

/// Measures the noise of a residual beside the levels between some steps.
pub fn beside(residual: &[f64], steps: &[usize], behind: Option<&Behind>) -> Option<Noise> {
    let level = levels(residual, steps);
    let rest: Vec<f64> = residual.iter().zip(&level).map(|(value, level)| value - level).collect();
    let ends = steps.iter().copied().chain([rest.len()]);
    let begins = [0].into_iter().chain(steps.iter().copied());
    let there = |(begin, end): (usize, usize)| {
        rest.get(begin..end).unwrap_or(&[]).iter().filter(|value| value.is_finite()).count()
    };
    let stretches: Vec<usize> = begins.zip(ends).map(there).collect();
    let slots = 2.0 * SLOTS as f64 / stretches.iter().sum::<usize>().max(1) as f64;
    fit(&rest, behind, &TakenOut { stretches, slots })
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
/// half of the buckets with more requests with the other half. `None` if all of it is constant.
fn white_shape(residual: &[f64], behind: &Behind) -> Option<(Vec<f64>, f64)> {
    if behind.inverse.len() != residual.len() {
        return None;
    }
    let bends = residual.windows(3).map(|three| three[1] - 0.5 * (three[0] + three[2]));
    let mut squares = [Vec::with_capacity(residual.len()), Vec::with_capacity(residual.len())];
    for (bend, is_few) in bends.zip(behind.is_few.get(1..)?) {
        if bend.is_finite() {
            squares[usize::from(*is_few)].push(bend * bend);
        }
    }
    if squares.iter().any(|half| half.len() < LEAST_BENDS) {
        return None;
    }
    let typical = |half: &[f64]| Some(describe::median(half)? / (1.5 * MEDIAN_CHI2));
    let ([x0, x1], [y0, y1]) = (behind.typical, [typical(&squares[0])?, typical(&squares[1])?]);
    let slope = ((y1 - y0) / (x1 - x0).max(1e-300)).max(0.0);
    let constant = (y0 - slope * x0).max(0.0);
    // When the constant part comes out negative all of it goes with 1/n.
    let slope = if constant > 0.0 { slope } else { (y1 / x1).min(y0 / x0) };
    if slope <= 0.0 {
        return None;
    }
    let median_x = 0.5 * (x0 + x1);
    let share = slope * median_x / (slope * median_x + constant).max(1e-300);
    Some((behind.inverse.iter().map(|inverse| constant + slope * inverse).collect(), share))
}

/// Second differences that each half must have for its noise to be known: half a day of quarter hours.
const LEAST_BENDS: usize = 48;

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
