//! Brings the services together: multiplicity over the whole report, alarms, ranking, audit.

use std::collections::BTreeMap;

use super::evidence::Withdrawal;
use super::service::ServiceResult;
use super::{Audit, Comparison, Confounder, Context, Elsewhere, Judgement, Pattern, burst, findings, fleet, verdict};
use crate::model::event::{DeployGroup, Event};
use crate::model::metric::Direction;
use crate::stats::fdr;

/// Joins what the services gave into the judgement of the report.
pub fn conclude(results: Vec<ServiceResult>, events: &[Event], context: &Context<'_>) -> Judgement {
    let mut results = results;
    results.sort_by(|a, b| a.series.first().map(|series| &series.key).cmp(&b.series.first().map(|series| &series.key)));
    let mut judgement = Judgement {
        period: context.period,
        groups: Vec::new(),
        series: Vec::new(),
        comparisons: Vec::new(),
        findings: Vec::new(),
        elsewhere: Vec::new(),
        audit: Audit::default(),
    };
    let mut tests = 0;
    let mut material: Vec<f64> = Vec::new();
    let numbers = number_groups(&mut results, context);
    let mut votes = BTreeMap::new();
    for (result, numbers) in results.into_iter().zip(numbers) {
        let first = judgement.series.len();
        judgement.groups.extend(result.groups.into_iter().filter(|group| context.period.contains(group.window.start)));
        judgement.series.extend(result.series);
        judgement
            .elsewhere
            .extend(result.elsewhere.into_iter().map(|item| Elsewhere { series: item.series + first, ..item }));
        for mut comparison in result.comparisons {
            comparison.series += first;
            comparison.group = numbers.get(comparison.group).copied().flatten().unwrap_or(0);
            if let Some(Pattern::Recovered { by, .. }) = &mut comparison.pattern {
                *by = by.and_then(|by| numbers.get(by).copied().flatten());
            }
            judgement.comparisons.push(comparison);
        }
        if let Some(summary) = judgement.series.get(first) {
            votes.insert(summary.key.service.clone(), result.votes);
        }
        tests += result.placebos;
        material.extend(result.material_placebos);
    }
    judgement.groups.sort_by_key(|group| group.number);
    judgement.comparisons.sort_by_key(|comparison| (comparison.series, comparison.group));
    fleet::explain(&mut judgement.comparisons, &judgement.series, &votes);
    let threshold = control(&mut judgement.comparisons, &judgement.series, context);
    tell_bursts(&mut judgement.comparisons);
    judgement.audit = audit(tests, &material, threshold, &judgement.comparisons, context);
    judgement.elsewhere.sort_by(|a, b| {
        b.change.estimate.value.abs().total_cmp(&a.change.estimate.value.abs()).then(a.series.cmp(&b.series))
    });
    findings::tell(&mut judgement, events);
    judgement
}

/// Numbers the groups of the period over all services by time; returns for each service the index in the report of
/// each of its groups.
fn number_groups(results: &mut [ServiceResult], context: &Context<'_>) -> Vec<Vec<Option<usize>>> {
    let mut order: Vec<(i64, String, usize, usize)> = Vec::new();
    for (service, result) in results.iter().enumerate() {
        for (index, group) in result.groups.iter().enumerate() {
            if context.period.contains(group.window.start) {
                order.push((group.window.start, group.service.clone(), service, index));
            }
        }
    }
    order.sort();
    let mut numbers: Vec<Vec<Option<usize>>> = results.iter().map(|result| vec![None; result.groups.len()]).collect();
    for (position, (_, _, service, index)) in order.into_iter().enumerate() {
        numbers[service][index] = Some(position);
        let group: &mut DeployGroup = &mut results[service].groups[index];
        group.number = position + 1;
    }
    numbers
}

/// Adjusts the p values over the report and takes the alarms back that do not hold; returns the p that one more alarm
/// would have needed.
fn control(comparisons: &mut [Comparison], series: &[super::SeriesSummary], context: &Context<'_>) -> f64 {
    for comparison in comparisons.iter_mut() {
        comparison.evidence.is_located = comparison.is_located();
    }
    let judged: Vec<usize> = (0..comparisons.len())
        .filter(|index| {
            let comparison = &comparisons[*index];
            // What load explains was judged beyond the load. What else explains a change takes it out of the contest: it
            // is no alarm and must not make room for others.
            let is_open = comparison.explained_by.is_none_or(|rival| rival == Confounder::Load);
            is_open && series[comparison.series].direction != Direction::Neutral && comparison.p_value.is_some()
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
