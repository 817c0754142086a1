//! Gathers a finding's explanation from the evidence that the judge wrote; decides nothing.

use super::hours::{self, Which};
use super::lead::Lead;
use super::{Change, Explanation, Fact, Inputs, Limit, LimitFrom, OtherDeploy, Rule, Scale, Signal, TakenBack, rivals};
use crate::config::Config;
use crate::detect::evidence::{GroupKey, Withdrawal};
use crate::detect::{Comparison, Estimate, Finding, Fit, Hint, Judgement, Verdict};
use crate::model::effect;
use crate::model::event::{DeployGroup, Event};
use crate::model::metric::{Class, Polarity, Unit};
use crate::model::time::Window;
use crate::review::rounding::{finite, round};
use crate::source::{self, SourceState};

/// Returns how a finding came about; `None` if one of its indices leads nowhere.
///
/// `events`: the list that the groups of the judgement point into. `states`: how the sources fared.
pub(crate) fn make(
    judgement: &Judgement,
    events: &[Event],
    states: &[SourceState],
    config: &Config,
    finding: &Finding,
) -> Option<Box<Explanation>> {
    let comparison = judgement.comparisons.get(finding.lead)?;
    let series = judgement.series.get(comparison.series)?;
    let group = judgement.groups.get(finding.group)?;
    let lead = Lead { judgement, events, config, comparison, series, group };
    let (mut before, mut after) = (hours::side(&lead, Which::Before), hours::side(&lead, Which::After));
    hours::spread(&mut before, &mut after, series.unit.factor);
    let estimate = change_of(comparison, series.unit);
    let others = other_deploys(&lead);
    let blame = comparison.blame.and_then(finite);
    let rest = |blame: f64| round((1.0 - blame - others.iter().map(|other| other.blame).sum::<f64>()).max(0.0));
    Some(Box::new(Explanation {
        inputs: Inputs {
            class: series.class,
            better: series.direction,
            step_s: round(series.step_ms as f64 / 1e3),
            source: source::source_of(states, &series.key).map(str::to_owned),
        },
        settling: lead.span(Window::new(comparison.before_window.end, comparison.after_window.start)),
        estimate,
        limit: limit(&lead),
        detectable: detectable(&lead),
        p_value: comparison.p_value.and_then(finite),
        q_value: comparison.q_value.and_then(finite),
        false_discovery: round(config.judge.false_discovery),
        coverage: finite(comparison.coverage),
        onset: comparison.onset.map(|onset| lead.span(onset)),
        blame,
        blame_elsewhere: blame.map(rest),
        rule: rule(&lead),
        rivals: rivals::checks(&lead, &before, &after, &others, blame.map(rest)),
        facts: finding.hints.iter().filter_map(|(hint, shown)| fact(judgement, *hint, *shown)).collect(),
        signals: finding.members.iter().filter_map(|index| signal(judgement, *index)).collect(),
        other_deploys: others,
        before: before.side,
        after: after.side,
    }))
}

/// Returns the estimate that the verdict was made of, and its limit, on one scale (log ratio or base unit).
fn judged(comparison: &Comparison) -> Option<(Estimate, f64, Scale)> {
    let effect = comparison.effect.as_ref()?;
    Some((effect.estimate, effect.limit, scale_of(effect.scale)))
}

fn scale_of(scale: effect::Scale) -> Scale {
    match scale {
        effect::Scale::LogRatio => Scale::Ratio,
        effect::Scale::Difference => Scale::Difference,
    }
}

/// Writes a value of one scale as the JSON has it.
fn written(value: f64, scale: Scale, unit: Unit) -> Option<f64> {
    match scale {
        Scale::Ratio => finite(value.exp()),
        Scale::Difference => finite(value / unit.factor),
    }
}

fn change_of(comparison: &Comparison, unit: Unit) -> Option<Change> {
    let (estimate, _, scale) = judged(comparison)?;
    let written = |value| written(value, scale, unit);
    Some(Change { scale, value: written(estimate.value), low: written(estimate.low), high: written(estimate.high) })
}

fn detectable(lead: &Lead<'_>) -> Option<f64> {
    let effect = lead.comparison.effect.as_ref()?;
    written(effect.detectable?, scale_of(effect.scale), lead.series.unit)
}

/// Returns the limit with the keys of the config that it comes from.
fn limit(lead: &Lead<'_>) -> Option<Limit> {
    let (_, used, scale) = judged(lead.comparison)?;
    let unit = lead.series.unit;
    let signal = &*lead.series.key.signal;
    let class = lead.series.class;
    let (relative, absolute) = lead.config.limit(signal, class);
    let own = lead.config.signals.get(signal).copied().unwrap_or_default();
    let of_class = match class {
        Class::Latency => Some("judge.limit.latency_ms"),
        Class::Errors => Some("judge.limit.error_share"),
        Class::Saturation => Some("judge.limit.utilization_points"),
        Class::Traffic | Class::Other => None,
    };
    let own_key = |word: &str| format!("signal.{signal}.{word}");
    let is_relative = match scale {
        Scale::Ratio => used <= relative.ln_1p() + 1e-12,
        Scale::Difference => used > absolute + 1e-12 || absolute <= 0.0,
    };
    let has_absolute = absolute > 0.0;
    Some(Limit {
        value: written(used, scale, unit)?,
        from: if is_relative { LimitFrom::Relative } else { LimitFrom::Absolute },
        relative: round(relative),
        relative_key: if own.relative.is_some() { own_key("relative") } else { "judge.limit.relative".to_owned() },
        absolute: has_absolute.then(|| finite(absolute / unit.factor)).flatten(),
        absolute_key: match own.absolute {
            _ if !has_absolute => None,
            Some(_) => Some(own_key("absolute")),
            None => of_class.map(str::to_owned),
        },
    })
}

/// Returns the other groups of the period that share the attribution.
fn other_deploys(lead: &Lead<'_>) -> Vec<OtherDeploy> {
    let Some(attribution) = &lead.comparison.evidence.attribution else { return Vec::new() };
    let first = |group: &DeployGroup| group.members.first().and_then(|member| lead.events.get(*member));
    let of = |(key, share): &(GroupKey, f64)| {
        let is_it = |group: &&DeployGroup| {
            *group.service == *key.service && first(group).is_some_and(|event| *event.id == *key.deploy)
        };
        let group = lead.judgement.groups.iter().find(is_it).filter(|group| group.number != lead.group.number)?;
        let at = lead.instant(group.window.start);
        Some(OtherDeploy { number: group.number, deploys: lead.ids(group), at, blame: finite(*share)? })
    };
    attribution.groups.iter().filter_map(of).collect()
}

fn rule(lead: &Lead<'_>) -> Option<Rule> {
    let (estimate, limit, scale) = judged(lead.comparison)?;
    let line = lead.comparison.evidence.table?;
    let (e, l, u) = match lead.series.direction {
        Polarity::Higher => (-estimate.value, -estimate.high, -estimate.low),
        Polarity::Lower | Polarity::Neutral => (estimate.value, estimate.low, estimate.high),
    };
    let end = lead.comparison.verdict;
    let written = |value| written(value, scale, lead.series.unit);
    Some(Rule {
        line: line.as_str().to_owned(),
        condition: condition(line).to_owned(),
        e: written(e),
        l: written(l),
        u: written(u),
        limit: written(limit),
        verdict: end.as_str().to_owned(),
        taken_back: lead.comparison.evidence.withdrawn.iter().copied().map(taken_back).collect(),
    })
}

/// Returns the condition of a verdict's line in the table.
fn condition(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "U < 0 and E <= -limit",
        Verdict::NoMaterialChange => "L >= -limit and U <= limit",
        Verdict::NotWorse => "U <= limit",
        Verdict::Worse => "L > 0 and E >= limit",
        Verdict::PossiblyWorse => "L > 0",
        Verdict::Inconclusive | Verdict::Explained | Verdict::TooEarly | Verdict::NoData => "else",
    }
}

fn taken_back(why: Withdrawal) -> TakenBack {
    match why {
        Withdrawal::FalseDiscovery => TakenBack::FalseDiscovery,
        Withdrawal::Location => TakenBack::Location,
        Withdrawal::Explained => TakenBack::Explained,
    }
}

fn fact(judgement: &Judgement, hint: Hint, shown: usize) -> Option<Fact> {
    let comparison = judgement.comparisons.get(shown)?;
    let series = judgement.series.get(comparison.series)?;
    let (fact, fit) = match hint {
        Hint::DatabaseTime(fit) => ("database_time", fit),
        Hint::Traffic(fit) => ("traffic", fit),
        Hint::Processor(fit) => ("processor", fit),
        Hint::Errors(fit) => ("errors", fit),
    };
    let fit = match fit {
        Fit::Fits => "fits",
        Fit::DoesNotFit => "does_not_fit",
        Fit::CannotTell => "cannot_tell",
    };
    Some(Fact {
        fact: fact.to_owned(),
        fit: fit.to_owned(),
        target: series.key.target.to_string(),
        signal: series.key.signal.to_string(),
        unit: series.unit.symbol.to_owned(),
        change: change_of(comparison, series.unit),
        before: comparison.before.and_then(|level| finite(level / series.unit.factor)),
    })
}

fn signal(judgement: &Judgement, index: usize) -> Option<Signal> {
    let comparison = judgement.comparisons.get(index)?;
    let series = judgement.series.get(comparison.series)?;
    let in_unit = |value: f64| finite(value / series.unit.factor);
    Some(Signal {
        target: series.key.target.to_string(),
        signal: series.key.signal.to_string(),
        unit: series.unit.symbol.to_owned(),
        better: series.direction,
        before: comparison.before.and_then(in_unit),
        after: comparison.after.and_then(in_unit),
        change: change_of(comparison, series.unit),
        verdict: comparison.verdict.as_str().to_owned(),
    })
}
