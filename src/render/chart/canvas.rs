//! A sheet to draw on, in pixels, with the report's inks; writes compact SVG.

use plotters::prelude::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

/// View-box units in a pixel: whole coordinates then are quarter pixels.
const FINE: f64 = 4.0;

/// The inks. Each has a hex value that the style sheet knows, so that it can be exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// After the deploy, and lines in general.
    After,
    /// Before the deploy: dashed by the style sheet.
    Before,
    /// The range of what is usual.
    Usual,
    /// A companion line, such as the median beside the 95th percentile.
    Companion,
    /// Marks of what got worse.
    Worse,
    /// The team's limit: a shaded band.
    Limit,
    /// Numbers on axes.
    Text,
    /// Grid lines.
    Grid,
    /// Deploys.
    Deploy,
    /// The number on a deploy's flag.
    FlagText,
    /// Saturdays and Sundays.
    Weekend,
    /// Hours without data: hatched by the style sheet.
    Gap,
    /// Hours of incidents, campaigns and drills: hatched by the style sheet.
    Event,
}

impl Ink {
    /// Every ink.
    #[cfg(test)]
    pub const ALL: [Self; 13] = [
        Self::After,
        Self::Before,
        Self::Usual,
        Self::Companion,
        Self::Worse,
        Self::Limit,
        Self::Text,
        Self::Grid,
        Self::Deploy,
        Self::FlagText,
        Self::Weekend,
        Self::Gap,
        Self::Event,
    ];

    /// Returns red, green and blue on a white page (Okabe and Ito's palette, and greys).
    pub fn rgb(self) -> (u8, u8, u8) {
        match self {
            Self::After => (0x00, 0x72, 0xB2),
            Self::Before => (0x59, 0x59, 0x59),
            Self::Usual => (0xD3, 0xD7, 0xDC),
            Self::Companion => (0x7A, 0x9F, 0xBF),
            Self::Worse => (0xD5, 0x5E, 0x00),
            Self::Limit => (0xED, 0xEF, 0xF2),
            Self::Text => (0x5C, 0x63, 0x6B),
            Self::Grid => (0xE4, 0xE7, 0xEA),
            Self::Deploy => (0x4A, 0x50, 0x57),
            Self::FlagText => (0xFF, 0xFF, 0xFE),
            Self::Weekend => (0xF4, 0xF5, 0xF7),
            Self::Gap => (0xC4, 0xC9, 0xCF),
            Self::Event => (0xE6, 0x9F, 0x01),
        }
    }

    fn color(self) -> RGBColor {
        let (red, green, blue) = self.rgb();
        RGBColor(red, green, blue)
    }

    fn style(self, stroke_width: u32) -> ShapeStyle {
        ShapeStyle { color: self.color().into(), filled: true, stroke_width }
    }
}

/// What was drawn: the shapes without their `<svg>`, and the size of the view box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// Shapes, escaped.
    pub body: String,
    /// Width and height of the view box.
    pub size: (u32, u32),
}

/// Where a text is relative to its point.
pub(super) use plotters::style::text_anchor::HPos as Anchor;

/// Draws in pixels from the upper left corner. Shapes with a coordinate that is not finite are left out.
pub(super) struct Pen<'a> {
    backend: SVGBackend<'a>,
    failed: bool,
}

/// Draws one sheet; `None` if the library refused.
pub(super) fn sheet(width: f64, height: f64, draw: impl FnOnce(&mut Pen<'_>)) -> Option<Drawing> {
    let size = (fine(width)?.unsigned_abs(), fine(height)?.unsigned_abs());
    let mut text = String::new();
    let mut pen = Pen { backend: SVGBackend::with_string(&mut text, size), failed: false };
    draw(&mut pen);
    let failed = pen.failed | pen.backend.present().is_err();
    drop(pen);
    (!failed).then(|| Drawing { body: compact(&text), size })
}

fn fine(value: f64) -> Option<i32> {
    let scaled = (value * FINE).round();
    (scaled.is_finite() && scaled.abs() < 1e6).then_some(scaled as i32)
}

fn point(at: (f64, f64)) -> Option<(i32, i32)> {
    Some((fine(at.0)?, fine(at.1)?))
}

impl Pen<'_> {
    fn done<E>(&mut self, result: Result<(), E>) {
        self.failed |= result.is_err();
    }

    /// Draws a line through points.
    pub fn path(&mut self, points: &[(f64, f64)], ink: Ink, width: f64) {
        let places: Vec<(i32, i32)> = points.iter().filter_map(|at| point(*at)).collect();
        let style = ink.style(fine(width).unwrap_or(4).unsigned_abs().max(1));
        let result = self.backend.draw_path(places, &style);
        self.done(result);
    }

    /// Draws a straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink, width: f64) {
        if let (Some(from), Some(to)) = (point(from), point(to)) {
            let style = ink.style(fine(width).unwrap_or(4).unsigned_abs().max(1));
            let result = self.backend.draw_line(from, to, &style);
            self.done(result);
        }
    }

    /// Fills a polygon.
    pub fn area(&mut self, points: &[(f64, f64)], ink: Ink) {
        let places: Vec<(i32, i32)> = points.iter().filter_map(|at| point(*at)).collect();
        if places.len() >= 3 {
            let result = self.backend.fill_polygon(places, &ink.style(1));
            self.done(result);
        }
    }

    /// Fills or outlines a rectangle.
    pub fn rect(&mut self, upper_left: (f64, f64), lower_right: (f64, f64), ink: Ink, fill: bool) {
        if let (Some(a), Some(b)) = (point(upper_left), point(lower_right))
            && b.0 > a.0
            && b.1 > a.1
        {
            let result = self.backend.draw_rect(a, b, &ink.style(4), fill);
            self.done(result);
        }
    }

    /// Draws a dot.
    pub fn dot(&mut self, center: (f64, f64), radius: f64, ink: Ink) {
        if let (Some(center), Some(radius)) = (point(center), fine(radius)) {
            let style = ink.style(1);
            let result = self.backend.draw_circle(center, radius.unsigned_abs(), &style, true);
            self.done(result);
        }
    }

    /// Writes a text whose vertical middle is at the point.
    pub fn text(&mut self, text: &str, at: (f64, f64), size: f64, ink: Ink, anchor: Anchor, is_bold: bool) {
        if let Some(at) = point(at) {
            // The library divides sizes by this number.
            let size = size * FINE * 1.24;
            let weight = if is_bold { FontStyle::Bold } else { FontStyle::Normal };
            let font = FontDesc::new(FontFamily::SansSerif, size, weight);
            let color = ink.color();
            let style = TextStyle::from(font).color(&color).pos(Pos::new(anchor, VPos::Center));
            let result = self.backend.draw_text(text, &style, at);
            self.done(result);
        }
    }
}

/// Drops the `<svg>` around the shapes and every attribute that says the default.
///
/// Text is escaped by the library (a quote becomes `&quot;`), so these patterns cannot occur in it.
fn compact(svg: &str) -> String {
    let body = svg.split_once('>').map_or("", |(_, rest)| rest);
    let body = body.rsplit_once("</svg>").map_or(body, |(shapes, _)| shapes);
    let mut text = body.to_owned();
    for default in [" opacity=\"1\"", " stroke=\"none\"", " font-family=\"sans-serif\"", " text-anchor=\"start\""] {
        text = text.replace(default, "");
    }
    text.replace(" \"/>", "\"/>").replace('\n', "")
}
