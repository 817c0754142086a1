//! Infrastructure: how near each resource came to its limit, account by account.

use super::context::{Context, hours_max, period_change};
use super::server::by_account;
use super::view::{Align, Block, Cell, Multiple, Section, Table};
use crate::detect::SeriesSummary;
use crate::model::metric::{Class, Dimension, Kind};
use crate::render::chart::{self, Resource};
use crate::render::words::{Arg, Phrase};
use crate::render::{calendar, clean, number};

/// Small charts an account.
const CHARTS: usize = 6;
/// Rows an account.
const ROWS: usize = 40;

pub(super) fn section(context: &Context<'_>) -> Option<Section> {
    let resources = context.judgement.series.iter().filter(|series| series.key.kind == Kind::Resource).collect();
    let accounts = by_account(resources, |key| context.account(key));
    if accounts.is_empty() {
        return None;
    }
    let mut blocks = vec![Block::Text(context.label("infra.lead"))];
    for ((_, account), mut own) in accounts {
        own.sort_by(|a, b| fullness(b).total_cmp(&fullness(a)).then_with(|| a.key.cmp(&b.key)));
        let heading = match account {
            "" => context.label("infra.no_account"),
            name => context.say("infra.account", &[("account", Arg::Code(clean::name(name)))]),
        };
        blocks.push(Block::Heading(heading));
        let multiples: Vec<Multiple> = own.iter().filter_map(|series| multiple(context, series)).take(CHARTS).collect();
        if !multiples.is_empty() {
            blocks.push(Block::Multiples(multiples));
        }
        blocks.push(Block::Table(table(context, &own)));
    }
    Some(Section { id: "infra", title: context.label("nav.infra"), blocks })
}

/// Returns the peak share of the limit; resources without a limit sort behind all that have one.
fn fullness(series: &SeriesSummary) -> f64 {
    match (is_share(series), series.peak) {
        (true, Some((value, _))) if value.is_finite() => value,
        _ => -1.0,
    }
}

/// Tells whether a series is a share of a limit, so that 100 % is full.
fn is_share(series: &SeriesSummary) -> bool {
    series.class == Class::Saturation && series.unit.dimension == Dimension::Share
}

fn name(context: &Context<'_>, series: &SeriesSummary) -> Phrase {
    context.named(&series.key)
}

fn multiple(context: &Context<'_>, series: &SeriesSummary) -> Option<Multiple> {
    let groups = context.judgement.groups.iter().filter(|group| group.service == *series.key.service);
    let deploys: Vec<i64> = groups.map(|group| group.window.start).collect();
    let peak = series.peak.map_or(0.0, |(value, _)| value);
    let title = format!("{} {}", clean::name(&series.key.target), clean::name(&series.key.signal));
    let note = match series.peak.filter(|(value, _)| value.is_finite()) {
        Some((value, at)) => context.say(
            "infra.peak",
            &[("value", Arg::from(number::level(value, series.unit))), ("at", context.stamp(at).into())],
        ),
        None => Phrase::default(),
    };
    let svg = chart::resource(&Resource {
        window: context.judgement.period,
        zone: context.config.zone,
        hours: hours_max(series),
        scale: number::scale(peak, series.unit),
        is_share: is_share(series),
        peak: series.peak,
        deploys: &deploys,
        title: &title,
        description: &note.bare(context.words.first()),
    })?;
    Some(Multiple { title: name(context, series), note, svg })
}

fn table(context: &Context<'_>, own: &[&SeriesSummary]) -> Table {
    let rows = own.iter().map(|series| {
        let peak = series.peak.filter(|(value, _)| value.is_finite());
        let (value, day) = peak.map_or_else(
            || (context.plain(number::NONE), Phrase::default()),
            |(value, at)| {
                let day = context.both(&calendar::day(at, context.config.zone));
                (context.plain(number::level(value, series.unit)), day)
            },
        );
        vec![
            Cell::text(name(context, series)).noted(context.plain(clean::name(&series.key.service))),
            Cell::text(value),
            Cell::text(day),
            Cell::text(context.plain(number::level(series.level, series.unit))),
            context.change_cell(period_change(series), series.direction),
            Cell::chart(context.spark(series)),
        ]
    });
    let columns = [
        ("col.resource", Align::Text),
        ("col.peak", Align::Number),
        ("col.peak_day", Align::Text),
        ("col.typical", Align::Number),
        ("col.change", Align::Number),
        ("col.period", Align::Chart),
    ];
    context.short_table("infra.caption", &columns, rows.collect(), ROWS)
}
