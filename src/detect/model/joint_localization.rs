//! The latencies of one operation read together, to say when their steps began.
//!
//! p50, p95 and p99 rest on different requests of the same minutes, so much of their noise is their own, and a level
//! that moves in all of them is placed better by all of them than by the clearest.

use std::collections::BTreeMap;

use super::series_model::{LevelModel, SeriesModel};
use super::steps::{self, Change, Search};
use super::{episodes, noise};
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::input::requests::Input;
use crate::model::metric::{Class, Kind, Polarity, Series};
use crate::stats::linalg;
use crate::stats::structural::{Scratch, Step};

/// Fewer pairs of neighbouring buckets say nothing of how the signals hang together.
const LEAST_PAIRS: usize = 48;

/// Lets the latencies of each operation agree on when their steps began.
pub fn agree_all(
    series: &[Series],
    classes_and_polarities: &[(Class, Polarity)],
    inputs: &[Input],
    judged: &mut [SeriesModel],
    moments: &[DeployWindow],
    scratch: &mut Scratch,
) {
    let mut operations: BTreeMap<(Kind, &str), Vec<usize>> = BTreeMap::new();
    for (index, series) in series.iter().enumerate() {
        if classes_and_polarities[index].0 == Class::Latency && matches!(judged[index], SeriesModel::Level(_)) {
            operations.entry((series.key.kind, &series.key.target)).or_default().push(index);
        }
    }
    for members in operations.into_values().filter(|members| members.len() > 1) {
        let tracks = members.iter().filter_map(|index| match &judged[*index] {
            SeriesModel::Level(track) => Some((&inputs[*index], &**track)),
            _ => None,
        });
        let signals = agree(&tracks.collect::<Vec<_>>(), moments, scratch);
        for (index, changes) in members.into_iter().zip(signals) {
            if let SeriesModel::Level(track) = &mut judged[index]
                && track.changes != changes
            {
                track.relocate(changes, scratch);
            }
        }
    }
}

/// Lets the latencies of an operation agree on when their steps began; returns the steps of each.
///
/// A step moves to another signal's step when that one is clearer, goes the same way, and each lies where the other may
/// have begun. The mean of the signals is one more of them.
fn agree(members: &[(&Input, &LevelModel)], moments: &[DeployWindow], scratch: &mut Scratch) -> Vec<Vec<Change>> {
    let mut signals: Vec<Vec<Change>> = members.iter().map(|(_, track)| track.changes.clone()).collect();
    steps::agree(&mut signals);
    let known = union(&signals);
    if !known.is_empty() {
        signals.push(placed_by_all(members, &known, moments, scratch).unwrap_or_default());
        steps::agree(&mut signals);
        signals.pop();
    }
    signals
}

/// Returns the steps of all signals, sorted, each moment once with its clearest step.
fn union(signals: &[Vec<Change>]) -> Vec<Change> {
    let mut all: Vec<Change> = signals.iter().flatten().cloned().collect();
    all.sort_by(|a, b| a.at.cmp(&b.at).then(b.step.z().abs().total_cmp(&a.step.z().abs())));
    all.dedup_by_key(|change| change.at);
    all
}

/// Places steps by the mean of the signals, each weighted so that the mean moves least from bucket to bucket.
fn placed_by_all(
    members: &[(&Input, &LevelModel)],
    known: &[Change],
    moments: &[DeployWindow],
    scratch: &mut Scratch,
) -> Option<Vec<Change>> {
    let residuals: Vec<&[f64]> = members.iter().map(|(_, track)| track.residual.as_slice()).collect();
    let weights = calmest(&residuals)?;
    let mut residual = vec![0.0; residuals.first()?.len()];
    for (one, weight) in residuals.iter().zip(&weights).filter(|(_, weight)| **weight > 0.0) {
        for (sum, value) in residual.iter_mut().zip(*one) {
            *sum += weight * value;
        }
    }
    let noise = noise::beside(&residual, &steps::steps_of(known), members.first()?.0.behind())?;
    let jumps = episodes::jumps(&residual);
    let search = Search { residual: &residual, moments, jumps: &jumps };
    let mut placed = Vec::new();
    for change in known {
        let others: Vec<Change> = known.iter().filter(|other| other.at != change.at).cloned().collect();
        let profile = search.profile(scratch, &noise, &others);
        let clearest = (change.onset.0..=change.onset.1.max(change.at))
            .chain([change.at])
            .filter(|at| steps::step_at(&profile, *at).size * change.step.size > 0.0)
            .max_by(|a, b| z(&profile, *a).total_cmp(&z(&profile, *b)));
        placed.extend(clearest.and_then(|at| search.placed(scratch, &noise, &profile, &others, at)));
    }
    Some(placed)
}

fn z(profile: &[Step], at: usize) -> f64 {
    steps::step_at(profile, at).z().abs()
}

/// Returns the weights, 1 in sum and none below 0, of the mean whose variance from bucket to bucket is least; `None` if
/// the signals hardly overlap.
///
/// # Source
/// The minimum-variance combination of correlated estimates of one quantity: A. C. Aitken, Proc. R. Soc. Edinburgh 55
/// (1936), 42–48. A signal whose weight would be below 0 is left out.
fn calmest(residuals: &[&[f64]]) -> Option<Vec<f64>> {
    let mut used: Vec<usize> = (0..residuals.len()).collect();
    loop {
        let (covariance, pairs) = of_differences(residuals, &used);
        if pairs < LEAST_PAIRS {
            return None;
        }
        let weights = weights(&covariance, used.len())?;
        let Some(worst) =
            (0..used.len()).filter(|k| weights[*k] < 0.0).min_by(|a, b| weights[*a].total_cmp(&weights[*b]))
        else {
            let mut all = vec![0.0; residuals.len()];
            for (index, weight) in used.iter().zip(weights) {
                all[*index] = weight;
            }
            return Some(all);
        };
        used.remove(worst);
    }
}

/// Returns the covariance of the differences between neighbouring buckets, row by row, and on how many it rests.
fn of_differences(residuals: &[&[f64]], used: &[usize]) -> (Vec<f64>, usize) {
    let count = used.len();
    let mut covariance = vec![0.0; count * count];
    let mut difference = vec![0.0; count];
    let mut pairs = 0;
    for at in 1..residuals.iter().map(|one| one.len()).min().unwrap_or(0) {
        for (difference, index) in difference.iter_mut().zip(used) {
            *difference = residuals[*index][at] - residuals[*index][at - 1];
        }
        if difference.iter().any(|value| value.is_nan()) {
            continue;
        }
        pairs += 1;
        for (row, a) in difference.iter().enumerate() {
            for (column, b) in difference.iter().enumerate() {
                covariance[row * count + column] += a * b;
            }
        }
    }
    (covariance, pairs)
}

/// Returns the weights in proportion to the row sums of the inverse of a covariance, 1 in sum; `None` if it has none.
fn weights(covariance: &[f64], count: usize) -> Option<Vec<f64>> {
    // Signals that move exactly alike would have no inverse.
    let ridge = 1e-6 * (0..count).map(|k| covariance[k * count + k]).sum::<f64>() + f64::MIN_POSITIVE;
    let mut rows: Vec<f64> = Vec::with_capacity(count * (count + 1));
    for (k, row) in covariance.chunks_exact(count.max(1)).enumerate() {
        rows.extend(row);
        rows[k * (count + 1) + k] += ridge;
        rows.push(1.0);
    }
    linalg::solve(&mut rows, count, |_, _| true);
    let solved: Vec<f64> = rows.chunks_exact(count + 1).map(|row| row[count]).collect();
    let sum: f64 = solved.iter().sum();
    (sum.is_finite() && sum > 0.0).then(|| solved.iter().map(|value| value / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_in_proportion_to_the_row_sums_of_the_inverse() {
        // w = numpy.linalg.inv([[1, .2], [.2, 4]]).sum(axis=1); w / w.sum() -> [0.82608696, 0.17391304]
        let weights = weights(&[1.0, 0.2, 0.2, 4.0], 2).expect("positive definite");
        assert!((weights[0] - 0.826_086_96).abs() < 1e-5 && (weights[1] - 0.173_913_04).abs() < 1e-5, "{weights:?}");
        assert_eq!(super::weights(&[0.0; 4], 2).map(|weights| weights[0]), Some(0.5), "signals that never move");
    }

    #[test]
    fn a_signal_that_only_adds_noise_is_left_out_and_one_with_noise_of_its_own_counts() {
        let mut state = 1_u64;
        let mut noise = || {
            let series = (0..500).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f64 / f64::from(1 << 24) - 0.5
            });
            series.collect::<Vec<f64>>()
        };
        let (first, second) = (noise(), noise());
        let louder: Vec<f64> = first.iter().zip(&second).map(|(a, b)| 1.5 * a + b).collect();
        assert_eq!(calmest(&[&first, &louder]), Some(vec![1.0, 0.0]));
        let weights = calmest(&[&first, &second]).expect("they overlap");
        assert!(weights.iter().all(|weight| (0.4..0.6).contains(weight)), "{weights:?}");
        assert_eq!(calmest(&[&first, &[f64::NAN; 500]]), None, "they never overlap");
    }
}
