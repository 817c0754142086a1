//! Which days to request from a source.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::model::time::{DAY, HOUR, Window};
use crate::store::{Answered, DayState};

/// Points may come as late as this after their day is over; a day that was requested before is requested again.
const LATE: i64 = 2 * HOUR;

/// Part of a UTC day to request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DaySlice {
    pub(super) day: NaiveDate,
    pub(super) window: Window,
    /// The answer will be the whole day, and nothing more is to come.
    pub(super) is_over: bool,
}

/// Which days are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// All of them, whatever is known.
    Again,
    /// Those that are not sealed.
    Open,
    /// Those of which the store lacks a part of the span.
    Lacking,
}

/// Cuts a span into UTC days, from a whole hour to a whole hour; an end within an hour takes that hour along.
pub(super) fn day_slices(span: Window) -> impl Iterator<Item = DaySlice> {
    let (start, end) = (span.start.div_euclid(HOUR) * HOUR, -(-span.end).div_euclid(HOUR) * HOUR);
    let first = start.div_euclid(DAY);
    (first..).map(|day| day * DAY).take_while(move |day| *day < end).filter_map(move |day| {
        let date = chrono::DateTime::from_timestamp_millis(day)?.date_naive();
        let window = Window::new(start.max(day), end.min(day + DAY));
        (window.start < window.end).then_some(DaySlice { day: date, window, is_over: window.length() == DAY })
    })
}

/// Returns what is to be requested: the days of a span that are not sealed, up to the last whole hour.
///
/// A day that stayed open although it was over is requested once a UTC date.
pub(super) fn missing(known: &BTreeMap<NaiveDate, DayState>, span: Window, now: i64, pick: Pick) -> Vec<DaySlice> {
    let today = date_of(now);
    let is_wanted = |slice: &DaySlice| match known.get(&slice.day) {
        _ if pick == Pick::Again => true,
        Some(DayState::Sealed) => false,
        // A date to come is one of a clock that was ahead.
        Some(DayState::Open { requested: Some(date) }) => *date != today,
        Some(DayState::Begun(part)) => pick != Pick::Lacking || !holds(*part, slice.window, LATE),
        Some(DayState::Open { requested: None }) | None => true,
    };
    let slices = until(day_slices(Window::new(span.start, span.end.min(now))).collect(), now);
    slices.into_iter().filter(is_wanted).collect()
}

/// Returns the days of a span of which the store has not everything that the source was able to say by then.
///
/// A day that was requested whole is not among them, even if little came: it has a diagnostic of its own.
pub(super) fn absent(known: &BTreeMap<NaiveDate, DayState>, span: Window, now: i64) -> Vec<NaiveDate> {
    let is_absent = |slice: &DaySlice| match known.get(&slice.day) {
        Some(DayState::Sealed | DayState::Open { requested: Some(_) }) => false,
        Some(DayState::Begun(part)) => !holds(*part, slice.window, 0),
        Some(DayState::Open { requested: None }) | None => true,
    };
    let slices = until(day_slices(Window::new(span.start, span.end.min(now))).collect(), now);
    slices.into_iter().filter(is_absent).map(|slice| slice.day).collect()
}

/// Returns whether an answer for a part of a day holds a window, with its points that may come this late.
fn holds(part: Answered, window: Window, late: i64) -> bool {
    part.from <= window.start && window.end <= part.until.min(part.at - late)
}

/// Returns the time at which the store's data of a source end, by its last day; `None` if that is not known.
pub(super) fn data_until(known: &BTreeMap<NaiveDate, DayState>) -> Option<i64> {
    match known.last_key_value()? {
        (_, DayState::Begun(part)) => Some(part.until),
        (_, DayState::Open { requested: None }) => None,
        (day, _) => Some(crate::model::time::midnight(*day, chrono_tz::UTC) + DAY),
    }
}

/// Lets a span begin with the UTC day in which it begins, so that its first day can be sealed.
pub(super) fn from_midnight(span: Window) -> Window {
    Window::new(span.start.div_euclid(DAY) * DAY, span.end)
}

/// Cuts off what is not over by a clock, and says of each day whether it is.
pub(super) fn until(slices: Vec<DaySlice>, now: i64) -> Vec<DaySlice> {
    let hour = now.div_euclid(HOUR) * HOUR;
    let cut = |slice: DaySlice| {
        let window = Window::new(slice.window.start, slice.window.end.min(hour));
        let is_over = window.length() == DAY && window.end + LATE <= now;
        (window.start < window.end).then_some(DaySlice { window, is_over, ..slice })
    };
    slices.into_iter().filter_map(cut).collect()
}

/// Cuts what a source has forgotten off a span. `retention_ms`: how far back it still answers.
pub(super) fn within_retention(span: Window, retention_ms: i64, now: i64) -> Window {
    // The oldest day is on its way out; what is left of it would pass for all of it.
    let oldest = (now - retention_ms).div_euclid(DAY) * DAY + DAY;
    Window::new(span.start.max(oldest), span.end)
}

/// Returns the span from the first to the last slice.
pub(super) fn hull(slices: &[DaySlice]) -> Option<Window> {
    Some(Window::new(slices.first()?.window.start, slices.last()?.window.end))
}

/// Returns the UTC date of a time.
pub(super) fn date_of(time: i64) -> NaiveDate {
    crate::model::time::local(time, chrono_tz::UTC).date_naive()
}

/// Returns the flags of `collect` that name UTC days; the last is not included.
pub(super) fn since_and_until(first: NaiveDate, end: NaiveDate) -> String {
    format!("--since {first}T00:00:00Z --until {end}T00:00:00Z")
}
