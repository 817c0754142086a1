//! Reads the sources that are read where they are, at every report.

use std::collections::BTreeMap;

use super::batch::counted;
use super::registry;
use super::state::SourceState;
use crate::config::Config;
use crate::format::{self, Part};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::Event;
use crate::model::metric::Series;
use crate::model::time::Window;

/// Memory of one point: a time and a value, bytes.
const POINT_BY: u64 = 16;

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

/// Reads the series of one part from all sources that are read where they are.
///
/// Only points inside `window`. Where two sources have the same series, the one that stands first in the
/// configuration wins at equal times, and the other carries the diagnostic `series_in_two_sources`.
pub fn collect(config: &Config, window: Window, part: Part) -> Collected {
    let mut collected = Collected::default();
    for source in config.sources.iter().filter(|source| registry::is_recorded(source)) {
        let mut state = SourceState::of(source);
        let outcome = registry::open_recorded(config, source).and_then(|opened| opened.series(part, window));
        if let Some(batch) = state.keep(outcome) {
            state.rows = batch.rows;
            state.series = batch.series.len();
            state.keys = batch.series.iter().map(|series| series.key.clone()).collect();
            state.diagnostics = batch.diagnostics;
            state.diagnostics.extend(shared_series(&source.id, &collected.series, &batch.series));
            collected.series = format::merge(collected.series, batch.series);
        }
        collected.states.push(state);
    }
    collected
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
        if let Some(found) = state.keep(outcome) {
            state.events = found.events.len();
            state.diagnostics = found.diagnostics;
            let mut repeated: Option<(u64, String)> = None;
            for event in found.events {
                match known.get(&event.id) {
                    None => {
                        known.insert(event.id.clone(), event);
                    }
                    Some(_) => repeated.get_or_insert_with(|| (0, crate::model::sanitize::excerpt(&event.id))).0 += 1,
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

/// Estimates the rows of all sources together; those that cannot be opened count as none.
pub fn rows_estimate(config: &Config) -> u64 {
    let recorded = config.sources.iter().filter(|source| registry::is_recorded(source));
    let opened = recorded.filter_map(|source| registry::open_recorded(config, source).ok());
    opened.map(|source| source.rows_estimate()).sum()
}

/// Returns in how many parts to read so that each takes at most `memory_by` bytes, if services are of similar size.
pub fn parts_needed(rows: u64, memory_by: u64) -> usize {
    let parts = rows.saturating_mul(POINT_BY).div_ceil(memory_by.max(1)).max(1);
    usize::try_from(parts).unwrap_or(usize::MAX)
}

/// Counts series that an earlier source has too. Both lists are sorted by key.
fn shared_series(id: &str, earlier: &[Series], later: &[Series]) -> Option<Diagnostic> {
    let is_known = |series: &&Series| earlier.binary_search_by(|known| known.key.cmp(&series.key)).is_ok();
    let first = later.iter().find(is_known)?;
    let count = later.iter().filter(is_known).count() as u64;
    Some(counted(id, "series_in_two_sources", count, format::shown_key(&first.key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_with_rows_and_are_never_none() {
        assert_eq!(parts_needed(0, 1 << 30), 1);
        assert_eq!(parts_needed(1 << 26, 1 << 30), 1);
        assert_eq!(parts_needed((1 << 26) + 1, 1 << 30), 2);
        assert!(parts_needed(u64::MAX, 0) > 1);
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
        let collected = collect(&config, Window::new(0, i64::MAX), Part::WHOLE);
        assert_eq!(collected.series.len(), 1);
        assert_eq!(collected.series[0].values, [0.001, 0.002], "the first source wins");
        let [one, broken, two] = collected.states.as_slice() else { panic!("three states") };
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
