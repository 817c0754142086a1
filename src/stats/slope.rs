//! A robust straight line.

use super::describe::median;

/// Returns the median of the slopes between all pairs of points, in units of `y` a unit of `x`.
///
/// `points`: `(x, y)`, finite, any order. `None` if no two differ in `x`.
///
/// # Source
/// P. K. Sen, JASA 63 (1968), 1379–1389. Checked with SciPy `theilslopes(y, x).slope`:
/// `sample-data/stats/slope.json`.
pub fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (k, (x0, y0)) in points.iter().enumerate() {
        for (x1, y1) in &points[k + 1..] {
            if (x1 - x0).abs() > 0.0 {
                slopes.push((y1 - y0) / (x1 - x0));
            }
        }
    }
    median(&slopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.theilslopes([1, 3, 2, 5, 40], [0, 1, 2, 3, 4]).slope -> 2.5
        let got = theil_sen(&[(0.0, 1.0), (1.0, 3.0), (2.0, 2.0), (3.0, 5.0), (4.0, 40.0)]).expect("points");
        assert!((got - 2.5).abs() < 1e-12, "{got}");
        assert_eq!(theil_sen(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }

    proptest! {
        #[test]
        fn shift_and_scale(y in prop::collection::vec(-1e3..1e3f64, 2..12), shift in -10.0..10.0f64, scale in 0.1..10.0f64) {
            let points: Vec<(f64, f64)> = y.iter().enumerate().map(|(k, y)| (k as f64, *y)).collect();
            let moved: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, y * scale + shift)).collect();
            let (a, b) = (theil_sen(&points).expect("points"), theil_sen(&moved).expect("points"));
            prop_assert!((b - a * scale).abs() < 1e-6 * (1.0 + b.abs()));
        }
    }
}
