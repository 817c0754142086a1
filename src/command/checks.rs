//! What `doctor` looks at: config, sources, series, deploys, store, output folder.

use std::collections::{BTreeMap, BTreeSet};

use super::period;
use crate::config::{Config, nearest};
use crate::model::event::{Event, EventKind};
use crate::model::metric::{Class, Kind, Series, SeriesKey, is_known_signal};
use crate::model::time::{DAY, MINUTE, Window, rfc3339};
use crate::render::doctor::Check;
use crate::render::services::{ServiceCoverage, coverage};
use crate::source::SourceState;
use crate::source::service_map::unused_patterns;

/// Names that one line lists at the most.
const LISTED: usize = 5;

/// Days of history before the period below which a comparison knows no week.
const LEAST_DAYS: i64 = 7;

/// How far clocks may differ before it is worth a word, milliseconds.
const CLOCK_SLACK: i64 = 10 * MINUTE;

/// Longest name that is listed whole, in characters.
const LONGEST: usize = 60;

/// What is kept of a series after its values have gone.
pub(super) struct Seen {
    pub key: SeriesKey,
    pub class: Class,
    /// From its first to after its last value; `None` without one.
    pub data: Option<Window>,
    /// Points in the period, and as many as there should be by its own step.
    pub in_period: (usize, usize),
    is_judged_by_unit: bool,
}

impl Seen {
    pub fn of(series: &Series, period: Window, config: &Config) -> Self {
        let known =
            || series.times.iter().zip(&series.values).filter(|(_, value)| value.is_finite()).map(|(at, _)| *at);
        let step = typical_step(&series.times);
        let data = known().next().zip(known().next_back()).map(|(first, last)| Window::new(first, last + step));
        let expected = usize::try_from(period.length() / step.max(1)).unwrap_or(0);
        let signal = &*series.key.signal;
        Self {
            key: series.key.clone(),
            class: config.nature(signal, series.unit).0,
            data,
            in_period: (known().filter(|at| period.contains(*at)).count(), expected),
            is_judged_by_unit: !is_known_signal(signal) && !config.signals.contains_key(signal),
        }
    }
}

/// Returns the median step between points, milliseconds; 0 under two points.
fn typical_step(times: &[i64]) -> i64 {
    let mut steps: Vec<i64> = times.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(0)
}

/// Everything that the checks speak of.
pub(super) struct Findings<'a> {
    pub config: &'a Config,
    pub path: String,
    pub period: Window,
    pub history: Window,
    /// The time of day, UTC milliseconds.
    pub now: i64,
    pub events: &'a [Event],
    pub sources: &'a [SourceState],
    pub series: &'a [Seen],
    /// Reading in this many parts keeps the memory that the config allows.
    pub parts: usize,
}

/// Runs the checks of the config and of the sources that are files.
pub(super) fn of_sources(findings: &Findings<'_>) -> Vec<Check> {
    let mut checks = vec![config(findings)];
    checks.extend(findings.sources.iter().flat_map(|state| source(findings, state)));
    checks
}

/// Runs every check that needs the data.
pub(super) fn all(findings: &Findings<'_>) -> Vec<Check> {
    let mut checks = of_sources(findings);
    checks.push(clock(findings));
    checks.push(in_period(findings));
    if findings.series.iter().any(|series| series.data.is_some()) {
        checks.push(history(findings));
        checks.extend(thin(findings));
        checks.extend(traffic(findings));
        checks.extend(by_unit(findings));
        checks.extend(deploys(findings));
    }
    checks.extend(owners(findings));
    checks.push(output(findings.config));
    checks
}

fn config(findings: &Findings<'_>) -> Check {
    let config = findings.config;
    let found = format!(
        "{}: {}, zone {}, periods of {} days from {}",
        findings.path,
        counted(config.sources.len(), "source"),
        config.zone.name(),
        config.period.days,
        config.period.anchor
    );
    Check::ok("config", "", found)
}

/// Holds the clock against the data: a point of tomorrow says that one of the two is wrong.
fn clock(findings: &Findings<'_>) -> Check {
    let Findings { config, now, series, events, .. } = findings;
    let found = format!("{} by this machine", rfc3339(*now, config.zone));
    let limit = now + CLOCK_SLACK;
    let series = series.iter().filter_map(|series| Some((series.data?.start, series.key.to_string())));
    let events =
        events.iter().filter(|event| event.kind == EventKind::Deploy).map(|event| (event.at, event.id.clone()));
    let Some((at, name)) = series.chain(events).filter(|(at, _)| *at > limit).min() else {
        return Check::ok("clock", "", found);
    };
    let help = "set the clock, or mend `time` and `at`: whole numbers are seconds or milliseconds since 1970";
    Check::warn("clock", "", format!("{found}; {} begins at {}", short(&name), rfc3339(at, config.zone)), help)
}

fn source(findings: &Findings<'_>, state: &SourceState) -> Vec<Check> {
    let is_optional =
        findings.config.sources.iter().find(|source| source.id == state.id).is_some_and(|source| source.optional);
    let (help, reason): (Vec<&str>, Vec<&str>) = state.error.lines().partition(|line| line.starts_with("help: "));
    let help: Vec<String> = help.iter().map(|line| line.replacen("help: ", "", 1)).collect();
    if !reason.is_empty() {
        let mut check = Check::fail("source", &state.id, reason.join(", "), help);
        if check.help.is_empty() {
            check.help.push("mend the file, or leave it out of `series` and `deploys`".to_owned());
        }
        if is_optional {
            check.health = crate::render::doctor::Health::Warn;
        }
        return vec![check];
    }
    let parts = match findings.parts {
        1 => String::new(),
        parts => format!(", read in {parts} parts"),
    };
    let found = format!(
        "{}: {}, {}, {}{parts}",
        state.kind,
        counted(state.rows as usize, "row"),
        counted(state.series, "series"),
        counted(state.events, "event")
    );
    let mut checks = vec![Check::ok("source", &state.id, found)];
    checks.extend(state.notes.iter().map(|note| {
        let found = format!("{} × {}, first at {}", note.count, note.reason, note.example);
        Check::warn(
            "rows",
            &state.id,
            found,
            "look at the first place; docs/input.md says what was done with such rows",
        )
    }));
    checks
}

fn in_period(findings: &Findings<'_>) -> Check {
    let Findings { config, period, series, .. } = findings;
    let typed = |at| period::typed(at, config.zone);
    let span = format!("{} to {}", typed(period.start), typed(period.end));
    let there = series.iter().filter(|series| series.in_period.0 > 0).count();
    if there > 0 {
        return Check::ok("period", "", format!("{span}: {there} of {} have data", counted(series.len(), "series")));
    }
    let covered = series.iter().filter_map(|series| series.data);
    let covered = covered.reduce(|a, b| Window::new(a.start.min(b.start), a.end.max(b.end)));
    let is_collected = config.sources.iter().any(|source| !source.kind.is_files());
    let help = match covered {
        // The way of every new team: what is wrong with the sources themselves has lines of its own.
        None if is_collected => {
            let help = "run `fortnight collect`, then look again";
            return Check::warn("period", "", format!("{span}: nothing is collected yet"), help);
        }
        None => vec!["check `series` in the config: no source has a point".to_owned()],
        Some(covered) => {
            let next = period::suggested(config, covered);
            vec![
                format!("the data cover {} to {}", typed(covered.start), typed(covered.end)),
                format!("type `--from {} --to {}`", typed(next.start), typed(next.end)),
            ]
        }
    };
    Check::fail("period", "", format!("{span}: no source has a point in it"), help)
}

/// Looks at how far the data reach back before the period.
fn history(findings: &Findings<'_>) -> Check {
    let Findings { period, history, series, .. } = findings;
    let before = |series: &Seen| series.data.map(|data| (period.start - data.start.max(history.start)).max(0));
    let most = series.iter().filter_map(before).max().unwrap_or(0) / DAY;
    let wanted = (period.start - history.start) / DAY;
    let found = format!("{} before the period, of {wanted} that are used", counted(most as usize, "day"));
    if most >= 2 * LEAST_DAYS {
        return Check::ok("history", "", found);
    }
    let help = "two weeks before the period are enough, four are better: export more, or run `fortnight collect` \
                regularly so that history outlives its source";
    Check::warn("history", "", found, help)
}

/// Names series that will hardly be judged.
fn thin(findings: &Findings<'_>) -> Option<Check> {
    let Findings { config, period, series, .. } = findings;
    let is_thin = |series: &&Seen| {
        let (there, expected) = series.in_period;
        let is_short = series.data.is_none_or(|data| data.length() < LEAST_DAYS * DAY);
        let is_gappy = (there as f64) < config.judge.min_coverage * expected as f64;
        there > 0 && (is_short || is_gappy) || there == 0 && series.data.is_some_and(|data| data.overlaps(*period))
    };
    let thin: Vec<String> = series.iter().filter(is_thin).map(|series| series.key.to_string()).collect();
    let gone = series.iter().filter(|series| series.in_period.0 == 0).count();
    if thin.is_empty() && gone == 0 {
        return None;
    }
    let mut found = format!("{} with under a week of data or too many gaps", counted(thin.len(), "series"));
    if !thin.is_empty() {
        found = format!("{found}: {}", listed(&thin));
    }
    if gone > 0 {
        found = format!("{found}; {gone} without a point in the period");
    }
    let help = format!(
        "they will be `no_data` or not enough evidence; a comparison needs {} % of its hours (`judge.min_coverage`)",
        (config.judge.min_coverage * 100.0).round()
    );
    Some(Check::warn("series", "", found, help))
}

/// Names operations whose latency or errors come without traffic.
fn traffic(findings: &Findings<'_>) -> Option<Check> {
    let mut counted_targets: BTreeSet<(&str, &str)> = BTreeSet::new();
    for series in findings.series.iter().filter(|series| series.key.kind == Kind::Operation) {
        if &*series.key.signal == "throughput" {
            counted_targets.insert((&series.key.service, &series.key.target));
        }
    }
    let missing: BTreeSet<String> = findings
        .series
        .iter()
        .filter(|series| series.key.kind == Kind::Operation)
        .filter(|series| matches!(series.class, Class::Latency | Class::Errors))
        .filter(|series| !counted_targets.contains(&(&*series.key.service, &*series.key.target)))
        .map(|series| format!("{} {}", series.key.service, series.key.target))
        .collect();
    let missing: Vec<String> = missing.into_iter().collect();
    (!missing.is_empty()).then(|| {
        let found = format!("{} without `throughput`: {}", counted(missing.len(), "operation"), listed(&missing));
        let help = "give `throughput` for them: it weighs the points, counts failures and tells load from code";
        Check::warn("traffic", "", found, help)
    })
}

/// Names signals whose meaning was guessed from their unit.
fn by_unit(findings: &Findings<'_>) -> Option<Check> {
    let guessed: BTreeMap<&str, Class> = findings
        .series
        .iter()
        .filter(|series| series.is_judged_by_unit)
        .map(|series| (&*series.key.signal, series.class))
        .collect();
    let names: Vec<String> =
        guessed.iter().map(|(signal, class)| format!("{signal} as {}", format!("{class:?}").to_lowercase())).collect();
    (!names.is_empty()).then(|| {
        let found = format!("judged by their unit: {}; `[signal.NAME]` says otherwise", listed(&names));
        Check::ok("signals", "", found)
    })
}

fn deploys(findings: &Findings<'_>) -> Vec<Check> {
    let Findings { events, period, series, .. } = findings;
    // Resources of no service have a line of their own, and nobody deploys them.
    let known = coverage(series.iter().map(|series| (&series.key, series.class)), events, findings.config, *period);
    let all: BTreeSet<&str> = known.iter().map(|one| one.service.as_str()).collect();
    let services: BTreeSet<&str> = known.iter().filter(|one| !one.is_loose).map(|one| one.service.as_str()).collect();
    let judged: Vec<&Event> =
        events.iter().filter(|event| event.kind.is_judged() && period.contains(event.at)).collect();
    let deployed: BTreeSet<&str> =
        services.iter().copied().filter(|service| judged.iter().any(|event| event.concerns(service))).collect();
    let inferred = judged.iter().filter(|event| event.is_inferred()).count();
    let inferred = if inferred > 0 { format!(" ({inferred} seen in the data only)") } else { String::new() };
    let others = events.iter().filter(|event| !event.kind.is_judged() && event.window().overlaps(*period)).count();
    let mut checks = Vec::new();
    let found = format!(
        "{} in the period{inferred} for {} of {}, {} to leave out",
        counted(judged.len(), "deploy"),
        deployed.len(),
        counted(services.len(), "service"),
        counted(others, "incident, campaign or drill")
    );
    if judged.is_empty() {
        let help = "record them with `fortnight marker add` in your pipeline, or name files in `deploys` of a source; \
                    without one, periods are compared and nothing is held against a change of yours";
        checks.push(Check::warn("deploys", "", found, help));
    } else {
        checks.push(Check::ok("deploys", "", found));
    }
    let quiet: Vec<String> = services.difference(&deployed).map(|service| (*service).to_owned()).collect();
    if !quiet.is_empty() && !judged.is_empty() {
        let found = format!("{} without a deploy in the period: {}", counted(quiet.len(), "service"), listed(&quiet));
        checks.push(Check::warn(
            "markers",
            "",
            found,
            "right if nothing was deployed; else check the deploys' `service`",
        ));
    }
    let strange: BTreeSet<&str> = events
        .iter()
        .map(|event| event.service.as_str())
        .filter(|service| *service != "*" && !all.contains(service))
        .collect();
    if !strange.is_empty() {
        checks.push(no_series("names", "deploys", &strange, &all));
    }
    checks
}

/// Names services of the config that no series has.
fn owners(findings: &Findings<'_>) -> Option<Check> {
    let services: BTreeSet<&str> = findings.series.iter().map(|series| &*series.key.service).collect();
    let strange: BTreeSet<&str> = findings
        .config
        .services
        .iter()
        .map(|service| service.name.as_str())
        .filter(|name| !services.contains(name))
        .collect();
    (!strange.is_empty() && !services.is_empty()).then(|| no_series("owners", "`[[service]]`", &strange, &services))
}

fn no_series(check: &'static str, whose: &str, strange: &BTreeSet<&str>, services: &BTreeSet<&str>) -> Check {
    let names: Vec<String> = strange.iter().map(|name| (*name).to_owned()).collect();
    let found = format!("{} of {whose} without a series: {}", counted(names.len(), "service"), listed(&names));
    let near = strange.iter().find_map(|name| Some((name, nearest(name, services.iter().copied())?)));
    let help = match near {
        Some((name, near)) => {
            format!("is `{}` the `{}` of the series? both must be spelled alike", short(name), short(near))
        }
        None => "they must be spelled as in the series".to_owned(),
    };
    Check::warn(check, "", found, help)
}

/// Tells how many deploys came from more than one source.
///
/// `told`, `left`: how many events there were, and how many are left.
pub(super) fn united(told: usize, left: usize) -> Option<Check> {
    (left < told).then(|| {
        let found = format!("{} told by more than one source; each counts once", counted(told - left, "deploy"));
        Check::ok("united", "", found)
    })
}

/// Names patterns of the config that fit nothing: a slip of the pen, or a resource that is gone.
///
/// `keys`: what was read, by the sources' names.
pub(super) fn unused(config: &Config, keys: &BTreeSet<SeriesKey>) -> Option<Check> {
    let unused = unused_patterns(config, keys);
    (!unused.is_empty() && !keys.is_empty()).then(|| {
        let names: Vec<String> = unused.iter().map(|(pattern, service)| format!("{pattern} of {service}")).collect();
        let found = format!("{} in `resources` without a series: {}", counted(names.len(), "pattern"), listed(&names));
        Check::warn("resources", "", found, "compare with the names in `fortnight doctor --json`, or remove them")
    })
}

/// Names resources that belong to no service.
pub(super) fn loose(services: &[ServiceCoverage]) -> Option<Check> {
    let names: Vec<String> = services.iter().filter(|one| one.is_loose).map(|one| one.service.clone()).collect();
    (!names.is_empty()).then(|| {
        let found = format!("{} of no service: {}", counted(names.len(), "resource"), listed(&names));
        let help = "name them in `resources` of a `[[service]]`, so that a deploy of it is held against them";
        Check::warn("services", "", found, help)
    })
}

fn output(config: &Config) -> Check {
    let folder = &config.output.folder;
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            let help = vec!["name another folder in `output.dir`, or move the file away".to_owned()];
            Check::fail("output", "", format!("{shown} is a file, not a folder"), help)
        }
        Ok(_) => Check::ok("output", "", format!("{shown}")),
        Err(_) => Check::ok("output", "", format!("{shown}, made by the first report")),
    }
}

/// Tells what the store holds, or why it cannot be read.
pub(super) fn store(outcome: &Result<(usize, usize), String>, folder: &std::path::Path) -> Check {
    let shown = folder.display();
    match outcome {
        Err(reason) => {
            let help = vec!["move the damaged file away; the rest is still read".to_owned()];
            Check::fail("store", "", format!("{shown}: {reason}"), help)
        }
        Ok((0, 0)) => Check::ok("store", "", format!("{shown}: empty; `fortnight collect` fills it")),
        Ok((series, events)) => {
            Check::ok("store", "", format!("{shown}: {}, {}", counted(*series, "series"), counted(*events, "event")))
        }
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| short(name)).collect();
    let more = names.len().saturating_sub(LISTED);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn short(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", name.get(..cut).unwrap_or(name)),
        None => name.to_owned(),
    }
}

fn counted(count: usize, noun: &str) -> String {
    let many = count != 1 && !noun.ends_with("series");
    let plural = if noun == "incident, campaign or drill" { "incidents, campaigns or drills" } else { noun };
    match (many, plural == noun) {
        (false, _) => format!("{count} {noun}"),
        (true, false) => format!("{count} {plural}"),
        (true, true) => format!("{count} {noun}s"),
    }
}
