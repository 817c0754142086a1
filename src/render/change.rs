//! How changes are read: a ratio as a percentage or a factor, a difference in the unit of its series. A change of a share
//! is read in percentage points, because a percentage of a percentage is taken for one: 28 → 33% is +5 pt, not +18%.

use super::i18n::Localized;
use super::number::{NONE, UnitScale, change, factor, levels, points, scale};
use crate::model::effect::{Estimate, Scale};
use crate::model::metric::{Dimension, Polarity, Unit};
use crate::review::{Change, Comparison, Unattributed};

/// A change that knows how it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Readable {
    /// The estimate and its interval: log ratios, or differences in the base unit.
    pub estimate: Estimate,
    /// Which of the two.
    pub scale: Scale,
    /// The series' unit, for differences.
    pub unit: Unit,
}

impl Readable {
    /// Returns the effect that a comparison was judged by.
    pub fn of(comparison: &Comparison) -> Option<Self> {
        Some(Self::as_judged(comparison)?.at_level(comparison.level_before()))
    }

    /// Returns the same on the scale that it was judged on, for an axis of ratios.
    pub fn as_judged(comparison: &Comparison) -> Option<Self> {
        let judged = comparison.judged()?;
        Some(Self { estimate: judged.estimate, scale: judged.scale, unit: comparison.unit })
    }

    /// Reads the ratio of a share as the points that it is from a level on; everything else stays as it is.
    ///
    /// `before`: the level in the base unit; without one the ratio is written as a factor.
    pub fn at_level(self, before: Option<f64>) -> Self {
        let is_ratio_of_share = self.scale == Scale::LogRatio && self.unit.dimension == Dimension::Share;
        let Some(before) = before.filter(|before| is_ratio_of_share && before.is_finite()) else { return self };
        let Estimate { value, low, high } = self.estimate;
        let [value, low, high] = [value, low, high].map(|change| before * change.exp_m1());
        Self { estimate: Estimate { value, low, high }, scale: Scale::Difference, unit: self.unit }
    }

    /// Returns a change that no deploy explains.
    pub fn moved(change: &Unattributed) -> Self {
        Self::change(change.size(), change.unit).at_level(change.level_before())
    }

    /// Returns a change of the document; `unit` is that of a difference.
    pub fn change(change: Change, unit: Unit) -> Self {
        Self { estimate: change.estimate(unit), scale: change.scale.of_effect(), unit }
    }

    /// Returns one value without an interval: a log ratio, or a difference in the base unit.
    pub fn point(value: f64, scale: Scale, unit: Unit) -> Self {
        Self { estimate: Estimate { value, low: value, high: value }, scale, unit }
    }

    /// Picks the unit that all three numbers of a difference share.
    fn unit_scale(self) -> UnitScale {
        let Estimate { value, low, high } = self.estimate;
        let known = [value, low, high].into_iter().filter(|value| value.is_finite());
        scale(known.map(f64::abs).fold(0.0, f64::max), self.unit)
    }

    fn one(self, value: f64) -> String {
        match (self.scale, self.unit.dimension) {
            (Scale::LogRatio, Dimension::Share) => factor(value),
            (Scale::LogRatio, _) => change(value),
            (Scale::Difference, Dimension::Share) => points(value),
            (Scale::Difference, _) => {
                let sign = if value.is_finite() && value > 0.0 { "+" } else { "" };
                format!("{sign}{}", self.unit_scale().write(value))
            }
        }
    }

    /// Writes the estimate: `+25%`, `+0.30 pt`, `+46 s`.
    pub fn value(self) -> String {
        self.one(self.estimate.value)
    }

    /// Returns whether the change is for the worse or for the better, if its interval excludes none and a direction is bad.
    pub fn is_worse(self, better: Polarity) -> Option<bool> {
        let Estimate { low, high, .. } = self.estimate;
        let is_up = (low > 0.0 || high < 0.0).then_some(low > 0.0)?;
        match better {
            Polarity::Neutral => None,
            Polarity::Lower => Some(is_up),
            Polarity::Higher => Some(!is_up),
        }
    }

    /// Writes the interval: `+19 to +32%`, `+19〜+32%`, `+40 to +51 s`.
    pub fn range(self) -> Localized {
        let (low, high) = (self.one(self.estimate.low), self.one(self.estimate.high));
        if low == NONE && high == NONE {
            return Localized::same(NONE);
        }
        // The first unit is dropped where both ends share it.
        let own = self.unit_scale().symbol;
        let shared = ["%", " pt", own].into_iter().filter(|unit| !unit.is_empty());
        let shared = shared.into_iter().find(|unit| low.ends_with(unit) && high.ends_with(unit));
        let low = shared.and_then(|unit| low.strip_suffix(unit)).map_or(low.clone(), str::to_owned);
        Localized::new(format!("{low} to {high}"), format!("{low}〜{high}"))
    }
}

/// Writes a limit or another size that has no sign: `10%`, `0.10 pt`, `×2.4`. `before`: the level that it is counted
/// from, in the base unit.
pub(crate) fn size(value: f64, scale: Scale, unit: Unit, before: Option<f64>) -> String {
    let text = Readable::point(value.abs(), scale, unit).at_level(before).value();
    text.strip_prefix(['+', '±']).map_or(text.clone(), str::to_owned)
}

/// Writes a size on the scale that a comparison was judged on; a dash when there is none.
pub(crate) fn size_of(value: f64, comparison: &Comparison) -> String {
    let before = comparison.level_before();
    comparison.judged().map_or(NONE.to_owned(), |judged| size(value, judged.scale, comparison.unit, before))
}

/// Writes the change that matters for a comparison; a dash when none could.
pub(crate) fn limit(comparison: &Comparison) -> String {
    comparison.judged().map_or(NONE.to_owned(), |judged| size_of(judged.limit, comparison))
}

/// Writes the change that a headline is about: what was seen of it.
pub(crate) fn seen_change(comparison: &Comparison) -> Option<String> {
    match comparison.seen() {
        Some(seen) => {
            let own = Readable::point(seen.size, seen.scale.of_effect(), comparison.unit);
            Some(own.at_level(comparison.level_before()).value())
        }
        None => Some(Readable::of(comparison)?.value()),
    }
}

/// Writes the levels of a change that no deploy explains.
pub(crate) fn moved_levels(change: &Unattributed) -> String {
    levels(change.level_before(), change.level_after(), change.unit)
}

/// Writes the levels that a headline is about.
pub(crate) fn seen_levels(comparison: &Comparison) -> String {
    let after = comparison.seen().map_or(comparison.level_after(), |seen| seen.after);
    levels(comparison.level_before(), after, comparison.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms() -> Unit {
        Unit::parse("ms").expect("known")
    }

    fn effect(value: f64, low: f64, high: f64) -> Readable {
        let estimate = Estimate { value: value.ln_1p(), low: low.ln_1p(), high: high.ln_1p() };
        Readable { estimate, scale: Scale::LogRatio, unit: ms() }
    }

    #[test]
    fn changes_read_as_percent_then_as_factor() {
        let shown = effect(0.25, 0.19, 0.32);
        assert_eq!(shown.value(), "+25%");
        assert_eq!(shown.range(), Localized::new("+19 to +32%", "+19〜+32%"));
        assert_eq!(effect(-0.35, -0.41, -0.29).value(), "−35%");
        assert_eq!(effect(1.4, 0.8, 2.1).range().en, "+80% to ×3.1");
        assert_eq!(change(0.0), "±0%");
        assert_eq!(change(f64::NAN), NONE);
        assert_eq!(change(f64::INFINITY), NONE);
        assert_eq!(size(0.1f64.ln_1p(), Scale::LogRatio, ms(), Some(0.2)), "10%");
    }

    #[test]
    fn a_difference_is_read_in_the_unit_of_its_series() {
        let difference = |symbol: &str, value: f64, low: f64, high: f64| {
            let unit = Unit::parse(symbol).expect("known");
            Readable { estimate: Estimate { value, low, high }, scale: Scale::Difference, unit }
        };
        let age = difference("s", 45.5515, 39.9, 51.2);
        assert_eq!((age.value(), age.range().en), ("+46 s".to_owned(), "+40 to +51 s".to_owned()));
        let fast = difference("ms", 0.0075, 0.0, 0.012);
        assert_eq!((fast.value(), fast.range().ja), ("+7.5 ms".to_owned(), "0〜+12 ms".to_owned()));
        let messages = difference("count", -120.0, -150.0, -90.0);
        assert_eq!((messages.value(), messages.range().en), ("−120".to_owned(), "−150 to −90".to_owned()));
        assert_eq!(difference("ratio", 0.003, 0.0014, 0.0047).range().en, "+0.14 to +0.47 pt");
        assert_eq!(size(45.0, Scale::Difference, Unit::parse("s").expect("known"), None), "45 s");
    }

    #[test]
    fn a_ratio_of_a_share_is_read_in_points() {
        let percent = Unit::parse("percent").expect("known");
        let estimate = Estimate { value: (33.0f64 / 28.0).ln(), low: 0.1f64.ln_1p(), high: 0.25f64.ln_1p() };
        let processor = Readable { estimate, scale: Scale::LogRatio, unit: percent };
        let shown = processor.at_level(Some(0.28));
        assert_eq!((shown.value(), shown.range().en), ("+5.0 pt".to_owned(), "+2.8 to +7.0 pt".to_owned()));
        assert_eq!((processor.value(), processor.range().en), ("×1.18".to_owned(), "×1.10 to ×1.25".to_owned()));
        assert_eq!(size(0.1f64.ln_1p(), Scale::LogRatio, percent, Some(0.28)), "2.8 pt");
        assert_eq!(shown.is_worse(Polarity::Lower), processor.is_worse(Polarity::Lower));
        let slower = effect(0.25, 0.19, 0.32);
        assert_eq!(slower.at_level(Some(0.2)), slower);
    }

    #[test]
    fn only_a_change_whose_interval_excludes_none_is_for_the_worse() {
        let (up, open, down) = (effect(0.2, 0.1, 0.3), effect(0.2, -0.1, 0.3), effect(-0.2, -0.3, -0.1));
        let of = |better| [up, open, down].map(|change| change.is_worse(better));
        assert_eq!(of(Polarity::Lower), [Some(true), None, Some(false)]);
        assert_eq!(of(Polarity::Higher), [Some(false), None, Some(true)]);
        assert_eq!(of(Polarity::Neutral), [None; 3]);
    }
}
