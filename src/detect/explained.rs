//! What every explanation of a change besides the deploy has in common: which changes ask for one, and how what explains
//! a change is taken out of it.

use super::blame::LEAST_BLAME;
use super::{Comparison, Confounder, Estimate, Verdict};

/// A change from this share of what matters on asks for an explanation.
const LEAST_SIZE: f64 = 0.5;

impl Comparison {
    /// Returns the estimate that was judged and the limit that it was held against, on one scale.
    pub fn judged(&self) -> Option<(Estimate, f64)> {
        match (self.delta, self.limit_delta, self.log_ratio) {
            (Some(delta), Some(limit), _) => Some((delta, limit)),
            (_, _, Some(ratio)) => Some((ratio, self.limit)),
            _ => None,
        }
    }

    /// Returns the size of the change in limits: 1 is what matters; 0 if nothing is known.
    pub fn size_in_limits(&self) -> f64 {
        self.judged().map_or(0.0, |(estimate, limit)| estimate.value.abs() / limit)
    }

    /// Tells whether the step was located at this deploy; only such steps are its own.
    pub fn is_located(&self) -> bool {
        self.pattern.is_some() && self.blame.is_some_and(|blame| blame >= LEAST_BLAME)
    }

    /// Tells whether it changed here by about what matters, so that it is worth asking what explains it.
    pub fn is_located_change(&self) -> bool {
        let moved = matches!(self.verdict, Verdict::Worse | Verdict::Better | Verdict::PossiblyWorse);
        moved && self.is_located() && self.size_in_limits() >= LEAST_SIZE
    }

    /// Takes out what explains the change: the estimate becomes what is left, the plain change what was seen.
    ///
    /// `amount`: on the judged scale. `error`: half the width of its 95 % interval.
    pub fn take_out(&mut self, rival: Confounder, amount: f64, error: f64) {
        let less = |estimate: Estimate, amount: f64| {
            let value = estimate.value - amount;
            let side = |end: f64| (end - estimate.value).hypot(error);
            Estimate { value, low: value - side(estimate.low), high: value + side(estimate.high) }
        };
        self.verdict = Verdict::Explained;
        self.explained_by = Some(rival);
        if let (Some(delta), Some(_)) = (self.delta, self.limit_delta) {
            let left = less(delta, amount);
            self.plain_delta = Some(delta.value);
            self.plain_log_ratio = self.log_ratio.map(|ratio| ratio.value);
            self.delta = Some(left);
            // A ratio to what was there before, where that is not nothing.
            self.log_ratio = self.before.filter(|before| *before > 0.0).and_then(|before| {
                let [value, low, high] = [left.value, left.low, left.high].map(|delta| (delta / before).ln_1p());
                [value, low, high].iter().all(|end| end.is_finite()).then_some(Estimate { value, low, high })
            });
            self.after = self.before.map(|before| (before + left.value).max(0.0));
        } else if let Some(ratio) = self.log_ratio {
            let left = less(ratio, amount);
            self.plain_log_ratio = Some(ratio.value);
            self.log_ratio = Some(left);
            self.after = self.before.map(|before| before * left.value.exp());
        }
    }
}
