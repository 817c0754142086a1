//! Reads the sources that are read where they are, at every report.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::counted;
use super::clean_names::scrub_events;
use super::error::SourceError;
use super::registry;
use super::state::SourceState;
use crate::config::{Config, Source};
use crate::format::{self, InputId, Reader};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::Event;
use crate::model::metric::{Series, SeriesKey};
use crate::model::time::Window;

/// Events of all sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedEvents {
    /// Sorted by time, then id; unique ids.
    pub events: Vec<Event>,
    /// One a source, in the order of the configuration.
    pub states: Vec<SourceState>,
}

/// The series of all sources that are read where they are, decoded once and handed out shard by shard.
///
/// Where two sources have the same series, the one that stands first in the configuration wins at equal times, and the
/// other carries the diagnostic `series_in_two_sources`.
#[derive(Debug, Default)]
pub struct RecordedSeries {
    sources: Vec<Decoded>,
}

/// One source.
#[derive(Debug)]
struct Decoded {
    state: SourceState,
    /// `None` if it failed.
    input: Option<InputId>,
    /// Series that an earlier source has too, by shard.
    shared: BTreeMap<usize, (u64, SeriesKey)>,
    /// Shards that were taken.
    taken: BTreeSet<usize>,
}

impl RecordedSeries {
    /// Decodes the points of all sources inside a window into a reader. A source that fails is left out, and its state
    /// says why.
    pub fn decode(config: &Config, window: Window, reader: &mut Reader) -> Self {
        let decode = |source: &Source| {
            let mut state = SourceState::of(source);
            let outcome = registry::open_recorded(config, source).and_then(|opened| opened.decode(window, reader));
            let input = state.keep(outcome);
            state.rows = input.map_or(0, |input| reader.rows(input));
            Decoded { state, input, shared: BTreeMap::new(), taken: BTreeSet::new() }
        };
        let recorded = config.sources.iter().filter(|source| registry::is_recorded(source));
        Self { sources: recorded.map(decode).collect() }
    }

    /// Returns the keys of all series, source by source.
    pub fn keys<'a>(&'a self, reader: &'a Reader) -> impl Iterator<Item = &'a SeriesKey> {
        let inputs = self.sources.iter().filter_map(|source| source.input);
        inputs.flat_map(|input| reader.keys(input).map(|(key, _)| key))
    }

    /// Takes the series of one shard, sorted by key.
    pub fn take(&mut self, reader: &mut Reader, shard: usize) -> Vec<Series> {
        let mut all: Vec<Series> = Vec::new();
        for source in &mut self.sources {
            let Some(input) = source.input else { continue };
            let id = source.state.id.clone();
            let outcome = reader.take(input, shard).map_err(|error| SourceError::Record { id, source: error });
            let Some(recorded) = source.state.keep(outcome) else {
                source.input = None;
                continue;
            };
            if source.taken.insert(shard) {
                source.state.series += recorded.series.len();
                source.state.keys.extend(recorded.series.iter().map(|series| series.key.clone()));
                source.shared.extend(shared_series(&all, &recorded.series).map(|shared| (shard, shared)));
            }
            all = format::merge(all, recorded.series);
        }
        all
    }

    /// Returns whether a source failed.
    pub fn has_failed(&self) -> bool {
        self.sources.iter().any(|source| source.state.failure().is_some())
    }

    /// Returns how each source fared, in the order of the configuration.
    pub fn states(&self, reader: &Reader) -> Vec<SourceState> {
        let state = |source: &Decoded| {
            let mut state = source.state.clone();
            let id = state.id.clone();
            let left_out = source.input.map_or(Ok(Vec::new()), |input| reader.left_out(input));
            let left_out = state.keep(left_out.map_err(|error| SourceError::Record { id, source: error }));
            let left_out = left_out.unwrap_or_default();
            let counts = left_out.into_iter().map(|left| counted(&state.id, left.reason, left.count, left.example));
            let mut counts: Vec<Diagnostic> = counts.collect();
            if let Some(first) = source.shared.values().map(|(_, first)| first).min() {
                let count = source.shared.values().map(|(count, _)| count).sum();
                counts.push(counted(&state.id, "series_in_two_sources", count, format::shown_key(first)));
            }
            state.diagnostics.extend(counts);
            state
        };
        self.sources.iter().map(state).collect()
    }
}

/// Reads the events of all sources that are read where they are, whenever they were.
///
/// An id that two sources use is kept as the first one has it; the other carries the diagnostic `event_in_two_sources`.
pub fn events(config: &Config) -> CollectedEvents {
    let mut states = Vec::new();
    let mut known: BTreeMap<String, Event> = BTreeMap::new();
    for source in config.sources.iter().filter(|source| registry::is_recorded(source)) {
        let mut state = SourceState::of(source);
        let outcome = registry::open_recorded(config, source).and_then(|opened| opened.events());
        if let Some(mut found) = state.keep(outcome) {
            state.events = found.events.len();
            state.diagnostics = found.diagnostics;
            state.diagnostics.extend(scrub_events(&source.id, &config.scrubber(), &mut found.events));
            let mut repeated: Option<(u64, String)> = None;
            for event in found.events {
                match known.get(&event.id) {
                    None => {
                        known.insert(event.id.clone(), event);
                    }
                    Some(_) => repeated.get_or_insert_with(|| (0, crate::model::scrub::excerpt(&event.id))).0 += 1,
                }
            }
            let repeated = repeated.map(|(count, first)| counted(&source.id, "event_in_two_sources", count, first));
            state.diagnostics.extend(repeated);
        }
        states.push(state);
    }
    let mut events: Vec<Event> = known.into_values().collect();
    format::events::sort(&mut events);
    CollectedEvents { events, states }
}

/// Counts series that an earlier source has too, and returns the first. Both lists are sorted by key.
fn shared_series(earlier: &[Series], later: &[Series]) -> Option<(u64, SeriesKey)> {
    let is_known = |series: &&Series| earlier.binary_search_by(|known| known.key.cmp(&series.key)).is_ok();
    let first = later.iter().find(is_known)?;
    Some((later.iter().filter(is_known).count() as u64, first.key.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let text = "[[source]]
kind = \"files\"
id = \"one\"
series = [\"a.csv\"]
deploys = [\"a.jsonl\"]
\
            [[source]]
kind = \"files\"
id = \"broken\"
series = [\"c.csv\"]
\
            [[source]]
kind = \"files\"
id = \"two\"
series = [\"b.csv\"]
deploys = [\"b.jsonl\"]
";
        let config = Config::parse(text, &folder.path().join("fortnight.toml")).expect("valid");
        let mut reader = Reader::new(u64::MAX);
        let mut recorded = RecordedSeries::decode(&config, Window::new(0, i64::MAX), &mut reader);
        reader.plan(|key| key.service.clone()).expect("one shard");
        let series = recorded.take(&mut reader, 0);
        assert_eq!(series.len(), 1);
        assert_eq!(series[0].values, [0.001, 0.002], "the first source wins");
        let states = recorded.states(&reader);
        let [one, broken, two] = states.as_slice() else { panic!("three states") };
        assert_eq!((one.failure(), one.rows, one.series), (None, 1, 1));
        let failure = broken.failure().expect("failed");
        assert_eq!(failure.reason(), "source `broken`: c.csv:2: unknown unit `parsec`");
        assert!(failure.help[0].starts_with("known units"), "{failure:?}");
        assert_eq!(two.diagnostics[0].code, "series_in_two_sources");
        let events = events(&config);
        assert_eq!(events.events.len(), 1);
        assert_eq!(events.events[0].service, "a");
        assert_eq!(events.states[2].diagnostics[0].code, "event_in_two_sources");
        assert!(events.states[1].failure().is_none(), "its events are none, and fine");
    }
}
