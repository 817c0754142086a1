//! Why recorded files cannot be read, in words.

use super::LONGEST_TEXT_BY;

/// Why recorded files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system said no.
    #[error("{file}: cannot be read")]
    Io {
        /// The file as messages name it.
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
    /// A file of deploys lacks a column.
    #[error("{file}: column `{column}` is missing")]
    MissingEventColumn {
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
    #[error("{file}:{row}: {error}")]
    Row {
        /// The file.
        file: String,
        /// CSV: line; Parquet: row from 1.
        row: u64,
        /// What is wrong with it.
        error: RowError,
    },
    /// The temporary file for points that do not fit into memory cannot be used.
    #[error("temporary file: cannot be written or read")]
    Temporary(#[source] std::io::Error),
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
pub enum RowError {
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
    /// Returns what to do next, for a `help:` line.
    pub fn help(&self) -> Option<String> {
        let text = match self {
            Self::Io { .. } => "check that the file is there and may be read",
            Self::Empty { .. } => "write the file again, or take it out of the list",
            Self::Damaged { .. } => "copy or write the file again",
            Self::MissingColumn { .. } | Self::ColumnType { .. } => {
                "the columns are time, service, kind, target, signal, unit, value; others are ignored"
            }
            Self::MissingEventColumn { .. } => {
                "deploys and other events need id, service and at; until, revision, title, url, author and kind may be left out"
            }
            Self::Temporary(_) => "free some space, name another folder in TMPDIR, or raise `memory_mb`",
            Self::Conflict { .. } => "keep one of the two rows",
            Self::Row { error, .. } => return error.help(),
        };
        Some(text.to_owned())
    }
}

impl RowError {
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
