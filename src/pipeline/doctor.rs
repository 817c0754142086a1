//! `doctor`: what is wrong with the config and its sources, and how often the judge cries for nothing.

use anyhow::{Context as _, anyhow};

use super::checks::{self, Findings, Seen};
use super::{Exit, Failure, History, Talk, collect, data, load, outcome, period, progress, read_parts, with_causes};
use crate::cli::{DoctorArgs, Global};
use crate::collect::CollectedEvents;
use crate::config::Config;
use crate::deploy::Event;
use crate::detect::placebo::{self, Extent, NoRoom};
use crate::detect::{self, Judgement};
use crate::metric::Series;
use crate::recorded::Part;
use crate::report::doctor::{Checkup, Health};
use crate::report::placebo::{LeftOut, Ran, outcome as count};
use crate::store::Store;
use crate::time::{DAY, Window};

/// Rounds that are run at the most to reach the wanted number of comparisons: more of them see hardly anything new.
const MOST_ROUNDS: usize = 200;

/// Checks the config and its sources, or runs the placebos.
pub(super) fn doctor(args: &DoctorArgs, global: &Global, talk: &Talk) -> Result<Exit, Failure> {
    let config = load(&global.config, global.tz.as_deref())?;
    let window = period::asked(&config, &args.span, outcome::now()?)?;
    if args.placebo {
        return placebos(args, &config, window, talk);
    }
    let checkup = examine(&config, global, window, talk);
    if args.json {
        print_json(&checkup)?;
    } else {
        data(checkup.text(talk.data_style()).as_bytes())?;
    }
    Ok(if checkup.health == Health::Fail { Exit::Failed } else { Exit::Done })
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(value).context("write the result")?;
    bytes.push(b'\n');
    data(&bytes)
}

/// Reads everything that there is, and checks it. A source that fails is a line, not an end.
fn examine(config: &Config, global: &Global, period: Window, talk: &Talk) -> Checkup {
    let history = Window::new(period.start - i64::from(config.judge.baseline_days) * DAY, period.end);
    let CollectedEvents { events, states: mut sources } = collect::events(config);
    let rows = collect::rows_estimate(config);
    let mut series: Vec<Seen> = Vec::new();
    // Reading hands every failure over as a state, so nothing can be refused here.
    let _ = read_parts(config, period::EVER, rows, talk, |collected, _| {
        collect::add_states(&mut sources, collected.states);
        series.extend(collected.series.iter().map(|series| Seen::of(series, period, config)));
        Ok(())
    });
    let findings = Findings {
        config,
        path: global.config.display().to_string(),
        period,
        history,
        events: &events,
        sources: &sources,
        series: &series,
        parts: collect::parts_needed(rows, config.memory_by),
    };
    let mut checks = checks::all(&findings);
    checks.push(checks::store(&kept(config, history), &config.store.folder));
    Checkup::new(checks)
}

/// Returns how many series and events the store holds for a history, or why it cannot be read whole.
fn kept(config: &Config, history: Window) -> Result<(usize, usize), String> {
    let told = |error| with_causes(&error);
    let store = Store::open(&config.store.folder).map_err(told)?;
    let events = store.events().map_err(told)?;
    let whole = Part { index: 0, count: 1 };
    let history = store.read(history, whole).map_err(told)?;
    match history.refused.first() {
        Some(error) => Err(with_causes(error)),
        None => Ok((history.series.len(), events.len())),
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
    let is_whole = collect::parts_needed(history.rows, config.memory_by) <= 1;
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
        let away = placebo::AWAY / crate::time::HOUR;
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
