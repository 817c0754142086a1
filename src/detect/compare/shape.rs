//! What an estimate of the level does not see: harm at some hours, under load, in a slope, in spells, or hidden by how the
//! values are written. "No material change" and "not worse" are said only if none of it is left open.
//!
//! All checks read blocks of four hours, in which the usual course of the day is taken out and nothing is left out that
//! was measured: hours that a level must not be drawn to may be the very harm that is looked for.

use super::effect::{ComparisonWindow, Subject};
use crate::detect::input::calendar::{Calendar, PER_HOUR};
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::input::requests::Input;
use crate::detect::model::series_model::LevelModel;
use crate::model::effect::Estimate;
use crate::model::metric::{Class, Polarity};
use crate::model::verdict::{Reason, Verdict};
use crate::stats::describe;

/// Buckets with data that a block of four hours needs.
const LEAST_IN_BLOCK: usize = 4;

/// Half-hours in a block.
const BLOCK_SLOTS: u8 = 8;

/// Blocks of a day, once for workdays and once for weekends.
const PARTS: usize = 12;

/// Standard errors from which on a part differs from the rest: about 1 in 20 quiet comparisons has one of two dozen.
const APART: f64 = 3.0;

/// No part may be able to hide this many limits.
const MOST_HIDDEN: f64 = 1.5;

/// Standard errors from which on a slope is one, and from which on it counts if it leads beyond the limit.
const SLOPE: f64 = 2.8;
const SLOPE_BEYOND: f64 = 1.5;

/// A slope needs as many blocks: a day.
const LEAST_FOR_SLOPE: usize = 6;

/// Parts with this share of the usual hours must be known.
const LEAST_KNOWN: f64 = 0.5;

/// From this share of values at zero on the level of a series says nothing of its mean.
const MOSTLY_ZERO: f64 = 0.3;

/// A later change within as many buckets may be this deploy's.
const LATE: usize = 24 * PER_HOUR;

/// Traffic that falls to less than this share is lost.
const LOST: f64 = 0.1;

/// Probability of so many bad blocks by chance at which they count.
const RARE: f64 = 0.01;

/// Values beyond this share of those before are bad.
const BAD: f64 = 0.995;

/// A series beside its usual course, with the hours that the level leaves out put back.
pub struct Course {
    beside: Vec<f64>,
    /// The values as they are, on the scale of the judge.
    plain: Vec<f64>,
}

impl Course {
    /// Puts back what was measured. `raw`: values, NaN where nobody measured or an event covers the hours.
    pub fn of(input: &Input, track: &LevelModel, raw: &[f64], moments: &[DeployWindow]) -> Self {
        let mut whole = track.seasonality.residual(&input.grid.value);
        if let Some(drift) = track.drift {
            for (whole, climb) in whole.iter_mut().zip(drift.of(input.grid.value.len())) {
                *whole -= climb;
            }
        }
        let values =
            whole.iter().zip(&track.residual).zip(raw).map(|((whole, residual), raw)| {
                if residual.is_finite() || !raw.is_finite() { *residual } else { *whole }
            });
        let mut values: Vec<f64> = values.collect();
        for moment in moments {
            let end = moment.to.min(values.len());
            values.get_mut(moment.from..end).unwrap_or(&mut []).fill(f64::NAN);
        }
        Self { beside: values, plain: input.grid.value.clone() }
    }
}

/// A stretch of four hours.
struct Block {
    is_after: bool,
    part: usize,
    at: f64,
    mean: f64,
    most: f64,
    load: f64,
}

/// What the checks look at.
pub struct Check<'a> {
    /// The series.
    pub subject: &'a Subject<'a>,
    /// The compared hours.
    pub place: &'a ComparisonWindow<'a>,
    /// All deploys of the service.
    pub moments: &'a [DeployWindow],
    /// The series beside its usual course.
    pub course: &'a Course,
    /// Its load.
    pub load: &'a [f64],
    /// The grid.
    pub calendar: &'a Calendar,
}

impl Check<'_> {
    /// Returns why a claim of absence cannot be made; `None` if nothing is left open.
    ///
    /// `estimate` and `limit`: of the level, on the series' scale. `verdict`: what the table says of it.
    pub fn doubt(&self, verdict: Verdict, estimate: Estimate, limit: f64, levels: [Option<f64>; 2]) -> Option<Reason> {
        let direction = self.subject.direction;
        if direction == Polarity::Neutral
            && let [Some(before), Some(after)] = levels
            && before > 0.0
            && after < LOST * before
        {
            return Some(Reason::TrafficLost);
        }
        if !matches!(verdict, Verdict::NoMaterialChange | Verdict::NotWorse | Verdict::Better) {
            return None;
        }
        if direction == Polarity::Neutral && verdict == Verdict::NotWorse {
            return None;
        }
        let is_both = verdict == Verdict::NoMaterialChange;
        let harm = |size: f64| match direction {
            _ if is_both => size.abs(),
            Polarity::Higher => -size,
            Polarity::Lower | Polarity::Neutral => size,
        };
        if self.is_mostly_zero() {
            return Some(Reason::MostlyZero);
        }
        let blocks = self.blocks(self.place.moment.to, self.place.end());
        if verdict == Verdict::Better && (climbs_back(&blocks, limit, &harm, false) || self.is_filling(limit, &harm)) {
            return Some(Reason::Slope);
        }
        if self.changes_later(&harm, limit) {
            return Some(Reason::LaterChange);
        }
        if leads_beyond(&blocks, estimate.value, limit, &harm) || self.goes_on(&blocks, limit, &harm) {
            return Some(Reason::Slope);
        }
        if let Some(reason) = some_part(&blocks, PARTS, |block| Some(block.part), limit, &harm, true) {
            return Some(reason);
        }
        if some_load(&blocks, limit, &harm) {
            return Some(Reason::UnderLoad);
        }
        // Where no direction is bad, a busy quarter hour is no spell of anything.
        (direction != Polarity::Neutral && has_spells(&blocks, limit, direction)).then_some(Reason::Spells)
    }

    /// Returns whether what a restart freed is full again: on the last day before the next deploy the values are no better
    /// than on the day before this one by the limit, however the climb is cut into steps.
    ///
    /// The usual course is not taken out: where every restart is on a Wednesday, the weekend is usually full.
    ///
    /// `is_back`: the old level was located again, at no deploy. Only of what fills, such as memory: of everything else an
    /// improvement that went is one that lasted for a while.
    pub fn fills_up(&self, is_back: bool, limit: f64) -> bool {
        const DAY: usize = 24 * PER_HOUR;
        let DeployWindow { from, to } = self.place.moment;
        let next = self.next_deploy(to);
        let day = |end: usize| {
            let known = self.course.plain.get(end.saturating_sub(DAY)..end)?.iter().filter(|value| value.is_finite());
            let known: Vec<f64> = known.copied().collect();
            (known.len() > DAY / 2).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let change = day(next).zip(day(from)).map(|(last, before)| last - before).filter(|_| next >= to + 2 * DAY);
        let harm = |size: f64| if self.subject.direction == Polarity::Higher { -size } else { size };
        self.subject.class == Class::Saturation && (is_back || change.is_some_and(|change| harm(change) > -limit))
    }

    /// Returns whether a climb that began with the deploy has gone beyond the limit by the last day before the next one,
    /// though the compared hours end earlier: a leak passes for a step somewhere on its way.
    fn goes_on(&self, blocks: &[Block], limit: f64, harm: &impl Fn(f64) -> f64) -> bool {
        let to = self.place.moment.to;
        let own: Vec<&Block> = blocks.iter().filter(|block| block.is_after).collect();
        let Some(line) = Line::through(&own).filter(|line| line.z >= SLOPE) else { return false };
        let whole = self.blocks(to, self.next_deploy(to));
        let mean = |blocks: &[&Block]| blocks.iter().map(|block| block.mean).sum::<f64>() / blocks.len() as f64;
        let (after, before): (Vec<&Block>, Vec<&Block>) = whole.iter().partition(|block| block.is_after);
        let last = after.len().checked_sub(LEAST_FOR_SLOPE).and_then(|first| after.get(first..));
        let Some(last) = last.filter(|_| !before.is_empty() && after.len() > own.len()) else { return false };
        let end = mean(last) - mean(&before);
        end * line.slope > 0.0 && harm(end) > limit
    }

    /// Returns whether what a restart freed is being filled: the values climb by more than they vary in a day.
    fn is_filling(&self, limit: f64, harm: &impl Fn(f64) -> f64) -> bool {
        let DeployWindow { from, to } = self.place.moment;
        let plain = &self.course.plain;
        let day = plain.get(from.saturating_sub(24 * PER_HOUR)..from).unwrap_or(&[]).iter();
        let day: Vec<f64> = day.copied().filter(|value| value.is_finite()).collect();
        let Some([low, high]) = describe::quantiles(&day, [0.05, 0.95]) else { return false };
        let blocks = self.blocks_of(plain, to, self.place.end());
        let means: Vec<f64> = blocks.iter().filter(|block| block.is_after).map(|block| harm(block.mean)).collect();
        let climb = means.last().zip(means.first()).map_or(0.0, |(last, first)| last - first);
        self.subject.class == Class::Saturation && climb > high - low && climbs_back(&blocks, limit, harm, true)
    }

    /// Returns the bucket of the next deploy after one, or the end of the series.
    fn next_deploy(&self, after: usize) -> usize {
        let next = self.moments.iter().map(|moment| moment.from).filter(|next| *next > after).min();
        next.unwrap_or(self.course.beside.len()).min(self.course.beside.len())
    }

    /// Returns whether harm comes back at some hours, under load or in spells although the level is the old one from a
    /// bucket on: then the change is not over.
    pub fn returns(&self, from: usize, limit: f64) -> bool {
        let direction = self.subject.direction;
        let harm = |size: f64| if direction == Polarity::Higher { -size } else { size };
        let blocks = self.blocks(from, self.next_deploy(from));
        some_part(&blocks, PARTS, |block| Some(block.part), limit, &harm, false).is_some()
            || some_load(&blocks, limit, &harm)
            || has_spells(&blocks, limit, direction)
    }

    /// Returns whether the level says nothing of the mean: many values are zero and others are not.
    fn is_mostly_zero(&self) -> bool {
        let (from, to) = (self.place.begin(), self.place.end());
        let there = self.subject.raw.get(from..to).unwrap_or(&[]).iter().filter(|value| value.is_finite());
        let (mut count, mut zeros) = (0_u32, 0_u32);
        for value in there {
            count += 1;
            zeros += u32::from(*value <= 0.0);
        }
        self.subject.class != Class::Errors && zeros < count && f64::from(zeros) > MOSTLY_ZERO * f64::from(count)
    }

    /// Returns whether the next change lies at no deploy, follows this deploy before any other, and is harm.
    fn changes_later(&self, harm: &impl Fn(f64) -> f64, limit: f64) -> bool {
        let to = self.place.moment.to;
        self.place.next().is_some_and(|next| {
            let another = self.moments.iter().any(|moment| moment.to > to && moment.to <= next.at);
            next.group.is_none() && !another && next.at - to <= LATE && harm(next.step.size) >= limit
        })
    }

    /// Returns the blocks before the deploy, and those of a stretch after it.
    fn blocks(&self, after: usize, until: usize) -> Vec<Block> {
        self.blocks_of(&self.course.beside, after, until)
    }

    fn blocks_of(&self, values: &[f64], after: usize, until: usize) -> Vec<Block> {
        let DeployWindow { from, .. } = self.place.moment;
        let mut blocks = Vec::new();
        for (begin, end, is_after) in [(self.place.begin(), from, false), (after, until, true)] {
            let mut at = begin;
            while at < end {
                let key = |bucket: usize| self.calendar.slot.get(bucket).map(|slot| slot / BLOCK_SLOTS);
                let until = (at + 1..end).find(|bucket| key(*bucket) != key(at)).unwrap_or(end);
                blocks.extend(self.block(values, at, until, is_after));
                at = until;
            }
        }
        blocks
    }

    fn block(&self, values: &[f64], begin: usize, end: usize, is_after: bool) -> Option<Block> {
        let (mut count, mut sum, mut most) = (0_usize, 0.0, 0.0_f64);
        for value in values.get(begin..end)?.iter().filter(|value| value.is_finite()) {
            count += 1;
            sum += value;
            most = if value.abs() > most.abs() { *value } else { most };
        }
        if count < LEAST_IN_BLOCK {
            return None;
        }
        let weekend = usize::from(self.calendar.day.get(begin).is_some_and(|day| *day >= 5));
        let part = usize::from(self.calendar.slot.get(begin)? / BLOCK_SLOTS);
        let loads = self.load.get(begin..end).unwrap_or(&[]);
        Some(Block {
            is_after,
            part: part + weekend * PARTS / 2,
            at: 0.5 * (begin + end) as f64,
            mean: sum / count as f64,
            most,
            load: loads.iter().sum::<f64>() / loads.len() as f64,
        })
    }
}

/// A straight line through blocks.
struct Line {
    mean: f64,
    slope: f64,
    error: f64,
    /// From the middle to the last block.
    half: f64,
    /// Standard errors that the slope is from 0.
    z: f64,
}

impl Line {
    /// Fits it by least squares; `None` for less than a day.
    fn through(blocks: &[&Block]) -> Option<Self> {
        if blocks.len() < LEAST_FOR_SLOPE {
            return None;
        }
        let count = blocks.len() as f64;
        let middle = blocks.iter().map(|block| block.at).sum::<f64>() / count;
        let mean = blocks.iter().map(|block| block.mean).sum::<f64>() / count;
        let spread: f64 = blocks.iter().map(|block| (block.at - middle).powi(2)).sum();
        let slope =
            blocks.iter().map(|block| (block.at - middle) * (block.mean - mean)).sum::<f64>() / spread.max(1e-12);
        let rest: Vec<f64> = blocks.iter().map(|block| block.mean - mean - slope * (block.at - middle)).collect();
        let square: f64 = rest.iter().map(|rest| rest * rest).sum();
        let neighbours = rest.windows(2).map(|two| two[0] * two[1]).sum::<f64>() / square.max(1e-300);
        // Blocks that move together say less: the variance of a mean of an autoregression.
        let together = ((1.0 + neighbours) / (1.0 - neighbours).max(0.1)).clamp(1.0, 6.0);
        let error = (square / (count - 2.0) * together / spread.max(1e-12)).sqrt();
        let half = blocks.last().map_or(0.0, |last| last.at - middle);
        Some(Self { mean, slope, error, half, z: (slope / error.max(1e-300)).abs() })
    }
}

/// Returns whether a straight line through the blocks after the deploy ends beyond the limit.
fn leads_beyond(blocks: &[Block], level: f64, limit: f64, harm: &impl Fn(f64) -> f64) -> bool {
    let after: Vec<&Block> = blocks.iter().filter(|block| block.is_after).collect();
    let Some(Line { mean, slope, error, half, z }) = Line::through(&after) else { return false };
    // A leak passes for slow noise in part, so the level may show less of it than the blocks do.
    let before: Vec<f64> = blocks.iter().filter(|block| !block.is_after).map(|block| block.mean).collect();
    let plain = mean - before.iter().sum::<f64>() / (before.len() as f64).max(1.0);
    let level = if harm(plain) > harm(level) { plain } else { level };
    let end = level + slope * half;
    let reach = harm(end) + 1.96 * error * half;
    harm(slope * half) > 0.0 && ((z >= SLOPE_BEYOND && harm(end) > limit) || (z >= SLOPE && reach > limit))
}

/// Returns whether an improvement is being used up: a straight line through the blocks after the deploy comes back to within
/// the limit of the level before, or, of what fills (`fills`), by a third of the way. What fills up again after a restart
/// did not become better, also if the next deploy comes first.
fn climbs_back(blocks: &[Block], limit: f64, harm: &impl Fn(f64) -> f64, fills: bool) -> bool {
    let before: Vec<f64> = blocks.iter().filter(|block| !block.is_after).map(|block| block.mean).collect();
    let after: Vec<&Block> = blocks.iter().filter(|block| block.is_after).collect();
    let Some(line) = Line::through(&after).filter(|_| !before.is_empty()) else { return false };
    let middle = line.mean - before.iter().sum::<f64>() / before.len() as f64;
    let [start, end] = [-1.0, 1.0].map(|side| harm(middle + side * line.slope * line.half));
    end > start && line.z >= SLOPE && (end > -limit || fills && end - start > -start / 3.0)
}

/// Returns why a part of the hours may hide harm; `None` if none can.
///
/// `part_of`: the part of a block, below `parts`. `is_whole`: besides parts that differ, all must be known well.
///
/// # Source
/// Every part must be within its limit (intersection-union: R. L. Berger and J. C. Hsu, Statistical Science 11 (1996),
/// 283–319), each drawn towards their mean by as much as they scatter no more than chance (R. DerSimonian and N. Laird,
/// Controlled Clinical Trials 7 (1986), 177–188).
fn some_part(
    blocks: &[Block],
    parts: usize,
    part_of: impl Fn(&Block) -> Option<usize>,
    limit: f64,
    harm: &impl Fn(f64) -> f64,
    is_whole: bool,
) -> Option<Reason> {
    let mut sums = vec![[(0.0, 0.0, 0.0); 2]; parts];
    for block in blocks {
        if let Some(sum) = part_of(block).and_then(|part| sums.get_mut(part)) {
            let (count, total, squares) = &mut sum[usize::from(block.is_after)];
            *count += 1.0;
            *total += block.mean;
            *squares += block.mean * block.mean;
        }
    }
    let (mut square, mut freedom) = (0.0, 0.0);
    for (count, total, squares) in sums.iter().flatten().filter(|(count, ..)| *count > 1.0) {
        square += (squares - total * total / count).max(0.0);
        freedom += count - 1.0;
    }
    if freedom < 3.0 {
        return is_whole.then_some(Reason::FewHours);
    }
    let variance = (square / freedom).max(1e-18);
    let usual: f64 = sums.iter().map(|[before, _]| before.0).sum();
    let known: Vec<&[(f64, f64, f64); 2]> = sums.iter().filter(|[b, a]| b.0 >= 1.0 && a.0 >= 1.0).collect();
    let seen: f64 = known.iter().map(|[before, _]| before.0).sum();
    if is_whole && seen < LEAST_KNOWN * usual {
        return Some(Reason::FewHours);
    }
    let effects: Vec<(f64, f64)> =
        known.iter().map(|[b, a]| (a.1 / a.0 - b.1 / b.0, variance * (1.0 / a.0 + 1.0 / b.0))).collect();
    let weight: f64 = effects.iter().map(|(_, variance)| 1.0 / variance).sum();
    let mean = effects.iter().map(|(effect, variance)| effect / variance).sum::<f64>() / weight.max(1e-300);
    let scatter: f64 = effects.iter().map(|(effect, variance)| (effect - mean).powi(2) / variance).sum();
    let squares: f64 = effects.iter().map(|(_, variance)| variance.powi(-2)).sum();
    let between =
        ((scatter - (effects.len() as f64 - 1.0)) / (weight - squares / weight.max(1e-300)).max(1e-300)).max(0.0);
    for (effect, variance) in &effects {
        let own = 1.0 / variance;
        let others = weight - own;
        if others > 0.0 {
            let rest = (mean * weight - effect * own) / others;
            let z = harm(effect - rest) / (variance + 1.0 / others).sqrt();
            if z > APART && harm(*effect) + 1.96 * variance.sqrt() > limit {
                return Some(Reason::SomeHours);
            }
        }
        let kept = between / (between + variance);
        let drawn = mean + kept * (effect - mean);
        let error = (kept * variance + (1.0 - kept).powi(2) / weight).sqrt();
        if is_whole && harm(drawn) + 1.96 * error > MOST_HIDDEN * limit {
            return Some(Reason::SomeHours);
        }
    }
    None
}

/// Returns whether harm shows in a third of the load.
fn some_load(blocks: &[Block], limit: f64, harm: &impl Fn(f64) -> f64) -> bool {
    let loads: Vec<f64> = blocks.iter().map(|block| block.load).filter(|load| load.is_finite()).collect();
    let thirds = describe::quantiles(&loads, [1.0 / 3.0, 2.0 / 3.0]).filter(|[low, high]| low < high);
    let Some([low, high]) = thirds else { return false };
    let third = |block: &Block| {
        let above = usize::from(block.load > low) + usize::from(block.load > high);
        block.load.is_finite().then_some(above)
    };
    some_part(blocks, 3, third, limit, harm, false).is_some()
}

/// Returns whether blocks with a bad quarter hour became more than chance makes of those before.
fn has_spells(blocks: &[Block], limit: f64, direction: Polarity) -> bool {
    let bad = |block: &Block| match direction {
        Polarity::Higher => -block.most,
        Polarity::Lower | Polarity::Neutral => block.most,
    };
    let before: Vec<f64> = blocks.iter().filter(|block| !block.is_after).map(bad).collect();
    let Some(usual) = describe::quantile(&before, BAD) else { return false };
    let far = usual.max(limit);
    let after = blocks.iter().filter(|block| block.is_after).count() as f64;
    let seen = blocks.iter().filter(|block| block.is_after && bad(block) > far).count();
    let expected = after * (before.iter().filter(|value| **value > far).count() as f64 + 0.5) / before.len() as f64;
    seen >= 3 && at_least(seen, expected) < RARE
}

/// Returns the probability of at least `seen` events where `expected` are: Poisson's.
fn at_least(seen: usize, expected: f64) -> f64 {
    let (mut term, mut below) = ((-expected).exp(), 0.0);
    for k in 0..seen {
        below += term;
        term *= expected / (k as f64 + 1.0);
    }
    (1.0 - below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three weeks of blocks, noise of ±0.01, changed after the second week by `change(part, day after)`.
    fn blocks(change: impl Fn(usize, f64) -> f64) -> Vec<Block> {
        let block = |index: usize| {
            let day = index / 6;
            let part = index % 6 + if day % 7 >= 5 { 6 } else { 0 };
            let is_after = day >= 14;
            let noise = ((index * 7919) % 101) as f64 / 5000.0 - 0.01;
            let mean = noise + if is_after { change(part, day as f64 - 14.0) } else { 0.0 };
            Block { is_after, part, at: index as f64 * 16.0, mean, most: mean, load: f64::NAN }
        };
        (0..21 * 6).map(block).collect()
    }

    fn parts(blocks: &[Block]) -> Option<Reason> {
        some_part(blocks, PARTS, |block| Some(block.part), 0.1, &f64::abs, true)
    }

    #[test]
    fn harm_in_the_evening_alone_is_not_ruled_out_by_the_mean() {
        assert_eq!(parts(&blocks(|_, _| 0.0)), None);
        assert_eq!(parts(&blocks(|part, _| if part % 6 == 5 { 0.3 } else { 0.0 })), Some(Reason::SomeHours));
        assert_eq!(parts(&blocks(|part, _| if part >= 6 { 0.3 } else { 0.0 })), Some(Reason::SomeHours));
    }

    #[test]
    fn a_climb_that_leads_beyond_the_limit_is_not_ruled_out_by_its_middle() {
        let climb = |daily: f64| leads_beyond(&blocks(|_, day| daily * day), daily * 3.5, 0.1, &f64::abs);
        assert!(!climb(0.0) && !climb(0.005), "within the limit at its end");
        assert!(climb(0.03));
    }

    #[test]
    fn what_fills_up_again_did_not_become_better() {
        let limit = 0.1;
        let tooth = |daily: f64, fills: bool| {
            climbs_back(&blocks(|_, day| (daily * day - 0.4).min(0.0)), limit, &|size| size, fills)
        };
        assert!(!tooth(0.0, false) && !tooth(0.0, true), "it stays");
        assert!(!tooth(0.01, true) && !tooth(0.03, false), "most of it stays");
        assert!(tooth(0.03, true), "half of the memory is used again");
        assert!(tooth(0.06, false), "a week later it is full again");
        assert!(!climbs_back(&blocks(|_, day| -0.06 * day), limit, &|size| size, true), "it becomes better and better");
    }

    #[test]
    fn spells_that_leave_the_mean_alone_count() {
        let mut some = blocks(|_, _| 0.0);
        assert!(!has_spells(&some, 0.1, Polarity::Lower));
        for block in some.iter_mut().filter(|block| block.is_after).step_by(6) {
            block.most = 0.7;
        }
        assert!(has_spells(&some, 0.1, Polarity::Lower));
    }
}
