//! Rounds the numbers of the document, once, where it is built: what is read back equals what was built.

/// Returns a number of the document; `None` for one without a finite value.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then(|| round(value))
}

/// Returns an interval of the document; `None` if one of its ends is not finite.
pub(crate) fn interval(low: f64, high: f64) -> Option<[f64; 2]> {
    Some([finite(low)?, finite(high)?])
}

/// Rounds to ten significant digits, far beyond any measurement: 0.184 s / 0.001 is then 184 and not
/// 184.00000000000003, and the file is a third smaller.
pub(crate) fn round(value: f64) -> f64 {
    const DIGITS: i32 = 10;
    to_digits(value, DIGITS)
}

/// Rounds to five significant digits, finer than a pixel of any chart; `None` for a value that is missing.
pub(crate) fn drawn(value: f64) -> Option<f64> {
    const DIGITS: i32 = 5;
    value.is_finite().then(|| to_digits(value, DIGITS))
}

fn to_digits(value: f64, digits: i32) -> f64 {
    if value.abs() < f64::MIN_POSITIVE || !value.is_finite() {
        return if value.is_finite() { 0.0 } else { value };
    }
    let exponent = digits - 1 - value.abs().log10().floor() as i32;
    let scale = 10_f64.powi(exponent.abs());
    let rounded = if exponent >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale };
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_ten_digits_and_the_ends_of_the_range() {
        for (value, rounded) in
            [(0.184 / 0.001, 184.0), (1.0 / 3.0, 0.333_333_333_3), (-123_456_789_012.0, -123_456_789_000.0)]
        {
            assert!((round(value) - rounded).abs() <= rounded.abs() * 1e-15, "{value}");
        }
        for value in [f64::MIN_POSITIVE, f64::MAX, 1e-300, -1e300] {
            assert!((round(value) / value - 1.0).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_rounded_number_is_its_own_rounding() {
        for k in 1..2_000 {
            let value = 1.234_567_890_123_f64.powi(k % 60) / f64::from(k);
            assert!(round(round(value)).to_bits() == round(value).to_bits(), "{value}");
        }
    }
}
