//! Which span of time a command is about.

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;

use super::Failure;
use crate::cli::{CollectArgs, Span};
use crate::config::Config;
use crate::model::time::{Window, last_period, local, midnight, parse_instant, rfc3339};

/// Every instant that recorded data may have: from 1970 to 2200.
pub(super) const EVER: Window = Window { start: 0, end: 7_258_118_400_000 };

/// Returns the span that was asked for; without both ends the last whole period.
///
/// One end alone gives one period from or up to there.
///
/// # Errors
/// An end that is no instant, or a start that is not before the end.
pub(super) fn asked(config: &Config, span: &Span, now: i64) -> Result<Window, Failure> {
    let days = i64::from(config.period.days);
    let window = match (instant(config, "--from", &span.from)?, instant(config, "--to", &span.to)?) {
        (None, None) => last_period(config.period.anchor, config.period.days, now, config.zone),
        (Some(from), Some(to)) if from >= to => {
            return Err(backwards());
        }
        (Some(from), Some(to)) => Window::new(from, to),
        (Some(from), None) => Window::new(from, shifted(from, days, config.zone)),
        (None, Some(to)) => Window::new(shifted(to, -days, config.zone), to),
    };
    Ok(window)
}

/// Returns the span to collect; an end that is not given is open.
///
/// # Errors
/// As [`asked`].
pub(super) fn collected(config: &Config, args: &CollectArgs) -> Result<Window, Failure> {
    let since = instant(config, "--since", &args.since)?.unwrap_or(EVER.start);
    let until = instant(config, "--until", &args.until)?.unwrap_or(EVER.end);
    if since < until {
        Ok(Window::new(since, until))
    } else {
        Err(Failure::usage("read the span: `--since` is not before `--until`", ""))
    }
}

/// Reads an instant that was typed, if one was.
///
/// # Errors
/// It is neither a date nor RFC 3339, or outside of [`EVER`].
pub(super) fn instant(config: &Config, flag: &str, text: &Option<String>) -> Result<Option<i64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match parse_instant(text, config.zone).filter(|at| EVER.contains(*at)) {
        Some(at) => Ok(Some(at)),
        None => Err(Failure::usage(
            format!("read `{flag}`: {text:?} is neither a date nor RFC 3339"),
            "write it as 2026-11-09 or 2026-11-09T00:00:00+09:00",
        )),
    }
}

fn backwards() -> Failure {
    Failure::usage("read the span: `--from` is not before `--to`", "")
}

/// Returns the period that begins at the anchor.
pub(super) fn anchored(config: &Config) -> Window {
    let start = midnight(config.period.anchor, config.zone);
    Window::new(start, shifted(start, i64::from(config.period.days), config.zone))
}

/// Returns the last period that data could fill: on the grid if the data reach back that far, else as
/// many of its last whole days as there are, up to a period.
pub(super) fn suggested(config: &Config, covered: Window) -> Window {
    let zone = config.zone;
    let on_grid = last_period(config.period.anchor, config.period.days, covered.end, zone);
    if on_grid.start >= covered.start {
        return on_grid;
    }
    let today = |at| local(at, zone).date_naive();
    let (first, mut last) = (today(covered.start), today(covered.end));
    if last <= first {
        last = first + TimeDelta::days(1);
    }
    let start = first.max(last - TimeDelta::days(i64::from(config.period.days)));
    Window::new(midnight(start, zone), midnight(last, zone))
}

/// Writes an instant as it can be typed: a date where it is a local midnight.
pub(super) fn typed(at: i64, zone: Tz) -> String {
    let date = local(at, zone).date_naive();
    if midnight(date, zone) == at { date.to_string() } else { rfc3339(at, zone) }
}

/// Moves by local days, so that midnights stay midnights when daylight saving changes.
pub(super) fn shifted(at: i64, days: i64, zone: Tz) -> i64 {
    let date = local(at, zone).date_naive();
    let into_the_day = at - midnight(date, zone);
    let moved: NaiveDate = date + TimeDelta::days(days);
    midnight(moved, zone) + into_the_day
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(extra: &str) -> Config {
        let text = format!("{extra}\n[[source]]\nkind = \"files\"\nseries = [\"a.csv\"]\n");
        Config::parse(&text, Path::new("fortnight.toml")).expect("valid")
    }

    fn at(text: &str) -> i64 {
        parse_instant(text, chrono_tz::UTC).expect("valid")
    }

    fn span(from: &str, to: &str) -> Span {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Span { from: some(from), to: some(to) }
    }

    #[test]
    fn without_flags_it_is_the_last_whole_period() {
        let window = asked(&config(""), &Span::default(), at("2026-01-20T10:00:00Z")).expect("valid");
        assert_eq!(window, Window::new(at("2026-01-05"), at("2026-01-19")));
    }

    #[test]
    fn one_end_gives_one_period_of_local_days() {
        let berlin = config("timezone = \"Europe/Berlin\"");
        let window = asked(&berlin, &span("2026-03-23", ""), 0).expect("valid");
        assert_eq!(typed(window.end, berlin.zone), "2026-04-06");
        assert_eq!(window.length(), 14 * crate::model::time::DAY - crate::model::time::HOUR);
        assert_eq!(asked(&berlin, &span("", "2026-04-06"), 0).expect("valid"), window);
    }

    #[test]
    fn spans_that_make_no_sense_are_wrong_use() {
        for (from, to) in [("2026-02-01", "2026-02-01"), ("soon", ""), ("", "9999-01-01"), ("-5000-01-01", "")] {
            let failure = asked(&config(""), &span(from, to), 0).expect_err("refused");
            assert_eq!(failure.exit, super::super::Exit::Usage, "{from} {to}");
        }
    }

    #[test]
    fn what_is_suggested_lies_in_the_data() {
        let config = config("");
        let long = Window::new(at("2025-11-01"), at("2026-01-21T05:00:00Z"));
        assert_eq!(suggested(&config, long), Window::new(at("2026-01-05"), at("2026-01-19")));
        let short = Window::new(at("2026-01-10T07:00:00Z"), at("2026-01-21T05:00:00Z"));
        assert_eq!(suggested(&config, short), Window::new(at("2026-01-10"), at("2026-01-21")));
        let hours = Window::new(at("2026-01-10T07:00:00Z"), at("2026-01-10T09:00:00Z"));
        assert_eq!(suggested(&config, hours), Window::new(at("2026-01-10"), at("2026-01-11")));
    }
}
