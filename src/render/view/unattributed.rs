//! Steps and drifts that no deploy explains.

use std::collections::BTreeSet;

use super::context::ViewContext;
use super::parts::{Block, Section};
use crate::render::change::{self, Readable};
use crate::render::i18n::Arg;
use crate::render::sanitize;
use crate::render::table::{Align, Cell};
use crate::review::Unattributed;
use crate::review::chapter::{UNATTRIBUTED, moved_together};

pub(super) fn section(context: &ViewContext<'_>) -> Option<Section> {
    let review = context.review;
    if review.series.is_empty() {
        return None;
    }
    let together = moved_together(&review.unattributed, &review.series);
    let rows: Vec<Vec<Cell>> = together.into_iter().filter_map(|own| row(context, &own)).collect();
    let mut blocks = Vec::new();
    if rows.is_empty() {
        blocks.push(Block::Text(context.label("unattributed.none")));
    } else {
        let columns = [
            ("col.kind", Align::Text),
            ("col.what", Align::Text),
            ("col.when", Align::Text),
            ("col.levels", Align::Number),
            ("col.change", Align::Number),
            ("col.period", Align::Chart),
        ];
        blocks.push(Block::Text(context.label("unattributed.lead")));
        blocks.push(Block::Table(context.short_table("unattributed.caption", &columns, rows, UNATTRIBUTED)));
    }
    Some(Section { id: "elsewhere", title: context.label("nav.unattributed"), blocks })
}

fn row(context: &ViewContext<'_>, together: &[&Unattributed]) -> Option<Vec<Cell>> {
    let own = together.first()?;
    let series = context.review.series.get(own.series)?;
    let targets: BTreeSet<_> = together.iter().map(|one| (&one.service, one.kind, &one.target)).collect();
    let services: BTreeSet<_> = together.iter().map(|one| &one.service).collect();
    let service = context.plain(sanitize::name(&own.service));
    let note = if targets.len() > 1 {
        let args =
            [("service", Arg::from(service)), ("n", (targets.len() - 1).into()), ("services", services.len().into())];
        context.message("unattributed.others", &args)
    } else {
        service
    };
    Some(vec![
        Cell::chip(context.moved(own)),
        Cell::text(context.named(&series.key())).noted(note),
        Cell::text(context.span(own.at.window())),
        Cell::text(context.plain(change::moved_levels(own))),
        context.change_cell(Some(Readable::moved(own)), series.better),
        Cell::chart(context.spark(series)),
    ])
}
