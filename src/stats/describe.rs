//! Medians, quantiles and robust spread.

/// `1 / Φ⁻¹(0.75)`: turns a median absolute deviation into a normal's standard deviation.
pub const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// Returns the median, reordering `values`; `None` if it is empty.
///
/// `values`: finite, any order. An even count gives the mean of the two middle values.
pub fn median_in_place(values: &mut [f64]) -> Option<f64> {
    quantile_in_place(values, 0.5)
}

/// Returns the quantile `share` by linear interpolation between order statistics, reordering `values`.
///
/// `values`: finite; `share` within 0 to 1. `None` if `values` is empty.
///
/// # Source
/// Definition 7 of R. J. Hyndman and Y. Fan, The American Statistician 50 (1996), 361–365. Checked with
/// NumPy `quantile`: `sample-data/stats/describe.json`.
pub fn quantile_in_place(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let rank = share.clamp(0.0, 1.0) * last as f64;
    let below = rank.floor() as usize;
    let (_, low, above) = values.select_nth_unstable_by(below.min(last), f64::total_cmp);
    let low = *low;
    let fraction = rank - rank.floor();
    if fraction <= 0.0 {
        return Some(low);
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    Some(if high.is_finite() { low + fraction * (high - low) } else { low })
}

/// Returns the median of the values that are not NaN; `None` if there are none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut kept: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    median_in_place(&mut kept)
}

/// Returns the standard deviation that a normal with the same median absolute deviation has.
///
/// `values`: NaN is missing. `None` if none is left; 0 if more than half are equal.
///
/// # Source
/// F. R. Hampel, JASA 69 (1974), 383–393. Checked with SciPy `median_abs_deviation(scale="normal")`:
/// `sample-data/stats/describe.json`.
pub fn robust_sd(values: &[f64]) -> Option<f64> {
    let mut kept: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let centre = median_in_place(&mut kept)?;
    for value in &mut kept {
        *value = (*value - centre).abs();
    }
    median_in_place(&mut kept).map(|mad| mad * MAD_TO_SD)
}

/// Values that a sampled median or spread looks at: a median of 512 is within 4 % of a standard deviation of the
/// median of all.
const SAMPLE: usize = 512;

/// Returns at most about 512 of the values that are not NaN, evenly spread.
fn sample(values: &[f64]) -> Vec<f64> {
    // An odd stride does not fall in step with hours or days.
    let stride = (values.len() / SAMPLE).max(1) | 1;
    values.iter().step_by(stride).copied().filter(|value| value.is_finite()).collect()
}

/// Returns about [`median`], from an even sample of the values; for clipping bounds and starting points.
pub fn rough_median(values: &[f64]) -> Option<f64> {
    median_in_place(&mut sample(values))
}

/// Returns about [`robust_sd`], from an even sample of the values; for clipping bounds and comparisons.
pub fn rough_sd(values: &[f64]) -> Option<f64> {
    robust_sd(&sample(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_numpy() {
        // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, .25, .5, .9, 1]) -> [1, 1.75, 3.5, 6.9, 9]
        let data = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (share, want) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (1.0, 9.0)] {
            let got = quantile_in_place(&mut data.to_vec(), share).expect("not empty");
            assert!((got - want).abs() < 1e-12, "{share}: {got} is not {want}");
        }
        assert_eq!(quantile_in_place(&mut [], 0.5), None);
    }

    #[test]
    fn robust_sd_agrees_with_scipy() {
        // scipy.stats.median_abs_deviation([1, 2, 3, 4, 100], scale="normal") -> 1.482602218505602
        let got = robust_sd(&[1.0, 2.0, f64::NAN, 3.0, 4.0, 100.0]).expect("not empty");
        assert!((got - 1.482_602_218_505_602).abs() < 1e-12);
    }
}
