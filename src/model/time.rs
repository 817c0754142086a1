//! Windows and local clocks. Calls nobody, and never asks for the time of day.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Milliseconds in a minute.
pub const MINUTE: i64 = 60_000;
/// Milliseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Milliseconds in 24 hours.
pub const DAY: i64 = 24 * HOUR;

/// A half-open span of time `[start, end)` in UTC milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub start: i64,
    /// First instant outside.
    pub end: i64,
}

impl Window {
    /// Makes `[start, end)`; an end before the start gives an empty window at `start`.
    pub fn new(start: i64, end: i64) -> Self {
        Self { start, end: end.max(start) }
    }

    /// Tells whether an instant lies inside.
    pub fn contains(self, at: i64) -> bool {
        self.start <= at && at < self.end
    }

    /// Tells whether two windows share an instant.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Returns whether it holds something, and no weekday twice.
    pub fn is_under_a_week(self) -> bool {
        (1..7 * DAY).contains(&self.length())
    }

    /// Returns the length in milliseconds.
    pub fn length(self) -> i64 {
        self.end - self.start
    }

    /// Cuts it at the midnights of UTC, the oldest day first; nothing of an empty one.
    pub fn days(self) -> impl Iterator<Item = Self> {
        let first = self.start.div_euclid(DAY) * DAY;
        let cut = move |day| Self::new(self.start.max(day), self.end.min(day + DAY));
        (first..self.end).step_by(DAY as usize).map(cut).filter(|part| part.length() > 0)
    }
}

/// Parses `2026-11-09T00:00:00+09:00`, or a bare date as its midnight in `zone`.
///
/// A midnight that daylight saving skips becomes the first instant of that day.
pub fn parse_instant(text: &str, zone: Tz) -> Option<i64> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_millis());
    }
    text.parse::<NaiveDate>().ok().map(|date| midnight(date, zone))
}

/// Returns the first instant of a local date, in UTC milliseconds.
pub fn midnight(date: NaiveDate, zone: Tz) -> i64 {
    let mut clock = NaiveDateTime::new(date, NaiveTime::MIN);
    // A zone may skip midnight (daylight saving in Beirut, Havana); no zone skips more than a few hours.
    for _ in 0..48 {
        if let Some(instant) = zone.from_local_datetime(&clock).earliest() {
            return instant.timestamp_millis();
        }
        clock += chrono::TimeDelta::minutes(30);
    }
    Utc.from_utc_datetime(&clock).timestamp_millis()
}

/// Returns the local midnights inside a window, by time.
pub fn midnights(window: Window, zone: Tz) -> Vec<i64> {
    let mut found = Vec::new();
    let mut date = local(window.start, zone).date_naive();
    // A window of a report is weeks long; the bound keeps a nonsense window from running away.
    for _ in 0..(window.length() / DAY + 3).clamp(0, 1_000) {
        let at = midnight(date, zone);
        if at >= window.end {
            break;
        }
        if at >= window.start {
            found.push(at);
        }
        let Some(next) = date.succ_opt() else { break };
        date = next;
    }
    found
}

/// Converts UTC milliseconds into a zone's local clock; instants that chrono cannot hold become 1970.
pub fn local(at: i64, zone: Tz) -> DateTime<Tz> {
    DateTime::<Utc>::from_timestamp_millis(at).unwrap_or_default().with_timezone(&zone)
}

/// Formats UTC milliseconds as RFC 3339 with the zone's offset.
pub fn rfc3339(at: i64, zone: Tz) -> String {
    local(at, zone).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Returns the hour of the local week, from 0 (Monday 00:00) to 167 (Sunday 23:00).
pub fn hour_of_week(at: i64, zone: Tz) -> usize {
    let clock = local(at, zone);
    (clock.weekday().num_days_from_monday() * 24 + clock.hour()) as usize
}

/// Returns the last whole period that had ended by `now`.
///
/// Periods are `days` local dates long and counted from `anchor`, never from now, so that a late run
/// gives the same period. Across a change of daylight saving a period is an hour longer or shorter.
pub fn last_period(anchor: NaiveDate, days: u32, now: i64, zone: Tz) -> Window {
    let days = i64::from(days.max(1));
    let today = local(now, zone).date_naive();
    let whole = (today - anchor).num_days().div_euclid(days);
    let date = |k: i64| anchor + chrono::TimeDelta::days(k * days);
    Window::new(midnight(date(whole - 1), zone), midnight(date(whole), zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKYO: Tz = chrono_tz::Asia::Tokyo;

    #[test]
    fn days_begin_and_end_with_the_window() {
        let days = |start, end| -> Vec<(i64, i64)> {
            Window::new(start, end).days().map(|day| (day.start, day.end)).collect()
        };
        assert_eq!(days(5 * HOUR, 2 * DAY + HOUR), [(5 * HOUR, DAY), (DAY, 2 * DAY), (2 * DAY, 2 * DAY + HOUR)]);
        assert_eq!(days(DAY, 2 * DAY), [(DAY, 2 * DAY)]);
        assert_eq!(days(DAY, DAY), []);
        assert_eq!(days(DAY + HOUR, DAY + HOUR), []);
    }

    #[test]
    fn dates_are_local_midnights() {
        assert_eq!(parse_instant("2026-11-09", TOKYO), parse_instant("2026-11-08T15:00:00Z", TOKYO));
        assert_eq!(parse_instant("yesterday", TOKYO), None);
    }

    #[test]
    fn periods_are_counted_from_the_anchor() {
        let anchor = NaiveDate::from_ymd_opt(2026, 11, 9).expect("valid");
        let first = parse_instant("2026-11-23T00:00:00+09:00", TOKYO).expect("valid");
        let window = last_period(anchor, 14, first, TOKYO);
        assert_eq!(rfc3339(window.start, TOKYO), "2026-11-09T00:00:00+09:00");
        assert_eq!(last_period(anchor, 14, first + 13 * DAY, TOKYO), window);
        assert_eq!(last_period(anchor, 14, first - 1, TOKYO).end, window.start);
    }

    #[test]
    fn midnights_follow_daylight_saving() {
        let zone = chrono_tz::Europe::Berlin;
        let start = parse_instant("2026-10-24", zone).expect("valid");
        let found = midnights(Window::new(start, start + 4 * DAY), zone);
        assert!(found.iter().all(|at| local(*at, zone).format("%H:%M").to_string() == "00:00"));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn hour_of_week_follows_the_local_clock() {
        let monday = parse_instant("2026-11-09T00:30:00+09:00", TOKYO).expect("valid");
        assert_eq!(hour_of_week(monday, TOKYO), 0);
        assert_eq!(hour_of_week(monday - HOUR, TOKYO), 167);
    }
}
