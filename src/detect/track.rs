//! One series judged over its whole history: usual course, noise, steps.

use super::baseline::{self, Baseline};
use super::calendar::Calendar;
use super::changes::{self, Change, Moment};
use super::grid::{Gridded, Scale};
use super::noise::{self, Noise, PER_HOUR};
use crate::stats::describe;
use crate::stats::structural::{Scan, Step, Workspace};

/// Placebo moments are this far apart, in buckets.
const PLACEBO_EVERY: usize = PER_HOUR;

/// Placebo moments keep this far from steps, deploys and the ends of the history, in buckets.
const PLACEBO_CLEAR: usize = 6 * PER_HOUR;

/// A series on the grid with what is needed to judge it.
#[derive(Debug, Clone)]
pub struct Input {
    /// Values on the grid.
    pub grid: Gridded,
    /// Requests behind each bucket, or empty.
    pub requests: Vec<f64>,
    /// Log of the request rate that the series may depend on, or empty.
    pub load: Vec<f64>,
}

/// A judged series.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// Its usual course.
    pub baseline: Baseline,
    /// Its noise; `None` if there is too little data to judge.
    pub noise: Option<Noise>,
    /// Movement shared with siblings that was taken out, one a bucket; empty if none was.
    pub shared: Vec<f64>,
    /// Steps, sorted by time.
    pub changes: Vec<Change>,
    /// Level and noise with everything else taken out; the buckets inside deploys are missing.
    pub residual: Vec<f64>,
    /// How much wider errors are than the model's: standard errors are multiplied by it.
    pub inflation: f64,
    /// Steps in standard errors at placebo moments, already divided by `inflation`.
    pub placebos: Vec<(usize, Step)>,
}

impl Track {
    /// Judges a series: usual course, noise and steps are found in turn, twice, each knowing the others.
    ///
    /// `shared`: what to take out as movement of the siblings, or empty. `previous`: the steps that an earlier look
    /// found, to begin with.
    pub fn new(
        input: &Input,
        shared: Vec<f64>,
        previous: &[Change],
        moments: &[Moment],
        masked: &[bool],
        calendar: &Calendar,
        space: &mut Workspace,
    ) -> Self {
        let mut value: Vec<f64> = input.grid.value.clone();
        for (value, masked) in value.iter_mut().zip(masked) {
            if *masked {
                *value = f64::NAN;
            }
        }
        for (value, shared) in value.iter_mut().zip(&shared) {
            *value -= shared;
        }
        let weight = weights(&input.requests, value.len());
        let mut track = Self { shared, inflation: 1.0, changes: previous.to_vec(), ..Self::default() };
        let mut level = track.levels(&value);
        for _ in 0..2 {
            track.baseline = baseline::fit(&value, &weight, &input.load, &level, calendar);
            track.residual = track.baseline.residual(&value);
            for moment in moments {
                for bucket in moment.from..moment.to.min(track.residual.len()) {
                    track.residual[bucket] = f64::NAN;
                }
            }
            let level_now = track.levels(&track.residual);
            let rest: Vec<f64> = track.residual.iter().zip(&level_now).map(|(value, level)| value - level).collect();
            track.noise = noise::fit(&rest, &input.requests);
            let Some(noise) = &track.noise else { return track };
            track.changes = changes::find(space, &track.residual, noise, moments, track.inflation);
            level = track.levels(&track.residual);
        }
        track
    }

    /// Returns the level of each bucket: the median of the stretch between steps.
    pub fn levels(&self, value: &[f64]) -> Vec<f64> {
        let mut levels = vec![0.0; value.len()];
        let mut begin = 0;
        for end in changes::steps_of(&self.changes).into_iter().chain([value.len()]) {
            let end = end.min(value.len());
            let level = describe::median(value.get(begin..end).unwrap_or(&[])).unwrap_or(0.0);
            if let Some(stretch) = levels.get_mut(begin..end) {
                stretch.fill(level);
            }
            begin = end;
        }
        levels
    }

    /// Runs the filter that gives the step at every moment, knowing the accepted ones.
    pub fn scan<'a>(&self, space: &'a mut Workspace) -> Option<Scan<'a>> {
        let noise = self.noise.as_ref()?;
        Some(Scan::run(space, &self.residual, &noise.white, noise.memory, &changes::steps_of(&self.changes)))
    }

    /// Measures the step at moments without deploys.
    pub fn measure_placebos(&mut self, moments: &[Moment], space: &mut Workspace) {
        let Some(scan) = self.scan(space) else { return };
        let clear = |at: usize| {
            !moments.iter().any(|moment| moment.to.abs_diff(at) < 2 * PER_HOUR)
                && !self.changes.iter().any(|change| change.at.abs_diff(at) < PLACEBO_CLEAR)
        };
        let last = self.residual.len().saturating_sub(PLACEBO_CLEAR);
        self.placebos = (PLACEBO_CLEAR..last)
            .step_by(PLACEBO_EVERY)
            .filter(|at| clear(*at) && !self.residual[*at].is_nan())
            .map(|at| (at, scan.step(at)))
            .filter(|(_, step)| step.z().is_finite())
            .collect();
    }
}

/// Returns how much each bucket counts: in proportion to its requests up to the typical number, then levelling off.
fn weights(requests: &[f64], count: usize) -> Vec<f64> {
    let Some(typical) = describe::median(requests).filter(|typical| *typical > 0.0) else { return vec![1.0; count] };
    requests.iter().map(|n| if n.is_finite() { n / (n + typical) * 2.0 } else { 1.0 }).collect()
}

/// Returns the log of the request rate, smoothed where requests are few so that chance does not pass for load.
///
/// `requests`: per bucket, NaN is missing.
pub fn load_of(requests: &[f64]) -> Vec<f64> {
    let typical = describe::median(requests).unwrap_or(0.0);
    if typical <= 0.0 {
        return Vec::new();
    }
    let half = ((ENOUGH / typical).ceil() as usize).saturating_sub(1).min(MOST_SMOOTHING) / 2;
    (0..requests.len())
        .map(|bucket| {
            let window =
                requests.get(bucket.saturating_sub(half)..(bucket + half + 1).min(requests.len())).unwrap_or(&[]);
            let (sum, count) = window.iter().filter(|n| n.is_finite()).fold((0.0, 0.0), |(s, c), n| (s + n, c + 1.0));
            if count > 0.0 && requests[bucket].is_finite() { ((sum + 0.5) / count).ln() } else { f64::NAN }
        })
        .collect()
}

/// Requests that make a rate known to about 7 %.
const ENOUGH: f64 = 200.0;

/// Widest smoothing of the load, in buckets.
const MOST_SMOOTHING: usize = 9;

impl Input {
    /// Tells whether the series is compared by ratio.
    pub fn is_log(&self) -> bool {
        self.grid.scale == Scale::Log
    }
}
