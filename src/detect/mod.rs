//! The judge: which series became worse relative to which deploy, which are proven fine, and what the evidence settles.
//!
//! It turns series and events into a [`Judgement`]. [`judge_shard`] judges whole services, [`merge`] brings shards together.
//!
//! Read [`judgement`] (the result) and [`evidence`], then the rooms in the order of the data: `input` (grid, load,
//! requests), `attribution` (which deploy a step belongs to), `model` (seasonality, noise, steps, drift, error rates),
//! `compare` (effect, interval, verdict), `confounders` (load, mix, fleet, event), `report_level` (false discoveries,
//! bursts, findings, placebos). `attribution` comes before `model` because a step is placed by it. `judge` walks through
//! all of them.
//!
//! Effects are log ratios, of shares near zero differences, **as measured**: positive means that the value went up.
//! This room must not read files, choose words or format numbers.

mod attribution;
mod compare;
mod confounders;
pub mod context;
pub mod evidence;
mod fingerprint;
mod input;
mod judge;
pub mod judgement;
mod model;
mod report_level;
mod shard;

pub use compare::verdict;
pub use context::Context;
pub use evidence::Evidence;
pub use fingerprint::{FindingFingerprint, HarmDirection};
pub use input::calendar::BUCKET;
pub use input::coverage::Coverage;
pub use judge::judge_shard;
pub use judgement::{
    Audit, Burst, Comparison, Finding, Fit, Hint, Judgement, Pattern, SeriesSummary, Target, Unattributed,
    UnattributedKind,
};
pub use report_level::aggregate::merge;
pub use report_level::placebo;
pub use shard::{Shard, ShardResult};

pub use crate::model::effect::{Effect, Estimate, Scale, ScaledEstimate};
pub use crate::model::verdict::{Confounder, Verdict};
