//! Charts as inline SVG: numbers and units only, so that one chart serves every language.
//!
//! The only user of the drawing library. View boxes count quarter pixels, because the library writes
//! whole coordinates. Colours are written as hex values, which the style sheet exchanges
//! (`[fill="#0072B2"]`) on dark pages and for hatching.
//!
//! A chart that would have nothing to show is `None`; its caller says so in words.

mod canvas;
mod forest;
mod small;
mod timeline;
mod week;

use std::fmt;

use askama::filters::HtmlSafe;

pub(crate) use canvas::Ink;
pub(crate) use forest::{Domain, ForestRow, forest_axis, forest_row};
pub(crate) use small::{Resource, coverage, resource, sparkline};
pub(crate) use timeline::{Flag, Timeline, timeline};
pub(crate) use week::{Week, WeekHour, week};

use super::escape;
use crate::model::metric::Unit;
use crate::model::time::{HOUR, Window};
use crate::review::Hours;
use crate::review::chapter::{hours_within, joined};

/// A drawn chart: a whole `<svg>` element, escaped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Svg(String);

impl Svg {
    /// Wraps the shapes with what a screen reader needs.
    ///
    /// `title`, `description`: plain text, escaped here. The title is what a pointer shows.
    fn new(shapes: &canvas::Drawing, class: &str, title: &str, description: &str) -> Self {
        let (width, height) = shapes.size;
        let mut text = format!("<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\">");
        text.push_str(&format!("<title>{}</title>", escape::html(title)));
        text.push_str(&format!("<desc>{}</desc>", escape::html(description)));
        text.push_str(&shapes.body);
        text.push_str("</svg>");
        Self(text)
    }
}

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Svg {}

/// Hourly values as a chart reads them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HourlyValues<'a> {
    /// Start of the first hour, UTC ms.
    start: i64,
    /// One value an hour; `None` is missing.
    values: &'a [Option<f64>],
    /// `base value = factor * value`.
    factor: f64,
}

impl<'a> HourlyValues<'a> {
    /// Reads hours of the document, whose values are in a unit.
    pub fn new(hours: &'a Hours, unit: Unit) -> Self {
        Self { start: hours.from.ms(), values: &hours.values, factor: unit.factor }
    }

    /// Returns what is drawn of nothing.
    pub fn none() -> Self {
        Self { start: 0, values: &[], factor: 1.0 }
    }

    /// Returns the start of the first hour, UTC ms; `None` without any.
    pub fn start(&self) -> Option<i64> {
        (!self.values.is_empty()).then_some(self.start)
    }

    /// Returns the value of the hour that holds an instant, in the base unit; NaN outside.
    pub fn at(&self, at: i64) -> f64 {
        let index = usize::try_from((at - self.start).div_euclid(HOUR)).ok();
        let value = index.and_then(|index| self.values.get(index)).copied().flatten();
        value.map_or(f64::NAN, |value| value * self.factor)
    }

    /// Returns the starts of the hours in a window with their values; NaN is missing.
    pub fn within(&self, window: Window) -> impl Iterator<Item = (i64, f64)> + '_ {
        hours_within(window).map(|at| (at, self.at(at)))
    }

    /// Returns the values in a window joined to at most `most` points, each the largest of its hours.
    pub fn joined(&self, window: Window, most: usize) -> Vec<f64> {
        joined(window, most, |at| self.at(at))
    }
}

/// Returns the steps of an axis that starts at 0: the first is 0, the last is at or above `most`.
///
/// Steps are 1, 2, 2.5 or 5 times a power of ten, three or four of them.
fn steps(most: f64) -> Vec<f64> {
    let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
    let power = 10f64.powf((most / 3.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| s * 4.0 >= most * 0.999);
    let step = step.unwrap_or(most);
    let count = (most / step).ceil().clamp(1.0, 5.0) as usize;
    (0..=count).map(|k| k as f64 * step).collect()
}

/// Splits values into runs without gaps: `(index of the first, values)`.
fn runs(values: &[f64]) -> Vec<(usize, &[f64])> {
    let mut found = Vec::new();
    let mut begin = 0;
    for chunk in values.chunk_by(|a, b| a.is_finite() == b.is_finite()) {
        if chunk.first().is_some_and(|value| value.is_finite()) {
            found.push((begin, chunk));
        }
        begin += chunk.len();
    }
    found
}

#[cfg(test)]
mod tests;
