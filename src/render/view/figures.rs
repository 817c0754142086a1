//! The two charts of a finding with their captions and numbers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Timelike;

use super::context::{ViewContext, drawn};
use super::parts::Figure;
use crate::model::time::{DAY, HOUR, Window, hour_of_week, local, midnight, midnights};
use crate::model::verdict::Verdict;
use crate::render::chart::{self, Flag, HourlyValues, Ink, Timeline, Week, WeekHour};
use crate::render::i18n::{Arg, Localized, Phrase};
use crate::render::number::{self, UnitScale};
use crate::render::table::{Align, Cell, Table};
use crate::render::{calendar, sanitize};
use crate::review::chapter::companion;
use crate::review::{Comparison, Deploy, Event, Group, Series};

/// Days before the period that the timeline shows when the deploy came early in it.
const LEAD_DAYS: i64 = 3;

/// Returns the days that a comparison has before the deploy, as the place `days`, if they are fewer than a week: then no
/// weekday is there twice, and hours of the day are compared.
pub(super) fn only_days(comparison: &Comparison) -> Option<[(&'static str, Arg); 1]> {
    let before = comparison.before_window.window();
    before.is_under_a_week().then(|| [("days", number::span(before.length()).into())])
}

/// Draws one week: usual before, typical after.
pub(super) fn week_figure(
    context: &ViewContext<'_>,
    series: &Series,
    comparison: &Comparison,
    group: &Group,
) -> Figure {
    let week = hours_of_week(context, series, comparison, group);
    let hour = hour_of_week(group.from.ms(), context.zone);
    let first_day = hour / 24;
    let minute = f64::from(local(group.from.ms(), context.zone).minute());
    let deploy_hour = (hour % 24) as f64 + minute / 60.0;
    let hours = from_deploy(&week, first_day, deploy_hour);
    let scale = scale_of(series, week.iter().flat_map(|hour| [hour.after, hour.before.map(|(median, ..)| median)]));
    let args = [
        ("signal", Arg::from(context.signal(&series.signal))),
        ("days", number::span(comparison.before_window.window().length()).into()),
    ];
    let key = if only_days(comparison).is_some() { "figure.week_thin" } else { "figure.week" };
    let caption = context.message(key, &args);
    let title = title(series);
    let svg = chart::week(&Week {
        hours: &hours,
        first_day,
        deploy_hour,
        focus: focus(comparison),
        number: group.number,
        scale,
        title: &title,
        description: &caption.bare(context.words.first()),
    });
    let mut legend = vec![
        ("after", context.label("legend.after")),
        ("before", context.label("legend.before")),
        ("usual", context.label("legend.usual")),
    ];
    if week.iter().any(|hour| hour.is_excluded) {
        legend.push(("event", context.label("legend.excluded")));
    }
    Figure {
        caption: if svg.is_some() { caption } else { context.label("figure.too_little") },
        weekdays: if svg.is_some() {
            let names: Vec<Localized> = calendar::weekdays().collect();
            let days = names.iter().cycle().skip(first_day).take(hours.len() / 24);
            days.map(|day| context.localized(day)).collect()
        } else {
            Vec::new()
        },
        legend: if svg.is_some() { legend } else { Vec::new() },
        table: svg.is_some().then(|| week_table(context, &week, scale)),
        svg,
    }
}

/// Puts the hours of the week behind the deploy: what came after it stands right of its flag, and the rest of its weekday
/// at the end once more.
fn from_deploy(week: &[WeekHour], first_day: usize, deploy_hour: f64) -> Vec<WeekHour> {
    let first = deploy_hour.ceil() as usize;
    let days = if first == 0 { 7 } else { 8 };
    let hours = week.iter().cycle().skip(first_day * 24).take(days * 24).enumerate();
    let is_behind = |index: usize| (first..first + week.len()).contains(&index);
    hours
        .map(|(index, hour)| match is_behind(index) {
            true => *hour,
            false => WeekHour { after: None, is_excluded: false, ..*hour },
        })
        .collect()
}

fn title(series: &Series) -> String {
    let parts = [&series.service, &series.target, &series.signal].map(|name| sanitize::name(name));
    parts.join(" · ")
}

/// Picks one scale for a chart, by its largest value.
fn scale_of(series: &Series, values: impl Iterator<Item = Option<f64>>) -> UnitScale {
    let most = values.flatten().filter(|value| value.is_finite()).fold(0.0, f64::max);
    number::scale(most, series.unit)
}

fn hours_of_week(context: &ViewContext<'_>, series: &Series, comparison: &Comparison, group: &Group) -> Vec<WeekHour> {
    let zone = context.zone;
    let compared = [comparison.before_window, comparison.after_window].map(|span| span.window());
    let disturbed: Vec<Window> = compared
        .into_iter()
        .flat_map(|window| context.review.disturbances(&group.service, window))
        .map(Event::window)
        .collect();
    let holidays: BTreeSet<&str> = context.review.settings.holidays.iter().map(|day| day.date.as_str()).collect();
    let is_excluded = |at: i64| {
        holidays.contains(local(at, zone).date_naive().to_string().as_str())
            || disturbed.iter().any(|window| window.overlaps(Window::new(at, at + HOUR)))
    };
    let hours = drawn(series.hours.as_ref(), series);
    // Before the deploy, hours of the week, or of the day where there is no week.
    let cycle = if only_days(comparison).is_some() { 24 } else { 168 };
    let mut before: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut after: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut left_out: BTreeMap<usize, bool> = BTreeMap::new();
    for (window, into, is_after) in [(compared[0], &mut before, false), (compared[1], &mut after, true)] {
        for (at, value) in hours.within(window) {
            let hour = hour_of_week(at, zone);
            // The hour in which the deploy lies is neither before nor after it.
            if is_after && at < group.from.ms() {
                continue;
            }
            match is_excluded(at) {
                // Hours left out before the deploy still have other weeks; after it they are what is missing.
                true if is_after => drop(left_out.insert(hour, true)),
                true => {}
                false if value.is_finite() && is_after => into.entry(hour).or_default().push(value),
                false if value.is_finite() => into.entry(hour % cycle).or_default().push(value),
                false => {}
            }
        }
    }
    let hour = |index: usize| {
        let after = after.get(&index).map(|values| spread(values).0);
        WeekHour {
            before: before.get(&(index % cycle)).map(|values| spread(values)),
            after,
            is_excluded: after.is_none() && left_out.contains_key(&index),
        }
    };
    (0..168).map(hour).collect()
}

/// Returns median, low and high of a few values; of fewer than ten, low and high are the extremes.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (sorted.len().saturating_sub(1)) as f64;
        sorted.get(place.round() as usize).copied().unwrap_or(f64::NAN)
    };
    let middle = sorted.len() / 2;
    let median = match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(a), Some(b)) if sorted.len().is_multiple_of(2) => f64::midpoint(*a, *b),
        (_, Some(b)) => *b,
        _ => f64::NAN,
    };
    (median, at(0.1), at(0.9))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let known: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    if known.is_empty() { f64::NAN } else { spread(&known).0 }
}

fn week_table(context: &ViewContext<'_>, week: &[WeekHour], scale: UnitScale) -> Table {
    let rows = calendar::weekdays().zip(week.chunks(24)).map(|(day, hours)| {
        let before = median(hours.iter().filter_map(|hour| hour.before.map(|(median, ..)| median)));
        let after = median(hours.iter().filter_map(|hour| hour.after));
        let cell = |value: f64| Cell::text(context.plain(scale.write(value)));
        vec![Cell::text(context.localized(&day)), cell(before), cell(after)]
    });
    let columns = [("col.weekday", Align::Text), ("legend.before", Align::Number), ("legend.after", Align::Number)];
    context.table("figure.week_table", &columns, rows.collect())
}

/// Draws the period over time with its deploys, events and gaps.
pub(super) fn timeline_figure(
    context: &ViewContext<'_>,
    series: &Series,
    comparison: &Comparison,
    group: &Group,
) -> Figure {
    let review = context.review;
    let period = review.period.window();
    let hours = drawn(series.hours.as_ref(), series);
    let lead = group.from.ms() - LEAD_DAYS * DAY;
    let start =
        if lead < period.start { midnight(local(lead, context.zone).date_naive(), context.zone) } else { period.start };
    let window = Window::new(start.max(hours.start().unwrap_or(period.start).min(period.start)), period.end);
    let own = review.groups.iter().filter(|other| other.service == group.service);
    let flags: Vec<Flag> = own
        .map(|other| Flag {
            at: other.from.ms(),
            number: other.number,
            is_focus: other.number == group.number,
            is_inferred: review.deploys_of(other.number).all(|deploy: &Deploy| deploy.inferred),
        })
        .collect();
    let events = review.disturbances(&group.service, window);
    let bands: Vec<Window> = events.iter().map(|event| event.window()).collect();
    let companion = companion(&review.series, &series.key()).map(|(_, series)| series);
    let scale = scale_of(series, hours.within(window).map(|(_, value)| Some(value)));
    let args = [
        ("signal", Arg::from(context.signal(&series.signal))),
        ("deploy", Arg::Flag(group.number)),
        ("zone", calendar::zone_name(window.start, context.zone).into()),
    ];
    let mut caption = vec![context.message("figure.timeline", &args)];
    if !events.is_empty() {
        let name = |event: &&Event| {
            let args = [("title", context.event_name(event).into()), ("span", context.span(event.window()).into())];
            context.message("figure.event", &args)
        };
        let names: Vec<Phrase> = events.iter().take(4).map(name).collect();
        caption.push(context.message("figure.events", &[("names", context.words.list(&names).into())]));
    }
    let missing = hours.within(window).filter(|(_, value)| !value.is_finite()).count();
    if missing > 0 {
        caption.push(context.message("figure.missing", &[("n", missing.into())]));
    }
    let title = title(series);
    let caption = context.words.sentences(&caption);
    let svg = chart::timeline(&Timeline {
        window,
        zone: context.zone,
        scale,
        main: hours,
        companion: companion.map(|series| drawn(series.hours.as_ref(), series)),
        focus: focus(comparison),
        flags: &flags,
        bands: &bands,
        onset: comparison.onset.map(|onset| onset.window()),
        title: &title,
        description: &caption.bare(context.words.first()),
    });
    let mut legend = vec![("after", context.signal(&series.signal))];
    legend.extend(companion.map(|series| ("companion", context.signal(&series.signal))));
    if comparison.onset.is_some() {
        let class = if focus(comparison) == Ink::Worse { "onset" } else { "onset after" };
        legend.push((class, context.label("legend.onset")));
    }
    if missing > 0 {
        legend.push(("gap", context.label("legend.gap")));
    }
    if !events.is_empty() {
        legend.push(("event", context.label("legend.event")));
    }
    Figure {
        caption: if svg.is_some() { caption } else { context.label("figure.too_little") },
        weekdays: Vec::new(),
        legend: if svg.is_some() { legend } else { Vec::new() },
        table: svg.is_some().then(|| day_table(context, hours, window, scale)),
        svg,
    }
}

/// Returns the colour of the deploy that a chart is about: what got worse has its own.
fn focus(comparison: &Comparison) -> Ink {
    match comparison.verdict {
        Verdict::Worse | Verdict::PossiblyWorse => Ink::Worse,
        _ => Ink::After,
    }
}

fn day_table(context: &ViewContext<'_>, hours: HourlyValues<'_>, window: Window, scale: UnitScale) -> Table {
    let mut days = midnights(window, context.zone);
    days.push(window.end);
    let rows = days.windows(2).filter_map(|pair| {
        let (from, to) = (*pair.first()?, *pair.last()?);
        let values: Vec<f64> = hours.within(Window::new(from, to)).map(|(_, value)| value).collect();
        let most = values.iter().copied().filter(|value| value.is_finite()).fold(f64::NAN, f64::max);
        let missing = values.iter().filter(|value| !value.is_finite()).count();
        let cell = |value: f64| Cell::text(context.plain(scale.write(value)));
        let missing = if missing == 0 { Cell::default() } else { Cell::text(context.plain(missing.to_string())) };
        Some(vec![
            Cell::text(context.localized(&calendar::day(from, context.zone))),
            cell(median(values.iter().copied())),
            cell(most),
            missing,
        ])
    });
    let columns = [
        ("col.day", Align::Text),
        ("col.median", Align::Number),
        ("col.most", Align::Number),
        ("col.missing_hours", Align::Number),
    ];
    context.table("figure.day_table", &columns, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_a_deploy_stands_behind_its_flag() {
        let hour = |after: usize| WeekHour { after: Some(after as f64), ..WeekHour::default() };
        let week: Vec<WeekHour> = (0..168).map(hour).collect();
        for (first_day, deploy_hour, days) in [(0, 0.0, 7), (1, 11.33, 8), (4, 23.98, 8), (6, 0.5, 8)] {
            let hours = from_deploy(&week, first_day, deploy_hour);
            assert_eq!(hours.len(), days * 24);
            let mut shown = BTreeSet::new();
            for (index, hour) in hours.iter().enumerate() {
                let Some(after) = hour.after else { continue };
                assert!(index as f64 >= deploy_hour, "hour {index} of a deploy at {deploy_hour}");
                assert_eq!((first_day * 24 + index) % 168, after as usize, "the right weekday hour");
                assert!(shown.insert(after as usize), "hour {after} twice");
            }
            assert_eq!(shown.len(), 168, "none is lost");
        }
    }
}
