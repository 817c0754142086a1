//! Dates and times of day in the report's zone, as each language writes them.

use chrono::{DateTime, Datelike};
use chrono_tz::Tz;

use super::i18n::Localized;
use crate::model::time::{Window, local};

const EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const JA: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];

fn weekday(clock: &DateTime<Tz>) -> (&'static str, &'static str) {
    let day = clock.weekday().num_days_from_monday() as usize;
    (EN.get(day).copied().unwrap_or_default(), JA.get(day).copied().unwrap_or_default())
}

/// Returns whether an instant lies on a Saturday or Sunday.
pub(crate) fn is_weekend(at: i64, zone: Tz) -> bool {
    local(at, zone).weekday().num_days_from_monday() >= 5
}

/// Returns the names of the weekdays from Monday.
pub(crate) fn weekdays() -> impl Iterator<Item = Localized> {
    EN.iter().zip(JA).map(|(en, ja)| Localized::new(*en, ja))
}

/// Writes a date with its year: `Mon 2026-11-09`, `2026-11-09 (月)`.
pub(crate) fn date(at: i64, zone: Tz) -> Localized {
    let clock = local(at, zone);
    let (en, ja) = weekday(&clock);
    Localized::new(format!("{en} {}", clock.format("%Y-%m-%d")), format!("{} ({ja})", clock.format("%Y-%m-%d")))
}

/// Writes a day within the period: `Mon 11-09`, `11/9(月)`.
pub(crate) fn day(at: i64, zone: Tz) -> Localized {
    let clock = local(at, zone);
    let (en, ja) = weekday(&clock);
    Localized::new(format!("{en} {}", clock.format("%m-%d")), format!("{}/{}({ja})", clock.month(), clock.day()))
}

/// Writes an instant within the period: `Wed 11-18 14:32`, `11/18(水) 14:32`.
pub(crate) fn stamp(at: i64, zone: Tz) -> Localized {
    let time = local(at, zone).format("%H:%M").to_string();
    let day = day(at, zone);
    Localized::new(format!("{} {time}", day.en), format!("{} {time}", day.ja))
}

/// Writes an instant with its year and zone: `Wed 2026-11-18 14:32 JST`, `2026-11-18 (水) 14:32 JST`.
pub(crate) fn date_time(at: i64, zone: Tz) -> Localized {
    let time = local(at, zone).format("%H:%M").to_string();
    let (day, zone) = (date(at, zone), zone_name(at, zone));
    Localized::new(format!("{} {time} {zone}", day.en), format!("{} {time} {zone}", day.ja))
}

/// Writes a span within the period; the day is not said twice.
pub(crate) fn span(window: Window, zone: Tz) -> Localized {
    let from = stamp(window.start, zone);
    if window.length() <= 0 {
        return from;
    }
    let (start, end) = (local(window.start, zone), local(window.end, zone));
    if start.date_naive() == end.date_naive() {
        let time = end.format("%H:%M");
        return Localized::new(format!("{} – {time}", from.en), format!("{} – {time}", from.ja));
    }
    let to = closing(window.end, zone, day);
    Localized::new(format!("{} – {}", from.en, to.en), format!("{} – {}", from.ja, to.ja))
}

/// Writes a whole period, whose end is outside: `Mon 2026-11-09 00:00 – Sun 2026-11-22 24:00`.
pub(crate) fn period(window: Window, zone: Tz) -> Localized {
    let time = local(window.start, zone).format("%H:%M").to_string();
    let (from, to) = (date(window.start, zone), closing(window.end, zone, date));
    Localized::new(format!("{} {time} – {}", from.en, to.en), format!("{} {time} – {}", from.ja, to.ja))
}

/// Writes the end of a span; midnight belongs to the day before, as 24:00.
fn closing(end: i64, zone: Tz, write: fn(i64, Tz) -> Localized) -> Localized {
    let time = local(end, zone).format("%H:%M").to_string();
    let (at, time) = if time == "00:00" { (end - 1, "24:00".to_owned()) } else { (end, time) };
    let day = write(at, zone);
    Localized::new(format!("{} {time}", day.en), format!("{} {time}", day.ja))
}

/// Writes the zone: its short name, and the long one where the short one is only an offset.
pub(crate) fn zone_name(at: i64, zone: Tz) -> String {
    let short = local(at, zone).format("%Z").to_string();
    if short.starts_with(['+', '-']) { format!("{} (UTC{short})", zone.name()) } else { short }
}

/// Returns the local midnight some days after the day of an instant.
pub(crate) fn days_later(at: i64, days: i64, zone: Tz) -> i64 {
    let date = local(at, zone).date_naive();
    let later = chrono::TimeDelta::try_days(days).and_then(|days| date.checked_add_signed(days));
    crate::model::time::midnight(later.unwrap_or(date), zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{DAY, HOUR, parse_instant};

    const TOKYO: Tz = chrono_tz::Asia::Tokyo;

    #[test]
    fn a_period_ends_at_24_on_its_last_day() {
        let start = parse_instant("2026-11-09", TOKYO).expect("valid");
        let text = period(Window::new(start, start + 14 * DAY), TOKYO);
        assert_eq!(text.en, "Mon 2026-11-09 00:00 – Sun 2026-11-22 24:00");
        assert_eq!(text.ja, "2026-11-09 (月) 00:00 – 2026-11-22 (日) 24:00");
        assert_eq!(zone_name(start, TOKYO), "JST");
    }

    #[test]
    fn spans_do_not_repeat_the_day() {
        let start = parse_instant("2026-11-18T14:00:00+09:00", TOKYO).expect("valid");
        assert_eq!(span(Window::new(start, start + HOUR), TOKYO).ja, "11/18(水) 14:00 – 15:00");
        assert_eq!(span(Window::new(start, start + 10 * HOUR), TOKYO).en, "Wed 11-18 14:00 – Wed 11-18 24:00");
    }
}
