//! How a series depends on the load: the request rate behind it, and the curve of values over it.

use crate::stats::{describe, linalg};

/// Quantiles of load at which the curve may bend.
const BENDS: [f64; 4] = [0.3, 0.6, 0.85, 0.97];

/// Straight lines with bends: constant, slope, and one more for each bend.
const TERMS: usize = BENDS.len() + 2;

/// Pieces between the bends.
const PIECES: usize = BENDS.len() + 1;

/// Residuals beyond this many robust standard deviations are drawn in: a few bad hours are not the usual.
const CLIP: f64 = 3.0;

/// Quantiles between which the load must vary for a curve to say anything, and by how much (log).
const ENDS: [f64; 2] = [0.02, 0.95];
const LEAST_SPAN: f64 = 0.1;

/// A curve needs as many buckets: a day of quarter hours.
const LEAST_BUCKETS: usize = 96;

/// Above the known load, its 95 % point, by this much (log) its effect would be a guess.
const STRANGE: f64 = 0.25;

/// Requests that make a rate known to about 7 %.
const ENOUGH: f64 = 200.0;

/// Widest smoothing of the load, in buckets.
const MOST_SMOOTHING: usize = 9;

/// The requests behind the series of one target, with what every fit needs of them.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Log of the request rate of each bucket, smoothed where requests are few so that chance does not pass for load;
    /// NaN where unknown; empty if nothing is known.
    pub log: Vec<f64>,
    /// How much each bucket counts, or empty: all the same.
    pub weight: Vec<f64>,
    /// What few requests do to the noise of a bucket; `None` if the requests are not known.
    pub behind: Option<Behind>,
    /// The 95 % point of `log`.
    high: f64,
    knots: Option<Knots>,
}

/// How many requests stand behind each bucket, as the noise of a quantile sees it: one over their number.
#[derive(Debug, Clone, Default)]
pub struct Behind {
    /// One over the requests of each bucket.
    pub inverse: Vec<f64>,
    /// Tells of each bucket whether it belongs to the half with fewer requests, judged with its neighbours as in a second
    /// difference. The first and the last bucket have but one neighbour and belong to no half.
    pub is_few: Vec<bool>,
    /// Typical inverse in the half with more and the half with fewer requests.
    pub typical: [f64; 2],
}

impl Behind {
    fn of(requests: &[f64]) -> Option<Self> {
        let inverse: Vec<f64> = requests.iter().map(|n| 1.0 / n.max(0.5)).collect();
        let around: Vec<f64> =
            inverse.windows(3).map(|three| (three[1] + 0.25 * (three[0] + three[2])) / 1.5).collect();
        let half = describe::median(&around)?;
        let many = describe::median_of(around.iter().copied().filter(|one| *one <= half))?;
        let few = describe::median_of(around.iter().copied().filter(|one| *one > half))?;
        let is_few = [false].into_iter().chain(around.iter().map(|one| *one > half)).chain([false]).collect();
        Some(Self { inverse, is_few, typical: [many, few] })
    }
}

/// Where the curve begins and bends, and which buckets lie between two bends.
#[derive(Debug, Clone)]
struct Knots {
    low: f64,
    bends: [f64; BENDS.len()],
    /// The buckets of known load, those between the same bends together.
    order: Vec<u32>,
    /// For each piece between bends, where its buckets end in `order`.
    ends: [usize; PIECES],
}

impl Load {
    /// Looks at the requests of one target; `requests`: per bucket, NaN is missing.
    pub fn of(requests: &[f64]) -> Self {
        let Some(typical) = describe::median(requests).filter(|typical| *typical > 0.0) else { return Self::default() };
        let log = smoothed(requests, typical);
        // In proportion to the requests up to the typical number, then levelling off.
        let weight = requests.iter().map(|n| if n.is_finite() { n / (n + typical) * 2.0 } else { 1.0 }).collect();
        let mut shares = [0.0; BENDS.len() + 2];
        shares[..2].copy_from_slice(&ENDS);
        shares[2..].copy_from_slice(&BENDS);
        let Some([low, high, bends @ ..]) = describe::quantiles(&log, shares) else { return Self::default() };
        let count = log.iter().filter(|load| load.is_finite()).count();
        let knots = (count >= LEAST_BUCKETS && high - low >= LEAST_SPAN).then(|| Knots::new(low, bends, &log));
        Self { behind: Behind::of(requests), log, weight, high, knots }
    }

    /// Makes hours missing whose load was far above all others: what they say of a level would be a guess.
    pub fn leave_out_strange(&self, value: &mut [f64]) {
        for (value, load) in value.iter_mut().zip(&self.log) {
            if *load > self.high + STRANGE {
                *value = f64::NAN;
            }
        }
    }

    /// Fits straight lines with bends to values over load, about 0; `None` if the load hardly varies or says nothing.
    ///
    /// `target`: one a bucket, NaN is missing; `weight`: how much each counts. The curve is NaN where the load is unknown.
    ///
    /// # Source
    /// Least squares on a linear spline, reweighted twice with clipped residuals (P. J. Huber, Robust Statistics, 1981).
    pub fn curve(&self, target: &[f64], weight: &[f64]) -> Option<Vec<f64>> {
        let knots = self.knots.as_ref()?;
        let centre = describe::rough_median(target)?;
        let mut sums = knots.sums(&self.log, target, weight);
        let mut curve = knots.curve(&self.log, &sums.lines(knots)?, centre);
        for round in 1..ROUNDS {
            let rest = |bucket: usize| target[bucket] - curve[bucket];
            let reach = CLIP * describe::rough_sd_by(target.len(), rest).unwrap_or(0.0);
            if reach > 0.0 {
                knots.sum_clipped(&mut sums, &self.log, target, weight, &curve, reach);
            }
            // Buckets of unknown load must not become missing before the last round.
            let unknown = if round + 1 < ROUNDS { centre } else { f64::NAN };
            curve = knots.curve(&self.log, &sums.lines(knots)?, unknown);
        }
        // The level belongs to the season and to the steps.
        let middle = describe::rough_median(&curve)?;
        for value in &mut curve {
            *value -= middle;
        }
        Some(curve)
    }
}

/// Rounds of fitting a curve; from the second on residuals are clipped.
const ROUNDS: usize = 3;

/// Weighted sums over the buckets of a piece, with `x` the load beyond the lowest and `y` the value.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    one: f64,
    x: f64,
    xx: f64,
    y: f64,
    xy: f64,
}

/// The sums of all pieces: everything that the least squares need of the data.
#[derive(Debug, Clone, Default)]
struct Sums([Piece; PIECES]);

impl Knots {
    fn new(low: f64, bends: [f64; BENDS.len()], log: &[f64]) -> Self {
        let mut knots = Self { low, bends, order: Vec::with_capacity(log.len()), ends: [0; PIECES] };
        for piece in 0..PIECES {
            let from = if piece == 0 { f64::NEG_INFINITY } else { bends[piece - 1] };
            let to = bends.get(piece).copied().unwrap_or(f64::INFINITY);
            let inside = log.iter().enumerate().filter(|(_, load)| **load >= from && **load < to);
            knots.order.extend(inside.map(|(bucket, _)| bucket as u32));
            knots.ends[piece] = knots.order.len();
        }
        knots
    }

    /// Returns the buckets of each piece.
    fn pieces(&self) -> impl Iterator<Item = &[u32]> {
        let begins = [0].into_iter().chain(self.ends);
        begins.zip(self.ends).map(|(begin, end)| self.order.get(begin..end).unwrap_or(&[]))
    }

    fn sums(&self, log: &[f64], target: &[f64], weight: &[f64]) -> Sums {
        let mut sums = Sums::default();
        for (piece, buckets) in sums.0.iter_mut().zip(self.pieces()) {
            for bucket in buckets.iter().map(|bucket| *bucket as usize) {
                let (x, y) = (log[bucket] - self.low, target[bucket]);
                // A missing value must not weigh; a branch here would be guessed wrong too often to be worth it.
                let (weight, y) = if y.is_nan() { (0.0, 0.0) } else { (weight[bucket], y) };
                piece.one += weight;
                piece.x += weight * x;
                piece.xx += weight * x * x;
                piece.y += weight * y;
                piece.xy += weight * x * y;
            }
        }
        sums
    }

    /// Sums the values anew, drawn to within `reach` of a curve.
    fn sum_clipped(&self, sums: &mut Sums, log: &[f64], target: &[f64], weight: &[f64], curve: &[f64], reach: f64) {
        for (piece, buckets) in sums.0.iter_mut().zip(self.pieces()) {
            (piece.y, piece.xy) = (0.0, 0.0);
            for bucket in buckets.iter().map(|bucket| *bucket as usize) {
                let (fitted, y) = (curve[bucket], target[bucket]);
                let (weight, y) = if y.is_nan() { (0.0, 0.0) } else { (weight[bucket], y) };
                let drawn = weight * (fitted + (y - fitted).clamp(-reach, reach));
                piece.y += drawn;
                piece.xy += drawn * (log[bucket] - self.low);
            }
        }
    }

    /// Returns the curve at every bucket; `unknown` where the load is.
    fn curve(&self, log: &[f64], lines: &[(f64, f64); PIECES], unknown: f64) -> Vec<f64> {
        let mut curve = vec![unknown; log.len()];
        for ((constant, slope), buckets) in lines.iter().zip(self.pieces()) {
            for bucket in buckets.iter().map(|bucket| *bucket as usize) {
                curve[bucket] = constant + slope * (log[bucket] - self.low);
            }
        }
        curve
    }
}

impl Sums {
    /// Returns constant and slope of each piece of the curve; `None` if the equations are singular.
    fn lines(&self, knots: &Knots) -> Option<[(f64, f64); PIECES]> {
        // Terms: 1, x, and (x - bend) beyond each bend; each is a line in x on every piece.
        let bend = |term: usize| if term < 2 { 0.0 } else { knots.bends[term - 2] - knots.low };
        let line = |term: usize, piece: usize| match term {
            0 => (1.0, 0.0),
            1 => (0.0, 1.0),
            term if piece + 2 > term => (-bend(term), 1.0),
            _ => (0.0, 0.0),
        };
        let mut normal = [0.0; (TERMS + 1) * TERMS];
        for (index, piece) in self.0.iter().enumerate() {
            for (term, row) in normal.chunks_exact_mut(TERMS + 1).enumerate() {
                let (a, b) = line(term, index);
                for (other, cell) in row.iter_mut().take(TERMS).enumerate() {
                    let (c, d) = line(other, index);
                    *cell += a * c * piece.one + (a * d + b * c) * piece.x + b * d * piece.xx;
                }
                row[TERMS] += a * piece.y + b * piece.xy;
            }
        }
        let total = normal[0];
        for (k, row) in normal.chunks_exact_mut(TERMS + 1).enumerate().skip(2) {
            // A gentle pull of the bends towards 0 keeps the curve straight where little data bends it.
            row[k] += 1e-3 * total;
        }
        linalg::solve(&mut normal, TERMS, |_, pivot| pivot.abs() > 1e-12 * total.abs());
        let factors: [f64; TERMS] = std::array::from_fn(|term| normal[term * (TERMS + 1) + TERMS]);
        factors.iter().all(|factor| factor.is_finite()).then_some(())?;
        Some(std::array::from_fn(|piece| {
            factors.iter().enumerate().fold((0.0, 0.0), |(constant, slope), (term, factor)| {
                let (a, b) = line(term, piece);
                (constant + factor * a, slope + factor * b)
            })
        }))
    }
}

/// Returns the log of the request rate, smoothed over as many buckets as make it known.
fn smoothed(requests: &[f64], typical: f64) -> Vec<f64> {
    let half = ((ENOUGH / typical).ceil() as usize).saturating_sub(1).min(MOST_SMOOTHING) / 2;
    (0..requests.len())
        .map(|bucket| {
            let window =
                requests.get(bucket.saturating_sub(half)..(bucket + half + 1).min(requests.len())).unwrap_or(&[]);
            let (sum, count) = window.iter().filter(|n| n.is_finite()).fold((0.0, 0.0), |(s, c), n| (s + n, c + 1.0));
            if count > 0.0 && requests[bucket].is_finite() { ((sum + 0.5) / count).ln() } else { f64::NAN }
        })
        .collect()
}
