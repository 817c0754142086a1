//! What a report requests before it is made: the days that its span has and the store lacks, and nothing else.
//!
//! The store alone is enough where it holds all of the span. A source that cannot be asked then is no failure: the report
//! says until when the data go. It is one where the store really lacks a part of the period.

use std::collections::BTreeMap;

use super::collector::{Order, SourceOutcome, collect_all, warn_of};
use super::days::{Pick, absent, data_until, from_midnight, missing};
use super::{Failure, Ui, outcome, plain};
use crate::config::{Config, Source};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::time::{DAY, Window, rfc3339};
use crate::source::{SourceState, registry};
use crate::store::{Catalog, Store, StoreError};

/// Requests what the store lacks of a period and of what it is compared with. Returns how the sources over the network
/// fared; one that failed leaves the report standing.
///
/// # Errors
/// The store cannot be read.
pub(super) fn refresh(config: &Config, period: Window, ui: &Ui) -> Result<Vec<SourceState>, Failure> {
    let sources: Vec<&Source> = config.sources.iter().filter(|source| !registry::is_recorded(source)).collect();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::open(&config.store.folder)?;
    let clock = outcome::clock()?;
    let baseline = Window::new(period.start - i64::from(config.judge.baseline_days) * DAY, period.end);
    let span = from_midnight(baseline);
    let order = Order { span, now: clock.now(), clock, pick: Pick::Lacking, most_requests: None };
    let before = store.catalog(span)?;
    let lacks = |source: &&Source| !missing(&before.days(&source.id), span, order.now, order.pick).is_empty();
    let lost_events = store.events()?.refused.iter().any(StoreError::is_loss);
    let (asked, whole): (Vec<&Source>, Vec<&Source>) =
        sources.iter().copied().partition(|source| lost_events || lacks(source));
    if !whole.is_empty() {
        ui.say(&format!("nothing requested from {}: the store has all that the report needs", names(&whole)));
    }
    if asked.is_empty() {
        return Ok(whole.into_iter().map(SourceState::of).collect());
    }
    // A store that cannot be written, or that another run is writing, is read as it is.
    let collected = match collect_all(config, &asked, &store, order, ui) {
        Ok((collected, damaged)) => {
            warn_of(&damaged);
            collected
        }
        Err(failure) => asked.iter().map(|source| (source.id.clone(), unwritable(source, &failure))).collect(),
    };
    let after = store.catalog(span)?;
    let reading = Reading { config, before: &before, after: &after, period, order, ui };
    let states = sources.into_iter().map(|source| reading.state(source, &collected));
    Ok(states.collect())
}

/// What the store had before and after the requests.
struct Reading<'a> {
    config: &'a Config,
    before: &'a Catalog,
    after: &'a Catalog,
    period: Window,
    order: Order,
    ui: &'a Ui,
}

impl Reading<'_> {
    /// Returns how one source fared, and prints it.
    fn state(&self, source: &Source, collected: &BTreeMap<String, SourceOutcome>) -> SourceState {
        let Self { order, period, .. } = self;
        let mut state = SourceState::of(source);
        let Some(one) = collected.get(&source.id) else { return state };
        let wanted = missing(&self.before.days(&source.id), order.span, order.now, order.pick);
        let known = self.after.days(&source.id);
        let (id, ends) = (plain(&source.id), data_until(&known).map(|at| rfc3339(at, self.config.zone)));
        let ends = ends.map_or_else(
            || "the store has no data of it".to_owned(),
            |at| format!("the store has its data until {at}"),
        );
        if let Some(first) = wanted.first().filter(|_| one.failure.is_none() && one.days > 0) {
            let days = if one.days == 1 { "1 day".to_owned() } else { format!("{} days", one.days) };
            self.ui.say(&format!("requested from {id}: {days} from {} (UTC) on that the store lacked", first.day));
        }
        if let Some(failure) = &one.failure {
            state.diagnostics.push(match absent(&known, *period, order.now).is_empty() {
                // The report has all of its period, so nothing of it failed.
                true => {
                    self.ui.say(&format!("not requested from {id}: {}; {ends}", plain(&failure.reason_alone())));
                    not_requested(source, wanted.len(), failure, &ends)
                }
                // An error line follows for what failed.
                false => {
                    self.ui.say(&format!("not requested from {id}; {ends}"));
                    failure.clone()
                }
            });
        }
        state.diagnostics.extend(one.warnings.iter().cloned());
        state
    }
}

/// Says which days were not requested, and that the report does not lack them.
fn not_requested(source: &Source, days: usize, failure: &Diagnostic, ends: &str) -> Diagnostic {
    let example = format!("{}; {ends}", failure.reason());
    let note = Diagnostic::counted(Stage::Source, &source.id, "not_requested", days as u64, example);
    Diagnostic { help: failure.help.clone(), ..note }
}

/// Keeps why nothing could be requested from a source.
fn unwritable(source: &Source, failure: &Failure) -> SourceOutcome {
    SourceOutcome { failure: Some(failure.diagnostic(Stage::Store, &source.id)), ..SourceOutcome::default() }
}

fn names(sources: &[&Source]) -> String {
    sources.iter().map(|source| plain(&source.id)).collect::<Vec<_>>().join(", ")
}
