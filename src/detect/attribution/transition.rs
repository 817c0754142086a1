//! Changes that take their time: a rollout in steps, a cache that runs out hours after the deploy.

use crate::detect::input::calendar::PER_HOUR;

/// How a level came to be another, where it was no step at the deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransitionKind {
    /// The old level held on for a while.
    Delayed,
    /// It climbed or fell bit by bit.
    Gradual,
}

/// The hours after a deploy that belong neither to the old level nor to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What happened in them.
    pub kind: TransitionKind,
    /// First bucket of the new level.
    pub end: usize,
}

/// A straight way from one level to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// The deploy group that it began with; `None` for one that began by itself.
    pub group: Option<usize>,
    /// First bucket of the way.
    pub begin: usize,
    /// First bucket of the new level.
    pub end: usize,
    /// Log-likelihood, as that of a step.
    pub gain: f64,
}

/// How long a change at a deploy may take, in buckets.
pub const LENGTHS: [usize; 6] = [PER_HOUR, 2 * PER_HOUR, 3 * PER_HOUR, 4 * PER_HOUR, 5 * PER_HOUR, 6 * PER_HOUR];

/// How long a change that no deploy made may take, in buckets.
pub const OWN_LENGTHS: [usize; 3] = [2 * PER_HOUR, 4 * PER_HOUR, 6 * PER_HOUR];

/// Such changes are looked for at moments as far apart, in buckets.
pub const OWN_EVERY: usize = PER_HOUR;
