//! What a source hands over: series and events, each with what was ignored or repaired.

use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::event::{Event, Origin};
use crate::model::metric::Series;

/// What one source gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeriesBatch {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// Rows read: those inside the window and the part.
    pub rows: u64,
    /// What was ignored or repaired.
    pub diagnostics: Vec<Diagnostic>,
}

/// Every code that a counting diagnostic may carry: those of the [`format`](crate::format) room, and those of sources.
///
/// `other_dimension` comes from the store alone.
pub const REASONS: &[&str] = &[
    "duplicate_same_value",
    "duplicate_missing_value",
    "negative_latency",
    "negative_share",
    "share_above_one",
    "negative_rate",
    "no_rows",
    "other_dimension",
    "duplicate_event",
    "series_in_two_sources",
    "event_in_two_sources",
    "days_missing",
    "days_open",
    "data_until",
    "not_requested",
    "clock_ahead",
    "message_of_source",
    "resources_of_one_name",
    "events_not_allowed",
    "events_forgotten",
    "change_pending",
    "tags_not_known",
    "tag_no_name",
    "event_of_other_category",
    "scrubbed_card",
    "scrubbed_email",
    "scrubbed_jwt",
    "scrubbed_key",
    "scrubbed_secret",
    "scrubbed_id",
    "scrubbed_literal",
    "scrubbed_own",
    "scrubbed_together",
];

/// Events of one source, with diagnostics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventBatch {
    /// Sorted by time, then id.
    pub events: Vec<Event>,
    /// What was ignored.
    pub diagnostics: Vec<Diagnostic>,
}

/// Writes into events that a source tracks them; those that it saw in the data only stay inferred.
pub(super) fn track(events: &mut [Event], source: &str) {
    for event in events.iter_mut().filter(|event| !event.is_inferred()) {
        event.origin = Origin::Tracked(source.to_owned());
    }
}

/// Makes a diagnostic of a source that counts rows, points or events.
pub(super) fn counted(source: &str, code: &str, count: u64, example: impl Into<String>) -> Diagnostic {
    Diagnostic::counted(Stage::Source, source, code, count, example)
}
