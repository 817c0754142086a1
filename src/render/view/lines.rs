//! Draws the line of a period that tables show.

use super::context::ViewContext;
use crate::model::metric::Unit;
use crate::render::chart::{Svg, sparkline};
use crate::render::number;
use crate::review::Series;

impl ViewContext<'_> {
    /// Draws a series over the period.
    pub fn spark(&self, series: &Series) -> Option<Svg> {
        self.spark_of(series.line.as_deref().unwrap_or_default(), series.unit)
    }

    /// Draws values over the period; the title gives the smallest and the largest, the description the last.
    pub fn spark_of(&self, values: &[Option<f64>], unit: Unit) -> Option<Svg> {
        let values: Vec<f64> = values.iter().map(|value| value.map_or(f64::NAN, |value| value * unit.factor)).collect();
        let write = |value: f64| number::level(value, unit);
        let known = || values.iter().copied().filter(|value| value.is_finite());
        let range =
            format!("{} – {}", write(known().fold(f64::NAN, f64::min)), write(known().fold(f64::NAN, f64::max)));
        let last = known().next_back().map_or_else(String::new, write);
        sparkline(&values, &range, &last)
    }
}
