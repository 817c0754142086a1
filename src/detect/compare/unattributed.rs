//! What changed with no deploy near: steps and slow drifts that matter.

use super::effect::{self, Points, Subject};
use crate::detect::context::Context;
use crate::detect::input::calendar::Calendar;
use crate::detect::input::requests::Input;
use crate::detect::judgement::{Unattributed, UnattributedKind};
use crate::detect::model::error_rates::ErrorRateModel;
use crate::detect::model::series_model::LevelModel;
use crate::model::effect::{Estimate, Scale, ScaledEstimate};
use crate::model::metric::Polarity;
use crate::model::time::Window;
use crate::stats::{describe, distribution};

/// Returns the steps of the period and the drift of a series judged by its level, as far as they matter.
pub fn of_level(
    subject: &Subject<'_>,
    input: &Input,
    track: &LevelModel,
    points: &Points,
    calendar: &Calendar,
    context: &Context<'_>,
) -> Vec<Unattributed> {
    if track.drift.is_none() && track.changes.iter().all(|change| change.group.is_some()) {
        return Vec::new();
    }
    let level = describe::median(subject.raw).unwrap_or(0.0);
    let limit = effect::limit(subject, input.grid.scale, level);
    let around = |value: f64, error: f64| Estimate {
        value,
        low: value - points.interval * error,
        high: value + points.interval * error,
    };
    let told = |kind, at, estimate: Estimate, error: f64| Unattributed {
        series: subject.series,
        kind,
        at,
        change: ScaledEstimate { scale: input.grid.scale, estimate },
        before: None,
        p_value: distribution::two_sided_p(estimate.value / error, points.df),
        is_worse: is_worse(estimate.value, subject.direction),
    };
    let mut found = Vec::new();
    if let Some(drift) = track.drift {
        let at = Window::new(calendar.at(0), calendar.at(calendar.len()));
        found.push(told(UnattributedKind::Drift, at, around(drift.total, drift.error), drift.error));
    }
    for change in track.changes.iter().filter(|change| change.group.is_none()) {
        let error = change.step.variance.sqrt() * track.inflation;
        let at = Window::new(calendar.at(change.onset.0), calendar.at(change.onset.1 + 1));
        if context.period.overlaps(at) {
            found.push(told(UnattributedKind::Shift, at, around(change.step.size, error), error));
        }
    }
    found.retain(|item| item.change.estimate.value.abs() >= limit && subject.direction != Polarity::Neutral);
    found
}

/// Returns the steps of the period of a failed share, as far as they matter.
pub fn of_share(
    subject: &Subject<'_>,
    track: &ErrorRateModel,
    calendar: &Calendar,
    context: &Context<'_>,
) -> Vec<Unattributed> {
    let shifts = track.changes.iter().filter(|change| change.group.is_none()).filter_map(|change| {
        let at = Window::new(calendar.at(change.onset.0), calendar.at(change.onset.1 + 1));
        let step = track.step(change.at)?;
        let value = step.shares[1] - step.shares[0];
        let limit = subject.absolute.max(subject.relative * step.shares[0]);
        (context.period.overlaps(at) && value.abs() >= limit).then_some(Unattributed {
            series: subject.series,
            kind: UnattributedKind::Shift,
            at,
            change: ScaledEstimate {
                scale: Scale::Difference,
                estimate: Estimate { value, low: step.difference[0], high: step.difference[1] },
            },
            before: Some(step.shares[0]),
            p_value: step.p_value,
            is_worse: is_worse(value, subject.direction),
        })
    });
    shifts.collect()
}

fn is_worse(change: f64, direction: Polarity) -> bool {
    (change > 0.0) == (direction == Polarity::Lower)
}
