//! Brings one series onto the common grid: a value, its number of requests and its share of points a bucket.

use std::ops::Range;

use wide::f64x2;

use super::calendar::{BUCKET, Calendar};
use crate::model::effect::Scale;
use crate::model::metric::Series;
use crate::model::time::MINUTE;
use crate::stats::describe::{self, MAD_TO_SD};

/// Values this far from their bucket's median, in robust standard deviations, are spikes and left out.
const SPIKE: f64 = 5.0;

/// Below this share of the typical value a positive value counts as this share: logs need a floor.
const LOG_FLOOR: f64 = 0.01;

/// Above this share of values at or below zero a series is judged as it is and not by its log.
const LOG_ZEROS: f64 = 0.05;

/// A series on the grid.
#[derive(Debug, Clone)]
pub struct Gridded {
    /// Log ratios; differences for series that are often zero or negative.
    pub scale: Scale,
    /// Value of each bucket on that scale, NaN is missing.
    pub value: Vec<f64>,
}

/// Returns the most usual step between points, ms: the median of the differences; one minute for one point.
pub fn typical_step(times: &[i64]) -> i64 {
    let steps = || times.windows(2).step_by(sparse(times.len())).map(|pair| pair[1] - pair[0]);
    let Some(first) = steps().next() else { return MINUTE };
    if steps().all(|step| step == first) {
        return first.max(1);
    }
    describe::median_of(steps().map(|step| step as f64)).map_or(MINUTE, |step| (step as i64).max(1))
}

/// Returns how many buckets one point speaks for: 1 unless points are further apart than that.
pub fn buckets_a_point(series: &Series) -> usize {
    usize::try_from((typical_step(&series.times) + BUCKET - 1) / BUCKET).unwrap_or(1).max(1)
}

/// Returns the length of a point in buckets: below 1 if several points share one.
pub fn buckets_of_a_point(series: &Series) -> f64 {
    typical_step(&series.times) as f64 / BUCKET as f64
}

/// Returns how much of an axis some points speak for, each at most `most`: its distance to both neighbours where those
/// are the same, else `usual`.
///
/// A source that keeps single minutes for some days only gives hours before them, and both stand in one series.
pub fn covered(points: impl Iterator<Item = i64>, usual: i64, most: i64) -> i64 {
    let (mut last, mut before_last, mut sum): (Option<i64>, Option<i64>, i64) = (None, None, 0);
    for point in points {
        sum += usual;
        if let (Some(last), Some(before_last)) = (last, before_last)
            && point - last == last - before_last
            && point - last <= most
        {
            sum += (point - last - usual).max(0);
        }
        (before_last, last) = (last, Some(point));
    }
    sum
}

/// How many buckets up to each have data, those counted that a long step covers.
#[derive(Debug, Clone)]
pub struct Covered(Vec<f64>);

impl Covered {
    /// Counts the buckets of a series; `reach`: how many of them one point speaks for, `most`: how many at the most.
    pub fn of(values: &[f64], reach: usize, most: usize) -> Self {
        let mut sums = Vec::with_capacity(values.len() + 1);
        let (mut sum, mut since, mut before) = (0.0, usize::MAX, usize::MAX);
        sums.push(sum);
        for value in values {
            since = since.saturating_add(1);
            if value.is_finite() {
                let is_even = since == before && since <= most;
                sum += if is_even { since.max(reach) } else { reach } as f64;
                (before, since) = (since, 0);
            }
            sums.push(sum);
        }
        Self(sums)
    }

    /// Returns how many buckets from `begin` up to `end` have data.
    pub fn between(&self, begin: usize, end: usize) -> f64 {
        let upto = |bucket: usize| self.0.get(bucket).or(self.0.last()).copied().unwrap_or(0.0);
        (upto(end) - upto(begin)).clamp(0.0, end.saturating_sub(begin) as f64)
    }
}

/// Returns the stride that leaves about 500 of `count` values, odd so that it does not fall in step with days.
fn sparse(count: usize) -> usize {
    (count / 512).max(1) | 1
}

/// Puts a series onto the grid by the mean of each bucket's values, spikes left out.
///
/// `requests`: expected number of requests behind each point, same length as the series, or empty; points
/// are weighted by it. `is_share`: the values are shares of requests, where a spike is a fact to be counted and
/// no ratio is taken. A point longer than a bucket fills the bucket it starts in alone: the others stay
/// missing, so that nothing is counted twice.
pub fn grid(series: &Series, requests: &[f64], is_share: bool, calendar: &Calendar) -> Gridded {
    let (mut zeros, mut finite) = (0_u32, 0_u32);
    for value in &series.values {
        zeros += u32::from(*value <= 0.0);
        finite += u32::from(value.is_finite());
    }
    let typical = describe::rough_median(&series.values).unwrap_or(0.0);
    let scale = if !is_share && typical > 0.0 && f64::from(zeros) <= LOG_ZEROS * f64::from(finite) {
        Scale::LogRatio
    } else {
        Scale::Difference
    };
    let floor = typical * LOG_FLOOR;
    let values: Vec<f64> = match scale {
        Scale::LogRatio => logs(&series.values, floor),
        Scale::Difference => series.values.clone(),
    };
    let spread = if is_share { f64::INFINITY } else { point_spread(&values) };
    let mut gridded = Gridded { scale, value: vec![f64::NAN; calendar.len()] };
    let mut inside = Bucket::default();
    for (bucket, points) in Points::new(series, calendar) {
        let (values, requests) = (&values[points.clone()], requests.get(points).unwrap_or(&[]));
        gridded.value[bucket] = match *values {
            [a, b, c] if (a + b + c).is_finite() => {
                let weights = if let [k, m, n] = *requests { [k, m, n].map(weight) } else { [1.0; 3] };
                mean_of_three([a, b, c], weights, SPIKE * spread)
            }
            _ => {
                inside.fill(values, requests);
                inside.mean_without_spikes(spread)
            }
        };
    }
    gridded
}

/// Returns whether the zeros of a latency are hours without requests, written as numbers: nothing is answered in no time, and
/// no value lies between them and the others.
pub fn zeros_are_missing(values: &[f64]) -> bool {
    let mut seen: Vec<f64> = values.iter().step_by(sparse(values.len())).copied().filter(|v| v.is_finite()).collect();
    let all = seen.len();
    seen.retain(|value| *value > 0.0);
    if seen.len() == all {
        return false;
    }
    let Some([low, middle]) = describe::quantiles(&seen, [0.05, 0.5]) else { return false };
    // Latencies rounded to whole steps are zero where they are fast.
    let is_whole = seen.iter().all(|value| (value / low - (value / low).round()).abs() < 1e-9);
    let is_coarse = is_whole && seen.iter().any(|value| *value > low);
    low >= LEAST_ABOVE_ZERO * middle && !is_coarse
}

/// Share of the middle value above which the lowest must lie, if zeros are to be distinguished from small values.
const LEAST_ABOVE_ZERO: f64 = 0.2;

/// The points of a series in each bucket that has any, in order of time.
struct Points<'a> {
    times: &'a [i64],
    calendar: &'a Calendar,
    begin: usize,
}

impl<'a> Points<'a> {
    fn new(series: &'a Series, calendar: &'a Calendar) -> Self {
        let begin = series.times.partition_point(|time| *time < calendar.start);
        Self { times: &series.times, calendar, begin }
    }
}

impl Iterator for Points<'_> {
    type Item = (usize, Range<usize>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let begin = self.begin;
        let bucket = self.calendar.bucket(*self.times.get(begin)?);
        if bucket >= self.calendar.len() {
            return None;
        }
        let until = self.calendar.at(bucket) + BUCKET;
        self.begin += 1;
        while self.times.get(self.begin).is_some_and(|time| *time < until) {
            self.begin += 1;
        }
        Some((bucket, begin..self.begin))
    }
}

/// Returns the logarithm of each value, of `floor` where it is less; NaN is missing.
fn logs(values: &[f64], floor: f64) -> Vec<f64> {
    // `max` would turn a missing value into the floor.
    let log = |value: f64x2| value.simd_lt(f64x2::splat(floor)).select(f64x2::splat(floor), value).ln();
    let (pairs, last) = values.as_chunks();
    let mut logs = Vec::with_capacity(values.len() + 1);
    logs.extend(pairs.iter().flat_map(|pair| log(f64x2::new(*pair)).to_array()));
    logs.extend(last.iter().map(|value| log(f64x2::splat(*value)).to_array()[0]));
    logs
}

/// How much a point counts of which the requests are known; one of unknown requests counts as one.
fn weight(requests: f64) -> f64 {
    if requests > 0.0 { requests } else { 1.0 }
}

/// Returns the mean of a bucket with three points, those left out that are further than `reach` from the middle one.
fn mean_of_three(values: [f64; 3], weights: [f64; 3], reach: f64) -> f64 {
    let [a, b, c] = values;
    let middle = a.min(b).max(a.max(b).min(c));
    let (mut sum, mut total) = (0.0, 0.0);
    for (value, weight) in values.into_iter().zip(weights) {
        let weight = if (value - middle).abs() <= reach { weight } else { 0.0 };
        sum += weight * value;
        total += weight;
    }
    sum / total
}

/// Returns the requests behind each point of a series, from the traffic of the same target; 0 where unknown.
pub fn requests_of(series: &Series, traffic: &Series) -> Vec<f64> {
    let step_s = typical_step(&traffic.times) as f64 / 1000.0;
    if series.times == traffic.times {
        return traffic.values.iter().map(|rate| if rate.is_finite() { rate * step_s } else { 0.0 }).collect();
    }
    let mut next = 0;
    let mut requests = Vec::with_capacity(series.times.len());
    for time in &series.times {
        while traffic.times.get(next).is_some_and(|other| other < time) {
            next += 1;
        }
        let here = traffic.times.get(next) == Some(time);
        let rate = if here { traffic.values.get(next).copied().unwrap_or(f64::NAN) } else { f64::NAN };
        requests.push(if rate.is_finite() { rate * step_s } else { 0.0 });
    }
    requests
}

/// Sums a series into buckets: value × step, such as requests from a rate. NaN where there was no point.
pub fn totals(series: &Series, calendar: &Calendar) -> Vec<f64> {
    let step_s = typical_step(&series.times) as f64 / 1000.0;
    let mut sums = vec![f64::NAN; calendar.len()];
    // A bucket with a missing point saw more requests than its points say.
    let whole = (BUCKET as f64 / 1000.0 / step_s).max(1.0);
    for (bucket, points) in Points::new(series, calendar) {
        let (mut sum, mut count) = (0.0, 0.0);
        for value in &series.values[points] {
            let is_there = !value.is_nan();
            sum += if is_there { value * step_s } else { 0.0 };
            count += if is_there { 1.0 } else { 0.0 };
        }
        if count > 0.0 {
            sums[bucket] = sum * (whole / count).max(1.0);
        }
    }
    sums
}

/// Returns the robust standard deviation of a point against its neighbour.
fn point_spread(values: &[f64]) -> f64 {
    let steps: Vec<f64> =
        values.windows(2).step_by(sparse(values.len())).map(|pair| (pair[1] - pair[0]).abs()).collect();
    describe::median(&steps).map_or(0.0, |step| step * MAD_TO_SD / std::f64::consts::SQRT_2)
}

/// The points of one bucket.
#[derive(Debug, Default)]
struct Bucket {
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl Bucket {
    fn fill(&mut self, values: &[f64], requests: &[f64]) {
        self.values.clear();
        self.weights.clear();
        for (index, value) in values.iter().enumerate() {
            if value.is_finite() {
                self.values.push(*value);
                self.weights.push(requests.get(index).copied().map_or(1.0, weight));
            }
        }
    }

    fn mean_without_spikes(&mut self, spread: f64) -> f64 {
        let middle = match self.values[..] {
            [] => return f64::NAN,
            [one] => one,
            [a, b] => 0.5 * (a + b),
            _ => describe::median_of_few(&self.values),
        };
        let reach = if self.values.len() > 2 { SPIKE * spread } else { f64::INFINITY };
        let (mut sum, mut weight_sum) = (0.0, 0.0);
        for (value, weight) in self.values.iter().zip(&self.weights) {
            if (value - middle).abs() <= reach {
                sum += weight * value;
                weight_sum += weight;
            }
        }
        if weight_sum > 0.0 { sum / weight_sum } else { middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_before_and_minutes_after_cover_nearly_all_of_it() {
        // Ten hours of hourly points, then ten of points an hour's twelfth apart.
        let mixed = (0..10).map(|hour| hour * 12).chain(120..240);
        let sum = covered(mixed, 1, 12);
        assert!((214..=240).contains(&sum), "{sum}");
        assert_eq!(covered([0, 1, 2, 30, 31].into_iter(), 1, 12), 5, "a hole stays one");
        assert_eq!(covered([0, 40, 80].into_iter(), 4, 12), 12, "too far apart to be a step");
        assert_eq!(covered([7].into_iter(), 1, 12), 1);
    }
}
