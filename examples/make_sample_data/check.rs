//! Looks whether the stories are in the data, with the plainest means: medians before and after.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fleet::{DAY, HOUR, STEP};
use crate::noise::interpolate;
use crate::simulate::{Measured, time};
use crate::stories::Story;

/// How far a plain estimate may lie from the truth, log.
const TOLERANCE: f64 = 0.05;
/// The same for shares of errors, which are counted from few.
const TOLERANCE_ERRORS: f64 = 0.25;
/// Length of the stretches that are compared.
const REACH: i64 = 2 * DAY;
/// The distance to the same hours of an earlier week: two weeks, so that the holiday is not hit.
const BACK: usize = (14 * DAY / STEP) as usize;

/// One signal of one story: what was put in and what is there.
pub struct Check {
    /// Story and series.
    pub name: String,
    /// True change, log.
    pub injected: f64,
    /// Change between the stretches, each against the same hours two weeks earlier, log.
    pub realised: f64,
    /// Median before, in the unit of the series; the mean for shares of errors.
    pub before: f64,
    /// The same after.
    pub after: f64,
    tolerance: f64,
}

impl Check {
    /// Tells whether truth and data agree.
    pub fn fits(&self) -> bool {
        (self.injected - self.realised).abs() <= self.tolerance
    }
}

/// Compares every signal of every story with the data.
pub fn check(stories: &[Story], all: &[Measured]) -> Vec<Check> {
    let mut checks = Vec::new();
    for story in stories {
        let mut add = |target: &str, signals: &BTreeMap<&'static str, f64>| {
            for (&signal, &ratio) in signals {
                let found = all.iter().find(|s| (s.service, s.target, s.signal) == (story.service, target, signal));
                checks.extend(found.map(|series| one(story, series, ratio.ln())));
            }
        };
        add(story.target, &story.signals);
        for member in &story.members {
            add(member.target, &member.signals);
        }
    }
    checks
}

fn one(story: &Story, series: &Measured, injected: f64) -> Check {
    // The first hour is left out: a deploy takes minutes, caches are cold.
    let first = story.from + HOUR;
    let after = stretch(series, first, (first + REACH).min(story.to));
    let before = stretch(series, story.from - REACH, story.from);
    let errors = series.signal == "error_rate";
    let level = if errors { mean } else { median };
    let raw = |points: &[usize]| level(points.iter().filter_map(|&i| series.values.get(i).copied()).collect());
    let against_old = |points: &[usize]| {
        let log = |i: usize| series.values.get(i).map(|value| value.ln());
        let pairs = points.iter().filter_map(|&i| Some(log(i)? - log(i.checked_sub(BACK)?)?));
        median(pairs.filter(|pair| pair.is_finite()).collect())
    };
    let realised = if errors { (raw(&after) / raw(&before)).ln() } else { against_old(&after) - against_old(&before) };
    Check {
        name: format!("{} · {} · {}", story.id, series.target, series.signal),
        injected,
        realised,
        before: raw(&before),
        after: raw(&after),
        tolerance: if errors { TOLERANCE_ERRORS } else { TOLERANCE },
    }
}

/// Returns the points in `[from, until)` that hold a value.
fn stretch(series: &Measured, from: i64, until: i64) -> Vec<usize> {
    let inside = |&i: &usize| (from..until).contains(&time(i));
    (0..series.values.len()).filter(inside).filter(|&i| series.values.get(i).is_some_and(|v| v.is_finite())).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    interpolate(&values, 0.5)
}

fn mean(values: Vec<f64>) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the checks as a table.
pub fn table(checks: &[Check]) -> String {
    let mut text = format!("{:<62} {:>9} {:>9} {:>9} {:>9}\n", "story", "injected", "realised", "before", "after");
    for check in checks {
        let Check { name, injected, realised, before, after, .. } = check;
        let mark = if check.fits() { "" } else { "  <- apart" };
        let _ = writeln!(text, "{name:<62} {injected:>+9.3} {realised:>+9.3} {before:>9.4} {after:>9.4}{mark}");
    }
    text
}
