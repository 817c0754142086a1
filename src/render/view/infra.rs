//! Infrastructure: how near each resource came to its limit, account by account.

use super::context::{ViewContext, drawn, period_change};
use super::parts::{Block, Multiple, Section};
use crate::model::time::{HOUR, Window};
use crate::render::chart::{self, HourlyValues, Resource};
use crate::render::i18n::{Arg, Localized, Phrase};
use crate::render::table::{Align, Cell, Table};
use crate::render::{calendar, change, number, sanitize};
use crate::review::chapter::{self, RESOURCE_CHARTS, RESOURCES, is_share};
use crate::review::{Movement, Series, Unattributed};

/// Hours without data that a chart names.
const GAP: i64 = 3 * HOUR;

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

/// Returns the longest stretch without data, if it is long enough to be missed in a chart.
fn longest_gap(hours: HourlyValues<'_>, window: Window) -> Option<Window> {
    let hours: Vec<(i64, f64)> = hours.within(window).collect();
    let runs = hours.chunk_by(|a, b| a.1.is_finite() == b.1.is_finite());
    let gaps = runs.filter(|run| run.first().is_some_and(|(_, value)| !value.is_finite()));
    let gaps = gaps.filter_map(|run| Some(Window::new(run.first()?.0, run.last()?.0 + HOUR)));
    gaps.max_by_key(|gap| gap.length()).filter(|gap| gap.length() >= GAP)
}

fn multiple(context: &ViewContext<'_>, series: &Series) -> Option<Multiple> {
    series.peaks.as_ref()?;
    let groups = context.review.groups.iter().filter(|group| group.service == series.service);
    let deploys: Vec<i64> = groups.map(|group| group.from.ms()).collect();
    let peak = series.peak.map(|peak| (series.base(Some(peak.value)), peak.at.ms()));
    let title = format!("{} {}", sanitize::name(&series.target), sanitize::name(&series.signal));
    let reached = peak.map(|(value, at)| {
        let args = [("value", Arg::from(number::level(value, series.unit))), ("at", context.stamp(at).into())];
        context.message("infra.peak", &args)
    });
    let gap = longest_gap(drawn(series.peaks.as_ref(), series), context.review.period.window());
    let gap = gap.map(|gap| context.message("infra.gap", &[("span", context.span(gap).into())]));
    let note = context.words.join(&reached.into_iter().chain(gap).collect::<Vec<_>>(), &Localized::same(" · "));
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

/// Writes the typical level, after that of the period before where both are known.
fn typical(series: &Series) -> String {
    let [before, after] =
        [series.level_before, series.level].map(|level| level.map(|level| level * series.unit.factor));
    match before {
        Some(_) => number::levels(before, after, series.unit),
        None => number::level(series.base(series.level), series.unit),
    }
}

/// Writes the steps of a series that no deploy explains: they are what a change of the whole period is made of.
fn steps(context: &ViewContext<'_>, series: &Series) -> Phrase {
    let changes = context.review.unattributed.iter();
    let own =
        changes.filter(|one| context.review.series.get(one.series).is_some_and(|of| of.order() == series.order()));
    let step = |one: &Unattributed| {
        let args = [("levels", Arg::from(change::moved_levels(one))), ("at", context.stamp(one.at.from.ms()).into())];
        context.message("infra.step", &args)
    };
    let steps: Vec<Phrase> = own.filter(|one| one.change == Movement::Shift).map(step).collect();
    context.words.list(&steps)
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
            Cell::text(context.plain(typical(series))).noted(steps(context, series)),
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
