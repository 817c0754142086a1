//! The contract's long form on disk: rows of `time, service, kind, target, signal, unit, value` in
//! Parquet or CSV, and events as JSON lines or CSV.
//!
//! Shared by the rooms that keep such files: `collect` reads what people recorded, `store` reads what it
//! wrote itself. Calls [`metric`](crate::model::metric), [`deploy`](crate::model::event) and [`time`](crate::model::time)
//! only, and knows no configuration.
//!
//! ```text
//! parquet.rs ─┐                       ┌─ one piece a row group or CSV file, in parallel
//!             ├─> rows.rs (checks) ───┤
//! csv.rs ─────┘                       └─ assemble.rs joins, sorts, finds duplicates -> Vec<Series>
//! ```
//!
//! # What happens to broken rows
//!
//! A row outside the window is not looked at, except that a CSV line must have its fields, a time and a
//! number. Rows of other parts are checked for their words, not for their values.
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

mod assemble;
mod csv;
pub mod events;
mod file;
mod merge;
mod parquet;
mod piece;

use std::sync::Arc;

use crate::model::metric::{Series, SeriesKey};
pub(crate) use crate::model::sanitize::{escape as escaped, excerpt as shown};
use crate::model::time::Window;

pub use assemble::read;
pub use file::RecordedFile;
pub use merge::merge;

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

/// A share of the services, so that series too many for memory go through in parts.
///
/// A service always lies in one part, because siblings are judged together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which part, from 0.
    pub index: usize,
    /// Of how many; 1 is everything.
    pub count: usize,
}

impl Part {
    /// Everything in one part.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Tells whether a service belongs to this part.
    ///
    /// The same on every machine and in every version: FNV-1a (Fowler, Noll, Vo; 64 bits) of the name,
    /// modulo the number of parts.
    pub fn holds(self, service: &str) -> bool {
        if self.count <= 1 {
            return true;
        }
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in service.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // The low bits of FNV are its weak ones.
        (hash ^ (hash >> 32)) % self.count as u64 == self.index as u64
    }
}

/// Which points are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Points whose time lies inside.
    pub window: Window,
    /// Services of this part.
    pub part: Part,
}

/// What to do when a series has two different values at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Somebody recorded it wrong: an error with both places.
    Refuse,
    /// The later file wins, and within a file the later row.
    LaterWins,
}

/// What files gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// Of each series the numbers of the files that its points came from, in the order of files.
    pub files: Vec<Vec<usize>>,
    /// Rows inside the window and the part.
    pub rows: u64,
    /// What was left out, by reason.
    pub left_out: Vec<LeftOut>,
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

/// Why recorded files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system said no.
    #[error("{file}: cannot be read")]
    Io {
        /// The file as it was asked for.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No byte in it.
    #[error("{file}: the file is empty")]
    Empty {
        /// The file.
        file: String,
    },
    /// Cut off or not what its first bytes promise.
    #[error("{file}: cut off or damaged")]
    Damaged {
        /// The file.
        file: String,
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A column of the contract is not there.
    #[error("{file}: column `{column}` is missing")]
    MissingColumn {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
    },
    /// A column holds something else than the contract says.
    #[error("{file}: column `{column}` holds {found}, not {wanted}")]
    ColumnType {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
        /// The type that it has.
        found: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// One row is broken.
    #[error("{file}:{row}: {fault}")]
    Row {
        /// The file.
        file: String,
        /// CSV: line; Parquet: row from 1.
        row: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Two rows give one series different values at one time.
    #[error("{second}: another value for `{key}` at {time} than at {first}")]
    Conflict {
        /// Place of the first row.
        first: String,
        /// Place of the second row.
        second: String,
        /// The series, shortened.
        key: String,
        /// The time, RFC 3339.
        time: String,
    },
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not in [`UNITS`](crate::model::metric::UNITS).
    #[error("unknown unit `{0}`")]
    UnknownUnit(String),
    /// Not a kind of the contract.
    #[error("unknown kind `{0}`")]
    UnknownKind(String),
    /// Not a time.
    #[error("unparsable time `{0}`")]
    UnparsableTime(String),
    /// A text that may not be empty.
    #[error("empty {0}")]
    Empty(&'static str),
    /// A text longer than [`LONGEST_TEXT_BY`].
    #[error("{0} longer than {LONGEST_TEXT_BY} bytes")]
    TooLong(&'static str),
    /// Bytes that are not UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotUtf8(&'static str),
    /// Text where a number belongs.
    #[error("value `{0}` is not a number")]
    NotANumber(String),
    /// More or fewer fields than the header.
    #[error("{found} fields, the header has {wanted}")]
    Fields {
        /// Fields in this row.
        found: u64,
        /// Fields in the header.
        wanted: u64,
    },
    /// The unit measures something else than the series did so far.
    #[error("unit `{unit}` for `{key}`, which was in `{before}`")]
    OtherDimension {
        /// The series, shortened.
        key: String,
        /// This row's unit.
        unit: &'static str,
        /// The unit before.
        before: &'static str,
    },
    /// An event that cannot be understood.
    #[error("{0}")]
    Event(String),
}

impl RecordError {
    /// Returns the name of the file that is broken; `None` when it is two rows that contradict.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Io { file, .. }
            | Self::Empty { file }
            | Self::Damaged { file, .. }
            | Self::MissingColumn { file, .. }
            | Self::ColumnType { file, .. }
            | Self::Row { file, .. } => Some(file),
            Self::Conflict { .. } => None,
        }
    }

    /// Returns what to do next, for a `help:` line.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Io { .. } => "check that the file is there and may be read",
            Self::Empty { .. } => "write the file again, or take it out of the list",
            Self::Damaged { .. } => "copy or write the file again",
            Self::MissingColumn { .. } | Self::ColumnType { .. } => {
                "the columns are time, service, kind, target, signal, unit, value; others are ignored"
            }
            Self::Conflict { .. } => "keep one of the two rows",
            Self::Row { fault, .. } => return fault.help(),
        };
        Some(text.to_owned())
    }
}

impl Fault {
    fn help(&self) -> Option<String> {
        let text = match self {
            Self::UnknownUnit(_) => {
                let known: Vec<&str> = crate::model::metric::UNITS.iter().map(|unit| unit.symbol).collect();
                return Some(format!("known units are {}", known.join(", ")));
            }
            Self::UnknownKind(_) => "kinds are operation, datastore, resource",
            Self::UnparsableTime(_) => "write 2026-11-09T00:00:00Z, or whole seconds or milliseconds since 1970",
            Self::NotANumber(_) => "write 1234.5 with a point; leave the field empty where there is no value",
            Self::OtherDimension { .. } => "give the two measurements different signal names",
            Self::Fields { .. } => "put fields that hold a comma in double quotes; the file may also be cut off",
            Self::Empty(_) | Self::TooLong(_) | Self::NotUtf8(_) | Self::Event(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// Names a series in a message.
pub(crate) fn shown_key(key: &SeriesKey) -> String {
    format!("{} · {} · {}", shown(&key.service), shown(&key.target), shown(&key.signal))
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

/// Texts that came up, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Words {
    ids: std::collections::HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

/// The id of a text that is not there.
pub(crate) const ABSENT: u32 = u32::MAX;

impl Words {
    /// Returns the id of a text, the same for equal texts.
    pub(crate) fn id(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let shared: Arc<str> = text.into();
        let id = u32::try_from(self.texts.len()).unwrap_or(ABSENT);
        self.texts.push(shared.clone());
        self.ids.insert(shared, id);
        id
    }

    /// Returns the text of an id; empty for [`ABSENT`].
    pub(crate) fn text(&self, id: u32) -> Arc<str> {
        self.texts.get(id as usize).cloned().unwrap_or_default()
    }
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
    fn a_service_lies_in_one_part() {
        for service in ["", "cards", "ledger-日本", "svc-01"] {
            let holding = (0..7).filter(|index| Part { index: *index, count: 7 }.holds(service)).count();
            assert_eq!(holding, 1);
        }
    }

    #[test]
    fn parts_are_of_similar_size() {
        let sizes: Vec<usize> = (0..4)
            .map(|index| (0..400).filter(|k| Part { index, count: 4 }.holds(&format!("svc-{k:03}"))).count())
            .collect();
        assert!(sizes.iter().all(|size| (60..140).contains(size)), "{sizes:?}");
    }

    #[test]
    fn hostile_text_cannot_turn_a_message() {
        assert_eq!(shown("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert!(shown(&"x".repeat(10_000)).len() < 100);
    }
}
