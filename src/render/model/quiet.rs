//! The quiet list: what was ruled out and at what size, and what could not be judged.

use std::collections::BTreeMap;

use super::context::{Context, effect, in_bad_direction, limit};
use super::findings::{detectable, more_days};
use super::view::{Align, Block, Cell, Section};
use crate::detect::{Comparison, SeriesSummary, Verdict};
use crate::render::clean;
use crate::render::number::{self, Effect};
use crate::render::words::{Arg, Phrase};

const SERVICES: usize = 60;
const OPEN: usize = 20;

pub(super) fn section(context: &Context<'_>) -> Option<Section> {
    if context.judgement.comparisons.is_empty() {
        return None;
    }
    let mut blocks = vec![Block::Text(context.label("quiet.lead"))];
    let ruled_out = ruled_out(context);
    if !ruled_out.is_empty() {
        let columns = [
            ("col.service", Align::Text),
            ("col.checks", Align::Number),
            ("col.ruled_out", Align::Number),
            ("col.still_possible", Align::Number),
        ];
        blocks.push(Block::Table(context.short_table("quiet.ruled_out", &columns, ruled_out, SERVICES)));
    }
    for (verdict, title) in
        [(Verdict::Inconclusive, "quiet.open"), (Verdict::TooEarly, "quiet.early"), (Verdict::NoData, "quiet.no_data")]
    {
        let (rows, total) = rows_of(context, verdict);
        if total > 0 {
            let columns = [
                ("col.what", Align::Text),
                ("col.deploy", Align::Text),
                ("col.range", Align::Number),
                ("col.needed", Align::Text),
            ];
            let title_text = context.say(title, &[("n", total.into())]);
            let mut table = context.table(title, &columns, rows);
            table.caption = title_text.clone();
            table.more = context.more(total, OPEN);
            blocks.push(Block::Folded(title_text, table));
        }
    }
    Some(Section { id: "quiet", title: context.label("nav.quiet"), blocks })
}

/// Sums up by service: checks, how many were ruled out, and the largest rise that is still possible there.
fn ruled_out(context: &Context<'_>) -> Vec<Vec<Cell>> {
    let mut services: BTreeMap<&str, (usize, usize, f64)> = BTreeMap::new();
    for comparison in &context.judgement.comparisons {
        let Some(series) = context.series(comparison.series) else { continue };
        let entry = services.entry(&*series.key.service).or_insert((0, 0, f64::NEG_INFINITY));
        entry.0 += 1;
        if matches!(comparison.verdict, Verdict::NoMaterialChange | Verdict::NotWorse) {
            entry.1 += 1;
            if let Some(estimate) = comparison.effect.as_ref().and_then(crate::detect::Effect::log_ratio) {
                entry.2 = entry.2.max(in_bad_direction(estimate, series.direction).high);
            }
        }
    }
    let row = |(service, (total, n, high)): (&str, (usize, usize, f64))| {
        vec![
            Cell::text(context.code(service)),
            Cell::text(context.plain(number::whole(total as u64))),
            Cell::text(context.plain(number::whole(n as u64))),
            Cell::text(context.plain(number::change(high))),
        ]
    };
    services.into_iter().map(row).collect()
}

/// Returns the first rows of a verdict, those with most time behind them, and how many there are.
fn rows_of(context: &Context<'_>, verdict: Verdict) -> (Vec<Vec<Cell>>, usize) {
    let mut found: Vec<(&SeriesSummary, &Comparison)> = context
        .judgement
        .comparisons
        .iter()
        .filter(|comparison| comparison.verdict == verdict)
        .filter_map(|comparison| Some((context.series(comparison.series)?, comparison)))
        .collect();
    let weight = |series: &SeriesSummary| series.total_time_s.unwrap_or(0.0);
    found.sort_by(|a, b| {
        weight(b.0).total_cmp(&weight(a.0)).then_with(|| a.0.key.cmp(&b.0.key)).then(a.1.group.cmp(&b.1.group))
    });
    let rows = found.iter().take(OPEN).map(|(series, comparison)| row(context, series, comparison));
    (rows.collect(), found.len())
}

fn row(context: &Context<'_>, series: &SeriesSummary, comparison: &Comparison) -> Vec<Cell> {
    let effect = effect(series, comparison);
    let deploy = context
        .group(comparison.group)
        .map_or_else(Phrase::default, |group| context.say("common.flag", &[("deploy", Arg::Flag(group.number))]));
    vec![
        Cell::text(context.named(&series.key)).noted(context.plain(clean::name(&series.key.service))),
        Cell::text(deploy),
        Cell::text(effect.map_or_else(|| context.plain(number::NONE), |effect| context.both(&effect.range()))),
        Cell::text(needed(context, comparison, effect)),
    ]
}

/// Tells what would be needed to judge it.
fn needed(context: &Context<'_>, comparison: &Comparison, effect: Option<Effect>) -> Phrase {
    if let Some(at) = comparison.ready_at {
        return context.say("needed.ready", &[("at", context.stamp(at).into())]);
    }
    if comparison.verdict == Verdict::NoData && comparison.coverage >= context.config.judge.min_coverage {
        return context.label("needed.beside");
    }
    if comparison.verdict == Verdict::NoData {
        return context.say("needed.data", &[("share", number::share_words(comparison.coverage).into())]);
    }
    let Some((effect, size)) = effect.zip(detectable(comparison)) else {
        return context.label("needed.unknown");
    };
    let limit = limit(comparison);
    let write = |value: f64| number::size(value, effect.is_delta, effect.unit);
    let args = [("size", Arg::from(write(size))), ("limit", write(limit).into())];
    let seen = context.say("needed.size", &args);
    match more_days(comparison, limit) {
        Some(days) => context.words.sentences(&[seen, context.say("needed.days", &[("n", days.into())])]),
        None => seen,
    }
}
