//! Exact intervals for a count among independent trials.

use statrs::function::beta::beta_reg;

/// Returns the 95 % interval of the probability behind `hits` of `trials`; `[0, 1]` without a trial.
///
/// Exact: it holds the truth in at least 95 of 100 cases, whatever it is. `hits` above `trials` count as all.
///
/// # Source
/// C. J. Clopper and E. S. Pearson, Biometrika 26 (1934), 404–413. Checked with sums of binomial terms, bisected.
pub fn exact_interval(hits: usize, trials: usize) -> [f64; 2] {
    if trials == 0 {
        return [0.0, 1.0];
    }
    let hits = hits.min(trials);
    let (k, n) = (hits as f64, trials as f64);
    // The chance of at least k hits grows with p, that of at most k falls.
    let low = if hits == 0 { 0.0 } else { solve(|p| beta_reg(k, n - k + 1.0, p), 0.025) };
    let high = if hits == trials { 1.0 } else { solve(|p| beta_reg(k + 1.0, n - k, p), 0.975) };
    [low, high]
}

/// Finds where an increasing function on [0, 1] reaches a level.
fn solve(function: impl Fn(f64) -> f64, level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Halving 60 times leaves less than a rounding error.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if function(middle) < level { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_agree_with_sums_of_binomial_terms() {
        // Python: bisection on sum(comb(n, i) * p**i * (1 - p)**(n - i)).
        for (hits, trials, low, high) in [
            (0, 1000, 0.0, 0.003_682_083_896_865_672),
            (3, 1000, 0.000_619_099_931_649_602_6, 0.008_742_023_238_478_336),
            (10, 10, 0.691_502_892_181_239, 1.0),
        ] {
            let [got_low, got_high] = exact_interval(hits, trials);
            assert!(
                (got_low - low).abs() < 1e-8 && (got_high - high).abs() < 1e-8,
                "{hits}/{trials}: {got_low} {got_high}"
            );
        }
    }

    #[test]
    fn no_trial_says_nothing() {
        assert_eq!(exact_interval(0, 0).map(|end| end.to_bits()), [0.0_f64, 1.0].map(f64::to_bits));
    }
}
