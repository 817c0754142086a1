//! The contract's long form on disk: rows of `time, service, kind, target, signal, unit, value` in
//! Parquet or CSV, and events as JSON lines or CSV.
//!
//! Shared by the rooms that keep such files: `source` reads what people recorded, `store` reads what it wrote itself.
//! Knows no configuration.
//!
//! ```text
//! parquet.rs ─┐                        ┌─ chunks of rows, in parallel
//!             ├─> chunk.rs (checks) ───┤
//! csv.rs ─────┘                        └─> reader.rs: input.rs joins them series by series (spill.rs: in a file,
//!                                          if they are too many), finish.rs sorts and finds duplicates -> Vec<Series>
//! ```
//!
//! # What happens to broken rows
//!
//! A row outside the window is not looked at, except that a CSV line must have its fields, a time and a
//! number.
//!
//! | row | outcome |
//! |---|---|
//! | unknown `unit` or `kind`; empty `service`, `target` or `signal` | error with file and row |
//! | `time` empty, not RFC 3339 with an offset, not a whole number, or outside the years 1 to 9999 | error |
//! | text that is not UTF-8, or longer than [`LONGEST_TEXT_BY`] | error |
//! | CSV `value` that is text, such as `1,5`; wrong number of fields | error |
//! | a unit of another dimension inside one series | error; units of one dimension are converted (the store: later wins, note `other_dimension`) |
//! | the same series and time again with another value | error with both places (the store: later wins) |
//! | … with the same value | left out, note `duplicate_same_value` |
//! | … one of them without a value | the number stays, note `duplicate_missing_value` |
//! | `value` empty, null, NaN, infinite (CSV also `null`, `none`, `n/a`, `na`, `-`) | missing, not counted |
//! | negative time | missing, note `negative_latency` |
//! | share below 0 or above 1 (`percent` above 100); a `…_utilization` may be above 1 | missing, note `negative_share` or `share_above_one` |
//! | negative rate | missing, note `negative_rate` |
//! | file with a header and no row | note `no_rows`; a file of no bytes, or without a column, is an error |
//!
//! A missing value keeps its point, as NaN, so that a series that was silent is still known. Counts and
//! bytes may be negative. Counters are not turned into rates: a signal in `count` is taken as it stands.
//!
//! # Rows and times
//!
//! CSV rows are line numbers (the header is line 1), Parquet rows count from 1. A whole number below
//! [`SECONDS_BELOW`] in size is seconds since 1970, any other is milliseconds: seconds until the year
//! 5138, milliseconds from March 1973 on. A Parquet timestamp without a time zone is UTC. Finer times are
//! cut to milliseconds.

mod chunk;
mod csv;
mod error;
pub mod events;
mod file;
mod finish;
mod input;
mod interner;
mod merge;
mod parquet;
mod reader;
mod share;
mod spill;
mod text;

use crate::model::metric::{Series, SeriesKey};
use crate::model::scrub::excerpt;

pub use error::{RecordError, RowError};
pub use file::RecordedFile;
pub use merge::merge;
pub use reader::{InputId, Reader, read};

/// Names of the contract's columns that hold text, in the order in which they are kept.
pub(crate) const TEXT_COLUMNS: [&str; 5] = ["service", "kind", "target", "signal", "unit"];
/// An extra text column of store segments: the unit that the input wrote, while `unit` is the base unit.
pub(crate) const WRITTEN_UNIT: &str = "written_unit";
/// Longest text that a cell may hold, bytes: far above any real name, far below what fills a memory.
pub const LONGEST_TEXT_BY: usize = 65_536;
/// Whole numbers of this size and above are milliseconds, smaller ones seconds.
pub const SECONDS_BELOW: i64 = 100_000_000_000;
/// 0001-01-01 and 9999-12-31T23:59:59.999 in UTC milliseconds: what RFC 3339 can write.
pub(crate) const TIME_LIMITS: (i64, i64) = (-62_135_596_800_000, 253_402_300_799_999);

/// What to do when a series has two different values at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Somebody recorded it wrong: an error with both places.
    Refuse,
    /// The later file wins, and within a file the later row.
    LaterWins,
}

/// What files gave as a whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// Rows inside the window.
    pub rows: u64,
    /// What was left out, by reason.
    pub left_out: Vec<LeftOut>,
}

/// The series of one shard that files gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShardSeries {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// Of each series the origins of the files that its points came from, in the order of files.
    pub origins: Vec<Vec<u32>>,
}

/// Rows of one kind that were left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// A stable word, see the table in the module's documentation.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
    /// The first place, such as `series.csv:17`.
    pub example: String,
}

/// Names a series in a message.
pub(crate) fn shown_key(key: &SeriesKey) -> String {
    format!("{} · {} · {}", excerpt(&key.service), excerpt(&key.target), excerpt(&key.signal))
}

/// Turns a whole number into UTC milliseconds, by its size.
pub(crate) fn whole_time(number: i64) -> i64 {
    if number.unsigned_abs() < SECONDS_BELOW.unsigned_abs() { number * 1000 } else { number }
}

/// Parses RFC 3339 with an offset, or whole seconds or milliseconds since 1970.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let time = match text.parse::<i64>() {
        Ok(number) => whole_time(number),
        Err(_) => chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis(),
    };
    (TIME_LIMITS.0..=TIME_LIMITS.1).contains(&time).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_seconds_or_milliseconds_by_size() {
        assert_eq!(parse_time("1794182400"), Some(1_794_182_400_000));
        assert_eq!(parse_time("1794182400000"), Some(1_794_182_400_000));
        assert_eq!(parse_time("2026-11-09T00:00:00Z"), Some(1_794_182_400_000));
        assert_eq!(parse_time("2026-11-09T09:00:00+09:00"), Some(1_794_182_400_000));
        for broken in ["", "2026-11-09T00:00:00", "2026-11-09", "1.5e9", "17e8", "9223372036854775807", "now"] {
            assert_eq!(parse_time(broken), None, "{broken}");
        }
    }

    #[test]
    fn hostile_text_cannot_turn_a_message() {
        assert_eq!(excerpt("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert!(excerpt(&"x".repeat(10_000)).len() < 100);
    }
}
