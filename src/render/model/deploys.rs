//! Deploys with their verdicts, the verdict map, and the other events of the period.

use std::collections::BTreeSet;

use super::context::{Context, effect, in_bad_direction, ink, limit, seen, seen_change};
use super::view::{Align, Cell, Change, DeployRow, Deploys, Link, Map, MapRow, Table};
use crate::detect::{Comparison, Estimate, Finding, Pattern, SeriesSummary, Verdict};
use crate::model::event::{DeployGroup, Event, EventKind};
use crate::model::metric::{Class, Direction, Kind};
use crate::render::chart::{Domain, ForestRow, forest_axis, forest_row};
use crate::render::words::{Arg, Both, Phrase};
use crate::render::{clean, number};

/// Deploy groups in the table; beyond it the ones without a finding are left out.
const ROWS: usize = 80;
/// Rows of the verdict map.
const MAP_ROWS: usize = 20;

pub(super) fn section(context: &Context<'_>) -> Deploys {
    let groups = &context.judgement.groups;
    let told: BTreeSet<usize> = context.judgement.findings.iter().map(|finding| finding.group).collect();
    let spare = ROWS.saturating_sub(told.len());
    let quiet: BTreeSet<usize> = (0..groups.len()).filter(|index| !told.contains(index)).take(spare).collect();
    let shown = (0..groups.len()).filter(|index| told.contains(index) || quiet.contains(index));
    let rows: Vec<DeployRow> = shown.filter_map(|index| row(context, index)).collect();
    let left_out = groups.len() - rows.len();
    let joined = groups.iter().filter(|group| group.members.len() > 1).count();
    let lead = match (groups.len(), joined) {
        (0, _) => context.label("deploys.none"),
        (_, 0) => context.label("deploys.lead"),
        _ => context.words.sentences(&[context.label("deploys.lead"), context.label("deploys.groups")]),
    };
    let more = if left_out > 0 { context.say("deploys.more", &[("n", left_out.into())]) } else { Phrase::default() };
    Deploys { lead, rows, more, others: others(context), map: map(context) }
}

fn row(context: &Context<'_>, index: usize) -> Option<DeployRow> {
    let group = context.group(index)?;
    let own: Vec<&Comparison> = context.judgement.comparisons.iter().filter(|c| c.group == index).collect();
    let findings = context.judgement.findings.iter().enumerate().filter(|(_, finding)| finding.group == index);
    let first = findings.min_by_key(|(_, finding)| rank(finding));
    let verdict = first.map_or_else(|| verdict_without_finding(&own), |(_, finding)| finding.verdict);
    let (effect, range) = match first {
        Some((_, finding)) => {
            context.lead(finding).and_then(|(s, c, _)| Some((effect(s, c)?, s, c, context.about_signal(finding)?)))
        }
        None => None,
    }
    .map_or_else(Default::default, |(effect, series, comparison, name)| {
        let args =
            [("name", Arg::from(name)), ("change", Arg::Strong(Both::same(seen_change(series, effect, comparison))))];
        let is_seen = seen(series, comparison).is_some();
        (context.say("deploys.effect", &args), if is_seen { Phrase::default() } else { context.range(effect) })
    });
    let ready = ready(context, &own).filter(|_| first.is_none());
    Some(DeployRow {
        number: group.number,
        service: clean::name(&group.service),
        changes: changes(context, group),
        chip: context.chip(verdict),
        checks: checks(context, &own),
        effect: ready.unwrap_or(effect),
        range,
        href: first.map(|(index, _)| context.href(index)),
    })
}

/// Orders verdicts as a deploy's headline wants them: alarms, suspicions, then what passed or was explained.
fn rank(finding: &Finding) -> usize {
    match (finding.verdict, finding.pattern) {
        (Verdict::Worse, _) => 0,
        (Verdict::PossiblyWorse, _) => 1,
        (_, Some(Pattern::Burst)) => 3,
        (Verdict::Better, _) => 2,
        _ => 4,
    }
}

/// Sums up a deploy that no finding is told about. A single suspicion among many checks is expected by
/// chance and was weighed by the judge; it does not become the deploy's verdict here.
fn verdict_without_finding(own: &[&Comparison]) -> Verdict {
    let count = |verdict: Verdict| own.iter().filter(|comparison| comparison.verdict == verdict).count();
    let proven = count(Verdict::NoMaterialChange) + count(Verdict::NotWorse) + count(Verdict::Better);
    let (early, missing) = (count(Verdict::TooEarly), count(Verdict::NoData));
    match own.len() {
        total if total == missing => Verdict::NoData,
        total if total == early + missing => Verdict::TooEarly,
        total if proven * 2 >= total - missing => {
            if count(Verdict::NoMaterialChange) >= count(Verdict::NotWorse) {
                Verdict::NoMaterialChange
            } else {
                Verdict::NotWorse
            }
        }
        _ => Verdict::Inconclusive,
    }
}

/// Writes how many checks of a deploy ruled harm out: `11 of 14`.
fn checks(context: &Context<'_>, own: &[&Comparison]) -> Phrase {
    if own.is_empty() {
        return context.label("deploys.no_checks");
    }
    let ruled_out = own.iter().filter(|c| matches!(c.verdict, Verdict::NoMaterialChange | Verdict::NotWorse)).count();
    context.say("deploys.checks", &[("n", ruled_out.into()), ("total", own.len().into())])
}

/// Tells when a deploy that is too fresh can be judged.
fn ready(context: &Context<'_>, own: &[&Comparison]) -> Option<Phrase> {
    let is_fresh = own.iter().all(|c| matches!(c.verdict, Verdict::TooEarly | Verdict::NoData));
    let at = own.iter().filter_map(|c| c.ready_at).min().filter(|_| is_fresh)?;
    Some(context.say("deploys.ready", &[("at", context.stamp(at).into())]))
}

/// Returns the changes of a group, by time.
pub(super) fn changes(context: &Context<'_>, group: &DeployGroup) -> Vec<Change> {
    let members = group.members.iter().filter_map(|index| context.events.get(*index));
    let change = |event: &Event| {
        let title = if event.title.is_empty() {
            context.label("deploys.untitled")
        } else {
            context.plain(clean::name(&event.title))
        };
        Change {
            at: context.stamp(event.at),
            kind: match event.kind {
                EventKind::Deploy if event.is_inferred() => context.label("deploys.inferred"),
                EventKind::Deploy => Phrase::default(),
                other => kind(context, other),
            },
            revision: short_revision(&event.revision),
            title: Link { href: clean::link(&event.url).unwrap_or_default(), text: title },
            author: clean::name(&event.author),
        }
    };
    members.map(change).collect()
}

fn kind(context: &Context<'_>, kind: EventKind) -> Phrase {
    context.label(&format!("event.{}", kind.as_str()))
}

/// Names the kinds of changes in a group, if there is more than one kind.
pub(super) fn kinds(context: &Context<'_>, group: &DeployGroup) -> Option<Phrase> {
    let members = group.members.iter().filter_map(|index| context.events.get(*index));
    let kinds: BTreeSet<EventKind> = members.map(|event| event.kind).collect();
    let names: Vec<Phrase> = kinds.iter().map(|own| kind(context, *own)).collect();
    (kinds.len() > 1).then(|| context.words.list(&names))
}

/// Shortens a commit to seven digits; versions stay whole.
fn short_revision(revision: &str) -> String {
    let is_commit = revision.len() >= 20 && revision.chars().all(|c| c.is_ascii_hexdigit());
    if is_commit { revision.chars().take(7).collect() } else { clean::name(revision) }
}

fn others(context: &Context<'_>) -> Option<Table> {
    let period = context.judgement.period;
    let touches = |event: &&Event| event.window().overlaps(period) || period.contains(event.at);
    let rows = context.events.iter().filter(|event| !event.kind.is_judged()).filter(touches).map(|event| {
        let service =
            if event.service == "*" { context.label("common.all_services") } else { context.code(&event.service) };
        let mut title = Cell::text(context.plain(clean::name(&event.title)));
        title.href = clean::link(&event.url);
        vec![
            Cell::text(context.span(event.window())),
            Cell::text(kind(context, event.kind)),
            Cell::text(service),
            title,
            Cell::text(context.label("events.left_out")),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let columns = [
        ("col.when", Align::Text),
        ("col.kind", Align::Text),
        ("col.service", Align::Text),
        ("col.title", Align::Text),
        ("col.statistics", Align::Text),
    ];
    (!rows.is_empty()).then(|| context.short_table("deploys.others", &columns, rows, 40))
}

/// Draws the verdict map: what is told first, then the endpoints that most time is spent in.
fn map(context: &Context<'_>) -> Option<Map> {
    let judgement = context.judgement;
    let mut picked: Vec<(usize, Option<usize>)> =
        judgement.findings.iter().enumerate().map(|(index, finding)| (finding.lead, Some(index))).collect();
    picked.truncate(MAP_ROWS);
    let named: BTreeSet<usize> =
        picked.iter().filter_map(|(lead, _)| Some(context.comparison(*lead)?.series)).collect();
    picked.extend(busiest(context, &named).into_iter().map(|index| (index, None)));
    picked.truncate(MAP_ROWS);
    let rows: Vec<_> = picked
        .into_iter()
        .filter_map(|(index, finding)| {
            let comparison = context.comparison(index)?;
            let series = context.series(comparison.series)?;
            let shown = effect(series, comparison)?;
            let estimate = in_bad_direction(shown.estimate, series.direction);
            let estimate = (!shown.is_delta).then_some(estimate);
            (series.direction != Direction::Neutral).then_some((series, comparison, estimate, finding))
        })
        .collect();
    let estimates: Vec<Estimate> = rows.iter().filter_map(|(.., estimate, _)| *estimate).collect();
    let domain = Domain::over(&estimates);
    let caption = context.say("map.caption", &[("limit", number::share(context.config.judge.limit.relative).into())]);
    let axis = forest_axis(domain, &context.label("map.axis").bare(context.words.first()))?;
    let rows: Vec<MapRow> = rows.iter().filter_map(|(s, c, e, f)| map_row(context, domain, s, c, *e, *f)).collect();
    (!rows.is_empty()).then_some(Map { caption, axis, rows })
}

fn map_row(
    context: &Context<'_>,
    domain: Domain,
    series: &SeriesSummary,
    comparison: &Comparison,
    estimate: Option<Estimate>,
    finding: Option<usize>,
) -> Option<MapRow> {
    let shown = effect(series, comparison)?;
    let title = format!("{} {}", clean::name(&series.key.target), shown.value());
    let range = context.range(shown).bare(context.words.first());
    let draw = |estimate: Estimate| {
        let row = ForestRow {
            estimate,
            limit: limit(comparison),
            ink: ink(comparison.verdict),
            title: &title,
            description: &range,
        };
        forest_row(domain, &row)
    };
    let limit = number::size(limit(comparison), shown.is_delta, shown.unit);
    let group = context.group(comparison.group)?;
    let note = [
        ("service", Arg::from(clean::name(&series.key.service))),
        ("signal", context.signal(&series.key.signal).into()),
        ("deploy", Arg::Flag(group.number)),
    ];
    Some(MapRow {
        chip: context.chip(comparison.verdict),
        name: context.code(&series.key.target),
        note: context.say("map.note", &note),
        svg: estimate.and_then(draw),
        instead: context.say("map.as_difference", &[("limit", limit.into())]),
        value: context.plain(shown.value()),
        range: context.both(&shown.range()),
        levels: context.plain(number::levels(comparison.before, comparison.after, series.unit)),
        href: finding.map(|index| context.href(index)),
    })
}

/// Returns the last judged comparison of each endpoint's response time, the endpoints with most time first.
fn busiest(context: &Context<'_>, named: &BTreeSet<usize>) -> Vec<usize> {
    let judgement = context.judgement;
    let mut last: Vec<(f64, usize)> = Vec::new();
    let mut seen: BTreeSet<(&str, &str)> = named
        .iter()
        .filter_map(|index| context.series(*index))
        .map(|series| (&*series.key.service, &*series.key.target))
        .collect();
    for (index, comparison) in judgement.comparisons.iter().enumerate().rev() {
        let Some(series) = context.series(comparison.series) else { continue };
        let is_endpoint = series.key.kind == Kind::Operation && series.class == Class::Latency;
        let is_best = super::server::latency_of(context, &series.key).is_some_and(|best| std::ptr::eq(best, series));
        if is_endpoint
            && is_best
            && comparison.log_ratio().is_some()
            && seen.insert((&*series.key.service, &*series.key.target))
        {
            last.push((series.total_time_s.unwrap_or(0.0), index));
        }
    }
    last.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    last.into_iter().map(|(_, index)| index).collect()
}
