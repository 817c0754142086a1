//! Shares of failed requests: exact intervals for counts, where normal ones are wrong.

use statrs::function::beta::beta_reg;

use super::distribution;

/// Failures among requests in two spans.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Failures before and after; may be fractional once scaled by over-dispersion.
    pub failed: [f64; 2],
    /// Requests before and after.
    pub requests: [f64; 2],
}

impl Counts {
    /// Returns the shares before and after; 0 where there was no request.
    pub fn shares(&self) -> [f64; 2] {
        [0, 1].map(|k| if self.requests[k] > 0.0 { self.failed[k] / self.requests[k] } else { 0.0 })
    }

    /// Returns the counts that carry the same information without over-dispersion: each side divided by its own.
    pub fn thinned(&self, dispersion: [f64; 2]) -> Self {
        let thin = |numbers: [f64; 2]| [0, 1].map(|k| numbers[k] / dispersion[k].max(1.0));
        Self { failed: thin(self.failed), requests: thin(self.requests) }
    }
}

/// Returns the two-sided mid-p of equal shares.
///
/// Given all failures, those after are binomial with the share of requests after (rare failures).
/// 1 when there is no failure or no request on one side.
///
/// # Source
/// J. Przyborowski and H. Wilenski, Biometrika 31 (1940), 313–323; mid-p after H. O. Lancaster, JASA 56 (1961).
/// Checked with SciPy `binom`: `sample-data/stats/counts.json`.
pub fn equal_shares_p(counts: &Counts) -> f64 {
    let total = counts.failed[0] + counts.failed[1];
    let all = counts.requests[0] + counts.requests[1];
    if total <= 0.0 || counts.requests.iter().any(|n| *n <= 0.0) {
        return 1.0;
    }
    let share = counts.requests[1] / all;
    let above = upper_mid(counts.failed[1], total, share);
    (2.0 * above.min(1.0 - above)).clamp(0.0, 1.0)
}

/// Returns the 95 % interval of the ratio of the shares, after over before; `[0, ∞]` without failures.
///
/// # Source
/// The binomial share of failures that lie after, by mid-p inversion (G. Berry and P. Armitage, The
/// Statistician 44 (1995), 417–423), turned into a ratio of rates. Checked with SciPy `binom` solved by
/// `brentq`: `sample-data/stats/counts.json`.
pub fn ratio_interval(counts: &Counts) -> [f64; 2] {
    let total = counts.failed[0] + counts.failed[1];
    if total <= 0.0 || counts.requests.iter().any(|n| *n <= 0.0) {
        return [0.0, f64::INFINITY];
    }
    let exposure = counts.requests[0] / counts.requests[1];
    let ratio = |share: f64| share / (1.0 - share).max(f64::MIN_POSITIVE) * exposure;
    let low = if counts.failed[1] <= 0.0 {
        0.0
    } else {
        ratio(solve(|share| upper_mid(counts.failed[1], total, share), 0.025))
    };
    let high = if counts.failed[0] <= 0.0 {
        f64::INFINITY
    } else {
        ratio(solve(|share| upper_mid(counts.failed[1], total, share), 0.975))
    };
    [low, high]
}

/// Returns the 95 % interval of the difference of the shares, after minus before.
///
/// # Source
/// Each share's Wilson interval, joined by the square-and-add rule: R. G. Newcombe, Statistics in Medicine 17
/// (1998), 873–890, method 10. Checked with statsmodels `confint_proportions_2indep(method="newcomb")`:
/// `sample-data/stats/counts.json`.
pub fn difference_interval(counts: &Counts) -> [f64; 2] {
    let [p0, p1] = counts.shares();
    let [l0, u0] = wilson(counts.failed[0], counts.requests[0]);
    let [l1, u1] = wilson(counts.failed[1], counts.requests[1]);
    let difference = p1 - p0;
    [difference - (p1 - l1).hypot(u0 - p0), difference + (u1 - p1).hypot(p0 - l0)]
}

/// Returns Wilson's 95 % interval of a share; `[0, 1]` without requests.
///
/// # Source
/// E. B. Wilson, JASA 22 (1927), 209–212. Checked with statsmodels `proportion_confint(method="wilson")`:
/// `sample-data/stats/counts.json`.
pub fn wilson(failed: f64, requests: f64) -> [f64; 2] {
    if requests <= 0.0 {
        return [0.0, 1.0];
    }
    let z = distribution::quantile(0.975, f64::INFINITY);
    let share = (failed / requests).clamp(0.0, 1.0);
    let centre = share + z * z / (2.0 * requests);
    let half = z * (share * (1.0 - share) / requests + z * z / (4.0 * requests * requests)).sqrt();
    let scale = 1.0 + z * z / requests;
    [((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)]
}

/// P(X > k) + P(X = k) / 2 for X binomial, continued to fractional counts by the beta function.
fn upper_mid(k: f64, total: f64, share: f64) -> f64 {
    // P(X >= k) = I_share(k, total - k + 1).
    let at_least = |k: f64| {
        if k <= 0.0 {
            1.0
        } else if k >= total + 1.0 {
            // Not `k > total`: under one failure before leaves a fraction of a chance, not none.
            0.0
        } else {
            beta_reg(k, total - k + 1.0, share.clamp(0.0, 1.0))
        }
    };
    0.5 * (at_least(k) + at_least(k + 1.0))
}

/// Finds the share at which an increasing function reaches `target`.
///
/// # Source
/// The Illinois form of false position: M. Dowell and P. Jarratt, BIT 11 (1971), 168–174.
fn solve(rising: impl Fn(f64) -> f64, target: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    let (mut below, mut above) = (-target, 1.0 - target);
    for _ in 0..60 {
        let share = (low * above - high * below) / (above - below);
        // Near the ends false position creeps; half-way steps keep it moving.
        let share = if share > low && share < high { share } else { 0.5 * (low + high) };
        let error = rising(share) - target;
        if error.abs() < 1e-9 || high - low < 1e-14 {
            return share;
        }
        if error < 0.0 {
            (low, below) = (share, error);
            above *= 0.5;
        } else {
            (high, above) = (share, error);
            below *= 0.5;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(failed: [f64; 2], requests: [f64; 2]) -> Counts {
        Counts { failed, requests }
    }

    #[test]
    fn mid_p_agrees_with_scipy() {
        // a = binom.sf(14, 19, 0.5) ; b = binom.sf(13, 19, .5); above = (a + b) / 2 with k = 14; p = 2 * above
        // scipy 1.16: binom.sf(14,19,.5) = 0.009605407714843750, binom.sf(13,19,.5) = 0.031784057617187500
        let got = equal_shares_p(&counts([5.0, 14.0], [1000.0, 1000.0]));
        assert!((got - 0.041_389_465_332_031_25).abs() < 1e-9, "{got}");
        assert!((equal_shares_p(&counts([0.0, 0.0], [10.0, 10.0])) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn wilson_agrees_with_statsmodels() {
        // proportion_confint(8, 100, method="wilson") -> (0.04109, 0.15000)
        let [low, high] = wilson(8.0, 100.0);
        assert!((low - 0.041_092_2).abs() < 1e-5 && (high - 0.150_022_5).abs() < 1e-4, "{low} {high}");
    }

    #[test]
    fn no_failures_bound_the_share() {
        let [low, high] = difference_interval(&counts([0.0, 0.0], [10_000.0, 10_000.0]));
        assert!(low < 0.0 && high < 0.0004 && high > 0.0003);
        let [low, high] = ratio_interval(&counts([0.0, 0.0], [1.0, 1.0]));
        assert!(low.abs() < f64::MIN_POSITIVE && high.is_infinite());
    }

    proptest! {
        #[test]
        fn swapping_the_spans_mirrors(a in 0u32..200, b in 0u32..200, n in 200u32..100_000, m in 200u32..100_000) {
            let one = counts([f64::from(a), f64::from(b)], [f64::from(n), f64::from(m)]);
            let two = counts([f64::from(b), f64::from(a)], [f64::from(m), f64::from(n)]);
            prop_assert!((equal_shares_p(&one) - equal_shares_p(&two)).abs() < 1e-9);
            let ([l, u], [x, y]) = (difference_interval(&one), difference_interval(&two));
            prop_assert!((l + y).abs() < 1e-12 && (u + x).abs() < 1e-12);
            let ([l, u], [x, y]) = (ratio_interval(&one), ratio_interval(&two));
            prop_assert!(l <= u);
            if l > 0.0 { prop_assert!((l * y - 1.0).abs() < 1e-6); }
            if x > 0.0 { prop_assert!((x * u - 1.0).abs() < 1e-6); }
        }
    }
}
