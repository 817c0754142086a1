//! What every explanation of a change besides the deploy has in common: which changes ask for one, and how what explains
//! a change is taken out of it.

use super::verdict;
use crate::detect::attribution::posterior::{LEAST_ATTRIBUTION, RIVAL};
use crate::detect::evidence::{Evidence, Withdrawal};
use crate::detect::judgement::Comparison;
use crate::model::effect::{AdjustmentEvidence, Effect, Estimate};
use crate::model::metric::Polarity;
use crate::model::verdict::{Confounder, Reason, Verdict};

/// A change from this share of what matters on asks for an explanation.
const LEAST_SIZE: f64 = 0.5;

impl Comparison {
    /// Returns the estimate that was judged, on the effect's scale.
    pub fn estimate(&self) -> Option<Estimate> {
        self.effect.as_ref().map(|effect| effect.estimate)
    }

    /// Returns the log ratio of a change that was judged by it.
    pub fn log_ratio(&self) -> Option<Estimate> {
        self.effect.as_ref().and_then(|effect| effect.scaled().log_ratio())
    }

    /// Returns the size of the change in limits: 1 is what matters; 0 if nothing is known.
    pub fn size_in_limits(&self) -> f64 {
        self.effect.as_ref().map_or(0.0, Effect::size_in_limits)
    }

    /// Returns whether the step was located at this deploy and no other one is nearly as likely; only such steps are its
    /// own.
    pub fn is_located(&self) -> bool {
        let is_alone = |blame: f64| {
            let shares = self.evidence.attribution.iter().flat_map(|attribution| &attribution.groups);
            shares.filter(|(_, share)| *share >= RIVAL * blame).count() <= 1
        };
        self.pattern.is_some() && self.blame.is_some_and(|blame| blame >= LEAST_ATTRIBUTION && is_alone(blame))
    }

    /// Returns whether it moved for sure, whatever explains it.
    pub fn has_moved(&self) -> bool {
        matches!(self.verdict, Verdict::Worse | Verdict::Better | Verdict::PossiblyWorse | Verdict::Explained)
    }

    /// Returns whether it changed here by about what matters, so that it is worth asking what explains it.
    pub fn is_located_change(&self) -> bool {
        self.has_moved()
            && self.verdict != Verdict::Explained
            && self.is_located()
            && self.size_in_limits() >= LEAST_SIZE
    }

    /// Writes the table's line for the effect as it stands down, and makes it the verdict.
    pub fn rule(&mut self, direction: Polarity) {
        let line = self.effect.as_ref().map(|effect| verdict::rule(effect.estimate, effect.limit, direction));
        self.evidence.table = line;
        self.evidence.table_unadjusted = line;
        self.verdict = line.unwrap_or(self.verdict);
        self.withhold();
    }

    /// Makes no claim of absence while a check of the shape leaves harm open.
    pub fn withhold(&mut self) {
        let is_absence = matches!(self.verdict, Verdict::NoMaterialChange | Verdict::NotWorse);
        let is_lost = self.verdict == Verdict::Better && self.reason == Some(Reason::Slope);
        if self.reason.is_some() && (is_absence || is_lost) {
            self.verdict = Verdict::Inconclusive;
        }
    }

    /// Takes everything back that was concluded from values whose unit is in doubt.
    pub fn doubt_units(&mut self) {
        if matches!(self.verdict, Verdict::NoData | Verdict::TooEarly) {
            return;
        }
        (self.verdict, self.reason) = (Verdict::Inconclusive, Some(Reason::Units));
        (self.effect, self.explained_by, self.pattern, self.burst) = (None, None, None, None);
        (self.before, self.after, self.p_value, self.onset) = (None, None, None, None);
        (self.blame, self.cost_s) = (None, None);
        self.evidence = Evidence { bounds: self.evidence.bounds.clone(), ..Evidence::default() };
    }

    /// Says that something other than the deploy explains the change.
    pub fn explain(&mut self, by: Confounder) {
        self.verdict = Verdict::Explained;
        self.explained_by = Some(by);
        self.evidence.withdrawn.push(Withdrawal::Explained);
    }

    /// Takes out what explains the change: the estimate becomes what is left.
    ///
    /// `amount`: on the effect's scale. `error`: half the width of its 95 % interval.
    pub fn adjust(&mut self, evidence: AdjustmentEvidence, amount: f64, error: f64, direction: Polarity) {
        self.explain(evidence.confounder());
        let Some(effect) = &mut self.effect else { return };
        effect.adjust(evidence, amount, error, self.before);
        self.evidence.table = Some(verdict::rule(effect.estimate, effect.limit, direction));
        let after = |before: f64| effect.scale.after(before, effect.estimate.value);
        self.after =
            self.before.map(after).map(|after| if effect.scale.is_difference() { after.max(0.0) } else { after });
    }
}
