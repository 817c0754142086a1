//! How each source fared, over all parts that were read.

use std::collections::BTreeSet;

use super::error::SourceError;
use super::registry;
use crate::config::Source;
use crate::model::diagnostic::{self, Diagnostic};
use crate::model::metric::SeriesKey;

/// How a source fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceState {
    /// The source's id.
    pub id: String,
    /// Its kind's word in the configuration, or `store`.
    pub kind: &'static str,
    /// Account that the resources of its series run in, empty if the config does not name it.
    pub account: String,
    /// Rows read over all parts.
    pub rows: u64,
    /// Series found.
    pub series: usize,
    /// Events found.
    pub events: usize,
    /// Keys of the series that it gave points of, under the names of their services.
    pub keys: BTreeSet<SeriesKey>,
    /// Why it failed, what was ignored or repaired, and what else its reader should know.
    pub diagnostics: Vec<Diagnostic>,
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
        diagnostic::merge(&mut state.diagnostics, other.diagnostics);
    }
}

impl SourceState {
    /// Begins the state of a source of the config.
    pub(crate) fn of(source: &Source) -> Self {
        let kind = registry::descriptor(&source.kind).map_or("", |descriptor| descriptor.kind);
        let account = registry::settings(source).map(|settings| settings.resource_account().to_owned());
        Self { kind, account: account.unwrap_or_default(), ..Self::kept(source.id.clone()) }
    }

    /// Begins the state of what is in the store.
    pub(crate) fn kept(id: String) -> Self {
        Self {
            id,
            kind: "store",
            account: String::new(),
            rows: 0,
            series: 0,
            events: 0,
            keys: BTreeSet::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Returns why it failed; `None` if it did not.
    pub fn failure(&self) -> Option<&Diagnostic> {
        self.diagnostics.iter().find(|diagnostic| diagnostic.is_error())
    }

    /// Returns what was ignored or repaired, and what else its reader should know.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| !diagnostic.is_error())
    }

    /// Returns what came, or keeps why nothing did.
    pub(super) fn keep<T>(&mut self, outcome: Result<T, SourceError>) -> Option<T> {
        outcome.map_err(|error| self.diagnostics.push(error.diagnostic())).ok()
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

#[cfg(test)]
mod tests {
    use super::super::batch::counted;
    use super::*;

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
    fn states_of_parts_add_up() {
        let state = |rows, note_count| SourceState {
            id: "a".into(),
            kind: "files",
            account: String::new(),
            rows,
            series: 1,
            events: 0,
            keys: BTreeSet::new(),
            diagnostics: vec![counted("a", "negative_rate", note_count, "x.csv:2")],
        };
        let mut states = vec![state(5, 1)];
        add_states(&mut states, vec![state(7, 2)]);
        assert_eq!(states.len(), 1);
        assert_eq!((states[0].rows, states[0].series, states[0].diagnostics[0].count), (12, 2, 3));
    }
}
