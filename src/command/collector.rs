//! Requests days from the sources and keeps them.
//!
//! A day is the unit: it is requested whole and appended whole, so that a kill loses a day's answers at most and the next
//! run goes on where this one ended. The oldest missing day comes first, because a source forgets it first. A day is
//! sealed once it is over by the clock of the source *and* has what can be expected of it ([`store::coverage`]); otherwise
//! it stays open and is requested again once a date while the source reaches it.
//!
//! [`store::coverage`]: crate::store::Coverage

use std::collections::BTreeMap;
use std::future::Future;

use anyhow::Context as _;
use chrono::NaiveDate;
use futures_util::future::join_all;

use super::days::{DaySlice, Pick, date_of, hull, missing, until, within_retention};
use super::progress::progress;
use super::{Failure, Ui, plain, stored};
use crate::config::{Config, Source};
use crate::model::clock::Clock;
use crate::model::diagnostic::{self, Diagnostic, Stage};
use crate::model::scrub::Scrubber;
use crate::model::time::{MINUTE, Window};
use crate::source::{CollectedSource, clean_names, registry, scrub_events};
use crate::store::{Answered, Coverage, DayState, Repaired, SourceDays, Store, StoreError};

/// A clock that is further ahead of the source's than this is worth a warning.
const CLOCK_AHEAD: i64 = 5 * MINUTE;

/// More requests than `--max-requests` allows.
#[derive(Debug, thiserror::Error)]
#[error("source `{id}`: needs about {requests} requests, more than {most}")]
struct TooManyRequests {
    id: String,
    requests: u64,
    most: u64,
}

/// What to collect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) span: Window,
    pub(super) now: i64,
    /// For the sources, which may need the time later on.
    pub(super) clock: Clock,
    /// Which days of the span.
    pub(super) pick: Pick,
    pub(super) most_requests: Option<u64>,
}

/// What collecting one source gave; what came before a failure is kept.
#[derive(Debug, Default)]
pub(super) struct SourceOutcome {
    pub(super) days: usize,
    pub(super) points: u64,
    pub(super) events: usize,
    pub(super) failure: Option<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// What a source needs to be collected.
struct Job<'a> {
    id: &'a str,
    scrubber: &'a Scrubber,
    source: CollectedSource,
    slices: Vec<DaySlice>,
    /// Span of the events.
    events: Option<Window>,
    days: SourceDays,
}

/// Requests what is missing from all sources at once, from each in the order of days, after the store was put in order.
/// Returns what each gave, and what was damaged in the store.
pub(super) fn collect_all(
    config: &Config,
    sources: &[&Source],
    store: &Store,
    order: Order,
    ui: &Ui,
) -> Result<(BTreeMap<String, SourceOutcome>, Vec<StoreError>), Failure> {
    let repaired = store.repair()?;
    let scrubber = config.scrubber();
    let mut jobs = Vec::new();
    let mut done = BTreeMap::new();
    for source in sources {
        match registry::open(config, source, order.clock) {
            Ok(None) => {}
            Ok(Some(opened)) => jobs.push(job(&source.id, &scrubber, opened, &repaired, order)),
            Err(error) => {
                let failure = Some(error.diagnostic());
                done.insert(source.id.clone(), SourceOutcome { failure, ..SourceOutcome::default() });
            }
        }
    }
    let bar = progress(jobs.iter().map(|job| job.slices.len()).sum(), ui);
    bar.set_message("collecting days");
    let all = join_all(jobs.into_iter().map(|job| async {
        let id = job.id.to_owned();
        (id, collect_source(job, store, order, || bar.inc(1)).await)
    }));
    done.extend(block_on(all)?);
    bar.finish_and_clear();
    let has_all = |source: &Source| {
        registry::is_recorded(source) || done.get(&source.id).is_some_and(|one: &SourceOutcome| one.failure.is_none())
    };
    if repaired.lacks_events && config.sources.iter().all(has_all) {
        store.set_events_requested()?;
    }
    Ok((done, repaired.damaged))
}

fn job<'a>(id: &'a str, scrubber: &'a Scrubber, source: CollectedSource, repaired: &Repaired, order: Order) -> Job<'a> {
    let span = within_retention(order.span, source.retention_ms, order.now);
    let slices = missing(&repaired.catalog.days(id), span, order.now, order.pick);
    // Events that were lost may be of any day.
    let whole = Window::new(span.start, span.end.min(order.now));
    let events = if repaired.lacks_events && whole.start < whole.end { Some(whole) } else { hull(&slices) };
    Job { id, scrubber, source, slices, events, days: repaired.catalog.source_days(id) }
}

/// Runs a future to its end.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start to ask the sources")?;
    Ok(runtime.block_on(future))
}

/// Requests some days from one source, oldest first, and keeps each before the next is requested.
async fn collect_source(mut job: Job<'_>, store: &Store, order: Order, tick: impl Fn()) -> SourceOutcome {
    let mut outcome = SourceOutcome::default();
    let mut open = Vec::new();
    // What was kept before a failure counts, so the failure is put beside it.
    if let Err(failure) = request(&mut job, store, order, tick, &mut outcome, &mut open).await {
        outcome.failure = Some(failure);
    }
    outcome.warnings.extend(of_open_days(job.id, &open));
    outcome
}

async fn request(
    job: &mut Job<'_>,
    store: &Store,
    order: Order,
    tick: impl Fn(),
    outcome: &mut SourceOutcome,
    open: &mut Vec<(NaiveDate, Coverage)>,
) -> Result<(), Diagnostic> {
    let Job { id, scrubber, source, slices, events, days } = job;
    let Some(span) = *events else { return Ok(()) };
    let stored = |error: StoreError| Diagnostic { subject: (*id).to_owned(), ..error.diagnostic() };
    if let Some(most) = order.most_requests {
        let requests = source.estimate(span).await.map_err(|error| error.diagnostic())?.requests;
        if requests > most {
            let error = TooManyRequests { id: (*id).to_owned(), requests, most };
            let help = "collect fewer days with `--since`, or raise `--max-requests`";
            return Err(Diagnostic::of_error(Stage::Source, *id, &error).with_help(help));
        }
    }
    let mut found = source.events(span).await.map_err(|error| error.diagnostic())?;
    outcome.warnings.extend(scrub_events(id, scrubber, &mut found.events));
    outcome.events = store.append_events_of(id, &found.events).map_err(stored)?;
    outcome.warnings.extend(found.diagnostics);
    // By now the source has said what time it is.
    let clock = source.clock_ms().unwrap_or(order.now);
    if order.now > clock + CLOCK_AHEAD {
        let ahead = format!("{} minutes ahead of the source", (order.now - clock) / MINUTE);
        outcome.warnings.push(Diagnostic::counted(Stage::Source, *id, "clock_ahead", 1, ahead));
    }
    let today = date_of(order.now.min(clock));
    for slice in until(std::mem::take(slices), clock) {
        let mut batch = source.series(slice.window).await.map_err(|error| error.diagnostic())?;
        let (clean, replaced) = clean_names::join(id, scrubber, std::mem::take(&mut batch.series));
        batch.series = clean;
        batch.diagnostics.extend(replaced);
        days.add_series(slice.day, &batch.series);
        let coverage = days.coverage(slice.day, today);
        let at = order.now.min(clock);
        let part = Answered { from: slice.window.start, until: slice.window.end, at };
        let state = match coverage {
            _ if !slice.is_over => DayState::Begun(part),
            Coverage::Complete => DayState::Sealed,
            Coverage::Partial { .. } | Coverage::Empty => DayState::Open { requested: Some(today) },
        };
        // A running day without a point stays out of the store: it would pass for one that was there.
        let has_value = batch.series.iter().any(|one| one.values.iter().any(|value| !value.is_nan()));
        let is_kept = slice.is_over || has_value;
        let states: &[(NaiveDate, DayState)] = if is_kept { &[(slice.day, state)] } else { &[] };
        let appended = store.append(id, &batch.series, states).map_err(stored)?;
        warn_of(&appended.refused);
        tracing::debug!(source = id, day = %slice.day, rows = batch.rows, ?state, "kept");
        if matches!(state, DayState::Open { requested: Some(_) }) {
            open.push((slice.day, coverage));
        }
        outcome.days += 1;
        outcome.points += batch.rows;
        diagnostic::merge(&mut outcome.warnings, batch.diagnostics);
        tick();
    }
    Ok(())
}

/// Warns of days that came without what they should have.
fn of_open_days(id: &str, open: &[(NaiveDate, Coverage)]) -> Option<Diagnostic> {
    let days: Vec<NaiveDate> = open.iter().map(|(day, _)| *day).collect();
    let (mut example, command) = stored::named(id, &days)?;
    if let Some((_, Coverage::Partial { present, expected })) = open.first() {
        example.push_str(&format!(" (the first has {present} of {expected} series)"));
    }
    let example = format!("{example}: `{command}`");
    Some(Diagnostic::counted(Stage::Store, id, "days_open", days.len() as u64, example))
}

/// Warns of parts of the store that could not be read before new ones were written; the rest was.
pub(super) fn warn_of(refused: &[StoreError]) {
    for error in refused {
        let Diagnostic { help, .. } = error.diagnostic();
        tracing::warn!(error = %plain(&error.diagnostic().reason()), help = %plain(&help.join("; ")), "damaged in the store");
    }
}

#[cfg(test)]
mod tests;
