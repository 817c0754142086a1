//! Control of the false discovery rate over many tests.

/// Returns the adjusted p (q) of each p: the smallest rate at which it would be a discovery.
///
/// `p_values`: each within 0 to 1, any order; the result has the same order. Monotone in p, never below p,
/// at most 1.
///
/// # Source
/// Y. Benjamini and Y. Hochberg, J. R. Statist. Soc. B 57 (1995), 289–300; valid too for tests that depend
/// positively on each other (Benjamini and Yekutieli 2001), as quantiles of one endpoint do. Checked with
/// SciPy `false_discovery_control(method="bh")`: `sample-data/stats/fdr.json`.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let count = p_values.len() as f64;
    let mut q_values = vec![1.0; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (rank, index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[*index] * count / (rank + 1) as f64);
        // p · n / n may round to just below p.
        q_values[*index] = smallest.max(p_values[*index]);
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.false_discovery_control([0.01, 0.04, 0.03, 0.005, 0.55])
        let got = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005, 0.55]);
        for (got, want) in got.iter().zip([0.025, 0.05, 0.05, 0.025, 0.55]) {
            assert!((got - want).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn never_below_p_and_in_the_same_order(p in prop::collection::vec(0.0..=1.0f64, 0..50)) {
            let q = benjamini_hochberg(&p);
            for i in 0..p.len() {
                prop_assert!(q[i] >= p[i] && q[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || q[i] <= q[j]);
                }
            }
        }
    }
}
