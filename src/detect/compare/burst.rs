//! Bad spells that begin with a deploy and are soon over: cold caches, warming pools, a restart that fails requests.
//!
//! The steps of a series are judged on what lasts; the first minutes are left out of them. Here they are judged on their
//! own: the mean of the deploy and what follows, against the hours around it, held against the same mean at every
//! hour of the series' own history at which nothing was deployed. A series that often has bad minutes needs a far
//! worse one.

use crate::detect::input::calendar::{Calendar, PER_HOUR};
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::judgement::Burst;
use crate::model::effect::Scale;
use crate::stats::describe;

/// Hours before and after that a spell is held against, in buckets.
const AROUND: usize = 6 * PER_HOUR;

/// Spells end with the settling, or this many buckets later.
const LATER: [usize; 3] = [0, 1, 3];

/// What lasts longer than this is no burst, in buckets.
const LONGEST: usize = 4 * PER_HOUR;

/// A spell begins with the deploy: in this long before it there is less than `BEGUN` of it, in buckets.
const JUST_BEFORE: usize = 2;
const BEGUN: f64 = 1.0 / 3.0;

/// Failures that a spell of failures must rest on.
const LEAST_FAILURES: f64 = 10.0;

/// Moments without a deploy keep this far from one, in buckets.
const CLEAR: usize = 2 * PER_HOUR;

/// Fewer moments without a deploy than this say too little of how rare a spell is.
const LEAST_PLACEBOS: usize = 100;

/// More placebo moments than this as bad as the spell: it is nothing rare.
const COMMON: usize = 2;

/// Shares of the worst placebo moments from which the tail is drawn on; the more careful answer counts.
///
/// Calibrated by `tests/fast/causes.rs` (2026-11-23) and eight made fleets without cold caches: no burst among 55,693
/// comparisons.
const TAILS: [f64; 2] = [0.1, 0.02];

/// No history can show that a spell is rarer than this; among spells so rare the shortest measure is the sharpest.
const LEAST_P: f64 = 1e-9;

/// Bursts that may be told by chance in one report.
pub const EXPECTED_FALSE: f64 = 0.05;

/// A series as bursts see it.
#[derive(Debug, Clone, Copy)]
pub struct Spells<'a> {
    /// What is left of the values without their usual course, the minutes of deploys included; NaN is missing or left out.
    pub values: &'a [f64],
    /// Requests of each bucket if the values are shares of them.
    pub requests: Option<&'a [f64]>,
    /// The deploys of the service.
    pub moments: &'a [DeployWindow],
    /// 1 if higher is worse, −1 if lower is.
    pub sign: f64,
    /// Least size that matters, on the scale of the values.
    pub limit: f64,
    /// How the values are compared.
    pub scale: Scale,
}

/// A spell at one moment: mean beyond the usual over its buckets.
#[derive(Debug, Clone, Copy)]
struct Spell {
    size: f64,
    usual: f64,
}

/// Measures the burst at one deploy, if there is one that matters. `group`: index into the moments.
pub fn measure(course: &Spells<'_>, group: usize, calendar: &Calendar) -> Option<Burst> {
    let moment = course.moments.get(group)?;
    let next = course.moments.get(group + 1).map_or(usize::MAX, |next| next.from);
    let settled = moment.to.saturating_sub(moment.from).max(1);
    let mut best: Option<Burst> = None;
    for length in LATER.map(|later| settled + later) {
        let Some(spell) = course.spell(moment.from, length) else { continue };
        if spell.size < course.limit || moment.from + length > next || course.began_before(moment.from, spell) {
            continue;
        }
        if course.requests.is_some() && spell.size * course.weight(moment.from, length) < LEAST_FAILURES {
            continue;
        }
        let Some(end) = course.end(moment.from, spell, next) else { continue };
        // Three lengths are tried.
        let p_value = (LATER.len() as f64 * course.chance(moment.from, length, spell.size)).clamp(LEAST_P, 1.0);
        if best.is_none_or(|best| p_value < best.p_value) {
            let (size, until) = (course.sign * spell.size, calendar.at(end));
            best = Some(Burst { until, size, scale: course.scale, p_value, cost_s: None });
        }
    }
    best
}

impl Spells<'_> {
    fn mean(&self, from: usize, to: usize) -> Option<f64> {
        let values = self.values.get(from..to.min(self.values.len()))?;
        let weight = |index: usize| self.requests.map_or(Some(1.0), |n| n.get(from + index).copied());
        let (mut sum, mut count) = (0.0, 0.0);
        for (value, weight) in values.iter().enumerate().filter_map(|(index, value)| Some((value, weight(index)?))) {
            if value.is_finite() && weight.is_finite() {
                sum += weight * value;
                count += weight;
            }
        }
        (count > 0.0).then(|| self.sign * sum / count)
    }

    /// Returns the requests of a stretch.
    fn weight(&self, from: usize, length: usize) -> f64 {
        let requests = self.requests.unwrap_or(&[]);
        requests.get(from..(from + length).min(requests.len())).unwrap_or(&[]).iter().filter(|n| n.is_finite()).sum()
    }

    /// Tells whether a spell was there before the deploy.
    fn began_before(&self, at: usize, spell: Spell) -> bool {
        let before = self.mean(at.saturating_sub(JUST_BEFORE), at);
        before.is_some_and(|mean| mean - spell.usual > BEGUN * spell.size)
    }

    /// Measures the spell of `length` buckets from `at` on, against the hours before it and those after what may follow it.
    fn spell(&self, at: usize, length: usize) -> Option<Spell> {
        let later = at + length + PER_HOUR;
        // Each side on its own: between two levels the worse one is the usual.
        let sides = [self.usual(at.saturating_sub(AROUND), at), self.usual(later, later + AROUND)];
        let usual = sides.into_iter().flatten().max_by(f64::total_cmp)?;
        Some(Spell { size: self.mean(at, at + length)? - usual, usual })
    }

    /// Returns what is usual on one side: the median, or for shares, which are mostly 0, the mean.
    fn usual(&self, from: usize, to: usize) -> Option<f64> {
        let side = self.values.get(from..to.min(self.values.len()))?;
        if side.iter().filter(|value| value.is_finite()).count() < PER_HOUR {
            return None;
        }
        if self.scale.is_difference() {
            self.mean(from, to)
        } else {
            describe::median_of(side.iter().map(|value| self.sign * value))
        }
    }

    /// Returns the bucket at which the spell is over; `None` if it lasts.
    fn end(&self, at: usize, spell: Spell, next: usize) -> Option<usize> {
        let over = |bucket: &usize| {
            let rest = self.mean(*bucket, bucket + PER_HOUR).map(|mean| mean - spell.usual);
            rest.is_some_and(|rest| rest < (spell.size / 3.0).min(self.limit))
        };
        (at + 1..=(at + LONGEST).min(next)).find(over)
    }

    /// Returns how probable a spell of this size is at a moment without a deploy.
    ///
    /// Beyond the worst tenth, and beyond the worst fiftieth, of the placebo moments the tail is taken as falling
    /// exponentially; the larger answer counts, so that a series with rare wild spikes needs more than a calm one.
    ///
    /// # Source
    /// Exceedances over a high threshold: J. Pickands, Annals of Statistics 3 (1975), 119–131, with the shape held at 0.
    fn chance(&self, at: usize, length: usize, size: f64) -> f64 {
        // At the same minute of every hour, so that what recurs at the deploy's own time of day is among them. Moments near
        // accepted steps count, too: spells that come often are accepted as steps up and down.
        let clear = |at: &usize| !self.moments.iter().any(|own| own.from <= at + CLEAR && *at <= own.to + CLEAR);
        let placebos = (AROUND + at % PER_HOUR..self.values.len()).step_by(PER_HOUR).filter(clear);
        let mut sizes: Vec<f64> = Vec::with_capacity(self.values.len() / PER_HOUR);
        let mut at_least = 0;
        for spell in placebos.filter_map(|at| self.spell(at, length)) {
            at_least += usize::from(spell.size >= size);
            // Nothing rare, whatever the rest says.
            if at_least > COMMON {
                return 1.0;
            }
            sizes.push(spell.size);
        }
        if sizes.len() < LEAST_PLACEBOS {
            return 1.0;
        }
        let count = sizes.len() as f64;
        if at_least > 0 {
            return (at_least as f64 + 1.0) / count;
        }
        sizes.sort_unstable_by(|a, b| b.total_cmp(a));
        let tail = |share: f64| {
            let rank = ((share * count) as usize).max(5);
            let threshold = sizes.get(rank).copied().unwrap_or(f64::INFINITY);
            let excess = sizes.iter().take(rank).map(|placebo| placebo - threshold).sum::<f64>() / rank as f64;
            rank as f64 / count * (-(size - threshold) / excess.max(1e-12)).exp()
        };
        TAILS.into_iter().map(tail).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{DAY, Window};

    /// Two weeks of quarter hours that differ a little, with three bad ones every `every` buckets.
    fn noisy(every: usize, bad: f64) -> Vec<f64> {
        (0..14 * 96)
            .map(|k| {
                let wave = 0.02 * ((k * 7919 % 97) as f64 / 48.0 - 1.0);
                if every > 0 && (13..16).contains(&(k % every)) { wave + bad } else { wave }
            })
            .collect()
    }

    fn burst_at(values: &mut [f64], size: f64, buckets: usize) -> Option<Burst> {
        let moment = DeployWindow { from: 700, to: 702 };
        for value in &mut values[700..700 + buckets] {
            *value += size;
        }
        let calendar = Calendar::new(Window::new(0, 14 * DAY), chrono_tz::UTC, &std::collections::BTreeMap::new());
        let course =
            Spells { values, requests: None, moments: &[moment], sign: 1.0, limit: 0.1, scale: Scale::LogRatio };
        measure(&course, 0, &calendar)
    }

    #[test]
    fn a_spell_that_never_happens_otherwise_is_rare() {
        let burst = burst_at(&mut noisy(0, 0.0), 0.5, 3).expect("a burst");
        assert!(burst.p_value < 1e-6, "{burst:?}");
        assert_eq!(burst.until, 703 * crate::detect::input::calendar::BUCKET);
    }

    #[test]
    fn a_series_with_such_spells_anyway_has_none() {
        let burst = burst_at(&mut noisy(150, 0.6), 0.5, 3);
        assert!(burst.is_none_or(|burst| burst.p_value > 1e-3), "{burst:?}");
    }

    #[test]
    fn what_stays_is_no_burst() {
        assert!(burst_at(&mut noisy(0, 0.0), 0.5, 600).is_none());
    }
}
