//! Events, data quality and the method: what is looked up rather than read.

use std::collections::BTreeMap;

use super::context::{Context, hours};
use super::server::by_account;
use super::view::{Align, Block, Cell, Section, Table};
use crate::config::Language;
use crate::detect::SeriesSummary;
use crate::model::diagnostic::Diagnostic;
use crate::model::time::{HOUR, Window, local};
use crate::render::chart;
use crate::render::services::coverage;
use crate::render::words::{Arg, Phrase};
use crate::render::{calendar, clean, number};
use crate::source::SourceState;

const NOTES: usize = 40;
const STRIPS: usize = 60;
/// Paragraphs of the method and entries of the glossary, as the catalogues number them.
const PARAGRAPHS: usize = 6;
const TERMS: usize = 9;

/// Lists holidays; incidents, campaigns and drills stand beside the deploys.
pub(super) fn events(context: &Context<'_>) -> Option<Section> {
    let zone = context.config.zone;
    let period = context.judgement.period;
    let (first, last) = (local(period.start, zone).date_naive(), local(period.end - 1, zone).date_naive());
    let days = context.config.holidays.range(first..=last.max(first));
    let rows: Vec<Vec<Cell>> = days
        .map(|(date, name)| {
            let at = crate::model::time::midnight(*date, zone);
            vec![
                Cell::text(context.both(&calendar::date(at, zone))),
                Cell::text(context.plain(clean::name(name))),
                Cell::text(context.label("events.left_out")),
            ]
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let columns = [("col.day", Align::Text), ("col.title", Align::Text), ("col.statistics", Align::Text)];
    let blocks = vec![Block::Table(context.table("events.holidays", &columns, rows))];
    Some(Section { id: "events", title: context.label("nav.events"), blocks })
}

pub(super) fn section(context: &Context<'_>) -> Option<Section> {
    let mut blocks = vec![Block::Text(context.label("data.lead")), Block::Table(sources(context))];
    let notes: Vec<&Diagnostic> = context.states.iter().flat_map(SourceState::warnings).collect();
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

fn sources(context: &Context<'_>) -> Table {
    let rows = context.states.iter().map(|state| {
        let fate = if state.failure().is_none() {
            Cell::text(context.label("data.arrived"))
        } else {
            let (what, help) = clean::failure(state);
            let lines = [what, help].into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" — ");
            Cell::text(context.label("data.failed")).noted(context.plain(lines))
        };
        let count = |n: u64| Cell::text(context.plain(number::whole(n)));
        vec![
            Cell::text(context.code(&state.id)).noted(context.plain(state.kind)),
            fate,
            count(state.rows),
            count(state.series as u64),
            count(state.events as u64),
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

fn notes_table(context: &Context<'_>, notes: &[&Diagnostic]) -> Table {
    let rows = notes.iter().map(|note| {
        let key = format!("note.{}", note.code);
        let reason = if context.words.knows(&key) { context.label(&key) } else { context.code(&note.code) };
        vec![
            Cell::text(context.code(&note.subject)),
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
fn services(context: &Context<'_>, blocks: &mut Vec<Block>) {
    let series = context.judgement.series.iter().map(|series| (&series.key, series.class));
    let all = coverage(series, context.events, context.config, context.judgement.period);
    let (loose, known): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.is_loose);
    let asks_slo = known.iter().any(|one| one.slo.is_some());
    let rows = known.iter().filter(|one| one.has_gap()).map(|one| {
        let none = || Cell::text(context.label("data.none"));
        let deploys = match (one.deploys, one.inferred) {
            (0, _) => none(),
            (all, 0) => Cell::text(context.plain(number::whole(all as u64))),
            (all, inferred) => Cell::text(context.plain(number::whole(all as u64)))
                .noted(context.say("data.inferred", &[("n", inferred.into())])),
        };
        let traffic = if one.has_traffic { Cell::text(context.label("data.recorded")) } else { none() };
        let slo = match one.slo.as_deref() {
            Some("") => none(),
            slo => Cell::text(context.plain(clean::name(slo.unwrap_or_default()))),
        };
        let mut cells = vec![
            Cell::text(context.code(&one.service)),
            Cell::text(context.owner(&one.service)),
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
        let first = loose.first().map(|one| clean::name(&one.service)).unwrap_or_default();
        let key = Arg::Code("resources".to_owned());
        let args = [("n", loose.len().into()), ("first", Arg::Code(first)), ("key", key)];
        blocks.push(Block::Text(context.say("data.loose", &args)));
    }
}

/// Draws one strip a service: how much of each day its series had data.
fn strips(context: &Context<'_>) -> Option<Table> {
    let all: Vec<&SeriesSummary> = context.judgement.series.iter().collect();
    let mut rows = Vec::new();
    for ((_, account), own) in by_account(all, |key| context.account_of(&key.service)) {
        let mut services: BTreeMap<&str, Vec<&SeriesSummary>> = BTreeMap::new();
        for series in own {
            services.entry(&*series.key.service).or_default().push(series);
        }
        for (service, own) in services {
            let days = daily_coverage(context, &own);
            let mean = own.iter().map(|s| s.coverage).filter(|c| c.is_finite()).sum::<f64>() / own.len().max(1) as f64;
            let text: Vec<String> = days.iter().map(|share| number::share(*share)).collect();
            rows.push(vec![
                Cell::text(context.code(service)).noted(context.plain(clean::name(account))),
                Cell::text(context.plain(number::whole(own.len() as u64))),
                Cell::chart(chart::coverage(&days, &number::share(mean), &text.join(" "))),
                Cell::text(context.plain(number::share(mean))),
            ]);
        }
    }
    let columns = [
        ("col.service", Align::Text),
        ("col.series", Align::Number),
        ("col.days", Align::Chart),
        ("col.coverage", Align::Number),
    ];
    (!rows.is_empty()).then(|| context.short_table("data.coverage", &columns, rows, STRIPS))
}

/// Returns the share of each local day's hours, over all series, that had data.
fn daily_coverage(context: &Context<'_>, series: &[&SeriesSummary]) -> Vec<f64> {
    let period = context.judgement.period;
    let mut days = calendar::midnights(period, context.config.zone);
    days.push(period.end);
    let mut shares = Vec::new();
    for pair in days.windows(2) {
        let (Some(from), Some(to)) = (pair.first(), pair.last()) else { continue };
        let (mut known, mut all) = (0usize, 0usize);
        for series in series {
            // A series coarser than an hour has data in a part of the hours only, and misses nothing.
            let stride = usize::try_from((series.step_ms / HOUR).max(1)).unwrap_or(1);
            let values: Vec<f64> = hours(series).within(Window::new(*from, *to)).map(|(_, value)| value).collect();
            for chunk in values.chunks(stride) {
                all += 1;
                known += usize::from(chunk.iter().any(|value| value.is_finite()));
            }
        }
        shares.push(if all == 0 { 0.0 } else { known as f64 / all as f64 });
    }
    shares
}

fn settings(context: &Context<'_>) -> Table {
    let judge = &context.config.judge;
    let row = |key: &str, value: Phrase| vec![Cell::text(context.label(key)), Cell::text(value)];
    let percent = |share: f64| context.plain(format!("{}%", number::trimmed(share * 100.0)));
    let points = |share: f64| context.plain(format!("{} pt", number::trimmed(share * 100.0)));
    let span = |ms: i64| context.both(&number::span(ms));
    let rows = vec![
        row("setting.zone", context.plain(context.config.zone.name())),
        row("setting.relative", percent(judge.limit.relative)),
        row("setting.latency", context.plain(format!("{} ms", number::trimmed(judge.limit.latency_s * 1e3)))),
        row("setting.errors", points(judge.limit.error_share)),
        row("setting.utilization", points(judge.limit.utilization)),
        row("setting.discovery", percent(judge.false_discovery)),
        row("setting.baseline", span(i64::from(judge.baseline_days) * crate::model::time::DAY)),
        row("setting.group", span(judge.group_ms)),
        row("setting.settle", span(judge.settle_ms)),
        row("setting.after", span(judge.min_after_ms)),
        row("setting.coverage", percent(judge.min_coverage)),
    ];
    context.table("data.settings", &[("col.what", Align::Text), ("col.value", Align::Text)], rows)
}

pub(super) fn method(context: &Context<'_>) -> Option<Section> {
    let judge = &context.config.judge;
    let args = [
        ("weeks", Arg::from(number::span(i64::from(judge.baseline_days) * crate::model::time::DAY))),
        ("discovery", number::share(judge.false_discovery).into()),
        ("limit", number::share(judge.limit.relative).into()),
    ];
    let mut blocks: Vec<Block> =
        (1..=PARAGRAPHS).map(|n| Block::Text(context.say(&format!("method.p{n}"), &args))).collect();
    let verdicts = crate::detect::Verdict::ALL.map(|verdict| {
        let chip = context.chip(verdict);
        let term = context.words.join(&[context.plain(chip.glyph), chip.word], &crate::render::words::Both::same(" "));
        (term, context.label(&format!("meaning.{}", verdict.as_str())))
    });
    blocks.push(Block::Heading(context.label("method.verdicts")));
    blocks.push(Block::Glossary(verdicts.into()));
    blocks.push(Block::Heading(context.label("method.glossary")));
    let terms = (1..=TERMS).map(|n| {
        let both = crate::render::words::Words::new(&[Language::En, Language::Ja]).label(&format!("term.{n}"));
        let term = format!("{} · {}", both.bare(Language::En), both.bare(Language::Ja));
        (context.plain(term), context.label(&format!("term_meaning.{n}")))
    });
    blocks.push(Block::Glossary(terms.collect()));
    Some(Section { id: "method", title: context.label("nav.method"), blocks })
}
