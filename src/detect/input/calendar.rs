//! The common time grid of a report: quarter hours, and which of them are alike.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Timelike};
use chrono_tz::Tz;

use crate::model::time::{self, DAY, HOUR, MINUTE, Window};

/// Length of a bucket. Short enough to tell deploys an hour apart, long enough that a median of one-minute
/// points is no longer a lone request; every usual step divides it.
pub const BUCKET: i64 = 15 * MINUTE;

/// Buckets in an hour.
pub const PER_HOUR: usize = (HOUR / BUCKET) as usize;

/// Slots of a local day.
pub const SLOTS: usize = (DAY / (30 * MINUTE)) as usize;

/// Buckets from the start of the history to the end of the period, with their place in the local week.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Start of the first bucket, UTC ms.
    pub start: i64,
    /// Half-hour of the local day of each bucket, 0 to 47, following daylight saving.
    pub slot: Vec<u8>,
    /// Day of the local week of each bucket, 0 Monday to 6 Sunday; holidays count as Sundays.
    pub day: Vec<u8>,
    /// Half-hour and type of day of each bucket in one: `2 * slot`, and 1 more on weekend days.
    pub cell: Vec<u8>,
}

impl Calendar {
    /// Lays the grid over a window; the first bucket starts at or before its start.
    pub fn new(window: Window, zone: Tz, holidays: &BTreeMap<NaiveDate, String>) -> Self {
        let start = window.start.div_euclid(BUCKET) * BUCKET;
        let count = usize::try_from((window.end - start + BUCKET - 1).div_euclid(BUCKET)).unwrap_or(0);
        let mut slot = Vec::with_capacity(count);
        let mut day = Vec::with_capacity(count);
        for index in 0..count {
            let clock = time::local(start + index as i64 * BUCKET, zone);
            slot.push(u8::try_from(clock.hour() * 2 + clock.minute() / 30).unwrap_or(0));
            let weekday = clock.weekday().num_days_from_monday();
            let weekday = if holidays.contains_key(&clock.date_naive()) { 6 } else { weekday };
            day.push(u8::try_from(weekday).unwrap_or(0));
        }
        let cell = slot.iter().zip(&day).map(|(slot, day)| 2 * slot + u8::from(*day >= 5)).collect();
        Self { start, slot, day, cell }
    }

    /// Returns the number of buckets.
    pub fn len(&self) -> usize {
        self.slot.len()
    }

    /// Returns the bucket that holds an instant, cut to the grid (`len()` past its end).
    pub fn bucket(&self, at: i64) -> usize {
        usize::try_from((at - self.start).div_euclid(BUCKET)).unwrap_or(0).min(self.len())
    }

    /// Returns the first bucket that starts at or after an instant, cut to the grid.
    pub fn bucket_from(&self, at: i64) -> usize {
        usize::try_from((at - self.start + BUCKET - 1).div_euclid(BUCKET)).unwrap_or(0).min(self.len())
    }

    /// Returns the start of a bucket, UTC ms.
    pub fn at(&self, bucket: usize) -> i64 {
        self.start + bucket as i64 * BUCKET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_the_local_clock_over_daylight_saving() {
        let zone = chrono_tz::Europe::Berlin;
        let start = time::parse_instant("2026-10-25", zone).expect("date");
        let end = time::parse_instant("2026-10-26", zone).expect("date");
        let calendar = Calendar::new(Window::new(start, end), zone, &BTreeMap::new());
        assert_eq!(calendar.len(), 100, "that day has 25 hours");
        assert_eq!(calendar.slot.iter().filter(|slot| **slot == 4).count(), 4, "02:00 comes twice");
        assert_eq!(calendar.slot.last(), Some(&47));
    }

    #[test]
    fn holidays_are_sundays() {
        let zone = chrono_tz::Asia::Tokyo;
        let start = time::parse_instant("2026-11-03", zone).expect("date");
        let holidays = [(NaiveDate::from_ymd_opt(2026, 11, 3).expect("date"), "文化の日".to_owned())].into();
        let calendar = Calendar::new(Window::new(start, start + DAY), zone, &holidays);
        assert!(calendar.day.iter().all(|day| *day == 6));
        assert_eq!(calendar.bucket(start + BUCKET), 1);
        assert_eq!(calendar.bucket_from(start + 1), 1);
        assert_eq!(calendar.bucket(start - DAY), 0);
    }
}
