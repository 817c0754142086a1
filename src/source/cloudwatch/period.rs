//! How wide the buckets of a day are, and what a request costs of the allowance.
//!
//! CloudWatch keeps one-minute points 15 days, five-minute points 63 days, hourly points 455 days. Asking for finer
//! ones than are kept gives no points and no error, so the width is decided here: by the age of the UTC day in whole
//! days, two days before Amazon's border, and never by the hour at which somebody asks. A day is therefore asked with one
//! width from its first hour until it is 13 days old. With the default of five minutes that is so for 61 days; with
//! one-minute buckets a day that is asked again after two weeks comes back wider.

use std::time::Duration;

use crate::model::time::{DAY, HOUR, MINUTE, Window};

/// How far back CloudWatch answers at all.
pub const RETENTION_MS: i64 = 455 * DAY;

/// Age of a UTC day in whole days up to which it has points of a width, the finest first. Amazon's borders are at 15,
/// 63 and 455 days before the very moment of asking; a day of this age is over them by no hour of it.
const KEPT: [(i64, i64); 3] = [(13, MINUTE), (61, 5 * MINUTE), (453, HOUR)];

/// Width of the finest buckets that are asked for, milliseconds.
pub const FINEST: i64 = MINUTE;

/// Returns the width of the buckets of a window, milliseconds; `None` if the source has forgotten it.
///
/// `window`: inside one UTC day. `step_ms`: the width that is wanted, a divisor of an hour.
pub fn width(window: Window, step_ms: i64, now: i64) -> Option<i64> {
    let age = now.div_euclid(DAY) - window.start.div_euclid(DAY);
    KEPT.iter().find(|(oldest, _)| age <= *oldest).map(|(_, finest)| step_ms.max(*finest))
}

/// Points a second that a region lets through: 396,000 for data older than three hours, 180,000 otherwise. Requested
/// ones count, whether they exist or not. A tenth is left to whoever else asks.
const POINTS_PER_S: f64 = 0.9 * 180_000.0;
const OLD_POINTS_PER_S: f64 = 0.9 * 396_000.0;

/// Requests a second: Amazon allows 50 for GetMetricData, 25 for ListMetrics and 2 for LookupEvents.
pub const LIST_GAP: Duration = Duration::from_millis(1000 / 22);
/// As [`LIST_GAP`], for LookupEvents.
pub const LOOKUP_GAP: Duration = Duration::from_millis(550);
/// As [`LIST_GAP`], for GetResources. Amazon's quotas are per account and shared with everybody else who asks there; a
/// few pages a run need no more.
pub const TAG_GAP: Duration = Duration::from_millis(200);
const DATA_GAP: Duration = Duration::from_millis(1000 / 45);

/// Returns how long a request for data takes of the region's allowance.
pub fn cost(points: usize, window: Window, now: i64) -> Duration {
    let per_second = if now - window.start <= 3 * HOUR { POINTS_PER_S } else { OLD_POINTS_PER_S };
    DATA_GAP.max(Duration::from_secs_f64(points as f64 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 20_000 * DAY;

    fn width_at(days: i64, hour: i64, step: i64) -> Option<i64> {
        width(Window::new(TODAY - days * DAY, TODAY - days * DAY + DAY), step, TODAY + hour * HOUR + 1)
    }

    #[test]
    fn the_width_follows_from_the_age_of_the_day_and_not_from_the_hour() {
        for (days, minute, five) in [(0, 1, 5), (13, 1, 5), (14, 5, 5), (61, 5, 5), (62, 60, 60), (453, 60, 60)] {
            for hour in [0, 11, 23] {
                assert_eq!(width_at(days, hour, MINUTE), Some(minute * MINUTE), "{days} days");
                assert_eq!(width_at(days, hour, 5 * MINUTE), Some(five * MINUTE), "{days} days");
            }
        }
        assert_eq!(width_at(454, 0, HOUR), None);
        assert_eq!(width_at(20, 0, HOUR), Some(HOUR));
    }

    #[test]
    fn no_point_that_is_asked_for_is_older_than_what_is_kept() {
        for ((oldest, _), border) in KEPT.iter().zip([15, 63, 455]) {
            assert!((oldest + 1) * DAY < border * DAY, "the oldest point of such a day, at the end of today");
        }
    }

    #[test]
    fn a_full_batch_costs_its_share_of_a_second() {
        let window = Window::new(TODAY - DAY, TODAY);
        let full = cost(100_800, window, TODAY);
        assert!(full > Duration::from_millis(280) && full < Duration::from_millis(290), "{full:?}");
        assert!(cost(100_800, window, window.start + HOUR) > 2 * full);
        assert_eq!(cost(1, window, TODAY), DATA_GAP);
    }
}
