//! Finds what a reader should know of the input before the findings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Builder;
use crate::detect::judgement::{SeriesSummary, UnattributedKind, UnitDoubt};
use crate::model::event::Event;
use crate::model::metric::Kind;
use crate::model::sanitize::is_web_address;
use crate::model::time::{DAY, HOUR, MINUTE};
use crate::model::verdict::Reason;
use crate::review::Notice;
use crate::review::notice::near;

/// A deploy so long after the period is a slip of the pen; a report of the past may be made long after.
const FUTURE: i64 = 180 * DAY;

/// Most hours by which time zones differ.
const MOST_HOURS: i64 = 14;

/// How exactly a change must be located before it is asked about, and how exactly the hours must fit.
const LOCATED: i64 = 30 * MINUTE;
const EXACT: i64 = 5 * MINUTE;

/// Hours with data that a target must have, and hours without from which on it is new or gone.
const LEAST_HOURS: usize = 24;
const LEAST_GAP: i64 = 24 * HOUR;

/// Likeness of two names (Jaro-Winkler, 0 to 1) from which on one may be the other's successor.
const LIKE: f64 = 0.8;

/// How far the end of one name may lie from the beginning of the other.
const HANDOVER: i64 = 2 * HOUR;

/// Values above 1 from which on they are no slips of a single count.
const LEFT_OUT: u64 = 10;

/// Returns the notices, those that change most of what can be said first.
pub(super) fn all(builder: &Builder<'_>) -> Vec<Notice> {
    let mut notices = traffic_lost(builder);
    notices.extend(deploys(builder));
    notices.extend(hours_off(builder));
    notices.extend(units(builder));
    notices.extend(targets(builder));
    notices.extend(dropped_links(builder));
    notices
}

/// Counts addresses that the page does not link: `javascript:`, paths, what has blanks.
fn dropped_links(builder: &Builder<'_>) -> Option<Notice> {
    let period = builder.input.judgement.period;
    let events =
        builder.input.events.iter().filter(|event| event.window().overlaps(period) || period.contains(event.at));
    let events = events.map(|event| (event.id.as_str(), event.url.as_str()));
    let runbooks = builder.input.config.services.iter().map(|one| (one.name.as_str(), one.runbook.as_str()));
    let mut dropped = events.chain(runbooks).filter(|(_, url)| !url.is_empty() && !is_web_address(url));
    let (first, _) = dropped.next()?;
    Some(Notice::DroppedLinks { links: dropped.count() + 1, first: first.to_owned() })
}

fn deploys(builder: &Builder<'_>) -> Vec<Notice> {
    let judgement = builder.input.judgement;
    let services: BTreeSet<&str> = judgement.series.iter().map(|one| &*one.key.service).collect();
    if services.is_empty() {
        return Vec::new();
    }
    let reported: Vec<&Event> =
        builder.input.events.iter().filter(|event| event.kind.is_judged() && !event.is_inferred()).collect();
    let is_known = |event: &Event| event.service == "*" || services.contains(event.service.as_str());
    let mut notices = Vec::new();
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for event in reported.iter().filter(|event| judgement.period.contains(event.at) && !is_known(event)) {
        *unknown.entry(&event.service).or_default() += 1;
    }
    notices.extend(unknown.into_iter().map(|(service, deploys)| Notice::UnknownService {
        service: service.to_owned(),
        deploys,
        near: near(service, services.iter().copied()).map(str::to_owned),
    }));
    let future: Vec<&&Event> = reported.iter().filter(|event| event.at >= judgement.period.end + FUTURE).collect();
    if let Some(first) = future.first() {
        let at = builder.instant(first.at);
        notices.push(Notice::FutureDeploys { deploys: future.len(), first: first.id.clone(), at });
    }
    if judgement.groups.is_empty() {
        let earlier = || reported.iter().filter(|event| event.at < judgement.period.start);
        if let Some(last) = earlier().map(|event| event.at).max() {
            notices.push(Notice::OtherTimes { deploys: earlier().count(), last: builder.instant(last) });
        }
    }
    notices
}

/// Asks whether a deploy is written in another time zone: a sudden change of its service that no deploy explains began a
/// whole number of hours beside it.
fn hours_off(builder: &Builder<'_>) -> Vec<Notice> {
    let judgement = builder.input.judgement;
    let mut asked: BTreeMap<&str, (usize, i64, Notice)> = BTreeMap::new();
    for change in judgement.elsewhere.iter().filter(|change| change.kind == UnattributedKind::Shift) {
        let Some(series) = judgement.series.get(change.series).filter(|_| change.at.length() <= LOCATED) else {
            continue;
        };
        let service = &*series.key.service;
        for event in builder.input.events.iter().filter(|event| event.kind.is_judged() && event.service == service) {
            let middle = (change.at.start + change.at.end) / 2;
            let hours = (middle - event.at + HOUR / 2).div_euclid(HOUR);
            let there = event.at + hours * HOUR;
            let is_exact = (change.at.start - EXACT..=change.at.end + EXACT).contains(&there);
            if hours == 0 || hours.abs() > MOST_HOURS || !is_exact || event.is_inferred() {
                continue;
            }
            let question = Notice::HoursOff {
                deploy: event.id.clone(),
                service: service.to_owned(),
                hours,
                at: builder.instant(change.at.start),
            };
            // Of several deploys the nearest is asked about.
            let known = asked.entry(service).or_insert((0, i64::MAX, question.clone()));
            if hours.abs() < known.1 {
                (known.1, known.2) = (hours.abs(), question);
            }
            known.0 += 1;
        }
    }
    asked.into_values().map(|(_, _, question)| question).collect()
}

/// Target and signal of a series.
type Name = [Arc<str>; 2];

/// Service, factor, whether the values became larger, unit as written.
type Slip<'a> = (&'a str, u32, bool, &'a str);

fn units(builder: &Builder<'_>) -> Vec<Notice> {
    let judgement = builder.input.judgement;
    let name = |one: &SeriesSummary| [one.key.target.clone(), one.key.signal.clone()];
    let mut factors: BTreeMap<Slip<'_>, (i64, usize, Name)> = BTreeMap::new();
    let (mut counters, mut above): (Vec<&SeriesSummary>, Vec<&SeriesSummary>) = Default::default();
    for series in &judgement.series {
        match series.doubt {
            Some(UnitDoubt::Factor { factor, up, at }) => {
                let key = (&*series.key.service, factor, up, series.unit.symbol);
                let known = factors.entry(key).or_insert_with(|| (at, 0, name(series)));
                (known.0, known.1) = (known.0.min(at), known.1 + 1);
            }
            Some(UnitDoubt::Counter) => counters.push(series),
            Some(UnitDoubt::AboveOne) => above.push(series),
            None => {}
        }
    }
    let mut notices: Vec<Notice> = factors
        .into_iter()
        .map(|((service, factor, up, unit), (at, series, first))| Notice::UnitFactor {
            service: service.to_owned(),
            factor,
            up,
            at: builder.instant(at),
            series,
            unit: unit.to_owned(),
            first,
        })
        .collect();
    if let Some(first) = counters.first() {
        let service = first.key.service.to_string();
        notices.push(Notice::Counter { service, series: counters.len(), first: name(first) });
    }
    if let Some(first) = above.first() {
        let service = first.key.service.to_string();
        notices.push(Notice::AboveOne { service, series: above.len(), first: name(first) });
    }
    if !above.is_empty() {
        return notices;
    }
    let counted = builder.input.sources.iter().flat_map(|state| {
        let own = state.diagnostics.iter().filter(|one| one.code == "share_above_one" && one.count >= LEFT_OUT);
        own.map(|one| Notice::SharesLeftOut {
            source: state.id.clone(),
            values: one.count,
            example: one.example.clone(),
        })
    });
    notices.extend(counted);
    notices
}

/// Where a target has data.
struct Lived<'a> {
    service: &'a str,
    kind: Kind,
    target: &'a str,
    /// First and last hour with data, UTC ms.
    first: i64,
    last: i64,
    /// Most hours with data, and longest hole, of any of its series.
    hours: usize,
    hole: i64,
}

impl<'a> Lived<'a> {
    fn of(series: &'a SeriesSummary) -> Option<Self> {
        let known = || series.hourly.iter().enumerate().filter(|(_, value)| value.is_finite()).map(|(hour, _)| hour);
        let (first, last) = (known().next()?, known().next_back()?);
        let hole = known().zip(known().skip(1)).map(|(one, next)| next - one).max().unwrap_or(1);
        Some(Self {
            service: &series.key.service,
            kind: series.key.kind,
            target: &series.key.target,
            first: series.start + first as i64 * HOUR,
            last: series.start + last as i64 * HOUR,
            hours: known().count(),
            hole: hole as i64 * HOUR,
        })
    }
}

/// Finds what is new, gone or renamed since the period began.
fn targets(builder: &Builder<'_>) -> Vec<Notice> {
    let judgement = builder.input.judgement;
    let mut lived: Vec<Lived<'_>> = Vec::new();
    for own in judgement.series.iter().filter_map(Lived::of) {
        match lived
            .last_mut()
            .filter(|last| (last.service, last.kind, last.target) == (own.service, own.kind, own.target))
        {
            Some(last) => {
                (last.first, last.last) = (last.first.min(own.first), last.last.max(own.last));
                (last.hours, last.hole) = (last.hours.max(own.hours), last.hole.min(own.hole));
            }
            None => lived.push(own),
        }
    }
    // What is as old, or as new, as everything else is only the edge of the data.
    let Some(begin) = lived.iter().map(|one| one.first).min() else { return Vec::new() };
    let end = lived.iter().map(|one| one.last).max().unwrap_or(begin);
    let period = judgement.period;
    // A target that is called now and then is missing now and then.
    let gap = |one: &Lived<'_>| LEAST_GAP.max(3 * one.hole);
    let is_dense = |one: &&Lived<'_>| one.hours >= LEAST_HOURS;
    let is_new = |one: &&Lived<'_>| period.contains(one.first) && one.first - begin >= gap(one);
    let is_gone = |one: &&Lived<'_>| period.contains(one.last) && end - one.last >= gap(one);
    let mut new: Vec<&Lived<'_>> = lived.iter().filter(is_dense).filter(is_new).collect();
    let mut gone: Vec<&Lived<'_>> = lived.iter().filter(is_dense).filter(is_gone).collect();
    let mut pairs: Vec<(f64, &Lived<'_>, &Lived<'_>)> = Vec::new();
    for old in &gone {
        for own in &new {
            let is_near = (own.first - old.last).abs() <= HANDOVER;
            if (own.service, own.kind) == (old.service, old.kind) && is_near {
                pairs.push((strsim::jaro_winkler(path(old.target), path(own.target)), old, own));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut notices = Vec::new();
    for (likeness, old, own) in pairs {
        let is_free = |list: &[&Lived<'_>], one: &Lived<'_>| list.iter().any(|other| std::ptr::eq(*other, one));
        if likeness < LIKE || !is_free(&gone, old) || !is_free(&new, own) {
            continue;
        }
        gone.retain(|other| !std::ptr::eq(*other, old));
        new.retain(|other| !std::ptr::eq(*other, own));
        notices.push(Notice::Renamed {
            service: own.service.to_owned(),
            from: old.target.to_owned(),
            to: own.target.to_owned(),
            at: builder.instant(own.first),
        });
    }
    if let Some(first) = new.first() {
        let (service, name) = (first.service.to_owned(), first.target.to_owned());
        notices.push(Notice::New { service, targets: new.len(), first: name, at: builder.instant(first.first) });
    }
    // A service all of whose targets ended with a deploy lost its data; a single endpoint may have been taken out.
    let is_alive = |service: &str| {
        lived.iter().any(|one| one.service == service && !gone.iter().any(|other| std::ptr::eq(*other, one)))
    };
    let (ended, gone): (Vec<&Lived<'_>>, Vec<&Lived<'_>>) =
        gone.iter().partition(|one| !is_alive(one.service) && ended_with(builder, one).is_some());
    for own in ended.chunk_by(|a, b| ended_with(builder, a) == ended_with(builder, b)) {
        let Some((first, number)) = own.first().and_then(|one| Some((one, ended_with(builder, one)?))) else {
            continue;
        };
        notices.insert(
            0,
            Notice::TrafficLost {
                service: first.service.to_owned(),
                number,
                targets: own.len(),
                first: first.target.to_owned(),
                levels: None,
                unit: String::new(),
            },
        );
    }
    if let Some(first) = gone.first() {
        let (service, name) = (first.service.to_owned(), first.target.to_owned());
        let at = builder.instant(first.last + HOUR);
        notices.push(Notice::Gone { service, targets: gone.len(), first: name, at });
    }
    notices
}

/// Returns the number of the deploy group of its service with which the data of a target ended.
fn ended_with(builder: &Builder<'_>, one: &Lived<'_>) -> Option<usize> {
    let end = one.last + HOUR;
    let groups = builder.input.judgement.groups.iter().filter(|group| group.service == one.service);
    let mut near = groups.filter(|group| (group.window.start - HOUR..=group.window.end + 2 * HOUR).contains(&end));
    near.next().map(|group| group.number)
}

/// Finds targets whose traffic fell to nearly nothing at a deploy.
fn traffic_lost(builder: &Builder<'_>) -> Vec<Notice> {
    let judgement = builder.input.judgement;
    let lost = judgement.comparisons.iter().filter(|one| one.reason == Some(Reason::TrafficLost));
    let mut found: BTreeMap<(usize, &str), (usize, Notice)> = BTreeMap::new();
    for comparison in lost {
        let (Some(series), Some(group)) =
            (judgement.series.get(comparison.series), judgement.groups.get(comparison.group))
        else {
            continue;
        };
        let level = |level: Option<f64>| (level.unwrap_or(0.0) / series.unit.factor).max(0.0);
        let notice = Notice::TrafficLost {
            service: series.key.service.to_string(),
            number: group.number,
            targets: 0,
            first: series.key.target.to_string(),
            levels: Some([level(comparison.before), level(comparison.after)]),
            unit: series.unit.symbol.to_owned(),
        };
        found.entry((comparison.group, &series.key.service)).or_insert((0, notice)).0 += 1;
    }
    let counted = |(count, mut notice): (usize, Notice)| {
        if let Notice::TrafficLost { targets, .. } = &mut notice {
            *targets = count;
        }
        notice
    };
    found.into_values().map(counted).collect()
}

/// Returns what tells endpoints apart: without method and leading slash, which many have in common.
fn path(target: &str) -> &str {
    target.rsplit(' ').next().unwrap_or(target).trim_start_matches('/')
}
