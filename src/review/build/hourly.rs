//! Hourly values of the judgement, as charts and counts of the document need them.

use crate::model::time::{HOUR, Window};
use crate::review::chapter::{hours_within, joined};
use crate::stats::describe;

/// Hourly values in base units; NaN is missing.
#[derive(Clone, Copy)]
pub(super) struct Hourly<'a> {
    /// Start of the first hour, UTC ms.
    pub start: i64,
    /// One value an hour.
    pub values: &'a [f32],
}

impl Hourly<'_> {
    /// Returns the value of the hour that holds an instant; NaN outside.
    pub fn at(&self, at: i64) -> f64 {
        let index = usize::try_from((at - self.start).div_euclid(HOUR)).ok();
        let value = index.and_then(|index| self.values.get(index)).copied().unwrap_or(f32::NAN);
        if value.is_finite() { f64::from(value) } else { f64::NAN }
    }

    /// Returns the values of the hours in a window, by time.
    pub fn within(&self, window: Window) -> impl Iterator<Item = f64> + '_ {
        hours_within(window).map(|at| self.at(at))
    }

    /// Returns the values in a window joined to at most `most` points, each the largest of its hours.
    pub fn joined(&self, window: Window, most: usize) -> Vec<f64> {
        joined(window, most, |at| self.at(at))
    }

    /// Returns the median of a window; `None` if nothing is known in it.
    pub fn median(&self, window: Window) -> Option<f64> {
        let known: Vec<f64> = self.within(window).filter(|value| value.is_finite()).collect();
        describe::median(&known)
    }

    /// Counts the hours of a window whose value is at least `least`.
    pub fn count_from(&self, window: Window, least: f64) -> usize {
        self.within(window).filter(|value| *value >= least).count()
    }

    /// Sums up a window; `None` if nothing is known in it.
    pub fn sum(&self, window: Window) -> Option<f64> {
        let known: Vec<f64> = self.within(window).filter(|value| value.is_finite()).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }
}
