//! Brings series and events in, exactly, and says what was left out and why.

pub mod files;

use crate::deploy::Event;
use crate::metric::Series;

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

/// What one source gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intake {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// Rows read.
    pub rows: u64,
    /// What was left out or repaired.
    pub notes: Vec<Note>,
}

/// Rows of one kind that were left out of a source, or a thing that its reader should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The source's id.
    pub source: String,
    /// Why: a stable word such as `duplicate_same_value`, explained in the catalogues.
    pub reason: String,
    /// How many rows or points.
    pub count: u64,
    /// The first place, such as `series.csv:17`.
    pub example: String,
}

/// How a source fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// The source's id.
    pub id: String,
    /// `files`.
    pub kind: &'static str,
    /// Rows read over all parts.
    pub rows: u64,
    /// Series found.
    pub series: usize,
    /// Events found.
    pub events: usize,
    /// Why it failed; empty if it did not.
    pub error: String,
    /// What was left out.
    pub notes: Vec<Note>,
}

/// Events of one source, with notes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// Sorted by time, then id.
    pub events: Vec<Event>,
    /// What was left out.
    pub notes: Vec<Note>,
}
