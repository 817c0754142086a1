//! Changes at a deploy that belong to an incident, a campaign or a drill of the same hours.
//!
//! The hours inside such events are left out of the statistics, so a change that lives in them alone is seen by nobody,
//! and a change that began in them may be laid at the door of a deploy that happened to lie there. Both are looked for
//! in the values that were left out:
//!
//! ```text
//!   deploy  event.......        deploy, then only inside the event another level: the event covers it
//!      event....deploy...       the level changed with the event, before the deploy: it began with the event
//! ```
//!
//! A level that changed between the deploy and the event is the deploy's: incidents are often declared because of one.

use crate::detect::input::calendar::{BUCKET, Calendar, PER_HOUR};
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::judgement::{Comparison, Pattern};
use crate::model::effect::AdjustmentEvidence;
use crate::model::event::Event;
use crate::model::metric::Polarity;
use crate::model::time::Window;
use crate::model::verdict::{Confounder, Verdict};
use crate::stats::describe;

/// An event that begins later than this after the settling does not cover what a deploy does at once, in buckets.
const SOON: usize = PER_HOUR;

/// Events further from a deploy than this are not asked about, in buckets: steps are placed to within hours.
const NEAR: usize = 24 * PER_HOUR;

/// Buckets with data that a stretch needs to say anything.
const LEAST: usize = 2;

/// From this share of a change on a stretch has it; below the rest to 1 it does not.
const HAS: f64 = 2.0 / 3.0;

/// Standard deviations of a single bucket that a change inside an event needs.
const CLEAR: f64 = 3.0;

/// Failures that a share inside an event must rest on.
const LEAST_FAILURES: f64 = 10.0;

/// A series with the hours that were left out still in it.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// What is left of the values without their usual course (or the shares), nothing left out; NaN is missing.
    pub values: &'a [f64],
    /// Requests of each bucket if the values are shares of them.
    pub requests: Option<&'a [f64]>,
    /// Standard deviation of a bucket about its level; 0 for shares.
    pub spread: f64,
    /// Which way it gets worse.
    pub direction: Polarity,
}

impl Values<'_> {
    /// Returns the level of a stretch: its median, or its failed share.
    fn level(&self, from: usize, to: usize) -> Option<f64> {
        let buckets = from..to.min(self.values.len());
        let values = self.values.get(buckets.clone())?;
        if values.iter().filter(|value| value.is_finite()).count() < LEAST {
            return None;
        }
        let Some(requests) = self.requests else { return describe::median(values) };
        let known = values.iter().zip(requests.get(buckets)?).filter(|(value, n)| value.is_finite() && n.is_finite());
        let (failed, all) = known.fold((0.0, 0.0), |(failed, all), (share, n)| (failed + share * n, all + n));
        (all > 0.0).then(|| failed / all)
    }

    /// Tells whether a change of a stretch's level is more than chance.
    fn is_clear(&self, from: usize, to: usize, change: f64) -> bool {
        let Some(requests) = self.requests else { return change.abs() >= CLEAR * self.spread };
        let all: f64 = requests.get(from..to.min(requests.len())).unwrap_or(&[]).iter().filter(|n| n.is_finite()).sum();
        change.abs() * all >= LEAST_FAILURES
    }
}

/// An event whose hours are left out, as buckets.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// First bucket that it touches.
    pub from: usize,
    /// First bucket after it.
    pub to: usize,
    /// Id of the event.
    pub id: &'a str,
}

impl Span<'_> {
    /// Tells whether it lies so near a deploy that it is asked about.
    pub fn is_near(self, moment: DeployWindow) -> bool {
        self.from <= moment.to + NEAR && moment.from <= self.to + NEAR
    }

    /// Tells whether it touches some of the hours of a window.
    pub fn overlaps(self, window: Window, calendar: &Calendar) -> bool {
        self.from < calendar.bucket_from(window.end) && calendar.bucket(window.start) < self.to
    }
}

/// Returns the events of a service whose hours are left out.
pub fn spans<'a>(service: &str, events: &'a [Event], calendar: &Calendar) -> Vec<Span<'a>> {
    let left_out = events.iter().filter(|event| !event.kind.is_judged() && event.concerns(service));
    let span = |event: &'a Event| {
        let window = event.window();
        Span { from: calendar.bucket(window.start), to: calendar.bucket_from(window.end), id: &event.id }
    };
    left_out.map(span).filter(|span| span.from < span.to).collect()
}

/// Marks buckets inside incidents, campaigns and drills.
pub fn mask(spans: &[Span<'_>], calendar: &Calendar) -> Vec<bool> {
    let mut masked = vec![false; calendar.len()];
    for span in spans {
        for masked in masked.iter_mut().take(span.to).skip(span.from) {
            *masked = true;
        }
    }
    masked
}

/// Says of a comparison that an event explains it, if one does.
///
/// `begin`: first bucket that was compared before the deploy; `next`: first bucket of the next deploy.
pub fn explain(
    comparison: &mut Comparison,
    course: &Values<'_>,
    spans: &[Span<'_>],
    moment: DeployWindow,
    begin: usize,
    next: usize,
) {
    if course.direction == Polarity::Neutral {
        return;
    }
    if comparison.is_located_change() {
        let mut near = spans.iter().copied().filter(|span| span.is_near(moment));
        if let Some(span) = near.find(|span| began_with(comparison, course, *span, moment, begin)) {
            let amount = comparison.estimate().map_or(0.0, |estimate| estimate.value);
            let evidence = AdjustmentEvidence::Event { id: span.id.to_owned() };
            comparison.adjust(evidence, amount, 0.0, course.direction);
        }
    } else if !comparison.verdict.is_alarm() {
        for span in spans {
            cover(comparison, course, *span, moment, begin, next);
        }
    }
}

/// Returns the level before both the deploy and the event.
fn before(course: &Values<'_>, span: Span<'_>, moment: DeployWindow, begin: usize) -> Option<f64> {
    // A day is enough, and stays clear of what the usual course does not know.
    let end = span.from.min(moment.from);
    course.level(begin.max(end.saturating_sub(24 * PER_HOUR)), end)
}

/// Tells whether a step that was placed at the deploy began with the event.
fn began_with(
    comparison: &Comparison,
    course: &Values<'_>,
    span: Span<'_>,
    moment: DeployWindow,
    begin: usize,
) -> bool {
    let (Some(estimate), Some(before)) = (comparison.estimate(), before(course, span, moment, begin)) else {
        return false;
    };
    let Span { from, to, .. } = span;
    let size = estimate.value;
    let share = |from: usize, to: usize| {
        let change = course.level(from, to)? - before;
        Some((change / size, course.is_clear(from, to, size)))
    };
    if from < moment.from {
        // It was there before the deploy, in the event.
        let there = share(from, moment.from.min(to));
        to >= moment.from && there.is_some_and(|(share, clear)| clear && share >= HAS)
    } else {
        // After the deploy it was not there, in the event it was.
        let (between, inside) = (share(moment.to, from), share(from, to));
        between.is_some_and(|(share, clear)| clear && share <= 1.0 - HAS)
            && inside.is_some_and(|(share, _)| share >= HAS)
    }
}

/// Says of a deploy that an event covers the hours right after it, if in them, and only in them, the level was another.
fn cover(
    comparison: &mut Comparison,
    course: &Values<'_>,
    span: Span<'_>,
    moment: DeployWindow,
    begin: usize,
    next: usize,
) {
    let Span { from, to, id } = span;
    let end = to.min(next);
    let start = from.max(moment.to);
    if comparison.verdict == Verdict::Explained || from > moment.to + SOON || end <= start {
        return;
    }
    let Some(before) = before(course, span, moment, begin) else { return };
    let Some(inside) = course.level(start, end).map(|level| level - before) else { return };
    let is_seen = |from: usize, to: usize| course.level(from, to).map(|level| (level - before) / inside);
    let Some(effect) = &mut comparison.effect else { return };
    let matters = effect.limit.is_finite() && inside.abs() >= effect.limit;
    if !matters || !course.is_clear(start, end, inside) {
        return;
    }
    // Already there between the deploy and the event: the deploy's own, whatever it was declared to be.
    if from > moment.to && is_seen(moment.to, from).is_some_and(|share| share > 1.0 - HAS) {
        return;
    }
    effect.replace_seen(AdjustmentEvidence::Event { id: id.to_owned() }, inside);
    comparison.explain(Confounder::Event);
    let at = |bucket: usize| comparison.after_window.start + (bucket as i64 - moment.to as i64) * BUCKET;
    comparison.onset = Some(Window::new(at(start), at(start + 1)));
    comparison.pattern = Some(Pattern::Recovered { until: at(end), by: None });
}
