//! The targets of a finding: which moved, by how much, and what all of them cost users.

use super::context::ViewContext;
use super::parts::{TargetLine, Which};
use crate::model::effect::Scale;
use crate::model::metric::Class;
use crate::model::verdict::Verdict;
use crate::render::change::{self, Readable};
use crate::render::i18n::{Arg, Phrase};
use crate::render::sanitize;
use crate::review::{Comparison, Finding, Target};

/// Targets that a card names, the worst first.
const NAMED: usize = 6;
/// Datastores behind them that a card names.
const BEHIND: usize = 2;

/// Names the targets of a finding; nothing for a finding of one.
pub(super) fn which(context: &ViewContext<'_>, finding: &Finding) -> Which {
    let found = |target: &Target| context.review.comparisons.get(target.lead);
    let all: Vec<&Comparison> = finding.targets.iter().filter_map(found).collect();
    if all.len() < 2 {
        return Which::default();
    }
    let (alike, behind): (Vec<_>, Vec<_>) = all.into_iter().partition(|comparison| comparison.kind == finding.kind);
    let named = |list: &[&Comparison], most: usize, is_behind: bool| -> Vec<TargetLine> {
        list.iter().take(most).map(|comparison| line(context, finding.verdict, comparison, is_behind)).collect()
    };
    let left = alike.len().saturating_sub(NAMED);
    let more =
        if left > 0 { context.message("findings.more_targets", &[("n", left.into())]) } else { Phrase::default() };
    Which { targets: named(&alike, NAMED, false), more, behind: named(&behind, BEHIND, true) }
}

fn line(context: &ViewContext<'_>, verdict: Verdict, comparison: &Comparison, is_behind: bool) -> TargetLine {
    let name = if is_behind {
        context.message("findings.behind", &[("target", Arg::Code(sanitize::name(&comparison.target)))])
    } else {
        context.code(&comparison.target)
    };
    let chip = (comparison.verdict != verdict || comparison.is_burst()).then(|| context.seen_chip(comparison));
    TargetLine { chip, name, what: context.target_line(comparison) }
}

/// Writes how far the other targets moved: from the least to the most; nothing for a finding of one.
pub(super) fn others_range(context: &ViewContext<'_>, finding: &Finding) -> Option<Phrase> {
    let is_share = |comparison: &Comparison| comparison.judged().is_some_and(|own| own.scale == Scale::Difference);
    let wanted = finding.class() == Class::Errors;
    let others = finding.targets.iter().skip(1).filter_map(|target| context.review.comparisons.get(target.lead));
    let mut sizes: Vec<(f64, String)> = others
        .filter(|comparison| comparison.kind == finding.kind && is_share(comparison) == wanted)
        .filter_map(|comparison| {
            let change = Readable::of(comparison)?;
            let size = comparison.seen().map_or(change.estimate.value, |seen| seen.size);
            Some((size, change::seen_change(comparison)?))
        })
        .collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((_, low), (_, high)) = (sizes.first()?, sizes.last()?);
    let key = if low == high { "fact.other" } else { "fact.others" };
    Some(context.message(key, &[("low", low.clone().into()), ("high", high.clone().into())]))
}

/// Sums over the targets, a target that is the whole service only if it is alone.
pub(super) fn sum(
    context: &ViewContext<'_>,
    finding: &Finding,
    of: impl Fn(&Target, &Comparison) -> Option<f64>,
) -> Option<f64> {
    let found = |target: &Target| of(target, context.review.comparisons.get(target.lead)?);
    let is_part = |target: &&Target| {
        let comparison = context.review.comparisons.get(target.lead);
        comparison.is_some_and(|comparison| comparison.kind == finding.kind && !comparison.key().is_whole_service())
    };
    let parts: Vec<f64> = finding.targets.iter().filter(is_part).filter_map(found).collect();
    if parts.is_empty() {
        let lead = finding.targets.iter().find(|target| target.lead == finding.lead)?;
        found(lead)
    } else {
        Some(parts.iter().sum())
    }
}
