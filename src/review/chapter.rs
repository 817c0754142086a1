//! Which series each chapter of the report shows, and in which order.
//!
//! Both sides ask here: what fills the document keeps the hourly values of just these series, and what lays it out
//! shows just these.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::series::Series;
use super::unattributed::{Movement, Unattributed};
use crate::model::metric::{Class, Dimension, Kind, Polarity, SeriesKey, Unit, counted_once};
use crate::model::time::{HOUR, Window};

/// Findings that are drawn in full; the rest is listed.
pub const CARDS: usize = 12;
/// Services in the table of golden signals.
pub const SERVICES: usize = 60;
/// Rows of the tables of endpoints.
pub const ENDPOINTS: usize = 10;
/// Rows of the table of datastores.
pub const DATASTORES: usize = 20;
/// Rows of the table of resources, for each account.
pub const RESOURCES: usize = 40;
/// Small charts of resources, for each account.
pub const RESOURCE_CHARTS: usize = 6;
/// Rows of the table of changes that no deploy explains.
pub const UNATTRIBUTED: usize = 20;

/// Steps that begin this close to each other are reported together.
const SAME_MOMENT: i64 = HOUR;

/// Which signal represents a target's response time: what users feel first, then what there is.
const PREFERRED: [&str; 5] = ["latency_p95", "latency_p99", "latency_mean", "latency_p50", "db_time"];

/// Steps of the line that a table draws of a period: a quarter of a day each in two weeks.
pub const LINE_POINTS: usize = 56;

/// Returns the starts of the hours in a window.
pub fn hours_within(window: Window) -> impl Iterator<Item = i64> {
    let first = window.start.div_euclid(HOUR) * HOUR;
    let count = (window.end - first + HOUR - 1).div_euclid(HOUR).clamp(0, 24 * 400);
    (0..count).map(move |k| first + k * HOUR)
}

/// Returns the values in a window joined to at most `most` points, each the largest of its hours; NaN is missing.
///
/// `at`: returns the value of the hour that starts then.
pub fn joined(window: Window, most: usize, at: impl Fn(i64) -> f64) -> Vec<f64> {
    let all: Vec<f64> = hours_within(window).map(at).collect();
    let width = all.len().div_ceil(most.max(1)).max(1);
    all.chunks(width).map(|chunk| chunk.iter().copied().fold(f64::NAN, f64::max)).collect()
}

/// A target with what its rows show.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Index of the series of its response time.
    pub index: usize,
    /// That series.
    pub latency: &'a Series,
    /// Requests × latency over the period, seconds; 0 where nobody counts the requests.
    pub total_s: f64,
}

/// Returns every series of a target with its index. The list is ordered by key, so they are neighbours.
pub fn of_target<'a>(
    series: &'a [Series],
    target: (&str, Kind, &str),
) -> impl Iterator<Item = (usize, &'a Series)> + use<'a> {
    let begin = series.partition_point(|one| one.of_target() < target);
    let end = series.partition_point(|one| one.of_target() <= target);
    series.get(begin..end).unwrap_or_default().iter().enumerate().map(move |(index, one)| (begin + index, one))
}

/// Returns the series that represents a target's response time, with its index.
pub fn latency_of<'a>(series: &'a [Series], target: (&str, Kind, &str)) -> Option<(usize, &'a Series)> {
    let named = |signal: &str| of_target(series, target).find(|(_, one)| &*one.signal == signal);
    let any = || of_target(series, target).find(|(_, one)| one.class == Class::Latency);
    PREFERRED.iter().find_map(|signal| named(signal)).or_else(any)
}

/// Returns the median beside a high percentile of the same target.
pub fn companion<'a>(series: &'a [Series], key: &SeriesKey) -> Option<(usize, &'a Series)> {
    if !matches!(&*key.signal, "latency_p95" | "latency_p99") {
        return None;
    }
    of_target(series, (&key.service, key.kind, &key.target)).find(|(_, one)| &*one.signal == "latency_p50")
}

/// Returns the targets of a kind that have a response time, the one with most time first.
pub fn targets(series: &[Series], kind: Kind) -> Vec<Target<'_>> {
    let mut found = Vec::new();
    for group in series.chunk_by(|a, b| a.of_target() == b.of_target()) {
        let Some(first) = group.first().filter(|one| one.kind == kind) else { continue };
        let Some((index, latency)) = latency_of(series, first.of_target()) else { continue };
        let total_s = group.iter().filter_map(|one| one.total_time_s).fold(0.0, f64::max);
        found.push(Target { index, latency, total_s });
    }
    found.sort_by(|a, b| b.total_s.total_cmp(&a.total_s).then_with(|| a.latency.order().cmp(&b.latency.order())));
    found
}

/// Returns the endpoints with a response time, each request counted once, the one with most time first.
pub fn endpoints(series: &[Series]) -> Vec<Target<'_>> {
    counted_once(targets(series, Kind::Operation), |target| target.latency.key())
}

/// Returns the endpoints that the table of endpoints shows.
pub fn busiest<'a>(endpoints: &[Target<'a>]) -> Vec<Target<'a>> {
    let timed = endpoints.iter().filter(|target| !target.latency.is_whole_service() && target.total_s > 0.0);
    timed.take(ENDPOINTS).copied().collect()
}

/// Returns the endpoints by their database time a request, the longest first.
pub fn database_time(series: &[Series]) -> Vec<(usize, &Series)> {
    let is_one = |one: &Series| one.kind == Kind::Operation && &*one.signal == "db_time" && one.level.is_some();
    let mut found: Vec<(usize, &Series)> = series.iter().enumerate().filter(|(_, one)| is_one(one)).collect();
    let level = |one: &Series| one.base(one.level);
    found.sort_by(|a, b| level(b.1).total_cmp(&level(a.1)).then_with(|| a.1.order().cmp(&b.1.order())));
    found
}

/// Returns the resources account by account, the fullest first; those whose account is not known come last, under an
/// empty name.
pub fn resources(series: &[Series]) -> Vec<(&str, Vec<(usize, &Series)>)> {
    let mut accounts: BTreeMap<(bool, &str), Vec<(usize, &Series)>> = BTreeMap::new();
    for (index, one) in series.iter().enumerate().filter(|(_, one)| one.kind == Kind::Resource) {
        accounts.entry((one.account.is_empty(), &one.account)).or_default().push((index, one));
    }
    let mut sorted = Vec::new();
    for ((_, account), mut own) in accounts {
        own.sort_by(|a, b| fullness(b.1).total_cmp(&fullness(a.1)).then_with(|| a.1.order().cmp(&b.1.order())));
        sorted.push((account, own));
    }
    sorted
}

/// Returns the peak share of the limit; resources without a limit sort behind all that have one.
fn fullness(series: &Series) -> f64 {
    match (is_share(series), series.peak) {
        (true, Some(peak)) => series.base(Some(peak.value)),
        _ => -1.0,
    }
}

/// Returns whether a series is a share of a limit, so that 100 % is full.
pub fn is_share(series: &Series) -> bool {
    has_limit(series.class, series.unit)
}

/// Returns whether values of a class and unit are shares of a limit.
pub fn has_limit(class: Class, unit: Unit) -> bool {
    class == Class::Saturation && unit.dimension == Dimension::Share
}

/// The share of its limit from which a resource is near it.
pub const NEAR_LIMIT: f64 = 0.9;

/// Returns the resources that came near their limit in the period, the longest first.
pub fn near_limit(series: &[Series]) -> Vec<&Series> {
    let hours = |series: &Series| series.hours_near_limit.unwrap_or(0);
    let mut near: Vec<&Series> = series.iter().filter(|series| hours(series) > 0).collect();
    near.sort_by(|a, b| {
        hours(b).cmp(&hours(a)).then(fullness(b).total_cmp(&fullness(a))).then_with(|| a.order().cmp(&b.order()))
    });
    near
}

/// Joins the changes that began at the same time, went the same way and are of the same kind of signal: what moved forty
/// endpoints of ten services together is one thing. Drifts have no beginning and stay alone.
///
/// Each list has its largest change first, as the document has.
pub fn moved_together<'a>(changes: &'a [Unattributed], series: &[Series]) -> Vec<Vec<&'a Unattributed>> {
    let class = |change: &Unattributed| series.get(change.series).map(|series| (series.class, series.kind));
    let mut lists: Vec<Vec<&Unattributed>> = Vec::new();
    for change in changes {
        let is_same = |other: &Unattributed| {
            let apart = (other.at.from.ms() - change.at.from.ms()).abs();
            change.change == Movement::Shift
                && other.change == Movement::Shift
                && apart <= SAME_MOMENT
                && other.worse == change.worse
                && class(other) == class(change)
        };
        match lists.iter_mut().find(|own| own.first().is_some_and(|first| is_same(first))) {
            Some(own) => own.push(change),
            None => lists.push(vec![change]),
        }
    }
    lists
}

/// Returns the first of the changes that moved together, those for the worse and those for the better.
pub fn moved_leads<'a>(
    changes: &'a [Unattributed],
    series: &[Series],
) -> (Vec<&'a Unattributed>, Vec<&'a Unattributed>) {
    moved_together(changes, series).iter().filter_map(|own| own.first().copied()).partition(|change| change.worse)
}

/// Returns the findings that are drawn in full.
pub fn cards(findings: &[Finding]) -> &[Finding] {
    findings.get(..CARDS).unwrap_or(findings)
}

/// Returns whether a signal can become worse at all.
pub fn has_bad_direction(series: &Series) -> bool {
    series.better != Polarity::Neutral
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_where_it_is_nearest_to_the_application() {
        let key = |service: &str, target: &str| SeriesKey {
            service: service.into(),
            kind: Kind::Operation,
            target: target.into(),
            signal: "throughput".into(),
        };
        let all = vec![
            key("api", "GET /cards"),
            key("api", "alb:api"),
            key("api", "tg:api-blue alb:api"),
            key("api", "*"),
            key("web", "alb:web"),
            key("web", "tg:web alb:web"),
            key("old", "alb:old"),
        ];
        let left: Vec<String> = counted_once(all, SeriesKey::clone).iter().map(|key| key.target.to_string()).collect();
        assert_eq!(left, ["GET /cards", "*", "tg:web alb:web", "alb:old"]);
    }
}
