//! Values that were written in whole steps: how far a mean of them may lie from the mean of what was measured.

use crate::model::metric::Series;
use crate::stats::describe;

/// Values looked at.
const LOOKED_AT: usize = 512;

/// Share of the values that must be multiples of the step.
const MULTIPLES: f64 = 0.99;

/// Steps finer than this share of the typical value do not matter.
const FINE: f64 = 1e-3;

/// Values that differ from the one before, from which on they show the step in which they are written.
const LEAST_MOVES: usize = 4;

/// Returns the most by which rounding may move a mean of the series, in its base unit; 0 where it does not matter.
///
/// # Source
/// The first harmonic of the rounding error of a normal: `h/π · exp(−2π²σ²/h²)`, with Sheppard's correction
/// `σ² = observed − h²/12` (B. Widrow and I. Kollár, Quantization Noise, 2008, chapter 4).
pub fn bias(series: &Series) -> f64 {
    let stride = (series.values.len() / LOOKED_AT).max(1);
    let values: Vec<f64> = series.values.iter().step_by(stride).copied().filter(|value| value.is_finite()).collect();
    let factor = if series.unit.factor > 0.0 { series.unit.factor } else { 1.0 };
    let shown: Vec<f64> = values.iter().map(|value| value / factor).collect();
    let Some(step) = step(&shown) else { return 0.0 };
    let points = series.values.windows(2).step_by(stride | 1).map(|two| (two[1] - two[0]) / factor);
    let mut squares: Vec<f64> = points.filter(|move_| move_.is_finite()).map(|move_| move_ * move_).collect();
    squares.sort_by(f64::total_cmp);
    // Spikes and a step of the level are no noise that blurs the rounding.
    squares.truncate(squares.len() * 19 / 20);
    let observed = squares.iter().sum::<f64>() / (2.0 * squares.len().max(1) as f64);
    let variance = (observed - step * step / 12.0).max(0.0);
    let blurred = step / std::f64::consts::PI * (-2.0 * std::f64::consts::PI.powi(2) * variance / (step * step)).exp();
    if variance.sqrt() < 0.1 * step { 0.5 * step * factor } else { blurred * factor }
}

/// Returns the largest of 1, 2 and 5 times a power of ten that divides the values, where it is coarse enough to matter.
fn step(values: &[f64]) -> Option<f64> {
    let typical = describe::median_of(values.iter().map(|value| value.abs()).filter(|value| *value > 0.0))?;
    // A level that steps once or twice says nothing of how it is written; noise that is rounded goes to and fro.
    let moves = values.windows(2).filter(|two| (two[0] - two[1]).abs() > 0.0).count();
    if moves < LEAST_MOVES {
        return None;
    }
    let divides = |step: f64| {
        let is_multiple = |value: &&f64| {
            let times = **value / step;
            (times - times.round()).abs() <= 1e-6 * times.abs().max(1.0)
        };
        values.iter().filter(is_multiple).count() as f64 >= MULTIPLES * values.len() as f64
    };
    let highest = typical.log10().floor() as i32;
    let steps = (highest - 3..=highest).rev().flat_map(|power| [5.0, 2.0, 1.0].map(|digit| digit * 10f64.powi(power)));
    steps.filter(|step| *step >= FINE * typical).find(|step| divides(*step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_steps_are_seen_and_measured_values_are_not() {
        assert_eq!(step(&[3.0, 4.0, 3.0, 5.0, 4.0]), Some(1.0));
        assert_eq!(step(&[30.0, 40.0, 30.0, 50.0, 40.0]), Some(10.0));
        assert_eq!(step(&[3.172, 4.201, 3.556, 4.013, 3.998]), None, "finer than what matters");
        assert_eq!(step(&[100.0, 100.0, 150.0, 150.0, 150.0]), None, "a constant with a step");
        assert_eq!(step(&[3.0, 3.0, 3.0]), None, "a constant says nothing of how it is written");
    }
}
