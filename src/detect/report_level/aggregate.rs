//! Brings the services together: multiplicity over the whole report, alarms, ranking, audit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::findings;
use crate::detect::compare::{burst, verdict};
use crate::detect::confounders::fleet;
use crate::detect::context::Context;
use crate::detect::evidence::{GroupKey, Withdrawal};
use crate::detect::input::unit_doubt;
use crate::detect::judgement::{Audit, Comparison, Judgement, Pattern, SeriesSummary, Unattributed};
use crate::detect::shard::{ComparisonResult, GroupResult, SeriesResult, ServiceResult, ShardResult};
use crate::model::event::{DeployGroup, Event};
use crate::model::metric::Polarity;
use crate::model::time::{HOUR, Window};
use crate::model::verdict::{Confounder, Reason, Verdict};
use crate::stats::fdr;

/// Brings the results of all shards together, in whatever order they came. `events`: the same that the shards were judged
/// with.
pub fn merge(shards: Vec<ShardResult>, events: &[Event], context: &Context<'_>) -> Judgement {
    let mut services: Vec<ServiceResult> = shards.into_iter().flat_map(|shard| shard.services).collect();
    services.sort_by(|a, b| a.service.cmp(&b.service));
    let (groups, numbers) = number_groups(&services, events);
    let mut judgement = Judgement {
        period: context.period,
        groups,
        series: Vec::new(),
        comparisons: Vec::new(),
        findings: Vec::new(),
        elsewhere: Vec::new(),
        audit: Audit::default(),
    };
    let mut tests = 0;
    let mut material: Vec<f64> = Vec::new();
    let mut movements = BTreeMap::new();
    for result in services {
        for series in result.series {
            add_series(&mut judgement, series, &numbers);
        }
        movements.insert(result.service, result.movements);
        tests += result.placebos;
        material.extend(result.material_placebos);
    }
    judgement.comparisons.sort_by_key(|comparison| (comparison.series, comparison.group));
    doubt_units(&mut judgement);
    say_where_data_is_missing(&mut judgement);
    fleet::explain(&mut judgement.comparisons, &judgement.series, &movements);
    let threshold = control(&mut judgement.comparisons, &judgement.series, context);
    tell_bursts(&mut judgement.comparisons);
    judgement.audit = audit(tests, &material, threshold, &judgement.comparisons, context);
    judgement.elsewhere.sort_by(|a, b| {
        b.change.estimate.value.abs().total_cmp(&a.change.estimate.value.abs()).then(a.series.cmp(&b.series))
    });
    findings::tell(&mut judgement);
    judgement
}

/// Adds one series with everything that was found out about it.
fn add_series(judgement: &mut Judgement, result: SeriesResult, numbers: &HashMap<GroupKey, usize>) {
    let index = judgement.series.len();
    judgement.series.push(result.summary);
    for ComparisonResult { group, taken_back_by, mut comparison } in result.comparisons {
        let Some(number) = numbers.get(&group) else { continue };
        (comparison.series, comparison.group) = (index, *number);
        if let Some(Pattern::Recovered { by, .. }) = &mut comparison.pattern {
            *by = taken_back_by.and_then(|by| numbers.get(&by).copied());
        }
        judgement.comparisons.push(comparison);
    }
    judgement.elsewhere.extend(result.unattributed.into_iter().map(|change| Unattributed { series: index, ..change }));
}

/// Says nothing of what may be a change of the unit.
fn doubt_units(judgement: &mut Judgement) {
    unit_doubt::agree(&mut judgement.series);
    for comparison in &mut judgement.comparisons {
        let compared = Window::new(comparison.before_window.start, comparison.after_window.end);
        if judgement.series.get(comparison.series).is_some_and(|series| series.is_doubtful(compared)) {
            comparison.doubt_units();
        }
    }
    judgement.elsewhere.retain(|other| {
        let near = Window::new(other.at.start - HOUR, other.at.end + HOUR);
        !judgement.series.get(other.series).is_some_and(|series| series.is_doubtful(near))
    });
    let shown = Window::new(judgement.period.start - judgement.period.length(), judgement.period.end);
    for series in judgement.series.iter_mut().filter(|series| series.is_doubtful(shown)) {
        (series.change, series.total_time_s) = (None, None);
    }
}

/// Says of what has no data whether it is new or gone.
fn say_where_data_is_missing(judgement: &mut Judgement) {
    for comparison in judgement.comparisons.iter_mut().filter(|one| one.verdict == Verdict::NoData) {
        let Some(series) = judgement.series.get(comparison.series) else { continue };
        let has = |window: Window| {
            let known = series.hourly.iter().enumerate().filter(|(_, value)| value.is_finite());
            known
                .map(|(hour, _)| series.start + hour as i64 * HOUR)
                .any(|at| window.overlaps(Window::new(at, at + HOUR)))
        };
        // An hour in which a deploy lies belongs to both sides.
        let deploy = comparison.before_window.end.div_euclid(HOUR) * HOUR;
        let before = has(Window::new(comparison.before_window.start, deploy));
        let after = has(Window::new(comparison.after_window.start + HOUR, comparison.after_window.end));
        comparison.reason = match (before, after) {
            (false, true) => Some(Reason::New),
            (true, false) => Some(Reason::Gone),
            _ => None,
        };
    }
}

/// Numbers the groups of the period over all services by time; returns them with the index of each.
fn number_groups(services: &[ServiceResult], events: &[Event]) -> (Vec<DeployGroup>, HashMap<GroupKey, usize>) {
    let mut order: Vec<&GroupResult> = services.iter().flat_map(|result| &result.groups).collect();
    order.sort_by(|a, b| (a.key.at, &a.key.service).cmp(&(b.key.at, &b.key.service)));
    let index_of = |(at, id): &(i64, Arc<str>)| {
        let first = events.partition_point(|event| event.at < *at);
        let alike = events.get(first..)?.iter().take_while(|event| event.at == *at);
        Some(first + alike.enumerate().find(|(_, event)| *event.id == **id)?.0)
    };
    let group = |(index, group): (usize, &&GroupResult)| DeployGroup {
        number: index + 1,
        service: group.key.service.to_string(),
        members: group.deploys.iter().filter_map(index_of).collect(),
        window: group.window,
    };
    let numbers = order.iter().enumerate().map(|(index, group)| (group.key.clone(), index)).collect();
    (order.iter().enumerate().map(group).collect(), numbers)
}

/// Adjusts the p values over the report and takes the alarms back that do not hold; returns the p that one more alarm
/// would have needed.
fn control(comparisons: &mut [Comparison], series: &[SeriesSummary], context: &Context<'_>) -> f64 {
    for comparison in comparisons.iter_mut() {
        comparison.evidence.is_located = comparison.is_located();
    }
    let judged: Vec<usize> = (0..comparisons.len())
        .filter(|index| {
            let comparison = &comparisons[*index];
            // What load explains was judged beyond the load. What else explains a change takes it out of the contest: it
            // is no alarm and must not make room for others.
            let is_open = comparison.explained_by.is_none_or(|rival| rival == Confounder::Load);
            is_open && series[comparison.series].direction != Polarity::Neutral && comparison.p_value.is_some()
        })
        .collect();
    let p_values: Vec<f64> = judged.iter().map(|index| comparisons[*index].p_value.unwrap_or(1.0)).collect();
    let q_values = fdr::benjamini_hochberg(&p_values);
    let discoveries = q_values.iter().filter(|q| **q <= context.config.judge.false_discovery).count();
    // One more comparison would have needed this p to become an alarm beside those that did.
    let threshold = context.config.judge.false_discovery * (discoveries + 1) as f64 / judged.len().max(1) as f64;
    for (index, q_value) in judged.iter().zip(q_values) {
        let comparison = &mut comparisons[*index];
        comparison.q_value = Some(q_value);
        if !comparison.verdict.is_alarm() {
            continue;
        }
        let stands_out = q_value <= context.config.judge.false_discovery;
        let evidence = &mut comparison.evidence;
        evidence.withdrawn.extend((!stands_out).then_some(Withdrawal::FalseDiscovery));
        evidence.withdrawn.extend((!evidence.is_located).then_some(Withdrawal::Location));
        if !evidence.withdrawn.is_empty() {
            comparison.verdict = verdict::without_alarm(comparison.verdict);
            comparison.withhold();
            if comparison.pattern == Some(Pattern::TailOnly) {
                comparison.pattern = None;
            }
        }
    }
    threshold
}

/// Keeps the bursts that so many comparisons would hardly show by chance, and calls the comparisons so.
fn tell_bursts(comparisons: &mut [Comparison]) {
    let judged = comparisons.iter().filter(|comparison| comparison.effect.is_some()).count();
    for comparison in comparisons {
        comparison.burst = comparison.burst.filter(|burst| burst.p_value * judged as f64 <= burst::EXPECTED_FALSE);
        if comparison.burst.is_some() {
            comparison.pattern = Some(Pattern::Burst);
        }
    }
}

/// Counts how many placebo deploys the same p and the same limit would have called alarms.
///
/// The expected number of false alarms is the larger of what the placebos say and what the false discovery rate allows:
/// its share of the alarms, or of one alarm in a quiet report.
fn audit(tests: usize, material: &[f64], threshold: f64, comparisons: &[Comparison], context: &Context<'_>) -> Audit {
    let false_alarms = material.iter().filter(|p| **p <= threshold).count();
    let judged = comparisons.iter().filter(|comparison| comparison.p_value.is_some()).count();
    let by_placebo = false_alarms as f64 / tests.max(1) as f64 * judged as f64;
    let alarms = comparisons.iter().filter(|comparison| comparison.verdict.is_alarm()).count();
    let allowed = context.config.judge.false_discovery * alarms.max(1) as f64;
    Audit { tests, false_alarms, expected_false: by_placebo.max(allowed), p_threshold: threshold }
}
