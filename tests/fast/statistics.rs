//! The statistics held against SciPy, statsmodels and NumPy, and against laws that any of them must keep.
//!
//! The numbers are in `sample-data/stats/*.json`, made by `sample-data/stats/make_reference.py`.

use fortnight::stats::autocovariance::{NoiseFit, TakenOut, fit_noise};
use fortnight::stats::counts::{Counts, difference_interval, equal_shares_p, ratio_interval, wilson};
use fortnight::stats::structural::{Ar1Pair, Scan, Scratch, Step};
use fortnight::stats::{describe, distribution, fdr, slope};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::series::random::Random;

/// Reads the cases of one reference file.
fn cases(name: &str) -> Vec<Value> {
    let path = format!("{}/sample-data/stats/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("reference file");
    let mut whole: Value = serde_json::from_str(&text).expect("JSON");
    match whole["cases"].take() {
        Value::Array(cases) => cases,
        other => panic!("{name}: no cases but {other}"),
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(text) if text == "inf" => f64::INFINITY,
        other => other.as_f64().expect("number"),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("list").iter().map(number).collect()
}

fn pair(value: &Value) -> [f64; 2] {
    numbers(value).try_into().expect("two numbers")
}

/// Asserts equality to a relative tolerance, absolute below 1e-300.
#[track_caller]
fn close(got: f64, want: f64, tolerance: f64, what: &str) {
    let is_same_infinity = got.is_infinite() && want.is_infinite() && got.signum() == want.signum();
    let near = (got - want).abs() <= tolerance * want.abs().max(1e-300);
    assert!(is_same_infinity || near || (got == 0.0 && want == 0.0), "{what}: {got:e} is not {want:e}");
}

/// Asserts equality to an absolute tolerance.
#[track_caller]
fn near(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got - want).abs() <= tolerance, "{what}: {got:e} is not {want:e}");
}

#[test]
fn medians_and_quantiles_are_numpys() {
    for case in cases("describe.json") {
        let values = numbers(&case["values"]);
        for (share, want) in numbers(&case["shares"]).into_iter().zip(numbers(&case["quantiles"])) {
            let got = describe::quantile(&values, share).expect("not empty");
            near(got, want, 1e-14 * want.abs() + 1e-14, &format!("quantile {share} of {}", values.len()));
        }
        let median = number(&case["median"]);
        near(describe::median(&values).expect("median"), median, 1e-14 * median.abs(), "median");
        // Around 1e9 a spread of 1e-3 has four digits left.
        let tolerance = 1e-12 + 1e-15 * median.abs();
        near(describe::robust_sd(&values).expect("spread"), number(&case["robust_sd"]), tolerance, "robust sd");
        let rough = number(&case["rough_median"]);
        near(describe::rough_median(&values).expect("median"), rough, 1e-14 * rough.abs(), "rough median");
        near(describe::rough_sd(&values).expect("spread"), number(&case["rough_sd"]), tolerance, "rough sd");
    }
    assert_eq!(describe::median(&[f64::NAN]), None);
    assert_eq!(describe::rough_sd(&[]), None);
}

#[test]
fn tails_and_quantiles_of_t_are_scipys() {
    for case in cases("distribution.json") {
        let df = number(&case["df"]);
        for (k, x) in numbers(&case["x"]).into_iter().enumerate() {
            let at = |key: &str| number(&case[key][k]);
            let what = format!("x {x} df {df}");
            close(distribution::two_sided_p(x, df), at("two_sided_p"), 1e-9, &format!("p, {what}"));
            close(distribution::two_sided_p(-x, df), at("two_sided_p"), 1e-9, &format!("p of -x, {what}"));
            close(distribution::lower_tail(-x, df), at("lower_tail_of_minus_x"), 1e-9, &format!("tail, {what}"));
            close(distribution::lower_tail(x, df), at("lower_tail_of_x"), 1e-10, &format!("upper, {what}"));
        }
        for (share, want) in numbers(&case["share"]).into_iter().zip(numbers(&case["quantile"])) {
            let got = distribution::quantile(share, df);
            near(got, want, 1e-7 * (1.0 + want.abs()), &format!("quantile {share} df {df}"));
        }
    }
}

#[test]
fn the_normal_stands_in_where_nobody_sees_it() {
    let t = distribution::quantile(0.975, 1199.9);
    let normal = distribution::quantile(0.975, 1200.0);
    assert!((t / normal - 1.0).abs() < 1.1e-3, "{t} {normal}");
}

#[test]
fn counts_are_scipys_and_statsmodels() {
    for case in cases("counts.json") {
        let counts = Counts { failed: pair(&case["failed"]), requests: pair(&case["requests"]) };
        let what = format!("{counts:?}");
        close(equal_shares_p(&counts), number(&case["equal_shares_p"]), 1e-7, &format!("p of {what}"));
        let (got, want) = (ratio_interval(&counts), pair(&case["ratio_interval"]));
        for k in 0..2 {
            close(got[k], want[k], 1e-5, &format!("ratio {k} of {what}"));
        }
        let (got, want) = (difference_interval(&counts), pair(&case["difference_interval"]));
        for k in 0..2 {
            near(got[k], want[k], 1e-12, &format!("difference {k} of {what}"));
            let (got, want) = (wilson(counts.failed[k], counts.requests[k]), pair(&case["wilson"][k]));
            near(got[0], want[0], 1e-12, &format!("wilson of {what}"));
            near(got[1], want[1], 1e-12, &format!("wilson of {what}"));
        }
    }
}

#[test]
fn false_discovery_rate_is_scipys() {
    for case in cases("fdr.json") {
        let got = fdr::benjamini_hochberg(&numbers(&case["p"]));
        for (got, want) in got.into_iter().zip(numbers(&case["q"])) {
            near(got, want, 1e-14, "q");
        }
    }
}

#[test]
fn slopes_are_scipys() {
    for case in cases("slope.json") {
        let points: Vec<(f64, f64)> = numbers(&case["x"]).into_iter().zip(numbers(&case["y"])).collect();
        near(slope::theil_sen(&points).expect("slope"), number(&case["slope"]), 1e-12, "slope");
    }
}

#[test]
fn noise_is_that_of_moments_and_nnls() {
    for case in cases("autocovariance.json") {
        let stretches = numbers(&case["stretches"]).into_iter().map(|length| length as usize).collect();
        let taken = TakenOut { stretches, slots: number(&case["slots"]) };
        let fit = fit_noise(&numbers(&case["residuals"]), &numbers(&case["weights"]), &taken).expect("enough");
        let NoiseFit { fast_phi, fast_variance, slow_phi, slow_variance, white_variance } = fit;
        for (got, key) in [
            (fast_phi, "fast_phi"),
            (fast_variance, "fast_variance"),
            (slow_phi, "slow_phi"),
            (slow_variance, "slow_variance"),
            (white_variance, "white_variance"),
        ] {
            near(got, number(&case[key]), 1e-9, key);
        }
    }
}

#[test]
fn known_noise_is_found_again() {
    // Mean of 40 histories of four weeks of quarter hours each; the time constants lie on the list.
    let (fast, slow, white) = (1.0, 0.4, 0.5);
    let phi = (-1.0_f64 / 8.0).exp();
    let slow_phi = (-1.0_f64 / 96.0).exp();
    let mut sums = [0.0; 3];
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let (mut a, mut b) = (random.normal() * f64::sqrt(fast), random.normal() * f64::sqrt(slow));
        let series: Vec<f64> = (0..2688)
            .map(|_| {
                a = phi * a + (fast * (1.0 - phi * phi)).sqrt() * random.normal();
                b = slow_phi * b + (slow * (1.0 - slow_phi * slow_phi)).sqrt() * random.normal();
                a + b + f64::sqrt(white) * random.normal()
            })
            .collect();
        let fit = fit_noise(&series, &vec![1.0; series.len()], &TakenOut::default()).expect("enough");
        for (sum, part) in sums.iter_mut().zip([fit.fast_variance, fit.slow_variance, fit.white_variance]) {
            *sum += part / 40.0;
        }
    }
    // Fast and slow partly pass for one another; their sum and the white part are what errors rest on.
    near(sums[0] + sums[1], fast + slow, 0.1, "fast and slow");
    near(sums[1], slow, 0.2, "slow");
    near(sums[2], white, 0.1, "white");
}

/// One case for the scan.
#[derive(Debug, Clone)]
struct Model {
    values: Vec<f64>,
    white: Vec<f64>,
    memory: Ar1Pair,
    steps: Vec<usize>,
}

impl Model {
    fn step(&self, at: usize) -> Step {
        let mut space = Scratch::default();
        Scan::run(&mut space, &self.values, &self.white, self.memory, &self.steps).step(at)
    }

    fn fit(&self) -> f64 {
        let mut space = Scratch::default();
        Scan::run(&mut space, &self.values, &self.white, self.memory, &self.steps).fit()
    }
}

#[test]
fn steps_are_those_of_dense_least_squares() {
    for case in cases("structural.json") {
        let tuple = |key: &str| (number(&case[key][0]), number(&case[key][1]));
        let model = Model {
            values: numbers(&case["values"]),
            white: numbers(&case["white"]),
            memory: Ar1Pair { fast: tuple("fast"), slow: tuple("slow") },
            steps: numbers(&case["steps"]).into_iter().map(|at| at as usize).collect(),
        };
        for found in case["found"].as_array().expect("list") {
            let at = found["at"].as_u64().expect("index") as usize;
            let (step, what) = (model.step(at), format!("{at} of {}", model.values.len()));
            let variance = number(&found["variance"]);
            if variance.is_nan() {
                assert!(step.variance > 1e5 * (model.memory.fast.1 + model.memory.slow.1), "{what}: no data on a side");
                continue;
            }
            close(step.variance, variance, 2e-5, &format!("variance at {what}"));
            near(step.size, number(&found["size"]), 2e-5 * variance.sqrt(), &format!("size at {what}"));
        }
        near(model.fit(), number(&case["fit"]), 1e-3, "log-likelihood");
    }
}

#[test]
fn nothing_known_is_no_step() {
    let memory = Ar1Pair { fast: (0.8, 1.0), slow: (0.99, 1.0) };
    let empty = Model { values: vec![], white: vec![], memory, steps: vec![] };
    assert!(empty.step(0).variance.is_infinite());
    let missing = Model { values: vec![f64::NAN; 50], white: vec![1.0; 50], memory, steps: vec![] };
    assert!(missing.step(25).variance > 1e6);
    assert!(missing.step(25).size.abs() < 1e-9);
}

#[test]
fn a_spike_is_no_step() {
    let memory = Ar1Pair { fast: (0.8, 1.0), slow: (0.99, 0.2) };
    let mut model = Model { values: vec![3.0; 200], white: vec![0.5; 200], memory, steps: vec![] };
    model.values[100] += 1e6;
    assert!(model.step(100).z().abs() < 2.5, "{:?}", model.step(100));
    assert!(model.step(50).z().abs() < 1.0);
}

/// Series with gaps, small enough against the noise that no innovation is clipped.
fn model() -> impl Strategy<Value = Model> {
    let value = prop_oneof![4 => (-1.0..1.0f64).prop_map(Some), 1 => Just(None)];
    (prop::collection::vec((value, 0.5..2.0f64), 24..70), 0.1..0.95f64, 0.2..2.0f64, 0.0..1.0f64).prop_map(
        |(points, phi, fast, slow)| {
            let mut values: Vec<f64> = points.iter().map(|(value, _)| value.unwrap_or(f64::NAN)).collect();
            // Both ends hold data, so that each side of every moment asked for does.
            for at in [0, 1, 2] {
                let last = values.len() - 1 - at;
                values[at] = 0.1 * at as f64;
                values[last] = -0.1 * at as f64;
            }
            let white = points.iter().map(|(_, white)| *white).collect();
            Model { values, white, memory: Ar1Pair { fast: (phi, fast), slow: (0.99, slow) }, steps: vec![] }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn time_reversed_steps_are_mirrored(model in model(), place in 0.15..0.85f64) {
        let count = model.values.len();
        let at = (place * count as f64) as usize;
        let mut other = Model { values: model.values.clone(), white: model.white.clone(), memory: model.memory, steps: vec![] };
        other.values.reverse();
        other.white.reverse();
        let (one, two) = (model.step(at), other.step(count - at));
        prop_assert!((one.variance / two.variance - 1.0).abs() < 1e-4, "{:?} {:?}", one, two);
        prop_assert!((one.size + two.size).abs() < 1e-4 * one.variance.sqrt(), "{:?} {:?}", one, two);
    }

    #[test]
    fn a_constant_changes_nothing_and_a_step_adds_its_size(model in model(), place in 0.15..0.85f64, shift in -50.0..50.0f64, size in -2.0..2.0f64) {
        let at = (place * model.values.len() as f64) as usize;
        let one = model.step(at);
        let values = model.values.iter().map(|value| value + shift).collect();
        let two = Model { values, white: model.white.clone(), memory: model.memory, steps: vec![] }.step(at);
        prop_assert!((one.size - two.size).abs() < 1e-5, "{:?} {:?}", one, two);
        prop_assert!((one.variance / two.variance - 1.0).abs() < 1e-6);
        // A step known to the model is no surprise, so none of it is clipped.
        let values = model.values.iter().enumerate().map(|(k, value)| if k >= at { value + size } else { *value }).collect();
        let steps = vec![at];
        let known = Model { values: model.values.clone(), white: model.white.clone(), memory: model.memory, steps: steps.clone() }.step(at);
        let three = Model { values, white: model.white.clone(), memory: model.memory, steps }.step(at);
        prop_assert!((known.size + size - three.size).abs() < 1e-4, "{:?} {} {:?}", known, size, three);
        prop_assert!((known.variance / three.variance - 1.0).abs() < 1e-6);
    }

    #[test]
    fn another_unit_changes_sizes_alike(model in model(), place in 0.15..0.85f64, scale in 1e-3..1e3f64) {
        let at = (place * model.values.len() as f64) as usize;
        let square = scale * scale;
        let ((f, fast), (s, slow)) = (model.memory.fast, model.memory.slow);
        let other = Model {
            values: model.values.iter().map(|value| value * scale).collect(),
            white: model.white.iter().map(|white| white * square).collect(),
            memory: Ar1Pair { fast: (f, fast * square), slow: (s, slow * square) },
            steps: vec![],
        };
        let (one, two) = (model.step(at), other.step(at));
        prop_assert!((two.variance / one.variance / square - 1.0).abs() < 1e-5);
        prop_assert!((two.size / scale - one.size).abs() < 1e-5 * one.variance.sqrt());
    }

    #[test]
    fn what_is_missing_says_nothing(model in model(), place in 0.15..0.85f64) {
        // A missing value is a value of endless variance, and more data never makes a step less sure.
        let at = (place * model.values.len() as f64) as usize;
        let mut vague = Model { values: model.values.clone(), white: model.white.clone(), memory: model.memory, steps: vec![] };
        for (value, white) in vague.values.iter_mut().zip(&mut vague.white) {
            if value.is_nan() { (*value, *white) = (0.0, 1e12); }
        }
        let (one, two) = (model.step(at), vague.step(at));
        prop_assert!((one.variance / two.variance - 1.0).abs() < 1e-4, "{:?} {:?}", one, two);
        let mut fewer = Model { values: model.values.clone(), white: model.white.clone(), memory: model.memory, steps: vec![] };
        fewer.values[at / 2] = f64::NAN;
        prop_assert!(fewer.step(at).variance >= one.variance * (1.0 - 1e-6));
    }

    #[test]
    fn noise_scales_with_the_square(seed in 0u64..1000, scale in 1e-3..1e3f64) {
        let mut random = Random::new(seed);
        let series: Vec<f64> = (0..300).map(|_| random.normal()).collect();
        let scaled: Vec<f64> = series.iter().map(|value| value * scale).collect();
        let weights = vec![1.0; 300];
        let (one, two) = (fit_noise(&series, &weights, &TakenOut::default()).expect("enough"), fit_noise(&scaled, &weights, &TakenOut::default()).expect("enough"));
        let square = scale * scale;
        prop_assert!((two.white_variance / square - one.white_variance).abs() < 1e-9);
        prop_assert!((two.fast_variance / square - one.fast_variance).abs() < 1e-9);
        prop_assert!((two.fast_phi - one.fast_phi).abs() < 1e-12);
    }

    #[test]
    fn spread_ignores_order_and_place(values in prop::collection::vec(-1e3..1e3f64, 1..60), shift in -1e3..1e3f64, scale in 0.01..100.0f64) {
        let moved: Vec<f64> = values.iter().rev().map(|value| shift - scale * value).collect();
        let (one, two) = (describe::robust_sd(&values).expect("some"), describe::robust_sd(&moved).expect("some"));
        prop_assert!((two - scale * one).abs() <= 1e-8 * (1.0 + two));
        let (one, two) = (describe::median(&values).expect("some"), describe::median(&moved).expect("some"));
        prop_assert!((two - (shift - scale * one)).abs() <= 1e-8 * (1.0 + two.abs()));
    }

    #[test]
    fn tails_and_quantiles_undo_each_other(share in 0.001..0.999f64, df in 1.0..3000.0f64) {
        let x = distribution::quantile(share, df);
        prop_assert!((distribution::lower_tail(x, df) - share).abs() < 1e-7, "{} {}", x, df);
        prop_assert!((x + distribution::quantile(1.0 - share, df)).abs() < 1e-5 * (1.0 + x.abs()));
    }

    #[test]
    fn p_falls_with_the_statistic_and_with_freedom(x in 0.0..20.0f64, more in 0.01..5.0f64, df in 1.0..100.0f64) {
        prop_assert!(distribution::two_sided_p(x + more, df) < distribution::two_sided_p(x, df));
        prop_assert!(distribution::two_sided_p(x, df * 2.0) <= distribution::two_sided_p(x, df) * (1.0 + 1e-9));
    }

    #[test]
    fn intervals_hold_their_estimate(a in 0u32..300, b in 0u32..300, n in 300u32..1_000_000, m in 300u32..1_000_000) {
        let counts = Counts { failed: [f64::from(a), f64::from(b)], requests: [f64::from(n), f64::from(m)] };
        let [before, after] = counts.shares();
        let [low, high] = difference_interval(&counts);
        prop_assert!(low <= after - before && after - before <= high);
        let [low, high] = ratio_interval(&counts);
        if before > 0.0 { prop_assert!(low <= after / before && after / before <= high); }
        // A p under 5 % and an interval without 1 are the same statement: both come from one mid-p.
        let p = equal_shares_p(&counts);
        if (p - 0.05).abs() > 1e-4 { prop_assert_eq!(p < 0.05, low > 1.0 || high < 1.0, "{} [{}, {}]", p, low, high); }
        // Thinning widens.
        let thin = counts.thinned([3.0; 2]);
        let [thin_low, thin_high] = difference_interval(&thin);
        prop_assert!(thin_high - thin_low >= difference_interval(&counts)[1] - difference_interval(&counts)[0]);
        prop_assert!((thin.shares()[1] - after).abs() < 1e-12);
    }
}
