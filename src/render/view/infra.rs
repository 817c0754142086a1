//! Infrastructure: how near each resource came to its limit, account by account.

use super::context::{ViewContext, drawn, period_change};
use super::parts::{Block, Multiple, Section};
use crate::render::chart::{self, Resource};
use crate::render::i18n::{Arg, Phrase};
use crate::render::table::{Align, Cell, Table};
use crate::render::{calendar, number, sanitize};
use crate::review::Series;
use crate::review::chapter::{self, RESOURCE_CHARTS, RESOURCES, is_share};

pub(super) fn section(context: &ViewContext<'_>) -> Option<Section> {
    let accounts = chapter::resources(&context.review.series);
    if accounts.is_empty() {
        return None;
    }
    let mut blocks = vec![Block::Text(context.label("infra.lead"))];
    for (account, own) in accounts {
        let own: Vec<&Series> = own.into_iter().map(|(_, series)| series).collect();
        let heading = match account {
            "" => context.label("infra.no_account"),
            name => context.message("infra.account", &[("account", Arg::Code(sanitize::name(name)))]),
        };
        blocks.push(Block::Heading(heading));
        let charts = own.iter().filter_map(|series| multiple(context, series));
        let multiples: Vec<Multiple> = charts.take(RESOURCE_CHARTS).collect();
        if !multiples.is_empty() {
            blocks.push(Block::Multiples(multiples));
        }
        blocks.push(Block::Table(table(context, &own)));
    }
    Some(Section { id: "infra", title: context.label("nav.infra"), blocks })
}

fn multiple(context: &ViewContext<'_>, series: &Series) -> Option<Multiple> {
    series.peaks.as_ref()?;
    let groups = context.review.groups.iter().filter(|group| group.service == series.service);
    let deploys: Vec<i64> = groups.map(|group| group.from.ms()).collect();
    let peak = series.peak.map(|peak| (series.base(Some(peak.value)), peak.at.ms()));
    let title = format!("{} {}", sanitize::name(&series.target), sanitize::name(&series.signal));
    let note = match peak {
        Some((value, at)) => context.message(
            "infra.peak",
            &[("value", Arg::from(number::level(value, series.unit))), ("at", context.stamp(at).into())],
        ),
        None => Phrase::default(),
    };
    let svg = chart::resource(&Resource {
        window: context.review.period.window(),
        zone: context.zone,
        hours: drawn(series.peaks.as_ref(), series),
        scale: number::scale(peak.map_or(0.0, |(value, _)| value), series.unit),
        is_share: is_share(series),
        peak,
        deploys: &deploys,
        title: &title,
        description: &note.bare(context.words.first()),
    })?;
    Some(Multiple { title: context.named(&series.key()), note, svg })
}

fn table(context: &ViewContext<'_>, own: &[&Series]) -> Table {
    let rows = own.iter().map(|series| {
        let (value, day) = series.peak.map_or_else(
            || (context.none(), Phrase::default()),
            |peak| {
                let day = context.localized(&calendar::day(peak.at.ms(), context.zone));
                (context.plain(number::level(series.base(Some(peak.value)), series.unit)), day)
            },
        );
        vec![
            Cell::text(context.named(&series.key())).noted(context.plain(sanitize::name(&series.service))),
            Cell::text(value),
            Cell::text(day),
            Cell::text(context.plain(number::level(series.base(series.level), series.unit))),
            context.change_cell(period_change(series), series.better),
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
    context.short_table("infra.caption", &columns, rows.collect(), RESOURCES)
}
