//! `fortnight collect`: what was typed, and what is printed. The work is in `collector.rs`.

use std::collections::BTreeMap;

use anyhow::anyhow;
use chrono::NaiveDate;

use super::collector::{Order, block_on, collect_all, warn_of};
use super::days::{Pick, from_midnight, hull, missing, within_retention};
use super::history::each_recorded;
use super::{Exit, Failure, Ui, load, outcome, period, plain, write_stdout};
use crate::cli::{CollectArgs, CollectFailOn, Global};
use crate::config::{Config, Source};
use crate::model::diagnostic::{self, Diagnostic};
use crate::model::time::{DAY, Window};
use crate::source::{self, CollectedEvents, Estimate, SourceError, SourceState, clean_names, registry};
use crate::store::{DayState, Store};

/// Collects; prints source, days, points and new events, one source a line.
pub(super) fn collect(args: &CollectArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let config = load(&global.config, global.tz.as_deref())?;
    let store = Store::open(&config.store.folder)?;
    if !args.import.is_empty() {
        let mut lines = String::new();
        for file in &args.import {
            lines.push_str(&format!("{}\t{}\n", plain(&file.to_string_lossy()), store.import(file)?));
        }
        write_stdout(lines.as_bytes())?;
        return Ok(Exit::Done);
    }
    let chosen = chosen(&config, args)?;
    let clock = outcome::clock()?;
    let now = clock.now();
    let typed = period::collected(&config, args)?;
    let span = Window::new(
        args.since.as_ref().map_or(wanted(&config, now).start, |_| typed.start),
        args.until.as_ref().map_or(now, |_| typed.end.min(now)),
    );
    let pick = if args.again { Pick::Again } else { Pick::Open };
    let order = Order { span, now, clock, pick, most_requests: args.max_requests };
    if args.dry_run {
        return dry_run(&config, &chosen, &store, order, args);
    }
    let mut failures = Vec::new();
    let mut lines = String::new();
    let (collected, damaged) = collect_all(&config, &chosen, &store, order, ui)?;
    warn_of(&damaged);
    for source in &chosen {
        let (days, points, events, failure) = match collected.get(&source.id) {
            Some(one) => (one.days, one.points, one.events, one.failure.clone()),
            None => files(&config, source, typed, &store)?,
        };
        lines.push_str(&format!("{}\t{days} days\t{points} points\t{events} new events\n", plain(&source.id)));
        failures.extend(failure.map(|failure| (source, failure)));
    }
    write_stdout(lines.as_bytes())?;
    collected.values().for_each(|one| warn(&one.warnings));
    if let Some(days) = args.prune {
        let before =
            crate::model::time::local(now, chrono_tz::UTC).date_naive() - chrono::TimeDelta::days(i64::from(days));
        let removed = store.prune(before)?;
        tracing::info!(removed, before = %before, "pruned");
    }
    if let Some(file) = &args.export {
        store.export(file)?;
        write_stdout(format!("{}\n", plain(&file.to_string_lossy())).as_bytes())?;
    }
    ended(&failures, chosen.len(), args.fail_on, "what was collected is kept; run it again to go on from there")
}

/// Says which sources failed; returns how the run ends, or the failure of those that are needed.
///
/// `then`: the last advice.
fn ended(
    failures: &[(&&Source, Diagnostic)],
    chosen: usize,
    fail_on: Option<CollectFailOn>,
    then: &str,
) -> Result<Exit, Failure> {
    let is_needed = |source: &Source| !source.optional || chosen == 1;
    let (needed, optional): (Vec<_>, Vec<_>) = failures.iter().partition(|(source, _)| is_needed(source));
    for (source, failure) in &optional {
        let help = failure.help.join("; ");
        let (id, reason) = (plain(&source.id), plain(&failure.reason_alone()));
        // As an error, so that `--quiet` prints it: a source that fails every night must not go unnoticed.
        tracing::error!(source = %id, error = %reason, help = %plain(&help), "an optional source failed");
    }
    let needed: Vec<&Diagnostic> = needed.into_iter().map(|(_, failure)| failure).collect();
    match () {
        () if !needed.is_empty() => Err(failed(&needed, then)),
        () if !optional.is_empty() && fail_on == Some(CollectFailOn::Partial) => Ok(Exit::Partial),
        () => Ok(Exit::Done),
    }
}

/// Warns of what the sources could not give, or gave in another way than usual.
pub(super) fn warn(warnings: &[Diagnostic]) {
    for Diagnostic { subject, code, count, example, .. } in warnings {
        let said = crate::render::note_said(code);
        tracing::warn!(source = %plain(subject), times = count, first = %plain(example), "{said}");
    }
}

/// Joins what failed into one failure with all the advice.
fn failed(failures: &[&Diagnostic], then: &str) -> Failure {
    let reasons: Vec<String> = failures.iter().map(|failure| failure.reason()).collect();
    let mut help: Vec<String> = failures.iter().flat_map(|failure| failure.help.clone()).collect();
    help.push(then.to_owned());
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
    from_midnight(Window::new(last.start - i64::from(config.judge.baseline_days) * DAY, now))
}

/// Keeps what a source of files has now.
fn files(
    config: &Config,
    source: &Source,
    window: Window,
    store: &Store,
) -> Result<(usize, u64, usize, Option<Diagnostic>), Failure> {
    let alone = Config { sources: vec![source.clone()], ..config.clone() };
    let CollectedEvents { events, mut states } = source::events(&alone);
    let (mut days, mut points) = (0, 0);
    let scrubber = config.scrubber();
    let mut replaced = Vec::new();
    let found = each_recorded(&alone, window, |series| {
        let (series, some) = clean_names::join(&source.id, &scrubber, series);
        diagnostic::merge(&mut replaced, some);
        let appended = store.append(&source.id, &series, &[])?;
        warn_of(&appended.refused);
        days += appended.segments;
        points += appended.points;
        Ok(())
    })?;
    source::add_states(&mut states, found);
    if let Some(state) = states.first_mut() {
        diagnostic::merge(&mut state.diagnostics, replaced);
    }
    let failure = states.iter().find_map(SourceState::failure).cloned();
    let changed = if failure.is_none() { store.append_events_of(&source.id, &events)? } else { 0 };
    Ok((days, points, changed, failure))
}

/// Says what collecting would ask, and asks nothing but what has to be known for that. A source that fails has a line of
/// its own, and the others their estimates.
fn dry_run(
    config: &Config,
    chosen: &[&Source],
    store: &Store,
    order: Order,
    args: &CollectArgs,
) -> Result<Exit, Failure> {
    let mut text = String::new();
    let mut failures = Vec::new();
    let catalog = store.catalog(period::EVER)?;
    for source in chosen.iter().filter(|source| !registry::is_recorded(source)) {
        let known = catalog.days(&source.id);
        match block_on(estimate(config, source, &known, order))? {
            Ok(lines) => text.push_str(&lines),
            Err(error) => {
                text.push_str(&format!("{}\tno estimate: the source failed\n", plain(&source.id)));
                failures.push((source, error.diagnostic()));
            }
        }
    }
    write_stdout(text.as_bytes())?;
    ended(&failures, chosen.len(), args.fail_on, "nothing was collected; `fortnight doctor` looks at each source")
}

/// Returns the lines of one source; none for one that is not collected.
async fn estimate(
    config: &Config,
    source: &Source,
    known: &BTreeMap<NaiveDate, DayState>,
    order: Order,
) -> Result<String, SourceError> {
    let Some(asked) = registry::open(config, source, order.clock)? else { return Ok(String::new()) };
    let span = within_retention(order.span, asked.retention_ms, order.now);
    let slices = missing(known, span, order.now, order.pick);
    let id = plain(&source.id);
    let Some(window) = hull(&slices) else { return Ok(format!("{id}\tnothing is missing\n")) };
    let estimate = asked.estimate(window).await?;
    let cost = match estimate.cost_usd {
        None => "no price".to_owned(),
        Some(cost) if cost < 0.005 => "less than USD 0.01".to_owned(),
        Some(cost) => format!("USD {cost:.2}"),
    };
    let Estimate { requests, series, asks, .. } = estimate;
    let mut text = format!("{id}\t{} days\t{requests} requests\t{series} series\t{cost}\n", slices.len());
    asks.iter().for_each(|ask| text.push_str(&format!("  {}\n", plain(ask))));
    Ok(text)
}
