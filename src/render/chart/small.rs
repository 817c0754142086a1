//! Small charts that stand in tables: sparklines, resources against their limit, coverage by day.

use chrono_tz::Tz;

use super::canvas::{Anchor, Ink, Pen, sheet};
use super::{HourlyValues, Svg, runs, steps};
use crate::model::time::{Window, local, midnights};
use crate::render::number::{self, UnitScale};

/// Draws values without axes over the period; `None` if fewer than two are there.
///
/// `title`, `description`: plain text for screen readers.
/// The line starts at 0 so that small wiggles do not look like mountains.
pub(crate) fn sparkline(values: &[f64], title: &str, description: &str) -> Option<Svg> {
    const WIDTH: f64 = 112.0;
    const HEIGHT: f64 = 26.0;
    let most = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    if values.iter().filter(|value| value.is_finite()).count() < 2 {
        return None;
    }
    let top = if most > 0.0 { most } else { 1.0 };
    let last = (values.len() - 1).max(1) as f64;
    let place = |k: usize, value: f64| {
        (2.0 + k as f64 / last * (WIDTH - 4.0), HEIGHT - 2.0 - (value / top).clamp(0.0, 1.0) * (HEIGHT - 5.0))
    };
    let drawing = sheet(WIDTH, HEIGHT, |pen| {
        pen.line((2.0, HEIGHT - 1.5), (WIDTH - 2.0, HEIGHT - 1.5), Ink::Grid, 1.0);
        gaps(pen, values, |k| 2.0 + (k as f64 - 0.5) / last * (WIDTH - 4.0), (2.0, HEIGHT - 2.0));
        for (begin, run) in runs(values) {
            let path: Vec<(f64, f64)> = run.iter().enumerate().map(|(k, value)| place(begin + k, *value)).collect();
            match path.as_slice() {
                [only] => pen.dot(*only, 1.25, Ink::After),
                path => pen.path(path, Ink::After, 1.25),
            }
        }
    })?;
    Some(Svg::new(&drawing, "spark", title, description))
}

/// Shades what is missing. `edge`: where the cell of a value begins. `rows`: from top to bottom.
fn gaps(pen: &mut Pen<'_>, values: &[f64], edge: impl Fn(usize) -> f64, rows: (f64, f64)) {
    let missing: Vec<f64> = values.iter().map(|value| if value.is_finite() { f64::NAN } else { 0.0 }).collect();
    for (begin, run) in runs(&missing) {
        pen.rect((edge(begin), rows.0), (edge(begin + run.len()), rows.1), Ink::Gap, true);
    }
}

/// What a small multiple of a resource shows.
#[derive(Debug, Clone)]
pub(crate) struct Resource<'a> {
    /// The period.
    pub window: Window,
    /// Its zone.
    pub zone: Tz,
    /// The largest value of each hour.
    pub hours: HourlyValues<'a>,
    /// How values are read.
    pub scale: UnitScale,
    /// The axis ends at 100 %.
    pub is_share: bool,
    /// Largest value and when.
    pub peak: Option<(f64, i64)>,
    /// Deploys of the service.
    pub deploys: &'a [i64],
    /// Plain text for screen readers.
    pub title: &'a str,
    /// Plain text for screen readers.
    pub description: &'a str,
}

/// Draws a resource over the period; `None` if fewer than two hours have data.
pub(crate) fn resource(chart: &Resource<'_>) -> Option<Svg> {
    const WIDTH: f64 = 320.0;
    const HEIGHT: f64 = 104.0;
    const LEFT: f64 = 40.0;
    const RIGHT: f64 = 8.0;
    const TOP: f64 = 12.0;
    const BOTTOM: f64 = 20.0;
    let values = chart.hours.joined(chart.window, 168);
    let most = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    if values.iter().filter(|value| value.is_finite()).count() < 2 {
        return None;
    }
    let most = chart.peak.map_or(most, |(peak, _)| if peak.is_finite() { most.max(peak) } else { most });
    let marks = if chart.is_share {
        vec![0.0, 50.0, 100.0]
    } else {
        vec![0.0, steps(most * chart.scale.factor).last().copied().unwrap_or(1.0)]
    };
    let top = marks.last().copied().unwrap_or(1.0) / chart.scale.factor;
    let last = (values.len() - 1).max(1) as f64;
    let x = |share: f64| LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP);
    let when = |at: i64| (at - chart.window.start) as f64 / chart.window.length().max(1) as f64;
    let drawing = sheet(WIDTH, HEIGHT, |pen| {
        for (index, mark) in marks.iter().enumerate() {
            let height = y(mark / chart.scale.factor);
            pen.line((LEFT, height), (WIDTH - RIGHT, height), Ink::Grid, 1.0);
            let unit = if index + 1 == marks.len() { chart.scale.symbol } else { "" };
            let label = format!("{}{unit}", number::trimmed(*mark));
            pen.text(&label, (LEFT - 5.0, height), 10.0, Ink::Text, Anchor::Right, false);
        }
        let days = midnights(chart.window, chart.zone);
        let every = days.len().div_ceil(4).max(1);
        for day in days.iter().step_by(every) {
            let label = local(*day, chart.zone).format("%m-%d").to_string();
            pen.text(&label, (x(when(*day)), HEIGHT - 7.0), 10.0, Ink::Text, Anchor::Left, false);
        }
        gaps(pen, &values, |k| x((k as f64 - 0.5) / last), (TOP, HEIGHT - BOTTOM));
        for (begin, run) in runs(&values) {
            let path: Vec<(f64, f64)> =
                run.iter().enumerate().map(|(k, value)| (x((begin + k) as f64 / last), y(*value))).collect();
            match path.as_slice() {
                [only] => pen.dot(*only, 1.25, Ink::After),
                path => pen.path(path, Ink::After, 1.25),
            }
        }
        for at in chart.deploys {
            pen.line((x(when(*at)), HEIGHT - BOTTOM), (x(when(*at)), HEIGHT - BOTTOM + 5.0), Ink::Deploy, 1.5);
        }
        if let Some((value, at)) = chart.peak.filter(|(value, at)| value.is_finite() && chart.window.contains(*at)) {
            let place = (x(when(at)), y(value));
            pen.dot(place, 3.0, Ink::Worse);
            let anchor = if place.0 > WIDTH * 0.7 { Anchor::Right } else { Anchor::Left };
            let aside = if place.0 > WIDTH * 0.7 { -6.0 } else { 6.0 };
            let height = (place.1 - 6.0).max(6.0);
            pen.text(&chart.scale.write(value), (place.0 + aside, height), 11.0, Ink::Text, anchor, true);
        }
    })?;
    Some(Svg::new(&drawing, "chart", chart.title, chart.description))
}

/// Draws one cell a day: solid for full, hatched for partial, outlined for none.
///
/// `days`: share of each day that had data, 0 to 1.
pub(crate) fn coverage(days: &[f64], title: &str, description: &str) -> Option<Svg> {
    const CELL: f64 = 15.0;
    const HEIGHT: f64 = 16.0;
    if days.is_empty() {
        return None;
    }
    let drawing = sheet(CELL * days.len() as f64 + 1.0, HEIGHT, |pen| {
        for (index, share) in days.iter().enumerate() {
            let left = CELL * index as f64 + 1.0;
            let (upper, lower) = ((left, 2.0), (left + CELL - 2.0, HEIGHT - 2.0));
            match *share {
                share if share >= 0.95 => pen.rect(upper, lower, Ink::After, true),
                share if share > 0.0 => {
                    pen.rect(upper, lower, Ink::Gap, true);
                    pen.rect(upper, lower, Ink::Text, false);
                }
                _ => pen.rect(upper, lower, Ink::Text, false),
            }
        }
    })?;
    Some(Svg::new(&drawing, "strip", title, description))
}
