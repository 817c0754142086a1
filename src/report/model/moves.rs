//! Elsewhere: steps and drifts that no deploy explains.

use super::context::Context;
use super::view::{Align, Block, Cell, Chip, Section};
use crate::detect::{Elsewhere, ElsewhereKind};
use crate::metric::Direction;
use crate::report::clean;
use crate::report::number::Effect;

const ROWS: usize = 20;

pub(super) fn section(context: &Context<'_>) -> Option<Section> {
    let changes = &context.judgement.elsewhere;
    if context.judgement.series.is_empty() {
        return None;
    }
    let rows: Vec<Vec<Cell>> = changes.iter().filter_map(|change| row(context, change)).collect();
    let mut blocks = Vec::new();
    if rows.is_empty() {
        blocks.push(Block::Text(context.label("elsewhere.none")));
    } else {
        let columns = [
            ("col.kind", Align::Text),
            ("col.what", Align::Text),
            ("col.when", Align::Text),
            ("col.change", Align::Number),
            ("col.period", Align::Chart),
        ];
        blocks.push(Block::Text(context.label("elsewhere.lead")));
        blocks.push(Block::Table(context.short_table("elsewhere.caption", &columns, rows, ROWS)));
    }
    Some(Section { id: "elsewhere", title: context.label("nav.elsewhere"), blocks })
}

fn row(context: &Context<'_>, change: &Elsewhere) -> Option<Vec<Cell>> {
    let series = context.series(change.series)?;
    let kind = match change.kind {
        ElsewhereKind::Shift => "elsewhere.shift",
        ElsewhereKind::Drift => "elsewhere.drift",
    };
    let (class, glyph) = match (series.direction, change.is_worse) {
        (Direction::Neutral, _) => ("explained", "◇"),
        (_, true) => ("possibly_worse", "△"),
        (_, false) => ("better", "▽"),
    };
    let effect = Effect { estimate: change.size, is_delta: change.is_delta, unit: series.unit };
    Some(vec![
        Cell::chip(Chip { class, glyph, word: context.label(kind) }),
        Cell::text(context.named(&series.key)).noted(context.plain(clean::name(&series.key.service))),
        Cell::text(context.span(change.at)),
        Cell::text(context.plain(effect.value())).noted(context.both(&effect.range())),
        Cell::chart(context.spark(series)),
    ])
}
