//! The hours on each side of a deploy: which entered the comparison, which did not and why, and how their values
//! are spread.

use std::collections::BTreeMap;

use super::lead::Lead;
use super::{Bound, Holiday, LeftOut, Reason, Side, Spread};
use crate::detect::evidence;
use crate::detect::{BUCKET, SeriesSummary};
use crate::model::event::{Event, EventKind};
use crate::model::time::{HOUR, MINUTE, Window, local};
use crate::review::rounding::round;
use crate::stats::describe;

/// Bins of the small histogram: enough to see two humps, few enough for a line of text.
const BINS: usize = 16;

/// Fewer hours than this have no spread worth a table.
const LEAST_HOURS: usize = 5;

/// Longest list of event ids that is written; an old service may have hundreds of deploys in the history.
const MOST_NAMES: usize = 12;

/// Which side of the deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Before,
    After,
}

/// A side with the values of its hours, which the histogram of both sides needs together.
pub(super) struct Sided {
    pub side: Side,
    pub values: Vec<f64>,
    /// Median requests a minute in the hours used; NaN where unknown.
    pub requests_per_min: f64,
}

/// Returns one side; its `values` are filled in by [`spread`].
pub(super) fn side(lead: &Lead<'_>, which: Which) -> Sided {
    let window = match which {
        Which::Before => lead.comparison.before_window,
        Which::After => lead.comparison.after_window,
    };
    let disturbed = disturbances(lead, window);
    let mut left_out: BTreeMap<Reason, (usize, Vec<&Event>)> = BTreeMap::new();
    let (mut used, mut buckets) = (0usize, 0usize);
    let mut used_of_hour: BTreeMap<usize, usize> = BTreeMap::new();
    let mut at = window.start;
    while at < window.end {
        let bucket = Window::new(at, at + BUCKET);
        let hour = usize::try_from((at - lead.series.start).div_euclid(HOUR)).ok();
        buckets += 1;
        let touching = disturbed.iter().find(|(_, span, _)| span.overlaps(bucket));
        match (touching, hour) {
            (Some((reason, _, event)), _) => {
                let entry = left_out.entry(*reason).or_default();
                entry.0 += 1;
                if !entry.1.iter().any(|known| known.id == event.id) {
                    entry.1.push(event);
                }
            }
            (None, Some(hour)) if has_data(lead.series, hour) => {
                used += 1;
                *used_of_hour.entry(hour).or_default() += 1;
            }
            (None, _) => left_out.entry(Reason::Gap).or_default().0 += 1,
        }
        at += BUCKET;
    }
    let per_hour = (HOUR / BUCKET) as usize;
    // An hour counts where at least half of it was used; a sum of requests takes the used share.
    let hours: Vec<usize> =
        used_of_hour.iter().filter(|(_, used)| **used * 2 >= per_hour).map(|(hour, _)| *hour).collect();
    let of = |values: &[f32], hour: usize| values.get(hour).map(|value| f64::from(*value)).filter(|v| v.is_finite());
    let values = hours.iter().filter_map(|hour| of(&lead.series.hourly, *hour)).collect();
    let requests: Vec<f64> = used_of_hour
        .iter()
        .filter_map(|(hour, used)| Some(of(&lead.series.requests, *hour)? * *used as f64 / per_hour as f64))
        .collect();
    let whole: Vec<f64> = hours.iter().filter_map(|hour| of(&lead.series.requests, *hour)).collect();
    let (bound, bound_deploy) = bound(lead, which);
    let in_hours = |buckets: usize| round(buckets as f64 / per_hour as f64);
    let side = Side {
        span: lead.span(window),
        bound,
        bound_deploy,
        hours: in_hours(buckets),
        used: in_hours(used),
        left_out: left_out
            .into_iter()
            .map(|(reason, (buckets, events))| LeftOut {
                reason,
                hours: in_hours(buckets),
                ids: events.iter().take(MOST_NAMES).map(|event| event.id.clone()).collect(),
                titles: events
                    .iter()
                    .take(MOST_NAMES)
                    .filter(|event| !event.title.is_empty())
                    .map(|event| event.title.clone())
                    .collect(),
            })
            .collect(),
        as_sunday: holidays(lead, window),
        requests: (!requests.is_empty()).then(|| round(requests.iter().sum())),
        values: None,
    };
    Sided { side, values, requests_per_min: describe::median(&whole).unwrap_or(f64::NAN) / 60.0 }
}

/// Returns whether an hour has data; where points are further apart than hours, each speaks for those up to the next.
fn has_data(series: &SeriesSummary, hour: usize) -> bool {
    let reach = usize::try_from((series.step_ms + HOUR - 1) / HOUR).unwrap_or(1).max(1);
    (0..reach).any(|back| {
        hour.checked_sub(back).and_then(|hour| series.hourly.get(hour)).is_some_and(|value| value.is_finite())
    })
}

/// Returns what the judge leaves out of a service's series, the gravest first where two touch one quarter hour.
fn disturbances<'a>(lead: &Lead<'a>, window: Window) -> Vec<(Reason, Window, &'a Event)> {
    let settle = lead.config.judge.settle_ms;
    let concerned = lead.events.iter().filter(|event| event.concerns(&lead.series.key.service));
    let mut found: Vec<(Reason, Window, &Event)> = concerned
        .map(|event| {
            let span = event.window();
            match event.kind {
                EventKind::Incident => (Reason::Incident, instant(span), event),
                EventKind::Campaign => (Reason::Campaign, instant(span), event),
                EventKind::Drill => (Reason::Drill, instant(span), event),
                _ => (Reason::Deploy, instant(Window::new(span.start, span.end + settle)), event),
            }
        })
        .filter(|(_, span, _)| span.overlaps(window))
        .collect();
    found.sort_by_key(|(reason, span, _)| (*reason, span.start));
    found
}

/// An event without a length still touches the quarter hour that it falls into.
fn instant(span: Window) -> Window {
    Window::new(span.start, span.end.max(span.start + 1))
}

/// Returns why the stretch goes no further, and the id of the deploy whose change bounds it.
fn bound(lead: &Lead<'_>, which: Which) -> (Bound, Option<String>) {
    let [before, after] = &lead.comparison.evidence.bounds;
    match (if which == Which::Before { before } else { after }, which) {
        (evidence::Bound::Grid, Which::Before) => (Bound::History, None),
        (evidence::Bound::Grid, Which::After) => (Bound::PeriodEnd, None),
        (evidence::Bound::FirstData, _) => (Bound::FirstData, None),
        (evidence::Bound::Change(group), _) => (Bound::Change, group.as_ref().map(|group| group.deploy.to_string())),
    }
}

fn holidays(lead: &Lead<'_>, window: Window) -> Vec<Holiday> {
    if window.length() <= 0 {
        return Vec::new();
    }
    let date = |at| local(at, lead.config.zone).date_naive();
    let (first, last) = (date(window.start), date(window.end - MINUTE));
    let days = lead.config.holidays.range(first..=last.max(first));
    days.map(|(date, name)| Holiday { date: date.to_string(), name: name.clone() }).collect()
}

/// Writes how the values of both sides are spread, in the series' unit, over the same bins.
pub(super) fn spread(before: &mut Sided, after: &mut Sided, factor: f64) {
    let all: Vec<f64> = before.values.iter().chain(&after.values).copied().collect();
    // The outermost hours would squeeze all others into one bin.
    let [low, high] = describe::quantiles(&all, [0.01, 0.99]).unwrap_or([f64::NAN; 2]);
    for sided in [before, after] {
        sided.side.values = spread_of(&sided.values, low, high, factor);
    }
}

fn spread_of(values: &[f64], low: f64, high: f64, factor: f64) -> Option<Spread> {
    if values.len() < LEAST_HOURS || !low.is_finite() || !high.is_finite() {
        return None;
    }
    let at = |share| describe::quantile(values, share).map_or(0.0, |value| round(value / factor));
    let mut bins = vec![0; BINS];
    let width = (high - low) / BINS as f64;
    for value in values {
        let bin = if width > 0.0 { ((value - low) / width).floor().clamp(0.0, (BINS - 1) as f64) as usize } else { 0 };
        if let Some(count) = bins.get_mut(bin) {
            *count += 1;
        }
    }
    Some(Spread {
        n: values.len(),
        p5: at(0.05),
        p25: at(0.25),
        median: at(0.5),
        p75: at(0.75),
        p95: at(0.95),
        bins,
        bins_from: round(low / factor),
        bins_to: round(high / factor),
    })
}
