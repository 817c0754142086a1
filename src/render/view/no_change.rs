//! What was ruled out and at what size, and what could not be judged.

use std::collections::BTreeMap;

use super::context::{ViewContext, in_bad_direction};
use super::findings::more_days;
use super::parts::{Block, Section};
use crate::model::effect::Scale;
use crate::model::verdict::Verdict;
use crate::render::change::{self, Readable};
use crate::render::i18n::{Arg, Phrase};
use crate::render::number;
use crate::render::sanitize;
use crate::render::table::{Align, Cell};
use crate::review::chapter::has_bad_direction;
use crate::review::{Comparison, Series};

const SERVICES: usize = 60;
const OPEN: usize = 20;

pub(super) fn section(context: &ViewContext<'_>) -> Option<Section> {
    if context.review.comparisons.is_empty() {
        return None;
    }
    let mut blocks = vec![Block::Text(context.label("no_change.lead"))];
    let ruled_out = ruled_out(context);
    if !ruled_out.is_empty() {
        let columns = [
            ("col.service", Align::Text),
            ("col.checks", Align::Number),
            ("col.ruled_out", Align::Number),
            ("col.still_possible", Align::Number),
        ];
        blocks.push(Block::Table(context.short_table("no_change.ruled_out", &columns, ruled_out, SERVICES)));
    }
    for (verdict, title) in [
        (Verdict::Inconclusive, "no_change.open"),
        (Verdict::TooEarly, "no_change.early"),
        (Verdict::NoData, "no_change.no_data"),
    ] {
        let (rows, total) = rows_of(context, verdict);
        if total > 0 {
            let columns = [
                ("col.what", Align::Text),
                ("col.deploy", Align::Text),
                ("col.range", Align::Number),
                ("col.needed", Align::Text),
            ];
            let title_text = context.message(title, &[("n", total.into())]);
            let mut table = context.table(title, &columns, rows);
            table.caption = title_text.clone();
            table.more = context.more(total, OPEN);
            blocks.push(Block::Folded(title_text, table));
        }
    }
    Some(Section { id: "quiet", title: context.label("nav.no_change"), blocks })
}

/// Sums up by service: checks, how many were ruled out, and the largest harm that is not ruled out there.
fn ruled_out(context: &ViewContext<'_>) -> Vec<Vec<Cell>> {
    let mut services: BTreeMap<&str, (usize, usize, f64)> = BTreeMap::new();
    for comparison in &context.review.comparisons {
        let Some(series) = context.review.series_of(comparison) else { continue };
        let entry = services.entry(&series.service).or_insert((0, 0, f64::NEG_INFINITY));
        entry.0 += 1;
        if matches!(comparison.verdict, Verdict::NoMaterialChange | Verdict::NotWorse) {
            entry.1 += 1;
            // Of traffic no direction is bad, so there is no harm to rule out.
            let judged = comparison.judged().filter(|judged| judged.scale == Scale::LogRatio);
            if let Some(judged) = judged.filter(|_| has_bad_direction(series)) {
                entry.2 = entry.2.max(in_bad_direction(judged.estimate, series.better).high);
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
fn rows_of(context: &ViewContext<'_>, verdict: Verdict) -> (Vec<Vec<Cell>>, usize) {
    let own = context.review.comparisons.iter().filter(|comparison| comparison.verdict == verdict);
    let mut found: Vec<(&Series, &Comparison)> =
        own.filter_map(|comparison| Some((context.review.series_of(comparison)?, comparison))).collect();
    let weight = |series: &Series| series.total_time_s.unwrap_or(0.0);
    found.sort_by(|a, b| {
        weight(b.0)
            .total_cmp(&weight(a.0))
            .then_with(|| a.0.order().cmp(&b.0.order()))
            .then(a.1.number.cmp(&b.1.number))
    });
    let rows = found.iter().take(OPEN).map(|(_, comparison)| row(context, comparison));
    (rows.collect(), found.len())
}

fn row(context: &ViewContext<'_>, comparison: &Comparison) -> Vec<Cell> {
    let change = Readable::of(comparison);
    vec![
        Cell::text(context.named(&comparison.key())).noted(context.plain(sanitize::name(&comparison.service))),
        Cell::text(context.message("common.flag", &[("deploy", Arg::Flag(comparison.number))])),
        Cell::text(change.map_or_else(|| context.none(), |change| context.localized(&change.range()))),
        Cell::text(needed(context, comparison)),
    ]
}

/// Writes what would be needed to judge it.
fn needed(context: &ViewContext<'_>, comparison: &Comparison) -> Phrase {
    if let Some(at) = comparison.ready_at {
        return context.message("needed.ready", &[("at", context.stamp(at.ms()).into())]);
    }
    if let Some(reason) = comparison.reason {
        return context.label(&format!("reason.{}", reason.as_str()));
    }
    let coverage = comparison.coverage.unwrap_or(f64::NAN);
    if comparison.verdict == Verdict::NoData && coverage >= context.review.settings.min_coverage {
        return context.label("needed.beside");
    }
    if comparison.verdict == Verdict::NoData {
        return context.message("needed.data", &[("share", number::share_words(coverage).into())]);
    }
    let judged = comparison.judged();
    let Some((judged, size)) = judged.and_then(|judged| Some((judged, judged.detectable?))) else {
        return context.label("needed.unknown");
    };
    let write = |value: f64| change::size_of(value, comparison);
    let args = [("size", Arg::from(write(size))), ("limit", write(judged.limit).into())];
    let seen = context.message("needed.size", &args);
    match more_days(comparison) {
        Some(days) => context.words.sentences(&[seen, context.message("needed.days", &[("n", days.into())])]),
        None => seen,
    }
}
