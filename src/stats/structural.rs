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

/// Variance given to a level of which nothing is known, relative to the noise's own variance.
const DIFFUSE: f64 = 1e7;

/// Innovations beyond this many standard deviations count less: their variance is raised until they fit.
const CLIP: f64 = 3.0;

/// What the noise is made of; variances in the square of the series' unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
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

/// State of level, fast and slow part: means, and the upper triangle of the covariance.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    mean: [f64; 3],
    // ll, lf, ls, ff, fs, ss
    cov: [f64; 6],
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
pub struct Workspace {
    forward: Vec<State>,
    backward: Vec<State>,
}

/// A filter run both ways over one series.
#[derive(Debug)]
pub struct Scan<'a> {
    memory: Memory,
    space: &'a Workspace,
    fit: f64,
}

impl<'a> Scan<'a> {
    /// Runs the filter both ways.
    ///
    /// `values`: one a sample, NaN is missing. `white`: variance of the white part of each sample, above 0.
    /// `steps`: sorted indices of the first samples of new levels that are known already.
    pub fn run(space: &'a mut Workspace, values: &[f64], white: &[f64], memory: Memory, steps: &[usize]) -> Self {
        let count = values.len();
        space.forward.clear();
        space.forward.resize(count, State::default());
        space.backward.clear();
        space.backward.resize(count, State::default());
        let spread = memory.fast.1 + memory.slow.1 + white.iter().copied().fold(f64::INFINITY, f64::min).min(1e6);
        let diffuse = DIFFUSE * spread.max(1e-12);
        let centre = first_level(values);

        let mut ahead = memory.start(centre, diffuse);
        let mut back = memory.start(last_level(values), diffuse);
        let mut fit = Fit::default();
        let mut next = steps.iter().peekable();
        let mut last = steps.iter().rev().peekable();
        // Both filters in one loop: each waits for its own last sample, so that one works while the other waits.
        for (t, (value, white_ahead)) in values.iter().zip(white).enumerate() {
            let u = count - 1 - t;
            if let Some(slot) = space.forward.get_mut(t) {
                *slot = ahead;
            }
            if next.next_if_eq(&&t).is_some() {
                ahead.forget_level(diffuse);
            }
            fit.add(ahead.observe(*value, *white_ahead));
            back.observe(values[u], white[u]);
            if let Some(slot) = space.backward.get_mut(u) {
                *slot = back;
            }
            if last.next_if_eq(&&u).is_some() {
                back.forget_level(diffuse);
            }
            ahead.advance(memory);
            back.advance(memory);
        }
        Self { memory, space, fit: fit.log_likelihood() }
    }

    /// Returns the step between sample `at - 1` and sample `at`; a variance of infinity outside the series.
    ///
    /// For a change that took a while, make the samples it took missing and ask for the first one after it.
    pub fn step(&self, at: usize) -> Step {
        let nothing = Step { size: 0.0, variance: f64::INFINITY };
        match (self.space.forward.get(at), self.space.backward.get(at)) {
            (Some(before), Some(after)) => join(before, after, self.memory).unwrap_or(nothing),
            _ => nothing,
        }
    }

    /// Returns the step at every sample: the profile in which steps are looked for.
    pub fn profile(&self) -> Vec<Step> {
        (0..self.space.forward.len()).map(|at| self.step(at)).collect()
    }

    /// Returns how well the model fits: its log-likelihood, up to a constant of the series.
    ///
    /// Spikes count as the clipped innovation that the filter took them for.
    pub fn fit(&self) -> f64 {
        self.fit
    }
}

impl Memory {
    fn start(&self, level: f64, diffuse: f64) -> State {
        State { mean: [level, 0.0, 0.0], cov: [diffuse, 0.0, 0.0, self.fast.1, 0.0, self.slow.1] }
    }
}

impl State {
    fn forget_level(&mut self, diffuse: f64) {
        self.cov[0] = diffuse;
        self.cov[1] = 0.0;
        self.cov[2] = 0.0;
    }

    /// Takes in one observation of level + fast + slow; returns its variance and squared surprise.
    #[inline]
    fn observe(&mut self, value: f64, white: f64) -> (f64, f64) {
        if value.is_nan() {
            return (1.0, 0.0);
        }
        let [ll, lf, ls, ff, fs, ss] = self.cov;
        let gain = [ll + lf + ls, lf + ff + fs, ls + fs + ss];
        let mut variance = gain[0] + gain[1] + gain[2] + white;
        let innovation = value - self.mean[0] - self.mean[1] - self.mean[2];
        // A spike is no news of the level. Its variance is raised instead of cutting the value, so that the
        // filter also knows that it learned little.
        let square = innovation * innovation;
        let surprise = (square / variance).min(CLIP * CLIP);
        let seen = (variance, surprise);
        variance = variance.max(square / (CLIP * CLIP));
        if variance <= 0.0 {
            return (1.0, 0.0);
        }
        let scale = 1.0 / variance;
        let k = [gain[0] * scale, gain[1] * scale, gain[2] * scale];
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
        seen
    }

    /// Moves one sample on (in either direction: a stationary autoregression looks the same both ways).
    #[inline]
    fn advance(&mut self, memory: Memory) {
        let ((f, f_var), (s, s_var)) = (memory.fast, memory.slow);
        self.mean[1] *= f;
        self.mean[2] *= s;
        let [ll, lf, ls, ff, fs, ss] = self.cov;
        self.cov =
            [ll, lf * f, ls * s, ff * f * f + f_var * (1.0 - f * f), fs * f * s, ss * s * s + s_var * (1.0 - s * s)];
    }
}

/// What one side says of the autoregressive state: mean and precision, and how the level leans on it: slope and rest.
type Side = ([f64; 2], [f64; 3], [f64; 2], f64);

/// Joins what both sides say: their autoregressive states are one and the same, their levels are not.
fn join(before: &State, after: &State, memory: Memory) -> Option<Step> {
    // Small floors keep the 2×2 inverses defined when a part has no variance.
    let floor = 1e-12 * (memory.fast.1 + memory.slow.1) + 1e-18;
    let side = |state: &State| -> Option<Side> {
        let [ll, lf, ls, ff, fs, ss] = state.cov;
        let precision = invert([ff + floor, fs, ss + floor])?;
        let slope = [precision[0] * lf + precision[1] * ls, precision[1] * lf + precision[2] * ls];
        let rest = (ll - slope[0] * lf - slope[1] * ls).max(0.0);
        Some(([state.mean[1], state.mean[2]], precision, slope, rest))
    };
    let (m0, p0, g0, w0) = side(before)?;
    let (m1, p1, g1, w1) = side(after)?;
    let prior = [1.0 / (memory.fast.1 + floor), 0.0, 1.0 / (memory.slow.1 + floor)];
    let precision =
        [(p0[0] + p1[0] - prior[0]).max(0.0), p0[1] + p1[1] - prior[1], (p0[2] + p1[2] - prior[2]).max(0.0)];
    let v = invert(precision)?;
    let b = [
        p0[0] * m0[0] + p0[1] * m0[1] + p1[0] * m1[0] + p1[1] * m1[1],
        p0[1] * m0[0] + p0[2] * m0[1] + p1[1] * m1[0] + p1[2] * m1[1],
    ];
    let m = [v[0] * b[0] + v[1] * b[1], v[1] * b[0] + v[2] * b[1]];
    let level0 = before.mean[0] + g0[0] * (m[0] - m0[0]) + g0[1] * (m[1] - m0[1]);
    let level1 = after.mean[0] + g1[0] * (m[0] - m1[0]) + g1[1] * (m[1] - m1[1]);
    let g = [g1[0] - g0[0], g1[1] - g0[1]];
    let shared = g[0] * g[0] * v[0] + 2.0 * g[0] * g[1] * v[1] + g[1] * g[1] * v[2];
    Some(Step { size: level1 - level0, variance: w0 + w1 + shared.max(0.0) })
}

/// Inverts a symmetric 2×2 matrix given as upper triangle; `None` if it is not positive definite.
fn invert([a, b, c]: [f64; 3]) -> Option<[f64; 3]> {
    let determinant = a * c - b * b;
    (determinant > 0.0 && determinant.is_finite()).then(|| {
        let scale = 1.0 / determinant;
        [c * scale, -b * scale, a * scale]
    })
}

fn first_level(values: &[f64]) -> f64 {
    values.iter().copied().find(|value| !value.is_nan()).unwrap_or(0.0)
}

fn last_level(values: &[f64]) -> f64 {
    values.iter().rev().copied().find(|value| !value.is_nan()).unwrap_or(0.0)
}
