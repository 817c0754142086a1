//! Changes at a deploy that services which were not deployed made as well: a slow network, a shared database, a host.
//!
//! Every service gives, for the moment of each deploy of the others, how far each of its signals moved then: one vote a
//! service and signal, the median over its targets. A service that was deployed within the hour has no vote, because its
//! own deploy may have moved it. A change is explained by the fleet when at least three services that were not deployed
//! moved as far the same way, they are most of those that could tell, and what is left of the change without the
//! fleet's movement does not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::detect::context::Context;
use crate::detect::input::calendar::{Calendar, PER_HOUR};
use crate::detect::input::deploy_window::{self, DeployWindow};
use crate::detect::input::requests::Input;
use crate::detect::judgement::{Comparison, SeriesSummary};
use crate::detect::model::error_rates::ErrorRateModel;
use crate::detect::model::series_model::LevelModel;
use crate::detect::model::steps::Change;
use crate::model::effect::{AdjustmentEvidence, PeerEvidence, Scale};
use crate::model::event::Event;
use crate::model::metric::{Kind, Series};
use crate::model::verdict::Verdict;
use crate::stats::describe;
use crate::stats::structural::Step;

/// Services that must have moved alike: one or two may by chance, or because they call the deployed one.
const LEAST_SERVICES: usize = 3;

/// Share of the services that could tell that must have moved alike.
///
/// Calibrated by `tests/fast/causes.rs` (2026-11-23): 843 of 848 series are told as what they are, and no deploy of one
/// service is explained by its callers.
const MOST: f64 = 2.0 / 3.0;

/// Moved alike: at least this share of the change, and at most its inverse.
const ALIKE: f64 = 0.5;

/// A service can tell if its standard error is at most this share of the change: three standard errors.
const CAN_TELL: f64 = 1.0 / 3.0;

/// A service counts as moved from this many standard errors on: about 95 % of a normal.
const MOVED: f64 = 2.0;

/// Targets of one service and signal that are asked, the most precise first.
const ASKED: usize = 16;

/// A step accepted within this of the moment is the movement at the moment, in buckets.
const NEAR: usize = 2 * PER_HOUR;

/// A service deployed this close to a moment is not asked, in buckets: its own deploy may have moved it.
const DEPLOYED: usize = PER_HOUR;

/// How far one target, or one service, moved at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Movement {
    /// Log ratio, or difference of shares.
    size: f64,
    /// Standard error.
    error: f64,
}

impl Movement {
    /// Tells whether it moved for sure, and about as far the same way as a change.
    fn is_alike(self, change: f64) -> bool {
        (ALIKE..=1.0 / ALIKE).contains(&(self.size / change)) && self.size.abs() >= MOVED * self.error
    }
}

/// Kind and signal, and how its changes are counted.
type Topic = (Kind, Arc<str>, Scale);

/// How far the series of one kind and signal of a service moved at a moment: the median over its targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PeerMovement {
    kind: Kind,
    signal: Arc<str>,
    /// How `size` is counted.
    scale: Scale,
    /// The moment, UTC ms.
    at: i64,
    /// Log ratio, or difference of shares.
    size: f64,
    /// Standard error.
    error: f64,
}

/// The movements of one service at every moment that is asked about, by kind, signal, scale and moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PeerMovements(Vec<PeerMovement>);

impl PeerMovements {
    fn of(&self, kind: Kind, signal: &str, scale: Scale, at: i64) -> Option<Movement> {
        let wanted = (kind, signal, scale, at);
        let found = self.0.binary_search_by(|one| (one.kind, &*one.signal, one.scale, one.at).cmp(&wanted));
        found.ok().and_then(|index| self.0.get(index)).map(|one| Movement { size: one.size, error: one.error })
    }
}

/// Returns the moments that all services are asked about: first settled buckets of every deploy group of the period.
pub fn moments(events: &[Event], calendar: &Calendar, context: &Context<'_>) -> Vec<usize> {
    let services: BTreeSet<&str> = events.iter().map(|event| event.service.as_str()).collect();
    let judge = context.config.judge;
    let groups = services.into_iter().flat_map(|service| deploy_window::groups(events, service, &judge, calendar));
    let moments: BTreeSet<usize> = groups
        .filter(|group| context.period.contains(group.window.start))
        .map(|group| deploy_window::moment(&group, judge.settle_ms, calendar).to)
        .filter(|at| *at < calendar.len())
        .collect();
    moments.into_iter().collect()
}

/// Gathers the votes of one service while its series are judged.
#[derive(Debug)]
pub struct MovementSurvey<'a> {
    moments: Vec<usize>,
    calendar: &'a Calendar,
    asked: BTreeSet<usize>,
    answers: BTreeMap<Topic, BTreeMap<usize, Vec<Movement>>>,
}

impl<'a> MovementSurvey<'a> {
    /// Begins a poll. `moments`: those of all services; `own`: those of this one. `variances`: of a typical bucket of each
    /// series, infinite for one that cannot be asked.
    pub fn new(
        moments: &[usize],
        own: &[DeployWindow],
        series: &[Series],
        variances: &[f64],
        calendar: &'a Calendar,
    ) -> Self {
        let free = |at: &usize| !own.iter().any(|own| own.from <= at + DEPLOYED && *at <= own.to + DEPLOYED);
        let mut by_signal: BTreeMap<(Kind, &str), Vec<(f64, usize)>> = BTreeMap::new();
        for (index, (series, variance)) in series.iter().zip(variances).enumerate() {
            if variance.is_finite() {
                by_signal.entry((series.key.kind, &series.key.signal)).or_default().push((*variance, index));
            }
        }
        let mut asked = BTreeSet::new();
        for mut targets in by_signal.into_values() {
            targets.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            asked.extend(targets.into_iter().take(ASKED).map(|(_, index)| index));
        }
        let moments = moments.iter().copied().filter(free).collect();
        Self { moments, calendar, asked, answers: BTreeMap::new() }
    }

    /// Asks a series judged by its level.
    pub fn record_level(&mut self, index: usize, series: &Series, input: &Input, track: &LevelModel) {
        if input.is_log() {
            let vote = |step: Step| Movement { size: step.size, error: step.variance.sqrt() * track.inflation };
            self.record(index, series, Scale::LogRatio, |at| {
                let accepted = near(&track.changes, at).map(|change| change.step);
                let moved = accepted.or_else(|| track.episode_near(at, NEAR));
                Some(vote(moved.unwrap_or_else(|| track.step(at))))
            });
        }
    }

    /// Asks a series of failed shares.
    pub fn record_error_rate(&mut self, index: usize, series: &Series, track: &ErrorRateModel) {
        self.record(index, series, Scale::Difference, |at| {
            let (size, error) = track.rough_step(near(&track.changes, at).map_or(at, |change| change.at))?;
            Some(Movement { size, error })
        });
    }

    fn record(&mut self, index: usize, series: &Series, scale: Scale, answer: impl Fn(usize) -> Option<Movement>) {
        if !self.asked.contains(&index) || self.moments.is_empty() {
            return;
        }
        let own = self.answers.entry((series.key.kind, series.key.signal.clone(), scale)).or_default();
        for at in &self.moments {
            if let Some(vote) = answer(*at).filter(|vote| vote.size.is_finite() && vote.error.is_finite()) {
                own.entry(*at).or_default().push(vote);
            }
        }
    }

    /// Ends the poll: one vote a signal and moment, the median of the targets'.
    ///
    /// The error is the median of theirs: what shakes one target of a service often shakes all of them.
    pub fn movements(self) -> PeerMovements {
        let mut movements = Vec::new();
        for ((kind, signal, scale), moments) in self.answers {
            movements.extend(moments.into_iter().filter_map(|(at, votes)| {
                let sizes: Vec<f64> = votes.iter().map(|vote| vote.size).collect();
                let errors: Vec<f64> = votes.iter().map(|vote| vote.error).collect();
                let (size, error) = (describe::median(&sizes)?, describe::median(&errors)?);
                Some(PeerMovement { kind, signal: signal.clone(), scale, at: self.calendar.at(at), size, error })
            }));
        }
        PeerMovements(movements)
    }
}

/// Returns the step that was accepted near a moment and belongs to no deploy.
fn near(changes: &[Change], at: usize) -> Option<&Change> {
    changes
        .iter()
        .filter(|change| change.group.is_none() && change.at.abs_diff(at) <= NEAR)
        .min_by_key(|change| change.at.abs_diff(at))
}

/// Finds the changes that the fleet explains. `movements`: of every service that has series, by name.
///
/// This comes before the control of false discoveries: a shock of the whole fleet would count as many discoveries and
/// loosen the rule for everything else.
pub fn explain(
    comparisons: &mut [Comparison],
    series: &[SeriesSummary],
    movements: &BTreeMap<Arc<str>, PeerMovements>,
) {
    for comparison in comparisons.iter_mut().filter(|comparison| comparison.has_moved()) {
        let SeriesSummary { key, direction, .. } = &series[comparison.series];
        let Some(effect) = comparison.effect.as_ref() else { continue };
        // What is explained already is what was seen.
        let is_explained = comparison.verdict == Verdict::Explained;
        let change = if is_explained { effect.unadjusted } else { effect.estimate.value };
        let limit = effect.limit;
        let (scale, at) = (effect.scale, comparison.after_window.start);
        let others: Vec<(&Arc<str>, Movement)> = movements
            .iter()
            .filter(|(service, _)| **service != key.service)
            .filter_map(|(service, own)| Some((service, own.of(key.kind, &key.signal, scale, at)?)))
            .filter(|(_, vote)| vote.error <= CAN_TELL * change.abs())
            .collect();
        let moved = others.iter().filter(|(_, vote)| vote.is_alike(change));
        let evidence =
            PeerEvidence { moved: moved.map(|(service, _)| service.to_string()).collect(), looked_at: others.len() };
        comparison.evidence.peers = Some(evidence.clone());
        if !comparison.is_located_change() {
            continue;
        }
        let votes: Vec<Movement> = others.into_iter().map(|(_, vote)| vote).collect();
        let Some(movement) = movement(&votes, change) else { continue };
        let left = change - movement.size;
        if left.abs() < limit && movement.size.abs() > 0.5 * change.abs() {
            let evidence = AdjustmentEvidence::Fleet(evidence);
            comparison.adjust(evidence, movement.size, 2.0 * movement.error, *direction);
        }
    }
}

/// Returns how far the fleet moved, if it moved alike: the median of the votes, with its standard error.
///
/// # Source
/// The median of n values has 1.2533 times the standard error of their mean if they are normal (H. Cramér,
/// Mathematical Methods of Statistics (1946), 28.5).
fn movement(votes: &[Movement], change: f64) -> Option<Movement> {
    let alike = votes.iter().filter(|vote| vote.is_alike(change)).count();
    if alike < LEAST_SERVICES || (alike as f64) < MOST * votes.len() as f64 {
        return None;
    }
    let sizes: Vec<f64> = votes.iter().map(|vote| vote.size).collect();
    let errors: Vec<f64> = votes.iter().map(|vote| vote.error).collect();
    let spread = describe::robust_sd(&sizes)?.max(describe::median(&errors)?);
    Some(Movement { size: describe::median(&sizes)?, error: 1.2533 * spread / (votes.len() as f64).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(sizes: &[f64]) -> Vec<Movement> {
        sizes.iter().map(|size| Movement { size: *size, error: 0.01 }).collect()
    }

    #[test]
    fn a_fleet_is_at_least_three_and_most_of_those_that_can_tell() {
        assert!(movement(&votes(&[0.2, 0.22, 0.19]), 0.21).is_some());
        assert!(movement(&votes(&[0.2, 0.22]), 0.21).is_none(), "two may move by chance");
        assert!(movement(&votes(&[0.2, 0.22, 0.19, 0.0, 0.0]), 0.21).is_none(), "the others stood still");
        assert!(movement(&votes(&[-0.2, -0.22, -0.19]), 0.21).is_none(), "the other way");
        assert!(movement(&votes(&[0.05, 0.06, 0.04]), 0.21).is_none(), "not as far");
    }

    #[test]
    fn one_service_that_jumps_does_not_move_the_fleet() {
        let calm = movement(&votes(&[0.2, 0.2, 0.21, 0.19]), 0.2).expect("moved").size;
        let wild = movement(&votes(&[0.2, 0.2, 0.21, 0.19, 3.0]), 0.2).expect("moved").size;
        assert!((calm - wild).abs() < 0.02, "{calm} {wild}");
    }
}
