//! What a series usually is at this hour and under this load, so that what is left can be compared.
//!
//! `value = load curve(requests) + half-hour of a workday or weekend day + level + noise`. The load curve is
//! fitted first, because the daily wave of traffic is what shows it; the slots then take what recurs at the
//! same hour whatever the traffic (a nightly batch). Both are re-estimated once the levels are known.

use super::calendar::{Calendar, SLOTS};
use crate::stats::describe;

/// Residuals beyond this many robust standard deviations are drawn in: a few bad hours are not the usual.
const CLIP: f64 = 3.0;

/// Days that the day type's own pattern must outweigh: with fewer of them it leans on the pattern of all days.
const SLOT_PRIOR: f64 = 6.0;

/// Quantiles of load at which the curve may bend.
const BENDS: [f64; 4] = [0.3, 0.6, 0.85, 0.97];

/// Quantile of the load up to which the curve is known.
const HIGH: f64 = 0.95;

/// Straight lines with bends: constant, slope, and one more for each bend.
const TERMS: usize = BENDS.len() + 2;

/// The load curve stays unless it makes the residuals wider than this, relative to hours alone. Where traffic is as
/// regular as the clock both explain the same, but only the curve still holds when a campaign comes.
const USEFUL: f64 = 1.0;

/// The usual course of one series.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    /// Part that the load explains, one a bucket; empty if load does not help. NaN where the load is unknown.
    pub load: Vec<f64>,
    /// Part that the hour explains, one a bucket.
    pub season: Vec<f64>,
}

impl Baseline {
    /// Returns what is left of the values: level and noise.
    pub fn residual(&self, value: &[f64]) -> Vec<f64> {
        let mut rest: Vec<f64> = value.iter().zip(&self.season).map(|(value, season)| value - season).collect();
        for (rest, load) in rest.iter_mut().zip(&self.load) {
            *rest -= load;
        }
        rest
    }

    /// Returns how much the load curve adds after `at` against the same hours before, between `begin` and `end`.
    ///
    /// `None` if no half-hour of a day type is known on both sides.
    pub fn load_step(&self, begin: usize, at: usize, end: usize, calendar: &Calendar) -> Option<f64> {
        let mut sums = [[[(0.0, 0.0); SLOTS]; 2]; 2];
        for (bucket, load) in self.load.iter().enumerate().take(end).skip(begin) {
            let weekend = usize::from(calendar.day.get(bucket).is_some_and(|day| *day >= 5));
            let slot = calendar.slot.get(bucket).map_or(0, |slot| usize::from(*slot) % SLOTS);
            if load.is_finite() {
                let (sum, count) = &mut sums[usize::from(bucket >= at)][weekend][slot];
                *sum += load;
                *count += 1.0;
            }
        }
        let (mut total, mut slots) = (0.0, 0.0);
        let [before, after] = sums;
        for ((before, n), (after, m)) in before.iter().flatten().zip(after.iter().flatten()) {
            if *n > 0.0 && *m > 0.0 {
                total += after / m - before / n;
                slots += 1.0;
            }
        }
        (slots > 0.0).then(|| total / slots)
    }
}

/// Fits the usual course.
///
/// `value`: one a bucket, NaN is missing. `weight`: how much each counts. `load`: log of the request rate, NaN
/// where unknown, or empty. `level`: the known level of each bucket (zeros at first).
pub fn fit(value: &[f64], weight: &[f64], load: &[f64], level: &[f64], calendar: &Calendar) -> Baseline {
    let target: Vec<f64> = value.iter().zip(level).map(|(value, level)| value - level).collect();
    let plain = Baseline { load: Vec::new(), season: season(&target, weight, calendar) };
    if load.is_empty() {
        return plain;
    }
    let Some(curve) = load_curve(&target, weight, load) else { return plain };
    let rest: Vec<f64> = target.iter().zip(&curve).map(|(target, curve)| target - curve).collect();
    let bent = Baseline { season: season(&rest, weight, calendar), load: curve };
    let spread = |baseline: &Baseline| describe::rough_sd(&baseline.residual(&target)).unwrap_or(f64::INFINITY);
    if spread(&bent) < USEFUL * spread(&plain) { bent } else { plain }
}

/// Returns the typical value of each bucket's slot, workdays and weekend days apart.
fn season(target: &[f64], weight: &[f64], calendar: &Calendar) -> Vec<f64> {
    let mut table = [[0.0; SLOTS]; 2];
    let day_type = |bucket: usize| usize::from(calendar.day.get(bucket).is_some_and(|day| *day >= 5));
    let slot = |bucket: usize| calendar.slot.get(bucket).map_or(0, |slot| usize::from(*slot) % SLOTS);
    let centre = describe::rough_median(target).unwrap_or(0.0);
    for row in &mut table {
        row.fill(centre);
    }
    for round in 0..3 {
        let mut rest = Vec::with_capacity(target.len());
        for (bucket, target) in target.iter().enumerate() {
            rest.push(target - table[day_type(bucket)][slot(bucket)]);
        }
        let reach = CLIP * describe::rough_sd(&rest).unwrap_or(0.0);
        // Before the pattern is known its own waves look like outliers.
        let reach = if round == 0 || reach <= 0.0 { f64::INFINITY } else { reach };
        let mut sums = [[(0.0, 0.0); SLOTS]; 2];
        for (bucket, (rest, weight)) in rest.iter().zip(weight).enumerate() {
            if !rest.is_nan() {
                let (sum, count) = &mut sums[day_type(bucket)][slot(bucket)];
                *sum += weight * rest.clamp(-reach, reach);
                *count += weight;
            }
        }
        for k in 0..SLOTS {
            let all = (sums[0][k].0 + sums[1][k].0, sums[0][k].1 + sums[1][k].1);
            if all.1 <= 0.0 {
                continue;
            }
            let common = all.0 / all.1;
            for (row, sums) in table.iter_mut().zip(&sums) {
                let (sum, count) = sums[k];
                let prior = if round == 0 { SLOT_PRIOR } else { 0.0 };
                row[k] += if count > 0.0 { (sum + prior * common) / (count + prior) } else { common };
            }
        }
    }
    (0..target.len()).map(|bucket| table[day_type(bucket)][slot(bucket)]).collect()
}

/// Fits straight lines with bends to values over load; `None` if the load hardly varies or says nothing.
///
/// # Source
/// Least squares on a linear spline, reweighted twice with clipped residuals (P. J. Huber, Robust Statistics, 1981).
fn load_curve(target: &[f64], weight: &[f64], load: &[f64]) -> Option<Vec<f64>> {
    let mut sorted: Vec<f64> = load.iter().copied().filter(|load| load.is_finite()).collect();
    if sorted.len() < 96 {
        return None;
    }
    let low = describe::quantile_in_place(&mut sorted, 0.02)?;
    let high = describe::quantile_in_place(&mut sorted, HIGH)?;
    if high - low < 0.1 {
        return None;
    }
    let mut bends = [0.0; BENDS.len()];
    for (bend, share) in bends.iter_mut().zip(BENDS) {
        *bend = describe::quantile_in_place(&mut sorted, share)?;
    }
    let centre = describe::rough_median(target)?;
    let terms = |load: f64| {
        let mut terms = [1.0; TERMS];
        terms[1] = load - low;
        for (term, bend) in terms[2..].iter_mut().zip(bends) {
            *term = (load - bend).max(0.0);
        }
        terms
    };
    let mut curve = vec![centre; target.len()];
    for round in 0..3 {
        let rest: Vec<f64> = target.iter().zip(&curve).map(|(target, curve)| target - curve).collect();
        let reach = CLIP * describe::rough_sd(&rest).unwrap_or(0.0);
        let reach = if round == 0 || reach <= 0.0 { f64::INFINITY } else { reach };
        let mut normal = [[0.0; TERMS + 1]; TERMS];
        for (((rest, curve), weight), load) in rest.iter().zip(&curve).zip(weight).zip(load) {
            if rest.is_nan() || !load.is_finite() {
                continue;
            }
            let wanted = curve + rest.clamp(-reach, reach);
            let terms = terms(*load);
            for (row, a) in normal.iter_mut().zip(terms) {
                for (cell, b) in row.iter_mut().zip(terms) {
                    *cell += weight * a * b;
                }
                row[TERMS] += weight * a * wanted;
            }
        }
        let total = normal[0][0];
        for (k, row) in normal.iter_mut().enumerate().skip(2) {
            // A gentle pull of the bends towards 0 keeps the curve straight where little data bends it.
            row[k] += 1e-3 * total;
        }
        let factors = solve(normal)?;
        for (curve, load) in curve.iter_mut().zip(load) {
            *curve =
                if load.is_finite() { terms(*load).iter().zip(factors).map(|(a, b)| a * b).sum() } else { f64::NAN };
        }
        if round < 2 {
            // Buckets of unknown load must not become missing before the last round.
            for curve in &mut curve {
                if curve.is_nan() {
                    *curve = centre;
                }
            }
        }
    }
    // The level belongs to the season and to the steps.
    let middle = describe::rough_median(&curve)?;
    Some(curve.into_iter().map(|value| value - middle).collect())
}

/// Solves the normal equations by elimination; `None` if they are singular.
fn solve(mut normal: [[f64; TERMS + 1]; TERMS]) -> Option<[f64; TERMS]> {
    for pivot in 0..TERMS {
        let head = normal[pivot];
        if head[pivot].abs() <= 1e-12 * normal[0][0].abs() {
            return None;
        }
        for (index, row) in normal.iter_mut().enumerate() {
            if index != pivot {
                let factor = row[pivot] / head[pivot];
                for (cell, head) in row.iter_mut().zip(head) {
                    *cell -= factor * head;
                }
            }
        }
    }
    let mut factors = [0.0; TERMS];
    for (k, factor) in factors.iter_mut().enumerate() {
        *factor = normal[k][TERMS] / normal[k][k];
    }
    factors.iter().all(|factor| factor.is_finite()).then_some(factors)
}
