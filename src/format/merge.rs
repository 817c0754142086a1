//! Joins two lists of series.

use crate::model::metric::Series;

/// Joins two lists of series, both sorted by key: at one time of one series the newer point stands, also
/// where it is missing.
///
/// A series whose unit measures something else in `older` than in `newer` is taken from `newer` alone.
pub fn merge(newer: Vec<Series>, older: Vec<Series>) -> Vec<Series> {
    let mut merged = Vec::with_capacity(newer.len().max(older.len()));
    let mut older = older.into_iter().peekable();
    for series in newer {
        while let Some(other) = older.next_if(|other| other.key < series.key) {
            merged.push(other);
        }
        match older.next_if(|other| other.key == series.key) {
            Some(other) => merged.push(join(series, other)),
            None => merged.push(series),
        }
    }
    merged.extend(older);
    merged
}

fn join(newer: Series, older: Series) -> Series {
    if newer.unit.dimension != older.unit.dimension || older.times.is_empty() {
        return newer;
    }
    let (mut times, mut values) = (Vec::new(), Vec::new());
    let total = newer.times.len() + older.times.len();
    times.reserve_exact(total);
    values.reserve_exact(total);
    let mut old = older.times.iter().zip(&older.values).peekable();
    for (time, value) in newer.times.iter().zip(&newer.values) {
        while let Some((other, kept)) = old.next_if(|(other, _)| *other < time) {
            times.push(*other);
            values.push(*kept);
        }
        old.next_if(|(other, _)| *other == time);
        times.push(*time);
        values.push(*value);
    }
    for (other, kept) in old {
        times.push(*other);
        values.push(*kept);
    }
    Series { key: newer.key, unit: newer.unit, times, values }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::{Kind, SeriesKey, Unit};

    fn series(target: &str, points: &[(i64, f64)]) -> Series {
        Series {
            key: SeriesKey { service: "a".into(), kind: Kind::Operation, target: target.into(), signal: "x".into() },
            unit: Unit::parse("s").expect("known"),
            times: points.iter().map(|(time, _)| *time).collect(),
            values: points.iter().map(|(_, value)| *value).collect(),
        }
    }

    #[test]
    fn newer_points_stand() {
        let newer = vec![series("b", &[(2, 20.0), (4, 40.0)]), series("d", &[(1, 1.0)])];
        let older = vec![series("a", &[(1, 1.0)]), series("b", &[(1, 1.0), (2, 2.0), (3, 3.0), (5, 5.0)])];
        let merged = merge(newer, older);
        let targets: Vec<&str> = merged.iter().map(|series| series.key.target.as_ref()).collect();
        assert_eq!(targets, ["a", "b", "d"]);
        assert_eq!(merged[1], series("b", &[(1, 1.0), (2, 20.0), (3, 3.0), (4, 40.0), (5, 5.0)]));
    }
}
