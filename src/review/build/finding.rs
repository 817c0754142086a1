//! Findings with their evidence, and the changes that no deploy explains.

use super::hourly::Hourly;
use super::{Builder, Input, comparison};
use crate::detect::{self, SeriesSummary, UnattributedKind};
use crate::model::time::{DAY, Window};
use crate::review::change::{Change, Scale};
use crate::review::rounding::finite;
use crate::review::{Comparison, Finding, Fit, Hint, HintKind, Movement, Target, Unattributed, explanation};

/// Returns every finding, in the judgement's order.
pub(super) fn all(builder: &Builder<'_>, comparisons: &[Comparison]) -> Vec<Finding> {
    builder.input.judgement.findings.iter().filter_map(|own| finding(builder, comparisons, own)).collect()
}

fn finding(builder: &Builder<'_>, comparisons: &[Comparison], own: &detect::Finding) -> Option<Finding> {
    let Input { judgement, events, sources, config, .. } = builder.input;
    let lead = judgement.comparisons.get(own.lead)?;
    let series = judgement.series.get(lead.series)?;
    let group = judgement.groups.get(own.group)?;
    let ids = builder.groups.get(own.group)?.clone();
    let service = config.services.iter().find(|service| service.name == *series.key.service);
    let leading = comparisons.get(own.lead)?;
    let (until, by) = comparison::recovery(builder, own.pattern, lead);
    Some(Finding {
        id: own.id.clone(),
        fingerprint: own.fingerprint.to_string(),
        verdict: own.verdict,
        service: series.key.service.clone(),
        kind: series.key.kind,
        target: series.key.target.clone(),
        signal: series.key.signal.clone(),
        unit: series.unit,
        deploy: ids.first().cloned(),
        deploy_group: ids,
        number: group.number,
        pattern: own.pattern.map(comparison::pattern),
        until,
        by: by.and_then(|by| builder.groups.get(by)).and_then(|ids| ids.first()).cloned(),
        over: is_over(own.pattern, judgement.period.end),
        before: leading.before,
        after: leading.after,
        ratio: leading.ratio,
        ratio_ci: leading.ratio_ci,
        delta: leading.delta,
        delta_ci: leading.delta_ci,
        cost_ms: finite(own.cost_s * 1e3),
        failed_requests: own.failed.and_then(finite),
        lead: own.lead,
        targets: own.targets.iter().filter_map(|target| self::target(builder, target, own.felt)).collect(),
        members: own.members.clone(),
        hints: own.hints.iter().map(|(hint, comparison)| self::hint(*hint, *comparison)).collect(),
        owner: service.map(|service| service.owner.clone()).unwrap_or_default(),
        runbook: service.map(|service| service.runbook.clone()).unwrap_or_default(),
        explanation: explanation::make(judgement, events, sources, config, own),
        by_number: by.and_then(|by| judgement.groups.get(by)).map(|group| group.number),
        comparison: Some(Box::new(leading.clone())),
    })
}

/// Returns whether a change of this shape is over at the end of the period. One that went away by itself a few hours ago may
/// come back.
fn is_over(pattern: Option<detect::Pattern>, end: i64) -> bool {
    match pattern {
        Some(detect::Pattern::Recovered { by: Some(_), .. }) => true,
        Some(detect::Pattern::Recovered { until, by: None }) => until + DAY <= end,
        _ => false,
    }
}

fn target(builder: &Builder<'_>, own: &detect::Target, felt: Window) -> Option<Target> {
    let judgement = builder.input.judgement;
    let series = judgement.series.get(judgement.comparisons.get(own.lead)?.series)?;
    Some(Target {
        kind: series.key.kind,
        target: series.key.target.clone(),
        verdict: own.verdict,
        lead: own.lead,
        cost_ms: finite(own.cost_s * 1e3),
        failed_requests: own.failed.and_then(finite),
        requests: requests(series, felt),
    })
}

fn requests(series: &SeriesSummary, window: Window) -> Option<f64> {
    Hourly { start: series.start, values: &series.requests }.sum(window).and_then(finite)
}

fn hint(hint: detect::Hint, comparison: usize) -> Hint {
    let (hint, fit) = match hint {
        detect::Hint::DatabaseTime(fit) => (HintKind::DatabaseTime, fit),
        detect::Hint::Traffic(fit) => (HintKind::Traffic, fit),
        detect::Hint::Processor(fit) => (HintKind::Processor, fit),
        detect::Hint::Errors(fit) => (HintKind::Errors, fit),
    };
    let fit = match fit {
        detect::Fit::Fits => Fit::Fits,
        detect::Fit::DoesNotFit => Fit::DoesNotFit,
        detect::Fit::CannotTell => Fit::CannotTell,
    };
    Hint { hint, fit, comparison }
}

/// Returns when a series had changed before, at a deploy or not; the least number if it had not.
fn last_change(builder: &Builder<'_>, own: &detect::Unattributed) -> i64 {
    let judgement = builder.input.judgement;
    let elsewhere = judgement.elsewhere.iter().filter(|one| one.series == own.series).map(|one| one.at);
    let deployed = judgement.comparisons.iter().filter(|one| one.series == own.series).filter_map(|one| one.onset);
    let ends = elsewhere.chain(deployed).map(|at| at.end).filter(|end| *end <= own.at.start);
    ends.max().unwrap_or(i64::MIN)
}

/// Returns the changes that no deploy explains, in the judgement's order.
pub(super) fn unattributed(builder: &Builder<'_>) -> Vec<Unattributed> {
    builder.input.judgement.elsewhere.iter().filter_map(|own| change(builder, own)).collect()
}

fn change(builder: &Builder<'_>, own: &detect::Unattributed) -> Option<Unattributed> {
    let series = builder.input.judgement.series.get(own.series)?;
    let scale = Scale::from(own.change.scale);
    let size = Change::new(scale, own.change.estimate, series.unit);
    let interval = size.low.zip(size.high).map(|(low, high)| [low, high]);
    let week = match own.kind {
        UnattributedKind::Shift => Window::new(last_change(builder, own).max(own.at.start - 7 * DAY), own.at.start),
        UnattributedKind::Drift => Window::new(own.at.start, own.at.start + 7 * DAY),
    };
    let before = own.before.or_else(|| Hourly { start: series.start, values: &series.hourly }.median(week));
    let after = before.map(|before| own.change.scale.after(before, own.change.estimate.value));
    let after = after.map(|after| if before >= Some(0.0) { after.max(0.0) } else { after });
    let in_unit = |level: Option<f64>| level.and_then(|level| finite(level / series.unit.factor));
    let (ratio, delta) = match scale {
        Scale::Ratio => ((size.value, interval), (None, None)),
        Scale::Difference => ((None, None), (size.value, interval)),
    };
    Some(Unattributed {
        service: series.key.service.clone(),
        kind: series.key.kind,
        target: series.key.target.clone(),
        signal: series.key.signal.clone(),
        unit: series.unit,
        change: match own.kind {
            UnattributedKind::Shift => Movement::Shift,
            UnattributedKind::Drift => Movement::Drift,
        },
        at: builder.span(own.at),
        ratio: ratio.0,
        ratio_ci: ratio.1,
        delta: delta.0,
        delta_ci: delta.1,
        before: in_unit(before),
        after: in_unit(after),
        p_value: finite(own.p_value),
        worse: own.is_worse,
        series: own.series,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::HOUR;

    #[test]
    fn what_went_away_by_itself_is_over_after_a_day() {
        let recovered = |until: i64, by: Option<usize>| Some(detect::Pattern::Recovered { until, by });
        let end = 10 * DAY;
        assert!(is_over(recovered(end - HOUR, Some(3)), end), "a deploy took it back");
        assert!(!is_over(recovered(end - 23 * HOUR, None), end), "it may come back");
        assert!(is_over(recovered(end - DAY, None), end));
        assert!(!is_over(Some(detect::Pattern::Sustained), end) && !is_over(None, end));
    }
}
