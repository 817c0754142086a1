//! Tail probabilities and quantiles of the normal and Student's t, from `statrs`.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Degrees of freedom from which Student's t is taken as normal: the 97.5 % points differ by 0.1 %.
const NORMAL_FROM: f64 = 1200.0;

/// Returns the two-sided p of a t statistic; 1 for NaN.
///
/// `df`: degrees of freedom, above 0; infinite means normal.
///
/// # Source
/// Student, Biometrika 6 (1908), 1–25. Checked with SciPy `2 * t.sf(abs(x), df)`: `sample-data/stats/distribution.json`.
pub fn two_sided_p(statistic: f64, df: f64) -> f64 {
    if statistic.is_nan() {
        return 1.0;
    }
    2.0 * lower_tail(-statistic.abs(), df)
}

/// Returns the probability that a t variable with `df` degrees of freedom lies below `x`.
pub fn lower_tail(x: f64, df: f64) -> f64 {
    if df < NORMAL_FROM
        && let Ok(t) = StudentsT::new(0.0, 1.0, df.max(1.0))
    {
        return t.cdf(x);
    }
    0.5 * statrs::function::erf::erfc(-x / std::f64::consts::SQRT_2)
}

/// Returns the value below which a t variable with `df` degrees of freedom lies with probability `share`.
///
/// # Source
/// Checked with SciPy `t.ppf(share, df)`: `sample-data/stats/distribution.json`.
pub fn quantile(share: f64, df: f64) -> f64 {
    if df < NORMAL_FROM
        && let Ok(t) = StudentsT::new(0.0, 1.0, df.max(1.0))
    {
        return t.inverse_cdf(share);
    }
    Normal::standard().inverse_cdf(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_agree_with_scipy() {
        // scipy 1.16: 2*t.sf(2.5, 10) = 0.03144684, 2*norm.sf(4) = 6.334248e-05, t.ppf(.975, 5) = 2.570582
        assert!((two_sided_p(-2.5, 10.0) - 0.031_446_844).abs() < 1e-8);
        assert!((two_sided_p(4.0, f64::INFINITY) / 6.334_248_366_623_984e-5 - 1.0).abs() < 1e-9);
        assert!((quantile(0.975, 5.0) - 2.570_581_835_636_314).abs() < 1e-7);
        assert!((quantile(0.975, f64::INFINITY) - 1.959_963_984_540_054).abs() < 1e-9);
    }

    #[test]
    fn nan_is_no_evidence() {
        assert!((two_sided_p(f64::NAN, 10.0) - 1.0).abs() < f64::EPSILON);
    }
}
