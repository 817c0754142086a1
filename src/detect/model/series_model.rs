//! One series judged over its whole history: usual course, noise, steps.

use std::borrow::Cow;

use super::drift::{self, Drift};
use super::episodes::{self, Episode};
use super::error_rates::ErrorRateModel;
use super::noise::{self, Noise};
use super::seasonality::{self, Seasonality};
use super::steps::{self, Change, Clarity, Search};
use crate::detect::input::calendar::{Calendar, PER_HOUR};
use crate::detect::input::deploy_window::DeployWindow;
use crate::detect::input::load::Behind;
use crate::detect::input::requests::Input;
use crate::stats::structural::{Scan, Scratch, Step};
use crate::stats::{describe, distribution};

/// What is the same for all series of a service.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The deploy groups.
    pub moments: &'a [DeployWindow],
    /// Buckets inside incidents, campaigns and drills.
    pub masked: &'a [bool],
    /// The grid.
    pub calendar: &'a Calendar,
}

/// Steps at deploys with at least this p are not accepted.
const LATE_P: f64 = 1e-3;

/// Standard errors from which on a step might be accepted late.
const LATE_LOOK: f64 = 1.5;

/// No more steps than this are accepted late.
const MOST_LATE: usize = 4;

/// The least degrees of freedom of a comparison.
const LEAST_DEGREES: f64 = 12.0;

/// Rounds after which usual course and steps stand.
const SETTLING: usize = 2;

/// How one series is judged.
pub enum SeriesModel {
    /// By its level.
    Level(Box<LevelModel>),
    /// By counts of failures.
    Share(ErrorRateModel),
    /// Not at all: too little data.
    Nothing,
}

impl SeriesModel {
    /// Returns the variance of a typical bucket; infinite for a series that was not judged.
    pub fn variance(&self) -> f64 {
        match self {
            Self::Level(track) => track.noise.as_ref().map_or(f64::INFINITY, |noise| noise.variance),
            Self::Share(_) => 0.0,
            Self::Nothing => f64::INFINITY,
        }
    }
}

/// A judged series.
#[derive(Debug, Clone, Default)]
pub struct LevelModel {
    /// Its usual course.
    pub seasonality: Seasonality,
    /// Its noise; `None` if there is too little data to judge.
    pub noise: Option<Noise>,
    /// Steps, sorted by time.
    pub changes: Vec<Change>,
    /// Steps that are suspected, the accepted among them.
    suspected: Vec<Change>,
    /// Values with hours left out that say nothing, and their weights; empty once the track is finished.
    value: Vec<f64>,
    weight: Vec<f64>,
    /// The step at every bucket, knowing the accepted ones.
    profile: Vec<Step>,
    /// Level and noise with everything else taken out; the buckets inside deploys are missing.
    pub residual: Vec<f64>,
    /// Hours far from the level that were left out.
    episodes: Vec<Episode>,
    /// Sudden moves that lasted for hours: where, and their sizes.
    jumps: Vec<(usize, f64)>,
    /// A straight climb or fall that was taken out.
    pub drift: Option<Drift>,
    /// How much wider errors are than the model's: standard errors are multiplied by it.
    pub inflation: f64,
    /// Steps at deploys, kept out of the noise, that were measured since the accepted ones changed.
    alone: Vec<(usize, Option<Step>)>,
    /// Steps in standard errors at placebo moments, already divided by `inflation`.
    pub placebos: Vec<(usize, Step)>,
}

impl LevelModel {
    /// Looks at a series for the first time: usual course, noise and the steps that are suspected.
    ///
    /// `shared`: what to take out as movement of the siblings, or empty. `previous`: the steps that an earlier look
    /// suspected, to begin with.
    pub fn begin(
        input: &Input,
        shared: &[f64],
        previous: &[Change],
        place: &Surroundings<'_>,
        scratch: &mut Scratch,
    ) -> Self {
        let mut value: Vec<f64> = input.grid.value.clone();
        for (value, masked) in value.iter_mut().zip(place.masked) {
            if *masked {
                *value = f64::NAN;
            }
        }
        for (value, shared) in value.iter_mut().zip(shared) {
            *value -= shared;
        }
        input.load.leave_out_strange(&mut value);
        let is_weighted = !input.requests.is_empty() && !input.load.weight.is_empty();
        let weight = if is_weighted { input.load.weight.clone() } else { vec![1.0; value.len()] };
        let mut track = Self { inflation: 1.0, changes: previous.to_vec(), value, weight, ..Self::default() };
        let level = track.levels(&track.value);
        track.look(&level, input, place, Clarity::SUSPECTED, scratch);
        if track.changes.is_empty() && !previous.is_empty() {
            // The usual course was fitted beside steps that are none.
            let level = track.levels(&track.value);
            track.look(&level, input, place, Clarity::SUSPECTED, scratch);
        }
        track.suspected.clone_from(&track.changes);
        track
    }

    /// Judges a series that was begun: accepts the clear steps with the suspected ones kept out of the noise, lets usual
    /// course, noise and steps settle, and measures placebos.
    pub fn finish(&mut self, input: &Input, place: &Surroundings<'_>, scratch: &mut Scratch) {
        // Without even a suspicion a second look would see the same.
        if !self.changes.is_empty() {
            let level = self.levels(&self.residual);
            self.look(&level, input, place, Clarity::ACCEPTED, scratch);
        }
        self.settle(input, place, scratch);
        self.measure_placebos(place.moments, scratch);
        if self.accept_late(input, place, scratch) {
            self.settle(input, place, scratch);
            self.measure_placebos(place.moments, scratch);
        }
        (self.value, self.weight) = (Vec::new(), Vec::new());
    }

    /// Fits usual course and noise beside the steps that are known, then finds the steps anew.
    fn look(
        &mut self,
        level: &[f64],
        input: &Input,
        place: &Surroundings<'_>,
        clarity: Clarity,
        scratch: &mut Scratch,
    ) {
        self.drift = None;
        if !self.fit(level, input, place) {
            return;
        }
        let Some(noise) = &self.noise else { return };
        (self.changes, self.profile) = self.search(place.moments).find(scratch, noise, clarity);
        let found = drift::find(&self.search(place.moments), &self.changes, input.behind(), clarity, scratch);
        if let Some(straight) = found {
            self.drift = Some(straight.drift);
            self.residual = straight.residual;
            self.noise = Some(straight.noise);
            (self.changes, self.profile) = (straight.changes, straight.profile);
        }
        self.leave_out_transitions();
    }

    /// Makes the hours missing in which the level was on its way to another.
    fn leave_out_transitions(&mut self) {
        if let Cow::Owned(rest) = steps::left_out(&self.residual, &self.changes) {
            self.residual = rest;
        }
    }

    fn search<'a>(&'a self, moments: &'a [DeployWindow]) -> Search<'a> {
        Search { residual: &self.residual, moments, jumps: &self.jumps }
    }

    /// Fits the usual course and the noise, given the level of each bucket; false if there is too little data.
    fn fit(&mut self, level: &[f64], input: &Input, place: &Surroundings<'_>) -> bool {
        let climb = self.drift.map(|drift| drift.of(self.value.len()));
        let straight: Option<Vec<f64>> =
            climb.map(|climb| self.value.iter().zip(climb).map(|(value, climb)| value - climb).collect());
        let straight = straight.as_ref().unwrap_or(&self.value);
        let steps = steps::steps_of(&self.changes);
        self.seasonality = seasonality::fit(straight, &self.weight, &input.load, level, &steps, place.calendar);
        self.residual = self.seasonality.residual(straight);
        for moment in place.moments {
            for bucket in moment.from..moment.to.min(self.residual.len()) {
                self.residual[bucket] = f64::NAN;
            }
        }
        self.jumps = episodes::jumps(&self.residual);
        self.leave_out_episodes(place.moments);
        let still = steps::left_out(&self.residual, &self.changes);
        self.noise = noise::beside(&still, &steps, input.behind());
        self.noise.is_some()
    }

    /// Makes hours missing that are neither a level nor noise.
    fn leave_out_episodes(&mut self, moments: &[DeployWindow]) {
        let level = self.levels(&self.residual);
        let rest: Vec<f64> = self.residual.iter().zip(&level).map(|(value, level)| value - level).collect();
        self.episodes = episodes::find(&rest, moments);
        for episode in &self.episodes {
            self.residual[episode.begin..episode.end].fill(f64::NAN);
        }
    }

    /// Measures the noise beside the levels between some steps.
    fn noise_beside(&self, steps: &[usize], behind: Option<&Behind>) -> Option<Noise> {
        noise::beside(&self.residual, steps, behind)
    }

    /// Fits usual course and noise again knowing the accepted steps, until they stand, and takes back the steps at no
    /// deploy that noise which lasts longer explains as well.
    fn settle(&mut self, input: &Input, place: &Surroundings<'_>, scratch: &mut Scratch) {
        if self.changes.is_empty() && self.suspected.is_empty() {
            return;
        }
        for _ in 0..SETTLING {
            let level = self.levels(&self.residual);
            if !self.fit(&level, input, place) {
                return;
            }
        }
        self.leave_out_transitions();
        self.take_back(input.behind(), scratch);
        self.measure_steps(scratch);
    }

    /// Compares the model with fewer and fewer steps at no deploy, each with its own noise.
    ///
    /// # Source
    /// Each step costs its moment and its size, half the logarithm of the number of buckets for one and the whole for
    /// the other: N. R. Zhang and D. O. Siegmund, Biometrics 63 (2007), 22–32, with independent moments.
    fn take_back(&mut self, behind: Option<&Behind>, scratch: &mut Scratch) {
        let own = |changes: &[Change]| changes.iter().filter(|change| change.group.is_none()).count();
        if own(&self.changes) == 0 {
            return;
        }
        let cost = 1.5 * (self.residual.len() as f64).ln();
        let mut best: Option<(f64, Vec<Change>, Noise)> = None;
        let mut changes = self.changes.clone();
        while let Some(noise) = self.noise_beside(&steps::steps_of(&changes), behind) {
            let scan = Scan::run(
                scratch,
                &self.residual,
                &noise.white_noise_variance,
                noise.memory,
                &steps::steps_of(&changes),
            );
            let score = scan.fit() - cost * own(&changes) as f64;
            let weakest = (0..changes.len())
                .filter(|index| changes[*index].group.is_none())
                .min_by(|a, b| scan.step(changes[*a].at).z().abs().total_cmp(&scan.step(changes[*b].at).z().abs()));
            if best.as_ref().is_none_or(|(least, ..)| score > *least) {
                best = Some((score, changes.clone(), noise));
            }
            let Some(weakest) = weakest else { break };
            changes.remove(weakest);
        }
        if let Some((_, changes, noise)) = best {
            self.changes = changes;
            self.noise = Some(noise);
        }
    }

    /// Accepts steps at deploys that are clear once they are kept out of the noise that they make themselves, by the
    /// errors that the placebos gave; true if there were any.
    fn accept_late(&mut self, input: &Input, place: &Surroundings<'_>, scratch: &mut Scratch) -> bool {
        let behind = input.behind();
        let mut refused: Vec<usize> = Vec::new();
        let before = self.changes.len();
        while self.changes.len() < before + MOST_LATE {
            let Some(df) = self.degrees() else { break };
            let steps = steps::steps_of(&self.changes);
            let known: Vec<usize> = steps.iter().chain(&refused).copied().collect();
            let free = |at: usize| !known.iter().any(|step| step.abs_diff(at) < PER_HOUR / 2);
            let mut best: Option<(f64, usize)> = None;
            for at in place.moments.iter().map(|moment| moment.to).filter(|at| *at < self.residual.len() && free(*at)) {
                let step = self.step(at);
                if step.z().abs() < LATE_LOOK * self.inflation {
                    continue;
                }
                let alone = self.step_alone(step, at, behind, scratch);
                self.alone.push((at, alone));
                let step = alone.unwrap_or(step);
                let p = self.p_value(step, df);
                if p <= LATE_P && best.is_none_or(|(least, _)| p < least) {
                    best = Some((p, at));
                }
            }
            let Some((_, at)) = best else { break };
            refused.push(at);
            let mut with: Vec<usize> = steps.clone();
            with.insert(with.partition_point(|step| *step < at), at);
            let Some(calmer) = self.noise_beside(&with, behind) else { break };
            let profile = steps::profile(scratch, &self.residual, &calmer, &steps);
            let placed = self.search(place.moments).placed(scratch, &calmer, &profile, &self.changes, at);
            let Some(change) = placed else { continue };
            if change.group.is_some() && !steps.contains(&change.at) && self.p_value(change.step, df) <= LATE_P {
                self.changes.push(change);
                self.changes.sort_by_key(|change| change.at);
                self.leave_out_transitions();
                self.measure_steps(scratch);
            }
        }
        self.changes.len() > before
    }

    /// Returns the two-sided p of a step, by Student's t on errors that the placebos gave.
    pub fn p_value(&self, step: Step, df: f64) -> f64 {
        distribution::two_sided_p(step.z() / self.inflation, df)
    }

    /// Returns the standard deviation of a typical bucket about its level.
    pub fn spread(&self) -> f64 {
        self.noise.as_ref().map_or(0.0, |noise| noise.variance.sqrt())
    }

    /// Returns the degrees of freedom of a comparison.
    pub fn degrees(&self) -> Option<f64> {
        self.noise.as_ref().map(|noise| self.independent(noise).max(LEAST_DEGREES))
    }

    /// Measures the step at every bucket, knowing the accepted ones.
    fn measure_steps(&mut self, scratch: &mut Scratch) {
        self.alone.clear();
        let Some(noise) = &self.noise else { return };
        self.profile = steps::profile(scratch, &self.residual, noise, &steps::steps_of(&self.changes));
        for change in &mut self.changes {
            change.step = steps::step_at(&self.profile, change.at);
        }
    }

    /// Returns the move at the beginning of the left-out hours that began within `near` buckets of a moment.
    pub fn episode_near(&self, at: usize, near: usize) -> Option<Step> {
        let episode = self.episodes.iter().filter(|episode| episode.begin.abs_diff(at) <= near);
        let episode = episode.min_by_key(|episode| episode.begin.abs_diff(at))?;
        let noise = self.noise.as_ref()?;
        let stretches = noise.independent(episode.end - episode.begin).max(1.0);
        Some(Step { size: episode.size, variance: noise.variance / stretches })
    }

    /// Returns the step at a bucket, knowing the accepted ones.
    pub fn step(&self, at: usize) -> Step {
        steps::step_at(&self.profile, at)
    }

    /// Takes over the places that the signals of an operation agreed on, and measures the steps there.
    pub fn relocate(&mut self, changes: Vec<Change>, scratch: &mut Scratch) {
        self.changes = changes;
        self.leave_out_transitions();
        self.measure_steps(scratch);
    }

    /// Returns the steps that would be accepted.
    pub fn clear_steps(&self) -> Vec<Change> {
        self.changes.iter().filter(|change| Clarity::ACCEPTED.is_met_by(change)).cloned().collect()
    }

    /// Returns what is left beside the levels between the clear steps.
    pub fn beside_clear_steps(&self) -> Vec<f64> {
        let level = noise::levels(&self.residual, &steps::steps_of(&self.clear_steps()));
        self.residual.iter().zip(level).map(|(value, level)| value - level).collect()
    }

    /// Returns the level of each bucket: the median of the stretch between steps.
    fn levels(&self, value: &[f64]) -> Vec<f64> {
        noise::levels(value, &steps::steps_of(&self.changes))
    }

    /// Measures a step that was not accepted anew, against noise from which the step itself is kept out.
    ///
    /// A step that hides in the noise makes the noise that it hides in. `None` where the step is accepted, or so small
    /// that it makes no difference.
    pub fn step_alone(&self, step: Step, at: usize, behind: Option<&Behind>, scratch: &mut Scratch) -> Option<Step> {
        if let Some((_, known)) = self.alone.iter().find(|(known, _)| *known == at) {
            return *known;
        }
        let noise = self.noise.as_ref()?;
        let mut steps = steps::steps_of(&self.changes);
        let place = steps.binary_search(&at).err()?;
        if step.z().abs() < WORTH_A_LOOK * self.inflation {
            return None;
        }
        steps.insert(place, at);
        let calmer = self.noise_beside(&steps, behind).filter(|calmer| calmer.variance < noise.variance)?;
        let known = steps::steps_of(&self.changes);
        Some(Scan::run(scratch, &self.residual, &calmer.white_noise_variance, calmer.memory, &known).step(at))
    }

    /// Measures the step at moments without deploys.
    fn measure_placebos(&mut self, moments: &[DeployWindow], scratch: &mut Scratch) {
        let Some(noise) = &self.noise else { return };
        // A step that is suspected but not accepted would be seen by every placebo near it.
        let accepted = steps::steps_of(&self.changes);
        let suspected = self.suspected.iter().filter(|change| change.group.is_some()).map(|change| change.at);
        let mut steps: Vec<usize> = accepted.iter().copied().chain(suspected).collect();
        steps.sort_unstable();
        steps.dedup();
        let apart = (steps != accepted).then(|| steps::profile(scratch, &self.residual, noise, &steps));
        let profile = apart.as_ref().unwrap_or(&self.profile);
        self.placebos = steps::placebo_moments(self.residual.len(), moments, &self.changes)
            .filter(|at| !self.residual[*at].is_nan())
            .map(|at| (at, steps::step_at(profile, at)))
            .filter(|(_, step)| step.z().is_finite())
            .collect();
        self.inflation = self.measured_inflation();
    }
}

impl LevelModel {
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
        let sizes: Vec<f64> = self.placebos.iter().map(|(_, step)| step.z().abs()).collect();
        let Some(high) = describe::quantile(&sizes, 0.9) else { return 1.0 };
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

/// Standard errors from which on it matters whether a step is kept out of the noise.
const WORTH_A_LOOK: f64 = 1.5;
