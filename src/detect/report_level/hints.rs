//! Facts beside a finding: what else moved, or did not, in the service at the same deploy.

use std::collections::BTreeMap;

use crate::detect::judgement::{Comparison, Fit, Hint, Judgement};
use crate::model::metric::{Class, Kind};

/// Collects what else moved, or did not, in the service at the same deploy.
pub fn beside(judgement: &Judgement, lead: usize) -> Vec<(Hint, usize)> {
    let told = &judgement.comparisons[lead];
    let subject = &judgement.series[told.series];
    let up = told.estimate().is_some_and(|estimate| estimate.value > 0.0);
    let mut best: BTreeMap<u8, (Hint, usize, f64)> = BTreeMap::new();
    for (index, other) in judgement.comparisons.iter().enumerate() {
        let series = &judgement.series[other.series];
        if other.group != told.group || series.key.service != subject.key.service {
            continue;
        }
        let same_target = series.key.target == subject.key.target;
        let (slot, make): (u8, fn(Fit) -> Hint) = match (series.key.kind, &*series.key.signal, series.class) {
            (Kind::Datastore, "db_time", _) if subject.key.kind == Kind::Operation => (0, Hint::DatabaseTime),
            (_, "throughput", _) if same_target && subject.class != Class::Traffic => (1, Hint::Traffic),
            (Kind::Resource, "cpu_utilization", _) if subject.key.kind != Kind::Resource => (2, Hint::Processor),
            (_, _, Class::Errors) if same_target && subject.class != Class::Errors => (3, Hint::Errors),
            _ => continue,
        };
        let (fit, strength) = fit(other, up);
        if best.get(&slot).is_none_or(|(_, _, strongest)| strength > *strongest) {
            best.insert(slot, (make(fit), index, strength));
        }
    }
    best.into_values().map(|(hint, index, _)| (hint, index)).collect()
}

/// Returns whether a comparison moved the way the finding did, and how telling that is among its like.
fn fit(other: &Comparison, up: bool) -> (Fit, f64) {
    let Some(effect) = &other.effect else { return (Fit::CannotTell, -1.0) };
    let (estimate, limit) = (effect.estimate, effect.limit);
    let sign = if up { 1.0 } else { -1.0 };
    let (value, low) = (sign * estimate.value, if up { estimate.low } else { -estimate.high });
    let high = if up { estimate.high } else { -estimate.low };
    if value >= limit && low > 0.0 {
        (Fit::Fits, value / limit)
    } else if high <= limit && low <= 0.0 {
        // What moved the same way for sure, if by less than matters in itself, speaks neither for nor against.
        (Fit::DoesNotFit, 0.5)
    } else {
        (Fit::CannotTell, 0.0)
    }
}
