//! The top of the page and the answer.

use std::collections::BTreeSet;

use super::context::ViewContext;
use super::parts::{Answer, Head, TopLine};
use crate::model::time::Window;
use crate::render::change::{self, Readable};
use crate::render::i18n::{Arg, Localized, Phrase};
use crate::render::table::Tile;
use crate::render::{calendar, number, sanitize};
use crate::review::chapter::moved_leads;
use crate::review::{FindingCounts, Movement, Notice, Topic, Unattributed};

/// Findings that the answer names.
const TOP: usize = 4;
/// Changes without a deploy that the answer names when there is nothing else.
const TOP_MOVED: usize = 12;
/// Services that the first sentence names.
const NAMED: usize = 5;
/// Below this share of the period's points, the page marks itself as partial.
const COMPLETE_FROM: f64 = 0.95;

pub(super) fn head(context: &ViewContext<'_>) -> Head {
    let review = context.review;
    let window = review.period.window();
    let period = [
        ("period", Arg::from(calendar::period(window, context.zone))),
        ("zone", calendar::zone_name(window.start, context.zone).into()),
    ];
    let deploys: BTreeSet<&str> = review.deploys.iter().map(|deploy| &*deploy.id).collect();
    let scope = [
        ("services", review.services.len().into()),
        ("series", review.series.len().into()),
        ("deploys", deploys.len().into()),
    ];
    let coverage = review.coverage().unwrap_or(0.0);
    let badge = match () {
        () if review.has_failed_source() && review.series.is_empty() => ("partial", "head.partial_empty"),
        () if review.has_failed_source() => ("partial", "head.partial"),
        () if review.series.is_empty() => ("partial", "head.empty"),
        () if coverage < COMPLETE_FROM => ("partial", "head.coverage"),
        () => ("complete", "head.coverage"),
    };
    let share = [("share", Arg::from(number::share(coverage)))];
    Head {
        team: sanitize::name(&review.title),
        period: context.message("head.period", &period),
        scope: context.message("head.scope", &scope),
        badge: (badge.0, context.message(badge.1, &share)),
    }
}

/// Writes an expected number: nothing finer than a tenth.
fn about(expected: f64) -> Localized {
    if expected < 0.1 {
        return Localized::new("fewer than 0.1", "0.1件未満");
    }
    let number = number::significant(expected, 2);
    Localized::new(format!("about {number}"), format!("約{number}件"))
}

pub(super) fn section(context: &ViewContext<'_>) -> Answer {
    let top = context.review.findings.iter().enumerate().filter_map(|(index, finding)| {
        let comparison = finding.comparison.as_deref()?;
        let args = [
            ("levels", Arg::from(change::seen_levels(comparison))),
            ("change", Arg::Strong(Localized::same(change::seen_change(comparison)?))),
        ];
        Some(TopLine {
            href: context.href(index),
            chip: context.topic(finding.topic()),
            text: context.headline(finding),
            size: context.message("answer.size", &args),
        })
    });
    let counts = &context.review.counts;
    let (tiles, top) = match moved(context) {
        Some(moved) => moved,
        None => ([context.finding_tiles(counts), context.check_tiles(counts)].concat(), top.take(TOP).collect()),
    };
    Answer { sentence: sentence(context), rest: rest(context), tiles, top, notes: notes(context) }
}

/// Counts and names what changed with no deploy near, for a report without a check: else the first thing that is read
/// would be a row of zeros.
fn moved(context: &ViewContext<'_>) -> Option<(Vec<Tile>, Vec<TopLine>)> {
    let review = context.review;
    if review.unattributed.is_empty() || !review.findings.is_empty() || review.counts.checks.total > 0 {
        return None;
    }
    let (worse, better) = moved_leads(&review.unattributed, &review.series);
    let line = |change: &&Unattributed| {
        let name = review.series.get(change.series).map_or_else(Phrase::default, |series| context.named(&series.key()));
        let args = [
            ("name", Arg::from(name)),
            ("service", Arg::Code(sanitize::name(&change.service))),
            ("at", context.stamp(change.at.from.ms()).into()),
        ];
        let key = match change.change {
            Movement::Shift => "unattributed.shift_line",
            Movement::Drift => "unattributed.drift_line",
        };
        let size = Localized::same(Readable::moved(change).value());
        let levels = [("levels", Arg::from(change::moved_levels(change))), ("change", Arg::Strong(size))];
        TopLine {
            href: "#elsewhere".to_owned(),
            chip: context.moved(change),
            text: context.message(key, &args),
            size: context.message("answer.size", &levels),
        }
    };
    let top = worse.iter().chain(&better).take(TOP_MOVED).map(line).collect();
    Some((context.moved_tiles(worse.len(), better.len()), top))
}

fn sentence(context: &ViewContext<'_>) -> Phrase {
    let review = context.review;
    let worse = || review.findings.iter().filter(|finding| finding.topic() == Topic::Worse);
    let services = |is_over: bool| -> BTreeSet<&str> {
        worse().filter(|finding| finding.is_over() == is_over).map(|finding| &*finding.service).collect()
    };
    let (affected, over) = (services(false), services(true));
    let args = [
        ("n", affected.len().into()),
        ("total", review.services.len().into()),
        ("names", names(context, &affected).into()),
    ];
    let lost: BTreeSet<&str> = review.notices.iter().filter_map(Notice::lost_service).collect();
    let lost_args = [("n", lost.len().into()), ("names", names(context, &lost).into())];
    let over_args = [("n", review.counts.findings.over.into()), ("names", names(context, &over).into())];
    let suspects = review.counts.findings.possibly_worse;
    match () {
        () if review.series.is_empty() => context.label("answer.no_series"),
        () if !affected.is_empty() => context.message("answer.worse", &args),
        () if !lost.is_empty() => context.message("answer.traffic_lost", &lost_args),
        () if !over.is_empty() => context.message("answer.all_over", &over_args),
        () if suspects > 0 => context.message("answer.suspects", &[("n", suspects.into())]),
        () if review.unattributed.iter().any(|change| change.worse) && !review.groups.is_empty() => {
            context.label("answer.elsewhere")
        }
        () if review.unattributed.iter().any(|change| change.worse) => context.label("answer.elsewhere_alone"),
        () if review.comparisons.is_empty() => context.label("answer.no_checks"),
        () if review.counts.checks.ruled_out == 0 => context.label("answer.unsettled"),
        () => context.label("answer.quiet"),
    }
}

/// Names services, and says how many it does not name.
fn names(context: &ViewContext<'_>, services: &BTreeSet<&str>) -> Phrase {
    let named: Vec<Phrase> = services.iter().take(NAMED).map(|name| context.plain(sanitize::name(name))).collect();
    let named = context.words.list(&named);
    match services.len().saturating_sub(NAMED) {
        0 => named,
        left => context.message("answer.names_more", &[("names", named.into()), ("n", left.into())]),
    }
}

fn rest(context: &ViewContext<'_>) -> Phrase {
    let review = context.review;
    let checks = &review.counts.checks;
    let args = [
        ("n", Arg::from(checks.ruled_out)),
        ("total", checks.total.into()),
        ("limit", number::share(review.settings.limit.relative).into()),
    ];
    let mut sentences = Vec::new();
    if review.groups.is_empty() && !review.series.is_empty() {
        let is_unmatched = |notice: &Notice| matches!(notice, Notice::UnknownService { .. });
        let key = if review.notices.iter().any(is_unmatched) { "answer.no_match" } else { "answer.no_deploy" };
        sentences.push(context.label(key));
    }
    if checks.total > 0 {
        sentences.push(context.message("answer.ruled_out", &args));
    }
    let FindingCounts { worse, over, better, .. } = review.counts.findings;
    if over > 0 && worse > over {
        sentences.insert(0, context.message("answer.over", &[("n", over.into())]));
    }
    if better > 0 {
        sentences.push(context.message("answer.better", &[("n", better.into())]));
    }
    context.words.sentences(&sentences)
}

fn notes(context: &ViewContext<'_>) -> Vec<Phrase> {
    let review = context.review;
    let mut notes = Vec::new();
    notes.extend(review.sources.iter().filter_map(|source| context.source_failed(source)));
    notes.extend(review.notices.iter().map(|notice| context.notice(notice)));
    notes.extend(context.near_limit(&review.series));
    if let Some(coverage) = review.coverage() {
        notes.push(context.message("answer.coverage", &[("share", number::share_words(coverage).into())]));
    }
    let audit = review.audit;
    if audit.tests > 0 {
        let args = [
            ("tests", Arg::from(audit.tests)),
            ("n", audit.false_alarms.into()),
            ("checks", review.counts.checks.total.into()),
            ("expected", about(audit.expected_false).into()),
        ];
        notes.push(context.message("answer.audit", &args));
    } else if review.counts.checks.total > 0 {
        let limit = number::share(review.settings.false_discovery);
        notes.push(context.message("answer.no_audit", &[("limit", limit.into())]));
    }
    if review.findings.is_empty() {
        let end = review.period.to.ms();
        let next = calendar::days_later(end, i64::from(review.settings.period_days), context.zone);
        let next = calendar::period(Window::new(end, next), context.zone);
        notes.push(context.message("answer.next", &[("period", next.into())]));
    }
    notes
}
