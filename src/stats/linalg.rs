//! Small systems of linear equations: a handful of unknowns, solved in place.

/// Solves normal equations by Gauss and Jordan's elimination without exchange of rows; each row ends with its solution.
///
/// `rows`: `count` rows of `count` coefficients and a right side, one after the other; symmetric and positive
/// (semi)definite, so that no rows need to be exchanged. `is_sound`: tells of an unknown and its pivot whether the data
/// determine it. An unknown that they do not determine is taken as 0 by the others; its own solution is NaN.
pub fn solve(rows: &mut [f64], count: usize, is_sound: impl Fn(usize, f64) -> bool) {
    let width = count + 1;
    for pivot in 0..count {
        let (before, rest) = rows.split_at_mut(pivot * width);
        let (head, after) = rest.split_at_mut(width.min(rest.len()));
        let Some(divisor) = head.get(pivot).copied() else { return };
        if !is_sound(pivot, divisor) {
            if let Some(right) = head.last_mut() {
                *right = f64::NAN;
            }
            continue;
        }
        for row in before.chunks_exact_mut(width).chain(after.chunks_exact_mut(width)) {
            let factor = row[pivot] / divisor;
            for (value, head) in row.iter_mut().zip(&*head) {
                *value -= factor * head;
            }
        }
    }
    for (index, row) in rows.chunks_exact_mut(width).enumerate() {
        row[count] /= row[index];
    }
}

/// Solves `a x + b y = r`, `b x + c y = s` by Cramer's rule; `None` if the equations say about the same.
pub fn solve_two([a, b, c]: [f64; 3], [r, s]: [f64; 2]) -> Option<(f64, f64)> {
    let determinant = a * c - b * b;
    (determinant > 1e-12 * a * c).then(|| ((r * c - s * b) / determinant, (s * a - r * b) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_satisfies_every_equation() {
        let mut rows = [4.0, 1.0, 0.5, 1.0, 1.0, 3.0, -0.25, 2.0, 0.5, -0.25, 2.0, 3.0];
        solve(&mut rows, 3, |_, pivot| pivot > 0.0);
        let found = [rows[3], rows[7], rows[11]];
        let residual = |k: usize, row: [f64; 3], right: f64| {
            let sum: f64 = row.iter().zip(found).map(|(a, x)| a * x).sum();
            assert!((sum - right).abs() < 1e-12, "row {k}: {found:?}");
        };
        residual(0, [4.0, 1.0, 0.5], 1.0);
        residual(1, [1.0, 3.0, -0.25], 2.0);
        residual(2, [0.5, -0.25, 2.0], 3.0);
    }

    #[test]
    fn what_the_data_do_not_determine_is_left_out() {
        let mut rows = [2.0, 0.0, 4.0, 0.0, 0.0, 0.0];
        solve(&mut rows, 2, |_, pivot| pivot > 1e-9);
        assert!((rows[2] - 2.0).abs() < 1e-12 && rows[5].is_nan(), "{rows:?}");
        assert_eq!(solve_two([1.0, 1.0, 1.0], [1.0, 1.0]), None);
        assert_eq!(solve_two([2.0, 0.0, 4.0], [1.0, 1.0]), Some((0.5, 0.25)));
    }
}
