//! Brings series and events in, exactly, and says what was left out and why.
//!
//! A source that fails does not sink the others: its [`SourceState`] carries the error, and whoever
//! called decides what that means. Files are read where they are ([`collect`]); sources that answer over the
//! network ([`source`]) are asked by `fortnight collect`, and reports read what the store kept of them.

#[cfg(feature = "aws")]
pub mod cloudwatch;
pub mod files;
pub mod http;
pub mod newrelic;
pub mod query;
pub mod registry;
pub mod service_map;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::config::{Config, Source};
use crate::format::{self, RecordError};
use crate::model::event::Event;
use crate::model::metric::{Series, SeriesKey};
use crate::model::secret::SecretError;
use crate::model::time::Window;
use crate::source::query::QueryError;

use files::FilesSource;

pub use crate::format::Part;

/// Memory of one point: a time and a value, bytes.
const POINT_BY: u64 = 16;

/// What one source gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intake {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// Rows read: those inside the window and the part.
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

/// Every reason that a [`Note`] may carry: those of [`recorded`](crate::format), and those of joining sources.
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
    "message_of_source",
    "resources_of_one_name",
    "events_not_allowed",
    "events_forgotten",
    "change_pending",
    "tags_not_known",
    "tag_no_name",
    "event_of_other_category",
];

/// How a source fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// The source's id.
    pub id: String,
    /// Its kind's word in the configuration, or `store`.
    pub kind: &'static str,
    /// Rows read over all parts.
    pub rows: u64,
    /// Series found.
    pub series: usize,
    /// Events found.
    pub events: usize,
    /// Keys of the series that it gave points of, under the names of their services.
    pub keys: BTreeSet<SeriesKey>,
    /// Why it failed, with its causes; a line that starts with `help: ` says what to do. Empty if it did not.
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

/// Series of all sources.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// Sorted by key; unique keys.
    pub series: Vec<Series>,
    /// One a source, in the order of the configuration.
    pub states: Vec<SourceState>,
}

/// Events of all sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedEvents {
    /// Sorted by time, then id; unique ids.
    pub events: Vec<Event>,
    /// One a source, in the order of the configuration.
    pub states: Vec<SourceState>,
}

/// Why a source cannot give what it has.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A pattern cannot be understood.
    #[error("source `{id}`: pattern `{pattern}` is not valid")]
    Pattern {
        /// The source.
        id: String,
        /// The pattern as written.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: glob::PatternError,
    },
    /// No file is called like this.
    #[error("source `{id}`: no file matches `{pattern}`")]
    NoMatch {
        /// The source.
        id: String,
        /// The pattern as written.
        pattern: String,
    },
    /// A folder on the way cannot be listed.
    #[error("source `{id}`: pattern `{pattern}` leads to a folder that cannot be read")]
    Folder {
        /// The source.
        id: String,
        /// The pattern as written.
        pattern: String,
        /// What the system said.
        #[source]
        source: glob::GlobError,
    },
    /// This build leaves the source out.
    #[error("source `{id}`: this build was made without the feature `{feature}`")]
    NotBuiltIn {
        /// The source.
        id: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// Amazon CloudWatch cannot be asked, or did not answer as it should.
    #[cfg(feature = "aws")]
    #[error("source `{id}`")]
    CloudWatch {
        /// The source.
        id: String,
        /// What is wrong.
        #[source]
        source: Box<cloudwatch::error::CloudWatchError>,
    },
    /// The key is not in the environment.
    #[error("source `{id}`")]
    Secret {
        /// The source.
        id: String,
        /// Which variable.
        #[source]
        source: SecretError,
    },
    /// The queries have no meaning.
    #[error("source `{id}`")]
    Query {
        /// The source.
        id: String,
        /// File and line.
        #[source]
        source: QueryError,
    },
    /// New Relic does not give what it has.
    #[error("source `{id}`, account {account}")]
    NewRelic {
        /// The source.
        id: String,
        /// The account's number.
        account: String,
        /// Why.
        #[source]
        source: Box<newrelic::NewRelicError>,
    },
    /// A file is broken.
    #[error("source `{id}`")]
    Record {
        /// The source.
        id: String,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
}

impl SourceError {
    /// Returns what to do next, for a `help:` line.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Pattern { .. } => {
                Some("`*`, `?`, `[…]` and `**` are special; write `[*]` for a star itself".to_owned())
            }
            Self::NoMatch { .. } => Some("patterns start at the folder of the configuration file".to_owned()),
            Self::Folder { .. } => None,
            Self::NotBuiltIn { feature, .. } => {
                Some(format!("install it with `cargo install --path . --features {feature}`"))
            }
            #[cfg(feature = "aws")]
            Self::CloudWatch { source, .. } => source.help(),
            Self::Secret { source, .. } => Some(source.help()),
            Self::Query { source, .. } => source.help(),
            Self::NewRelic { source, .. } => source.help(),
            Self::Record { source, .. } => source.help(),
        }
    }
}

/// Collects the series of one part from all sources that are files.
///
/// Only points inside `window`. Where two sources have the same series, the one that stands first in the
/// configuration wins at equal times, and the other carries the note `series_in_two_sources`.
pub fn collect(config: &Config, window: Window, part: Part) -> Collected {
    collect_from(&config.folder, &config.sources, window, part)
}

fn collect_from(folder: &Path, sources: &[Source], window: Window, part: Part) -> Collected {
    let mut collected = Collected::default();
    for source in sources.iter().filter(|source| source.kind.is_files()) {
        let mut state = SourceState::of(source);
        let outcome = FilesSource::open(folder, source).and_then(|files| files.series(part, window));
        if let Some(mut intake) = state.keep(outcome) {
            state.rows = intake.rows;
            state.series = intake.series.len();
            state.keys = intake.series.iter().map(|series| series.key.clone()).collect();
            intake.notes.extend(shared_series(&source.id, &collected.series, &intake.series));
            state.notes = intake.notes;
            collected.series = format::merge(collected.series, intake.series);
        }
        collected.states.push(state);
    }
    collected
}

/// Collects the events of all sources that are files, whenever they were.
///
/// An id that two sources use is kept as the first one has it; the other carries the note `event_in_two_sources`.
pub fn events(config: &Config) -> CollectedEvents {
    events_from(&config.folder, &config.sources)
}

fn events_from(folder: &Path, sources: &[Source]) -> CollectedEvents {
    let mut states = Vec::new();
    let mut known: BTreeMap<String, Event> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.kind.is_files()) {
        let mut state = SourceState::of(source);
        let outcome = FilesSource::open(folder, source).and_then(|files| files.events());
        if let Some(found) = state.keep(outcome) {
            state.events = found.events.len();
            state.notes = found.notes;
            let mut repeated: Option<Note> = None;
            for event in found.events {
                match known.get(&event.id) {
                    None => {
                        known.insert(event.id.clone(), event);
                    }
                    Some(_) => {
                        let note = note(&source.id, "event_in_two_sources", 1, format::shown(&event.id));
                        repeated.get_or_insert(Note { count: 0, ..note }).count += 1;
                    }
                }
            }
            state.notes.extend(repeated);
        }
        states.push(state);
    }
    let mut events: Vec<Event> = known.into_values().collect();
    format::events::sort(&mut events);
    CollectedEvents { events, states }
}

/// Estimates the rows of all sources together; those that cannot be opened count as none.
pub fn rows_estimate(config: &Config) -> u64 {
    let files = config.sources.iter().filter(|source| source.kind.is_files());
    let opened = files.filter_map(|source| FilesSource::open(&config.folder, source).ok());
    opened.map(|files| files.rows_estimate()).sum()
}

/// Returns in how many parts to read so that each takes at most `memory_by` bytes, if services are of similar size.
pub fn parts_needed(rows: u64, memory_by: u64) -> usize {
    let parts = rows.saturating_mul(POINT_BY).div_ceil(memory_by.max(1)).max(1);
    usize::try_from(parts).unwrap_or(usize::MAX)
}

/// Adds the states of another part or of the events to those so far, source by source.
pub fn add_states(states: &mut Vec<SourceState>, more: Vec<SourceState>) {
    for other in more {
        let Some(state) = states.iter_mut().find(|state| state.id == other.id) else {
            states.push(other);
            continue;
        };
        state.rows += other.rows;
        state.series += other.series;
        state.events += other.events;
        state.keys.extend(other.keys);
        if state.error.is_empty() {
            state.error = other.error;
        }
        for note in other.notes {
            match state.notes.iter_mut().find(|known| known.reason == note.reason) {
                Some(known) => known.count += note.count,
                None => state.notes.push(note),
            }
        }
    }
}

impl SourceState {
    pub(crate) fn of(source: &Source) -> Self {
        Self { kind: source.kind.name(), ..Self::kept(source.id.clone()) }
    }

    /// Begins the state of what is in the store.
    pub(crate) fn kept(id: String) -> Self {
        Self {
            id,
            kind: "store",
            rows: 0,
            series: 0,
            events: 0,
            keys: BTreeSet::new(),
            error: String::new(),
            notes: Vec::new(),
        }
    }

    /// Returns what came, or keeps why nothing did.
    fn keep<T>(&mut self, outcome: Result<T, SourceError>) -> Option<T> {
        outcome.map_err(|error| self.error = told(&error)).ok()
    }
}

/// Tells an error with its causes, and what to do on a line of its own.
pub(crate) fn told(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    match error.help() {
        Some(help) => format!("{text}\nhelp: {help}"),
        None => text,
    }
}

/// Returns the one source that a series came from; `None` if that is not known, or if several had it.
///
/// The service map may have given the target a longer name; then the source is known by the other parts of the key.
pub fn source_of<'a>(states: &'a [SourceState], key: &SeriesKey) -> Option<&'a str> {
    let only = |has: &dyn Fn(&SourceState) -> bool| {
        let mut found = states.iter().filter(|state| has(state)).map(|state| state.id.as_str());
        (found.next(), found.next())
    };
    match only(&|state| state.keys.contains(key)) {
        (Some(id), None) => Some(id),
        (Some(_), Some(_)) => None,
        (None, _) => {
            let is_like = |other: &SeriesKey| {
                (&other.service, other.kind, &other.signal) == (&key.service, key.kind, &key.signal)
            };
            match only(&|state| state.keys.iter().any(is_like)) {
                (Some(id), None) => Some(id),
                _ => None,
            }
        }
    }
}

fn note(source: &str, reason: &str, count: u64, example: String) -> Note {
    Note { source: source.to_owned(), reason: reason.to_owned(), count, example }
}

/// Notes series that an earlier source has too. Both lists are sorted by key.
fn shared_series(id: &str, earlier: &[Series], later: &[Series]) -> Option<Note> {
    let is_known = |series: &&Series| earlier.binary_search_by(|known| known.key.cmp(&series.key)).is_ok();
    let first = later.iter().find(is_known)?;
    let count = later.iter().filter(is_known).count() as u64;
    Some(note(id, "series_in_two_sources", count, format::shown_key(&first.key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceKind;

    #[test]
    fn parts_grow_with_rows_and_are_never_none() {
        assert_eq!(parts_needed(0, 1 << 30), 1);
        assert_eq!(parts_needed(1 << 26, 1 << 30), 1);
        assert_eq!(parts_needed((1 << 26) + 1, 1 << 30), 2);
        assert!(parts_needed(u64::MAX, 0) > 1);
    }

    fn source(id: &str, series: &str, deploys: &str) -> Source {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Source {
            id: id.into(),
            optional: true,
            kind: SourceKind::Files { series: list(series), deploys: list(deploys) },
        }
    }

    #[test]
    fn a_series_is_of_the_one_source_that_had_it() {
        let key = |service: &str, target: &str, signal: &str| SeriesKey {
            service: service.into(),
            kind: crate::model::metric::Kind::Resource,
            target: target.into(),
            signal: signal.into(),
        };
        let state = |id: &str, keys: &[SeriesKey]| SourceState {
            keys: keys.iter().cloned().collect(),
            ..SourceState::kept(id.to_owned())
        };
        let (cpu, memory) = (key("api", "ecs:main/api", "cpu"), key("api", "ecs:main/api", "memory"));
        let states = [
            state("aws", &[cpu.clone(), memory.clone()]),
            state("apm", &[memory.clone(), key("web", "host", "cpu")]),
            state("spare", &[]),
        ];
        assert_eq!(source_of(&states, &cpu), Some("aws"));
        assert_eq!(source_of(&states, &memory), None, "two had it");
        assert_eq!(
            source_of(&states, &key("web", "web-blue host", "cpu")),
            Some("apm"),
            "the map told two hosts apart"
        );
        assert_eq!(source_of(&states, &key("api", "api-blue ecs:main/api", "memory")), None);
        assert_eq!(source_of(&states, &key("shop", "host", "cpu")), None, "nobody is known to have had it");
        assert_eq!(source_of(&states[..1], &key("shop", "host", "cpu")), None, "and so not the only one either");
    }

    #[test]
    fn a_failed_source_leaves_the_rest_standing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        let header = "time,service,kind,target,signal,unit,value\n";
        write("a.csv", &format!("{header}60,a,operation,t,x,ms,1\n"));
        write("b.csv", &format!("{header}60,a,operation,t,x,ms,9\n120,a,operation,t,x,ms,2\n"));
        write("c.csv", &format!("{header}60,a,operation,t,x,parsec,9\n"));
        write("a.jsonl", "{\"id\":\"d\",\"service\":\"a\",\"at\":60}\n");
        write("b.jsonl", "{\"id\":\"d\",\"service\":\"b\",\"at\":60}\n");
        let sources =
            [source("one", "a.csv", "a.jsonl"), source("broken", "c.csv", ""), source("two", "b.csv", "b.jsonl")];
        let collected = collect_from(folder.path(), &sources, Window::new(0, i64::MAX), Part::WHOLE);
        assert_eq!(collected.series.len(), 1);
        assert_eq!(collected.series[0].values, [0.001, 0.002], "the first source wins");
        let [one, broken, two] = collected.states.as_slice() else { panic!("three states") };
        assert_eq!((one.error.as_str(), one.rows, one.series), ("", 1, 1));
        assert!(broken.error.starts_with("source `broken`: c.csv:2: unknown unit `parsec`\nhelp: known units"));
        assert_eq!(two.notes[0].reason, "series_in_two_sources");
        let events = events_from(folder.path(), &sources);
        assert_eq!(events.events.len(), 1);
        assert_eq!(events.events[0].service, "a");
        assert_eq!(events.states[2].notes[0].reason, "event_in_two_sources");
        assert!(events.states[1].error.is_empty(), "its events are none, and fine");
    }

    #[test]
    fn states_of_parts_add_up() {
        let state = |rows, note_count| SourceState {
            id: "a".into(),
            kind: "files",
            rows,
            series: 1,
            events: 0,
            keys: BTreeSet::new(),
            error: String::new(),
            notes: vec![note("a", "negative_rate", note_count, "x.csv:2".into())],
        };
        let mut states = vec![state(5, 1)];
        add_states(&mut states, vec![state(7, 2)]);
        assert_eq!(states.len(), 1);
        assert_eq!((states[0].rows, states[0].series, states[0].notes[0].count), (12, 2, 3));
    }
}
