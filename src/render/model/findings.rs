//! The findings: one card each, in the fixed form what, since when, how sure, who feels it, why, next step.

use super::context::{self, Context, effect, in_bad_direction, limit, seen, seen_change, seen_levels};
use super::view::{Align, Block, Card, Cell, Fact, Findings, HintLine, Link, Section};
use super::{deploys, figures, members};
use crate::detect::{Comparison, Confounder, Finding, Fit, Hint, Pattern, SeriesSummary, Verdict};
use crate::model::event::DeployGroup;
use crate::model::metric::Class;
use crate::model::time::{HOUR, Window};
use crate::render::clean;
use crate::render::explain::{
    self,
    sheet::{Sheet, Subject},
};
use crate::render::number::{self, Effect};
use crate::render::words::{Arg, Both, Phrase};

/// Cards that are drawn in full; the rest is listed.
const CARDS: usize = 12;
/// Rows of the list behind the cards.
const LISTED: usize = 60;

pub(super) fn section(context: &Context<'_>) -> Findings {
    let findings = &context.judgement.findings;
    let cards = (0..findings.len().min(CARDS)).filter_map(|index| card(context, index)).collect();
    let rows: Vec<Vec<Cell>> = (CARDS..findings.len()).filter_map(|index| listed(context, index)).collect();
    let columns = [
        ("col.verdict", Align::Text),
        ("col.finding", Align::Text),
        ("col.levels", Align::Number),
        ("col.change", Align::Number),
    ];
    let lead = match (findings.is_empty(), context.judgement.comparisons.is_empty()) {
        (true, true) => "findings.no_checks",
        (true, false) => "findings.none",
        (false, _) => "findings.lead",
    };
    Findings {
        lead: context.label(lead),
        cards,
        others: (!rows.is_empty()).then(|| context.short_table("findings.others", &columns, rows, LISTED)),
    }
}

fn listed(context: &Context<'_>, index: usize) -> Option<Vec<Cell>> {
    let finding = context.judgement.findings.get(index)?;
    let (series, comparison, _) = context.lead(finding)?;
    let service = context.plain(clean::name(&series.key.service));
    Some(vec![
        Cell::chip(context.chip(finding.verdict)),
        Cell::text(headline(context, finding)?).noted(service),
        Cell::text(context.plain(seen_levels(series, comparison))),
        context.change_cell(effect(series, comparison), series.direction),
    ])
}

/// Returns the words that a class of signals moves with: slower, fails more often, busier.
fn class_word(class: Class) -> &'static str {
    match class {
        Class::Latency => "latency",
        Class::Errors => "errors",
        Class::Saturation => "saturation",
        Class::Traffic | Class::Other => "other",
    }
}

/// Writes what happened, short: ``POST /v1/x` and 3 other endpoints became slower after deploy 7`.
pub(super) fn headline(context: &Context<'_>, finding: &Finding) -> Option<Phrase> {
    let (series, _, group) = context.lead(finding)?;
    let key = match (finding.verdict, finding.pattern) {
        (Verdict::Worse, _) => "worse",
        (Verdict::PossiblyWorse, _) => "possibly_worse",
        (_, Some(Pattern::Burst)) => "burst",
        (Verdict::Better, _) => "better",
        _ => "explained",
    };
    let alike = finding.targets.iter().filter_map(|target| context.target(target));
    let count = alike.filter(|(other, _)| other.key.kind == series.key.kind).count();
    let args = [
        ("target", Arg::from(context.about(finding))),
        ("count", count.max(1).into()),
        ("signal", context.signal(&series.key.signal).into()),
        ("deploy", Arg::Flag(group.number)),
    ];
    Some(context.say(&format!("headline.{key}.{}", class_word(series.class)), &args))
}

fn card(context: &Context<'_>, index: usize) -> Option<Card> {
    let finding = context.judgement.findings.get(index)?;
    let (series, comparison, group) = context.lead(finding)?;
    let headline = headline(context, finding)?;
    let shape = shape(context, finding, comparison);
    let sentence = {
        let told = sentence(context, &headline, series, comparison);
        let all: Vec<Phrase> =
            [told].into_iter().chain(explanation(context, comparison, group)).chain([shape.clone()]).collect();
        context.words.sentences(&all)
    };
    let runbook = context.service(&series.key.service).and_then(|service| clean::link(&service.runbook));
    Some(Card {
        anchor: context.anchor(index),
        id: clean::name(&finding.id),
        chip: context.chip(finding.verdict),
        service: clean::name(&series.key.service),
        number: group.number,
        headline,
        sentence,
        facts: facts(context, finding, series, comparison, group),
        shape,
        sure: sure(context, finding, series, comparison, group),
        week: figures::week_figure(context, series, comparison, group),
        timeline: figures::timeline_figure(context, series, comparison, group),
        suspects: deploys::changes(context, group),
        hints: finding.hints.iter().filter_map(|(hint, shown)| hint_line(context, *hint, *shown)).collect(),
        owner: context.owner(&series.key.service),
        runbook: runbook.map(|href| Link { href, text: context.label("findings.runbook") }),
        sheet: sheet(context, finding, series),
        signals: members::signals(context, finding),
        which: members::which(context, finding),
    })
}

/// Lays out how the verdict came about: the same as `report.json` holds and `fortnight explain` prints.
fn sheet(context: &Context<'_>, finding: &Finding, series: &SeriesSummary) -> Option<Box<Sheet>> {
    let explanation = explain::make(context.judgement, context.events, context.states, context.config, finding)?;
    let key = &series.key;
    let subject = Subject { service: &key.service, target: &key.target, signal: &key.signal, unit: series.unit };
    Some(Box::new(explain::sheet::sheet(&context.words, context.config.zone, subject, &explanation)))
}

fn sentence(context: &Context<'_>, headline: &Phrase, series: &SeriesSummary, comparison: &Comparison) -> Phrase {
    let Some(effect) = effect(series, comparison) else {
        return headline.clone();
    };
    let args = [
        ("headline", Arg::from(headline.clone())),
        ("signal", context.signal(&series.key.signal).into()),
        ("levels", seen_levels(series, comparison).into()),
        ("change", Arg::Strong(Both::same(seen_change(series, effect, comparison)))),
        ("range", effect.range().into()),
        ("limit", limit_text(effect, comparison).into()),
    ];
    let key = match seen(series, comparison) {
        Some(seen) if seen.is_burst => "findings.sentence_burst",
        Some(_) => "findings.sentence_left",
        None => "findings.sentence",
    };
    context.say(key, &args)
}

fn limit_text(effect: Effect, comparison: &Comparison) -> String {
    number::size(limit(comparison), effect.is_delta, effect.unit)
}

fn facts(
    context: &Context<'_>,
    finding: &Finding,
    series: &SeriesSummary,
    comparison: &Comparison,
    group: &DeployGroup,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(effect) = effect(series, comparison) {
        let args = [("range", Arg::from(effect.range())), ("limit", limit_text(effect, comparison).into())];
        let left = [("change", Arg::from(effect.value()))];
        let note = match seen(series, comparison) {
            Some(seen) if seen.is_burst => context.say("fact.left_burst", &left),
            Some(_) => context.say("fact.left", &left),
            None => context.say("fact.range", &args),
        };
        let notes: Vec<Phrase> = [note].into_iter().chain(members::others_range(context, finding)).collect();
        let change = context.plain(seen_change(series, effect, comparison));
        facts.push(context.fact("fact.change", change, context.words.join(&notes, &Both::new("; ", "。"))));
    }
    let levels = seen_levels(series, comparison);
    facts.push(context.fact("fact.level", context.plain(levels), context.signal(&series.key.signal)));
    facts.push(since(context, comparison, group));
    facts.push(felt(context, finding, series, group));
    facts
}

fn since(context: &Context<'_>, comparison: &Comparison, group: &DeployGroup) -> Fact {
    match comparison.onset {
        Some(onset) => {
            let at = [("at", Arg::from(context.stamp(group.window.start)))];
            context.fact("fact.since", context.span(onset), context.say("fact.deployed", &at))
        }
        None => context.fact("fact.since", context.stamp(group.window.start), context.label("fact.from_deploy")),
    }
}

/// Tells who feels it: requests since the deploy, and the waiting that they added.
fn felt(context: &Context<'_>, finding: &Finding, series: &SeriesSummary, group: &DeployGroup) -> Fact {
    let since = Window::new(group.window.end, context.judgement.period.end);
    let since_of = |series: &SeriesSummary| context::requests(series, since);
    let requests = members::sum(context, finding, |series, _| since_of(series));
    let note = requests.map_or_else(
        || context.label("fact.requests_unknown"),
        |n| context.say("fact.requests", &[("n", number::many(n).into())]),
    );
    let is_latency = series.class == Class::Latency;
    if is_latency && finding.cost_s.is_finite() && finding.cost_s.abs() >= 1.0 {
        let key = if finding.cost_s > 0.0 { "fact.waiting" } else { "fact.saved" };
        return context.fact(key, context.both(&number::waiting(finding.cost_s.abs())), note);
    }
    // For shares, the requests that failed more than before say more than hours.
    let failed = |series: &SeriesSummary, comparison: &Comparison| {
        Some(comparison.effect.as_ref()?.difference()?.value * since_of(series)?)
    };
    let is_burst = finding.pattern == Some(Pattern::Burst);
    if series.class == Class::Errors
        && !is_burst
        && let Some(failed) = members::sum(context, finding, failed).filter(|failed| failed.is_finite())
    {
        let key = if failed >= 0.0 { "fact.failed" } else { "fact.spared" };
        return context.fact(key, context.both(&number::many(failed.abs())), note);
    }
    let value = requests.map_or_else(|| context.plain(number::NONE), |n| context.both(&number::many(n)));
    context.fact("fact.who", value, context.label("fact.requests_since"))
}

/// Tells what else explains a change.
fn explanation(context: &Context<'_>, comparison: &Comparison, group: &DeployGroup) -> Option<Phrase> {
    let rival = comparison.explained_by?;
    let around = Window::new(group.window.start - HOUR, comparison.after_window.start + HOUR);
    let names = disturbances(context, group, around).filter(|_| rival == Confounder::Event);
    Some(match names {
        Some(names) => context.say("rival.event_named", &[("names", names.into())]),
        None => context.label(&format!("rival.{}", rival.as_str())),
    })
}

/// Names the events of some hours, the first three.
fn disturbances(context: &Context<'_>, group: &DeployGroup, hours: Window) -> Option<Phrase> {
    let disturbed = context.disturbances(&group.service, hours);
    let names: Vec<Phrase> = disturbed.iter().take(3).map(|event| context.event_name(event)).collect();
    (!names.is_empty()).then(|| context.words.list(&names))
}

/// Tells the shape over time.
fn shape(context: &Context<'_>, finding: &Finding, comparison: &Comparison) -> Phrase {
    let mut sentences = Vec::new();
    match finding.pattern.or(comparison.pattern) {
        Some(Pattern::Recovered { until, by }) => {
            let args = [("until", Arg::from(context.stamp(until)))];
            sentences.push(context.say("pattern.recovered", &args));
            if let Some(group) = by.and_then(|by| context.group(by)) {
                sentences.push(context.say("pattern.recovered_by", &[("deploy", Arg::Flag(group.number))]));
            }
        }
        Some(Pattern::Burst) if comparison.burst.is_some_and(|burst| burst.until > 0) => {
            let until = comparison.burst.map_or(0, |burst| burst.until);
            sentences.push(context.say("pattern.burst_until", &[("until", context.stamp(until).into())]));
        }
        Some(pattern) => sentences.push(context.label(&format!("pattern.{}", pattern.as_str()))),
        None => {}
    }
    context.words.sentences(&sentences)
}

/// Tells how sure it is, in words that need no statistics, and with `explained` by what.
fn sure(
    context: &Context<'_>,
    finding: &Finding,
    series: &SeriesSummary,
    comparison: &Comparison,
    group: &DeployGroup,
) -> Phrase {
    let mut sentences: Vec<Phrase> = explanation(context, comparison, group).into_iter().collect();
    sentences.extend(rarity(context, finding, comparison));
    if let Some(effect) = effect(series, comparison) {
        let bad = in_bad_direction(effect.estimate, series.direction);
        let limit = limit(comparison);
        let seen = seen(series, comparison);
        let is_seen = seen.is_some();
        let key = match () {
            () if seen.is_some_and(|seen| seen.is_burst) => "sure.left_burst",
            () if is_seen => "sure.left",
            () if bad.low >= limit => "sure.beyond_limit",
            () if bad.low > 0.0 => "sure.beyond_zero",
            () if bad.high <= -limit => "sure.better_beyond_limit",
            () if bad.high < 0.0 => "sure.better_beyond_zero",
            () => "sure.includes_zero",
        };
        let args = [
            ("limit", Arg::from(limit_text(effect, comparison))),
            ("change", effect.value().into()),
            ("range", effect.range().into()),
        ];
        sentences.push(context.say(key, &args));
        if comparison.verdict == Verdict::PossiblyWorse
            && let Some(days) = more_days(comparison, limit)
        {
            sentences.push(context.say("sure.more_days", &[("n", days.into())]));
        }
    }
    let beside = comparison.explained_by.is_some_and(|rival| rival != Confounder::Load);
    if let Some(blame) = comparison.blame.filter(|blame| blame.is_finite() && !beside) {
        sentences.push(context.say("sure.blame", &[("share", number::share_words(blame).into())]));
    }
    if comparison.coverage.is_finite() && comparison.coverage < 0.95 {
        sentences.push(context.say("sure.coverage", &[("share", number::share_words(comparison.coverage).into())]));
    }
    if let Some(kinds) = deploys::kinds(context, group) {
        sentences.push(context.say("sure.several_kinds", &[("kinds", kinds.into())]));
    }
    if comparison.explained_by != Some(Confounder::Event)
        && let Some(names) = disturbances(context, group, comparison.after_window)
    {
        sentences.push(context.say("sure.disturbed", &[("names", names.into())]));
    }
    context.words.sentences(&sentences)
}

/// Tells how rare a burst is at moments without a deploy.
fn rarity(context: &Context<'_>, finding: &Finding, comparison: &Comparison) -> Option<Phrase> {
    let burst = comparison.burst.filter(|_| finding.pattern == Some(Pattern::Burst))?;
    (burst.p_value.is_finite()).then(|| context.label("sure.burst"))
}

/// Returns the change that would have been found, on the scale of the effect.
pub(super) fn detectable(comparison: &Comparison) -> Option<f64> {
    comparison.effect.as_ref()?.detectable.filter(|size| size.is_finite())
}

/// Returns about how many days of data more would make the limit visible; `None` if waiting does not help.
///
/// The detectable size falls with the square root of the time observed.
pub(super) fn more_days(comparison: &Comparison, limit: f64) -> Option<usize> {
    let detectable = detectable(comparison).filter(|size| *size > limit)?;
    let seen = comparison.after_window.length() as f64 / crate::model::time::DAY as f64;
    let more = seen * ((detectable / limit).powi(2) - 1.0);
    (more.is_finite() && more > 0.0 && more <= 60.0).then(|| (more.ceil() as usize).max(1))
}

fn hint_line(context: &Context<'_>, hint: Hint, shown: usize) -> Option<HintLine> {
    let (word, fit) = match hint {
        Hint::DatabaseTime(fit) => ("database", fit),
        Hint::Traffic(fit) => ("traffic", fit),
        Hint::Processor(fit) => ("processor", fit),
        Hint::Errors(fit) => ("errors", fit),
    };
    let (class, glyph, fit) = match fit {
        Fit::Fits => ("fits", "●", "hint.fits"),
        Fit::DoesNotFit => ("not", "○", "hint.does_not_fit"),
        Fit::CannotTell => ("open", "?", "hint.cannot_tell"),
    };
    let comparison = context.comparison(shown)?;
    let series = context.series(comparison.series)?;
    let evidence = effect(series, comparison).map_or_else(Phrase::default, |effect| {
        let args = [
            ("target", Arg::Code(clean::name(&series.key.target))),
            ("change", effect.value().into()),
            ("range", effect.range().into()),
        ];
        context.say("hint.evidence", &args)
    });
    Some(HintLine { class, glyph, what: context.label(&format!("hint.{word}")), fit: context.label(fit), evidence })
}

/// Makes the table that the meeting fills in: what to do about each finding that is for the worse.
pub(super) fn decisions(context: &Context<'_>) -> Option<Section> {
    let open = |finding: &&Finding| matches!(finding.verdict, Verdict::Worse | Verdict::PossiblyWorse);
    let rows = context.judgement.findings.iter().enumerate().filter(|(_, finding)| open(finding));
    let rows = rows.filter_map(|(index, finding)| {
        let (series, comparison, _) = context.lead(finding)?;
        let size = effect(series, comparison).map_or_else(String::new, |effect| format!(" {}", effect.value()));
        Some(vec![
            Cell::text(context.plain(clean::name(&finding.id))).linked(context.href(index)),
            Cell::text(context.about_signal(finding)?)
                .noted(context.plain(format!("{}{size}", clean::name(&series.key.service)))),
            Cell::text(context.owner(&series.key.service)),
            Cell::default(),
            Cell::default(),
        ])
    });
    let rows: Vec<_> = rows.collect();
    let columns = [
        ("col.finding", Align::Text),
        ("col.what", Align::Text),
        ("col.owner", Align::Text),
        ("col.decision", Align::Blank),
        ("col.date", Align::Blank),
    ];
    if rows.is_empty() {
        return None;
    }
    let table = context.short_table("decisions.caption", &columns, rows, 20);
    let blocks = vec![Block::Text(context.label("decisions.lead")), Block::Table(table)];
    Some(Section { id: "decisions", title: context.label("nav.decisions"), blocks })
}
