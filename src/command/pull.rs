//! `fortnight collect`: asks the sources for what the store lacks, day by day, and keeps it.
//!
//! A day is the unit: it is asked whole, appended whole, and sealed once it was over for [`LATE`] when it was asked, so
//! that a kill loses a day's answers at most and the next run goes on where this one ended. The oldest missing day comes
//! first, because a source forgets it first.

use std::collections::BTreeMap;
use std::future::Future;

use anyhow::{Context as _, anyhow};
use chrono::NaiveDate;
use futures_util::future::join_all;

use super::{Exit, Failure, Talk, data, load, outcome, period, plain, progress, read_parts, warn_of};
use crate::cli::{CollectArgs, Global};
use crate::config::{Config, Source};
use crate::model::diagnostic::{self, Diagnostic, Stage};
use crate::model::event::Event;
use crate::model::time::{DAY, HOUR, Window};
use crate::source::{self, CollectedEvents, CollectedSource, SourceState, registry};
use crate::store::Store;

/// Points may come as late as this after their day is over; a day that was asked before is asked again.
const LATE: i64 = 2 * HOUR;

/// Part of a UTC day to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    day: NaiveDate,
    window: Window,
    /// The answer will be the whole day, and nothing more will come.
    is_last: bool,
}

/// More requests than `--max-requests` allows.
#[derive(Debug, thiserror::Error)]
#[error("source `{id}`: needs about {requests} requests, more than {most}")]
struct TooManyRequests {
    id: String,
    requests: u64,
    most: u64,
}

/// What collecting one source gave; what came before a failure is kept.
#[derive(Debug, Default)]
struct Pulled {
    days: usize,
    points: u64,
    events: usize,
    failure: Option<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

/// Collects; prints source, days, points and new events, one source a line.
pub(super) fn collect(args: &CollectArgs, global: &Global, talk: &Talk) -> Result<Exit, Failure> {
    let config = load(&global.config, global.tz.as_deref())?;
    let store = Store::open(&config.store.folder)?;
    if !args.import.is_empty() {
        let mut lines = String::new();
        for file in &args.import {
            lines.push_str(&format!("{}\t{}\n", plain(&file.to_string_lossy()), store.import(file)?));
        }
        data(lines.as_bytes())?;
        return Ok(Exit::Done);
    }
    let chosen = chosen(&config, args)?;
    let now = outcome::clock()?.now();
    let typed = period::collected(&config, args)?;
    let span = Window::new(
        args.since.as_ref().map_or(wanted(&config, now).start, |_| typed.start),
        args.until.as_ref().map_or(now, |_| typed.end.min(now)),
    );
    if args.dry_run {
        return dry_run(&config, &chosen, &store, span, now, args);
    }
    let mut failures = Vec::new();
    let mut lines = String::new();
    let pulled = pull_all(&config, &chosen, &store, span, now, args.again, args.max_requests, talk)?;
    for source in &chosen {
        let one = match pulled.get(&source.id) {
            Some(pulled) => Ok((pulled.days, pulled.points, pulled.events, pulled.failure.clone())),
            None => files(&config, source, typed, &store, talk),
        };
        let (days, points, events, failure) = one?;
        lines.push_str(&format!("{}\t{days} days\t{points} points\t{events} new events\n", plain(&source.id)));
        failures.extend(failure.map(|failure| (source, failure)));
    }
    data(lines.as_bytes())?;
    pulled.values().for_each(|pulled| warn(&pulled.warnings));
    if let Some(days) = args.prune {
        let before =
            crate::model::time::local(now, chrono_tz::UTC).date_naive() - chrono::TimeDelta::days(i64::from(days));
        let removed = store.prune(before)?;
        tracing::info!(removed, before = %before, "pruned");
    }
    if let Some(file) = &args.export {
        store.export(file)?;
        data(format!("{}\n", plain(&file.to_string_lossy())).as_bytes())?;
    }
    let is_needed = |source: &Source| !source.optional || chosen.len() == 1;
    for (source, failure) in failures.iter().filter(|(source, _)| !is_needed(source)) {
        let help = failure.help.join("; ");
        tracing::warn!(source = %plain(&source.id), error = %plain(&failure.reason()), help = %plain(&help), "left out");
    }
    let needed: Vec<&Diagnostic> =
        failures.iter().filter(|(source, _)| is_needed(source)).map(|(_, failure)| failure).collect();
    if needed.is_empty() { Ok(Exit::Done) } else { Err(failed(&needed)) }
}

/// Warns of what the sources could not give, or gave in another way than usual.
fn warn(warnings: &[Diagnostic]) {
    for Diagnostic { subject, code, count, example, .. } in warnings {
        let said = crate::render::note_said(code);
        tracing::warn!(source = %plain(subject), times = count, first = %plain(example), "{said}");
    }
}

/// Joins what failed into one failure with all the advice.
fn failed(failures: &[&Diagnostic]) -> Failure {
    let reasons: Vec<String> = failures.iter().map(|failure| failure.reason()).collect();
    let mut help: Vec<String> = failures.iter().flat_map(|failure| failure.help.clone()).collect();
    help.push("what was collected is kept; run it again to go on from there".to_owned());
    Failure { exit: Exit::Failed, error: anyhow!(reasons.join("; ")).context("collect"), help }
}

/// Returns the sources that were asked for.
fn chosen<'a>(config: &'a Config, args: &CollectArgs) -> Result<Vec<&'a Source>, Failure> {
    let has = |name: &String| config.sources.iter().any(|source| source.id == *name);
    if let Some(strange) = args.source.iter().find(|name| !has(name)) {
        let known: Vec<&str> = config.sources.iter().map(|source| source.id.as_str()).collect();
        let reason = format!("read `--source`: no source is called {strange:?}");
        return Err(Failure::usage(reason, format!("the config has {}", known.join(", "))));
    }
    let known = |name: &String| config.sources.iter().any(|source| registry::account(source) == *name);
    if let Some(strange) = args.account.iter().find(|name| !known(name)) {
        let reason = format!("read `--account`: no source has the account {strange:?}");
        return Err(Failure::usage(reason, "write it as `account` of a [[source]] in the config"));
    }
    let is_chosen = |source: &&Source| {
        (args.source.is_empty() || args.source.contains(&source.id))
            && (args.account.is_empty() || args.account.contains(&registry::account(source)))
    };
    Ok(config.sources.iter().filter(is_chosen).collect())
}

/// Returns what a report of the last whole period needs, up to now.
fn wanted(config: &Config, now: i64) -> Window {
    let last = crate::model::time::last_period(config.period.anchor, config.period.days, now, config.zone);
    Window::new(last.start - i64::from(config.judge.baseline_days) * DAY, now)
}

/// Keeps what a source of files has now.
fn files(
    config: &Config,
    source: &Source,
    window: Window,
    store: &Store,
    talk: &Talk,
) -> Result<(usize, u64, usize, Option<Diagnostic>), Failure> {
    let alone = Config { sources: vec![source.clone()], ..config.clone() };
    let CollectedEvents { events, mut states } = source::events(&alone);
    let (mut days, mut points) = (0, 0);
    read_parts(&alone, window, source::rows_estimate(&alone), talk, |collected, _| {
        source::add_states(&mut states, collected.states);
        let appended = store.append(&source.id, &collected.series, &[])?;
        warn_of(&appended.refused);
        days += appended.segments;
        points += appended.points;
        Ok(())
    })?;
    let failure = states.iter().find_map(SourceState::failure).cloned();
    let changed = if failure.is_none() { store.append_events_of(&source.id, &events)? } else { 0 };
    Ok((days, points, changed, failure))
}

/// Says what collecting would ask, and asks nothing but what has to be known for that.
fn dry_run(
    config: &Config,
    chosen: &[&Source],
    store: &Store,
    span: Window,
    now: i64,
    args: &CollectArgs,
) -> Result<Exit, Failure> {
    let clock = outcome::clock()?;
    let mut text = String::new();
    for source in chosen.iter().filter(|source| !registry::is_recorded(source)) {
        let Some(asked) = registry::open(config, source, clock).map_err(|error| failed(&[&error.diagnostic()]))? else {
            continue;
        };
        let pieces = missing(&store.days(&source.id)?, reach(span, &asked, now), now, args.again);
        let Some(window) = hull(&pieces) else {
            text.push_str(&format!("{}\tnothing is missing\n", plain(&source.id)));
            continue;
        };
        let estimate = block_on(asked.estimate(window))?.map_err(|error| failed(&[&error.diagnostic()]))?;
        let cost = match estimate.cost_usd {
            None => "no price".to_owned(),
            Some(cost) if cost < 0.005 => "less than USD 0.01".to_owned(),
            Some(cost) => format!("USD {cost:.2}"),
        };
        text.push_str(&format!(
            "{}\t{} days\t{} requests\t{} series\t{cost}\n",
            plain(&source.id),
            pieces.len(),
            estimate.requests,
            estimate.series
        ));
        estimate.asks.iter().for_each(|ask| text.push_str(&format!("  {}\n", plain(ask))));
    }
    data(text.as_bytes())?;
    Ok(Exit::Done)
}

/// Collects what a report needs from the sources over the network; a failed one leaves the report standing, and its state
/// says so.
pub(super) fn refresh(config: &Config, window: Window, talk: &Talk) -> Result<Vec<SourceState>, Failure> {
    let sources: Vec<&Source> = config.sources.iter().filter(|source| !registry::is_recorded(source)).collect();
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::open(&config.store.folder)?;
    let pulled = pull_all(config, &sources, &store, window, outcome::clock()?.now(), false, None, talk)?;
    let state = |source: &&Source| {
        let pulled = pulled.get(&source.id)?;
        let diagnostics = pulled.failure.iter().chain(&pulled.warnings).cloned().collect();
        Some(SourceState { diagnostics, ..SourceState::of(source) })
    };
    Ok(sources.iter().filter_map(state).collect())
}

/// Returns what the store holds of the sources over the network, and of those that the config does not have (any more):
/// what another collector brought. For the report's data section.
///
/// `history`: the period and what it is compared with. `events`: all that the store holds.
pub(super) fn kept_states(
    config: &Config,
    store: &Store,
    period: Window,
    history: Window,
    events: &[Event],
) -> Result<Vec<SourceState>, Failure> {
    let mut states = Vec::new();
    for source in config.sources.iter().filter(|source| !registry::is_recorded(source)) {
        let mut state = SourceState::of(source);
        let days = store.days(&source.id)?;
        let lacking: Vec<NaiveDate> =
            pieces(period).map(|piece| piece.day).filter(|day| !days.contains_key(day)).collect();
        if let Some(first) = lacking.first() {
            let count = lacking.len() as u64;
            let missing = Diagnostic::counted(Stage::Store, &source.id, "days_missing", count, first.to_string());
            state.diagnostics.push(missing);
        }
        (state.rows, state.series) = store.held(&source.id, period)?;
        state.events = told(store, &source.id, period, events)?;
        states.push(state);
    }
    let is_strange = |id: &String| config.sources.iter().all(|source| source.id != *id);
    for id in store.sources()?.into_iter().filter(is_strange) {
        if store.held(&id, history)?.0 > 0 {
            let (rows, series) = store.held(&id, period)?;
            let events = told(store, &id, period, events)?;
            states.push(SourceState { rows, series, events, ..SourceState::kept(id) });
        }
    }
    Ok(states)
}

/// Counts the events of a period that a source told.
fn told(store: &Store, id: &str, period: Window, events: &[Event]) -> Result<usize, Failure> {
    let own = store.told(id)?;
    Ok(events.iter().filter(|event| period.contains(event.at) && own.contains(&event.id)).count())
}

/// Asks all sources at once, each for its missing days in order.
#[expect(clippy::too_many_arguments, reason = "two callers; a struct would only repeat the names")]
fn pull_all(
    config: &Config,
    sources: &[&Source],
    store: &Store,
    span: Window,
    now: i64,
    again: bool,
    most_requests: Option<u64>,
    talk: &Talk,
) -> Result<BTreeMap<String, Pulled>, Failure> {
    let clock = outcome::clock()?;
    let mut jobs = Vec::new();
    let mut done = BTreeMap::new();
    for source in sources {
        match registry::open(config, source, clock) {
            Ok(None) => {}
            Ok(Some(asked)) => {
                let pieces = missing(&store.days(&source.id)?, reach(span, &asked, now), now, again);
                jobs.push((source.id.clone(), asked, pieces));
            }
            Err(error) => {
                done.insert(source.id.clone(), Pulled { failure: Some(error.diagnostic()), ..Pulled::default() });
            }
        }
    }
    let bar = progress(jobs.iter().map(|(_, _, pieces)| pieces.len()).sum(), talk);
    bar.set_message("collecting days");
    let all = join_all(jobs.iter().map(|(id, asked, pieces)| async {
        let pulled = pull(id, asked, pieces, store, most_requests, || bar.inc(1)).await;
        (id.clone(), pulled)
    }));
    done.extend(block_on(all)?);
    bar.finish_and_clear();
    Ok(done)
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start to ask the sources")?;
    Ok(runtime.block_on(future))
}

/// Asks one source for some days, oldest first, and keeps each before the next is asked for.
async fn pull(
    id: &str,
    asked: &CollectedSource,
    pieces: &[Piece],
    store: &Store,
    most_requests: Option<u64>,
    tick: impl Fn(),
) -> Pulled {
    let mut pulled = Pulled::default();
    // What was kept before a failure counts, so the failure is put beside it.
    let asking = async {
        let Some(span) = hull(pieces) else { return Ok(()) };
        let stored = |error: crate::store::StoreError| {
            let help = error.help().into_iter().collect();
            Diagnostic { help, ..Diagnostic::of_error(Stage::Store, id, &error) }
        };
        if let Some(most) = most_requests {
            let requests = asked.estimate(span).await.map_err(|error| error.diagnostic())?.requests;
            if requests > most {
                let error = TooManyRequests { id: id.to_owned(), requests, most };
                let help = "collect fewer days with `--since`, or raise `--max-requests`";
                return Err(Diagnostic::of_error(Stage::Source, id, &error).with_help(help));
            }
        }
        let events = asked.events(span).await.map_err(|error| error.diagnostic())?;
        pulled.events = store.append_events_of(id, &events.events).map_err(stored)?;
        pulled.warnings.extend(events.diagnostics);
        for piece in pieces {
            let intake = asked.series(piece.window).await.map_err(|error| error.diagnostic())?;
            let sealed: Vec<NaiveDate> = piece.is_last.then_some(piece.day).into_iter().collect();
            let appended = store.append(id, &intake.series, &sealed).map_err(stored)?;
            warn_of(&appended.refused);
            tracing::debug!(source = id, day = %piece.day, rows = intake.rows, sealed = piece.is_last, "kept");
            pulled.days += 1;
            pulled.points += intake.rows;
            diagnostic::merge(&mut pulled.warnings, intake.diagnostics);
            tick();
        }
        Ok::<(), Diagnostic>(())
    };
    if let Err(failure) = asking.await {
        pulled.failure = Some(failure);
    }
    pulled
}

/// Cuts what the source has forgotten off a span.
fn reach(span: Window, asked: &CollectedSource, now: i64) -> Window {
    // The oldest day is on its way out; what is left of it would pass for all of it.
    let oldest = (now - asked.retention_ms).div_euclid(DAY) * DAY + DAY;
    Window::new(span.start.max(oldest), span.end)
}

/// Cuts a span into UTC days, from a whole hour to a whole hour.
fn pieces(span: Window) -> impl Iterator<Item = Piece> {
    let (start, end) = (span.start.div_euclid(HOUR) * HOUR, span.end.div_euclid(HOUR) * HOUR);
    let first = start.div_euclid(DAY);
    (first..).map(|day| day * DAY).take_while(move |day| *day < end).filter_map(move |day| {
        let date = chrono::DateTime::from_timestamp_millis(day)?.date_naive();
        let window = Window::new(start.max(day), end.min(day + DAY));
        (window.start < window.end).then_some(Piece { day: date, window, is_last: window.length() == DAY })
    })
}

/// Returns what is to be asked: the days of a span that are not sealed, up to the last whole hour.
///
/// `again`: also those that are.
fn missing(known: &BTreeMap<NaiveDate, bool>, span: Window, now: i64, again: bool) -> Vec<Piece> {
    let span = Window::new(span.start, span.end.min(now));
    let is_sealed = |day: &NaiveDate| known.get(day).copied().unwrap_or(false);
    let open = pieces(span).filter(|piece| again || !is_sealed(&piece.day));
    open.map(|piece| Piece { is_last: piece.is_last && piece.window.end + LATE <= now, ..piece }).collect()
}

/// Returns the span from the first to the last piece.
fn hull(pieces: &[Piece]) -> Option<Window> {
    Some(Window::new(pieces.first()?.window.start, pieces.last()?.window.end))
}

#[cfg(test)]
mod tests;
