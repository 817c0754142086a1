//! Finds the steps of one series over its whole history and says which deploy each belongs to.
//!
//! All moments are judged together: the clearest step is accepted, the series is judged again knowing it, and so
//! on until no step stands out. A step's blame is then shared between the deploys and the moments around it in
//! proportion to how well each explains the data.

use std::borrow::Cow;

use super::noise::Noise;
use super::ramps;
use crate::detect::attribution::posterior::{Attribution, FORTNIGHT};
use crate::detect::attribution::transition::{Transition, TransitionKind};
use crate::detect::input::calendar::PER_HOUR;
use crate::detect::input::deploy_window::DeployWindow;
use crate::stats::structural::{Scan, Scratch, Step};

/// A step at a deploy is accepted from this many standard errors on; the false discovery rate judges it later.
///
/// Calibrated by `tests/long/simulation.rs` (2026-11-23): 0.3 false alarms per 1,000 comparisons without a step.
const AT_DEPLOY: f64 = 3.3;

/// A step at any other moment needs more: there are over a thousand of them in a fortnight.
///
/// Two-sided p of 7e-6 of a normal: about 0.01 of 1,344 moments by chance. Calibrated as `AT_DEPLOY`.
const ANYWHERE: f64 = 4.5;

/// A step at a deploy is suspected from this many standard errors on: it is kept out of the noise that steps are
/// measured against, or a step that is real would hide behind the noise that it makes itself.
const SUSPECTED: f64 = 2.0;

/// How clearly a step must stand out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clarity {
    at_deploy: f64,
    anywhere: f64,
}

impl Clarity {
    /// What it takes to be accepted.
    pub const ACCEPTED: Self = Self { at_deploy: AT_DEPLOY, anywhere: ANYWHERE };
    /// What it takes to be suspected.
    pub const SUSPECTED: Self = Self { at_deploy: SUSPECTED, anywhere: ANYWHERE };

    /// Tells whether a step stands out as much.
    pub fn is_met_by(self, change: &Change) -> bool {
        change.step.z().abs() >= self.needed(change)
    }

    fn needed(self, change: &Change) -> f64 {
        if change.group.is_some() { self.at_deploy } else { self.anywhere }
    }
}

/// Steps that a series makes in a fortnight by itself, before looking at the data.
const BY_ITSELF: f64 = 0.27;

/// Likelihoods are flattened by this, because the noise is never quite what the model says.
///
/// Calibrated by `tests/long/simulation.rs` (2026-11-23): the moment of a step of six standard errors lies in its
/// interval in 616 of 616 cases.
const TEMPER: f64 = 2.0;

/// No more steps than this are accepted in one series.
const MOST: usize = 16;

/// An accepted step.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// First bucket of the new level.
    pub at: usize,
    /// The deploy group that it belongs to, as an index into the moments; `None` if no deploy explains it.
    pub group: Option<usize>,
    /// Earliest and latest bucket at which it may have begun (95 %).
    pub onset: (usize, usize),
    /// Groups that share the blame, with their shares; what is missing to 1 lies at no deploy.
    pub blame: Vec<(usize, f64)>,
    /// The step, knowing all other steps.
    pub step: Step,
    /// The way to the new level, if it was no step at the deploy.
    pub transition: Option<Transition>,
}

/// What steps are looked for in.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Level and noise, one a bucket, NaN is missing; the buckets inside each moment must be NaN.
    pub residual: &'a [f64],
    /// The deploy groups, sorted.
    pub moments: &'a [DeployWindow],
    /// Where the series made sudden moves that lasted, and their sizes.
    pub jumps: &'a [(usize, f64)],
}

impl Search<'_> {
    /// Finds the steps of a series.
    ///
    /// The result is sorted by time, with the step at every bucket, knowing the steps found.
    pub fn find(&self, scratch: &mut Scratch, noise: &Noise, clarity: Clarity) -> (Vec<Change>, Vec<Step>) {
        let mut changes: Vec<Change> = Vec::new();
        let mut refused: Vec<usize> = Vec::new();
        let mut profile = profile(scratch, self.residual, noise, &[]);
        while changes.len() < MOST {
            let Some(change) = self.clearest(scratch, noise, &profile, &changes, &refused, clarity) else { break };
            refused.push(change.at);
            changes.push(change);
            changes.sort_by_key(|change| change.at);
            profile = self.profile(scratch, noise, &changes);
        }
        if !changes.is_empty() {
            profile = self.prune(scratch, noise, clarity, profile, &mut changes);
        }
        (changes, profile)
    }

    /// Places each step anew knowing all the others, and drops those that no longer stand out, the weakest first; returns
    /// the profile that is left.
    fn prune(
        &self,
        scratch: &mut Scratch,
        noise: &Noise,
        clarity: Clarity,
        mut whole: Vec<Step>,
        changes: &mut Vec<Change>,
    ) -> Vec<Step> {
        if changes.len() > 1 {
            self.join(scratch, noise, changes);
            for index in 0..changes.len() {
                let at = changes[index].at;
                let others: Vec<Change> = changes.iter().filter(|change| change.at != at).cloned().collect();
                let profile = self.profile(scratch, noise, &others);
                if let Some(moved) = self.placed(scratch, noise, &profile, &others, at) {
                    changes[index] = moved;
                }
            }
            changes.sort_by_key(|change| change.at);
            changes.dedup_by_key(|change| change.at);
            whole = self.profile(scratch, noise, changes);
        }
        loop {
            for change in changes.iter_mut() {
                change.step = step_at(&whole, change.at);
            }
            let weakest = changes
                .iter()
                .enumerate()
                .map(|(index, change)| (index, change.step.z().abs() / clarity.needed(change)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            match weakest {
                Some((index, strength)) if strength < 1.0 => {
                    changes.remove(index);
                    whole = self.profile(scratch, noise, changes);
                }
                _ => return whole,
            }
        }
    }

    /// Joins two steps, one soon after the other and the same way, where one way from the first level to the last is what
    /// happened: a ramp looks like two steps while each is looked for by itself.
    fn join(&self, scratch: &mut Scratch, noise: &Noise, changes: &mut Vec<Change>) {
        let mut first = 0;
        while let Some([one, other]) = changes.get(first..first + 2) {
            let is_pair = one.step.size * other.step.size > 0.0
                && (one.group.is_none() || other.group.is_none())
                && other.at - one.at <= ramps::REACH;
            if is_pair {
                let (from, to) = (one.at, other.at);
                let others: Vec<Change> =
                    changes.iter().filter(|change| change.at != from && change.at != to).cloned().collect();
                let profile = self.profile(scratch, noise, &others);
                let strength = |at: &usize| step_at(&profile, *at).z().abs();
                let clearest = (from..=to).filter(|at| strength(at).is_finite());
                let clearest = clearest.max_by(|a, b| strength(a).total_cmp(&strength(b)));
                let joined = clearest.and_then(|at| self.placed(scratch, noise, &profile, &others, at));
                let is_ramp =
                    |change: &Change| change.transition.is_some_and(|way| way.kind == TransitionKind::Gradual);
                if let Some(joined) = joined.filter(is_ramp) {
                    changes.splice(first..first + 2, [joined]);
                    changes.sort_by_key(|change| change.at);
                }
            }
            first += 1;
        }
    }

    /// Returns the clearest step that is not known yet; `None` if none stands out.
    fn clearest(
        &self,
        scratch: &mut Scratch,
        noise: &Noise,
        profile: &[Step],
        known: &[Change],
        refused: &[usize],
        clarity: Clarity,
    ) -> Option<Change> {
        let Self { residual, moments, .. } = *self;
        let steps = steps_of(known);
        let free = |at: usize| !steps.iter().chain(refused).any(|known| known.abs_diff(at) < PER_HOUR / 2);
        let strength = |at: usize| step_at(profile, at).z().abs();
        let at_deploy = moments
            .iter()
            .filter(|moment| moment.to < residual.len() && free(moment.to))
            .map(|moment| (moment.to, strength(moment.to)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let anywhere = (1..residual.len())
            .filter(|at| !residual[*at].is_nan() && free(*at))
            .map(|at| (at, strength(at)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let (at, z) = match (at_deploy, anywhere) {
            (Some(deploy), Some(any)) if any.1 > deploy.1 && any.1 >= clarity.anywhere => any,
            (Some(deploy), _) if deploy.1 >= clarity.at_deploy => deploy,
            (_, Some(any)) if any.1 >= clarity.anywhere => any,
            _ => return None,
        };
        if !z.is_finite() {
            return None;
        }
        let change = self.placed(scratch, noise, profile, known, at)?;
        // A deploy that takes the blame for a step near it must itself stand out.
        (free(change.at) && change.step.z().abs() >= clarity.needed(&change)).then_some(change)
    }

    /// Returns the step at every bucket, knowing some changes.
    pub fn profile(&self, scratch: &mut Scratch, noise: &Noise, changes: &[Change]) -> Vec<Step> {
        profile(scratch, &left_out(self.residual, changes), noise, &steps_of(changes))
    }

    /// Places the step that was seen around `at`: at the deploy with most of the blame, or at `at` if none has it.
    ///
    /// `profile`: the step at every bucket, knowing the changes of `known`.
    pub fn placed(
        &self,
        scratch: &mut Scratch,
        noise: &Noise,
        profile: &[Step],
        known: &[Change],
        at: usize,
    ) -> Option<Change> {
        let Self { moments, jumps, .. } = *self;
        let residual = left_out(self.residual, known);
        let clearest = step_at(profile, at);
        let size = clearest.size;
        let alike = |other: &f64| (size.abs() / 2.0..size.abs() * 2.0).contains(other);
        let own = known.iter().filter(|change| change.group.is_none()).map(|change| change.step.size.abs());
        // The move that is asked about says nothing of how often the series moves by itself.
        let others = jumps.iter().filter(|(jump, size)| jump.abs_diff(at) > SAME_MOVE && alike(size));
        let seen = own.filter(alike).count().max(others.count());
        let by_itself = BY_ITSELF * residual.len() as f64 / FORTNIGHT + seen as f64;
        let steps = steps_of(known);
        let likelihood = |at: usize| {
            let step = step_at(profile, at);
            let z = step.z();
            if step.size * size.signum() > 0.0 && z.is_finite() { z * z / (2.0 * TEMPER) } else { 0.0 }
        };
        let is_there = |bucket: usize| !residual[bucket].is_nan();
        let near = Attribution { moments, len: residual.len(), at, known: &steps, by_itself, ways: None };
        let mut ways = ramps::weigh(moments, &residual, noise, &steps, at, clearest, scratch);
        ways.iter_mut().for_each(|way| way.gain /= TEMPER);
        let mut blame = Attribution { ways: Some(&ways), ..near }.share(likelihood, is_there)?;
        // Where nobody can say within hours when it began, nobody can say that it began late.
        if blame.onset.1 - blame.onset.0 > LONGEST_ONSET {
            blame = near.share(likelihood, is_there)?;
        }
        let group = blame.told_at();
        let at = group.and_then(|group| moments.get(group)).map_or(at, |moment| moment.to);
        let transition = blame.transition.filter(|way| group.is_some() && way.end > at);
        let (onset, groups) = (blame.onset, blame.groups);
        let mut change = Change { at, group, onset, blame: groups, step: step_at(profile, at), transition };
        if transition.is_some() {
            let rest = left_out(&residual, std::slice::from_ref(&change));
            change.step = Scan::run(scratch, &rest, &noise.white_noise_variance, noise.memory, &steps).step(at);
        }
        Some(change)
    }
}

/// A change that took its time must have begun within this many buckets.
const LONGEST_ONSET: usize = 6 * PER_HOUR;

/// A sudden move this near to the clearest moment of a step is that step, in buckets.
const SAME_MOVE: usize = 2 * PER_HOUR;

/// Returns the series without the hours in which its level was on the way.
pub fn left_out<'a>(residual: &'a [f64], changes: &[Change]) -> Cow<'a, [f64]> {
    let mut rest = Cow::Borrowed(residual);
    for change in changes {
        if let Some(transition) = change.transition
            && let Some(way) = rest.to_mut().get_mut(change.at..transition.end.min(residual.len()))
        {
            way.fill(f64::NAN);
        }
    }
    rest
}

/// Returns whether the level was on its way to another at a bucket, because of a deploy before it.
pub fn covers(changes: &[Change], at: usize) -> bool {
    changes.iter().any(|change| change.transition.is_some_and(|way| change.at < at && at < way.end))
}

/// Returns the step at every bucket, knowing some steps.
pub fn profile(scratch: &mut Scratch, residual: &[f64], noise: &Noise, steps: &[usize]) -> Vec<Step> {
    Scan::run(scratch, residual, &noise.white_noise_variance, noise.memory, steps).profile()
}

/// Returns the step of a profile at a bucket; nothing is known outside it.
pub fn step_at(profile: &[Step], at: usize) -> Step {
    profile.get(at).copied().unwrap_or(Step { size: 0.0, variance: f64::INFINITY })
}

/// Returns the first buckets of the new levels.
pub fn steps_of(changes: &[Change]) -> Vec<usize> {
    changes.iter().map(|change| change.at).collect()
}

/// Placebo moments are this far apart, in buckets.
const PLACEBO_EVERY: usize = PER_HOUR;

/// Placebo moments keep this far from steps and the ends of the history, in buckets.
const PLACEBO_CLEAR: usize = 6 * PER_HOUR;

/// Returns the moments at which nothing was deployed and nothing is known to have changed: one an hour, clear of
/// deploys by two hours.
pub fn placebo_moments(len: usize, moments: &[DeployWindow], changes: &[Change]) -> impl Iterator<Item = usize> {
    (PLACEBO_CLEAR..len.saturating_sub(PLACEBO_CLEAR)).step_by(PLACEBO_EVERY).filter(move |at| {
        !moments.iter().any(|moment| moment.to.abs_diff(*at) < 2 * PER_HOUR)
            && !changes.iter().any(|change| change.at.abs_diff(*at) < PLACEBO_CLEAR)
    })
}

/// Places the steps of several signals of one operation where its clearest signal saw them.
///
/// `signals`: for each signal its changes. A step moves to another signal's step when that one is clearer, goes the
/// same way, and each lies where the other may have begun.
pub fn agree(signals: &mut [Vec<Change>]) {
    let mut all: Vec<Change> = signals.iter().flatten().cloned().collect();
    all.sort_by(|a, b| b.step.z().abs().total_cmp(&a.step.z().abs()).then(a.at.cmp(&b.at)));
    for changes in signals.iter_mut() {
        for change in changes.iter_mut() {
            let is_same = |other: &&Change| {
                other.step.size * change.step.size > 0.0
                    && other.step.z().abs() > change.step.z().abs()
                    && (is_within(change, other) || is_within(other, change))
            };
            if let Some(clearer) = all.iter().find(is_same) {
                *change = Change { step: change.step, ..clearer.clone() };
            }
        }
        changes.sort_by_key(|change| change.at);
        changes.dedup_by_key(|change| change.at);
    }
}

/// Returns whether one change may have begun where, or while, another came about; an hour of grace at either end.
fn is_within(change: &Change, other: &Change) -> bool {
    let end = other.transition.map_or(other.at, |way| way.end);
    change.onset.0 <= end + PER_HOUR && other.at <= change.onset.1 + PER_HOUR
}
