//! Shares of failed requests, judged by counts.
//!
//! A bucket of 40 requests with one failure is no 2.5 %. Failures and requests are summed over whole stretches
//! and compared by exact methods; how much more they scatter than counts should is measured on blocks of six hours
//! and of a day of the series' own history and widens everything.

use super::steps::{self, Change};
use crate::detect::attribution::posterior::{Attribution, FORTNIGHT};
use crate::detect::input::calendar::PER_HOUR;
use crate::detect::input::deploy_window::DeployWindow;
use crate::stats::counts::{self, Counts};
use crate::stats::describe;
use crate::stats::structural::Step;

/// Lengths of the blocks on which scatter is measured, in buckets: what hangs together for hours, and for days.
const BLOCKS: [usize; 2] = [6 * PER_HOUR, 24 * PER_HOUR];

/// Mean of a squared standard normal that is cut at its 95 % point: what winsorising takes away is given back.
const WINSORISED: f64 = 0.913;

/// Degrees of freedom that a length of block must have to be heard.
const LEAST_BLOCKS: f64 = 6.0;

/// Standard errors that a step at a deploy, or anywhere else, needs to be accepted.
///
/// Calibrated by `tests/long/simulation.rs` (2026-11-23): the interval holds "no change" in 0.95 of the cases.
const AT_DEPLOY: f64 = 3.3;
const ANYWHERE: f64 = 4.8;

/// Log-likelihood that a deploy is ahead of a moment without one, before looking: ln 50.
const DEPLOY_HEAD_START: f64 = 3.9;

/// Score below which the exact likelihood ratio is not needed.
const WORTH: f64 = 5.0;

/// Steps that the failed share makes in a fortnight by itself, before looking: fewer than a latency does, because what
/// fails by itself is an incident and ends.
const BY_ITSELF: f64 = 0.1;

/// No more steps than this.
const MOST: usize = 12;

/// Failures and requests of one series on the grid.
#[derive(Debug, Clone, Default)]
pub struct ErrorRateModel {
    /// Failures up to each bucket (one longer than the grid).
    failed: Vec<f64>,
    /// Requests up to each bucket.
    requests: Vec<f64>,
    /// How much more failures scatter than counts should, for each unit of the failed share: their variance is
    /// `1 + extra · share` times that of counts.
    extra: f64,
    /// Steps, sorted by time.
    pub changes: Vec<Change>,
}

impl ErrorRateModel {
    /// Judges the failures of one series.
    ///
    /// `share`: failed share of each bucket, NaN is missing. `requests`: requests of each bucket. Buckets inside
    /// moments and masked buckets are left out.
    pub fn new(share: &[f64], requests: &[f64], moments: &[DeployWindow], masked: &[bool]) -> Self {
        let mut track = Self { failed: vec![0.0], requests: vec![0.0], extra: 0.0, changes: Vec::new() };
        let (mut failed_sum, mut request_sum) = (0.0, 0.0);
        for (bucket, share) in share.iter().enumerate() {
            let inside = moments.iter().any(|moment| moment.from <= bucket && bucket < moment.to);
            let left_out = inside || masked.get(bucket).copied().unwrap_or(false);
            let requests = requests.get(bucket).copied().unwrap_or(f64::NAN);
            if !left_out && share.is_finite() && requests > 0.0 {
                failed_sum += share * requests;
                request_sum += requests;
            }
            track.failed.push(failed_sum);
            track.requests.push(request_sum);
        }
        for _ in 0..2 {
            track.extra = track.scatter();
            track.find(moments);
        }
        track
    }

    /// Returns the failures and requests before and after a bucket, back and forth to the neighbouring steps.
    pub fn counts(&self, at: usize) -> Counts {
        let begin = self.changes.iter().map(|change| change.at).filter(|step| *step < at).max().unwrap_or(0);
        let end = self.changes.iter().map(|change| change.at).filter(|step| *step > at).min().unwrap_or(self.len());
        self.between(begin, at, end)
    }

    fn len(&self) -> usize {
        self.requests.len() - 1
    }

    fn between(&self, begin: usize, at: usize, end: usize) -> Counts {
        let span = |sums: &[f64]| [sums[at] - sums[begin], sums[end] - sums[at]];
        Counts { failed: span(&self.failed), requests: span(&self.requests) }
    }

    /// Measures how much more blocks scatter than counts should.
    ///
    /// The variance of a block with `m` expected failures is taken as `m + c·m²`: what shakes failures shakes all of
    /// them, so where there are more it shows more. The longer blocks also see what hangs together for a day.
    ///
    /// # Source
    /// DeployWindow estimate of the negative binomial's second parameter: N. E. Breslow, Applied Statistics 33 (1984),
    /// 38–44. Squares are winsorised at their 95 % point so that one incident does not hide everything else.
    fn scatter(&self) -> f64 {
        let mean_requests = self.requests[self.len()] / self.len().max(1) as f64;
        let by_length = BLOCKS.map(|length| mean_requests * length as f64 * self.scatter_of(length));
        by_length.into_iter().fold(0.0, f64::max)
    }

    /// Returns `c` of blocks of one length; 0 where there are too few to say.
    fn scatter_of(&self, length: usize) -> f64 {
        let mut blocks: Vec<(f64, f64)> = Vec::new();
        let (mut begin, mut parameters) = (0, 0.0);
        for end in self.changes.iter().map(|change| change.at).chain([self.len()]) {
            let share = self.between(begin, end, end).shares()[0];
            parameters += 1.0;
            while share > 0.0 && begin < end {
                let next = (begin + length).min(end);
                let block = self.between(begin, next, next);
                let expected = share * block.requests[0];
                // Blocks with fewer than half an expected failure say nothing of scatter beyond counts.
                if expected > 0.5 {
                    blocks.push((expected, (block.failed[0] - expected).powi(2) / expected));
                }
                begin = next;
            }
            begin = end;
        }
        let count = blocks.len() as f64;
        if count - parameters < LEAST_BLOCKS {
            return 0.0;
        }
        let ratios: Vec<f64> = blocks.iter().map(|(_, ratio)| *ratio).collect();
        let cap = describe::quantile(&ratios, 0.95).unwrap_or(0.0);
        let squares: f64 = blocks.iter().map(|(expected, ratio)| expected * ratio.min(cap) / WINSORISED).sum();
        let expected: f64 = blocks.iter().map(|(expected, _)| expected).sum();
        let expected_squares: f64 = blocks.iter().map(|(expected, _)| expected * expected).sum();
        ((squares * count / (count - parameters) - expected) / expected_squares).max(0.0)
    }

    /// Returns how much wider than that of counts the scatter is at a failed share.
    fn dispersion(&self, share: f64) -> f64 {
        1.0 + self.extra * share
    }

    /// Twice the log-likelihood ratio of two shares against one, thinned: a squared standard normal if nothing changed.
    fn gain(&self, counts: &Counts) -> f64 {
        let term = |failed: f64, expected: f64| if failed > 0.0 { failed * (failed / expected).ln() } else { 0.0 };
        let all = (counts.failed[0] + counts.failed[1]) / (counts.requests[0] + counts.requests[1]);
        if counts.requests.iter().any(|n| *n <= 0.0) || all <= 0.0 {
            return 0.0;
        }
        let dispersion = self.dispersion(all);
        // The score statistic is cheap and close; only what it shows near the thresholds is worth two logarithms.
        let total = counts.failed[0] + counts.failed[1];
        let expected = total * counts.requests[1] / (counts.requests[0] + counts.requests[1]);
        let score =
            (counts.failed[1] - expected).powi(2) * total / (expected * (total - expected)).max(1e-300) / dispersion;
        if score < WORTH {
            return score;
        }
        let sum: f64 = (0..2).map(|k| term(counts.failed[k], all * counts.requests[k])).sum();
        (2.0 * sum / dispersion).max(0.0)
    }

    fn find(&mut self, moments: &[DeployWindow]) {
        self.changes.clear();
        while self.changes.len() < MOST {
            let Some(change) = self.clearest(moments) else { break };
            self.changes.push(change);
            self.changes.sort_by_key(|change| change.at);
        }
        // Steps that others have explained since go again.
        while let Some(weakest) = (0..self.changes.len())
            .map(|index| (index, self.gain(&self.counts(self.changes[index].at)).sqrt() / self.needed(index)))
            .filter(|(_, strength)| *strength < 1.0)
            .min_by(|a, b| a.1.total_cmp(&b.1))
        {
            self.changes.remove(weakest.0);
        }
    }

    fn needed(&self, index: usize) -> f64 {
        if self.changes[index].group.is_some() { AT_DEPLOY } else { ANYWHERE }
    }

    fn clearest(&self, moments: &[DeployWindow]) -> Option<Change> {
        let free = |at: usize| !self.changes.iter().any(|change| change.at.abs_diff(at) < PER_HOUR);
        let gain = |at: usize| self.gain(&self.counts(at));
        let deploys = moments.iter().filter(|moment| moment.to < self.len() && free(moment.to));
        let deploys: Vec<(usize, f64)> = deploys.map(|moment| (moment.to, gain(moment.to))).collect();
        let anywhere: Vec<(usize, f64)> = (1..self.len()).filter(|at| free(*at)).map(|at| (at, gain(at))).collect();
        let best_deploy = deploys.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let best_any = anywhere.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let at_deploy = best_deploy.filter(|(_, gain)| gain.sqrt() >= AT_DEPLOY);
        let elsewhere = best_any.filter(|(_, gain)| gain.sqrt() >= ANYWHERE);
        let (at, _) = match (at_deploy, elsewhere) {
            (Some((at, gain)), Some((_, other))) if gain / 2.0 + DEPLOY_HEAD_START >= other / 2.0 => (at, gain),
            (Some(deploy), None) => deploy,
            (_, Some(any)) => any,
            (None, None) => return None,
        };
        let rises = |at: usize| {
            let [before, after] = self.counts(at).shares();
            after > before
        };
        let is_rise = rises(at);
        let known = steps::steps_of(&self.changes);
        let by_itself = BY_ITSELF * self.len() as f64 / FORTNIGHT;
        let near = Attribution { moments, len: self.len(), at, known: &known, by_itself, ways: None };
        let likelihood = |at: usize| if rises(at) == is_rise { gain(at) / 2.0 } else { 0.0 };
        let blame = near.share(likelihood, |bucket| self.requests[bucket + 1] > self.requests[bucket])?;
        let group = blame.told_at();
        let at = group.and_then(|group| moments.get(group)).map_or(at, |moment| moment.to);
        Some(Change { at, group, onset: blame.onset, blame: blame.groups, step: Step::default(), transition: None })
    }
}

/// Estimate and interval of a share's change, with its p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareStep {
    /// Shares before and after.
    pub shares: [f64; 2],
    /// 95 % interval of the difference, after minus before.
    pub difference: [f64; 2],
    /// 95 % interval of the ratio, after over before; may be `[0, ∞]`.
    pub ratio: [f64; 2],
    /// Two-sided p of no change.
    pub p_value: f64,
}

impl ErrorRateModel {
    /// Returns how many placebo deploys there are, and the p of those whose step is at least `limit` of the share before.
    pub fn placebos(&self, moments: &[DeployWindow], limit: impl Fn(f64) -> f64) -> (usize, Vec<f64>) {
        let mut tests = 0;
        let mut material = Vec::new();
        for at in steps::placebo_moments(self.len(), moments, &self.changes) {
            let counts = self.counts(at);
            if counts.requests.iter().any(|n| *n <= 0.0) {
                continue;
            }
            tests += 1;
            let [before, after] = counts.shares();
            if (after - before).abs() >= limit(before) {
                let all = (counts.failed[0] + counts.failed[1]) / (counts.requests[0] + counts.requests[1]);
                material.push(counts::equal_shares_p(&counts.thinned([self.dispersion(all); 2])));
            }
        }
        (tests, material)
    }

    /// Returns the difference of the shares at a bucket and about its standard error: cheap, for many moments.
    pub fn rough_step(&self, at: usize) -> Option<(f64, f64)> {
        let counts = self.counts(at.min(self.len()));
        if counts.requests.iter().any(|n| *n <= 0.0) {
            return None;
        }
        let [before, after] = counts.shares();
        let all = (counts.failed[0] + counts.failed[1]) / (counts.requests[0] + counts.requests[1]);
        // One failure more keeps a share of 0 from being sure.
        let least = all.max(1.0 / (counts.requests[0] + counts.requests[1]));
        let spread = least * (1.0 - least).max(0.0) * self.dispersion(all);
        Some((after - before, (spread * (1.0 / counts.requests[0] + 1.0 / counts.requests[1])).sqrt()))
    }

    /// Measures the step at a bucket; `None` without requests on one side.
    pub fn step(&self, at: usize) -> Option<ShareStep> {
        let counts = self.counts(at.min(self.len()));
        if counts.requests.iter().any(|n| *n <= 0.0) {
            return None;
        }
        let shares = counts.shares();
        let all = (counts.failed[0] + counts.failed[1]) / (counts.requests[0] + counts.requests[1]);
        let thin = counts.thinned(shares.map(|share| self.dispersion(share)));
        let alike = counts.thinned([self.dispersion(all); 2]);
        Some(ShareStep {
            shares,
            difference: counts::difference_interval(&thin),
            ratio: counts::ratio_interval(&thin),
            p_value: counts::equal_shares_p(&alike),
        })
    }
}
