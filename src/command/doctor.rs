//! `doctor`: what is wrong with the config and its sources, and how often the judge cries for nothing.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};

use super::checks::{self, CheckContext, Seen};
use super::collected;
use super::source_checks::{self, Question};
use super::{
    Exit, Failure, History, Talk, data, load, outcome, period, progress, read_parts, services, with_causes, with_kept,
};
use crate::cli::{DoctorArgs, Global};
use crate::config::{Config, Source, nearest};
use crate::detect::placebo::{self, Extent, NoRoom};
use crate::detect::{self, Judgement};
use crate::format::Part;
use crate::model::event::{Event, deduplicate};
use crate::model::metric::{Series, SeriesKey};
use crate::model::time::{DAY, Window, local};
use crate::render::doctor::{Check, Checkup, Health};
use crate::render::placebo::{LeftOut, Ran, outcome as count};
use crate::render::services::coverage;
use crate::source::{self, CollectedEvents, registry};
use crate::store::{self, Store, StoreError};

/// Rounds that are run at the most to reach the wanted number of comparisons: more of them see hardly anything new.
const MOST_ROUNDS: usize = 200;

/// Checks the config and its sources, or runs the placebos.
pub(super) fn doctor(args: &DoctorArgs, global: &Global, talk: &Talk) -> Result<Exit, Failure> {
    let mut config = load(&global.config, global.tz.as_deref())?;
    let now = outcome::clock()?.now();
    let window = period::asked(&config, &args.span, now)?;
    if args.placebo {
        return placebos(args, &config, window, talk);
    }
    keep_asked(&mut config, &args.source)?;
    let mut checkup = if args.source.is_empty() {
        examine(&config, global, window, now, talk)
    } else {
        examine_sources(&config, global, window, talk)
    };
    let asked = ask(&config, window, now, args.offline, talk)?;
    checkup.insert(1, asked);
    if args.json {
        print_json(&checkup)?;
    } else {
        data(checkup.text(talk.data_style()).as_bytes())?;
    }
    Ok(if checkup.health == Health::Fail { Exit::Failed } else { Exit::Done })
}

/// Leaves the sources that were named.
fn keep_asked(config: &mut Config, ids: &[String]) -> Result<(), Failure> {
    let known: Vec<String> = config.sources.iter().map(|source| source.id.clone()).collect();
    if let Some(strange) = ids.iter().find(|id| !known.contains(id)) {
        let help = match nearest(strange, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the config has {}", known.join(", ")),
        };
        return Err(Failure::usage(format!("read `--source`: no source is called {strange:?}"), help));
    }
    config.sources.retain(|source| ids.is_empty() || ids.contains(&source.id));
    Ok(())
}

/// Asks the sources that answer over the network.
fn ask(config: &Config, period: Window, now: i64, offline: bool, talk: &Talk) -> Result<Vec<Check>, Failure> {
    let sources: Vec<&Source> = config.sources.iter().collect();
    let question = Question {
        now,
        wanted_ms: period.length() + i64::from(config.judge.baseline_days) * DAY,
        patience: source_checks::PATIENCE,
        offline,
    };
    let clock = outcome::clock()?;
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start to ask the sources")?;
    let bar = progress(1, talk);
    bar.set_message("asking");
    let checks = runtime
        .block_on(source_checks::all(&question, &sources, is_set, |source| registry::open(config, source, clock)));
    bar.finish_and_clear();
    // A server that still has not answered is not waited for.
    runtime.shutdown_background();
    Ok(checks)
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(value).context("write the result")?;
    bytes.push(b'\n');
    data(&bytes)
}

/// Reads the sources that are files, and says how they fared.
fn examine_sources(config: &Config, global: &Global, period: Window, talk: &Talk) -> Checkup {
    let CollectedEvents { states: mut sources, .. } = source::events(config);
    let rows = source::rows_estimate(config);
    let _ = read_parts(config, period::EVER, rows, talk, |collected, _| {
        source::add_states(&mut sources, collected.states);
        Ok(())
    });
    let context = CheckContext {
        config,
        path: global.config.display().to_string(),
        period,
        history: period,
        now: period.end,
        events: &[],
        sources: &sources,
        series: &[],
        parts: source::parts_needed(rows, config.memory_by),
    };
    Checkup::new(checks::of_sources(&context))
}

/// Reads everything that there is, and checks it. A source that fails is a line, not an end.
fn examine(config: &Config, global: &Global, period: Window, now: i64, talk: &Talk) -> Checkup {
    let history = Window::new(period.start - i64::from(config.judge.baseline_days) * DAY, period.end);
    let CollectedEvents { events, states: mut sources } = source::events(config);
    let view = StoreView::open(config);
    let recorded = events.len();
    let events = with_kept(events, view.events.clone());
    let has_kept = events.len() > recorded;
    let rows = source::rows_estimate(config).saturating_add(view.rows);
    let parts = source::parts_needed(rows, config.memory_by);
    let map = view.store.as_ref().and_then(|store| services::map(config, period::EVER, parts, store, &events).ok());
    let map = map.unwrap_or_default();
    let mut events = map.map_events(events);
    let all = events.len();
    if has_kept {
        events = deduplicate(events).events;
    }
    let mut series: Vec<Seen> = Vec::new();
    let mut raw: BTreeSet<SeriesKey> = BTreeSet::new();
    // Reading hands every failure over as a state, so nothing can be refused here.
    let _ = read_parts(config, period::EVER, rows, talk, |collected, part| {
        source::add_states(&mut sources, collected.states);
        let own = view.beside(collected.series, part);
        raw.extend(own.iter().map(|series| series.key.clone()));
        let read = |other| Ok(view.beside(source::collect(config, period::EVER, other).series, other));
        let own = services::of_part(&map, own, part, read)?;
        series.extend(own.iter().map(|series| Seen::of(series, period, config)));
        Ok(())
    });
    let context = CheckContext {
        config,
        path: global.config.display().to_string(),
        period,
        history,
        now,
        events: &events,
        sources: &sources,
        series: &series,
        parts,
    };
    let mut checks = checks::all(&context);
    checks.extend(checks::duplicates(all, events.len()));
    checks.extend(checks::unused(config, &raw));
    checks.push(checks::store(&view.outcome(), &config.store.folder));
    checks.extend(view.days(config, now));
    let keys = series.iter().map(|series| (&series.key, series.class));
    let services = coverage(keys, &events, config, period);
    checks.extend(checks::loose(&services));
    Checkup { services, ..Checkup::new(checks) }
}

/// What the store holds, as far as it can be read.
struct StoreView {
    store: Option<Store>,
    events: Vec<Event>,
    rows: u64,
    series: std::cell::Cell<usize>,
    trouble: std::cell::RefCell<Option<String>>,
}

impl StoreView {
    fn open(config: &Config) -> Self {
        let mut view =
            Self { store: None, events: Vec::new(), rows: 0, series: Default::default(), trouble: Default::default() };
        let read = |view: &mut Self| -> Result<(), StoreError> {
            let store = Store::open(&config.store.folder)?;
            view.events = store.events()?;
            view.rows = store.rows_estimate(period::EVER)?;
            view.store = Some(store);
            Ok(())
        };
        if let Err(error) = read(&mut view) {
            view.trouble = Some(with_causes(&error)).into();
        }
        view
    }

    /// Returns the series of the files together with what the store has kept.
    fn beside(&self, files: Vec<Series>, part: Part) -> Vec<Series> {
        let Some(store) = &self.store else { return files };
        let told = match store.read(period::EVER, part) {
            Ok(kept) => {
                self.series.set(self.series.get() + kept.series.len());
                let first = kept.refused.first().map(with_causes);
                let merged = store::merge(files, kept.series);
                if first.is_some() {
                    self.trouble.replace(first);
                }
                return merged;
            }
            Err(error) => with_causes(&error),
        };
        self.trouble.replace(Some(told));
        files
    }

    /// Looks at the days of each source that is collected.
    fn days(&self, config: &Config, now: i64) -> Vec<Check> {
        let Some(store) = &self.store else { return Vec::new() };
        let today = local(now, chrono_tz::UTC).date_naive();
        let sources = config.sources.iter().filter(|source| !registry::is_recorded(source));
        let check = |source: &Source| match store.days(&source.id) {
            Ok(days) => collected::check(&source.id, &days, today),
            Err(error) => {
                let help = error.help().into_iter().collect();
                Check::fail("collected", &source.id, with_causes(&error), help)
            }
        };
        sources.map(check).collect()
    }

    /// Returns how many series and events it holds, or why it cannot be read whole.
    fn outcome(&self) -> Result<(usize, usize), String> {
        match self.trouble.borrow().clone() {
            Some(reason) => Err(reason),
            None => Ok((self.series.get(), self.events.len())),
        }
    }
}

/// Runs the judge at moments without a deploy and prints what it said.
fn placebos(args: &DoctorArgs, config: &Config, window: Window, talk: &Talk) -> Result<Exit, Failure> {
    let ran = run(args, config, window, talk)?;
    let outcome = count(&ran, window, config);
    if outcome.total.tests == 0 {
        return Err(nothing_judged(&ran, config));
    }
    if args.json {
        print_json(&outcome)?;
    } else {
        data(outcome.text(config.zone, window).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn run(args: &DoctorArgs, config: &Config, window: Window, talk: &Talk) -> Result<Ran, Failure> {
    let mut history = History::open(config, window)?;
    let context = history.context();
    // Series that fit into memory at once are kept there; others are read again in each round.
    let is_whole = source::parts_needed(history.rows, config.memory_by) <= 1;
    let mut held: Option<Vec<Series>> = None;
    let mut extents: Vec<Extent> = Vec::new();
    history.read(talk, |series| {
        extents.extend(series.chunk_by(|a, b| a.key.service == b.key.service).filter_map(Extent::of));
        held = is_whole.then_some(series);
        Ok(())
    })?;
    let prefix = placebo::prefix(&history.events);
    let mut ran = Ran::default();
    let mut rooms: Vec<(Extent, Vec<Window>)> = Vec::new();
    for extent in extents {
        match placebo::room(&extent, &history.events, &context) {
            Ok(room) => rooms.push((extent, room)),
            Err(reason) => ran.left_out.push(left_out(&extent, reason)),
        }
    }
    if rooms.is_empty() {
        return Err(no_room(&ran));
    }
    let most = args.rounds.map_or(MOST_ROUNDS, |rounds| rounds as usize);
    let wanted = args.rounds.map_or(args.tests as usize, |_| usize::MAX);
    let bar = progress(if wanted == usize::MAX { most } else { wanted }, talk);
    bar.set_message("placebo deploys");
    let quiet = Talk { progress: false, ..*talk };
    for round in 0..most {
        let drawn: Vec<Event> =
            rooms.iter().flat_map(|(extent, room)| placebo::draw(extent, room, &prefix, round)).collect();
        let count = drawn.len();
        let events = placebo::beside(&history.events, drawn);
        let judgement = one_round(&mut history, held.as_deref(), &events, &context, &quiet)?;
        let tests = placebo::tests(&judgement, &events, &prefix, &context);
        // A round that could judge nothing will not do better the next time.
        let is_barren = !tests.iter().any(placebo::Test::is_judged);
        ran.rounds += 1;
        ran.placebos += count;
        ran.audit(judgement.audit, judgement.comparisons.iter().filter(|one| one.p_value.is_some()).count());
        ran.tests.extend(tests);
        let judged = ran.tests.iter().filter(|test| test.is_judged()).count();
        bar.set_position(if wanted == usize::MAX { ran.rounds } else { judged.min(wanted) } as u64);
        if judged >= wanted || is_barren {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(ran)
}

/// Judges the period once, with the placebos among its events.
fn one_round(
    history: &mut History<'_>,
    held: Option<&[Series]>,
    events: &[Event],
    context: &detect::Context<'_>,
    talk: &Talk,
) -> Result<Judgement, Failure> {
    let mut partials = Vec::new();
    match held {
        Some(series) => partials.push(detect::judge(series, events, context)),
        None => history.read(talk, |series| {
            partials.push(detect::judge(&series, events, context));
            Ok(())
        })?,
    }
    Ok(detect::conclude(partials, events, context))
}

fn left_out(extent: &Extent, reason: NoRoom) -> LeftOut {
    let reason = match reason {
        NoRoom::TooShort => "too_short",
        NoRoom::Deploys => "deploys",
    };
    LeftOut { service: extent.service.to_string(), reason }
}

/// Says why no placebo fits anywhere: a rate of 0 would be a lie.
fn no_room(ran: &Ran) -> Failure {
    let of = |reason: &str| ran.left_out.iter().filter(|one| one.reason == reason).count();
    let (short, dense) = (of("too_short"), of("deploys"));
    let mut help = Vec::new();
    if short > 0 {
        help.push(format!(
            "{short} of {} services have too few hours of data in the period: choose a longer one with `--from` and `--to`",
            ran.left_out.len()
        ));
    }
    if dense > 0 {
        let away = placebo::AWAY / crate::model::time::HOUR;
        help.push(format!(
            "{dense} of {} services have a deploy or event within {away} hours of every moment: choose a calmer period",
            ran.left_out.len()
        ));
    }
    let error = anyhow!("no moment is far enough from deploys, events and the ends of the data")
        .context("place a placebo deploy");
    Failure { exit: Exit::Failed, error, help }
}

/// Says that placebos were placed and none could be judged.
fn nothing_judged(ran: &Ran, config: &Config) -> Failure {
    let error = anyhow!("all {} comparisons had too little data, or no bad direction", ran.tests.len())
        .context("judge a placebo deploy");
    let help = vec![format!(
        "a comparison needs {} % of its hours (`judge.min_coverage`) and a signal that can get worse; `fortnight doctor` names thin series",
        (config.judge.min_coverage * 100.0).round()
    )];
    Failure { exit: Exit::Failed, error, help }
}
