//! The golden signals of each service, and how much of its data was there.

use super::Builder;
use super::hourly::Hourly;
use crate::detect::SeriesSummary;
use crate::model::metric::{Class, Kind, counted_once};
use crate::model::time::{HOUR, Window, midnights};
use crate::review::change::{Change, Scale};
use crate::review::chapter::{self, LINE_POINTS, Target};
use crate::review::rounding::{drawn, finite, round};
use crate::review::{Pooled, Series};

/// Share of the period's points that a series needs to be added up in a line.
const STEADY: f64 = 0.5;

/// What is measured of one service.
#[derive(Default)]
pub(super) struct Own {
    pub coverage: Option<f64>,
    pub days: Vec<f64>,
    pub latency: Option<usize>,
    pub traffic: Option<Pooled>,
    pub errors: Option<Pooled>,
}

/// A series of the document with its hourly values.
#[derive(Clone, Copy)]
struct One<'a> {
    series: &'a Series,
    summary: &'a SeriesSummary,
}

impl One<'_> {
    fn line(&self, period: Window) -> Vec<f64> {
        Hourly { start: self.summary.start, values: &self.summary.hourly }.joined(period, LINE_POINTS)
    }
}

/// Gathers golden signals, service by service.
pub(super) struct Golden<'a> {
    builder: &'a Builder<'a>,
    series: &'a [Series],
    endpoints: Vec<Target<'a>>,
    days: Vec<Window>,
    /// Services with a row so far: only the first ones have lines.
    rows: usize,
}

impl<'a> Golden<'a> {
    /// Prepares. `series`: as in the document, in the judgement's order.
    pub fn new(builder: &'a Builder<'a>, series: &'a [Series]) -> Self {
        let period = builder.input.judgement.period;
        let mut edges = midnights(period, builder.input.config.zone);
        edges.push(period.end);
        let days = edges.windows(2).filter_map(|pair| Some(Window::new(*pair.first()?, *pair.last()?))).collect();
        Self { builder, series, endpoints: chapter::endpoints(series), days, rows: 0 }
    }

    /// Returns what is measured of a service.
    pub fn of(&mut self, service: &str) -> Own {
        let all = self.of_service(service);
        let mut own = Own { coverage: self.coverage(&all), days: self.daily(&all), ..Own::default() };
        let of_service = || self.endpoints.iter().filter(|target| &*target.latency.service == service);
        // Percentiles of endpoints cannot be joined to one of the service: the busiest endpoint represents it.
        let whole = of_service().find(|target| target.latency.is_whole_service());
        own.latency = whole.or_else(|| of_service().next()).map(|target| target.index);
        let has_line = self.rows < chapter::SERVICES;
        own.traffic = self.traffic(&of_class(&all, Class::Traffic), has_line);
        own.errors = self.errors(&of_class(&all, Class::Errors), has_line);
        self.rows += usize::from(own.latency.is_some() || own.traffic.is_some() || own.errors.is_some());
        own
    }

    /// Returns the series of a service: the list is ordered by key, so they are neighbours.
    fn of_service(&self, service: &str) -> Vec<One<'a>> {
        let begin = self.series.partition_point(|one| &*one.service < service);
        let end = self.series.partition_point(|one| &*one.service <= service);
        let summaries = self.builder.input.judgement.series.get(begin..end).unwrap_or_default();
        let series = self.series.get(begin..end).unwrap_or_default();
        series.iter().zip(summaries).map(|(series, summary)| One { series, summary }).collect()
    }

    fn coverage(&self, all: &[One<'_>]) -> Option<f64> {
        let sum: f64 = all.iter().filter_map(|one| one.series.coverage).sum();
        finite(sum / all.len().max(1) as f64)
    }

    /// Returns the share of each local day's hours, over all series, that had data.
    fn daily(&self, all: &[One<'_>]) -> Vec<f64> {
        let share = |day: &Window| {
            let (mut known, mut hours) = (0usize, 0usize);
            for one in all {
                // A series coarser than an hour has data in a part of the hours only, and misses nothing.
                let stride = usize::try_from((one.summary.step_ms / HOUR).max(1)).unwrap_or(1);
                let hourly = Hourly { start: one.summary.start, values: &one.summary.hourly };
                let values: Vec<f64> = hourly.within(*day).collect();
                for chunk in values.chunks(stride) {
                    hours += 1;
                    known += usize::from(chunk.iter().any(|value| value.is_finite()));
                }
            }
            if hours == 0 { 0.0 } else { round(known as f64 / hours as f64) }
        };
        self.days.iter().map(share).collect()
    }

    /// Adds up the traffic of a service. Only one series has an interval; a sum has just its ratio.
    fn traffic(&self, all: &[One<'_>], has_line: bool) -> Option<Pooled> {
        // Endpoints may be counted in different signals (requests, calls); only the first is added up.
        let first = all.iter().find(|one| &*one.series.signal == "throughput").or(all.first())?;
        let same: Vec<One<'_>> = all.iter().copied().filter(|one| one.series.signal == first.series.signal).collect();
        let known = |pick: fn(&Series) -> Option<f64>| {
            same.iter().map(|one| one.series.base(pick(one.series))).filter(|value| value.is_finite()).sum::<f64>()
        };
        let (level, before) = (known(|one| one.level), known(|one| one.level_before));
        let is_steady = |one: &&One<'_>| one.series.coverage.is_some_and(|share| share >= STEADY);
        let period = self.builder.input.judgement.period;
        let points: Vec<Vec<f64>> = same.iter().filter(is_steady).map(|one| one.line(period)).collect();
        let total = |k: usize| points.iter().map(|values| values.get(k).copied().unwrap_or(f64::NAN)).sum::<f64>();
        let line = (0..points.first().map_or(0, Vec::len)).map(total);
        let change = match same.as_slice() {
            [only] => only.series.change,
            _ if level > 0.0 && before > 0.0 => Some(Change::point(Scale::Ratio, finite(level / before))),
            _ => None,
        };
        Some(pooled(&same, first.series, level, change, has_line.then(|| line.collect())))
    }

    /// Weights the shares of errors of a service by requests.
    fn errors(&self, all: &[One<'_>], has_line: bool) -> Option<Pooled> {
        let first = all.first()?;
        let weights: Vec<f64> = all.iter().map(|one| one.series.requests.unwrap_or(0.0)).collect();
        let total: f64 = weights.iter().sum();
        let even = 1.0 / all.len() as f64;
        let weight = |k: usize| if total > 0.0 { weights.get(k).copied().unwrap_or(0.0) / total } else { even };
        let mean = |pick: fn(&Series) -> Option<f64>| {
            let values = all.iter().map(|one| one.series.base(pick(one.series))).enumerate();
            values.filter(|(_, value)| value.is_finite()).map(|(k, value)| weight(k) * value).sum::<f64>()
        };
        let (level, before) = (mean(|one| one.level), mean(|one| one.level_before));
        let period = self.builder.input.judgement.period;
        let points: Vec<Vec<f64>> = all.iter().map(|one| one.line(period)).collect();
        let line = (0..points.first().map_or(0, Vec::len)).map(|k| {
            let known = points.iter().enumerate().filter_map(|(i, values)| Some((weight(i), *values.get(k)?)));
            let known = known.filter(|(_, value)| value.is_finite());
            let (mass, sum) = known.fold((0.0, 0.0), |(mass, sum), (w, value)| (mass + w, sum + w * value));
            if mass > 0.0 { sum / mass } else { f64::NAN }
        });
        let change = match all {
            [only] => only.series.change,
            _ => Some(Change::point(Scale::Difference, finite((level - before) / first.series.unit.factor))),
        };
        Some(pooled(all, first.series, level, change, has_line.then(|| line.collect())))
    }
}

/// Returns the operations of a class; those of the service as a whole, if there are any.
fn of_class<'a>(all: &[One<'a>], class: Class) -> Vec<One<'a>> {
    let is_own = |one: &&One<'_>| one.series.kind == Kind::Operation && one.series.class == class;
    let own: Vec<One<'_>> = all.iter().filter(is_own).copied().collect();
    let whole: Vec<One<'_>> = own.iter().copied().filter(|one| one.series.is_whole_service()).collect();
    if whole.is_empty() { counted_once(own, |one| one.series.key()) } else { whole }
}

fn pooled(all: &[One<'_>], first: &Series, level: f64, change: Option<Change>, line: Option<Vec<f64>>) -> Pooled {
    let factor = first.unit.factor;
    Pooled {
        series: all.len(),
        unit: first.unit,
        better: first.better,
        level: finite(level / factor),
        change,
        line: line.unwrap_or_default().into_iter().map(|value| drawn(value / factor)).collect(),
    }
}
