//! What the store holds of each source, for the report's data section.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};

use super::days::{absent, data_until, day_slices, since_and_until};
use crate::config::{Config, Source};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::time::{Window, rfc3339};
use crate::source::{SourceState, registry};
use crate::store::{Catalog, DayState, StoredEvents};

/// Days that are named at the most.
const NAMED: usize = 5;

/// Returns what the store holds of the sources over the network, and of those that the config does not have (any more):
/// what another collector brought.
///
/// `catalog`: of the history. `history`: the period and what it is compared with. `now`: UTC milliseconds.
pub(super) fn states(
    config: &Config,
    catalog: &Catalog,
    events: &StoredEvents,
    [period, history]: [Window; 2],
    now: i64,
) -> Vec<SourceState> {
    let count_events = |id: &str| {
        let own = events.event_sources.get(id);
        let is_own = |id: &String| own.is_some_and(|own| own.contains(id));
        events.events.iter().filter(|event| period.contains(event.at) && is_own(&event.id)).count()
    };
    let mut states = Vec::new();
    for source in config.sources.iter().filter(|source| !registry::is_recorded(source)) {
        let (rows, series) = catalog.point_count(&source.id, period);
        let days = catalog.days(&source.id);
        let mut diagnostics = of_days(source, &days, period);
        if let Some(until) = data_until(&days).filter(|until| *until < period.end.min(now)) {
            let partly = absent(&days, period, now);
            let count = partly.iter().filter(|day| days.contains_key(day)).count() as u64;
            let ends = rfc3339(until, config.zone);
            let ends = Diagnostic::counted(Stage::Store, &source.id, "data_until", count, ends);
            diagnostics.extend((count > 0).then_some(ends));
        }
        states.push(SourceState {
            rows,
            series,
            events: count_events(&source.id),
            diagnostics,
            ..SourceState::of(source)
        });
    }
    let is_strange = |id: &&str| config.sources.iter().all(|source| source.id != **id);
    for id in catalog.sources().into_iter().filter(is_strange) {
        if catalog.point_count(id, history).0 > 0 {
            let (rows, series) = catalog.point_count(id, period);
            states.push(SourceState { rows, series, events: count_events(id), ..SourceState::kept(id.to_owned()) });
        }
    }
    states
}

/// Names the days of a source that are missing, and those that are open though they were requested after they were over.
fn of_days(source: &Source, days: &BTreeMap<NaiveDate, DayState>, period: Window) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let missing: Vec<NaiveDate> =
        day_slices(period).map(|slice| slice.day).filter(|day| !days.contains_key(day)).collect();
    if let Some(first) = missing.first() {
        let count = missing.len() as u64;
        diagnostics.push(Diagnostic::counted(Stage::Store, &source.id, "days_missing", count, first.to_string()));
    }
    let open = open_days(days);
    if let Some((example, command)) = named(&source.id, &open) {
        let (count, example) = (open.len() as u64, format!("{example}: `{command}`"));
        diagnostics.push(Diagnostic::counted(Stage::Store, &source.id, "days_open", count, example));
    }
    diagnostics
}

/// Returns the days that were requested after they were over and came without what they should have.
pub(super) fn open_days(days: &BTreeMap<NaiveDate, DayState>) -> Vec<NaiveDate> {
    let is_open = |state: &DayState| matches!(state, DayState::Open { requested: Some(_) });
    days.iter().filter(|(_, state)| is_open(state)).map(|(day, _)| *day).collect()
}

/// Names days, with the command that requests them again now; `None` if there are none.
pub(super) fn named(source: &str, days: &[NaiveDate]) -> Option<(String, String)> {
    let (first, last) = (days.first()?, days.last()?);
    let mut text = days.iter().take(NAMED).map(NaiveDate::to_string).collect::<Vec<_>>().join(", ");
    if days.len() > NAMED {
        text.push_str(&format!(" and {} more", days.len() - NAMED));
    }
    let span = since_and_until(*first, *last + TimeDelta::days(1));
    let source = super::explain::command_line(&["--source".to_owned(), source.to_owned()]);
    Some((text, format!("fortnight collect --again {source} {span}")))
}
