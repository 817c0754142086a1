//! What `doctor` looks at: config, sources, series, deploys, store, output folder.

mod events;
mod series;
mod text;

use crate::config::Config;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, EventKind};
use crate::model::time::{MINUTE, Window, rfc3339};
use crate::render::doctor::Check;
use crate::source::SourceState;

pub(super) use events::{duplicates, loose};
pub(super) use series::{Seen, unused};
use text::{counted, short};

/// How far clocks may differ before it is worth a word, milliseconds.
const CLOCK_SLACK: i64 = 10 * MINUTE;

/// Everything that the checks speak of.
pub(super) struct CheckContext<'a> {
    pub config: &'a Config,
    pub path: String,
    pub period: Window,
    pub history: Window,
    /// The time of day, UTC milliseconds.
    pub now: i64,
    pub events: &'a [Event],
    pub sources: &'a [SourceState],
    pub series: &'a [Seen],
    /// Judging in this many shards keeps the memory that the config allows.
    pub shards: usize,
}

/// Runs the checks of the config and of the sources that are files.
pub(super) fn of_sources(context: &CheckContext<'_>) -> Vec<Check> {
    let mut checks = vec![config(context)];
    checks.extend(context.sources.iter().flat_map(|state| source(context, state)));
    checks
}

/// Runs every check that needs the data.
pub(super) fn all(context: &CheckContext<'_>) -> Vec<Check> {
    let mut checks = of_sources(context);
    checks.push(clock(context));
    checks.push(series::in_period(context));
    if context.series.iter().any(|series| series.data.is_some()) {
        checks.push(series::history(context));
        checks.extend(series::thin(context));
        checks.extend(series::traffic(context));
        checks.extend(series::by_unit(context));
        checks.extend(events::deploys(context));
    }
    checks.extend(events::owners(context));
    checks.push(output(context.config));
    checks
}

fn config(context: &CheckContext<'_>) -> Check {
    let config = context.config;
    let found = format!(
        "{}: {}, zone {}, periods of {} days from {}",
        context.path,
        counted(config.sources.len(), "source"),
        config.zone.name(),
        config.period.days,
        config.period.anchor
    );
    Check::ok("config", "", found)
}

/// Holds the clock against the data: a point of tomorrow says that one of the two is wrong.
fn clock(context: &CheckContext<'_>) -> Check {
    let CheckContext { config, now, series, events, .. } = context;
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

fn source(context: &CheckContext<'_>, state: &SourceState) -> Vec<Check> {
    let is_optional =
        context.config.sources.iter().find(|source| source.id == state.id).is_some_and(|source| source.optional);
    if let Some(failure) = state.failure() {
        let mut check = Check::fail("source", &state.id, failure.reason_alone(), failure.help.clone());
        if check.help.is_empty() {
            check.help.push("mend the file, or leave it out of `series` and `deploys`".to_owned());
        }
        if is_optional {
            check.health = crate::render::doctor::Health::Warn;
        }
        return vec![check];
    }
    let shards = match context.shards {
        0 | 1 => String::new(),
        shards => format!(", judged in {shards} shards"),
    };
    let found = format!(
        "{}: {}, {}, {}{shards}",
        state.kind,
        counted(state.rows as usize, "row"),
        counted(state.series, "series"),
        counted(state.events, "event")
    );
    let mut checks = vec![Check::ok("source", &state.id, found)];
    checks.extend(state.warnings().map(|warning| {
        let found = format!("{} × {}, first at {}", warning.count, warning.code, warning.example);
        Check::warn(
            "rows",
            &state.id,
            found,
            "look at the first place; docs/input.md says what was done with such rows",
        )
    }));
    checks
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

/// Says what the store holds, or why it cannot be read.
///
/// `outcome`: series and events, or what is wrong with it.
pub(super) fn store(outcome: &Result<(usize, usize), Vec<Diagnostic>>, folder: &std::path::Path) -> Check {
    let shown = folder.display();
    match outcome {
        Err(trouble) => {
            let reasons: Vec<String> = trouble.iter().map(Diagnostic::reason).collect();
            // Each advice once, in the order of what it is for.
            let mut help: Vec<String> = Vec::new();
            for line in trouble.iter().flat_map(|one| &one.help).filter(|line| !line.is_empty()) {
                if !help.contains(line) {
                    help.push(line.clone());
                }
            }
            Check::fail("store", "", format!("{shown}: {}", reasons.join("; ")), help)
        }
        Ok((0, 0)) => Check::ok("store", "", format!("{shown}: empty; `fortnight collect` fills it")),
        Ok((series, events)) => {
            Check::ok("store", "", format!("{shown}: {}, {}", counted(*series, "series"), counted(*events, "event")))
        }
    }
}
