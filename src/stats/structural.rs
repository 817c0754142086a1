//! The size of a step at every moment, from all the data before and after it.
//!
//! The series is taken as `y_t = level + fast_t + slow_t + white_t`, with a level that is constant between
//! known steps, two stationary autoregressions and white noise of known variance. A Kalman filter run
//! forwards gives what the data before a moment say of the level there, the same filter run backwards what
//! the data after it say; both also see the same autoregressive state at that moment, which is what makes a
//! sudden step so much clearer than a slow wander of the same size. One pass each way gives the generalised
//! least-squares estimate of a step at every moment, in linear time.
//!
//! ```text
//!   data before d  --->  (level before, fast, slow)  }
//!                                  equal at d        }  level after - level before, and its variance
//!   data after d   --->  (level after,  fast, slow)  }
//! ```
//!
//! # Source
//! A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 3.2 and 7.3; the
//! two-filter form is D. C. Fraser and J. E. Potter, IEEE Trans. Automatic Control 14 (1969), 387–390.
//! Checked against dense generalised least squares in NumPy: `sample-data/stats/structural.json`.

use wide::f64x2;

/// Variance given to a level of which nothing is known, relative to the noise's own variance.
const DIFFUSE: f64 = 1e7;

/// Innovations beyond this many standard deviations count less: their variance is raised until they fit.
const CLIP: f64 = 3.0;

/// What the noise is made of; variances in the square of the series' unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ar1Pair {
    /// Share kept from sample to sample, and stationary variance, of the fast part.
    pub fast: (f64, f64),
    /// The same of the slow part.
    pub slow: (f64, f64),
}

/// A step's estimate at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Step {
    /// Level after minus level before.
    pub size: f64,
    /// Its variance under the model; very large where one side has no data.
    pub variance: f64,
}

impl Step {
    /// Returns the size in standard errors.
    pub fn z(self) -> f64 {
        self.size / self.variance.sqrt()
    }
}

/// State of level, fast and slow part: means, and the upper triangle of the covariance; two filters side by side.
///
/// The filter that runs forwards is lane 0 and the one that runs backwards lane 1: the processor works on both at once.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    mean: [f64x2; 3],
    // ll, lf, ls, ff, fs, ss
    cov: [f64x2; 6],
}

/// Sums a log-likelihood: variances are multiplied up and their logarithm is taken only now and then.
#[derive(Debug)]
struct Fit {
    product: f64,
    logs: f64,
    surprise: f64,
}

impl Default for Fit {
    fn default() -> Self {
        Self { product: 1.0, logs: 0.0, surprise: 0.0 }
    }
}

impl Fit {
    #[inline]
    fn add(&mut self, (variance, surprise): (f64, f64)) {
        self.surprise += surprise;
        self.product *= variance;
        if !(1e-200..1e200).contains(&self.product) {
            self.logs += self.product.max(f64::MIN_POSITIVE).ln();
            self.product = 1.0;
        }
    }

    fn log_likelihood(&self) -> f64 {
        -0.5 * (self.logs + self.product.ln() + self.surprise)
    }
}

/// Buffers that are used again from series to series.
#[derive(Debug, Default)]
pub struct Scratch {
    /// At `t`, lane 0 knows the data before sample `t`, lane 1 those from sample `count - 1 - t` on.
    known: Vec<State>,
}

/// A filter run both ways over one series.
#[derive(Debug)]
pub struct Scan<'a> {
    memory: Ar1Pair,
    scratch: &'a Scratch,
    fit: f64,
}

impl<'a> Scan<'a> {
    /// Runs the filter both ways.
    ///
    /// `values`: one a sample, NaN is missing. `white`: variance of the white part of each sample, above 0.
    /// `steps`: sorted indices of the first samples of new levels that are known already.
    pub fn run(scratch: &'a mut Scratch, values: &[f64], white: &[f64], memory: Ar1Pair, steps: &[usize]) -> Self {
        let count = values.len();
        let spread = memory.fast.1 + memory.slow.1 + white.iter().copied().fold(f64::INFINITY, f64::min).min(1e6);
        let diffuse = DIFFUSE * spread.max(1e-12);
        let mut state = State::start(memory, [first_level(values), last_level(values)], diffuse);
        let on = Advance::new(memory);
        let mut fit = Fit::default();
        let mut ahead = steps.iter().peekable();
        let mut back = steps.iter().rev().peekable();
        scratch.known.clear();
        scratch.known.reserve(count);
        let there = values.iter().zip(white);
        for (t, ((value, white), (value_back, white_back))) in there.clone().zip(there.rev()).enumerate() {
            let before = state;
            if ahead.next_if_eq(&&t).is_some() {
                state.forget_level(0, diffuse);
            }
            let seen = state.observe(f64x2::new([*value, *value_back]), f64x2::new([*white, *white_back]));
            if !value.is_nan() {
                fit.add(seen);
            }
            scratch.known.push(state.behind(&before));
            if back.next_if_eq(&&(count - 1 - t)).is_some() {
                state.forget_level(1, diffuse);
            }
            state.advance(&on);
        }
        Self { memory, scratch, fit: fit.log_likelihood() }
    }

    /// Returns the step between sample `at - 1` and sample `at`; a variance of infinity outside the series.
    ///
    /// For a change that took a while, make the samples it took missing and ask for the first one after it.
    pub fn step(&self, at: usize) -> Step {
        let known = &self.scratch.known;
        let there = known.get(at).zip(known.len().checked_sub(at + 1).and_then(|mirrored| known.get(mirrored)));
        there.map_or(NOTHING, |(at, mirrored)| join(at, mirrored, self.memory)[0])
    }

    /// Returns the step at every sample: the profile in which steps are looked for.
    pub fn profile(&self) -> Vec<Step> {
        let known = &self.scratch.known;
        let mut profile = vec![NOTHING; known.len()];
        // What is known at a sample and at its mirror image gives the steps at both.
        let (half, mut end) = (known.len().div_ceil(2), known.len());
        for (at, (state, mirrored)) in known.iter().zip(known.iter().rev()).enumerate().take(half) {
            end -= 1;
            let [here, there] = join(state, mirrored, self.memory);
            profile[at] = here;
            profile[end] = there;
        }
        profile
    }

    /// Returns how well the model fits: its log-likelihood, up to a constant of the series.
    ///
    /// Spikes count as the clipped innovation that the filter took them for.
    pub fn fit(&self) -> f64 {
        self.fit
    }
}

/// What there is to say of a step where one side has no data.
const NOTHING: Step = Step { size: 0.0, variance: f64::INFINITY };

/// How a state moves on by one sample, in either direction: a stationary autoregression looks the same both ways.
struct Advance {
    fast: f64x2,
    slow: f64x2,
    /// Variance that comes in new.
    fast_new: f64x2,
    slow_new: f64x2,
}

impl Advance {
    fn new(memory: Ar1Pair) -> Self {
        let ((f, f_variance), (s, s_variance)) = (memory.fast, memory.slow);
        let new = |kept: f64, variance: f64| f64x2::splat(variance * (1.0 - kept * kept));
        Self {
            fast: f64x2::splat(f),
            slow: f64x2::splat(s),
            fast_new: new(f, f_variance),
            slow_new: new(s, s_variance),
        }
    }
}

impl State {
    fn start(memory: Ar1Pair, levels: [f64; 2], diffuse: f64) -> Self {
        let (nothing, [diffuse, fast, slow]) = (f64x2::ZERO, [diffuse, memory.fast.1, memory.slow.1].map(f64x2::splat));
        Self { mean: [f64x2::new(levels), nothing, nothing], cov: [diffuse, nothing, nothing, fast, nothing, slow] }
    }

    fn forget_level(&mut self, lane: usize, diffuse: f64) {
        for (cov, forgotten) in self.cov.iter_mut().zip([diffuse, 0.0, 0.0]) {
            cov.as_mut_array()[lane] = forgotten;
        }
    }

    /// Returns lane 0 of the state before and lane 1 of this one.
    #[inline]
    fn behind(&self, before: &Self) -> Self {
        let pick = |now: f64x2, before: f64x2| f64x2::new([before.to_array()[0], now.to_array()[1]]);
        Self {
            mean: std::array::from_fn(|k| pick(self.mean[k], before.mean[k])),
            cov: std::array::from_fn(|k| pick(self.cov[k], before.cov[k])),
        }
    }

    /// Takes in one observation of level + fast + slow, NaN is missing; returns the variance and the squared surprise of
    /// lane 0.
    #[inline]
    fn observe(&mut self, value: f64x2, white: f64x2) -> (f64, f64) {
        let [ll, lf, ls, ff, fs, ss] = self.cov;
        let gain = [ll + lf + ls, lf + ff + fs, ls + fs + ss];
        let variance = gain[0] + gain[1] + gain[2] + white;
        let is_missing = value.is_nan();
        let innovation = is_missing.select(f64x2::ZERO, value - self.mean[0] - self.mean[1] - self.mean[2]);
        // A spike is no news of the level. Its variance is raised instead of cutting the value, so that the
        // filter also knows that it learned little.
        let square = innovation * innovation;
        let surprise = (square / variance).fast_min(f64x2::splat(CLIP * CLIP));
        let raised = variance.fast_max(square * f64x2::splat(1.0 / (CLIP * CLIP)));
        let tells = !is_missing & raised.simd_gt(f64x2::ZERO);
        let scale = tells.select(f64x2::ONE / raised, f64x2::ZERO);
        let k = gain.map(|gain| gain * scale);
        for (mean, k) in self.mean.iter_mut().zip(k) {
            *mean += k * innovation;
        }
        self.cov = [
            ll - k[0] * gain[0],
            lf - k[0] * gain[1],
            ls - k[0] * gain[2],
            ff - k[1] * gain[1],
            fs - k[1] * gain[2],
            ss - k[2] * gain[2],
        ];
        (variance.to_array()[0], surprise.to_array()[0])
    }

    #[inline]
    fn advance(&mut self, on: &Advance) {
        let (f, s) = (on.fast, on.slow);
        self.mean[1] *= f;
        self.mean[2] *= s;
        let [ll, lf, ls, ff, fs, ss] = self.cov;
        self.cov = [ll, lf * f, ls * s, ff * f * f + on.fast_new, fs * f * s, ss * s * s + on.slow_new];
    }
}

/// What one side says of the autoregressive state: mean and precision, and how the level leans on it: slope and rest.
struct Side {
    mean: [f64x2; 2],
    precision: [f64x2; 3],
    slope: [f64x2; 2],
    rest: f64x2,
}

impl Side {
    #[inline]
    fn new(mean: [f64x2; 3], cov: [f64x2; 6], floor: f64x2, is_sound: &mut f64x2) -> Self {
        let [ll, lf, ls, ff, fs, ss] = cov;
        let precision = invert([ff + floor, fs, ss + floor], is_sound);
        let slope = [precision[0] * lf + precision[1] * ls, precision[1] * lf + precision[2] * ls];
        let rest = (ll - slope[0] * lf - slope[1] * ls).fast_max(f64x2::ZERO);
        Self { mean: [mean[1], mean[2]], precision, slope, rest }
    }
}

/// Joins what both sides of two samples that mirror each other say: their autoregressive states are one and the same,
/// their levels are not.
#[inline]
fn join(at: &State, mirrored: &State, memory: Ar1Pair) -> [Step; 2] {
    // Small floors keep the 2×2 inverses defined when a part has no variance.
    let floor = 1e-12 * (memory.fast.1 + memory.slow.1) + 1e-18;
    let before = |a: f64x2, b: f64x2| f64x2::new([a.to_array()[0], b.to_array()[0]]);
    let after = |a: f64x2, b: f64x2| f64x2::new([b.to_array()[1], a.to_array()[1]]);
    let mean_before: [f64x2; 3] = std::array::from_fn(|k| before(at.mean[k], mirrored.mean[k]));
    let cov_before = std::array::from_fn(|k| before(at.cov[k], mirrored.cov[k]));
    let mean_after: [f64x2; 3] = std::array::from_fn(|k| after(at.mean[k], mirrored.mean[k]));
    let cov_after = std::array::from_fn(|k| after(at.cov[k], mirrored.cov[k]));

    let mut is_sound = !f64x2::ZERO;
    let Side { mean: m0, precision: p0, slope: g0, rest: w0 } =
        Side::new(mean_before, cov_before, f64x2::splat(floor), &mut is_sound);
    let Side { mean: m1, precision: p1, slope: g1, rest: w1 } =
        Side::new(mean_after, cov_after, f64x2::splat(floor), &mut is_sound);
    let prior = [memory.fast.1, memory.slow.1].map(|variance| f64x2::splat(1.0 / (variance + floor)));
    let both = [p0[0] + p1[0] - prior[0], p0[1] + p1[1], p0[2] + p1[2] - prior[1]];
    let v = invert([both[0].fast_max(f64x2::ZERO), both[1], both[2].fast_max(f64x2::ZERO)], &mut is_sound);
    let b = [
        p0[0] * m0[0] + p0[1] * m0[1] + p1[0] * m1[0] + p1[1] * m1[1],
        p0[1] * m0[0] + p0[2] * m0[1] + p1[1] * m1[0] + p1[2] * m1[1],
    ];
    let m = [v[0] * b[0] + v[1] * b[1], v[1] * b[0] + v[2] * b[1]];
    let level0 = mean_before[0] + g0[0] * (m[0] - m0[0]) + g0[1] * (m[1] - m0[1]);
    let level1 = mean_after[0] + g1[0] * (m[0] - m1[0]) + g1[1] * (m[1] - m1[1]);
    let g = [g1[0] - g0[0], g1[1] - g0[1]];
    let shared = g[0] * g[0] * v[0] + f64x2::splat(2.0) * g[0] * g[1] * v[1] + g[1] * g[1] * v[2];
    let size = is_sound.select(level1 - level0, f64x2::ZERO).to_array();
    let variance = w0 + w1 + shared.fast_max(f64x2::ZERO);
    let variance = is_sound.select(variance, f64x2::splat(f64::INFINITY)).to_array();
    [Step { size: size[0], variance: variance[0] }, Step { size: size[1], variance: variance[1] }]
}

/// Inverts a symmetric 2×2 matrix given as upper triangle; not sound where it is not positive definite.
#[inline]
fn invert([a, b, c]: [f64x2; 3], is_sound: &mut f64x2) -> [f64x2; 3] {
    let determinant = a * c - b * b;
    *is_sound &= determinant.simd_gt(f64x2::ZERO) & determinant.simd_lt(f64x2::splat(f64::INFINITY));
    let scale = f64x2::ONE / determinant;
    [c * scale, -b * scale, a * scale]
}

fn first_level(values: &[f64]) -> f64 {
    values.iter().copied().find(|value| !value.is_nan()).unwrap_or(0.0)
}

fn last_level(values: &[f64]) -> f64 {
    values.iter().rev().copied().find(|value| !value.is_nan()).unwrap_or(0.0)
}
