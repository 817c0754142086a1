//! The rule that turns an estimate, its interval and the limit into a verdict. Nothing else enters.

use crate::model::effect::Estimate;
use crate::model::metric::Polarity;
use crate::model::verdict::Verdict;

/// Returns the verdict of the contract's table, before multiplicity, location and rivals are looked at.
///
/// `estimate`: **as measured** (positive: the value went up), log ratio or difference, in the unit of `limit`.
/// `limit`: the change that matters, above 0; infinite if none could. For a neutral direction the question is only
/// whether it moved: never worse or better.
pub fn rule(estimate: Estimate, limit: f64, direction: Polarity) -> Verdict {
    let (e, low, high) = match direction {
        Polarity::Lower => (estimate.value, estimate.low, estimate.high),
        Polarity::Higher => (-estimate.value, -estimate.high, -estimate.low),
        Polarity::Neutral => {
            return if estimate.low >= -limit && estimate.high <= limit {
                Verdict::NoMaterialChange
            } else if estimate.low > 0.0 || estimate.high < 0.0 {
                // It moved, and there is no bad direction.
                Verdict::NotWorse
            } else {
                Verdict::Inconclusive
            };
        }
    };
    if high < 0.0 && e <= -limit {
        Verdict::Better
    } else if low >= -limit && high <= limit {
        Verdict::NoMaterialChange
    } else if high <= limit {
        Verdict::NotWorse
    } else if low > 0.0 && e >= limit {
        Verdict::Worse
    } else if low > 0.0 {
        Verdict::PossiblyWorse
    } else {
        Verdict::Inconclusive
    }
}

/// Returns the verdict that is left of an alarm which fell to multiplicity, location or coverage.
pub fn without_alarm(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Worse => Verdict::PossiblyWorse,
        Verdict::Better => Verdict::NotWorse,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value, low, high }
    }

    #[test]
    fn each_row_of_the_table() {
        let rows = [
            (-0.2, -0.3, -0.1, Verdict::Better),
            (0.01, -0.05, 0.05, Verdict::NoMaterialChange),
            (-0.08, -0.2, 0.03, Verdict::NotWorse),
            (0.2, 0.1, 0.3, Verdict::Worse),
            (0.08, 0.01, 0.15, Verdict::PossiblyWorse),
            (0.05, -0.1, 0.2, Verdict::Inconclusive),
        ];
        for (e, low, high, want) in rows {
            assert_eq!(rule(estimate(e, low, high), 0.1, Polarity::Lower), want, "{e} [{low}, {high}]");
        }
    }

    /// The table's conditions, each as it stands, in order.
    fn rows(e: f64, l: f64, u: f64, d: f64) -> [bool; 6] {
        [u < 0.0 && e <= -d, l >= -d && u <= d, u <= d, l > 0.0 && e >= d, l > 0.0, true]
    }

    proptest! {
        #[test]
        fn every_input_has_the_first_row_that_fits(e in -1.0..1.0f64, a in 0.0..1.0f64, b in 0.0..1.0f64, d in 0.001..0.5f64) {
            let order = [Verdict::Better, Verdict::NoMaterialChange, Verdict::NotWorse, Verdict::Worse, Verdict::PossiblyWorse, Verdict::Inconclusive];
            let first = rows(e, e - a, e + b, d).iter().position(|fits| *fits).expect("the last row always fits");
            prop_assert_eq!(rule(estimate(e, e - a, e + b), d, Polarity::Lower), order[first]);
        }

        #[test]
        fn higher_is_better_is_the_mirror(e in -1.0..1.0f64, a in 0.0..1.0f64, b in 0.0..1.0f64, d in 0.001..0.5f64) {
            let one = rule(estimate(e, e - a, e + b), d, Polarity::Lower);
            let other = rule(estimate(-e, -e - b, -e + a), d, Polarity::Higher);
            prop_assert_eq!(one, other);
        }

        #[test]
        fn traffic_is_never_worse_or_better(e in -1.0..1.0f64, a in 0.0..1.0f64, b in 0.0..1.0f64, d in 0.001..0.5f64) {
            prop_assert!(!rule(estimate(e, e - a, e + b), d, Polarity::Neutral).is_alarm());
        }

        #[test]
        fn no_material_change_rules_the_limit_out(e in -1.0..1.0f64, a in 0.0..1.0f64, b in 0.0..1.0f64, d in 0.001..0.5f64) {
            if rule(estimate(e, e - a, e + b), d, Polarity::Lower) == Verdict::NoMaterialChange {
                prop_assert!(e - a >= -d && e + b <= d);
            }
        }
    }
}
