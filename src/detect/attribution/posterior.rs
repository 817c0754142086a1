//! The posterior probability that a step began with each deploy, or at any other moment near it.

use std::collections::BTreeMap;

use super::transition::{self, Ramp, Transition, TransitionKind};
use crate::detect::input::calendar::PER_HOUR;
use crate::detect::input::deploy_window::DeployWindow;

/// Share of the deploys that change a series: the prior.
///
/// Calibrated by `tests/long/simulation.rs` (2026-11-23): with it 3 of 961 alarms are false and 958 of 960 steps
/// are found.
const CAUSED: f64 = 0.02;

/// Buckets in a fortnight.
pub const FORTNIGHT: f64 = 14.0 * 24.0 * PER_HOUR as f64;

/// A step is placed at a deploy if all deploys near it have this probability together.
///
/// Calibrated by `tests/long/simulation.rs` (2026-11-23): 0.3 false alarms per 1,000 comparisons without a step.
const LEAST_OF_DEPLOYS: f64 = 0.6;

/// A step is located at a deploy from this probability on: about as likely there as everywhere else together.
///
/// This is the one rule for "located". Calibrated by `tests/long/simulation.rs` (2026-11-23): 0.3 false alarms per 1,000 comparisons
/// without a step; at 0.5 steps that two deploys share evenly would be alarms at neither.
pub const LEAST_ATTRIBUTION: f64 = 0.47;

/// A deploy is named alone only while no other has this share of its probability: a tie never names one, and at
/// least half is its own.
pub const RIVAL: f64 = 0.45;

/// Probabilities are rounded to this: dust of the arithmetic must not decide which of two equal deploys is named.
const GRAIN: f64 = 1e-9;

/// Groups with a lower probability are not named.
const LEAST_NAMED: f64 = 0.01;

/// Moments up to this far from the clearest one are considered, in buckets.
const REACH: usize = 48 * PER_HOUR;

/// Where a step may have begun.
#[derive(Debug, Clone, Copy)]
pub struct Attribution<'a> {
    /// The deploy groups, sorted.
    pub moments: &'a [DeployWindow],
    /// Length of the grid.
    pub len: usize,
    /// The moment at which the step is clearest.
    pub at: usize,
    /// The first buckets of the other steps, up to which the data speak of this one.
    pub known: &'a [usize],
    /// How many such moves the series makes by itself in the whole history, as expected and as seen; above 0.
    pub by_itself: f64,
    /// Changes that took their time; `None` where only steps at deploys are weighed.
    pub ways: Option<&'a [Ramp]>,
}

/// Changes that deploys make later, up to twelve hours, and on a way of up to six hours, for each that they make at once.
///
/// Rollouts in steps, caches that run out and pools that fill. The numbers matter little: what is clear is clear with any of
/// them.
const LATER: f64 = 0.35;
const ON_THE_WAY: f64 = 0.15;

/// The share of late steps up to so many buckets after the deploy.
const LATE: [(usize, f64); 3] = [(4 * PER_HOUR, 0.8), (6 * PER_HOUR, 0.1), (12 * PER_HOUR, 0.1)];

/// How often a level moves by itself on a way of hours, against a step.
const WAYS_BY_ITSELF: f64 = 0.25;

/// Below this share of its probability is a deploy's change no step at the deploy.
const LEAST_STEP: f64 = 0.4;

/// Returns the share of the late steps that begin in one bucket, so many after the deploy.
fn late(after: usize) -> f64 {
    let mut from = 0;
    for (to, share) in LATE {
        if after <= to {
            return share / (to - from) as f64;
        }
        from = to;
    }
    0.0
}

/// Who bears the blame for a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// Earliest and latest bucket at which it may have begun (95 %).
    pub onset: (usize, usize),
    /// Groups that share the blame, with their shares; what is missing to 1 lies at no deploy.
    pub groups: Vec<(usize, f64)>,
    /// The way to the new level, for a change at the likeliest group that was no step at the deploy.
    pub transition: Option<Transition>,
}

/// What happened at a moment, with its deploy if one made it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Itself,
    Step(usize),
    Late(usize),
    Way(usize, usize),
}

impl Shape {
    fn group(self) -> Option<usize> {
        match self {
            Self::Itself => None,
            Self::Step(group) | Self::Late(group) | Self::Way(group, _) => Some(group),
        }
    }
}

impl Posterior {
    /// Returns the group at which the step is told: the one that bears most, if the deploys together bear enough.
    pub fn told_at(&self) -> Option<usize> {
        let at_deploys: f64 = self.groups.iter().map(|(_, share)| share).sum();
        let most = self.groups.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        most.filter(|_| at_deploys >= LEAST_OF_DEPLOYS).map(|(group, _)| *group)
    }
}

impl Attribution<'_> {
    /// Shares the blame. `likelihood`: of a step at a bucket, natural logarithm, up to a constant. `is_there`: whether a
    /// bucket has data. `None` where nothing is likely.
    ///
    /// A deploy is [`CAUSED`] times as likely to have changed the series as not, a bucket without one as likely as the
    /// series changes by itself; a series that keeps doing so makes a deploy a less likely cause.
    pub fn share(&self, likelihood: impl Fn(usize) -> f64, is_there: impl Fn(usize) -> bool) -> Option<Posterior> {
        // Up to the neighbouring steps: beyond them the data speak of another change.
        let Self { moments, len, at, known, by_itself, .. } = *self;
        let first = known.iter().copied().filter(|known| *known < at).max().map_or(0, |known| known + 1);
        let last = known.iter().copied().filter(|known| *known > at).min().unwrap_or(len);
        let (first, last) = (first.max(at.saturating_sub(REACH)).max(1), last.min(at + REACH + 1).min(len));
        let odds = CAUSED * len as f64 / by_itself;
        let within = |moment: &DeployWindow| moment.to > first && moment.from < last && moment.to < len;
        let (later, way) = if self.ways.is_some() { (LATER, ON_THE_WAY) } else { (0.0, 0.0) };
        let mut weights: Vec<(usize, Shape, f64)> = Vec::new();
        for (group, moment) in moments.iter().enumerate().filter(|(_, moment)| within(moment)) {
            weights.push((moment.to, Shape::Step(group), likelihood(moment.to) + odds.ln()));
            // It may have changed by itself just then.
            let buckets = (moment.to - moment.from + 1) as f64;
            weights.push((moment.to, Shape::Itself, likelihood(moment.to) + buckets.ln()));
        }
        for bucket in (first..last).filter(|bucket| is_there(*bucket)) {
            if moments.iter().any(|moment| moment.from <= bucket && bucket <= moment.to) {
                continue;
            }
            let likelihood = likelihood(bucket);
            weights.push((bucket, Shape::Itself, likelihood));
            // Once the next deploy is there, a late change is the next one's.
            let before = moments.partition_point(|moment| moment.from <= bucket);
            if let Some((group, moment)) = before.checked_sub(1).and_then(|last| Some((last, moments.get(last)?)))
                && within(moment)
                && later * late(bucket - moment.to) > 0.0
            {
                weights.push((bucket, Shape::Late(group), likelihood + (odds * later * late(bucket - moment.to)).ln()));
            }
        }
        for ramp in self.ways.unwrap_or(&[]) {
            let (shape, weight) = match ramp.group {
                Some(group) => (Shape::Way(group, ramp.end), odds * way / transition::LENGTHS.len() as f64),
                None => (
                    Shape::Itself,
                    transition::OWN_EVERY as f64 * WAYS_BY_ITSELF / transition::OWN_LENGTHS.len() as f64,
                ),
            };
            let bucket = ramp.group.and_then(|group| moments.get(group)).map_or(ramp.begin, |moment| moment.to);
            weights.push((bucket, shape, ramp.gain + weight.ln()));
        }
        let best = weights.iter().map(|(_, _, weight)| *weight).fold(f64::NEG_INFINITY, f64::max);
        if !best.is_finite() {
            return None;
        }
        let total: f64 = weights.iter().map(|(_, _, weight)| (weight - best).exp()).sum();
        weights.sort_by_key(|(bucket, ..)| *bucket);
        for (_, _, weight) in &mut weights {
            *weight = ((*weight - best).exp() / total / GRAIN).round() * GRAIN;
        }
        let mut blame = Posterior { onset: (at, at), groups: Vec::new(), transition: None };
        let mut sum = 0.0;
        let mut shares: BTreeMap<usize, f64> = BTreeMap::new();
        for (bucket, shape, share) in &weights {
            if sum < 0.025 {
                blame.onset.0 = *bucket;
            }
            if sum < 0.975 {
                blame.onset.1 = *bucket;
            }
            sum += share;
            if let Some(group) = shape.group() {
                *shares.entry(group).or_default() += share;
            }
        }
        blame.groups = shares.into_iter().filter(|(_, share)| *share >= LEAST_NAMED).collect();
        blame.transition = transition_of(&blame, &weights);
        // A deploy's own onset begins with its first minute, not with the end of settling.
        for moment in moments {
            if moment.to == blame.onset.0 {
                blame.onset.0 = moment.from;
            }
        }
        Some(blame)
    }
}

/// Returns the way to the new level at the likeliest group; `None` where it was a step at the deploy.
fn transition_of(blame: &Posterior, weights: &[(usize, Shape, f64)]) -> Option<Transition> {
    let (group, all) = blame.groups.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let sum = |is: &dyn Fn(Shape) -> bool| {
        weights.iter().filter(|(_, shape, _)| is(*shape)).map(|(_, _, share)| share).sum::<f64>()
    };
    if sum(&|shape| shape == Shape::Step(group)) >= LEAST_STEP * all {
        return None;
    }
    let is_late = |shape: Shape| shape == Shape::Late(group);
    let is_way = |shape: Shape| matches!(shape, Shape::Way(own, _) if own == group);
    let (late, way) = (sum(&is_late), sum(&is_way));
    if late >= way {
        // Until nearly all of it is sure to have happened.
        let mut left = LEFT_OUT * late;
        let last = weights.iter().rev().filter(|(_, shape, _)| is_late(*shape)).find(|(_, _, share)| {
            left -= share;
            left < 0.0
        })?;
        return Some(Transition { kind: TransitionKind::Delayed, end: last.0 });
    }
    let end_of = |(_, shape, share): &(usize, Shape, f64)| match shape {
        Shape::Way(own, end) if *own == group && *share >= LEFT_OUT * way => Some(*end),
        _ => None,
    };
    weights.iter().filter_map(end_of).max().map(|end| Transition { kind: TransitionKind::Gradual, end })
}

/// What is less likely than this share does not lengthen the hours that are left out.
const LEFT_OUT: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 1344;
    const MOMENTS: [DeployWindow; 2] = [DeployWindow { from: 500, to: 504 }, DeployWindow { from: 700, to: 704 }];

    fn blame(likelihood: impl Fn(usize) -> f64) -> Posterior {
        let near = Attribution { moments: &MOMENTS, len: LEN, at: 504, known: &[], by_itself: 0.5, ways: None };
        let is_there = |bucket: usize| !MOMENTS.iter().any(|moment| (moment.from..moment.to).contains(&bucket));
        near.share(likelihood, is_there).expect("something is likely")
    }

    #[test]
    fn where_the_data_say_nothing_the_odds_of_before_stand() {
        let told = blame(|_| 0.0);
        // 2 * 192 + 1 moments within reach, of which a deploy takes 5 buckets; one more deploy lies beyond it.
        let odds = CAUSED * LEN as f64 / 0.5;
        let wanted = odds / (odds + 385.0);
        assert_eq!(told.groups.len(), 1);
        assert!((told.groups[0].1 - wanted).abs() < 0.01, "{:?} is not {wanted}", told.groups);
        assert_eq!(told.told_at(), None);
    }

    #[test]
    fn a_deploy_at_the_only_likely_moment_bears_nearly_all_of_it() {
        let told = blame(|bucket| if bucket == 504 { 20.0 } else { 0.0 });
        assert_eq!(told.told_at(), Some(0));
        assert!(told.groups[0].1 > 0.9 && told.groups[0].1 < 1.0, "it may have changed by itself just then");
        assert_eq!(told.onset, (500, 504), "from the first minute of the deploy");
    }

    #[test]
    fn hours_from_a_deploy_it_bears_nothing() {
        let told = blame(|bucket| if bucket == 520 { 20.0 } else { 0.0 });
        assert_eq!((told.groups, told.onset), (Vec::new(), (520, 520)));
    }

    fn with_ways(ways: &[Ramp], at: usize, likelihood: impl Fn(usize) -> f64) -> Posterior {
        let near = Attribution { moments: &MOMENTS, len: LEN, at, known: &[], by_itself: 0.27, ways: Some(ways) };
        let is_there = |bucket: usize| !MOMENTS.iter().any(|moment| (moment.from..moment.to).contains(&bucket));
        near.share(likelihood, is_there).expect("something is likely")
    }

    #[test]
    fn a_clear_step_up_to_four_hours_after_a_deploy_is_its_late_change() {
        let told = with_ways(&[], 512, |bucket| if bucket == 512 { 30.0 } else { 0.0 });
        // Odds of a deploy against one bucket: 0.02 * 1344 / 0.27, of them 0.35 * 0.8 / 16 in this bucket.
        let odds = CAUSED * LEN as f64 / 0.27 * 0.35 * 0.8 / 16.0;
        assert!((told.groups[0].1 - odds / (odds + 1.0)).abs() < 1e-3, "{:?}", told.groups);
        assert_eq!(told.told_at(), Some(0));
        assert_eq!(told.transition, Some(Transition { kind: TransitionKind::Delayed, end: 512 }));
        let told = with_ways(&[], 540, |bucket| if bucket == 540 { 30.0 } else { 0.0 });
        assert_eq!(told.told_at(), None, "nine hours later it is as likely to be something else");
    }

    #[test]
    fn after_the_next_deploy_nothing_is_late_any_more() {
        let told = with_ways(&[], 706, |bucket| if bucket == 706 { 30.0 } else { 0.0 });
        assert_eq!(told.told_at(), Some(1), "{:?}", told.groups);
        assert!(told.groups.iter().all(|(group, _)| *group == 1), "{:?}", told.groups);
    }

    #[test]
    fn a_way_that_is_clearer_than_every_step_is_gradual() {
        let way = |group, begin, end, gain| Ramp { group, begin, end, gain };
        let step = |bucket: usize| if (508..514).contains(&bucket) { 30.0 } else { 0.0 };
        let told = with_ways(&[way(Some(0), 500, 516, 60.0), way(Some(0), 500, 508, 40.0)], 511, step);
        assert_eq!(told.transition, Some(Transition { kind: TransitionKind::Gradual, end: 516 }));
        assert!(told.told_at() == Some(0) && told.onset == (500, 504), "{told:?}");
        let told = with_ways(&[way(Some(0), 500, 516, 40.0), way(None, 506, 514, 60.0)], 511, step);
        assert_eq!(told.told_at(), None, "another way, at no deploy, is clearer");
    }
}
