//! The verdict map: one small chart a row of a table, all on one axis, worse to the right.

use super::Svg;
use super::canvas::{Anchor, Drawing, Ink, Pen, sheet};
use crate::model::effect::Estimate;
use crate::render::number;

const WIDTH: f64 = 320.0;
const ROW: f64 = 34.0;
const AXIS: f64 = 20.0;
const SIDE: f64 = 14.0;

/// Localized ends of the shared axis, as log ratios: from `-reach` to `reach`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Domain {
    reach: f64,
}

impl Domain {
    /// Picks an axis that holds most intervals; what lies outside gets an arrow.
    pub fn over(estimates: &[Estimate]) -> Self {
        let mut ends: Vec<f64> =
            estimates.iter().flat_map(|e| [e.low.abs(), e.high.abs()]).filter(|end| end.is_finite()).collect();
        ends.sort_by(f64::total_cmp);
        // One wild interval must not flatten all the others.
        let most = ends.get(ends.len().saturating_sub(1) * 9 / 10).copied().unwrap_or(0.0);
        Self { reach: (most * 1.15).clamp(0.15, 1.8) }
    }

    fn x(self, log_ratio: f64) -> f64 {
        let share = (log_ratio / self.reach).clamp(-1.0, 1.0);
        WIDTH / 2.0 + share * (WIDTH / 2.0 - SIDE)
    }

    /// Returns the log ratios that get a tick.
    fn ticks(self) -> Vec<f64> {
        let rises: &[f64] = match self.reach {
            r if r < 0.2 => &[0.05, 0.10, 0.15],
            r if r < 0.45 => &[0.10, 0.25],
            r if r < 0.8 => &[0.25, 0.5, 1.0],
            _ => &[0.5, 1.0, 3.0],
        };
        let ups = rises.iter().map(|rise| rise.ln_1p()).filter(|tick| *tick <= self.reach);
        let falls: &[f64] = if self.reach < 0.2 { &[0.05, 0.10] } else { &[0.10, 0.25, 0.5, 0.75] };
        let spread = if self.reach < 0.45 { 0.0 } else { 0.25 };
        let downs = falls.iter().map(|fall| (-fall).ln_1p()).filter(|tick| -tick <= self.reach && -tick > spread);
        downs.chain([0.0]).chain(ups).collect()
    }
}

/// One row of the map, with effects in the bad direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForestRow<'a> {
    /// Estimate and interval, log ratios, positive is worse.
    pub estimate: Estimate,
    /// The limit, a log ratio.
    pub limit: f64,
    /// Colour of the mark.
    pub ink: Ink,
    /// Plain text for screen readers.
    pub title: &'a str,
    /// Plain text for screen readers.
    pub description: &'a str,
}

fn ground(pen: &mut Pen<'_>, domain: Domain, height: f64) {
    for tick in domain.ticks() {
        let x = domain.x(tick);
        let (ink, width) = if tick.abs() < 1e-9 { (Ink::Text, 1.0) } else { (Ink::Grid, 1.0) };
        pen.line((x, 0.0), (x, height), ink, width);
    }
}

/// Draws a row; `None` if its numbers are not finite.
pub(crate) fn forest_row(domain: Domain, row: &ForestRow<'_>) -> Option<Svg> {
    let Estimate { value, low, high } = row.estimate;
    if !(value.is_finite() && low.is_finite() && high.is_finite()) {
        return None;
    }
    let drawing = sheet(WIDTH, ROW, |pen| {
        if row.limit.is_finite() && row.limit < domain.reach {
            pen.rect((domain.x(-row.limit), 0.0), (domain.x(row.limit), ROW), Ink::Limit, true);
        }
        ground(pen, domain, ROW);
        let y = ROW / 2.0;
        pen.line((domain.x(low), y), (domain.x(high), y), row.ink, 2.0);
        arrow(pen, domain, high > domain.reach, 1.0, row.ink);
        arrow(pen, domain, low < -domain.reach, -1.0, row.ink);
        if value.abs() <= domain.reach {
            pen.dot((domain.x(value), y), 4.5, row.ink);
        }
    })?;
    Some(Svg::new(&drawing, "forest", row.title, row.description))
}

fn arrow(pen: &mut Pen<'_>, domain: Domain, is_clipped: bool, side: f64, ink: Ink) {
    if is_clipped {
        let (x, y) = (domain.x(side * domain.reach), ROW / 2.0);
        pen.area(&[(x, y - 5.0), (x, y + 5.0), (x + side * 9.0, y)], ink);
    }
}

/// Draws the axis above the rows.
pub(crate) fn forest_axis(domain: Domain, title: &str) -> Option<Svg> {
    let drawing: Drawing = sheet(WIDTH, AXIS, |pen| {
        for tick in domain.ticks() {
            let label = if tick.abs() < 1e-9 { "0".to_owned() } else { number::change(tick) };
            pen.text(&label, (domain.x(tick), AXIS / 2.0), 11.0, Ink::Text, Anchor::Center, false);
        }
    })?;
    let ticks: Vec<String> = domain.ticks().into_iter().map(number::change).collect();
    Some(Svg::new(&drawing, "forest", title, &ticks.join(" ")))
}
