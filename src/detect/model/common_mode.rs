//! Movement that the operations of one service share: a busy host, a slow dependency, a noisy neighbour.
//!
//! Taking it out makes steps of single operations clearer. Only its noise is taken out: a step of the shared
//! movement itself is left in every series, because a deploy may well have hit all of them.

use std::collections::BTreeMap;

use super::noise;
use super::series_model::{LevelModel, SeriesModel, Surroundings};
use super::steps::{self, Clarity, Search};
use crate::detect::input::calendar::PER_HOUR;
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::input::requests::Input;
use crate::model::metric::{Class, Kind, Polarity, Series};
use crate::stats::autocovariance::TakenOut;
use crate::stats::describe;
use crate::stats::structural::Scratch;

/// Fewer siblings than this say nothing about each other.
const LEAST: usize = 3;

/// What one operation contributes.
#[derive(Debug, Clone)]
struct Member {
    /// Noise of the operation with its own steps taken out, one a bucket; NaN is missing.
    noise: Vec<f64>,
    /// Precision of a typical bucket: one over its variance.
    precision: f64,
}

/// Takes the movement that the latencies of the service's operations share out of each, where that calms them.
pub fn remove(
    series: &[Series],
    classes_and_polarities: &[(Class, Polarity)],
    inputs: &[Input],
    judged: &mut [SeriesModel],
    place: &Surroundings<'_>,
    scratch: &mut Scratch,
) {
    // One member an operation: its most precise latency, so that three quantiles of one are not three siblings.
    let mut best: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (index, series) in series.iter().enumerate() {
        let is_latency = classes_and_polarities[index].0 == Class::Latency && inputs[index].is_log();
        if series.key.kind != Kind::Operation || !is_latency || series.key.is_whole_service() {
            continue;
        }
        if let SeriesModel::Level(track) = &judged[index]
            && let Some(noise) = &track.noise
        {
            let precision = 1.0 / noise.variance.max(1e-12);
            let entry = best.entry(&series.key.target).or_insert((index, precision));
            if precision > entry.1 {
                *entry = (index, precision);
            }
        }
    }
    let chosen: Vec<(&str, usize, f64)> =
        best.into_iter().map(|(target, (index, precision))| (target, index, precision)).collect();
    let members: Vec<Member> = chosen
        .iter()
        .filter_map(|(_, index, precision)| match &judged[*index] {
            SeriesModel::Level(track) => Some(Member { noise: track.beside_clear_steps(), precision: *precision }),
            _ => None,
        })
        .collect();
    let others = movement(&members, place.moments, scratch);
    for ((target, ..), others) in chosen.iter().zip(others) {
        if others.is_empty() {
            continue;
        }
        for (index, series) in series.iter().enumerate() {
            let is_same = series.key.kind == Kind::Operation && &*series.key.target == *target;
            if !is_same || classes_and_polarities[index].0 != Class::Latency || !inputs[index].is_log() {
                continue;
            }
            if let SeriesModel::Level(track) = &mut judged[index] {
                let again = LevelModel::begin(&inputs[index], &others, &track.clear_steps(), place, scratch);
                let calmer = |track: &LevelModel| track.noise.as_ref().map_or(f64::INFINITY, |noise| noise.variance);
                if calmer(&again) < calmer(track) {
                    **track = again;
                }
            }
        }
    }
}

/// Returns for each member the movement of the *others*, or an empty list where it does not help.
fn movement(members: &[Member], moments: &[DeployWindow], scratch: &mut Scratch) -> Vec<Vec<f64>> {
    let none = vec![Vec::new(); members.len()];
    let Some(count) = members.first().map(|member| member.noise.len()) else { return none };
    if members.len() < LEAST {
        return none;
    }
    // A member a hundred times as precise as the rest would be the movement all by itself.
    let cap = 4.0 * describe::median_of(members.iter().map(|member| member.precision)).unwrap_or(0.0);
    let precision: Vec<f64> = members.iter().map(|member| member.precision.min(cap)).collect();
    let mut sums = vec![(0.0, 0.0); count];
    for (member, precision) in members.iter().zip(&precision) {
        for (sum, value) in sums.iter_mut().zip(&member.noise) {
            if !value.is_nan() {
                sum.0 += precision * value;
                sum.1 += precision;
            }
        }
    }
    let steps = steps_of_all(&sums, moments, scratch);
    members
        .iter()
        .zip(&precision)
        .map(|(member, precision)| {
            let mut others: Vec<f64> = sums
                .iter()
                .zip(&member.noise)
                .map(|((sum, total), value)| {
                    let (sum, total) =
                        if value.is_nan() { (*sum, *total) } else { (sum - precision * value, total - precision) };
                    if total > 1e-9 { sum / total } else { f64::NAN }
                })
                .collect();
            for (value, step) in others.iter_mut().zip(&steps) {
                *value -= step;
            }
            scaled(&member.noise, others)
        })
        .collect()
}

/// Returns the steps of the mean movement as a level of each bucket.
fn steps_of_all(sums: &[(f64, f64)], moments: &[DeployWindow], scratch: &mut Scratch) -> Vec<f64> {
    let mut mean: Vec<f64> =
        sums.iter().map(|(sum, total)| if *total > 0.0 { sum / total } else { f64::NAN }).collect();
    for moment in moments {
        for value in mean.iter_mut().take(moment.to).skip(moment.from) {
            *value = f64::NAN;
        }
    }
    let mut levels = vec![0.0; mean.len()];
    let Some(noise) = noise::fit(&mean, None, &TakenOut { stretches: vec![mean.len()], slots: 0.0 }) else {
        return levels;
    };
    let (found, profile) = Search { residual: &mean, moments, jumps: &[] }.find(scratch, &noise, Clarity::SUSPECTED);
    for at in steps::steps_of(&found) {
        let size = steps::step_at(&profile, at).size;
        for level in levels.iter_mut().skip(at) {
            *level += size;
        }
    }
    levels
}

/// Scales the others' movement to the member's own and centres it; empty if the two do not move together.
fn scaled(own: &[f64], others: Vec<f64>) -> Vec<f64> {
    // Hourly differences: slow wander of either must not decide how far they move together.
    let lag = PER_HOUR;
    let (mut xx, mut xy) = (0.0, 0.0);
    let reach = 4.0 * describe::rough_sd(&others).unwrap_or(0.0);
    for at in lag..own.len() {
        let x = others[at] - others[at - lag];
        let y = own[at] - own[at - lag];
        if x.is_finite() && y.is_finite() && x.abs() <= reach {
            xx += x * x;
            xy += x * y;
        }
    }
    let slope = if xx > 0.0 { (xy / xx).clamp(0.0, 1.5) } else { 0.0 };
    if slope < 0.1 {
        return Vec::new();
    }
    // Where the others are silent nothing can be taken out; 0 is what they do on average.
    others.into_iter().map(|value| if value.is_nan() { 0.0 } else { slope * value }).collect()
}
