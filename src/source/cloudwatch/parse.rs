//! From pages of GetMetricData to series: pure, so that no server is needed to try it.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{MetricDataResult, StatusCode};

use super::resources::{Plan, SeriesSpec};
use crate::model::metric::Series;
use crate::model::time::{Window, rfc3339};

/// The buckets of a window: values by number of the bucket, NaN where there is no point.
pub type Buckets = Vec<f64>;

/// How one query stands after the pages so far.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryStatus {
    /// No page spoke of it.
    Silent,
    /// More is to come.
    Partial,
    /// That was all.
    Complete,
    /// The service failed at this one.
    Failed,
    /// The account may not be asked.
    Forbidden,
}

/// One query's answer, as it grows page by page.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialResult {
    pub buckets: Buckets,
    pub standing: QueryStatus,
}

/// The buckets of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub window: Window,
    /// Milliseconds, a divisor of the window's length.
    pub width: i64,
}

impl Grid {
    /// Returns how many buckets there are.
    pub fn count(self) -> usize {
        usize::try_from(self.window.length() / self.width.max(1)).unwrap_or(0)
    }

    /// Returns the number of the bucket that starts at a time.
    ///
    /// `Ok(None)`: outside the window; servers may round the window's ends outwards.
    fn number(self, at: i64) -> Result<Option<usize>, String> {
        let from_start = at - self.window.start;
        if from_start.rem_euclid(self.width) != 0 {
            return Err(format!("a point at {} starts no bucket of {} s", told(at), self.width / 1000));
        }
        Ok(usize::try_from(from_start / self.width).ok().filter(|_| self.window.contains(at)))
    }
}

impl PartialResult {
    /// An answer of which nothing has come yet.
    pub fn new(grid: Grid) -> Self {
        Self { buckets: vec![f64::NAN; grid.count()], standing: QueryStatus::Silent }
    }

    /// Takes what one page says. Points may come in any order and more than once, as long as they agree.
    ///
    /// # Errors
    /// The page contradicts itself or what was asked.
    pub fn take(&mut self, grid: Grid, result: &MetricDataResult) -> Result<(), String> {
        let (times, values) = (result.timestamps(), result.values());
        if times.len() != values.len() {
            return Err(format!("{} times come with {} values", times.len(), values.len()));
        }
        for (time, value) in times.iter().zip(values) {
            let at = time.to_millis().map_err(|_| "a point is at no time that can be told".to_owned())?;
            let Some(slot) = grid.number(at)?.and_then(|number| self.buckets.get_mut(number)) else { continue };
            let value = if value.is_finite() { *value } else { f64::NAN };
            if !slot.is_nan() && slot.to_bits() != value.to_bits() {
                return Err(format!("the point at {} has two values", told(at)));
            }
            *slot = value;
        }
        self.standing = match (&self.standing, result.status_code()) {
            // Whatever else is said of it, some of it is missing.
            (QueryStatus::Failed, _) | (_, Some(StatusCode::InternalError)) => QueryStatus::Failed,
            (_, Some(StatusCode::Forbidden)) => QueryStatus::Forbidden,
            (_, Some(StatusCode::Complete)) => QueryStatus::Complete,
            (_, Some(StatusCode::PartialData)) => QueryStatus::Partial,
            (_, other) => {
                let word = other.map_or("no status", StatusCode::as_str);
                return Err(format!("unknown status {:?}", crate::model::scrub::excerpt(word)));
            }
        };
        Ok(())
    }
}

fn told(at: i64) -> String {
    rfc3339(at, chrono_tz::UTC)
}

/// What a plan came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedSeries {
    /// Sorted by key, unique keys; series without a point are left out.
    pub series: Vec<Series>,
    /// Points that another resource of the same name had too, and the first such series.
    pub shared: Option<(u64, String)>,
}

/// Makes series of what was gathered.
///
/// `gathered`: one a query of the plan. Resources that share a name and signal are joined; where both have a point, the
/// one that comes first by its dimensions stays.
pub fn series(plan: &Plan, gathered: &[Buckets], grid: Grid) -> ParsedSeries {
    let mut made: BTreeMap<_, (&SeriesSpec, Buckets)> = BTreeMap::new();
    let mut shared: Option<(u64, String)> = None;
    for wanted in &plan.series {
        let values = values(wanted, gathered, grid);
        match made.get_mut(&wanted.key) {
            None => {
                made.insert(&wanted.key, (wanted, values));
            }
            Some((_, earlier)) => {
                for (slot, value) in earlier.iter_mut().zip(values).filter(|(_, value)| !value.is_nan()) {
                    if slot.is_nan() {
                        *slot = value;
                    } else {
                        let name = || (0, crate::format::shown_key(&wanted.key));
                        shared.get_or_insert_with(name).0 += 1;
                    }
                }
            }
        }
    }
    let series = made.into_iter().filter_map(|(key, (wanted, buckets))| {
        let points = buckets.iter().enumerate().filter(|(_, value)| !value.is_nan());
        let (times, values): (Vec<i64>, Vec<f64>) =
            points.map(|(number, value)| (grid.window.start + number as i64 * grid.width, *value)).unzip();
        (!times.is_empty()).then(|| Series { key: key.clone(), unit: wanted.unit, times, values })
    });
    ParsedSeries { series: series.collect(), shared }
}

/// Computes one series, in base units.
fn values(wanted: &SeriesSpec, gathered: &[Buckets], grid: Grid) -> Buckets {
    let metric = wanted.metric;
    let seconds = if metric.per_second { grid.width as f64 / 1000.0 } else { 1.0 };
    let factor = metric.scale * wanted.unit.factor / seconds;
    let at = |numbers: &[usize], bucket: usize| -> Vec<f64> {
        let value = |number: &usize| gathered.get(*number).and_then(|list| list.get(bucket)).copied();
        numbers.iter().map(|number| value(number).unwrap_or(f64::NAN)).collect()
    };
    (0..grid.count())
        .map(|bucket| {
            let (of, over, beside) = (at(&wanted.of, bucket), at(&wanted.over, bucket), at(&wanted.beside, bucket));
            factor * value(&of, &over, &beside, metric.zero_beside)
        })
        .collect()
}

/// Computes one bucket; NaN where nobody measured.
fn value(of: &[f64], over: &[f64], beside: &[f64], zero_beside: bool) -> f64 {
    let is_there = |value: &f64| !value.is_nan();
    let sum = |values: &[f64]| match zero_beside {
        // What is silent beside what is there is zero.
        // `sum` of nothing is -0.
        true => values.iter().copied().filter(is_there).fold(0.0, std::ops::Add::add),
        false => values.iter().sum::<f64>(),
    };
    if zero_beside && !of.iter().chain(over).chain(beside).any(is_there) {
        return f64::NAN;
    }
    if over.is_empty() {
        return sum(of);
    }
    let (of, over) = (sum(of), sum(over));
    if of.is_nan() || over.is_nan() {
        return f64::NAN;
    }
    let whole = of.max(over);
    if whole > 0.0 { of / whole } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f64 = f64::NAN;

    #[test]
    fn a_share_is_missing_where_nothing_could_fail_and_zero_where_nothing_did() {
        let share = |of: &[f64], over: &[f64]| value(of, over, &[], true);
        assert!((share(&[1.0, 2.0], &[12.0]) - 0.25).abs() < 1e-12);
        assert_eq!(share(&[GAP, GAP], &[12.0]).to_bits(), 0.0_f64.to_bits());
        assert!(share(&[GAP, GAP], &[0.0]).is_nan());
        assert!(share(&[GAP], &[GAP]).is_nan());
        // No target is left: the load balancer answers, and counts no request.
        assert!((share(&[0.0, 40.0], &[GAP]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn silence_alone_is_no_zero() {
        assert!(value(&[GAP], &[], &[], false).is_nan());
        assert!(value(&[1.0, GAP], &[], &[], false).is_nan(), "half of a sum is no sum");
        assert!(value(&[GAP], &[], &[GAP], true).is_nan());
        assert_eq!(value(&[GAP], &[], &[3.0], true).to_bits(), 0.0_f64.to_bits());
        assert!(value(&[GAP], &[7.0], &[], false).is_nan());
    }
}
