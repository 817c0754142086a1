//! Deploys with their verdicts, the verdict map, and the other events of the period.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{ViewContext, in_bad_direction, ink};
use super::figures;
use super::parts::{Change, DeployRow, Deploys, Link, Map, MapRow};
use crate::model::effect::{Estimate, Scale};
use crate::model::event::EventKind;
use crate::model::metric::{Class, Kind};
use crate::model::verdict::Verdict;
use crate::render::change::{self, Readable};
use crate::render::chart::{Domain, ForestRow, forest_axis, forest_row};
use crate::render::i18n::{Arg, Localized, Phrase};
use crate::render::message::revision;
use crate::render::number;
use crate::render::sanitize;
use crate::render::table::{Align, Cell, Table};
use crate::review::chapter::{has_bad_direction, latency_of};
use crate::review::{Comparison, Deploy, Finding, Group, Topic};

/// Deploy groups in the table; beyond it the ones without a finding are left out.
const ROWS: usize = 80;
/// Rows of the verdict map.
const MAP_ROWS: usize = 20;

pub(super) fn section(context: &ViewContext<'_>) -> Deploys {
    let review = context.review;
    let groups = &review.groups;
    let with_finding: BTreeSet<usize> = review.findings.iter().map(|finding| finding.number).collect();
    let spare = ROWS.saturating_sub(with_finding.len());
    let has_finding = |group: &&Group| with_finding.contains(&group.number);
    let others: BTreeSet<usize> =
        groups.iter().filter(|group| !has_finding(group)).take(spare).map(|group| group.number).collect();
    let mut checks: BTreeMap<usize, Vec<&Comparison>> = BTreeMap::new();
    for comparison in &review.comparisons {
        checks.entry(comparison.number).or_default().push(comparison);
    }
    let shown = groups.iter().filter(|group| has_finding(group) || others.contains(&group.number));
    let own = |group: &Group| checks.get(&group.number).map_or(&[][..], Vec::as_slice);
    let rows: Vec<DeployRow> = shown.map(|group| row(context, group, own(group))).collect();
    let left_out = groups.len() - rows.len();
    let joined = groups.iter().filter(|group| group.deploys.len() > 1).count();
    let lead = match (groups.len(), joined) {
        (0, _) => context.label("deploys.none"),
        (_, 0) => compared(context),
        _ => context.words.sentences(&[compared(context), context.label("deploys.groups")]),
    };
    let more =
        if left_out > 0 { context.message("deploys.more", &[("n", left_out.into())]) } else { Phrase::default() };
    Deploys { lead, rows, more, others: other_events(context), map: map(context) }
}

/// Writes what deploys are compared with: hours of the days before, of few days if the history has no more.
fn compared(context: &ViewContext<'_>) -> Phrase {
    let longest = context.review.comparisons.iter().max_by_key(|one| one.before_window.window().length());
    match longest.and_then(figures::only_days) {
        Some(days) => context.message("deploys.lead_thin", &days),
        None => context.label("deploys.lead"),
    }
}

fn row(context: &ViewContext<'_>, group: &Group, own: &[&Comparison]) -> DeployRow {
    let findings = context.review.findings.iter().enumerate().filter(|(_, finding)| finding.number == group.number);
    let first = findings.min_by_key(|(_, finding)| rank(finding));
    let chip = match first {
        Some((_, finding)) => context.topic(finding.topic()),
        None => context.chip(verdict_without_finding(own)),
    };
    let repaired = repaired(context, group).filter(|_| first.is_none());
    let chip = if repaired.is_some() { context.topic(Topic::Better) } else { chip };
    let (effect, range) = match repaired {
        Some((_, finding)) => {
            (context.message("deploys.repaired", &[("deploy", Arg::Flag(finding.number))]), Phrase::default())
        }
        None => first.and_then(|(_, finding)| largest(context, finding)).unwrap_or_default(),
    };
    let lost = context.review.notices.iter().find(|notice| notice.is_lost_at(group.number)).filter(|_| first.is_none());
    let effect = lost.map_or(effect, |notice| context.notice(notice));
    let ready = ready(context, own).filter(|_| first.or(repaired).is_none());
    DeployRow {
        number: group.number,
        service: sanitize::name(&group.service),
        changes: changes(context, group.number),
        chip,
        checks: checks(context, own),
        effect: ready.unwrap_or(effect),
        range,
        href: first.or(repaired).map(|(index, _)| context.href(index)),
    }
}

/// Returns the first regression that a group of deploys took back.
fn repaired<'a>(context: &ViewContext<'a>, group: &Group) -> Option<(usize, &'a Finding)> {
    let findings = context.review.findings.iter().enumerate();
    let is_worse = |finding: &Finding| matches!(finding.topic(), Topic::Worse | Topic::PossiblyWorse);
    let mut over = findings.filter(|(_, finding)| finding.is_over() && is_worse(finding));
    over.find(|(_, finding)| finding.by_number == Some(group.number))
}

/// Writes the change of a finding, and its range if it was judged as it was seen.
fn largest(context: &ViewContext<'_>, finding: &Finding) -> Option<(Phrase, Phrase)> {
    let comparison = finding.comparison.as_deref()?;
    let change = change::seen_change(comparison)?;
    let args = [("name", Arg::from(context.about_signal(finding))), ("change", Arg::Strong(Localized::same(change)))];
    let range = match comparison.seen() {
        Some(_) => Phrase::default(),
        None => context.range(Readable::of(comparison)?),
    };
    let effect = match context.end(finding) {
        Some(end) => context.message("deploys.effect_over", &[&args[..], &[("end", end.into())]].concat()),
        None => context.message("deploys.effect", &args),
    };
    Some((effect, range))
}

/// Orders findings as a deploy's headline wants them: alarms, suspicions, then what passed or was explained.
fn rank(finding: &Finding) -> usize {
    match finding.topic() {
        Topic::Worse => 0,
        Topic::PossiblyWorse => 1,
        Topic::Better => 2,
        Topic::Burst => 3,
        Topic::Explained => 4,
    }
}

/// Sums up a deploy without a finding. A single suspicion among many checks is expected by chance and was weighed by the
/// judge; it does not become the deploy's verdict here.
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
fn checks(context: &ViewContext<'_>, own: &[&Comparison]) -> Phrase {
    if own.is_empty() {
        return context.label("deploys.no_checks");
    }
    let ruled_out = own.iter().filter(|c| matches!(c.verdict, Verdict::NoMaterialChange | Verdict::NotWorse)).count();
    context.message("deploys.checks", &[("n", ruled_out.into()), ("total", own.len().into())])
}

/// Writes when a deploy that is too fresh can be judged.
fn ready(context: &ViewContext<'_>, own: &[&Comparison]) -> Option<Phrase> {
    let is_fresh = own.iter().all(|c| matches!(c.verdict, Verdict::TooEarly | Verdict::NoData));
    let at = own.iter().filter_map(|c| c.ready_at).min().filter(|_| is_fresh)?;
    Some(context.message("deploys.ready", &[("at", context.stamp(at.ms()).into())]))
}

/// Returns the changes of a group, by time.
pub(super) fn changes(context: &ViewContext<'_>, number: usize) -> Vec<Change> {
    let change = |deploy: &Deploy| {
        let title = if deploy.title.is_empty() {
            context.label("deploys.untitled")
        } else {
            context.plain(sanitize::name(&deploy.title))
        };
        Change {
            at: context.stamp(deploy.at.ms()),
            kind: match deploy.kind {
                EventKind::Deploy if deploy.inferred => context.label("deploys.inferred"),
                EventKind::Deploy => Phrase::default(),
                other => kind(context, other),
            },
            revision: sanitize::name(&revision(deploy)),
            title: Link { href: sanitize::link(&deploy.url).unwrap_or_default(), text: title },
            author: sanitize::name(&deploy.author),
        }
    };
    context.review.deploys_of(number).map(change).collect()
}

fn kind(context: &ViewContext<'_>, kind: EventKind) -> Phrase {
    context.label(&format!("event.{}", kind.as_str()))
}

/// Names the kinds of changes in a group, if there is more than one kind.
pub(super) fn kinds(context: &ViewContext<'_>, number: usize) -> Option<Phrase> {
    let kinds: BTreeSet<EventKind> = context.review.deploys_of(number).map(|deploy| deploy.kind).collect();
    let names: Vec<Phrase> = kinds.iter().map(|own| kind(context, *own)).collect();
    (kinds.len() > 1).then(|| context.words.list(&names))
}

fn other_events(context: &ViewContext<'_>) -> Option<Table> {
    let period = context.review.period.window();
    let touching =
        context.review.events.iter().filter(|event| event.window().overlaps(period) || period.contains(event.at.ms()));
    let rows = touching.map(|event| {
        let service =
            if event.service == "*" { context.label("common.all_services") } else { context.code(&event.service) };
        let mut title = Cell::text(context.plain(sanitize::name(&event.title)));
        title.href = sanitize::link(&event.url);
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

/// Draws the verdict map: findings first, then the endpoints that most time is spent in.
fn map(context: &ViewContext<'_>) -> Option<Map> {
    let review = context.review;
    let leads = review.findings.iter().enumerate().map(|(index, finding)| (finding.lead, Some(index)));
    let mut picked: Vec<(usize, Option<usize>)> = leads.take(MAP_ROWS).collect();
    let named: BTreeSet<usize> =
        picked.iter().filter_map(|(lead, _)| Some(review.comparisons.get(*lead)?.series)).collect();
    picked.extend(busiest(context, &named).into_iter().map(|index| (index, None)));
    picked.truncate(MAP_ROWS);
    let rows: Vec<_> = picked
        .into_iter()
        .filter_map(|(index, finding)| {
            let (series, comparison) = review.checked(index)?;
            let judged = comparison.judged()?;
            let estimate = in_bad_direction(judged.estimate, series.better);
            let estimate = (judged.scale == Scale::LogRatio).then_some(estimate);
            has_bad_direction(series).then_some((comparison, estimate, finding))
        })
        .collect();
    let estimates: Vec<Estimate> = rows.iter().filter_map(|(_, estimate, _)| *estimate).collect();
    let domain = Domain::over(&estimates);
    let limit = number::share(review.settings.limit.relative);
    let caption = context.message("map.caption", &[("limit", limit.into())]);
    let axis = forest_axis(domain, &context.label("map.axis").bare(context.words.first()))?;
    let rows: Vec<MapRow> = rows.iter().filter_map(|(c, e, f)| map_row(context, domain, c, *e, *f)).collect();
    (!rows.is_empty()).then_some(Map { caption, axis, rows })
}

fn map_row(
    context: &ViewContext<'_>,
    domain: Domain,
    comparison: &Comparison,
    estimate: Option<Estimate>,
    finding: Option<usize>,
) -> Option<MapRow> {
    let change = Readable::as_judged(comparison)?;
    let judged = comparison.judged()?;
    let title = format!("{} {}", sanitize::name(&comparison.target), change.value());
    let range = context.range(change).bare(context.words.first());
    let draw = |estimate: Estimate| {
        let row = ForestRow {
            estimate,
            limit: judged.limit,
            ink: ink(comparison.verdict),
            title: &title,
            description: &range,
        };
        forest_row(domain, &row)
    };
    let note = [
        ("service", Arg::from(sanitize::name(&comparison.service))),
        ("signal", context.signal(&comparison.signal).into()),
        ("deploy", Arg::Flag(comparison.number)),
    ];
    Some(MapRow {
        chip: context.chip(comparison.verdict),
        name: context.code(&comparison.target),
        note: context.message("map.note", &note),
        svg: estimate.and_then(draw),
        instead: context.message("map.as_difference", &[("limit", change::limit(comparison).into())]),
        value: context.plain(change.value()),
        range: context.localized(&change.range()),
        levels: context.plain(number::levels(comparison.level_before(), comparison.level_after(), comparison.unit)),
        href: finding.map(|index| context.href(index)),
    })
}

/// Returns the last judged comparison of each endpoint's response time, the endpoints with most time first.
fn busiest(context: &ViewContext<'_>, named: &BTreeSet<usize>) -> Vec<usize> {
    let review = context.review;
    let mut last: Vec<(f64, usize)> = Vec::new();
    let mut seen: BTreeSet<(&str, &str)> = named
        .iter()
        .filter_map(|index| review.series.get(*index))
        .map(|series| (&*series.service, &*series.target))
        .collect();
    for (index, comparison) in review.comparisons.iter().enumerate().rev() {
        let Some(series) = review.series_of(comparison) else { continue };
        let is_endpoint = series.kind == Kind::Operation && series.class == Class::Latency;
        if is_endpoint
            && comparison.ratio.is_some()
            && latency_of(&review.series, series.of_target()).is_some_and(|(best, _)| best == comparison.series)
            && seen.insert((&*series.service, &*series.target))
        {
            last.push((series.total_time_s.unwrap_or(0.0), index));
        }
    }
    last.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    last.into_iter().map(|(_, index)| index).collect()
}
