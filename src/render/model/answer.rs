//! The top of the page and the answer.

use std::collections::BTreeSet;

use super::context::{Context, effect, seen_change, seen_levels};
use super::findings;
use super::view::{Answer, Head, Tile, TopLine};
use crate::detect::Verdict;
use crate::model::time::Window;
use crate::render::words::{Arg, Both, Phrase};
use crate::render::{calendar, clean, number};

/// Findings that the answer names.
const TOP: usize = 4;
/// Below this share of the period's points, the page marks itself as partial.
const COMPLETE_FROM: f64 = 0.95;

pub(super) fn head(context: &Context<'_>) -> Head {
    let judgement = context.judgement;
    let zone = context.config.zone;
    let period = [
        ("period", Arg::from(calendar::period(judgement.period, zone))),
        ("zone", calendar::zone_name(judgement.period.start, zone).into()),
    ];
    let scope = [
        ("services", services(context).len().into()),
        ("series", judgement.series.len().into()),
        ("deploys", deploy_count(context).into()),
    ];
    let badge = match () {
        () if context.states.iter().any(|state| state.failure().is_some()) => ("partial", "head.partial"),
        () if judgement.series.is_empty() => ("partial", "head.empty"),
        () if coverage(context) < COMPLETE_FROM => ("partial", "head.coverage"),
        () => ("complete", "head.coverage"),
    };
    let share = [("share", Arg::from(number::share(coverage(context))))];
    Head {
        team: clean::name(&context.config.title),
        period: context.say("head.period", &period),
        scope: context.say("head.scope", &scope),
        badge: (badge.0, context.say(badge.1, &share)),
    }
}

/// Writes an expected number: nothing finer than a tenth.
fn about(expected: f64) -> Both {
    if expected < 0.1 {
        return Both::new("fewer than 0.1", "0.1件未満");
    }
    let number = number::significant(expected, 2);
    Both::new(format!("about {number}"), format!("約{number}件"))
}

/// Returns the services that have series, by name.
pub(super) fn services<'a>(context: &Context<'a>) -> BTreeSet<&'a str> {
    context.judgement.series.iter().map(|series| &*series.key.service).collect()
}

fn deploy_count(context: &Context<'_>) -> usize {
    let members: BTreeSet<usize> =
        context.judgement.groups.iter().flat_map(|group| group.members.iter().copied()).collect();
    members.len()
}

/// Returns the share of the period's points that were there, over all series.
fn coverage(context: &Context<'_>) -> f64 {
    let known: Vec<f64> = context.judgement.series.iter().map(|s| s.coverage).filter(|c| c.is_finite()).collect();
    if known.is_empty() { 0.0 } else { known.iter().sum::<f64>() / known.len() as f64 }
}

pub(super) fn section(context: &Context<'_>) -> Answer {
    let findings = context.judgement.findings.iter().enumerate();
    let top = findings.take(TOP).filter_map(|(index, finding)| {
        let (series, comparison, _) = context.lead(finding)?;
        let size = effect(series, comparison).map_or_else(Phrase::default, |effect| {
            let levels = seen_levels(series, comparison);
            let args = [
                ("levels", levels.into()),
                ("change", Arg::Strong(Both::same(seen_change(series, effect, comparison)))),
            ];
            context.say("answer.size", &args)
        });
        let headline = findings::headline(context, finding)?;
        Some(TopLine { href: context.href(index), chip: context.chip(finding.verdict), text: headline, size })
    });
    Answer {
        sentence: sentence(context),
        rest: rest(context),
        tiles: tiles(context),
        top: top.collect(),
        notes: notes(context),
    }
}

fn with_verdict(context: &Context<'_>, verdict: Verdict) -> usize {
    context.judgement.findings.iter().filter(|finding| finding.verdict == verdict).count()
}

fn checks_with(context: &Context<'_>, verdicts: &[Verdict]) -> usize {
    context.judgement.comparisons.iter().filter(|comparison| verdicts.contains(&comparison.verdict)).count()
}

const RULED_OUT: [Verdict; 2] = [Verdict::NoMaterialChange, Verdict::NotWorse];

fn sentence(context: &Context<'_>) -> Phrase {
    let judgement = context.judgement;
    let affected: BTreeSet<&str> = judgement
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Worse)
        .filter_map(|finding| Some(&*context.lead(finding)?.0.key.service))
        .collect();
    let total = services(context).len();
    let names: Vec<Phrase> = affected.iter().take(5).map(|name| context.plain(clean::name(name))).collect();
    let args = [("n", affected.len().into()), ("total", total.into()), ("names", context.words.list(&names).into())];
    let suspects = with_verdict(context, Verdict::PossiblyWorse);
    match () {
        () if judgement.series.is_empty() => context.label("answer.no_series"),
        () if !affected.is_empty() => context.say("answer.worse", &args),
        () if suspects > 0 => context.say("answer.suspects", &[("n", suspects.into())]),
        () if judgement.elsewhere.iter().any(|change| change.is_worse) => context.label("answer.elsewhere"),
        () if judgement.comparisons.is_empty() => context.label("answer.no_checks"),
        () if checks_with(context, &RULED_OUT) == 0 => context.label("answer.unsettled"),
        () => context.label("answer.quiet"),
    }
}

fn rest(context: &Context<'_>) -> Phrase {
    let total = context.judgement.comparisons.len();
    let args = [
        ("n", Arg::from(checks_with(context, &RULED_OUT))),
        ("total", total.into()),
        ("limit", number::share(context.config.judge.limit.relative).into()),
    ];
    let mut sentences = Vec::new();
    if context.judgement.groups.is_empty() && !context.judgement.series.is_empty() {
        sentences.push(context.label("answer.no_deploy"));
    }
    if total > 0 {
        sentences.push(context.say("answer.ruled_out", &args));
    }
    let better = with_verdict(context, Verdict::Better);
    if better > 0 {
        sentences.push(context.say("answer.better", &[("n", better.into())]));
    }
    context.words.sentences(&sentences)
}

fn tiles(context: &Context<'_>) -> Vec<Tile> {
    let tile = |verdict: Verdict, count: usize, unit: &str| Tile {
        chip: context.chip(verdict),
        count: number::whole(count as u64),
        is_zero: count == 0,
        unit: context.say(unit, &[("n", count.into())]),
    };
    let mut tiles: Vec<Tile> = [Verdict::Worse, Verdict::PossiblyWorse, Verdict::Better]
        .map(|verdict| tile(verdict, with_verdict(context, verdict), "answer.unit_findings"))
        .into();
    let mut ruled_out = tile(Verdict::NoMaterialChange, checks_with(context, &RULED_OUT), "answer.unit_checks");
    ruled_out.chip.word = context.label("answer.tile_ruled_out");
    tiles.push(ruled_out);
    let open = [Verdict::Inconclusive, Verdict::TooEarly];
    tiles.push(tile(Verdict::Inconclusive, checks_with(context, &open), "answer.unit_checks"));
    tiles.push(tile(Verdict::NoData, checks_with(context, &[Verdict::NoData]), "answer.unit_checks"));
    tiles
}

fn notes(context: &Context<'_>) -> Vec<Phrase> {
    let mut notes = Vec::new();
    for state in context.states.iter().filter(|state| state.failure().is_some()) {
        let args = [("source", Arg::Code(clean::name(&state.id))), ("error", clean::failure(state).0.into())];
        notes.push(context.say("answer.source_failed", &args));
    }
    if !context.judgement.series.is_empty() {
        notes.push(context.say("answer.coverage", &[("share", number::share_words(coverage(context)).into())]));
    }
    let audit = context.judgement.audit;
    if audit.tests > 0 {
        let args = [
            ("tests", Arg::from(audit.tests)),
            ("n", audit.false_alarms.into()),
            ("checks", context.judgement.comparisons.len().into()),
            ("expected", about(audit.expected_false).into()),
        ];
        notes.push(context.say("answer.audit", &args));
    } else if !context.judgement.comparisons.is_empty() {
        let limit = number::share(context.config.judge.false_discovery);
        notes.push(context.say("answer.no_audit", &[("limit", limit.into())]));
    }
    if context.judgement.findings.is_empty() {
        let days = i64::from(context.config.period.days);
        let next = calendar::days_later(context.judgement.period.end, days, context.config.zone);
        let next = Window::new(context.judgement.period.end, next);
        notes.push(context.say("answer.next", &[("period", calendar::period(next, context.config.zone).into())]));
    }
    notes
}
