//! How likely it is that a level went to another bit by bit.

use super::noise::Noise;
use crate::detect::attribution::transition::{LENGTHS, OWN_EVERY, OWN_LENGTHS, Ramp};
use crate::detect::input::calendar::PER_HOUR;
use crate::detect::input::deploy_window::DeployWindow;
use crate::stats::structural::{Scan, Scratch, Step};

/// As far before the clearest moment of a step may the change have begun, in buckets.
pub const REACH: usize = 7 * PER_HOUR;

/// No more deploys than this are asked whether a change began with them and took its time.
const MOST_DEPLOYS: usize = 2;

/// Ways whose log-likelihood is this much below that of the clearest step are out of the question.
const CLOSE: f64 = 2.0;

/// A step of fewer standard errors shows nothing of its course.
const LEAST_Z: f64 = 3.3;

/// Lengths that are weighed first, in buckets.
const TYPICAL: [usize; 2] = [2 * PER_HOUR, 4 * PER_HOUR];

/// Weighs straight ways from the old level to the new one: those that begin with the deploys before the moment at which
/// a step is clearest, and those that begin at any hour.
///
/// `step`: the step there. `known`: the other steps. The gain of a way is its log-likelihood against no change.
pub fn weigh(
    moments: &[DeployWindow],
    residual: &[f64],
    noise: &Noise,
    known: &[usize],
    at: usize,
    step: Step,
    scratch: &mut Scratch,
) -> Vec<Ramp> {
    let (len, size) = (residual.len(), step.size);
    let first = known.iter().copied().filter(|known| *known < at).max().unwrap_or(0);
    let last = known.iter().copied().filter(|known| *known > at).min().unwrap_or(len);
    let is_near = |from: usize| from >= first && from + REACH >= at && from <= at + PER_HOUR;
    let deploys = moments.iter().enumerate().rev().filter(|(_, moment)| is_near(moment.from));
    let deploys: Vec<(usize, usize)> = deploys.take(MOST_DEPLOYS).map(|(group, moment)| (group, moment.from)).collect();
    if deploys.is_empty() || step.z().abs() < LEAST_Z {
        return Vec::new();
    }
    let mut fit = |values: &[f64]| Scan::run(scratch, values, &noise.white_noise_variance, noise.memory, known).fit();
    let nothing = fit(residual);
    let mut rest = residual.to_vec();
    let mut gain = |begin: usize, end: usize| {
        let mut without = |size: f64| {
            for (bucket, (rest, value)) in rest.iter_mut().zip(residual).enumerate() {
                let done = (bucket as f64 + 0.5 - begin as f64) / (end - begin) as f64;
                *rest = value - size * done.clamp(0.0, 1.0);
            }
            fit(&rest) - nothing
        };
        // The log-likelihood is a parabola of the size: b s - c s²/2.
        let [near, far] = [0.7 * size, 1.4 * size];
        let [at_near, at_far] = [without(near) / near, without(far) / far];
        let curvature = 2.0 * (at_near - at_far) / (far - near);
        let slope = at_near + curvature * near / 2.0;
        if curvature > 0.0 && slope * size > 0.0 { slope * slope / (2.0 * curvature) } else { 0.0 }
    };
    let mut ramps = Vec::new();
    let mut best: f64 = 0.0;
    for lengths in [&TYPICAL[..], &LENGTHS[..]] {
        for (group, begin) in &deploys {
            for end in lengths.iter().map(|length| begin + length).filter(|end| *end <= last) {
                if ramps.iter().any(|ramp: &Ramp| (ramp.begin, ramp.end) == (*begin, end)) {
                    continue;
                }
                let ramp = Ramp { group: Some(*group), begin: *begin, end, gain: gain(*begin, end) };
                best = best.max(ramp.gain);
                ramps.push(ramp);
            }
        }
        // A step that is clearer than every way needs no more of them.
        if best < step.z() * step.z() / 2.0 - CLOSE {
            return ramps;
        }
    }
    let begins = (at.saturating_sub(REACH).max(first)..=at).step_by(OWN_EVERY);
    for begin in begins.filter(|begin| deploys.iter().all(|(_, deploy)| deploy.abs_diff(*begin) > PER_HOUR / 2)) {
        for end in OWN_LENGTHS.map(|length| begin + length) {
            if end <= last && end > at {
                ramps.push(Ramp { group: None, begin, end, gain: gain(begin, end) });
            }
        }
    }
    ramps
}
