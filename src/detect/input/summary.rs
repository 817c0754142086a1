//! What the report draws of a series: hourly values, level, peak, coverage, change against the period before.

use super::calendar::Calendar;
use super::unit_doubt;
use crate::detect::context::Context;
use crate::detect::judgement::SeriesSummary;
use crate::model::effect::{Estimate, Scale, ScaledEstimate};
use crate::model::metric::{Class, Kind, Polarity, Series};
use crate::model::time::{DAY, HOUR, Window};
use crate::stats::{describe, distribution};

/// Summarises one series. `requests`: of each bucket of the calendar, or empty.
pub fn of(
    series: &Series,
    class: Class,
    direction: Polarity,
    requests: &[f64],
    calendar: &Calendar,
    context: &Context<'_>,
) -> SeriesSummary {
    let start = context.history.start.div_euclid(HOUR) * HOUR;
    let hours = usize::try_from((context.period.end - start + HOUR - 1) / HOUR).unwrap_or(0);
    let step_ms = super::grid::typical_step(&series.times);
    let (hourly, hourly_max) = hourly(series, class, start, hours);
    let period = context.period;
    let before = Window::new(period.start - period.length(), period.start);
    let level = level(series, period);
    let level_before = self::level(series, before);
    let change = change(&hourly, start, class, level, level_before, context);
    let hourly_requests = hourly_requests(requests, calendar, start, hours);
    let total_time_s = total_time(series, class, &hourly, &hourly_requests, start, period);
    // A series of a few points must not cost as much memory as one of the whole history.
    let (first, end) = known_hours(&[&hourly, &hourly_max, &hourly_requests]);
    let trimmed = |hours: Vec<f32>| hours.get(first..end).map(<[f32]>::to_vec).unwrap_or_default();
    SeriesSummary {
        key: series.key.clone(),
        unit: series.unit,
        class,
        direction,
        step_ms,
        start: start + first as i64 * HOUR,
        coverage: coverage(series, period, step_ms),
        level,
        level_before,
        change,
        peak: peak(series, period),
        total_time_s,
        doubt: unit_doubt::of(series, class, &hourly, start),
        hourly: trimmed(hourly),
        hourly_max: trimmed(hourly_max),
        requests: trimmed(hourly_requests),
    }
}

/// Returns the first hour in which any list has a value, and the hour after the last one; the same hour twice if none has.
fn known_hours(lists: &[&[f32]]) -> (usize, usize) {
    let known = |value: &f32| value.is_finite();
    let first = lists.iter().filter_map(|list| list.iter().position(known)).min();
    let last = lists.iter().filter_map(|list| list.iter().rposition(known)).max();
    first.zip(last).map_or((0, 0), |(first, last)| (first, last + 1))
}

/// Returns the typical and the largest value of each hour.
fn hourly(series: &Series, class: Class, start: i64, hours: usize) -> (Vec<f32>, Vec<f32>) {
    let mut typical = vec![f32::NAN; hours];
    let mut largest = vec![f32::NAN; hours];
    let mut begin = series.times.partition_point(|time| *time < start);
    let mut some = Vec::new();
    while let Some(first) = series.times.get(begin) {
        let hour = usize::try_from((first - start) / HOUR).unwrap_or(usize::MAX);
        let (Some(typical), Some(largest)) = (typical.get_mut(hour), largest.get_mut(hour)) else { break };
        let until = start + (hour as i64 + 1) * HOUR;
        let end = begin + series.times[begin..].iter().take_while(|time| **time < until).count();
        let mut values = &series.values[begin..end];
        if !values.iter().all(|value| value.is_finite()) {
            some.clear();
            some.extend(values.iter().copied().filter(|value| value.is_finite()));
            values = &some;
        }
        let (mut sum, mut most) = (0.0, f64::NEG_INFINITY);
        for value in values {
            sum += value;
            most = if *value > most { *value } else { most };
        }
        if !values.is_empty() {
            *largest = most as f32;
            // The median of a share with rare failures is 0 whatever happened.
            *typical =
                if class == Class::Errors { sum / values.len() as f64 } else { describe::median_of_few(values) } as f32;
        }
        begin = end;
    }
    (typical, largest)
}

/// Returns the requests of each hour; empty if unknown.
fn hourly_requests(requests: &[f64], calendar: &Calendar, start: i64, hours: usize) -> Vec<f32> {
    if requests.is_empty() {
        return Vec::new();
    }
    let mut sums = vec![f32::NAN; hours];
    for (bucket, n) in requests.iter().enumerate().filter(|(_, n)| n.is_finite()) {
        let hour = usize::try_from((calendar.at(bucket) - start).div_euclid(HOUR)).unwrap_or(usize::MAX);
        if let Some(sum) = sums.get_mut(hour) {
            *sum = if sum.is_nan() { *n as f32 } else { *sum + *n as f32 };
        }
    }
    sums
}

fn inside(series: &Series, window: Window) -> (usize, usize) {
    (series.times.partition_point(|time| *time < window.start), series.times.partition_point(|time| *time < window.end))
}

/// Median over a window; the mean for errors comes with `hourly`. NaN without data.
fn level(series: &Series, window: Window) -> f64 {
    let (begin, end) = inside(series, window);
    let values = series.values.get(begin..end).unwrap_or(&[]);
    if values.iter().filter(|value| **value <= 0.0).count() * 4 > values.len() {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        return if finite.is_empty() { f64::NAN } else { finite.iter().sum::<f64>() / finite.len() as f64 };
    }
    describe::rough_median(values).unwrap_or(f64::NAN)
}

fn coverage(series: &Series, window: Window, step_ms: i64) -> f64 {
    let (begin, end) = inside(series, window);
    let values = series.values.get(begin..end).unwrap_or(&[]);
    let times = series.times.get(begin..end).unwrap_or(&[]);
    let is_whole =
        values.iter().all(|value| value.is_finite()) && times.windows(2).all(|two| two[1] - two[0] == step_ms);
    let covered = if is_whole {
        times.len() as i64 * step_ms.max(1)
    } else {
        let there = times.iter().zip(values).filter(|(_, value)| value.is_finite());
        super::grid::covered(there.map(|(at, _)| *at), step_ms.max(1), HOUR)
    };
    (covered as f64 / window.length().max(1) as f64).min(1.0)
}

fn peak(series: &Series, window: Window) -> Option<(f64, i64)> {
    let (begin, end) = inside(series, window);
    let points = series.values.get(begin..end)?.iter().copied().zip(series.times.get(begin..end)?.iter().copied());
    let latest_largest = |peak: (f64, i64), point: (f64, i64)| if point.0 >= peak.0 { point } else { peak };
    let peak = points.fold((f64::NEG_INFINITY, 0), latest_largest);
    peak.0.is_finite().then_some(peak)
}

/// Waiting of all requests in the period: hourly typical time × requests.
fn total_time(
    series: &Series,
    class: Class,
    hourly: &[f32],
    requests: &[f32],
    start: i64,
    period: Window,
) -> Option<f64> {
    let is_typical = matches!(&*series.key.signal, "latency_mean" | "latency_p50" | "db_time");
    if class != Class::Latency || series.key.kind == Kind::Resource || requests.is_empty() || !is_typical {
        return None;
    }
    let sum =
        hourly.iter().zip(requests).enumerate().filter(|(hour, _)| period.contains(start + *hour as i64 * HOUR)).fold(
            0.0,
            |sum, (_, (value, n))| {
                let time = f64::from(*value) * f64::from(*n);
                if time.is_finite() { sum + time } else { sum }
            },
        );
    Some(sum)
}

/// Compares the period with the span of the same length before it, hour of the week against the same hour.
///
/// Days are the units of the interval: hours of one day move together, days much less so (Student's t on the
/// daily means of the hourly differences).
fn change(
    hourly: &[f32],
    start: i64,
    class: Class,
    level: f64,
    level_before: f64,
    context: &Context<'_>,
) -> Option<ScaledEstimate> {
    let is_positive = level > 0.0 && level_before > 0.0;
    let scale = if class != Class::Errors && is_positive { Scale::LogRatio } else { Scale::Difference };
    let length = context.period.length() / HOUR;
    let mut days: std::collections::BTreeMap<i64, (f64, f64)> = std::collections::BTreeMap::new();
    for (hour, now) in hourly.iter().enumerate() {
        let at = start + hour as i64 * HOUR;
        let earlier = usize::try_from(hour as i64 - length).ok().and_then(|hour| hourly.get(hour));
        let (Some(earlier), true) = (earlier, context.period.contains(at)) else { continue };
        let (now, earlier) = (f64::from(*now), f64::from(*earlier));
        let difference = match scale {
            Scale::LogRatio => (now / earlier).ln(),
            Scale::Difference => now - earlier,
        };
        if difference.is_finite() {
            let day = days.entry((at - context.period.start) / DAY).or_insert((0.0, 0.0));
            day.0 += difference;
            day.1 += 1.0;
        }
    }
    let means: Vec<f64> = days.values().filter(|(_, hours)| *hours >= 6.0).map(|(sum, hours)| sum / hours).collect();
    let count = means.len() as f64;
    if count < 4.0 {
        return None;
    }
    let mean = means.iter().sum::<f64>() / count;
    let variance = means.iter().map(|day| (day - mean).powi(2)).sum::<f64>() / (count - 1.0);
    // Neighbouring days still move together: half of them count as independent.
    let half = distribution::quantile(0.975, count / 2.0) * (variance / (count / 2.0)).sqrt();
    Some(ScaledEstimate { scale, estimate: Estimate { value: mean, low: mean - half, high: mean + half } })
}

#[cfg(test)]
mod tests {
    use super::known_hours;

    #[test]
    fn hours_are_kept_from_the_first_to_the_last_known_one_of_any_list() {
        let (none, value) = (f32::NAN, 1.0);
        assert_eq!(known_hours(&[&[none, value, none, none], &[none, none, value, none]]), (1, 3));
        assert_eq!(known_hours(&[&[none, none], &[]]), (0, 0));
        assert_eq!(known_hours(&[&[value], &[]]), (0, 1));
    }
}
