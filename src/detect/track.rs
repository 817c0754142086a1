//! One series judged over its whole history: usual course, noise, steps.

use super::baseline::{self, Baseline};
use super::calendar::Calendar;
use super::changes::{self, Change, Clarity, Moment};
use super::grid::{Gridded, Scale};
use super::noise::{self, Noise, PER_HOUR};
use crate::metric::Direction;
use crate::stats::describe;
use crate::stats::slope;
use crate::stats::structural::{Scan, Step, Workspace};

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

/// A slow change over the whole history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Change from the first to the last day, on the series' scale.
    pub total: f64,
    /// Its standard error.
    pub error: f64,
}

/// What a series did inside a deploy and its settling time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Burst {
    /// Mean beyond the hours around it, on the series' scale.
    pub size: f64,
    /// Robust standard deviation of single buckets around it.
    pub error: f64,
}

impl Burst {
    /// Tells whether it is a short bad spell: beyond the limit and beyond what single buckets do by chance.
    pub fn is_beyond(&self, limit: f64, direction: Direction) -> bool {
        let size = match direction {
            Direction::Lower => self.size,
            Direction::Higher => -self.size,
            Direction::Neutral => return false,
        };
        size >= limit && size >= BURST_Z * self.error && self.error > 0.0
    }
}

/// Hours around a deploy that its burst is held against, in buckets.
const BURST_AROUND: usize = 6 * PER_HOUR;

/// Standard deviations of single buckets that a burst needs: one in 30,000 by chance, if normal.
const BURST_Z: f64 = 4.0;

/// A history shorter than this shows no drift, in days.
const LEAST_DRIFT_DAYS: f64 = 10.0;

/// How much rarer a drift is than a step at some deploy, before looking at the data.
const DRIFT_ODDS: f64 = 20.0;

/// A drift is considered from this many standard errors on.
const LEAST_DRIFT_Z: f64 = 4.0;

/// A judged series.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// Its usual course.
    pub baseline: Baseline,
    /// Its noise; `None` if there is too little data to judge.
    pub noise: Option<Noise>,
    /// Steps, sorted by time.
    pub changes: Vec<Change>,
    /// Steps that are suspected, the accepted among them.
    suspected: Vec<Change>,
    /// Level and noise with everything else taken out; the buckets inside deploys are missing.
    pub residual: Vec<f64>,
    /// What the series did inside each deploy and its settling, beyond its level.
    pub bursts: Vec<Burst>,
    /// A straight climb or fall that was taken out.
    pub drift: Option<Drift>,
    /// How much wider errors are than the model's: standard errors are multiplied by it.
    pub inflation: f64,
    /// Steps in standard errors at placebo moments, already divided by `inflation`.
    pub placebos: Vec<(usize, Step)>,
}

impl Track {
    /// Judges a series: usual course, noise and steps are found in turn, twice, each knowing the others. The first time
    /// suspected steps are kept out of the noise; the second time only clear ones are accepted.
    ///
    /// `shared`: what to take out as movement of the siblings, or empty. `previous`: the steps that an earlier look
    /// found, to begin with.
    pub fn new(
        input: &Input,
        shared: &[f64],
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
        for (value, shared) in value.iter_mut().zip(shared) {
            *value -= shared;
        }
        leave_out_strange_load(&mut value, &input.load);
        let weight = weights(&input.requests, value.len());
        let mut track = Self { inflation: 1.0, changes: previous.to_vec(), ..Self::default() };
        let mut level = track.levels(&value);
        for clarity in [Clarity::SUSPECTED, Clarity::ACCEPTED] {
            track.baseline = baseline::fit(&value, &weight, &input.load, &level, calendar);
            track.drift = None;
            track.residual = track.baseline.residual(&value);
            let whole = track.residual.clone();
            for moment in moments {
                for bucket in moment.from..moment.to.min(track.residual.len()) {
                    track.residual[bucket] = f64::NAN;
                }
            }
            let level_now = track.levels(&track.residual);
            let rest: Vec<f64> = track.residual.iter().zip(&level_now).map(|(value, level)| value - level).collect();
            track.noise = noise::fit(&rest, &input.requests);
            let Some(noise) = &track.noise else { return track };
            track.changes = changes::find(space, &track.residual, noise, moments, clarity);
            track.consider_drift(moments, &input.requests, clarity, space);
            track.bursts = moments.iter().map(|moment| track.burst(&whole, moment)).collect();
            // Without even a suspicion a second look would see the same.
            if track.changes.is_empty() && previous.is_empty() {
                break;
            }
            if clarity == Clarity::SUSPECTED {
                track.suspected.clone_from(&track.changes);
            }
            level = track.levels(&track.residual);
        }
        track
    }

    /// Takes a straight climb or fall over the whole history out, if it explains the series better than steps alone.
    ///
    /// # Source
    /// Both models are compared by log-likelihood less half the logarithm of the number of buckets for every number
    /// they estimate (G. Schwarz, Annals of Statistics 6 (1978), 461–464): a step costs its moment and its size; a
    /// drift as much, and the odds against it. The slope is Theil and Sen's on daily medians.
    fn consider_drift(&mut self, moments: &[Moment], requests: &[f64], clarity: Clarity, space: &mut Workspace) {
        let Some(noise) = &self.noise else { return };
        let days: Vec<(f64, f64)> = self
            .residual
            .chunks(24 * PER_HOUR)
            .enumerate()
            .filter(|(_, day)| day.iter().filter(|value| value.is_finite()).count() >= 6 * PER_HOUR)
            .filter_map(|(k, day)| Some((k as f64, describe::median(day)?)))
            .collect();
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return };
        let Some(slope) = slope::theil_sen(&days).filter(|_| last.0 - first.0 >= LEAST_DRIFT_DAYS) else { return };
        let total = slope * (last.0 - first.0);
        let error = (12.0 * noise.variance / self.independent(noise)).sqrt();
        if total.abs() < LEAST_DRIFT_Z * error {
            return;
        }
        let per_bucket = slope / (24 * PER_HOUR) as f64;
        let middle = self.residual.len() as f64 / 2.0;
        let straight: Vec<f64> =
            self.residual.iter().enumerate().map(|(k, value)| value - per_bucket * (k as f64 - middle)).collect();
        let other = changes::find(space, &straight, noise, moments, clarity);
        let penalty = 0.5 * (self.residual.len() as f64).ln();
        let fit_of = |space: &mut Workspace, values: &[f64], changes: &[Change]| {
            Scan::run(space, values, &noise.white, noise.memory, &changes::steps_of(changes)).fit()
                - 2.0 * penalty * changes.len() as f64
        };
        // Any single step at a deploy rivals the drift, accepted or not: half of it would pass for a climb.
        let steps = changes::steps_of(&self.changes);
        let rival = {
            let scan = Scan::run(space, &self.residual, &noise.white, noise.memory, &steps);
            let free = moments
                .iter()
                .map(|moment| moment.to)
                .filter(|at| !steps.iter().any(|step| step.abs_diff(*at) < PER_HOUR));
            free.map(|at| scan.step(at).z().powi(2) / 2.0).filter(|gain| gain.is_finite()).fold(0.0, f64::max)
        };
        let with_steps = fit_of(space, &self.residual, &self.changes);
        let with_steps = with_steps.max(with_steps + rival - 2.0 * penalty);
        let with_drift = fit_of(space, &straight, &other) - 2.0 * penalty - DRIFT_ODDS.ln();
        if with_drift <= with_steps {
            return;
        }
        self.changes = other;
        self.drift = Some(Drift { total, error });
        self.residual = straight;
        let level = self.levels(&self.residual);
        let rest: Vec<f64> = self.residual.iter().zip(&level).map(|(value, level)| value - level).collect();
        if let Some(calmer) = noise::fit(&rest, requests) {
            self.noise = Some(calmer);
            if let Some(noise) = &self.noise {
                self.changes = changes::find(space, &self.residual, noise, moments, clarity);
            }
        }
    }

    /// Measures what a series did inside one deploy: its mean against the hours around it.
    fn burst(&self, whole: &[f64], moment: &Moment) -> Burst {
        let around = moment.from.saturating_sub(BURST_AROUND)..(moment.to + BURST_AROUND).min(self.residual.len());
        let usual = describe::median(self.residual.get(around.clone()).unwrap_or(&[]));
        let inside: Vec<f64> = whole
            .get(moment.from..moment.to.min(whole.len()))
            .unwrap_or(&[])
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .collect();
        let (Some(usual), false) = (usual, inside.is_empty()) else { return Burst::default() };
        let mean = inside.iter().sum::<f64>() / inside.len() as f64;
        let error = describe::robust_sd(self.residual.get(around).unwrap_or(&[])).unwrap_or(f64::INFINITY);
        Burst { size: mean - usual, error }
    }

    /// Takes over the places that the signals of an operation agreed on, and measures the steps there.
    pub fn relocate(&mut self, changes: Vec<Change>, space: &mut Workspace) {
        self.changes = changes;
        let mut steps = Vec::with_capacity(self.changes.len());
        if let Some(scan) = self.scan(space) {
            steps.extend(self.changes.iter().map(|change| scan.step(change.at)));
        }
        for (change, step) in self.changes.iter_mut().zip(steps) {
            change.step = step;
        }
    }

    /// Returns the level of each bucket: the median of the stretch between steps.
    pub fn levels(&self, value: &[f64]) -> Vec<f64> {
        levels(value, &changes::steps_of(&self.changes))
    }

    /// Runs the filter that gives the step at every moment, knowing the accepted ones.
    pub fn scan<'a>(&self, space: &'a mut Workspace) -> Option<Scan<'a>> {
        let noise = self.noise.as_ref()?;
        Some(Scan::run(space, &self.residual, &noise.white, noise.memory, &changes::steps_of(&self.changes)))
    }

    /// Measures a step that was not accepted anew, against noise from which the step itself is kept out.
    ///
    /// A step that hides in the noise makes the noise that it hides in. `None` where the step is accepted, or so small
    /// that it makes no difference.
    pub fn step_alone(&self, step: Step, at: usize, requests: &[f64], space: &mut Workspace) -> Option<Step> {
        let noise = self.noise.as_ref()?;
        let mut steps = changes::steps_of(&self.changes);
        let place = steps.binary_search(&at).err()?;
        if step.z().abs() < WORTH_A_LOOK * self.inflation {
            return None;
        }
        steps.insert(place, at);
        let level = levels(&self.residual, &steps);
        let rest: Vec<f64> = self.residual.iter().zip(&level).map(|(value, level)| value - level).collect();
        let calmer = noise::fit(&rest, requests).filter(|calmer| calmer.variance < noise.variance)?;
        let known = changes::steps_of(&self.changes);
        Some(Scan::run(space, &self.residual, &calmer.white, calmer.memory, &known).step(at))
    }

    /// Measures the step at moments without deploys.
    pub fn measure_placebos(&mut self, moments: &[Moment], space: &mut Workspace) {
        let Some(noise) = &self.noise else { return };
        // A step that is suspected but not accepted would be seen by every placebo near it.
        let mut steps: Vec<usize> = changes::steps_of(&self.changes);
        steps.extend(changes::steps_of(&self.suspected));
        steps.sort_unstable();
        steps.dedup();
        let scan = Scan::run(space, &self.residual, &noise.white, noise.memory, &steps);
        self.placebos = changes::placebo_moments(self.residual.len(), moments, &self.changes)
            .filter(|at| !self.residual[*at].is_nan())
            .map(|at| (at, scan.step(at)))
            .filter(|(_, step)| step.z().is_finite())
            .collect();
        self.inflation = self.measured_inflation();
    }
}

impl Track {
    /// Returns how many independent stretches the history holds.
    pub fn independent(&self, noise: &Noise) -> f64 {
        noise.independent(self.residual.iter().filter(|value| value.is_finite()).count())
    }

    /// Compares the placebo steps with the errors that the model gives them.
    ///
    /// The 90 % point of the placebo steps in standard errors, over that of a normal, is what errors should be
    /// multiplied by. It rests on as few independent placebos as the history has stretches, so it is drawn towards 1.
    ///
    /// # Source
    /// Placebo tests in time: A. Abadie, A. Diamond and J. Hainmueller, JASA 105 (2010), 493–505; the weights are those
    /// of a variance with a prior of `PRIOR_PLACEBOS` degrees of freedom (G. K. Smyth, SAGMB 3 (2004), article 3).
    fn measured_inflation(&self) -> f64 {
        let Some(noise) = &self.noise else { return 1.0 };
        let mut sizes: Vec<f64> = self.placebos.iter().map(|(_, step)| step.z().abs()).collect();
        let Some(high) = describe::quantile_in_place(&mut sizes, 0.9) else { return 1.0 };
        let measured = high / NORMAL_HIGH;
        let count = (self.independent(noise) / STRETCHES).min(sizes.len() as f64);
        let variance = (PRIOR_PLACEBOS + count * measured * measured) / (PRIOR_PLACEBOS + count);
        variance.sqrt().max(LEAST_INFLATION)
    }
}

/// Two-sided 90 % point of a standard normal.
const NORMAL_HIGH: f64 = 1.644_853_627;

/// How many placebos the prior is worth.
const PRIOR_PLACEBOS: f64 = 6.0;

/// Independent stretches of noise that make one independent placebo: each compares a long before with a long after.
const STRETCHES: f64 = 4.0;

/// Errors are never made smaller than this share of the model's.
const LEAST_INFLATION: f64 = 0.8;

/// Returns the level of each bucket: the median of the stretch between the first buckets of new levels.
fn levels(value: &[f64], steps: &[usize]) -> Vec<f64> {
    let mut levels = vec![0.0; value.len()];
    let mut begin = 0;
    for end in steps.iter().copied().chain([value.len()]) {
        let end = end.min(value.len());
        let level = describe::rough_median(value.get(begin..end).unwrap_or(&[])).unwrap_or(0.0);
        if let Some(stretch) = levels.get_mut(begin..end) {
            stretch.fill(level);
        }
        begin = end;
    }
    levels
}

/// Standard errors from which on it matters whether a step is kept out of the noise.
const WORTH_A_LOOK: f64 = 1.0;

/// Returns how much each bucket counts: in proportion to its requests up to the typical number, then levelling off.
fn weights(requests: &[f64], count: usize) -> Vec<f64> {
    let Some(typical) = describe::median(requests).filter(|typical| *typical > 0.0) else { return vec![1.0; count] };
    requests.iter().map(|n| if n.is_finite() { n / (n + typical) * 2.0 } else { 1.0 }).collect()
}

/// Makes hours missing whose load was far above all others: what they say of a level would be a guess.
fn leave_out_strange_load(value: &mut [f64], load: &[f64]) {
    let mut sorted: Vec<f64> = load.iter().copied().filter(|load| load.is_finite()).collect();
    let Some(high) = describe::quantile_in_place(&mut sorted, HIGH_LOAD) else { return };
    for (value, load) in value.iter_mut().zip(load) {
        if *load > high + STRANGE {
            *value = f64::NAN;
        }
    }
}

/// Quantile of the load up to which its effect is known.
const HIGH_LOAD: f64 = 0.95;

/// Above the known load by this much (log) its effect would be a guess.
const STRANGE: f64 = 0.25;

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
