//! High percentiles of few requests: what a point shows is not the percentile but about the slowest request.
//!
//! The 99th percentile of 20 requests is close to their maximum, which lies near the 96th percentile of what the
//! service does. A change of every request alike moves both alike; a change of the tail alone moves the shown one
//! less than the real one. Nobody can tell from the points how much less, so the interval reaches to both readings.

use std::collections::BTreeMap;

use crate::detect::input::grid;
use crate::detect::input::requests::Traffic;
use crate::detect::judgement::Comparison;
use crate::model::effect::{Estimate, Scale};
use crate::model::metric::{Class, Kind, Polarity, Series};
use crate::stats::{describe, distribution};

/// Widens the intervals of high percentiles whose points rest on few requests.
pub fn widen_all(
    series: &[Series],
    classes_and_polarities: &[(Class, Polarity)],
    traffic: &Traffic,
    comparisons: &mut [Comparison],
) {
    let mut medians: BTreeMap<(Kind, &str, usize), f64> = BTreeMap::new();
    for comparison in comparisons.iter() {
        let key = &series[comparison.series].key;
        if let (true, Some(estimate)) = (&*key.signal == "latency_p50", comparison.log_ratio()) {
            medians.insert((key.kind, &key.target, comparison.group), estimate.value);
        }
    }
    for comparison in comparisons.iter_mut() {
        let series = &series[comparison.series];
        let key = &series.key;
        let share = match &*key.signal {
            "latency_p90" => 0.9,
            "latency_p95" => 0.95,
            "latency_p99" => 0.99,
            _ => continue,
        };
        let own = describe::rough_median(traffic.requests(key));
        let median = medians.get(&(key.kind, &*key.target, comparison.group));
        let effect = comparison.effect.as_mut().filter(|effect| effect.scale == Scale::LogRatio);
        if let (Some(effect), Some(median), Some(own)) = (effect, median, own) {
            let wide = widen(effect.estimate, *median, share, own * grid::buckets_of_a_point(series));
            if wide != effect.estimate {
                effect.estimate = wide;
                comparison.rule(classes_and_polarities[comparison.series].1);
                comparison.evidence.is_small_sample = true;
            }
        }
    }
}

/// Returns the interval of a percentile's change that also holds what the change would be if the tail were that of a
/// log-normal and its points rest on so few requests. Unchanged as long as the interval holds the median's change.
///
/// `estimate`: change of the percentile, log ratio. `median`: change of the median at the same deploy, log ratio.
/// `share`: the percentile, within 0 to 1. `requests`: typical requests behind one point. Unchanged where the points have enough
/// requests.
///
/// # Source
/// Expected normal order statistics: G. Blom, Statistical Estimates and Transformed Beta-Variables (1958), with the
/// interpolation of definition 7 of R. J. Hyndman and Y. Fan, The American Statistician 50 (1996), 361–365.
fn widen(estimate: Estimate, median: f64, share: f64, requests: f64) -> Estimate {
    let factor = factor(share, requests);
    // While the tail may have moved with the median, there is nothing to read twice.
    let is_apart = median < estimate.low || estimate.high < median;
    if factor <= 1.0 || !is_apart {
        return estimate;
    }
    let read = |value: f64| median + (value - median) * factor;
    Estimate {
        value: estimate.value,
        low: estimate.low.min(read(estimate.low)),
        high: estimate.high.max(read(estimate.high)),
    }
}

/// Returns how much further from the median the percentile lies than what so few requests show, at most 3.
fn factor(share: f64, requests: f64) -> f64 {
    if requests.is_nan() || requests >= ENOUGH / (1.0 - share) {
        return 1.0;
    }
    let n = requests.max(1.0);
    let rank = (n - 1.0) * share + 1.0;
    let shown = distribution::quantile(((rank - 0.375) / (n + 0.25)).clamp(0.5, 1.0 - 1e-9), f64::INFINITY);
    let meant = distribution::quantile(share, f64::INFINITY);
    (meant / shown.max(1e-9)).clamp(1.0, MOST)
}

/// A percentile is itself, to a hundredth of its distance from the median, from this many requests beyond it on.
const ENOUGH: f64 = 12.0;

/// The furthest that a reading is stretched.
const MOST: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_of_many_requests_is_itself() {
        let estimate = Estimate { value: 0.2, low: 0.1, high: 0.3 };
        assert_eq!(widen(estimate, 0.0, 0.99, 1200.0), estimate);
        assert_eq!(widen(estimate, 0.0, 0.5, 2.0), estimate, "the median of two is no tail");
        assert_eq!(widen(estimate, 0.0, 0.95, f64::NAN), estimate, "unknown traffic is no reason");
    }

    #[test]
    fn a_shift_of_all_requests_keeps_its_size() {
        let estimate = Estimate { value: 0.2, low: 0.19, high: 0.21 };
        assert_eq!(widen(estimate, 0.2, 0.99, 20.0), estimate);
    }

    #[test]
    fn a_tail_of_few_requests_may_be_longer_than_it_shows() {
        // 0.3 * mean of numpy.quantile(standard normal draws of 7, 0.99), 200,000 times: 0.3943; the percentile itself
        // moves by 0.3 * scipy.stats.norm.ppf(0.99) = 0.6979.
        let wide = widen(Estimate { value: 0.3943, low: 0.36, high: 0.43 }, 0.0, 0.99, 7.0);
        assert!(wide.low < 0.3943 && (0.7..0.85).contains(&wide.high), "{wide:?}");
    }
}
