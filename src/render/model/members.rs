//! The targets of a finding: which moved, by how much, and what all of them cost users.

use super::context::{Context, effect, seen, seen_change, seen_levels};
use super::view::{Align, Cell, Table, TargetLine};
use crate::detect::{Comparison, Finding, SeriesSummary, Verdict};
use crate::model::metric::Class;
use crate::render::clean;
use crate::render::number;
use crate::render::words::{Arg, Phrase};

/// Targets that a card names, the worst first.
const NAMED: usize = 6;
/// Datastores behind them that a card names.
const BEHIND: usize = 2;
/// Rows of the table of signals.
const SIGNALS: usize = 40;

/// What a card names of its targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Which {
    /// The targets that moved, the worst first; none for a finding of one.
    pub targets: Vec<TargetLine>,
    /// How many more there are.
    pub more: Phrase,
    /// Datastores behind operations.
    pub behind: Vec<TargetLine>,
}

/// Names the targets of a finding; nothing for a finding of one.
pub(super) fn which(context: &Context<'_>, finding: &Finding) -> Which {
    let Some((lead, ..)) = context.lead(finding) else { return Which::default() };
    let all: Vec<(&SeriesSummary, &Comparison)> =
        finding.targets.iter().filter_map(|target| context.target(target)).collect();
    if all.len() < 2 {
        return Which::default();
    }
    let (alike, behind): (Vec<_>, Vec<_>) = all.into_iter().partition(|(series, _)| series.key.kind == lead.key.kind);
    let named = |list: &[(&SeriesSummary, &Comparison)], most: usize, is_behind: bool| -> Vec<TargetLine> {
        let few = list.iter().take(most);
        few.map(|(series, comparison)| line(context, finding.verdict, series, comparison, is_behind)).collect()
    };
    let left = alike.len().saturating_sub(NAMED);
    let more = if left > 0 { context.say("findings.more_targets", &[("n", left.into())]) } else { Phrase::default() };
    Which { targets: named(&alike, NAMED, false), more, behind: named(&behind, BEHIND, true) }
}

fn line(
    context: &Context<'_>,
    verdict: Verdict,
    series: &SeriesSummary,
    comparison: &Comparison,
    is_behind: bool,
) -> TargetLine {
    let change = effect(series, comparison).map_or_else(String::new, |effect| seen_change(series, effect, comparison));
    let args = [
        ("signal", Arg::from(context.signal(&series.key.signal))),
        ("levels", seen_levels(series, comparison).into()),
        ("change", change.into()),
    ];
    let name = if is_behind {
        context.say("findings.behind", &[("target", Arg::Code(clean::name(&series.key.target)))])
    } else {
        context.code(&series.key.target)
    };
    let chip = (comparison.verdict != verdict).then(|| context.chip(comparison.verdict));
    TargetLine { chip, name, what: context.say("findings.target_line", &args) }
}

/// Writes how far the other targets moved: from the least to the most; nothing for a finding of one.
pub(super) fn others_range(context: &Context<'_>, finding: &Finding) -> Option<Phrase> {
    let (lead, ..) = context.lead(finding)?;
    let others = finding.targets.iter().skip(1).filter_map(|target| context.target(target));
    let mut sizes: Vec<(f64, String)> = others
        .filter(|(series, comparison)| {
            let is_difference = comparison.effect.as_ref().is_some_and(|effect| effect.scale.is_difference());
            series.key.kind == lead.key.kind && is_difference == (lead.class == Class::Errors)
        })
        .filter_map(|(series, comparison)| {
            let effect = effect(series, comparison)?;
            let size = seen(series, comparison).map_or(effect.estimate.value, |seen| seen.size);
            Some((size, seen_change(series, effect, comparison)))
        })
        .collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((_, low), (_, high)) = (sizes.first()?, sizes.last()?);
    let key = if low == high { "fact.other" } else { "fact.others" };
    Some(context.say(key, &[("low", low.clone().into()), ("high", high.clone().into())]))
}

/// Sums over the targets, a target that stands for the whole service only if it stands alone.
pub(super) fn sum(
    context: &Context<'_>,
    finding: &Finding,
    of: impl Fn(&SeriesSummary, &Comparison) -> Option<f64>,
) -> Option<f64> {
    let (lead, comparison, _) = context.lead(finding)?;
    let parts: Vec<f64> = (finding.targets.iter().filter_map(|target| context.target(target)))
        .filter(|(series, _)| series.key.kind == lead.key.kind && !series.key.is_whole_service())
        .filter_map(|(series, comparison)| of(series, comparison))
        .collect();
    if parts.is_empty() { of(lead, comparison) } else { Some(parts.iter().sum()) }
}

/// Lists every signal of every target that moved.
pub(super) fn signals(context: &Context<'_>, finding: &Finding) -> Table {
    let is_one = finding.targets.len() < 2;
    let rows = finding.members.iter().filter_map(|index| {
        let comparison = context.comparison(*index)?;
        let series = context.series(comparison.series)?;
        let signal = context.signal(&series.key.signal);
        let first =
            if is_one { Cell::text(signal) } else { Cell::text(context.code(&series.key.target)).noted(signal) };
        Some(vec![
            first,
            Cell::text(context.plain(number::levels(comparison.before, comparison.after, series.unit))),
            context.change_cell(effect(series, comparison), series.direction),
            Cell::chip(context.chip(comparison.verdict)),
        ])
    });
    let columns = [
        (if is_one { "col.signal" } else { "col.target" }, Align::Text),
        ("col.levels", Align::Number),
        ("col.change", Align::Number),
        ("col.verdict", Align::Text),
    ];
    let caption = if is_one { "findings.signals" } else { "findings.all_signals" };
    context.short_table(caption, &columns, rows.collect(), SIGNALS)
}
