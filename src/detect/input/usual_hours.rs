//! The hours in which a series usually has data: an office's service is not missing at night.

use super::calendar::Calendar;

/// Hours of a workday and of a weekend day.
const HOURS: usize = 48;

/// An hour is usual if it has data on this share of its days.
const USUAL: f64 = 0.5;

/// Usual hours must hold this share of the data, or the series keeps no hours.
const MOST_OF_IT: f64 = 0.8;

/// How many buckets up to each lie in usual hours.
#[derive(Debug, Clone)]
pub struct UsualHours(Vec<f64>);

impl UsualHours {
    /// Learns the usual hours. `values`: one a bucket, NaN is missing.
    ///
    /// An hour counts `(1 + days with data) / (2 + days)`, the rule of succession, so that few days decide little.
    pub fn of(values: &[f64], calendar: &Calendar) -> Self {
        let first = values.iter().position(|value| value.is_finite()).unwrap_or(0);
        let last = values.iter().rposition(|value| value.is_finite()).unwrap_or(0);
        let hour = |bucket: usize| usize::from(calendar.cell[bucket]) / 4 * 2 + usize::from(calendar.cell[bucket]) % 2;
        let mut days = [(0.0, 0.0, 0.0); HOURS];
        let mut at = first;
        while at <= last && at < calendar.len() {
            let this = hour(at) % HOURS;
            let end = (at + 1..=last).find(|bucket| hour(*bucket) % HOURS != this).unwrap_or(last + 1);
            let there = values.get(at..end).unwrap_or(&[]).iter().filter(|value| value.is_finite()).count();
            let (all, with_data, points) = &mut days[this];
            *all += 1.0;
            *with_data += f64::from(u8::from(there > 0));
            *points += there as f64;
            at = end;
        }
        let is_usual = days.map(|(all, with_data, _)| (1.0 + with_data) / (2.0 + all) >= USUAL && all > 0.0);
        let points: f64 = days.iter().map(|(.., points)| points).sum();
        let inside: f64 = days.iter().zip(is_usual).filter(|(_, usual)| *usual).map(|((.., points), _)| points).sum();
        let keeps_hours = inside >= MOST_OF_IT * points;
        let mut sum = 0.0;
        let mut sums = vec![0.0];
        for bucket in 0..calendar.len() {
            sum += f64::from(u8::from(!keeps_hours || is_usual[hour(bucket) % HOURS]));
            sums.push(sum);
        }
        Self(sums)
    }

    /// Returns how many buckets from `begin` up to `end` should have data.
    pub fn between(&self, begin: usize, end: usize) -> f64 {
        let upto = |bucket: usize| self.0.get(bucket).or(self.0.last()).copied().unwrap_or(0.0);
        (upto(end) - upto(begin)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::time::{DAY, Window};

    #[test]
    fn an_office_is_open_by_day_and_a_series_with_holes_at_random_is_always_expected() {
        let calendar = Calendar::new(Window::new(0, 14 * DAY), chrono_tz::UTC, &BTreeMap::new());
        let office = |bucket: usize| calendar.day[bucket] < 5 && (18..40).contains(&calendar.slot[bucket]);
        let values: Vec<f64> = (0..calendar.len()).map(|bucket| if office(bucket) { 1.0 } else { f64::NAN }).collect();
        let open = (0..calendar.len()).filter(|bucket| office(*bucket)).count();
        let usual = UsualHours::of(&values, &calendar).between(0, calendar.len());
        assert!((usual - open as f64).abs() < 1e-9, "{usual} of {open}");
        let holes: Vec<f64> = (0..calendar.len()).map(|k| if k / 4 * 7919 % 10 < 3 { 1.0 } else { f64::NAN }).collect();
        let usual = UsualHours::of(&holes, &calendar).between(0, calendar.len());
        assert!(usual > 0.9 * calendar.len() as f64, "{usual}");
    }
}
