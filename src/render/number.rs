//! How numbers are read: the only place that scales and rounds.
//!
//! Values that are not finite become a dash; nothing here panics on data.

use super::i18n::Localized;
pub(crate) use super::i18n::whole;
use crate::model::metric::{Dimension, Unit};

/// What is written where no number is known.
pub(crate) const NONE: &str = "–";

/// Ratio from which a rise is read as a factor: above a doubling, percentages stop speaking.
const FACTOR_FROM: f64 = 2.0;

/// Writes a number with at least `digits` significant digits, never fewer than its whole part has.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let size = value.abs();
    if size < 1e-12 {
        return "0".to_owned();
    }
    // Rounding may carry into the next power of ten (9.96 with two digits is 10, not 10.0).
    let first = decimals(size, digits);
    let scale = 10f64.powi(i32::try_from(first).unwrap_or(0));
    let places = decimals((size * scale).round() / scale, digits);
    let sign = if value < 0.0 { "−" } else { "" };
    if places == 0 {
        return format!("{sign}{}", whole(size.round().min(1e18) as u64));
    }
    format!("{sign}{size:.places$}")
}

/// Writes a number with three significant digits and no zeros at its end, for settings and axes.
pub(crate) fn trimmed(value: f64) -> String {
    let text = significant(value, 3);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn decimals(size: f64, digits: usize) -> usize {
    let magnitude = size.log10().floor() as i64;
    usize::try_from(digits as i64 - 1 - magnitude).unwrap_or(0).min(9)
}

/// Writes a large count shortly: `48,210`, `1.2M`, `120万`.
pub(crate) fn many(n: f64) -> Localized {
    if !n.is_finite() {
        return Localized::same(NONE);
    }
    let n = n.max(0.0);
    let en = match n {
        n if n >= 9.95e8 => format!("{}B", significant(n / 1e9, 2)),
        n if n >= 1e6 => format!("{}M", significant(n / 1e6, 2)),
        n => whole(n.round() as u64),
    };
    let ja = match n {
        n if n >= 1e8 => format!("{}億", significant(n / 1e8, 2)),
        n if n >= 1e5 => format!("{}万", significant(n / 1e4, 2)),
        n => whole(n.round() as u64),
    };
    Localized::new(en, ja)
}

/// A scale that people read: the factor from the base unit, and the symbol after the number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UnitScale {
    /// `shown = base * factor`.
    pub factor: f64,
    /// Follows the number, with its space where one belongs.
    pub symbol: &'static str,
}

/// Picks the scale in which a value of this size is read best.
pub(crate) fn scale(size: f64, unit: Unit) -> UnitScale {
    let size = if size.is_finite() { size.abs() } else { 0.0 };
    let pick = |steps: &[(f64, f64, &'static str)]| {
        let step = steps.iter().find(|(from, ..)| size >= *from).or(steps.last());
        step.map_or(UnitScale { factor: 1.0, symbol: "" }, |(_, factor, symbol)| UnitScale { factor: *factor, symbol })
    };
    match unit.dimension {
        Dimension::Time => pick(&[(10.0, 1.0, " s"), (5e-4, 1e3, " ms"), (0.0, 1e6, " µs")]),
        Dimension::Share => UnitScale { factor: 100.0, symbol: "%" },
        Dimension::Rate => pick(&[(0.095, 1.0, "/s"), (0.0, 60.0, "/min")]),
        Dimension::Bytes => BYTES.iter().find(|step| size >= step.0).map_or(BYTE, |step| step.1),
        Dimension::ByteRate => BYTE_RATES.iter().find(|step| size >= step.0).map_or(BYTE_RATE, |step| step.1),
        Dimension::Count => UnitScale { factor: 1.0, symbol: "" },
    }
}

const KIB: f64 = 1024.0;
const BYTE: UnitScale = UnitScale { factor: 1.0, symbol: " B" };
const BYTE_RATE: UnitScale = UnitScale { factor: 1.0, symbol: " B/s" };
const BYTES: [(f64, UnitScale); 4] = [
    (KIB * KIB * KIB * KIB, UnitScale { factor: 1.0 / (KIB * KIB * KIB * KIB), symbol: " TiB" }),
    (KIB * KIB * KIB, UnitScale { factor: 1.0 / (KIB * KIB * KIB), symbol: " GiB" }),
    (KIB * KIB, UnitScale { factor: 1.0 / (KIB * KIB), symbol: " MiB" }),
    (KIB, UnitScale { factor: 1.0 / KIB, symbol: " KiB" }),
];
const BYTE_RATES: [(f64, UnitScale); 3] = [
    (KIB * KIB * KIB, UnitScale { factor: 1.0 / (KIB * KIB * KIB), symbol: " GiB/s" }),
    (KIB * KIB, UnitScale { factor: 1.0 / (KIB * KIB), symbol: " MiB/s" }),
    (KIB, UnitScale { factor: 1.0 / KIB, symbol: " KiB/s" }),
];

impl UnitScale {
    /// Writes the number alone: no decimals above 10, two digits below.
    pub fn number(self, value: f64) -> String {
        significant(value * self.factor, 2)
    }

    /// Writes number and symbol.
    pub fn write(self, value: f64) -> String {
        if value.is_finite() { format!("{}{}", self.number(value), self.symbol) } else { NONE.to_owned() }
    }
}

/// Writes a level in its unit: `230 ms`, `0.12%`, `4.1/s`.
pub(crate) fn level(value: f64, unit: Unit) -> String {
    scale(value, unit).write(value)
}

/// Writes two levels in one scale: `184 → 230 ms`.
pub(crate) fn levels(before: Option<f64>, after: Option<f64>, unit: Unit) -> String {
    let (before, after) = (before.unwrap_or(f64::NAN), after.unwrap_or(f64::NAN));
    let scale = scale(before.abs().max(after.abs()), unit);
    match (before.is_finite(), after.is_finite()) {
        (true, true) => format!("{} → {}", scale.number(before), scale.write(after)),
        (false, false) => NONE.to_owned(),
        _ => format!("{} → {}", scale.write(before), scale.write(after)),
    }
}

/// Writes a log ratio as people read it: `+25%`, `−35%`, `×2.4`.
pub(crate) fn change(log_ratio: f64) -> String {
    if !log_ratio.is_finite() {
        return NONE.to_owned();
    }
    let ratio = log_ratio.exp();
    if ratio >= FACTOR_FROM {
        format!("×{}", significant(ratio, 2))
    } else {
        format!("{}%", signed((ratio - 1.0) * 100.0))
    }
}

/// Writes a log ratio as a factor, for values whose percentages would be taken for points: `×1.18`.
pub(crate) fn factor(log_ratio: f64) -> String {
    if log_ratio.is_finite() { format!("×{}", significant(log_ratio.exp(), 3)) } else { NONE.to_owned() }
}

/// Writes a number with its sign and two significant digits, but nothing finer than a tenth.
fn signed(value: f64) -> String {
    let size = value.abs();
    let text = if size < 9.95 { format!("{size:.1}") } else { significant(size, 2) };
    let text = text.strip_suffix(".0").unwrap_or(&text);
    match text {
        "0" => "±0".to_owned(),
        text if value < 0.0 => format!("−{text}"),
        text => format!("+{text}"),
    }
}

/// Writes a difference of shares in percentage points: `+0.30 pt`.
pub(crate) fn points(delta: f64) -> String {
    if !delta.is_finite() {
        return NONE.to_owned();
    }
    // Nothing finer than a thousandth of a point: below it there is only rounding.
    let value = (delta * 1e5).round() / 1e3;
    let sign = if value < 0.0 { "−" } else { "+" };
    match significant(value.abs(), 2).as_str() {
        "0" => "±0 pt".to_owned(),
        text => format!("{sign}{} pt", text.get(..5).filter(|_| text.starts_with("0.00")).unwrap_or(text)),
    }
}

/// Writes a length of time that people waited: `15 h`, `15時間`. Waiting is never counted in days: two sums of it are set
/// against each other more often than against the calendar.
pub(crate) fn waiting(seconds: f64) -> Localized {
    waiting_beside(seconds, seconds)
}

/// Writes a length of time in the unit that `largest` is read in, so that a column has one unit.
pub(crate) fn waiting_beside(seconds: f64, largest: f64) -> Localized {
    if !seconds.is_finite() {
        return Localized::same(NONE);
    }
    let (factor, en, ja) = match largest.abs() {
        s if s >= 5_400.0 => (3_600.0, "h", "時間"),
        s if s >= 90.0 => (60.0, "min", "分"),
        _ => (1.0, "s", "秒"),
    };
    let number = significant(seconds / factor, 2);
    let number = number.strip_suffix(".0").unwrap_or(&number);
    Localized::new(format!("{number} {en}"), format!("{number}{ja}"))
}

/// Writes a span of time in milliseconds: `9 h`, `14 days`.
pub(crate) fn span(ms: i64) -> Localized {
    let hours = ms as f64 / 3.6e6;
    let (value, en, ja) = match hours.abs() {
        h if h >= 47.5 => (h / 24.0, if (h / 24.0 - 1.0).abs() < 0.05 { "day" } else { "days" }, "日"),
        h if h >= 1.5 => (h, "h", "時間"),
        h => (h * 60.0, "min", "分"),
    };
    let number = significant(value, 2);
    let number = number.strip_suffix(".0").unwrap_or(&number);
    Localized::new(format!("{number} {en}"), format!("{number}{ja}"))
}

/// Writes a share without decimals, never rounding up to a false 100 %.
pub(crate) fn share(value: f64) -> String {
    match value * 100.0 {
        p if !p.is_finite() => NONE.to_owned(),
        p if p > 99.5 && p < 100.0 - 1e-9 => ">99%".to_owned(),
        p if p > 0.0 && p < 0.5 => "<1%".to_owned(),
        p => format!("{p:.0}%"),
    }
}

/// Writes a share within a sentence.
pub(crate) fn share_words(value: f64) -> Localized {
    let text = share(value);
    match text.split_at_checked(1) {
        Some((">", rest)) => Localized::new(format!("over {rest}"), format!("{rest}超")),
        Some(("<", rest)) => Localized::new(format!("under {rest}"), format!("{rest}未満")),
        _ => Localized::same(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms() -> Unit {
        Unit::parse("ms").expect("known")
    }

    #[test]
    fn milliseconds_above_ten_have_no_decimals() {
        assert_eq!(level(0.2304, ms()), "230 ms");
        assert_eq!(level(0.00423, ms()), "4.2 ms");
        assert_eq!(level(0.00996, ms()), "10 ms");
        assert_eq!(level(1.234, ms()), "1,234 ms");
        assert_eq!(levels(Some(0.184), Some(0.23), ms()), "184 → 230 ms");
        assert_eq!(levels(None, None, ms()), NONE);
    }

    #[test]
    fn shares_never_round_to_a_false_whole() {
        assert_eq!(share(0.999), ">99%");
        assert_eq!(share_words(0.999), Localized::new("over 99%", "99%超"));
        assert_eq!(share(1.0), "100%");
        assert_eq!(share(0.001), "<1%");
        assert_eq!(points(0.003), "+0.30 pt");
        assert_eq!(points(0.000_011), "+0.001 pt");
        assert_eq!(points(-0.000_001), "±0 pt");
    }

    #[test]
    fn counts_follow_the_language() {
        assert_eq!(many(1_200_000.0), Localized::new("1.2M", "120万"));
        assert_eq!(waiting(54_000.0), Localized::new("15 h", "15時間"));
        assert_eq!(waiting(4_320_000.0).en, "1,200 h");
        assert_eq!(waiting(600.0).en, "10 min");
        assert_eq!(waiting_beside(600.0, 54_000.0), Localized::new("0.17 h", "0.17時間"));
    }
}
