//! Elsewhere: steps and drifts that no deploy explains.

use std::collections::BTreeSet;

use super::context::Context;
use super::view::{Align, Block, Cell, Chip, Section};
use crate::detect::{Unattributed, UnattributedKind};
use crate::model::metric::Direction;
use crate::model::time::HOUR;
use crate::render::clean;
use crate::render::number::Effect;
use crate::render::words::Arg;

const ROWS: usize = 20;
/// Steps that begin this close to each other are told together.
const TOGETHER: i64 = HOUR;

pub(super) fn section(context: &Context<'_>) -> Option<Section> {
    if context.judgement.series.is_empty() {
        return None;
    }
    let rows: Vec<Vec<Cell>> = together(context).into_iter().filter_map(|own| row(context, &own)).collect();
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

/// Joins the changes that began at the same time, went the same way and are of the same kind of signal: what moved forty
/// endpoints of ten services together is one thing. Drifts have no beginning and stay alone.
///
/// Each list has its largest change first, as the judgement has.
fn together<'a>(context: &Context<'a>) -> Vec<Vec<&'a Unattributed>> {
    let mut joined: Vec<Vec<&Unattributed>> = Vec::new();
    for change in &context.judgement.elsewhere {
        let class = |change: &Unattributed| context.series(change.series).map(|series| (series.class, series.key.kind));
        let is_same = |other: &Unattributed| {
            let apart = (other.at.start - change.at.start).abs();
            change.kind == UnattributedKind::Shift
                && other.kind == UnattributedKind::Shift
                && apart <= TOGETHER
                && other.is_worse == change.is_worse
                && class(other) == class(change)
        };
        match joined.iter_mut().find(|own| own.first().is_some_and(|first| is_same(first))) {
            Some(own) => own.push(change),
            None => joined.push(vec![change]),
        }
    }
    joined
}

fn row(context: &Context<'_>, together: &[&Unattributed]) -> Option<Vec<Cell>> {
    let change = together.first()?;
    let series = context.series(change.series)?;
    let keys = || together.iter().filter_map(|change| context.series(change.series)).map(|series| &series.key);
    let targets: BTreeSet<_> = keys().map(|key| (&key.service, key.kind, &key.target)).collect();
    let services: BTreeSet<_> = keys().map(|key| &key.service).collect();
    let service = context.plain(clean::name(&series.key.service));
    let note = if targets.len() > 1 {
        let args =
            [("service", Arg::from(service)), ("n", (targets.len() - 1).into()), ("services", services.len().into())];
        context.say("elsewhere.others", &args)
    } else {
        service
    };
    let kind = match change.kind {
        UnattributedKind::Shift => "elsewhere.shift",
        UnattributedKind::Drift => "elsewhere.drift",
    };
    let (class, glyph) = match (series.direction, change.is_worse) {
        (Direction::Neutral, _) => ("explained", "◇"),
        (_, true) => ("possibly_worse", "△"),
        (_, false) => ("better", "▽"),
    };
    let effect =
        Effect { estimate: change.change.estimate, is_delta: change.change.scale.is_difference(), unit: series.unit };
    Some(vec![
        Cell::chip(Chip { class, glyph, word: context.label(kind) }),
        Cell::text(context.named(&series.key)).noted(note),
        Cell::text(context.span(change.at)),
        Cell::text(context.plain(effect.value())).noted(context.both(&effect.range())),
        Cell::chart(context.spark(series)),
    ])
}
