//! How much of a window a series has data for, as the judge counts it.

use super::calendar::{Calendar, PER_HOUR};
use super::grid::{Covered, buckets_a_point};
use super::usual_hours::UsualHours;
use crate::config::Config;
use crate::model::metric::Series;
use crate::model::time::Window;

/// Measures coverage within one history.
#[derive(Debug)]
pub struct Coverage(Calendar);

impl Coverage {
    /// Makes the grid of a history.
    pub fn new(history: Window, config: &Config) -> Self {
        Self(Calendar::new(history, config.zone, &config.holidays))
    }

    /// Returns the share of the hours of a window that have data, 0 to 1, of those in which the series usually has some.
    ///
    /// A day of hourly points is as whole as one of single minutes: a source that keeps minutes for some days only
    /// gives both in one series.
    pub fn of(&self, series: &Series, window: Window) -> f64 {
        let mut there = vec![f64::NAN; self.0.len()];
        for (at, _) in series.times.iter().zip(&series.values).filter(|(_, value)| value.is_finite()) {
            let bucket = (*at >= self.0.at(0)).then(|| self.0.bucket(*at)).and_then(|bucket| there.get_mut(bucket));
            if let Some(bucket) = bucket {
                *bucket = 1.0;
            }
        }
        let (begin, end) = (self.0.bucket(window.start), self.0.bucket_from(window.end));
        let usual = UsualHours::of(&there, &self.0).between(begin, end);
        let covered = Covered::of(&there, buckets_a_point(series), PER_HOUR).between(begin, end);
        if usual > 0.0 { (covered / usual).min(1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::{Kind, SeriesKey, Unit};
    use crate::model::time::{DAY, HOUR, MINUTE, parse_instant};

    fn share(times: Vec<i64>, history: Window, window: Window) -> f64 {
        let text = "[[source]]\nkind = \"files\"\nseries = [\"s.csv\"]\n";
        let config = Config::parse(text, std::path::Path::new("fortnight.toml")).expect("config");
        let key = SeriesKey {
            service: "api".into(),
            kind: Kind::Operation,
            target: "GET /".into(),
            signal: "latency_p95".into(),
        };
        let values = vec![1.0; times.len()];
        let series = Series { key, unit: Unit::parse("ms").expect("known"), times, values };
        Coverage::new(history, &config).of(&series, window)
    }

    #[test]
    fn hourly_history_before_minutes_is_whole_and_holes_are_not() {
        let start = parse_instant("2026-10-05", chrono_tz::Tz::UTC).expect("date");
        let (history, period) = (Window::new(start, start + 28 * DAY), Window::new(start + 14 * DAY, start + 28 * DAY));
        let hourly = (0..27 * 24).map(|hour| start + hour * HOUR);
        let mixed: Vec<i64> = hourly.chain((0..288).map(|k| start + 27 * DAY + k * 5 * MINUTE)).collect();
        assert!(share(mixed.clone(), history, period) > 0.99);
        let minutes: Vec<i64> = (0..28 * 288).map(|k| start + k * 5 * MINUTE).collect();
        assert!(share(minutes.clone(), history, period) > 0.99);
        let holed: Vec<i64> = minutes.iter().copied().filter(|at| (at - start) / HOUR % 10 < 3).collect();
        assert!((share(holed, history, period) - 0.3).abs() < 0.03);
        let office: Vec<i64> = minutes.into_iter().filter(|at| (9..18).contains(&(at / HOUR % 24))).collect();
        assert!(share(office, history, period) > 0.95, "an office's nights are no gaps");
        assert!(share(mixed.into_iter().filter(|at| *at < period.start).collect(), history, period) < 0.01);
    }
}
