//! Random numbers that are the same on every run: a small generator, and what is drawn from it.
//!
//! Each stream is seeded by a name, so that adding a series leaves all others as they were. The
//! functions `exp`, `ln` and `cos` are the platform's; they may differ in the last bit between
//! platforms, which rounding to three digits hides.

/// `z` of p50, p95 and p99 of the normal distribution.
pub const Z: [f64; 3] = [0.0, 1.644_853_6, 2.326_347_9];
/// Shares below p50, p95 and p99.
const SHARE: [f64; 3] = [0.50, 0.95, 0.99];
/// Under this many requests the quantiles are taken from single draws, not from their asymptotic spread.
const FEW: u64 = 25;

/// SplitMix64 (Steele, Lea, Flood: OOPSLA 2014), with normal numbers by Box and Muller.
pub struct Noise {
    state: u64,
    spare: Option<f64>,
}

impl Noise {
    /// Starts the stream of a name (FNV-1a of its bytes is the seed).
    pub fn new(name: &str) -> Self {
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { state: hash, spare: None }
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns a standard normal number.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.unit();
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// Returns a Poisson count; a rounded normal number above a mean of 30.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let floor = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// Returns a stationary AR(1) series of `n` points: standard deviation `sd`, correlation time `tau` points.
    pub fn ar1(&mut self, n: usize, sd: f64, tau: f64) -> Vec<f64> {
        let keep = (-1.0 / tau).exp();
        let fresh = sd * (1.0 - keep * keep).sqrt();
        let mut value = sd * self.normal();
        (0..n)
            .map(|_| {
                let now = value;
                value = keep * value + fresh * self.normal();
                now
            })
            .collect()
    }

    /// Returns p50, p95 and p99 of `requests` lognormal latencies as one interval would measure them.
    ///
    /// `mu`, `sigma`: log median and log spread; the unit is that of `exp(mu)`. From few requests the
    /// quantiles are those of single draws; from many they scatter with the asymptotic standard error
    /// `sqrt(p (1 - p) / n) / density`. NaN without a request.
    pub fn quantiles(&mut self, requests: u64, mu: f64, sigma: f64) -> [f64; 3] {
        if requests == 0 {
            return [f64::NAN; 3];
        }
        if requests < FEW {
            let mut draws: Vec<f64> = (0..requests).map(|_| (mu + sigma * self.normal()).exp()).collect();
            draws.sort_by(f64::total_cmp);
            return SHARE.map(|share| interpolate(&draws, share));
        }
        let mut last = f64::NEG_INFINITY;
        let mut result = [f64::NAN; 3];
        for (slot, (z, share)) in result.iter_mut().zip(Z.into_iter().zip(SHARE)) {
            let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
            let error = (share * (1.0 - share) / requests as f64).sqrt() / density * sigma;
            // p99 of one interval is never under its p95.
            last = (mu + z * sigma + error * self.normal()).max(last);
            *slot = last.exp();
        }
        result
    }
}

/// Returns the quantile of sorted values, linear between neighbours; NaN for none.
pub fn interpolate(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len().max(1) - 1) as f64;
    let below = place.floor() as usize;
    match (sorted.get(below), sorted.get(below + 1)) {
        (Some(low), Some(high)) => low + (high - low) * (place - below as f64),
        (Some(low), None) => *low,
        _ => f64::NAN,
    }
}

/// Rounds to three significant digits, so that a column holds few distinct values and packs well.
///
/// The step (0.1 to 1 %) is far below the noise. Zero and NaN stay.
pub fn round3(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_their_name_alone() {
        assert_eq!(Noise::new("a").bits(), Noise::new("a").bits());
        assert_ne!(Noise::new("a").bits(), Noise::new("b").bits());
    }

    #[test]
    fn poisson_has_its_mean_on_both_paths() {
        for mean in [0.4, 12.0, 80.0] {
            let mut noise = Noise::new("poisson");
            let sum: u64 = (0..20_000).map(|_| noise.poisson(mean)).sum();
            assert!((sum as f64 / 20_000.0 / mean - 1.0).abs() < 0.03);
        }
    }

    #[test]
    fn quantiles_rise_and_need_a_request() {
        let mut noise = Noise::new("quantiles");
        for requests in [1, 24, 25, 40, 4_000] {
            let [p50, p95, p99] = noise.quantiles(requests, 4.0, 0.5);
            assert!(p50 <= p95 && p95 <= p99);
        }
        assert!(noise.quantiles(0, 4.0, 0.5).iter().all(|value| value.is_nan()));
    }

    #[test]
    fn rounding_keeps_three_digits() {
        assert_eq!([12.345, 0.000_123_45, 98_765.0, 0.0].map(round3), [12.3, 0.000_123, 98_800.0, 0.0]);
    }
}
