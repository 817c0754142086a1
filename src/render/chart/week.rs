//! One week from a deploy on, hour by hour: what was usual before, and what is now. The weekdays stand below in HTML.

use super::canvas::{Anchor, Ink, sheet};
use super::{Svg, runs, steps};
use crate::render::number::{self, UnitScale};

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 6.0;

/// One hour of the chart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct WeekHour {
    /// Median, low and high of this hour before the deploy.
    pub before: Option<(f64, f64, f64)>,
    /// Typical value of this hour after the deploy.
    pub after: Option<f64>,
    /// Left out of the comparison.
    pub is_excluded: bool,
}

/// What the overlay shows.
#[derive(Debug, Clone)]
pub(crate) struct Week<'a> {
    /// From midnight before the deploy in the report's zone: whole days, so many that a week fits behind the deploy.
    pub hours: &'a [WeekHour],
    /// Weekday of the first of them; 0 is Monday.
    pub first_day: usize,
    /// When the deploy was, in hours from the first of them.
    pub deploy_hour: f64,
    /// Colour of the deploy's flag.
    pub focus: Ink,
    /// Number of the deploy's flag.
    pub number: usize,
    /// How values are read.
    pub scale: UnitScale,
    /// Plain text for screen readers.
    pub title: &'a str,
    /// Plain text for screen readers.
    pub description: &'a str,
}

/// Draws the overlay; `None` if either side has fewer than two hours.
pub(crate) fn week(chart: &Week<'_>) -> Option<Svg> {
    let hours = chart.hours;
    let before: Vec<f64> = hours.iter().map(|hour| hour.before.map_or(f64::NAN, |(median, ..)| median)).collect();
    let after: Vec<f64> = hours.iter().map(|hour| hour.after.unwrap_or(f64::NAN)).collect();
    let enough = |values: &[f64]| values.iter().filter(|value| value.is_finite()).count() >= 2;
    if !enough(&before) || !enough(&after) {
        return None;
    }
    let high = hours.iter().filter_map(|hour| hour.before.map(|(_, _, high)| high));
    let most =
        after.iter().copied().filter(|v| v.is_finite()).chain(high.filter(|v| v.is_finite())).fold(0.0, f64::max);
    let marks = steps(if most > 0.0 { most * chart.scale.factor } else { 1.0 });
    let top = marks.last().copied().unwrap_or(1.0) / chart.scale.factor;
    let x = |hour: f64| LEFT + hour / hours.len() as f64 * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP);
    let drawing = sheet(WIDTH, HEIGHT, |pen| {
        let days = hours.len() / 24;
        let starts = |day: usize| x(day as f64 * 24.0);
        for day in (0..days).filter(|day| (chart.first_day + day) % 7 >= 5) {
            pen.rect((starts(day), TOP), (starts(day + 1), HEIGHT - BOTTOM), Ink::Weekend, true);
        }
        let excluded: Vec<f64> = hours.iter().map(|hour| if hour.is_excluded { 0.0 } else { f64::NAN }).collect();
        for (begin, run) in runs(&excluded) {
            let end = (begin + run.len()) as f64;
            pen.rect((x(begin as f64), TOP), (x(end), HEIGHT - BOTTOM), Ink::Event, true);
        }
        for (begin, run) in runs(&before) {
            let edge = |k: usize, pick: fn((f64, f64, f64)) -> f64| {
                let usual = hours.get(begin + k).and_then(|hour| hour.before);
                (x((begin + k) as f64 + 0.5), y(usual.map_or(0.0, pick)))
            };
            let mut outline: Vec<(f64, f64)> = (0..run.len()).map(|k| edge(k, |(_, _, high)| high)).collect();
            outline.extend((0..run.len()).rev().map(|k| edge(k, |(_, low, _)| low)));
            pen.area(&outline, Ink::Usual);
        }
        for (index, mark) in marks.iter().enumerate() {
            let height = y(mark / chart.scale.factor);
            pen.line((LEFT, height), (WIDTH - RIGHT, height), Ink::Grid, 1.0);
            let unit = if index + 1 == marks.len() { chart.scale.symbol } else { "" };
            let label = format!("{}{unit}", number::trimmed(*mark));
            pen.text(&label, (LEFT - 6.0, height), 11.0, Ink::Text, Anchor::Right, false);
        }
        for day in 1..days {
            pen.line((starts(day), TOP), (starts(day), HEIGHT - BOTTOM), Ink::Grid, 1.0);
        }
        for (values, ink, width) in [(&before, Ink::Before, 1.25), (&after, Ink::After, 1.75)] {
            for (begin, run) in runs(values) {
                let path: Vec<(f64, f64)> =
                    run.iter().enumerate().map(|(k, value)| (x((begin + k) as f64 + 0.5), y(*value))).collect();
                match path.as_slice() {
                    [only] => pen.dot(*only, width, ink),
                    path => pen.path(path, ink, width),
                }
            }
        }
        let at = x(chart.deploy_hour);
        pen.line((at, TOP), (at, HEIGHT - BOTTOM), chart.focus, 1.0);
        pen.dot((at, TOP), 8.0, chart.focus);
        pen.text(&chart.number.to_string(), (at, TOP), 10.5, Ink::FlagText, Anchor::Center, true);
    })?;
    Some(Svg::new(&drawing, "chart", chart.title, chart.description))
}
