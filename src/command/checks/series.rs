//! What `doctor` says of the series: do they reach the period and far enough back, which are thin, which lack traffic.

use std::collections::{BTreeMap, BTreeSet};

use super::super::period;
use super::CheckContext;
use super::text::{counted, listed};
use crate::config::Config;
use crate::detect::Coverage;
use crate::model::metric::{Class, Kind, Series, SeriesKey, is_known_signal};
use crate::model::time::{DAY, Window};
use crate::render::doctor::Check;
use crate::source::registry;
use crate::source::service_map::unused_patterns;

/// Days of history before the period below which a comparison knows no week.
const LEAST_DAYS: i64 = 7;

/// What is kept of a series after its values have gone.
pub(in crate::command) struct Seen {
    pub key: SeriesKey,
    pub class: Class,
    /// From its first to after its last value; `None` without one.
    pub data: Option<Window>,
    /// It has a point in the period.
    pub is_in_period: bool,
    /// Share of the period's usual hours that have data, 0 to 1.
    pub coverage: f64,
    is_judged_by_unit: bool,
}

impl Seen {
    pub fn of(series: &Series, period: Window, coverage: &Coverage, config: &Config) -> Self {
        let known =
            || series.times.iter().zip(&series.values).filter(|(_, value)| value.is_finite()).map(|(at, _)| *at);
        let step = typical_step(&series.times);
        let data = known().next().zip(known().next_back()).map(|(first, last)| Window::new(first, last + step));
        let signal = &*series.key.signal;
        Self {
            key: series.key.clone(),
            class: config.class_and_polarity(signal, series.unit).0,
            data,
            is_in_period: known().any(|at| period.contains(at)),
            coverage: coverage.of(series, period),
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

pub(super) fn in_period(context: &CheckContext<'_>) -> Check {
    let CheckContext { config, period, series, .. } = context;
    let typed = |at| period::typed(at, config.zone);
    let span = format!("{} to {}", typed(period.start), typed(period.end));
    let there = series.iter().filter(|series| series.is_in_period).count();
    if there > 0 {
        return Check::ok("period", "", format!("{span}: {there} of {} have data", counted(series.len(), "series")));
    }
    let covered = series.iter().filter_map(|series| series.data);
    let covered = covered.reduce(|a, b| Window::new(a.start.min(b.start), a.end.max(b.end)));
    let is_collected = config.sources.iter().any(|source| !registry::is_recorded(source));
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
pub(super) fn history(context: &CheckContext<'_>) -> Check {
    let CheckContext { period, history, series, .. } = context;
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
pub(super) fn thin(context: &CheckContext<'_>) -> Option<Check> {
    let CheckContext { config, series, .. } = context;
    let is_thin = |series: &&Seen| {
        let is_short = series.data.is_none_or(|data| data.length() < LEAST_DAYS * DAY);
        let is_gappy = series.coverage < config.judge.min_coverage;
        series.is_in_period && (is_short || is_gappy)
    };
    let thin: Vec<String> = series.iter().filter(is_thin).map(|series| series.key.to_string()).collect();
    let gone = series.iter().filter(|series| !series.is_in_period).count();
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
pub(super) fn traffic(context: &CheckContext<'_>) -> Option<Check> {
    let mut counted_targets: BTreeSet<(&str, &str)> = BTreeSet::new();
    for series in context.series.iter().filter(|series| series.key.kind == Kind::Operation) {
        if &*series.key.signal == "throughput" {
            counted_targets.insert((&series.key.service, &series.key.target));
        }
    }
    let missing: BTreeSet<String> = context
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
        let help = "give `throughput` for them: it weighs the points, counts failures and separates load from code";
        Check::warn("traffic", "", found, help)
    })
}

/// Names signals whose meaning was guessed from their unit.
pub(super) fn by_unit(context: &CheckContext<'_>) -> Option<Check> {
    let guessed: BTreeMap<&str, Class> = context
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

/// Names patterns of the config that fit nothing: a slip of the pen, or a resource that is gone.
///
/// `keys`: what was read, by the sources' names.
pub(in crate::command) fn unused(config: &Config, keys: &BTreeSet<SeriesKey>) -> Option<Check> {
    let unused = unused_patterns(config, keys);
    (!unused.is_empty() && !keys.is_empty()).then(|| {
        let names: Vec<String> = unused.iter().map(|(pattern, service)| format!("{pattern} of {service}")).collect();
        let found = format!("{} in `resources` without a series: {}", counted(names.len(), "pattern"), listed(&names));
        Check::warn("resources", "", found, "compare with the names in `fortnight doctor --json`, or remove them")
    })
}
