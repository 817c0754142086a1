//! The requests to a service: of each target, and of all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calendar::Calendar;
use super::grid::{self, Gridded};
use super::load::{Behind, Load};
use crate::model::effect::Scale;
use crate::model::metric::{Class, Kind, Series, SeriesKey, front_of};

/// A series on the grid with what is needed to judge it.
#[derive(Debug, Clone)]
pub struct Input {
    /// Values on the grid.
    pub grid: Gridded,
    /// Requests behind each bucket, or empty.
    pub requests: Arc<Vec<f64>>,
    /// The request rate that the series may depend on.
    pub load: Arc<Load>,
}

impl Input {
    /// Returns what few requests do to its noise, if requests are known to stand behind each bucket.
    pub fn behind(&self) -> Option<&Behind> {
        self.load.behind.as_ref().filter(|_| !self.requests.is_empty())
    }

    /// Returns whether the series is compared by ratio.
    pub fn is_log(&self) -> bool {
        self.grid.scale == Scale::LogRatio
    }
}

/// The requests of one target.
#[derive(Debug)]
struct Own {
    /// Index of the series that counts them.
    series: usize,
    /// Requests of each bucket; NaN is missing.
    requests: Arc<Vec<f64>>,
    /// The load that they make.
    load: Arc<Load>,
}

/// The requests to a service.
#[derive(Debug)]
pub struct Traffic {
    of_target: BTreeMap<(Kind, Arc<str>), Own>,
    /// Of all operations together, each request counted once.
    total: Arc<Load>,
}

impl Traffic {
    /// Sums the requests of each target of a service into buckets. `series`: all of the service.
    pub fn of(service: &str, series: &[Series], calendar: &Calendar) -> Self {
        let mut of_target = BTreeMap::new();
        for (index, series) in series.iter().enumerate().filter(|(_, series)| is_traffic(series)) {
            of_target.entry((series.key.kind, series.key.target.clone())).or_insert_with(|| {
                let requests = Arc::new(grid::totals(series, calendar));
                Own { series: index, load: Arc::new(Load::of(&requests)), requests }
            });
        }
        let total = Arc::new(total(service, &of_target, calendar));
        Self { of_target, total }
    }

    fn own(&self, key: &SeriesKey) -> Option<&Own> {
        self.of_target.get(&(key.kind, key.target.clone()))
    }

    /// Returns the requests of each bucket of a series' target; empty if they are not known.
    pub fn requests(&self, key: &SeriesKey) -> &[f64] {
        self.own(key).map_or(&[], |own| &own.requests)
    }

    /// Returns the index of the series that counts the requests of a series' target.
    pub fn counted_by(&self, key: &SeriesKey) -> Option<usize> {
        self.own(key).map(|own| own.series)
    }

    /// Puts one series of the service onto the grid with the requests and the load that belong to it. `all`: as in
    /// [`Self::of`].
    pub fn input(&self, series: &Series, all: &[Series], class: Class, calendar: &Calendar) -> Input {
        let own = self.own(&series.key);
        let beside = own.filter(|_| matches!(class, Class::Latency | Class::Errors)).map(|own| &all[own.series]);
        let points = beside.map(|beside| grid::requests_of(series, beside)).unwrap_or_default();
        let without_zeros = (class == Class::Latency && grid::zeros_are_missing(&series.values)).then(|| {
            let values = series.values.iter().map(|value| if *value > 0.0 { *value } else { f64::NAN });
            Series { values: values.collect(), ..series.clone() }
        });
        let series = without_zeros.as_ref().unwrap_or(series);
        let grid = grid::grid(series, &points, class == Class::Errors, calendar);
        let (requests, load) = match (class, own) {
            (Class::Latency, Some(own)) => (own.requests.clone(), own.load.clone()),
            (Class::Errors, Some(own)) => (own.requests.clone(), Arc::default()),
            (Class::Saturation | Class::Other, _) if series.key.kind == Kind::Resource => {
                (Arc::default(), self.total.clone())
            }
            _ => Default::default(),
        };
        Input { grid, requests, load }
    }
}

/// Returns whether a series counts the requests (or calls) of its target.
fn is_traffic(series: &Series) -> bool {
    matches!(&*series.key.signal, "throughput" | "db_calls")
}

/// Returns the load of all requests to the service's operations, each counted once: neither in what stands for the whole
/// nor at a load balancer before the application.
fn total(service: &str, of_target: &BTreeMap<(Kind, Arc<str>), Own>, calendar: &Calendar) -> Load {
    let mut total = vec![f64::NAN; calendar.len()];
    let operations: Vec<(&str, &Own)> = of_target
        .iter()
        .filter(|((kind, _), _)| *kind == Kind::Operation)
        .map(|((_, target), own)| (&**target, own))
        .collect();
    let is_part = |target: &str| target != "*" && target != service;
    let innermost = operations.iter().filter(|(target, _)| is_part(target)).map(|(target, _)| front_of(target)).min();
    for (target, own) in operations {
        if innermost.is_none_or(|front| is_part(target) && front_of(target) == front) {
            for (total, n) in total.iter_mut().zip(&*own.requests) {
                if n.is_finite() {
                    *total = if total.is_nan() { *n } else { *total + n };
                }
            }
        }
    }
    Load::of(&total)
}
