//! `doctor`: what is wrong with the config and its sources, and how often the judge cries for nothing.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};

use super::checks::{self, CheckContext, Seen};
use super::coverage_check;
use super::days::date_of;
use super::history::{History, Rows, each_recorded, with_kept};
use super::progress::progress;
use super::source_checks::{self, Presence, Question};
use super::{Exit, Failure, Ui, load, outcome, period, write_stdout};
use crate::cli::{DoctorArgs, Global};
use crate::config::{Config, Source, nearest};
use crate::detect::placebo::{self, Extent, NoRoom};
use crate::detect::{self, Coverage, Judgement};
use crate::model::diagnostic::{Diagnostic, Stage};
use crate::model::event::{Event, deduplicate};
use crate::model::metric::{Series, SeriesKey};
use crate::model::secret::is_placeholder;
use crate::model::time::{DAY, Window};
use crate::render::doctor::{Check, Checkup, Health};
use crate::render::placebo as placebo_text;
use crate::review::placebo::{LeftOut, Ran, outcome as count};
use crate::review::service::coverage;
use crate::source::{self, CollectedEvents, registry};
use crate::store::{Store, StoreError, StoreView, StoredEvents};

/// Rounds that are run at the most to reach the wanted number of comparisons: more of them see hardly anything new.
const MOST_ROUNDS: usize = 200;

/// Checks the config and its sources, or runs the placebos.
pub(super) fn doctor(args: &DoctorArgs, global: &Global, ui: &Ui) -> Result<Exit, Failure> {
    let mut config = load(&global.config, global.tz.as_deref())?;
    let now = outcome::clock()?.now();
    let window = period::asked(&config, &args.span, now)?;
    if args.placebo {
        return placebos(args, &config, window, ui);
    }
    keep_asked(&mut config, &args.source)?;
    let mut checkup = if args.source.is_empty() {
        examine(&config, global, window, now, ui)
    } else {
        examine_sources(&config, global, window)
    };
    let asked = ask(&config, window, now, args.offline, ui)?;
    checkup.insert(1, asked);
    if args.json {
        print_json(&checkup)?;
    } else {
        write_stdout(checkup.text(ui.data_style()).as_bytes())?;
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
fn ask(config: &Config, period: Window, now: i64, offline: bool, ui: &Ui) -> Result<Vec<Check>, Failure> {
    let sources: Vec<&Source> = config.sources.iter().collect();
    let question = Question {
        now,
        wanted_ms: period.length() + i64::from(config.judge.baseline_days) * DAY,
        patience: source_checks::PATIENCE,
        offline,
        scrubber: config.scrubber(),
    };
    let clock = outcome::clock()?;
    let look = |name: &str| match std::env::var_os(name).filter(|value| !value.is_empty()) {
        None => Presence::Missing,
        Some(value) if is_placeholder(&value.to_string_lossy()) => Presence::Placeholder,
        Some(_) => Presence::Set,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start to ask the sources")?;
    let bar = progress(1, ui);
    bar.set_message("asking");
    let checks =
        runtime.block_on(source_checks::all(&question, &sources, look, |source| registry::open(config, source, clock)));
    bar.finish_and_clear();
    // A server that still has not answered is not waited for.
    runtime.shutdown_background();
    Ok(checks)
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(value).context("write the result")?;
    bytes.push(b'\n');
    write_stdout(&bytes)
}

/// Reads the sources that are files, and says how they fared.
fn examine_sources(config: &Config, global: &Global, period: Window) -> Checkup {
    let CollectedEvents { states: mut sources, .. } = source::events(config);
    let mut shards = 0;
    let found = each_recorded(config, period::EVER, |_| {
        shards += 1;
        Ok(())
    });
    source::add_states(&mut sources, found.unwrap_or_default());
    let context = CheckContext {
        config,
        path: global.config.display().to_string(),
        period,
        history: period,
        now: period.end,
        events: &[],
        sources: &sources,
        series: &[],
        shards,
    };
    Checkup::new(checks::of_sources(&context))
}

/// Reads everything that there is, and checks it. A source that fails is a line, not an end.
fn examine(config: &Config, global: &Global, period: Window, now: i64, ui: &Ui) -> Checkup {
    let history = Window::new(period.start - i64::from(config.judge.baseline_days) * DAY, period.end);
    let CollectedEvents { events, states: mut sources } = source::events(config);
    let mut store = StoreReading::open(config);
    let recorded = events.len();
    let mut events = with_kept(events, store.events.events.clone());
    let has_kept = events.len() > recorded;
    let (mut series, mut raw, mut shards): (Vec<Seen>, BTreeSet<SeriesKey>, usize) = Default::default();
    let mut reported = events.len();
    let catalog = store.view.as_ref().map(|view| &view.catalog);
    match Rows::decode(config, period::EVER, catalog, &events, ui) {
        Ok(mut rows) => {
            events = rows.services.map_events(events);
            reported = events.len();
            raw.extend(rows.keys());
            shards = rows.shards;
            let coverage = Coverage::new(history, config);
            for shard in 0..shards {
                match rows.take(shard) {
                    Ok(all) => series.extend(all.iter().map(|series| Seen::of(series, period, &coverage, config))),
                    Err(failure) => store.trouble.push(failure.diagnostic(Stage::Store, "store")),
                }
            }
            source::add_states(&mut sources, rows.states());
        }
        Err(failure) => store.trouble.push(failure.diagnostic(Stage::Store, "store")),
    }
    if has_kept {
        events = deduplicate(events).events;
    }
    let context = CheckContext {
        config,
        path: global.config.display().to_string(),
        period,
        history,
        now,
        events: &events,
        sources: &sources,
        series: &series,
        shards,
    };
    let mut checks = checks::all(&context);
    checks.extend(checks::duplicates(reported, events.len()));
    checks.extend(checks::unused(config, &raw));
    checks.push(checks::store(&store.outcome(), &config.store.folder));
    checks.extend(store.days(config, now));
    let keys = series.iter().map(|series| (&series.key, series.class));
    let services = coverage(keys, &events, config, period);
    checks.extend(checks::loose(&services));
    Checkup { services, ..Checkup::new(checks) }
}

/// What the store holds, as far as it can be read. Every file was compared with its digest.
struct StoreReading {
    view: Option<StoreView>,
    events: StoredEvents,
    trouble: Vec<Diagnostic>,
}

impl StoreReading {
    fn open(config: &Config) -> Self {
        let read = || -> Result<(StoreView, StoredEvents), StoreError> {
            let store = Store::open(&config.store.folder)?;
            Ok((store.view(period::EVER)?, store.events()?))
        };
        match read() {
            Ok((view, events)) => {
                let refused = view.catalog.refused.iter().chain(&events.refused);
                let trouble = refused.map(StoreError::diagnostic).collect();
                Self { view: Some(view), events, trouble }
            }
            Err(error) => {
                let trouble = vec![error.diagnostic()];
                Self { view: None, events: StoredEvents::default(), trouble }
            }
        }
    }

    /// Looks at the days of each source that is collected.
    fn days(&self, config: &Config, now: i64) -> Vec<Check> {
        let Some(view) = &self.view else { return Vec::new() };
        let sources = config.sources.iter().filter(|source| !registry::is_recorded(source));
        let check = |source: &Source| coverage_check::check(&source.id, &view.catalog.days(&source.id), date_of(now));
        sources.map(check).collect()
    }

    /// Returns how many series and events it holds, or why it cannot be read whole.
    fn outcome(&self) -> Result<(usize, usize), Vec<Diagnostic>> {
        let series = self.view.as_ref().map_or(0, |view| view.catalog.keys().count());
        if self.trouble.is_empty() { Ok((series, self.events.events.len())) } else { Err(self.trouble.clone()) }
    }
}

/// Runs the judge at moments without a deploy and prints what it said.
fn placebos(args: &DoctorArgs, config: &Config, window: Window, ui: &Ui) -> Result<Exit, Failure> {
    let ran = run(args, config, window, ui)?;
    let outcome = count(&ran, window, config);
    if outcome.total.tests == 0 {
        return Err(nothing_judged(&ran, config));
    }
    if args.json {
        print_json(&outcome)?;
    } else {
        write_stdout(placebo_text::text(&outcome, config.zone, window).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn run(args: &DoctorArgs, config: &Config, window: Window, ui: &Ui) -> Result<Ran, Failure> {
    let mut history = History::open(config, window, ui)?;
    let context = history.context();
    // Series that fit into memory at once are kept there; others are read again in each round.
    let is_whole = history.shards() <= 1;
    let mut held: Option<Vec<Series>> = None;
    let mut extents: Vec<Extent> = Vec::new();
    history.read(ui, |series| {
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
    let bar = progress(if wanted == usize::MAX { most } else { wanted }, ui);
    bar.set_message("placebo deploys");
    let quiet = Ui { progress: false, ..*ui };
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
    ui: &Ui,
) -> Result<Judgement, Failure> {
    let mut shards = Vec::new();
    match held {
        Some(series) => shards.push(detect::judge_shard(detect::Shard { series, events, context: *context })),
        None => history.read(ui, |series| {
            let shard = detect::Shard { series: &series, events, context: *context };
            shards.push(detect::judge_shard(shard));
            Ok(())
        })?,
    }
    Ok(detect::merge(shards, events, context))
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
