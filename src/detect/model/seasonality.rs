//! What a series usually is at this hour and under this load, so that what is left can be compared.
//!
//! `value = load curve(requests) + half-hour of a workday or weekend day + level + noise`. The load curve is
//! fitted first, because the daily wave of traffic is what shows it; the slots then take what recurs at the
//! same hour whatever the traffic (a nightly batch). Both are re-estimated once the levels are known.

use crate::detect::input::calendar::{Calendar, SLOTS};
use crate::detect::input::load::Load;
use crate::stats::{describe, linalg};

/// Residuals beyond this many robust standard deviations are drawn in: a few bad hours are not the usual.
const CLIP: f64 = 3.0;

/// The load curve stays unless it makes the residuals wider than this, relative to hours alone. Where traffic is as
/// regular as the clock both explain the same, but only the curve still holds when a campaign comes.
const USEFUL: f64 = 1.0;

/// The usual course of one series.
#[derive(Debug, Clone, Default)]
pub struct Seasonality {
    /// Part that the load explains, one a bucket; empty if load does not help. NaN where the load is unknown.
    pub load: Vec<f64>,
    /// Part that the hour explains, one a bucket.
    pub season: Vec<f64>,
}

impl Seasonality {
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
/// `value`: one a bucket, NaN is missing. `weight`: how much each counts. `load`: the requests behind it.
/// `level`: the known level of each bucket (zeros at first). `steps`: sorted first buckets of
/// new levels.
pub fn fit(
    value: &[f64],
    weight: &[f64],
    load: &Load,
    level: &[f64],
    steps: &[usize],
    calendar: &Calendar,
) -> Seasonality {
    let target: Vec<f64> = value.iter().zip(level).map(|(value, level)| value - level).collect();
    let plain = || Seasonality { load: Vec::new(), season: season(value, weight, steps, calendar) };
    let Some(curve) = load.curve(&target, weight) else { return plain() };
    let plain = plain();
    let rest: Vec<f64> = value.iter().zip(&curve).map(|(value, curve)| value - curve).collect();
    let bent = Seasonality { season: season(&rest, weight, steps, calendar), load: curve };
    let spread = |baseline: &Seasonality| {
        let load = |at: usize| baseline.load.get(at).copied().unwrap_or(0.0);
        let rest = |at: usize| target[at] - baseline.season[at] - load(at);
        describe::rough_sd_by(target.len(), rest).unwrap_or(f64::INFINITY)
    };
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
    table.sum(target, weight, steps, calendar);
    table.solve();
    let mut fitted = Vec::with_capacity(target.len());
    for round in 1..ROUNDS {
        table.whole(steps, calendar, &mut fitted);
        if round == 1
            && let Some(start) = beside_bursts(target, &fitted, steps, calendar)
        {
            fitted = start;
        }
        let reach = CLIP * describe::rough_sd_about_0(target.len(), |at| target[at] - fitted[at]).unwrap_or(0.0);
        if reach <= 0.0 {
            break;
        }
        table.draw_in(target, &fitted, reach, weight, steps, calendar);
        table.solve();
    }
    table.course(calendar)
}

/// Returns where clipping should begin where means were drawn to bursts; `None` where they were not.
///
/// An hour at a hundred times the usual, now and then, moves the mean of its half-hour by more than all noise.
fn beside_bursts(target: &[f64], fitted: &[f64], steps: &[usize], calendar: &Calendar) -> Option<Vec<f64>> {
    let (mut sum, mut count) = (0.0, 0.0);
    for away in target.iter().zip(fitted).map(|(target, fitted)| target - fitted).filter(|away| !away.is_nan()) {
        sum += away * away;
        count += 1.0;
    }
    let typical = |fitted: &[f64]| describe::rough_sd_about_0(target.len(), |at| target[at] - fitted[at]);
    let by_means = typical(fitted)?;
    if sum <= (HEAVY * by_means).powi(2) * count {
        return None;
    }
    let start = medians(target, steps, calendar);
    (typical(&start)? < CALMER * by_means).then_some(start)
}

/// From a root mean square of this many typical distances on, bursts are looked for: Student's t of four degrees.
const HEAVY: f64 = 1.3;

/// Medians are a better start where the typical distance from them is this share of that from means, or less.
const CALMER: f64 = 0.7;

/// Returns the median of each stretch and, beside it, of each half-hour and type of day: a start that bursts do not move.
fn medians(target: &[f64], steps: &[usize], calendar: &Calendar) -> Vec<f64> {
    let mut fitted = super::noise::levels(target, steps);
    let mut cells: Vec<Vec<f64>> = vec![Vec::new(); 2 * SLOTS];
    for ((target, level), cell) in target.iter().zip(&fitted).zip(&calendar.cell) {
        if let Some(values) = cells.get_mut(usize::from(*cell)).filter(|_| target.is_finite()) {
            values.push(target - level);
        }
    }
    let typical: Vec<f64> = cells.iter().map(|values| describe::median(values).unwrap_or(0.0)).collect();
    for (fitted, cell) in fitted.iter_mut().zip(&calendar.cell) {
        *fitted += typical.get(usize::from(*cell)).copied().unwrap_or(0.0);
    }
    fitted
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
    /// The same of the values as they are, before any was drawn in.
    plain: Vec<(f64, f64)>,
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
            plain: Vec::new(),
            unknowns: vec![0.0; stretches + 1],
            course: [[0.0; SLOTS]; 2],
        }
    }

    fn sum(&mut self, target: &[f64], weight: &[f64], steps: &[usize], calendar: &Calendar) {
        let mut values = target.iter().zip(weight).zip(&calendar.cell);
        let mut begin = 0;
        for (stretch, end) in steps.iter().copied().chain([calendar.len()]).enumerate() {
            for ((target, weight), cell) in values.by_ref().take(end.saturating_sub(begin)) {
                // A missing value must not weigh; a branch here would be guessed wrong too often to be worth it.
                let weight = if target.is_nan() { 0.0 } else { *weight };
                let target = if target.is_nan() { 0.0 } else { *target };
                if let Some(cell) = self.cells.get_mut(usize::from(*cell) * self.stretches + stretch) {
                    cell.0 += weight;
                    cell.1 += weight * target;
                }
            }
            begin = end;
        }
        self.plain.clone_from(&self.cells);
    }

    /// Takes the few values that lie further than `reach` from what was fitted as if they lay there.
    fn draw_in(
        &mut self,
        target: &[f64],
        fitted: &[f64],
        reach: f64,
        weight: &[f64],
        steps: &[usize],
        calendar: &Calendar,
    ) {
        self.cells.clone_from(&self.plain);
        for (bucket, (target, fitted)) in target.iter().zip(fitted).enumerate() {
            let away = target - fitted;
            if away.abs() > reach {
                let stretch = steps.partition_point(|step| *step <= bucket);
                let cell = calendar.cell.get(bucket).map_or(0, |cell| usize::from(*cell));
                if let Some(cell) = self.cells.get_mut(cell * self.stretches + stretch) {
                    cell.1 += weight.get(bucket).copied().unwrap_or(0.0) * (away.clamp(-reach, reach) - away);
                }
            }
        }
    }

    /// Solves for levels and the weekend's distance, then for the courses.
    fn solve(&mut self) {
        if self.stretches == 1 {
            self.unknowns = vec![0.0, self.weekend()];
        } else {
            self.unknowns = self.levels_and_weekend();
        }
        self.courses();
    }

    /// Returns how far weekend days lie from workdays where there is but one level.
    fn weekend(&self) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for slot in self.cells.chunks_exact(2) {
            let ((n, workday), (weekend_n, weekend)) = (slot[0], slot[1]);
            if n > 0.0 && weekend_n > 0.0 {
                let strength = 1.0 / (1.0 / n + 1.0 / weekend_n + 1.0 / COURSE_PRIOR);
                sum += strength * (weekend / weekend_n - workday / n);
                total += strength;
            }
        }
        if total > 0.0 { sum / total } else { 0.0 }
    }

    fn levels_and_weekend(&self) -> Vec<f64> {
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
        eliminate(normal, count)
    }

    /// Returns weight and mean of a slot on one type of day, beside levels and the weekend's distance.
    #[inline]
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
        let mut course = Vec::with_capacity(calendar.len());
        self.add_course(calendar, &mut course);
        course
    }

    fn add_course(&self, calendar: &Calendar, to: &mut Vec<f64>) {
        let flat: [f64; 2 * SLOTS] = std::array::from_fn(|cell| self.course[cell % 2][cell / 2]);
        to.extend(calendar.cell.iter().map(|cell| flat.get(usize::from(*cell)).copied().unwrap_or(0.0)));
    }

    /// Writes course and levels of each bucket.
    fn whole(&self, steps: &[usize], calendar: &Calendar, whole: &mut Vec<f64>) {
        whole.clear();
        self.add_course(calendar, whole);
        let ends = steps.iter().copied().chain([whole.len()]);
        let mut begin = 0;
        for (level, end) in self.unknowns.iter().zip(ends) {
            for value in whole.get_mut(begin..end).unwrap_or(&mut []) {
                *value += level;
            }
            begin = end;
        }
    }
}

/// Solves symmetric normal equations (rows of `count + 1`) with the first unknown held at 0; unknowns of which the data
/// say nothing are 0.
fn eliminate(mut normal: Vec<f64>, count: usize) -> Vec<f64> {
    let width = count + 1;
    let largest = (0..count).map(|k| normal[k * width + k]).fold(0.0, f64::max);
    linalg::solve(&mut normal, count, |unknown, pivot| unknown > 0 && pivot > 1e-9 * largest);
    let solution = |k: usize| normal[k * width + count];
    (0..count).map(|k| if solution(k).is_nan() { 0.0 } else { solution(k) }).collect()
}
