//! The period over time: one signal, its companion, numbered deploys, events, gaps, and when it changed.

use chrono_tz::Tz;

use super::canvas::{Anchor, Ink, Pen, sheet};
use super::{HourlyValues, Svg, runs, steps};
use crate::model::time::{HOUR, Window, local, midnights};
use crate::render::calendar;
use crate::render::number::{self, UnitScale};

const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 208.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 22.0;
/// Flags nearer than this are drawn as one, pixels.
const FLAG_GAP: f64 = 19.0;
/// A peak this many times above the usual top would flatten everything else; it is cut and marked.
const CUT_ABOVE: f64 = 3.0;

/// Marks nearer than this are one, pixels.
const MARK_GAP: f64 = 40.0;

/// Values that lie so little above the axis are drawn within it.
const SPARE: f64 = 1.15;

/// Length of a dot and of the space after it, pixels.
const DOT: f64 = 3.0;

/// A deploy group's flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// When it was.
    pub at: i64,
    /// Its number.
    pub number: usize,
    /// It is the one that the chart is about.
    pub is_focus: bool,
    /// Nobody recorded it; it is drawn dotted.
    pub is_inferred: bool,
}

/// What a timeline shows.
#[derive(Debug, Clone)]
pub(crate) struct Timeline<'a> {
    /// The time axis.
    pub window: Window,
    /// The zone of its midnights.
    pub zone: Tz,
    /// How values are read.
    pub scale: UnitScale,
    /// The signal.
    pub main: HourlyValues<'a>,
    /// A second line in the same unit.
    pub companion: Option<HourlyValues<'a>>,
    /// Colour of the flag in focus and of the bracket.
    pub focus: Ink,
    /// Deploys, by time.
    pub flags: &'a [Flag],
    /// Incidents, campaigns, drills.
    pub bands: &'a [Window],
    /// When the change began.
    pub onset: Option<Window>,
    /// Plain text for screen readers.
    pub title: &'a str,
    /// Plain text for screen readers.
    pub description: &'a str,
}

struct Frame {
    window: Window,
    top: f64,
}

impl Frame {
    fn x(&self, at: i64) -> f64 {
        let share = (at - self.window.start) as f64 / self.window.length().max(1) as f64;
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value / self.top).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }
}

/// Draws a timeline; `None` if there are fewer than two hours with data.
pub(crate) fn timeline(chart: &Timeline<'_>) -> Option<Svg> {
    let known: Vec<(i64, f64)> = chart.main.within(chart.window).filter(|(_, value)| value.is_finite()).collect();
    if known.len() < 2 || chart.window.length() <= 0 {
        return None;
    }
    let shown = shown(&known, chart.bands);
    let shown = if shown > 0.0 { shown } else { 1.0 / chart.scale.factor };
    let marks = steps(shown * chart.scale.factor);
    let top = marks.last().copied().unwrap_or(1.0) / chart.scale.factor;
    let frame = Frame { window: chart.window, top };
    let drawing = sheet(WIDTH, HEIGHT, |pen| {
        ground(pen, &frame, chart);
        axes(pen, &frame, chart, &marks);
        if let Some(companion) = chart.companion {
            curve(pen, &frame, companion, Ink::Companion, 1.25);
        }
        curve(pen, &frame, chart.main, Ink::After, 1.5);
        cut_marks(pen, &frame, chart);
        bracket(pen, &frame, chart.onset, chart.focus);
        flags(pen, &frame, chart.flags, chart.focus);
    })?;
    Some(Svg::new(&drawing, "chart", chart.title, chart.description))
}

/// Returns the largest value that the axis has to reach. Hours that were left out of the comparison do not flatten what
/// was compared, and neither does a lone peak: they are cut and marked.
fn shown(known: &[(i64, f64)], bands: &[Window]) -> f64 {
    let is_left_out = |at: i64| bands.iter().any(|band| band.overlaps(Window::new(at, at + HOUR)));
    let compared = known.iter().filter(|(at, _)| !is_left_out(*at)).map(|(_, value)| *value);
    let mut sorted: Vec<f64> = compared.collect();
    if sorted.len() < 2 {
        sorted = known.iter().map(|(_, value)| *value).collect();
    }
    sorted.sort_by(f64::total_cmp);
    let most = sorted.last().copied().unwrap_or(0.0);
    let usual = sorted.get(sorted.len() * 98 / 100).copied().unwrap_or(most);
    let shown = if usual > 0.0 && most > CUT_ABOVE * usual { usual * 1.6 } else { most };
    let all = known.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    // What is hardly higher needs no mark.
    if all <= SPARE * shown { all } else { shown }
}

fn ground(pen: &mut Pen<'_>, frame: &Frame, chart: &Timeline<'_>) {
    let mut days = midnights(chart.window, chart.zone);
    if days.first() != Some(&chart.window.start) {
        days.insert(0, chart.window.start);
    }
    for (index, day) in days.iter().enumerate() {
        let end = days.get(index + 1).copied().unwrap_or(chart.window.end);
        if calendar::is_weekend(*day, chart.zone) {
            pen.rect((frame.x(*day), TOP), (frame.x(end), HEIGHT - BOTTOM), Ink::Weekend, true);
        }
    }
    for band in chart.bands {
        let end = band.end.max(band.start + HOUR / 2);
        pen.rect((frame.x(band.start), TOP), (frame.x(end), HEIGHT - BOTTOM), Ink::Event, true);
    }
    let hours: Vec<(i64, f64)> = chart.main.within(chart.window).collect();
    for gap in hours.chunk_by(|a, b| a.1.is_finite() == b.1.is_finite()) {
        if let (Some((from, value)), Some((last, _))) = (gap.first(), gap.last())
            && !value.is_finite()
        {
            let end = (last + HOUR).min(chart.window.end);
            pen.rect((frame.x(*from), TOP), (frame.x(end), HEIGHT - BOTTOM), Ink::Gap, true);
        }
    }
}

fn axes(pen: &mut Pen<'_>, frame: &Frame, chart: &Timeline<'_>, marks: &[f64]) {
    for (index, mark) in marks.iter().enumerate() {
        let y = frame.y(mark / chart.scale.factor);
        pen.line((LEFT, y), (WIDTH - RIGHT, y), Ink::Grid, 1.0);
        let unit = if index + 1 == marks.len() { chart.scale.symbol } else { "" };
        let label = format!("{}{unit}", number::trimmed(*mark));
        pen.text(&label, (LEFT - 6.0, y), 11.0, Ink::Text, Anchor::Right, false);
    }
    let days = midnights(chart.window, chart.zone);
    // Dates need about 40 pixels each.
    let every = days.len().div_ceil(12).max(1);
    for (index, day) in days.iter().enumerate() {
        let x = frame.x(*day);
        pen.line((x, HEIGHT - BOTTOM), (x, HEIGHT - BOTTOM + 4.0), Ink::Text, 1.0);
        let next = days.get(index + 1).copied().unwrap_or(chart.window.end);
        let middle = f64::midpoint(x, frame.x(next));
        if index % every == 0 && frame.x(next) - x > 12.0 {
            let label = local(*day, chart.zone).format("%m-%d").to_string();
            pen.text(&label, (middle, HEIGHT - BOTTOM + 12.0), 11.0, Ink::Text, Anchor::Center, false);
        }
    }
}

fn curve(pen: &mut Pen<'_>, frame: &Frame, hours: HourlyValues<'_>, ink: Ink, width: f64) {
    let points: Vec<(i64, f64)> = hours.within(frame.window).collect();
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    for (begin, run) in runs(&values) {
        let at = |k: usize| {
            frame.window.start.max(frame.window.start.div_euclid(HOUR) * HOUR + (begin + k) as i64 * HOUR + HOUR / 2)
        };
        let path: Vec<(f64, f64)> =
            run.iter().enumerate().map(|(k, value)| (frame.x(at(k)), frame.y(*value))).collect();
        match path.as_slice() {
            [only] => pen.dot(*only, width, ink),
            path => pen.path(path, ink, width),
        }
    }
}

/// Marks hours that lie above the axis with a triangle at its top and the value.
fn cut_marks(pen: &mut Pen<'_>, frame: &Frame, chart: &Timeline<'_>) {
    let above: Vec<(i64, f64)> =
        chart.main.within(frame.window).filter(|(_, value)| *value > frame.top * 1.001).collect();
    let near = |a: &(i64, f64), b: &(i64, f64)| frame.x(b.0) - frame.x(a.0) <= MARK_GAP;
    for cluster in above.chunk_by(near) {
        let Some((at, value)) = cluster.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        let x = frame.x(at + HOUR / 2);
        pen.area(&[(x - 4.0, TOP + 7.0), (x + 4.0, TOP + 7.0), (x, TOP)], Ink::Worse);
        let (aside, anchor) = if x > WIDTH * 0.8 { (-7.0, Anchor::Right) } else { (7.0, Anchor::Left) };
        pen.text(&chart.scale.write(value), (x + aside, TOP + 5.0), 10.5, Ink::Text, anchor, false);
    }
}

fn bracket(pen: &mut Pen<'_>, frame: &Frame, onset: Option<Window>, ink: Ink) {
    let Some(onset) = onset.filter(|onset| onset.overlaps(frame.window) || frame.window.contains(onset.start)) else {
        return;
    };
    let (from, to) = (frame.x(onset.start), frame.x(onset.end));
    // A range of minutes would be too narrow to see.
    let spare = ((7.0 - (to - from)) / 2.0).max(0.0);
    let (from, to, y) = (from - spare, to + spare, HEIGHT - BOTTOM - 3.0);
    pen.path(&[(from, y - 7.0), (from, y), (to, y), (to, y - 7.0)], ink, 1.75);
}

fn flags(pen: &mut Pen<'_>, frame: &Frame, flags: &[Flag], focus: Ink) {
    let mut clusters: Vec<Vec<Flag>> = Vec::new();
    for flag in flags.iter().filter(|flag| frame.window.contains(flag.at)) {
        match clusters.last_mut() {
            Some(cluster) if cluster.first().is_some_and(|first| frame.x(flag.at) - frame.x(first.at) < FLAG_GAP) => {
                cluster.push(*flag);
            }
            _ => clusters.push(vec![*flag]),
        }
    }
    for cluster in &clusters {
        let is_focus = cluster.iter().any(|flag| flag.is_focus);
        let ink = if is_focus { focus } else { Ink::Deploy };
        for flag in cluster {
            let ink = if flag.is_focus { focus } else { Ink::Gap };
            let width = if flag.is_focus { 1.5 } else { 1.0 };
            pole(pen, frame.x(flag.at), flag.is_inferred, ink, width);
        }
        let (Some(first), Some(last)) = (cluster.first(), cluster.last()) else { continue };
        let label = match cluster.len() {
            1 => first.number.to_string(),
            2 => format!("{},{}", first.number, last.number),
            _ => format!("{}–{}", first.number, last.number),
        };
        let half = 8.0_f64.max(label.chars().count() as f64 * 3.3 + 4.0);
        let middle = f64::midpoint(frame.x(first.at), frame.x(last.at)).clamp(LEFT, WIDTH - half - 1.0);
        pill(pen, middle, TOP - 16.0, half, ink);
        pen.text(&label, (middle, TOP - 16.0), 10.5, Ink::FlagText, Anchor::Center, true);
    }
}

/// Draws a flag's line; in dots where nobody recorded the deploy.
fn pole(pen: &mut Pen<'_>, x: f64, is_dotted: bool, ink: Ink, width: f64) {
    let (top, bottom) = (TOP - 8.0, HEIGHT - BOTTOM);
    if !is_dotted {
        return pen.line((x, top), (x, bottom), ink, width);
    }
    let dots = ((bottom - top) / DOT).floor() as usize;
    for k in (0..dots).step_by(2) {
        let from = top + k as f64 * DOT;
        pen.line((x, from), (x, from + DOT), ink, width);
    }
}

fn pill(pen: &mut Pen<'_>, x: f64, y: f64, half: f64, ink: Ink) {
    let straight = (half - 8.0).max(0.0);
    pen.dot((x - straight, y), 8.0, ink);
    if straight > 0.0 {
        pen.dot((x + straight, y), 8.0, ink);
        pen.rect((x - straight, y - 8.0), (x + straight, y + 8.0), ink, true);
    }
}
