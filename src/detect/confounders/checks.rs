//! Asks, series by series, what besides a deploy may have moved it: an event of the same hours, the mix of requests; and
//! whether it had a bad spell right after the deploy. Load is asked before, the fleet when all services are known.

use super::mix::{self, Service};
use super::{event, load};
use crate::detect::compare::burst;
use crate::detect::input::calendar::Calendar;
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::judgement::Comparison;
use crate::detect::model::series_model::SeriesModel;
use crate::model::metric::{Class, Kind, Polarity};
use crate::model::verdict::Verdict;

/// One service with everything that was found out about its series.
#[derive(Clone, Copy)]
pub struct ServiceModel<'a> {
    /// Its series.
    pub service: Service<'a>,
    /// How each was judged.
    pub judged: &'a [SeriesModel],
    /// Its deploys.
    pub moments: &'a [DeployWindow],
    /// Its events whose hours are left out.
    pub spans: &'a [event::Span<'a>],
    /// The grid.
    pub calendar: &'a Calendar,
}

/// Says of each comparison what explains it. `comparisons`: of this service, by series.
pub fn check(known: &ServiceModel<'_>, comparisons: &mut [Comparison]) {
    for own in comparisons.chunk_by_mut(|a, b| a.series == b.series) {
        ask_events(known, own);
    }
    mix::explain(&known.service, known.calendar, comparisons);
    for own in comparisons.chunk_by_mut(|a, b| a.series == b.series) {
        measure_bursts(known, own);
    }
    for comparison in comparisons.iter_mut().filter(|comparison| comparison.has_moved() || comparison.burst.is_some()) {
        let windows = [comparison.before_window, comparison.after_window];
        let touches = |span: &&event::Span<'_>| windows.iter().any(|window| span.overlaps(*window, known.calendar));
        comparison.evidence.events = known.spans.iter().filter(touches).map(|span| span.id.to_owned()).collect();
        let at = comparison.series;
        let (class, kind) = (known.service.classes_and_polarities[at].0, known.service.series[at].key.kind);
        comparison.evidence.load = load::check(&known.judged[at], &known.service.inputs[at], class, kind);
    }
}

/// Returns a series without its usual course, or its failed shares, with nothing left out.
fn whole_course(known: &ServiceModel<'_>, series: usize) -> Option<Vec<f64>> {
    let value = &known.service.inputs[series].grid.value;
    match &known.judged[series] {
        SeriesModel::Level(track) => Some(track.seasonality.residual(value)),
        SeriesModel::Share(_) => Some(value.clone()),
        SeriesModel::Nothing => None,
    }
}

/// Asks the events of the service about the comparisons of one series.
fn ask_events(known: &ServiceModel<'_>, comparisons: &mut [Comparison]) {
    let Some(series) = comparisons.first().map(|comparison| comparison.series) else { return };
    let near = |moment: &DeployWindow| known.spans.iter().any(|span| span.is_near(*moment));
    if !comparisons.iter().any(|comparison| known.moments.get(comparison.group).is_some_and(near)) {
        return;
    }
    let Some(values) = whole_course(known, series) else { return };
    let judged = &known.judged[series];
    let (requests, spread) = match judged {
        SeriesModel::Level(track) => (None, track.noise.as_ref().map_or(f64::INFINITY, |noise| noise.variance.sqrt())),
        _ => (Some(known.service.inputs[series].requests.as_slice()), 0.0),
    };
    let course =
        event::Values { values: &values, requests, spread, direction: known.service.classes_and_polarities[series].1 };
    for comparison in comparisons {
        let Some(moment) = known.moments.get(comparison.group).copied() else { continue };
        let begin = known.calendar.bucket(comparison.before_window.start);
        let next = known.moments.get(comparison.group + 1).map_or(known.calendar.len(), |next| next.from);
        event::explain(comparison, &course, known.spans, moment, begin, next);
    }
}

/// Measures bad spells right after the deploys at which the latency or the failures of an operation stayed as they were.
fn measure_bursts(known: &ServiceModel<'_>, comparisons: &mut [Comparison]) {
    let Some(first) = comparisons.first() else { return };
    let series = first.series;
    let (class, direction) = known.service.classes_and_polarities[series];
    let is_felt = known.service.series[series].key.kind == Kind::Operation
        && matches!(class, Class::Latency | Class::Errors)
        && direction != Polarity::Neutral;
    let stayed = |comparison: &Comparison| {
        let verdict =
            matches!(comparison.verdict, Verdict::NoMaterialChange | Verdict::NotWorse | Verdict::Inconclusive);
        verdict && comparison.pattern.is_none() && comparison.effect.is_some()
    };
    if !is_felt || !comparisons.iter().any(stayed) {
        return;
    }
    let Some(mut values) = whole_course(known, series) else { return };
    for (value, masked) in values.iter_mut().zip(known.service.masked) {
        if *masked {
            *value = f64::NAN;
        }
    }
    known.service.inputs[series].load.leave_out_strange(&mut values);
    for comparison in comparisons.iter_mut().filter(|comparison| stayed(comparison)) {
        let Some((scale, limit)) = comparison.effect.as_ref().map(|effect| (effect.scale, effect.limit)) else {
            continue;
        };
        let course = burst::Spells {
            values: &values,
            requests: (class == Class::Errors && scale.is_difference())
                .then_some(known.service.inputs[series].requests.as_slice())
                .filter(|requests| !requests.is_empty()),
            moments: known.moments,
            sign: if direction == Polarity::Higher { -1.0 } else { 1.0 },
            limit,
            scale,
        };
        comparison.burst = burst::measure(&course, comparison.group, known.calendar);
        let Some(burst) =
            comparison.burst.as_mut().filter(|burst| class == Class::Latency && !burst.scale.is_difference())
        else {
            continue;
        };
        let requests = &known.service.inputs[series].requests;
        let moment = known.moments.get(comparison.group).map_or(0, |moment| moment.from);
        let after = requests.get(moment..known.calendar.bucket(burst.until)).unwrap_or(&[]);
        let count: f64 = after.iter().filter(|n| n.is_finite()).sum();
        burst.cost_s = comparison.before.filter(|_| count > 0.0).map(|before| before * burst.size.exp_m1() * count);
    }
}
