//! The findings: one card each, in the fixed form what, since when, how sure, who feels it, why, next step.

use super::context::{ViewContext, in_bad_direction};
use super::parts::{Block, Card, Fact, Findings, HintLine, Link, Section};
use super::{deploys, figures, targets};
use crate::model::metric::{Class, FAILED_REQUEST_S};
use crate::model::time::{DAY, HOUR, Window};
use crate::model::verdict::{Confounder, Verdict};
use crate::render::change::{self, Readable};
use crate::render::details::Details;
use crate::render::i18n::{Arg, Localized, Phrase};
use crate::render::number;
use crate::render::sanitize;
use crate::render::table::{Align, Cell};
use crate::review::chapter::{CARDS, cards};
use crate::review::{Comparison, Finding, Fit, Group, Hint, HintKind, Pattern};

/// Rows of the list behind the cards.
const LISTED: usize = 60;

pub(super) fn section(context: &ViewContext<'_>) -> Findings {
    let findings = &context.review.findings;
    let drawn = cards(findings).iter().enumerate();
    let rows: Vec<Vec<Cell>> = findings.iter().skip(CARDS).filter_map(|finding| listed(context, finding)).collect();
    let columns = [
        ("col.verdict", Align::Text),
        ("col.finding", Align::Text),
        ("col.levels", Align::Number),
        ("col.change", Align::Number),
    ];
    let lead = match (findings.is_empty(), context.review.comparisons.is_empty()) {
        (true, true) => "findings.no_checks",
        (true, false) => "findings.none",
        (false, _) => "findings.lead",
    };
    let seconds = [("seconds", Arg::from(number::trimmed(FAILED_REQUEST_S)))];
    Findings {
        lead: context.message(lead, &seconds),
        cards: drawn.filter_map(|(index, finding)| card(context, index, finding)).collect(),
        others: (!rows.is_empty()).then(|| context.short_table("findings.others", &columns, rows, LISTED)),
    }
}

fn listed(context: &ViewContext<'_>, finding: &Finding) -> Option<Vec<Cell>> {
    let comparison = finding.comparison.as_deref()?;
    let service = context.plain(sanitize::name(&finding.service));
    Some(vec![
        Cell::chip(context.topic(finding.topic())),
        Cell::text(context.headline(finding)).noted(service),
        Cell::text(context.plain(change::seen_levels(comparison))),
        context.change_cell(Readable::of(comparison), finding.better()),
    ])
}

fn card(context: &ViewContext<'_>, index: usize, finding: &Finding) -> Option<Card> {
    let (comparison, group) = context.lead(finding)?;
    let series = context.review.series_of(comparison)?;
    let shape = context.shape(finding);
    let sentences = [Some(context.sentence(finding)), explanation(context, comparison, group), Some(shape.clone())];
    let sentences: Vec<Phrase> = sentences.into_iter().flatten().collect();
    Some(Card {
        anchor: context.anchor(index),
        id: sanitize::name(&finding.id),
        chip: context.topic(finding.topic()),
        service: sanitize::name(&finding.service),
        number: group.number,
        thin: figures::only_days(comparison)
            .map_or_else(Phrase::default, |days| context.message("findings.thin", &days)),
        headline: context.headline(finding),
        sentence: context.words.sentences(&sentences),
        facts: facts(context, finding, comparison, group),
        shape,
        sure: sure(context, finding, comparison, group),
        week: figures::week_figure(context, series, comparison, group),
        timeline: figures::timeline_figure(context, series, comparison, group),
        suspects: deploys::changes(context, group.number),
        hints: finding.hints.iter().filter_map(|hint| hint_line(context, *hint)).collect(),
        owner: context.owner(&finding.owner),
        runbook: sanitize::link(&finding.runbook).map(|href| Link { href, text: context.label("findings.runbook") }),
        details: finding.explanation.as_ref().map(|own| Box::new(Details::new(context, finding, own))),
        which: targets::which(context, finding),
    })
}

fn facts(context: &ViewContext<'_>, finding: &Finding, comparison: &Comparison, group: &Group) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some((own, change)) = Readable::of(comparison).zip(change::seen_change(comparison)) {
        let args = [("range", Arg::from(own.range())), ("limit", change::limit(comparison).into())];
        let left = [("change", Arg::from(own.value()))];
        let note = match comparison.seen() {
            Some(seen) if seen.is_burst => context.message("fact.left_burst", &left),
            Some(_) => context.message("fact.left", &left),
            None => context.message("fact.range", &args),
        };
        let notes: Vec<Phrase> = [note].into_iter().chain(targets::others_range(context, finding)).collect();
        let notes = context.words.join(&notes, &Localized::new("; ", "。"));
        facts.push(context.fact("fact.change", context.plain(change), notes));
    }
    let levels = context.plain(change::seen_levels(comparison));
    facts.push(context.fact("fact.level", levels, context.signal(&finding.signal)));
    facts.push(since(context, finding, comparison, group));
    facts.push(felt(context, finding));
    facts
}

/// Writes since when. A change that a deploy made did not begin before it, however far the data reach back.
fn since(context: &ViewContext<'_>, finding: &Finding, comparison: &Comparison, group: &Group) -> Fact {
    let deployed = context.stamp(group.from.ms());
    if let Some(until) = finding.until.filter(|_| finding.is_over()) {
        let start = comparison.onset.map_or(group.from.ms(), |onset| onset.window().start.max(group.from.ms()));
        let span = context.span(Window::new(start, until.ms()));
        let note = match finding.by_number {
            Some(number) => context.message("fact.until_deploy", &[("deploy", Arg::Flag(number))]),
            None => context.message("fact.deployed", &[("at", deployed.into())]),
        };
        return context.fact("fact.from_to", span, note);
    }
    match comparison.onset {
        Some(onset) => {
            let note = context.message("fact.deployed", &[("at", deployed.into())]);
            let onset = onset.window();
            let from = if onset.contains(group.from.ms()) { group.from.ms() } else { onset.start };
            context.fact("fact.since", context.span(Window::new(from, onset.end)), note)
        }
        None => context.fact("fact.since", deployed, context.label("fact.from_deploy")),
    }
}

/// Writes who feels it: requests since the deploy, and the waiting that they added.
fn felt(context: &ViewContext<'_>, finding: &Finding) -> Fact {
    let requests = targets::sum(context, finding, |target, _| target.requests);
    // Counted until the old level was back, also where it is too early to call the finding over.
    let keys = match finding.pattern == Some(Pattern::Recovered) {
        true => ("fact.requests_while", "fact.requests_until"),
        false => ("fact.requests", "fact.requests_since"),
    };
    let note = requests.map_or_else(
        || context.label("fact.requests_unknown"),
        |n| context.message(keys.0, &[("n", number::many(n).into())]),
    );
    let cost_s = finding.cost_ms.map_or(0.0, |cost| cost / 1e3);
    if finding.class() == Class::Latency && cost_s.abs() >= 1.0 {
        let key = if cost_s > 0.0 { "fact.waiting" } else { "fact.saved" };
        return context.fact(key, context.localized(&number::waiting(cost_s.abs())), note);
    }
    // For shares, the requests that failed more than before say more than hours.
    let is_burst = finding.pattern == Some(Pattern::Burst);
    if finding.class() == Class::Errors
        && !is_burst
        && let Some(failed) = finding.failed_requests
    {
        let key = if failed >= 0.0 { "fact.failed" } else { "fact.spared" };
        return context.fact(key, context.localized(&number::many(failed.abs())), note);
    }
    let value = requests.map_or_else(|| context.none(), |n| context.localized(&number::many(n)));
    context.fact("fact.who", value, context.label(keys.1))
}

/// Writes what else explains a change.
fn explanation(context: &ViewContext<'_>, comparison: &Comparison, group: &Group) -> Option<Phrase> {
    let confounder = comparison.explained_by?;
    let around = Window::new(group.from.ms() - HOUR, comparison.after_window.from.ms() + HOUR);
    let names = disturbances(context, group, around).filter(|_| confounder == Confounder::Event);
    Some(match names {
        Some(names) => context.message("rival.event_named", &[("names", names.into())]),
        None => context.label(&format!("rival.{}", confounder.as_str())),
    })
}

/// Names the events of some hours, the first three.
fn disturbances(context: &ViewContext<'_>, group: &Group, hours: Window) -> Option<Phrase> {
    let disturbed = context.review.disturbances(&group.service, hours);
    let names: Vec<Phrase> = disturbed.iter().take(3).map(|event| context.event_name(event)).collect();
    (!names.is_empty()).then(|| context.words.list(&names))
}

/// Writes how sure it is, in words that need no statistics, and with `explained` by what.
fn sure(context: &ViewContext<'_>, finding: &Finding, comparison: &Comparison, group: &Group) -> Phrase {
    let mut sentences: Vec<Phrase> = explanation(context, comparison, group).into_iter().collect();
    sentences.extend(rarity(context, finding, comparison));
    if let Some((judged, change)) = comparison.judged().zip(Readable::of(comparison)) {
        let bad = in_bad_direction(judged.estimate, finding.better());
        let limit = judged.limit;
        let seen = comparison.seen();
        let key = match () {
            () if seen.is_some_and(|seen| seen.is_burst) => "sure.left_burst",
            () if seen.is_some() => "sure.left",
            () if bad.low >= limit => "sure.beyond_limit",
            () if bad.low > 0.0 => "sure.beyond_zero",
            () if bad.high <= -limit => "sure.better_beyond_limit",
            () if bad.high < 0.0 => "sure.better_beyond_zero",
            () => "sure.includes_zero",
        };
        let args = [
            ("limit", Arg::from(change::limit(comparison))),
            ("change", change.value().into()),
            ("range", change.range().into()),
        ];
        sentences.push(context.message(key, &args));
        if comparison.verdict == Verdict::PossiblyWorse
            && let Some(days) = more_days(comparison)
        {
            sentences.push(context.message("sure.more_days", &[("n", days.into())]));
        }
    }
    let beside = comparison.explained_by.is_some_and(|confounder| confounder != Confounder::Load);
    if let Some(blame) = comparison.blame.filter(|_| !beside) {
        sentences.push(context.message("sure.blame", &[("share", number::share_words(blame).into())]));
    }
    if let Some(coverage) = comparison.coverage.filter(|coverage| *coverage < 0.95) {
        sentences.push(context.message("sure.coverage", &[("share", number::share_words(coverage).into())]));
    }
    if let Some(kinds) = deploys::kinds(context, group.number) {
        sentences.push(context.message("sure.several_kinds", &[("kinds", kinds.into())]));
    }
    if comparison.explained_by != Some(Confounder::Event)
        && let Some(names) = disturbances(context, group, comparison.after_window.window())
    {
        sentences.push(context.message("sure.disturbed", &[("names", names.into())]));
    }
    context.words.sentences(&sentences)
}

/// Writes how rare a burst is at moments without a deploy.
fn rarity(context: &ViewContext<'_>, finding: &Finding, comparison: &Comparison) -> Option<Phrase> {
    let burst = comparison.burst.filter(|_| finding.pattern == Some(Pattern::Burst))?;
    burst.p_value.map(|_| context.label("sure.burst"))
}

/// Returns about how many days of data more would make the limit visible; `None` if waiting does not help.
///
/// The detectable size falls with the square root of the time observed.
pub(super) fn more_days(comparison: &Comparison) -> Option<usize> {
    let judged = comparison.judged()?;
    let detectable = judged.detectable.filter(|size| *size > judged.limit)?;
    let seen = comparison.after_window.window().length() as f64 / DAY as f64;
    let more = seen * ((detectable / judged.limit).powi(2) - 1.0);
    (more.is_finite() && more > 0.0 && more <= 60.0).then(|| (more.ceil() as usize).max(1))
}

fn hint_line(context: &ViewContext<'_>, hint: Hint) -> Option<HintLine> {
    let word = match hint.hint {
        HintKind::DatabaseTime => "database",
        HintKind::Traffic => "traffic",
        HintKind::Processor => "processor",
        HintKind::Errors => "errors",
    };
    let (class, glyph, fit) = match hint.fit {
        Fit::Fits => ("fits", "●", "hint.fits"),
        Fit::DoesNotFit => ("not", "○", "hint.does_not_fit"),
        Fit::CannotTell => ("open", "?", "hint.cannot_tell"),
    };
    let (_, comparison) = context.review.checked(hint.comparison)?;
    let evidence = Readable::of(comparison).map_or_else(Phrase::default, |change| {
        let args = [
            ("target", Arg::Code(sanitize::name(&comparison.target))),
            ("change", change.value().into()),
            ("range", change.range().into()),
        ];
        context.message("hint.evidence", &args)
    });
    Some(HintLine { class, glyph, what: context.label(&format!("hint.{word}")), fit: context.label(fit), evidence })
}

/// Makes the table that the meeting fills in: what to do about each finding that is for the worse.
pub(super) fn decisions(context: &ViewContext<'_>) -> Option<Section> {
    let open = |finding: &&Finding| matches!(finding.verdict, Verdict::Worse | Verdict::PossiblyWorse);
    let rows = context.review.findings.iter().enumerate().filter(|(_, finding)| open(finding));
    let rows = rows.filter_map(|(index, finding)| {
        let comparison = finding.comparison.as_deref()?;
        let size = Readable::of(comparison).map_or_else(String::new, |change| format!(" {}", change.value()));
        Some(vec![
            Cell::text(context.plain(sanitize::name(&finding.id))).linked(context.href(index)),
            Cell::text(context.about_signal(finding))
                .noted(context.plain(format!("{}{size}", sanitize::name(&finding.service)))),
            Cell::text(context.owner(&finding.owner)),
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
