//! Tells each change once: one finding a target and deploy, with its signals, shape, cost and neighbouring facts.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Comparison, Finding, Fit, Hint, Judgement, Pattern, Verdict};
use crate::deploy::Event;
use crate::metric::{Class, Kind};

/// Fills the judgement's findings: worse by cost, then possibly worse, better, explained.
pub fn tell(judgement: &mut Judgement, events: &[Event]) {
    let mut members: BTreeMap<(usize, Kind, String, String, u8), Vec<usize>> = BTreeMap::new();
    for (index, comparison) in judgement.comparisons.iter().enumerate() {
        if is_told(comparison, judgement.audit.p_threshold) {
            let series = &judgement.series[comparison.series];
            let topic = match series.class {
                Class::Latency => 0,
                Class::Errors => 1,
                _ => 2,
            };
            let key = (
                comparison.group,
                series.key.kind,
                series.key.service.to_string(),
                series.key.target.to_string(),
                topic,
            );
            members.entry(key).or_default().push(index);
        }
    }
    let mut findings: Vec<Finding> =
        members.into_values().filter_map(|members| finding(judgement, events, members)).collect();
    let rank = |verdict: Verdict| match verdict {
        Verdict::Worse => 0,
        Verdict::PossiblyWorse => 1,
        Verdict::Better => 2,
        _ => 3,
    };
    // Users feel operations; a slower database behind them is the same harm told from within.
    let kind = |finding: &Finding| judgement.series[judgement.comparisons[finding.lead].series].key.kind;
    findings.sort_by(|a, b| {
        rank(a.verdict)
            .cmp(&rank(b.verdict))
            .then(kind(a).cmp(&kind(b)))
            .then(b.cost_s.abs().total_cmp(&a.cost_s.abs()))
            .then(a.lead.cmp(&b.lead))
    });
    judgement.findings = findings;
}

/// Tells whether a comparison is told as a finding: alarms, explained changes, and a suspicion that holds among all
/// comparisons of the report and is at least half of what matters.
fn is_told(comparison: &Comparison, p_threshold: f64) -> bool {
    match comparison.verdict {
        Verdict::Worse | Verdict::Better | Verdict::Explained => true,
        Verdict::PossiblyWorse => {
            let size = match (comparison.delta, comparison.limit_delta, comparison.log_ratio) {
                (Some(delta), Some(limit), _) => delta.value.abs() / limit,
                (_, _, Some(ratio)) => ratio.value.abs() / comparison.limit,
                _ => 0.0,
            };
            size >= 0.5 && comparison.p_value.is_some_and(|p| p <= p_threshold)
        }
        _ => false,
    }
}

fn finding(judgement: &Judgement, events: &[Event], members: Vec<usize>) -> Option<Finding> {
    let of = |index: usize| &judgement.comparisons[index];
    let verdict = [Verdict::Worse, Verdict::Better, Verdict::PossiblyWorse, Verdict::Explained]
        .into_iter()
        .find(|verdict| members.iter().any(|index| of(*index).verdict == *verdict))?;
    let lead = members.iter().copied().filter(|index| of(*index).verdict == verdict).max_by(|a, b| {
        let clarity = |index: usize| {
            let comparison = of(index);
            // p95 is what teams watch; among equals the one that is clearest.
            let name = &judgement.series[comparison.series].key.signal;
            (&**name == "latency_p95", ordered(comparison.p_value.map_or(0.0, |p| -p)))
        };
        clarity(*a).cmp(&clarity(*b)).then(b.cmp(a))
    })?;
    let patterns =
        || members.iter().filter(|index| of(**index).verdict == verdict).filter_map(|index| of(*index).pattern);
    let recovered = patterns().find(|pattern| matches!(pattern, Pattern::Recovered { .. }));
    let pattern = recovered.or_else(|| patterns().find(|pattern| *pattern == Pattern::TailOnly)).or(of(lead).pattern);
    // Requests wait for the median (or mean) longer; where only the tail moved, its share of the requests does.
    let typical = |index: &usize| {
        matches!(&*judgement.series[of(*index).series].key.signal, "latency_p50" | "latency_mean" | "db_time")
    };
    let cost_s = match members.iter().find(|index| typical(index)) {
        Some(index) => of(*index).cost_s.unwrap_or(0.0),
        None => of(lead).cost_s.unwrap_or(0.0) * tail_share(&judgement.series[of(lead).series].key.signal),
    };
    let hints = hints(judgement, lead);
    Some(Finding {
        id: id(judgement, events, lead),
        group: of(lead).group,
        verdict,
        lead,
        members,
        pattern,
        hints,
        cost_s,
    })
}

/// Returns the share of requests that a percentile speaks of when the median did not move.
fn tail_share(signal: &str) -> f64 {
    match signal {
        "latency_p99" => 0.01,
        "latency_p95" => 0.05,
        "latency_p90" => 0.1,
        _ => 1.0,
    }
}

fn ordered(value: f64) -> i64 {
    // Total order of finite floats as integers.
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// Returns the id: a hash of what was found where and since which deploy, the same in the next report.
fn id(judgement: &Judgement, events: &[Event], lead: usize) -> String {
    let comparison = &judgement.comparisons[lead];
    let series = &judgement.series[comparison.series];
    let deploy = judgement
        .groups
        .get(comparison.group)
        .and_then(|group| group.members.first())
        .and_then(|member| events.get(*member));
    let mut hash = Sha256::new();
    let class = format!("{:?}", series.class);
    for part in [
        &*series.key.service,
        series.key.kind.as_str(),
        &*series.key.target,
        class.as_str(),
        deploy.map_or("", |deploy| deploy.id.as_str()),
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    format!("F-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

/// Collects what else moved, or did not, in the service at the same deploy.
fn hints(judgement: &Judgement, lead: usize) -> Vec<(Hint, usize)> {
    let told = &judgement.comparisons[lead];
    let subject = &judgement.series[told.series];
    let up = told.log_ratio.or(told.delta).is_some_and(|estimate| estimate.value > 0.0);
    let mut best: BTreeMap<u8, (Hint, usize, f64)> = BTreeMap::new();
    for (index, other) in judgement.comparisons.iter().enumerate() {
        let series = &judgement.series[other.series];
        if other.group != told.group || series.key.service != subject.key.service {
            continue;
        }
        let same_target = series.key.target == subject.key.target;
        let (slot, make): (u8, fn(Fit) -> Hint) = match (series.key.kind, &*series.key.signal, series.class) {
            (Kind::Datastore, "db_time", _) if subject.key.kind == Kind::Operation => (0, Hint::DatabaseTime),
            (_, "throughput", _) if same_target && subject.class != Class::Traffic => (1, Hint::Traffic),
            (Kind::Resource, "cpu_utilization", _) if subject.key.kind != Kind::Resource => (2, Hint::Processor),
            (_, _, Class::Errors) if same_target && subject.class != Class::Errors => (3, Hint::Errors),
            _ => continue,
        };
        let (fit, strength) = fit(other, up);
        if best.get(&slot).is_none_or(|(_, _, strongest)| strength > *strongest) {
            best.insert(slot, (make(fit), index, strength));
        }
    }
    best.into_values().map(|(hint, index, _)| (hint, index)).collect()
}

/// Returns whether a comparison moved the way the finding did, and how telling that is among its like.
fn fit(other: &super::Comparison, up: bool) -> (Fit, f64) {
    let Some(estimate) = other.log_ratio.or(other.delta) else { return (Fit::CannotTell, -1.0) };
    let limit = if other.log_ratio.is_some() { other.limit } else { other.limit_delta.unwrap_or(f64::INFINITY) };
    let sign = if up { 1.0 } else { -1.0 };
    let (value, low) = (sign * estimate.value, if up { estimate.low } else { -estimate.high });
    let high = if up { estimate.high } else { -estimate.low };
    if value >= limit && low > 0.0 {
        (Fit::Fits, value / limit)
    } else if high <= limit {
        (Fit::DoesNotFit, 0.5)
    } else {
        (Fit::CannotTell, 0.0)
    }
}
