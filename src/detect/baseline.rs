//! What a series usually is at this hour and under this load, so that what is left can be compared.
//!
//! `value = load curve(requests) + half-hour of a workday or weekend day + level + noise`. The load curve is
//! fitted first, because the daily wave of traffic is what shows it; the slots then take what recurs at the
//! same hour whatever the traffic (a nightly batch). Both are re-estimated once the levels are known.

use super::calendar::{Calendar, SLOTS};
use crate::stats::describe;

/// Residuals beyond this many robust standard deviations are drawn in: a few bad hours are not the usual.
const CLIP: f64 = 3.0;

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
/// where unknown, or empty. `level`: the known level of each bucket (zeros at first). `steps`: sorted first buckets of
/// new levels.
pub fn fit(
    value: &[f64],
    weight: &[f64],
    load: &[f64],
    level: &[f64],
    steps: &[usize],
    calendar: &Calendar,
) -> Baseline {
    let target: Vec<f64> = value.iter().zip(level).map(|(value, level)| value - level).collect();
    let plain = Baseline { load: Vec::new(), season: season(value, weight, steps, calendar) };
    if load.is_empty() {
        return plain;
    }
    let Some(curve) = load_curve(&target, weight, load) else { return plain };
    let rest: Vec<f64> = value.iter().zip(&curve).map(|(value, curve)| value - curve).collect();
    let bent = Baseline { season: season(&rest, weight, steps, calendar), load: curve };
    let spread = |baseline: &Baseline| describe::rough_sd(&baseline.residual(&target)).unwrap_or(f64::INFINITY);
    if spread(&bent) < USEFUL * spread(&plain) { bent } else { plain }
}

/// Returns the usual value of each bucket's half-hour, workdays and weekend days apart.
///
/// Levels of the stretches between `steps`, a common course of the day, how far weekend days lie from workdays, and how
/// their course differs are estimated together, because a step just before a weekend looks like the weekend when one is
/// fitted after the other. Only the difference of the courses is drawn to 0, by a prior worth `COURSE_PRIOR` buckets.
///
/// # Source
/// Least squares with two crossed factors, the slots eliminated (S. R. Searle, Linear Models, 1971, 7.1); residuals
/// clipped in rounds as Huber's.
fn season(target: &[f64], weight: &[f64], steps: &[usize], calendar: &Calendar) -> Vec<f64> {
    let mut table = Table::new(steps.len());
    let mut fitted: Vec<f64> = Vec::new();
    for round in 0..ROUNDS {
        if round == 0 {
            table.sum(target, weight, steps, calendar);
        } else {
            let rest: Vec<f64> = target.iter().zip(&fitted).map(|(target, fitted)| target - fitted).collect();
            let reach = CLIP * describe::rough_sd(&rest).unwrap_or(0.0);
            if reach <= 0.0 {
                break;
            }
            let drawn: Vec<f64> =
                rest.iter().zip(&fitted).map(|(rest, fitted)| fitted + rest.clamp(-reach, reach)).collect();
            table.sum(&drawn, weight, steps, calendar);
        }
        table.solve();
        if round + 1 < ROUNDS {
            fitted = table.whole(steps, calendar);
        }
    }
    table.course(calendar)
}

/// Rounds of fitting; from the second on residuals are clipped.
const ROUNDS: usize = 3;

/// Buckets that the prior on a difference between the weekend's and the workdays' course is worth.
const COURSE_PRIOR: f64 = 1.0;

/// Sums of a series by slot, day type and stretch, and what is estimated from them.
struct Table {
    stretches: usize,
    /// Weight and weighted sum, by slot, day type, stretch.
    cells: Vec<(f64, f64)>,
    /// Level of each stretch, the first 0; last the weekend's distance.
    unknowns: Vec<f64>,
    /// Course of the day, by day type and slot.
    course: [[f64; SLOTS]; 2],
}

impl Table {
    fn new(steps: usize) -> Self {
        let stretches = steps + 1;
        Self {
            stretches,
            cells: vec![(0.0, 0.0); SLOTS * 2 * stretches],
            unknowns: vec![0.0; stretches + 1],
            course: [[0.0; SLOTS]; 2],
        }
    }

    fn sum(&mut self, target: &[f64], weight: &[f64], steps: &[usize], calendar: &Calendar) {
        self.cells.fill((0.0, 0.0));
        let mut stretch = 0;
        for (bucket, (target, weight)) in target.iter().zip(weight).enumerate() {
            while steps.get(stretch).is_some_and(|step| *step <= bucket) {
                stretch += 1;
            }
            if !target.is_nan() {
                let (day, slot) = place(calendar, bucket);
                let cell = &mut self.cells[(slot * 2 + day) * self.stretches + stretch];
                cell.0 += weight;
                cell.1 += weight * target;
            }
        }
    }

    /// Solves for levels and the weekend's distance, then for the courses.
    fn solve(&mut self) {
        let count = self.stretches + 1;
        let mut normal = vec![0.0; count * (count + 1)];
        let (mut mean, mut between) = ([vec![0.0; count], vec![0.0; count]], vec![0.0; count]);
        for slot in 0..SLOTS {
            let mut total = [(0.0, 0.0); 2];
            for day in 0..2 {
                let cells = &self.cells[(slot * 2 + day) * self.stretches..][..self.stretches];
                let n: f64 = cells.iter().map(|cell| cell.0).sum();
                let sum: f64 = cells.iter().map(|cell| cell.1).sum();
                total[day] = (n, sum);
                mean[day].fill(0.0);
                if n <= 0.0 {
                    continue;
                }
                for (mean, cell) in mean[day].iter_mut().zip(cells) {
                    *mean = cell.0 / n;
                }
                mean[day][count - 1] = day as f64;
                // What differs between the stretches inside this slot.
                for (k, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.0 > 0.0) {
                    let row = &mut normal[k * (count + 1)..][..=count];
                    row[k] += cell.0;
                    for (value, other) in row.iter_mut().zip(cells) {
                        *value -= cell.0 * other.0 / n;
                    }
                    row[count] += cell.1 - cell.0 * sum / n;
                }
            }
            let [(n, sum), (weekend_n, weekend_sum)] = total;
            if n <= 0.0 || weekend_n <= 0.0 {
                continue;
            }
            // What differs between weekend and workdays in this slot.
            let strength = 1.0 / (1.0 / n + 1.0 / weekend_n + 1.0 / COURSE_PRIOR);
            let difference = weekend_sum / weekend_n - sum / n;
            for (between, (weekend, workday)) in between.iter_mut().zip(mean[1].iter().zip(&mean[0])) {
                *between = weekend - workday;
            }
            for (k, a) in between.iter().enumerate() {
                let row = &mut normal[k * (count + 1)..][..=count];
                for (value, b) in row.iter_mut().zip(&between) {
                    *value += strength * a * b;
                }
                row[count] += strength * a * difference;
            }
        }
        self.unknowns = eliminate(normal, count);
        self.courses();
    }

    /// Returns weight and mean of a slot on one type of day, beside levels and the weekend's distance.
    fn mean(&self, slot: usize, day: usize) -> (f64, f64) {
        let cells = &self.cells[(slot * 2 + day) * self.stretches..][..self.stretches];
        let away = if day == 1 { self.unknowns[self.stretches] } else { 0.0 };
        let (mut n, mut sum) = (0.0, 0.0);
        for (cell, level) in cells.iter().zip(&self.unknowns) {
            n += cell.0;
            sum += cell.1 - cell.0 * (level + away);
        }
        (n, if n > 0.0 { sum / n } else { 0.0 })
    }

    fn courses(&mut self) {
        for slot in 0..SLOTS {
            let ((n, mean), (weekend_n, weekend_mean)) = (self.mean(slot, 0), self.mean(slot, 1));
            let (common, own) = if n > 0.0 && weekend_n > 0.0 {
                let own = (weekend_mean - mean) / (COURSE_PRIOR / n + COURSE_PRIOR / weekend_n + 1.0);
                ((n * mean + weekend_n * (weekend_mean - own)) / (n + weekend_n), own)
            } else {
                (if n > 0.0 { mean } else { weekend_mean }, 0.0)
            };
            self.course[0][slot] = common;
            self.course[1][slot] = common + own + self.unknowns[self.stretches];
        }
    }

    fn course(&self, calendar: &Calendar) -> Vec<f64> {
        (0..calendar.len())
            .map(|bucket| {
                let (day, slot) = place(calendar, bucket);
                self.course[day][slot]
            })
            .collect()
    }

    fn whole(&self, steps: &[usize], calendar: &Calendar) -> Vec<f64> {
        let mut whole = self.course(calendar);
        let ends = steps.iter().copied().chain([whole.len()]);
        let mut begin = 0;
        for (level, end) in self.unknowns.iter().zip(ends) {
            for value in whole.get_mut(begin..end).unwrap_or(&mut []) {
                *value += level;
            }
            begin = end;
        }
        whole
    }
}

/// Returns day type (1: weekend) and half-hour of a bucket.
fn place(calendar: &Calendar, bucket: usize) -> (usize, usize) {
    let weekend = usize::from(calendar.day.get(bucket).is_some_and(|day| *day >= 5));
    (weekend, calendar.slot.get(bucket).map_or(0, |slot| usize::from(*slot) % SLOTS))
}

/// Solves symmetric normal equations (rows of `count + 1`) with the first unknown held at 0; unknowns of which the data
/// say nothing are 0.
fn eliminate(mut normal: Vec<f64>, count: usize) -> Vec<f64> {
    let width = count + 1;
    let largest = (0..count).map(|k| normal[k * width + k]).fold(0.0, f64::max);
    let mut solved = vec![false; count];
    for pivot in 1..count {
        let head: Vec<f64> = normal[pivot * width..][..width].to_vec();
        if head[pivot] <= 1e-9 * largest {
            continue;
        }
        solved[pivot] = true;
        for row in (1..count).filter(|row| *row != pivot) {
            let factor = normal[row * width + pivot] / head[pivot];
            for (value, head) in normal[row * width..][..width].iter_mut().zip(&head) {
                *value -= factor * head;
            }
        }
    }
    (0..count).map(|k| if solved[k] { normal[k * width + count] / normal[k * width + k] } else { 0.0 }).collect()
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
