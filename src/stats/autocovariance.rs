//! How noise hangs together over time: a mixture of two autoregressions, fitted to autocovariances.

use super::linalg;

/// Lags, in samples, whose autocovariance is fitted: dense where a lag tells much, to one day of quarter hours.
const LAGS: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 56, 88, 136, 192];

/// Time constants tried for the fast part, in samples.
const FAST: [f64; 7] = [1.5, 3.0, 5.0, 8.0, 12.0, 18.0, 28.0];

/// Time constants tried for the slow part, in samples of a quarter hour: a day, and four.
const SLOW: [f64; 2] = [96.0, 384.0];

/// Pairs that a lag needs to be heard.
const LEAST_PAIRS: f64 = 24.0;

/// Variance of a stationary noise, by how fast it forgets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseFit {
    /// Share of the fast part kept from one sample to the next.
    pub fast_phi: f64,
    /// Variance of the fast part.
    pub fast_variance: f64,
    /// Share of the slow part kept from one sample to the next.
    pub slow_phi: f64,
    /// Variance of the slow part.
    pub slow_variance: f64,
    /// Variance that no neighbouring sample shares.
    pub white_variance: f64,
}

/// What was taken out of residuals before their noise is measured; it took some of the noise with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TakenOut {
    /// Lengths of the stretches whose own level was taken out, in samples; empty if none was.
    pub stretches: Vec<usize>,
    /// Numbers that a recurring course was described with, for each sample; 0 if none was taken out.
    pub slots: f64,
}

impl TakenOut {
    /// Returns the share of an autoregression's variance that went with the levels of the stretches: the mean of its
    /// correlations inside a stretch.
    fn share(&self, constant: f64) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for length in self.stretches.iter().map(|length| *length as f64).filter(|length| *length > 0.0) {
            let ratio = constant / length;
            sum += length * 2.0 * ratio * (1.0 - ratio * (1.0 - (-1.0 / ratio).exp()));
            total += length;
        }
        if total > 0.0 { (sum / total).min(MOST_TAKEN) } else { 0.0 }
    }
}

/// No more than this share of a part's variance is taken to have gone with the levels: what is left says too little.
const MOST_TAKEN: f64 = 0.8;

/// Fits white noise plus two first-order autoregressions to residuals.
///
/// `residuals`: centred at 0, one a sample, NaN is missing; outliers should be clipped before. `weights`: one a
/// sample, at or above 0. `taken`: what was estimated from the same samples and taken out. `None` unless two lags have
/// at least 24 pairs. All variances have the square of the residuals' unit.
///
/// # Source
/// Method of moments: the autocovariance of a sum of independent AR(1) processes is the sum of
/// `variance · exp(-lag / constant)` (G. E. P. Box and G. M. Jenkins, Time Series Analysis, 3.2). The two
/// variances are found by non-negative least squares for each time constant in a fixed list; the best wins. Checked
/// with the same moments in NumPy and SciPy `nnls`: `sample-data/stats/autocovariance.json`.
pub fn fit_noise(residuals: &[f64], weights: &[f64], taken: &TakenOut) -> Option<NoiseFit> {
    let products = Products::new(residuals, weights);
    let variance = products.at(0)?.0;
    let mut observed = [(0.0, 0.0); LAGS.len()];
    for (slot, lag) in observed.iter_mut().zip(LAGS) {
        *slot = products.at(lag).unwrap_or((0.0, 0.0));
    }
    // A series of hourly points on quarter hours has no pair at the first lags, but enough at others.
    if observed.iter().filter(|(_, pairs)| *pairs >= LEAST_PAIRS).count() < 2 {
        return None;
    }
    // A slot of half an hour takes a share of each sample's own noise, and twice that of noise that both its samples see.
    let (white_left, fast_left) = (1.0 - taken.slots.min(0.5), 1.0 - (2.0 * taken.slots).min(0.5));
    let fast_parts = FAST.map(|constant| Part::new(constant, taken, fast_left));
    let mut best: Option<(f64, NoiseFit)> = None;
    for slow_constant in SLOW {
        let slow = Part::new(slow_constant, taken, 1.0);
        for (fast_constant, fast) in FAST.iter().zip(&fast_parts) {
            let (fast_variance, slow_variance, error) = two_parts(&observed, fast, &slow);
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                let correlated = fast_variance * fast.whole + slow_variance * slow.whole;
                let shrink = if correlated > variance { variance / correlated } else { 1.0 };
                let fit = NoiseFit {
                    fast_phi: (-1.0 / *fast_constant).exp(),
                    fast_variance: fast_variance * shrink,
                    slow_phi: (-1.0 / slow_constant).exp(),
                    slow_variance: slow_variance * shrink,
                    white_variance: (variance - correlated).max(0.0) / white_left,
                };
                best = Some((error, fit));
            }
        }
    }
    best.map(|(_, fit)| fit)
}

/// The autocovariance of one part with variance 1, once other things were taken out.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// At lag 0.
    whole: f64,
    /// At each lag that is fitted.
    at: [f64; LAGS.len()],
}

impl Part {
    fn new(constant: f64, out: &TakenOut, left: f64) -> Self {
        let share = out.share(constant);
        let at = |lag: f64| ((-lag / constant).exp() - share) * left;
        Self { whole: at(0.0), at: LAGS.map(|lag| at(lag as f64)) }
    }
}

/// Residuals ready for autocovariances: what is missing weighs nothing.
struct Products {
    /// Root of each weight, 0 where missing.
    root: Vec<f64>,
    /// Residual times root.
    value: Vec<f64>,
    /// One bit a sample, set where present.
    there: Vec<u64>,
}

impl Products {
    fn new(residuals: &[f64], weights: &[f64]) -> Self {
        let root: Vec<f64> =
            residuals.iter().zip(weights).map(|(y, w)| if y.is_nan() { 0.0 } else { w.sqrt() }).collect();
        let value = residuals.iter().zip(&root).map(|(y, root)| if y.is_nan() { 0.0 } else { y * root }).collect();
        let bits = |part: &[f64]| part.iter().rev().fold(0, |bits, y| bits << 1 | u64::from(!y.is_nan()));
        let there = residuals.chunks(u64::BITS as usize).map(bits).collect();
        Self { root, value, there }
    }

    /// Returns the weighted autocovariance at a lag about 0, and the number of pairs it rests on.
    fn at(&self, lag: usize) -> Option<(f64, f64)> {
        let weight = dot(&self.root, self.root.get(lag..)?);
        (weight > 0.0).then(|| (dot(&self.value, &self.value[lag..]) / weight, self.pairs(lag)))
    }

    /// Returns the number of pairs of present samples at a lag.
    fn pairs(&self, lag: usize) -> f64 {
        let (words, bits) = (lag / u64::BITS as usize, lag as u32 % u64::BITS);
        let later = |at: usize| self.there.get(at + words).copied().unwrap_or(0);
        let moved =
            |at: usize| if bits == 0 { later(at) } else { later(at) >> bits | later(at + 1) << (u64::BITS - bits) };
        let both = |(at, here): (usize, &u64)| (here & moved(at)).count_ones();
        f64::from(self.there.iter().enumerate().map(both).sum::<u32>())
    }
}

/// Returns the sum of products, as far as both go; in eight partial sums, which the processor adds side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let count = a.len().min(b.len());
    let (a, b) = (&a[..count], &b[..count]);
    let (whole_a, whole_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = whole_a.remainder().iter().zip(whole_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in whole_a.zip(whole_b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f64>()
}

/// Solves for the variances of the fast and slow part; returns them with the sum of squared errors.
fn two_parts(observed: &[(f64, f64); LAGS.len()], fast_part: &Part, slow_part: &Part) -> (f64, f64, f64) {
    let (mut ff, mut fs, mut ss, mut fy, mut sy, mut yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    let parts = fast_part.at.iter().zip(&slow_part.at);
    for (((value, pairs), lag), (fast, slow)) in observed.iter().zip(LAGS).zip(parts) {
        // Long lags are estimated as well as short ones but matter less for a step's error.
        let weight = pairs / (1.0 + lag as f64 / 8.0);
        ff += weight * fast * fast;
        fs += weight * fast * slow;
        ss += weight * slow * slow;
        fy += weight * fast * value;
        sy += weight * slow * value;
        yy += weight * value * value;
    }
    let (mut fast, mut slow) =
        linalg::solve_two([ff, fs, ss], [fy, sy]).unwrap_or_else(|| (fy / ff.max(f64::MIN_POSITIVE), 0.0));
    if slow < 0.0 {
        (fast, slow) = (fy / ff.max(f64::MIN_POSITIVE), 0.0);
    }
    if fast < 0.0 {
        (fast, slow) = (0.0, (sy / ss.max(f64::MIN_POSITIVE)).max(0.0));
    }
    fast = fast.max(0.0);
    let error = yy - 2.0 * (fast * fy + slow * sy) + fast * fast * ff + 2.0 * fast * slow * fs + slow * slow * ss;
    (fast, slow, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_noise_has_no_memory() {
        // A fixed sequence without correlation: +1, -1 by the bits of a linear feedback register.
        let mut state = 0xACE1_u32;
        let noise: Vec<f64> = (0..4000)
            .map(|_| {
                state = (state >> 1) ^ ((state & 1).wrapping_neg() & 0xD000_0001);
                if state & 1 == 1 { 1.0 } else { -1.0 }
            })
            .collect();
        let fit = fit_noise(&noise, &vec![1.0; 4000], &TakenOut::default()).expect("enough");
        assert!(fit.fast_variance + fit.slow_variance < 0.1, "{fit:?}");
        assert!(fit.white_variance > 0.9);
    }

    #[test]
    fn too_short_is_refused() {
        assert_eq!(fit_noise(&[0.1; 10], &[1.0; 10], &TakenOut::default()), None);
        assert_eq!(fit_noise(&[f64::NAN; 500], &[1.0; 500], &TakenOut::default()), None);
    }
}
