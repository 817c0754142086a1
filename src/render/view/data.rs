//! Events, data quality and the method: what is looked up rather than read.

use std::collections::BTreeMap;

use super::context::ViewContext;
use super::parts::{Block, Section};
use crate::config::Language;
use crate::model::time::{DAY, local, parse_instant};
use crate::model::verdict::Verdict;
use crate::render::chart;
use crate::render::i18n::{Arg, Localized, Phrase, Translator};
use crate::render::table::{Align, Cell, Table};
use crate::render::{calendar, number, sanitize};
use crate::review::service::ServiceCoverage;
use crate::review::{Note, Service, Source};

const NOTES: usize = 40;
const STRIPS: usize = 60;
/// Paragraphs of the method and entries of the glossary, as the catalogues number them.
const PARAGRAPHS: usize = 6;
const TERMS: usize = 9;

/// Lists holidays; incidents, campaigns and drills are listed beside the deploys.
pub(super) fn events(context: &ViewContext<'_>) -> Option<Section> {
    let period = context.review.period.window();
    let (first, last) = (local(period.start, context.zone), local(period.end - 1, context.zone));
    let (first, last) = (first.date_naive().to_string(), last.date_naive().to_string());
    // Dates of ISO 8601 sort as text.
    let days = context.review.settings.holidays.iter().filter(|day| (&first..=&last).contains(&&day.date));
    let rows: Vec<Vec<Cell>> = days
        .filter_map(|day| {
            let at = parse_instant(&day.date, context.zone)?;
            Some(vec![
                Cell::text(context.localized(&calendar::date(at, context.zone))),
                Cell::text(context.plain(sanitize::name(&day.name))),
                Cell::text(context.label("events.left_out")),
            ])
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let columns = [("col.day", Align::Text), ("col.title", Align::Text), ("col.statistics", Align::Text)];
    let blocks = vec![Block::Table(context.table("events.holidays", &columns, rows))];
    Some(Section { id: "events", title: context.label("nav.events"), blocks })
}

pub(super) fn section(context: &ViewContext<'_>) -> Option<Section> {
    let sources = &context.review.sources;
    let mut blocks = vec![Block::Text(context.label("data.lead")), Block::Table(sources_table(context))];
    let notes: Vec<(&Source, &Note)> =
        sources.iter().flat_map(|source| source.notes.iter().map(move |note| (source, note))).collect();
    if notes.is_empty() {
        blocks.push(Block::Text(context.label("data.no_notes")));
    } else {
        blocks.push(Block::Table(notes_table(context, &notes)));
    }
    if let Some(table) = strips(context) {
        blocks.push(Block::Table(table));
    }
    services(context, &mut blocks);
    blocks.push(Block::Folded(context.label("data.settings"), settings(context)));
    Some(Section { id: "data", title: context.label("nav.data"), blocks })
}

fn sources_table(context: &ViewContext<'_>) -> Table {
    let rows = context.review.sources.iter().map(|source| {
        let count = |n: u64| Cell::text(context.plain(number::whole(n)));
        vec![
            Cell::text(context.code(&source.id)).noted(context.plain(source.kind.as_str())),
            fate(context, source),
            count(source.rows),
            count(source.series as u64),
            count(source.events as u64),
        ]
    });
    let columns = [
        ("col.source", Align::Text),
        ("col.state", Align::Text),
        ("col.rows", Align::Number),
        ("col.series", Align::Number),
        ("col.events", Align::Number),
    ];
    context.table("data.sources", &columns, rows.collect())
}

/// Writes how a source fared: what failed, and what to do next.
fn fate(context: &ViewContext<'_>, source: &Source) -> Cell {
    if source.errors.is_empty() {
        return Cell::text(context.label("data.arrived"));
    }
    let clean = |lines: &[String]| lines.iter().map(|line| sanitize::message(line)).collect::<Vec<_>>().join("; ");
    let failures = context.review.diagnostics.iter().filter(|one| one.is_error());
    let own = failures.filter(|one| source.errors.contains(&one.reason()));
    let help: Vec<String> = own.flat_map(|one| &one.help).map(|help| format!("help: {help}")).collect();
    let lines = [clean(&source.errors), clean(&help)].into_iter().filter(|line| !line.is_empty());
    Cell::text(context.label("data.failed")).noted(context.plain(lines.collect::<Vec<_>>().join(" — ")))
}

fn notes_table(context: &ViewContext<'_>, notes: &[(&Source, &Note)]) -> Table {
    let rows = notes.iter().map(|(source, note)| {
        let key = format!("note.{}", note.reason);
        let reason = if context.words.knows(&key) { context.label(&key) } else { context.code(&note.reason) };
        vec![
            Cell::text(context.code(&source.id)),
            Cell::text(reason),
            Cell::text(context.plain(number::whole(note.count))),
            Cell::text(context.code(&note.example)),
        ]
    });
    let columns = [
        ("col.source", Align::Text),
        ("col.reason", Align::Text),
        ("col.count", Align::Number),
        ("col.example", Align::Text),
    ];
    context.short_table("data.notes", &columns, rows.collect(), NOTES)
}

/// Lists the services that lack an owner, a deploy in the period, their traffic or, where others have one, an objective;
/// and says how many resources belong to no service.
fn services(context: &ViewContext<'_>, blocks: &mut Vec<Block>) {
    let all = context.review.services.iter().map(|service| &service.known);
    let (loose, known): (Vec<&ServiceCoverage>, Vec<&ServiceCoverage>) = all.partition(|one| one.is_loose);
    let asks_slo = known.iter().any(|one| one.slo.is_some());
    let rows = known.iter().filter(|one| one.has_gap()).map(|one| {
        let none = || Cell::text(context.label("data.none"));
        let deploys = match (one.deploys, one.inferred) {
            (0, _) => none(),
            (all, 0) => Cell::text(context.plain(number::whole(all as u64))),
            (all, inferred) => Cell::text(context.plain(number::whole(all as u64)))
                .noted(context.message("data.inferred", &[("n", inferred.into())])),
        };
        let traffic = if one.has_traffic { Cell::text(context.label("data.recorded")) } else { none() };
        let slo = match one.slo.as_deref() {
            Some("") => none(),
            slo => Cell::text(context.plain(sanitize::name(slo.unwrap_or_default()))),
        };
        let mut cells = vec![
            Cell::text(context.code(&one.service)),
            Cell::text(context.owner(&one.owner)),
            deploys,
            traffic,
            Cell::text(context.plain(number::whole(one.series as u64))),
        ];
        cells.extend(asks_slo.then_some(slo));
        cells
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    if !rows.is_empty() {
        let columns = [
            ("col.service", Align::Text),
            ("col.owner", Align::Text),
            ("col.deploys", Align::Number),
            ("col.traffic", Align::Text),
            ("col.series", Align::Number),
            ("col.slo", Align::Text),
        ];
        let shown = if asks_slo { &columns[..] } else { &columns[..5] };
        let caption = if asks_slo { "data.services_slo" } else { "data.services" };
        blocks.push(Block::Table(context.short_table(caption, shown, rows, NOTES)));
    }
    if !loose.is_empty() {
        let first = loose.first().map(|one| sanitize::name(&one.service)).unwrap_or_default();
        let key = Arg::Code("resources".to_owned());
        let args = [("n", loose.len().into()), ("first", Arg::Code(first)), ("key", key)];
        blocks.push(Block::Text(context.message("data.loose", &args)));
    }
}

/// Draws one strip a service: how much of each day its series had data.
fn strips(context: &ViewContext<'_>) -> Option<Table> {
    let mut sorted: BTreeMap<(bool, &str, &str), &Service> = BTreeMap::new();
    for service in &context.review.services {
        sorted.insert((service.account.is_empty(), &service.account, &service.known.service), service);
    }
    let rows = sorted.into_values().map(|service| {
        let mean = number::share(service.coverage.unwrap_or(f64::NAN));
        let text: Vec<String> = service.days.iter().map(|share| number::share(*share)).collect();
        vec![
            Cell::text(context.code(&service.known.service)).noted(context.plain(sanitize::name(&service.account))),
            Cell::text(context.plain(number::whole(service.known.series as u64))),
            Cell::chart(chart::coverage(&service.days, &mean, &text.join(" "))),
            Cell::text(context.plain(mean)),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let columns = [
        ("col.service", Align::Text),
        ("col.series", Align::Number),
        ("col.days", Align::Chart),
        ("col.coverage", Align::Number),
    ];
    (!rows.is_empty()).then(|| context.short_table("data.coverage", &columns, rows, STRIPS))
}

fn settings(context: &ViewContext<'_>) -> Table {
    let own = &context.review.settings;
    let row = |key: &str, value: Phrase| vec![Cell::text(context.label(key)), Cell::text(value)];
    let percent = |share: f64| context.plain(format!("{}%", number::trimmed(share * 100.0)));
    let points = |points: f64| context.plain(format!("{} pt", number::trimmed(points)));
    let span = |seconds: f64| context.localized(&number::span((seconds * 1e3) as i64));
    let rows = vec![
        row("setting.zone", context.plain(context.zone.name())),
        row("setting.relative", percent(own.limit.relative)),
        row("setting.latency", context.plain(format!("{} ms", number::trimmed(own.limit.latency_ms)))),
        row("setting.errors", points(own.limit.error_share * 100.0)),
        row("setting.utilization", points(own.limit.utilization_points)),
        row("setting.discovery", percent(own.false_discovery)),
        row("setting.baseline", context.localized(&number::span(i64::from(own.baseline_days) * DAY))),
        row("setting.group", span(own.group_s)),
        row("setting.settle", span(own.settle_s)),
        row("setting.after", span(own.min_after_s)),
        row("setting.coverage", percent(own.min_coverage)),
    ];
    context.table("data.settings", &[("col.what", Align::Text), ("col.value", Align::Text)], rows)
}

pub(super) fn method(context: &ViewContext<'_>) -> Option<Section> {
    let own = &context.review.settings;
    let args = [
        ("weeks", Arg::from(number::span(i64::from(own.baseline_days) * DAY))),
        ("discovery", number::share(own.false_discovery).into()),
        ("limit", number::share(own.limit.relative).into()),
    ];
    let mut blocks: Vec<Block> =
        (1..=PARAGRAPHS).map(|n| Block::Text(context.message(&format!("method.p{n}"), &args))).collect();
    let verdicts = Verdict::ALL.map(|verdict| {
        let chip = context.chip(verdict);
        let term = context.words.join(&[context.plain(chip.glyph), chip.word], &Localized::same(" "));
        (term, context.label(&format!("meaning.{}", verdict.as_str())))
    });
    blocks.push(Block::Heading(context.label("method.verdicts")));
    blocks.push(Block::Glossary(verdicts.into()));
    blocks.push(Block::Heading(context.label("method.glossary")));
    let terms = (1..=TERMS).map(|n| {
        let both = Translator::new(&[Language::En, Language::Ja]).label(&format!("term.{n}"));
        let term = format!("{} · {}", both.bare(Language::En), both.bare(Language::Ja));
        (context.plain(term), context.label(&format!("term_meaning.{n}")))
    });
    blocks.push(Block::Glossary(terms.collect()));
    Some(Section { id: "method", title: context.label("nav.method"), blocks })
}
