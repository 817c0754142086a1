//! Medians, quantiles and robust spread.

/// `1 / Φ⁻¹(0.75)`: turns a median absolute deviation into a normal's standard deviation.
pub const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// Returns an integer that orders as the number does: whole numbers are compared much faster.
fn key(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    bits ^ ((bits >> 63) & i64::MAX)
}

/// Turns a [`key`] back into its number.
fn of_key(key: i64) -> f64 {
    f64::from_bits((key ^ ((key >> 63) & i64::MAX)).cast_unsigned())
}

/// Returns the keys of the values that are not missing.
fn keys(values: impl Iterator<Item = f64>) -> Vec<i64> {
    let mut keys = Vec::with_capacity(values.size_hint().1.unwrap_or(0));
    for value in values {
        if value.is_finite() {
            keys.push(key(value));
        }
    }
    keys
}

/// Returns the order statistic at a share of the way, interpolated; reorders the keys.
fn select(keys: &mut [i64], share: f64) -> Option<f64> {
    let last = keys.len().checked_sub(1)?;
    let rank = share.clamp(0.0, 1.0) * last as f64;
    let below = rank.floor();
    let (_, low, above) = keys.select_nth_unstable((below as usize).min(last));
    let low = of_key(*low);
    let fraction = rank - below;
    match above.iter().min() {
        Some(high) if fraction > 0.0 => Some(low + fraction * (of_key(*high) - low)),
        _ => Some(low),
    }
}

/// Returns the quantile `share` by linear interpolation between order statistics; `None` if no value is finite.
///
/// `values`: NaN is missing; `share` within 0 to 1.
///
/// # Source
/// Definition 7 of R. J. Hyndman and Y. Fan, The American Statistician 50 (1996), 361–365. Checked with
/// NumPy `quantile`: `sample-data/stats/describe.json`.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    select(&mut keys(values.iter().copied()), share)
}

/// Returns several quantiles, as [`quantile`]; `None` if no value is finite.
pub fn quantiles<const N: usize>(values: &[f64], shares: [f64; N]) -> Option<[f64; N]> {
    let mut keys = keys(values.iter().copied());
    keys.sort_unstable();
    let last = keys.len().checked_sub(1)?;
    Some(shares.map(|share| {
        let rank = share.clamp(0.0, 1.0) * last as f64;
        let below = rank.floor() as usize;
        let at = |rank: usize| of_key(keys[rank.min(last)]);
        at(below) + (rank - rank.floor()) * (at(below + 1) - at(below))
    }))
}

/// Returns the median of the values that are not NaN; `None` if there are none.
///
/// An even count gives the mean of the two middle values.
pub fn median(values: &[f64]) -> Option<f64> {
    median_of(values.iter().copied())
}

/// Returns the median of the values that are not NaN; `None` if there are none.
pub fn median_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    select(&mut keys(values), 0.5)
}

/// Up to as many values are sorted by a fixed network of comparisons: without a branch to guess wrong.
const FEW: usize = 32;

/// Returns the median of a handful of finite values; NaN if there are none.
pub fn median_of_few(values: &[f64]) -> f64 {
    let count = values.len();
    if count == 0 || count > FEW {
        return median(values).unwrap_or(f64::NAN);
    }
    match count {
        0..=4 => median_by_network::<4>(values),
        5..=16 => median_by_network::<16>(values),
        _ => median_by_network::<FEW>(values),
    }
}

/// # Source
/// K. E. Batcher, Sorting networks and their applications, AFIPS 32 (1968), 307–314: odd-even merge sort.
fn median_by_network<const MOST: usize>(values: &[f64]) -> f64 {
    let count = values.len();
    let mut sorted = [f64::INFINITY; MOST];
    sorted[..count].copy_from_slice(values);
    let mut part = 1;
    while part < MOST {
        let mut apart = part;
        while apart >= 1 {
            for from in (apart % part..MOST - apart).step_by(2 * apart) {
                for low in from..(from + apart).min(MOST - apart) {
                    if low / (2 * part) == (low + apart) / (2 * part) {
                        let (a, b) = (sorted[low], sorted[low + apart]);
                        (sorted[low], sorted[low + apart]) = if a < b { (a, b) } else { (b, a) };
                    }
                }
            }
            apart /= 2;
        }
        part *= 2;
    }
    let (low, high) = (sorted[(count - 1) / 2], sorted[count / 2]);
    low + 0.5 * (high - low)
}

/// Returns the standard deviation that a normal with the same median absolute deviation has.
///
/// `values`: NaN is missing. `None` if none is left; 0 if more than half are equal.
///
/// # Source
/// F. R. Hampel, JASA 69 (1974), 383–393. Checked with SciPy `median_abs_deviation(scale="normal")`:
/// `sample-data/stats/describe.json`.
pub fn robust_sd(values: &[f64]) -> Option<f64> {
    sd_of_keys(keys(values.iter().copied()))
}

fn sd_of_keys(mut keys: Vec<i64>) -> Option<f64> {
    let centre = select(&mut keys, 0.5)?;
    for one in &mut keys {
        *one = key((of_key(*one) - centre).abs());
    }
    select(&mut keys, 0.5).map(|mad| mad * MAD_TO_SD)
}

/// Values that a sampled median looks at: a median of 512 is within 6 % of a standard deviation of the median of all.
const SAMPLE: usize = 512;

/// Values that a sampled spread looks at: within 8 % of the spread of all.
const SAMPLE_OF_SPREAD: usize = 320;

/// Returns the keys of about `wanted` of the values that are not NaN, evenly spread.
fn sample(values: &[f64], wanted: usize) -> Vec<i64> {
    keys(values.iter().copied().step_by(stride(values.len(), wanted)))
}

/// Returns the stride that leaves about as many values as wanted; an odd one does not fall in step with hours or days.
fn stride(count: usize, wanted: usize) -> usize {
    (count / wanted).max(1) | 1
}

/// Returns about [`median`], from an even sample of the values; for clipping bounds and starting points.
pub fn rough_median(values: &[f64]) -> Option<f64> {
    select(&mut sample(values, SAMPLE), 0.5)
}

/// Returns about [`robust_sd`], from an even sample of the values; for clipping bounds and comparisons.
pub fn rough_sd(values: &[f64]) -> Option<f64> {
    sd_of_keys(sample(values, SAMPLE_OF_SPREAD))
}

/// Returns about [`robust_sd`] of values that are computed one by one, from an even sample of them.
pub fn rough_sd_by(count: usize, value: impl Fn(usize) -> f64) -> Option<f64> {
    sd_of_keys(keys((0..count).step_by(stride(count, SAMPLE_OF_SPREAD)).map(value)))
}

/// Returns about the standard deviation about 0 that a normal with the same median of absolute values has, from an even
/// sample of values that are computed one by one.
pub fn rough_sd_about_0(count: usize, value: impl Fn(usize) -> f64) -> Option<f64> {
    let mut keys = keys((0..count).step_by(stride(count, SAMPLE_OF_SPREAD)).map(|at| value(at).abs()));
    select(&mut keys, 0.5).map(|typical| typical * MAD_TO_SD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_numpy() {
        // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, .25, .5, .9, 1]) -> [1, 1.75, 3.5, 6.9, 9]
        let data = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (share, want) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (1.0, 9.0)] {
            let got = quantile(&data, share).expect("not empty");
            assert!((got - want).abs() < 1e-12, "{share}: {got} is not {want}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(
            quantiles(&data, [0.25, 0.9, 1.0]),
            [0.25, 0.9, 1.0]
                .map(|share| quantile(&data, share))
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .map(|all| [all[0], all[1], all[2]])
        );
    }

    #[test]
    fn a_handful_has_the_median_that_any_list_has() {
        let mut state = 7_u64;
        for count in 1..40 {
            for _ in 0..50 {
                let values: Vec<f64> = (0..count)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state >> 60) as f64 - 3.0
                    })
                    .collect();
                let want = median(&values).expect("not empty");
                assert!((median_of_few(&values) - want).abs() < 1e-12, "{values:?}");
            }
        }
        assert!(median_of_few(&[]).is_nan());
    }

    #[test]
    fn robust_sd_agrees_with_scipy() {
        // scipy.stats.median_abs_deviation([1, 2, 3, 4, 100], scale="normal") -> 1.482602218505602
        let got = robust_sd(&[1.0, 2.0, f64::NAN, 3.0, 4.0, 100.0]).expect("not empty");
        assert!((got - 1.482_602_218_505_602).abs() < 1e-12);
    }
}
