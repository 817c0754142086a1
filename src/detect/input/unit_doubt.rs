//! Values that are probably not what their unit says: a factor between two units from one moment on, a running counter,
//! shares in per cent.
//!
//! What is seen of one series is a candidate. A factor is only believed where several series of a service moved by it at
//! one moment ([`agree`]): one endpoint may well become a hundred times slower.

use crate::detect::judgement::{SeriesSummary, UnitDoubt};
use crate::model::metric::{Class, Dimension, Kind, Series};
use crate::model::time::HOUR;
use crate::stats::describe;

/// How far a measured factor may lie from the one between two units, as a log ratio.
const NEAR: f64 = 0.2;

/// A log ratio from which on it is looked at all: the least factor, with what noise may take of it.
const LEAST: f64 = 3.7;

/// Hours with data that a series must have on both sides.
const LEAST_HOURS: usize = 3;

/// Times that a series may go to and fro between two units: an update, a rollback, the update again.
const MOST_TURNS: usize = 4;

/// Points that a counter must have, so that its never falling is no chance.
const COUNTER_POINTS: usize = 200;

/// Share of a counter's steps that may fall: it starts anew with its process.
const RESTARTS: f64 = 0.01;

/// Share of the points that must be missing, and least of them, before shares are taken for per cent.
const ABOVE_ONE: (f64, usize) = (0.001, 5);

/// Services with one series each that must have moved beside the one that is looked at.
const SERVICES: usize = 2;

/// Share of a service's series of one dimension that must have moved by the factor.
const MOST_MOVED: f64 = 0.8;

/// Returns what speaks against the unit of a series; a factor is a candidate that [`agree`] has to confirm.
///
/// `hourly`: a typical value for each hour from `start` on; NaN is missing.
pub fn of(series: &Series, class: Class, hourly: &[f32], start: i64) -> Option<UnitDoubt> {
    if is_above_one(series, class) {
        return Some(UnitDoubt::AboveOne);
    }
    if is_counter(series) {
        return Some(UnitDoubt::Counter);
    }
    factor(series, hourly, start)
}

/// Keeps the factors that most series of a service and dimension moved by at one moment, or, where a service has one such
/// series, those of several services. The others are dropped: something really changed.
///
/// `series`: all series of a report, by service.
pub fn agree(series: &mut [SeriesSummary]) {
    let moved: Vec<Moved> = series.iter().enumerate().filter_map(|(index, one)| Moved::of(index, one)).collect();
    let dropped: Vec<usize> = moved
        .iter()
        .filter(|own| {
            let one = &series[own.index];
            let first = series.partition_point(|other| other.key.service < one.key.service);
            let end = series.partition_point(|other| other.key.service <= one.key.service);
            let is_peer = |other: &&SeriesSummary| {
                other.unit.dimension == one.unit.dimension
                    && (other.key.kind == Kind::Resource) == (one.key.kind == Kind::Resource)
                    // What has no data on both sides of the moment can say nothing.
                    && is_on_both_sides(other, own.at)
            };
            let peers = series.get(first..end).unwrap_or_default().iter().filter(is_peer).count();
            let alike = || moved.iter().filter(|other| other.is_alike(own));
            let own_alike = alike().filter(|other| (first..end).contains(&other.index)).count();
            let is_sure = match peers {
                0 | 1 => alike().count() > SERVICES,
                _ => own_alike >= 2 && own_alike as f64 >= MOST_MOVED * peers as f64,
            };
            !is_sure
        })
        .map(|own| own.index)
        .collect();
    for index in dropped {
        series[index].doubt = None;
    }
}

/// A series that moved by the factor between two units.
struct Moved {
    index: usize,
    dimension: Dimension,
    factor: u32,
    up: bool,
    at: i64,
}

impl Moved {
    fn of(index: usize, one: &SeriesSummary) -> Option<Self> {
        let Some(UnitDoubt::Factor { factor, up, at }) = one.doubt else { return None };
        Some(Self { index, dimension: one.unit.dimension, factor, up, at })
    }

    fn is_alike(&self, other: &Self) -> bool {
        (self.dimension, self.factor, self.up) == (other.dimension, other.factor, other.up)
            && (self.at - other.at).abs() <= HOUR
    }
}

fn is_on_both_sides(one: &SeriesSummary, at: i64) -> bool {
    let middle = usize::try_from((at - one.start) / HOUR).unwrap_or(0).min(one.hourly.len());
    let (before, after) = one.hourly.split_at(middle);
    [before, after].iter().all(|side| side.iter().filter(|value| value.is_finite()).count() >= LEAST_HOURS)
}

/// Factors between two units of a dimension that are mistaken for one another.
fn factors(dimension: Dimension) -> &'static [u32] {
    match dimension {
        Dimension::Time => &[60, 1_000, 1_000_000],
        Dimension::Share => &[100],
        Dimension::Rate | Dimension::ByteRate => &[60],
        Dimension::Bytes => &[1_000, 1_024, 1_000_000],
        Dimension::Count => &[],
    }
}

/// Finds two levels a factor apart, with few turns between them.
fn factor(series: &Series, hourly: &[f32], start: i64) -> Option<UnitDoubt> {
    let known = || hourly.iter().copied().filter(|value| value.is_finite() && *value > 0.0);
    let (low, high) = known().fold((f32::INFINITY, 0.0_f32), |(low, high), value| (low.min(value), high.max(value)));
    if f64::from(high) / f64::from(low) < LEAST.exp() {
        return None;
    }
    let mut sorted: Vec<f64> = known().map(|value| f64::from(value).ln()).collect();
    sorted.sort_by(f64::total_cmp);
    // The widest gap parts the two levels.
    let split = sorted.windows(2).enumerate().max_by(|a, b| (a.1[1] - a.1[0]).total_cmp(&(b.1[1] - b.1[0])))?.0 + 1;
    let (below, above) = sorted.split_at(split);
    if below.len().min(above.len()) < LEAST_HOURS {
        return None;
    }
    let apart = describe::median(above)? - describe::median(below)?;
    let factor = factors(series.unit.dimension)
        .iter()
        .copied()
        .filter(|factor| (f64::from(*factor).ln() - apart).abs() <= NEAR)
        .min_by(|a, b| (f64::from(*a).ln() - apart).abs().total_cmp(&(f64::from(*b).ln() - apart).abs()))?;
    let middle = (above.first()? + below.last()?) / 2.0;
    let is_above = |value: f64| value.ln() > middle;
    let mut turns = hourly.iter().enumerate().filter(|(_, value)| value.is_finite() && **value > 0.0).peekable();
    let (mut count, mut first) = (0, None);
    while let Some((_, value)) = turns.next() {
        if let Some((hour, next)) = turns.peek()
            && is_above(f64::from(*value)) != is_above(f64::from(**next))
        {
            count += 1;
            first.get_or_insert((*hour, is_above(f64::from(**next))));
        }
    }
    let (hour, up) = first.filter(|_| count <= MOST_TURNS)?;
    // The hour before may hold the first points of the new unit.
    let around = start + hour as i64 * HOUR - HOUR;
    let from = series.times.partition_point(|time| *time < around);
    let points = series.times.get(from..)?.iter().zip(series.values.get(from..)?);
    let at =
        points.filter(|(_, value)| **value > 0.0).find(|(_, value)| is_above(**value) == up).map(|(time, _)| *time);
    Some(UnitDoubt::Factor { factor, up, at: at.unwrap_or(around + HOUR) })
}

/// Tells whether the values only ever climb, but for starting anew. A gauge goes to and fro.
fn is_counter(series: &Series) -> bool {
    // What only ever climbs in bytes or in shares may be a leak.
    if !matches!(series.unit.dimension, Dimension::Count | Dimension::Rate | Dimension::Time) {
        return false;
    }
    let values: Vec<f64> = series.values.iter().copied().filter(|value| value.is_finite()).collect();
    if values.len() < COUNTER_POINTS {
        return false;
    }
    let steps = || values.windows(2).map(|two| two[1] - two[0]);
    let (falls, climbs) = (steps().filter(|step| *step < 0.0).count(), steps().filter(|step| *step > 0.0).count());
    // A counter falls to near nothing, and climbs for most of the time.
    let is_restart = |two: &[f64]| two[1] >= two[0] || two[1] <= 0.2 * two[0];
    climbs * 2 > values.len() && falls as f64 <= RESTARTS * values.len() as f64 && values.windows(2).all(is_restart)
}

/// Tells whether so many shares were above 1, and therefore dropped, that those that are left are per cent as well.
fn is_above_one(series: &Series, class: Class) -> bool {
    if class != Class::Errors || series.unit.dimension != Dimension::Share {
        return false;
    }
    let missing = series.values.iter().filter(|value| value.is_nan()).count();
    if missing < ABOVE_ONE.1 || (missing as f64) < ABOVE_ONE.0 * series.values.len() as f64 {
        return false;
    }
    let known = || series.values.iter().copied().filter(|value| value.is_finite());
    let largest = known().fold(0.0, f64::max);
    // In an outage everything fails: real shares are exactly 1 then.
    let whole = known().filter(|value| *value >= 1.0).count();
    let typical = describe::median_of(known()).unwrap_or(0.0);
    largest > 0.9 && typical > 0.02 && whole * 4 < missing
}
