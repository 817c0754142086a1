//! Comparisons of the judgement in the units and words of the document.

use super::Builder;
use crate::detect;
use crate::model::effect::{self, Effect, Estimate};
use crate::model::verdict::Verdict;
use crate::review::rounding::{finite, interval};
use crate::review::{Burst, Comparison, Instant, Pattern};

/// Returns every comparison, in the judgement's order.
pub(super) fn all(builder: &Builder<'_>) -> Vec<Comparison> {
    builder.input.judgement.comparisons.iter().filter_map(|one| comparison(builder, one)).collect()
}

fn comparison(builder: &Builder<'_>, own: &detect::Comparison) -> Option<Comparison> {
    let judgement = builder.input.judgement;
    let series = judgement.series.get(own.series)?;
    let group = judgement.groups.get(own.group)?;
    let ids = builder.groups.get(own.group)?.clone();
    let unit = series.unit;
    let in_unit = |value: f64| finite(value / unit.factor);
    let as_ratio = |log: f64| finite(log.exp());
    let (until, by) = recovery(builder, own.pattern, own);
    let ends = |estimate: Estimate| (estimate.low, estimate.high);
    let effect = own.effect.as_ref();
    let ratio = effect.and_then(Effect::log_ratio);
    let difference = effect.filter(|effect| effect.scale.is_difference());
    let delta = difference.map(|effect| effect.estimate);
    let plain_ratio = |effect: &Effect| match effect.scale {
        effect::Scale::LogRatio => effect.seen(),
        effect::Scale::Difference => effect.secondary_unadjusted,
    };
    Some(Comparison {
        service: series.key.service.clone(),
        kind: series.key.kind,
        target: series.key.target.clone(),
        signal: series.key.signal.clone(),
        unit,
        deploy: ids.first().cloned(),
        deploy_group: ids,
        verdict: own.verdict,
        explained_by: own.explained_by,
        pattern: own.pattern.map(pattern),
        until,
        by: by.and_then(|by| builder.groups.get(by)).and_then(|ids| ids.first()).cloned(),
        before: own.before.and_then(in_unit),
        after: own.after.and_then(in_unit),
        ratio: ratio.and_then(|ratio| as_ratio(ratio.value)),
        ratio_ci: ratio.map(ends).and_then(|(low, high)| interval(low.exp(), high.exp())),
        plain_ratio: effect.and_then(plain_ratio).and_then(as_ratio),
        delta: delta.and_then(|delta| in_unit(delta.value)),
        delta_ci: delta.map(ends).and_then(|(low, high)| interval(low / unit.factor, high / unit.factor)),
        plain_delta: difference.and_then(Effect::seen).and_then(in_unit),
        burst: own.burst.map(|burst| Burst {
            ratio: (!burst.scale.is_difference()).then(|| as_ratio(burst.size)).flatten(),
            delta: burst.scale.is_difference().then(|| in_unit(burst.size)).flatten(),
            p_value: finite(burst.p_value),
        }),
        limit: effect.and_then(|effect| as_ratio(effect.limit_ratio(own.before))),
        limit_delta: difference.and_then(|effect| in_unit(effect.limit)),
        detectable: effect.and_then(|effect| effect.detectable_ratio(own.before)).and_then(as_ratio),
        p_value: own.p_value.and_then(finite),
        q_value: own.q_value.and_then(finite),
        coverage: finite(own.coverage),
        onset: own.onset.map(|onset| builder.span(onset)),
        blame: own.blame.and_then(finite),
        cost_ms: own.cost_s.and_then(|cost| finite(cost * 1e3)),
        ready_at: own.ready_at.map(|at| builder.instant(at)),
        before_window: builder.span(own.before_window),
        after_window: builder.span(own.after_window),
        series: own.series,
        number: group.number,
        reason: own.reason.filter(|_| matches!(own.verdict, Verdict::Inconclusive | Verdict::NoData)),
        covers: match own.verdict {
            Verdict::NoMaterialChange | Verdict::NotWorse => vec![builder.span(own.after_window)],
            _ => Vec::new(),
        },
        scale: effect.map(|effect| effect.scale.into()),
        detectable_delta: difference.and_then(|effect| effect.detectable).and_then(in_unit),
    })
}

/// Returns the word of a pattern.
pub(super) fn pattern(pattern: detect::Pattern) -> Pattern {
    match pattern {
        detect::Pattern::Sustained => Pattern::Sustained,
        detect::Pattern::Recovered { .. } => Pattern::Recovered,
        detect::Pattern::Burst => Pattern::Burst,
        detect::Pattern::TailOnly => Pattern::TailOnly,
        detect::Pattern::Gradual { .. } => Pattern::Gradual,
        detect::Pattern::Delayed { .. } => Pattern::Delayed,
    }
}

/// Returns when the old level was back, or until when the new one was not there, and the group of deploys that took it back, as an index of the judgement.
pub(super) fn recovery(
    builder: &Builder<'_>,
    pattern: Option<detect::Pattern>,
    of: &detect::Comparison,
) -> (Option<Instant>, Option<usize>) {
    match pattern {
        Some(detect::Pattern::Burst) => (of.burst.map(|burst| builder.instant(burst.until)), None),
        Some(detect::Pattern::Recovered { until, by }) => (Some(builder.instant(until)), by),
        Some(detect::Pattern::Gradual { until } | detect::Pattern::Delayed { until }) => {
            (Some(builder.instant(until)), None)
        }
        _ => (None, None),
    }
}
