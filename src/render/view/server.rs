//! Server side and databases: how things stand in the period and against the period before.

use super::context::{ViewContext, period_change};
use super::parts::{Block, Section};
use crate::model::metric::Kind;
use crate::render::change::Readable;
use crate::render::i18n::Phrase;
use crate::render::number;
use crate::render::sanitize;
use crate::render::table::{Align, Cell};
use crate::review::chapter::{self, DATASTORES, ENDPOINTS, SERVICES, Target};
use crate::review::{Pooled, Series, Service};

pub(super) fn section(context: &ViewContext<'_>) -> Option<Section> {
    let services = context.review.services.iter().filter(|service| service.has_golden());
    let rows: Vec<Vec<Cell>> = services.map(|service| golden(context, service)).collect();
    if rows.is_empty() {
        return None;
    }
    let columns = [
        ("col.service", Align::Text),
        ("col.latency", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
        ("col.traffic", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
        ("col.errors", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
    ];
    let golden = context.short_table("server.golden", &columns, rows, SERVICES);
    let mut blocks = vec![Block::Text(context.label("server.lead")), Block::Table(golden)];
    let endpoints = chapter::endpoints(&context.review.series);
    let parts = endpoints.iter().filter(|target| !target.latency.is_whole_service());
    let total: f64 = parts.map(|target| target.total_s).sum();
    if total > 0.0 {
        let busiest = chapter::busiest(&endpoints);
        let most = most(&busiest);
        let rows = busiest.iter().map(|target| target_row(context, target, total, most)).collect();
        let columns = target_columns("col.endpoint", "col.requests");
        blocks.push(Block::Table(context.table("server.endpoints", &columns, rows)));
    }
    Some(Section { id: "server", title: context.label("nav.server"), blocks })
}

fn target_columns(first: &'static str, counted: &'static str) -> [(&'static str, Align); 6] {
    [
        (first, Align::Text),
        ("col.total_time", Align::Number),
        (counted, Align::Number),
        ("col.latency", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
    ]
}

/// Returns the most time that one target took; the whole column is written in its unit.
fn most(targets: &[Target<'_>]) -> f64 {
    targets.iter().map(|target| target.total_s).fold(0.0, f64::max)
}

fn target_row(context: &ViewContext<'_>, target: &Target<'_>, total: f64, most: f64) -> Vec<Cell> {
    let series = target.latency;
    // Where nobody counts the requests or calls, the time that they took is unknown, not 0.
    let time = if target.total_s > 0.0 {
        let share = [("share", number::share(target.total_s / total).into())];
        Cell::text(context.localized(&number::waiting_beside(target.total_s, most)))
            .noted(context.message("server.share", &share))
    } else {
        Cell::text(context.none())
    };
    let requests = series.requests.map_or_else(|| context.none(), |n| context.localized(&number::many(n)));
    vec![
        Cell::text(context.code(&series.target)).noted(context.plain(sanitize::name(&series.service))),
        time,
        Cell::text(requests),
        level(context, series).noted(context.signal(&series.signal)),
        context.change_cell(period_change(series), series.better),
        Cell::chart(context.spark(series)),
    ]
}

fn level(context: &ViewContext<'_>, series: &Series) -> Cell {
    Cell::text(context.plain(number::level(series.base(series.level), series.unit)))
}

/// Writes latency, traffic and errors of a service.
fn golden(context: &ViewContext<'_>, service: &Service) -> Vec<Cell> {
    let name = &service.known.service;
    let mut cells = vec![Cell::text(context.code(name)).noted(context.owner(&service.known.owner))];
    match service.latency.and_then(|index| context.review.series.get(index)) {
        Some(series) => {
            cells.push(level(context, series).noted(context.code(&series.target)));
            cells.push(context.change_cell(period_change(series), series.better));
            cells.push(Cell::chart(context.spark(series)));
        }
        None => cells.extend(pooled(context, None)),
    }
    cells.extend(pooled(context, service.traffic.as_ref()));
    cells.extend(pooled(context, service.errors.as_ref()));
    cells
}

/// Writes a golden signal that is pooled over endpoints.
fn pooled(context: &ViewContext<'_>, pooled: Option<&Pooled>) -> [Cell; 3] {
    let Some(own) = pooled else { return [Cell::text(context.none()), Cell::default(), Cell::default()] };
    let level = own.level.map_or(f64::NAN, |level| level * own.unit.factor);
    let mut change = context.change_cell(own.change.map(|change| Readable::change(change, own.unit)), own.better);
    if own.series > 1 {
        // A sum of several has no interval.
        change.note = Phrase::default();
    }
    [
        Cell::text(context.plain(number::level(level, own.unit))),
        change,
        Cell::chart(context.spark_of(&own.line, own.unit)),
    ]
}

pub(super) fn databases(context: &ViewContext<'_>) -> Option<Section> {
    let series = &context.review.series;
    let stores = chapter::targets(series, Kind::Datastore);
    let mut blocks = Vec::new();
    if !stores.is_empty() {
        let total: f64 = stores.iter().map(|target| target.total_s).sum();
        let most = most(&stores);
        let rows = stores.iter().map(|target| target_row(context, target, total, most)).collect();
        let columns = target_columns("col.datastore", "col.calls");
        blocks.push(Block::Text(context.label("databases.lead")));
        blocks.push(Block::Table(context.short_table("databases.stores", &columns, rows, DATASTORES)));
    }
    let per_request = chapter::database_time(series);
    if !per_request.is_empty() {
        let rows = per_request.iter().map(|(_, series)| {
            vec![
                Cell::text(context.code(&series.target)).noted(context.plain(sanitize::name(&series.service))),
                level(context, series),
                context.change_cell(period_change(series), series.better),
                Cell::chart(context.spark(series)),
            ]
        });
        let columns = [
            ("col.endpoint", Align::Text),
            ("col.db_time", Align::Number),
            ("col.change", Align::Number),
            ("col.period", Align::Chart),
        ];
        blocks.push(Block::Table(context.short_table("databases.requests", &columns, rows.collect(), ENDPOINTS)));
    }
    (!blocks.is_empty()).then(|| Section { id: "databases", title: context.label("nav.databases"), blocks })
}
